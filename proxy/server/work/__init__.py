"""Work that takes long, done beside the event loop.

``pool``      the processes for what is processor-bound
``judging``   judges messages, in the server or in a process
``analyses``  analyses of sessions, cached
``searches``  searches for texts in logs, cached
``lru``       the cache of both
``checks``    checks of programs that stand in for `claude`, each in a process of its own
"""
