"""The recorder beside an interactive ``claude``: nothing stands between it and the terminal, and it is on record.

``launch``      leaves the recorder behind in a process that is about to become ``claude``
``begin``       begins the record there
``recorder``    waits for what Claude Code writes, and appends it to the session's log
``session``     what is known of the session, and what is to be said of it (does no I/O)
``registry``    what Claude Code's registry says of a process (does no I/O)
``transcript``  what the lines of a transcript are, and which of them are the session's (does no I/O)
``files``       where Claude Code keeps the two

Nothing here writes, creates or locks anything in Claude Code's folders, or reads more there than these files.
"""
