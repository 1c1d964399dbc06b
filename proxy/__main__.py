"""``python -m proxy`` is ``claude-proxy``."""

from proxy.cli import main

main()
