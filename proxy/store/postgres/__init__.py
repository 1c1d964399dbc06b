"""The store of a centre: PostgreSQL, filled by what many hosts push, and read by any number of servers.

``migrations``  the tables (``schema``), forward only
``connections`` to the database
``intake``      takes in what is pushed: many pushes in one transaction, each kept once
``bodies``      pieces of sessions, and their lines, compressed
``tables``      rows, and what is shared by all sessions
``removal``     takes sessions out
``news``        hears of new events, whichever server has taken them
``event_queries``, ``session_queries``, ``fleet_queries``  the questions
``store``       all of it, as a `Store`

Nothing here is imported unless ``storage.url`` names a database: its libraries are those of the extra ``postgres``.
"""
