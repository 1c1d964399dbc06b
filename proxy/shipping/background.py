"""Ships a data directory from a thread of its server, as long as that runs."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable

from proxy.ship_settings import Ship
from proxy.shipping.shipper import Shipper

_RETRY_S = 60.0
"""After a data directory could not be used, or a fault of ours: both wait for a person, who sees within a minute that
it is mended, and once a minute no log fills up with it.
"""


class Shipping:
    """A thread that ships, from now on until `stop`."""

    def __init__(
        self,
        data_dir: str,
        settings: Ship,
        *,
        on_trouble: Callable[[str | None], None] = lambda _: None,
        on_fault: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        """``on_trouble`` is told, in the thread, why nothing can be sent, and None when it can again.

        ``on_fault`` is told of a data directory that cannot be used, or of a fault of ours.
        """
        self._linger_s, self._on_fault = settings.linger, on_fault
        self._shipper = Shipper(data_dir, settings, self._note)
        self._on_trouble = on_trouble
        self.trouble: str | None = None
        """Why nothing can be sent, if nothing can."""
        self._has_begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shipping", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. What is not sent yet is sent another time."""
        self._has_begun.wait()
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    @property
    def is_needed(self) -> bool:
        """Whether something waits to be sent, and the centre has not been away for ``ship.linger``."""
        return not self._shipper.is_done and self.away_s < self._linger_s

    @property
    def away_s(self) -> float:
        """For how long nothing can be sent."""
        since = self._shipper.away_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def set_aside(self) -> dict[str, str]:
        """The sessions that the centre does not take, and why."""
        return self._shipper.set_aside

    def _note(self, trouble: str | None) -> None:
        self.trouble = trouble
        self._on_trouble(trouble)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._ship())

    async def _ship(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.ensure_future(self._again_and_again())
        self._has_begun.set()
        await self._task

    async def _again_and_again(self) -> None:
        while True:
            try:
                await self._shipper.run()
            except Exception as error:
                self._on_fault(error)
                await asyncio.sleep(_RETRY_S)
