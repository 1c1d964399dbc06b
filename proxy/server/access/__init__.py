"""Who may ask, and how often.

``guard``   decides about each request: where it comes from, whose it is, what it may do
``tokens``  the tokens of a data directory and of the configuration
``peers``   whether the other end of a connection is the same user
``rates``   how often each client may ask
"""
