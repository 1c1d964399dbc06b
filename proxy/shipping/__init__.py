"""Sends what is recorded here to the centre of a fleet, whatever fails on the way.

``identity``  who this host is, and what the centre told it last
``ledger``    how much of each log the centre has acknowledged
``backlog``   what is to be sent next
``content``   what leaves this machine, and what does not
``centre``    the requests
``shipper``   all of it together, in a server or for ``claude-proxy ship``

The logs are the queue: nothing is copied to wait anywhere else. How far the centre is, the centre says; what is
remembered here saves looking, and tells retention what may go.
"""
