"""Says when it is continued after a stop, and otherwise waits."""

import os
import signal

signal.signal(signal.SIGCONT, lambda *_: os.write(1, b"continued\n"))
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.write(1, b"ready\n")
while True:
    signal.pause()
