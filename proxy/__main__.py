"""``python -m proxy`` is ``claude-proxy``."""

from proxy.cli import main

if __name__ == "__main__":  # processes of the server's pool import this file under another name
    main()
