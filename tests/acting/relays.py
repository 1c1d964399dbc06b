"""What listens where the relay of a session does, and answers as a test wants."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from proxy.acting.address import listen


@contextlib.contextmanager
def answering(data_dir: Path, session_id: str, answer: Callable[[bytes], bytes]) -> Iterator[None]:
    """Answer each line that is sent to a session's relay, in a thread, as long as the context lasts."""
    listening = listen(str(data_dir), session_id)

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection:
                    connection.sendall(answer(connection.makefile("rb").readline()))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
