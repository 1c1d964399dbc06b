"""Work that takes long, done beside the event loop.

``pool``        the processes for what is processor-bound
``judging``     judges messages, in the server or in a process
``analyses``    analyses of sessions, cached
``record_search``  searches for texts in a log, cached
``session_search``  searches for what was said, in all sessions
``checks``      checks of programs that stand in for `claude`, each in a process of its own
"""
