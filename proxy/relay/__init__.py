"""The wrapper: stands between a caller and its command, changes nothing that passes, records all of it.

``command``     what is to be done with a command: relay its messages, its text, or get out of the way
``supervisor``  the process that the caller knows: starts the command, passes on signals, mirrors the exit
``relay``       the process beside it: owns the streams and the log, outlives the supervisor when it must
``pump``        one direction of one stream: read, log, pass on
``writing``     a thread that logs and passes on large reads while the next is judged
``threads``     what the relay has of threads
``injection``   a pump that also takes lines of our own between those of its stream
``delivery``    when all that the command wrote is with the caller, and what nobody takes
``polling``     whether a descriptor is ready, or its other side gone, devices of macOS included
``framing``     bytes in, lines out (does no I/O)
``recording``   lines in, verdicts and log records out (does no I/O)
``enforcement`` what ``--validation enforce`` holds back (does no I/O)
``gate``        what is answered for a message that is held back (does no I/O)

Two processes, because one cannot do all three: exit with the command's status at once, go on passing what the
command's descendants still write, and see to it that nothing is left behind when the wrapper is killed.
"""
