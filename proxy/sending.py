"""What senders of a server share: whether they can send, since when they cannot, and whether they must stay."""

import time
from collections.abc import Callable


class Sender:
    """Sends what is recorded to somewhere else, as long as it is there."""

    def __init__(self, linger_s: float, on_trouble: Callable[[str | None], None]) -> None:
        """``linger_s``: for so long something that cannot be sent is waited for.

        ``on_trouble`` is told why nothing can be sent, once, and None when it can again.
        """
        self.trouble: str | None = None
        """Why nothing can be sent, if nothing can."""
        self.is_done = False
        """Whether nothing waits to be sent, as far as is known."""
        self._linger_s, self._on_trouble = linger_s, on_trouble
        self._away_since: float | None = None

    @property
    def is_needed(self) -> bool:
        """Whether something waits to be sent, and has not been waited for too long."""
        return not self.is_done and self.away_s < self._linger_s

    @property
    def away_s(self) -> float:
        """For how long nothing can be sent."""
        return 0.0 if self._away_since is None else time.monotonic() - self._away_since

    def _note_trouble(self, trouble: str | None) -> None:
        """Note why nothing can be sent; None: it can."""
        if trouble is None:
            self._away_since = None
        elif self._away_since is None:
            self._away_since = time.monotonic()
        if trouble != self.trouble:
            self.trouble = trouble
            self._on_trouble(trouble)
