"""Writes the name of each signal that it gets on a line, until it gets the last real-time signal."""

import os
import signal

waited = set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}
signal.pthread_sigmask(signal.SIG_BLOCK, waited)
os.write(1, b"ready\n")
while (number := signal.sigwait(waited)) != signal.SIGRTMAX:
    os.write(1, signal.Signals(number).name.encode() + b"\n")
