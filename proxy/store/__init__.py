"""The index of a data directory: derived from its logs, and thrown away without loss.

``database``  the tables, and how the file is opened or begun anew
``ranks``     how many events lie before a moment: pages are found by it, never by counting through
``indexer``   logs in, events and states out into the tables, in one transaction with how far it has read
``spelling``  events as JSON
``queries``   pages of events, and sessions
``history``   what an analysis asks: a session's events, a period's counts
``remembered`` what is known of sessions already, for who reads logs without a server
``records``   a log's records by number, kind and text, from the log itself
``amounts``   what all sessions add up to, removed ones included
``retention`` removes what has expired
``backup``    copies a data directory, ``restore`` unpacks a copy
``watch``     learns which logs have changed
``follower``  the thread that keeps the index up with the logs, and hands on what is new
"""
