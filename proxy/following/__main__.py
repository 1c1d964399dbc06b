"""``python -m proxy.following LOG``: go on recording a session whose recorder is gone (see ``resumption``)."""

import os
import sys

from proxy.following.resumption import record_on

if __name__ == "__main__":
    ready = os.dup(1)
    os.dup2(2, 1)  # whoever waits waits for the last copy to be closed
    record_on(sys.argv[1], ready)
