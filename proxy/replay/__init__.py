"""A stand-in for ``claude``: plays a recorded session, or what a script says.

``recording``   a session as it is to be played
``matching``    which recorded line a line of the client's stands for
``renaming``    what this client calls otherwise than the recorded one
``differences`` divergences, as sentences and as data
``playing``     plays a recorded session
``script``      a script's format, read and checked
``acting``      performs a script
``wire``        the standard streams, signals and the journal of the process that stands in
``messages``    messages of Claude Code that are made, not recorded
``launcher``    executables that become the stand-in, for programs that take one path

A stand-in is started as often as the tests that use it, so this room's way to its first line imports little.
"""
