"""The HTTP server: what the index knows, live and past, and the specification at work.

``app``          the application: routes, middlewares, lifetime
``routes``       the table of all routes, from which they are registered and described
``shared``       what requests share, and typed access to it
``requests``     reads bodies and queries, or says what to change
``errors``       the one shape of an error
``security``     who may ask, ``limits`` how often
``live``         hands new events to subscribers, ``streams`` to WebSocket and server-sent events
``records``      a log's records in pages, ``shortening`` what is long in them
``page``         the page for people: the files in ``static``
``recording``    sessions of a client's own
``upkeep``       the timed jobs: retention, backup, figures, alerts
``health``       whether it is well, ``metrics`` for Prometheus, ``figures`` of the machine
``watchman``     finds what ``alerts`` there are to tell a ``webhook``, once each
``journal``      what the server says of itself
``pool``         the processes beside the server, for what is processor-bound
``background``   starts a server when a wrapped session needs one; imports next to nothing
``__main__``     what ``background`` starts
``run``          runs a server until it is told to stop, or nobody needs it

It reads logs and writes none but its clients'. No wrapped session depends on it.
"""
