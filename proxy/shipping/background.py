"""Ships a data directory from a thread of its server, as long as that runs."""

import asyncio
import contextlib
import threading
from collections.abc import Callable

from proxy.ship_settings import Ship
from proxy.shipping.shipper import Shipper

_RETRY_S = 60.0
"""After a data directory could not be used, or a fault of ours: both wait for a person, who sees within a minute that
it is mended, and once a minute no log fills up with it.
"""


class Shipping(Shipper):
    """A thread that ships, from now on until `stop`."""

    def __init__(
        self,
        data_dir: str,
        settings: Ship,
        *,
        on_trouble: Callable[[str | None], None] = lambda _: None,
        on_fault: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        """``on_trouble`` and ``on_fault`` are called in the thread.

        ``on_fault`` is told of a data directory that cannot be used, or of a fault of ours.
        """
        super().__init__(data_dir, settings, on_trouble)
        self._on_fault = on_fault
        self._has_begun = threading.Event()
        self._thread = threading.Thread(target=self._run_thread, name="shipping", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. What is not sent yet is sent another time."""
        self._has_begun.wait()
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def _run_thread(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._run_for_good())

    async def _run_for_good(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._loop, self._task = asyncio.get_running_loop(), task
        self._has_begun.set()
        while True:
            try:
                await self.run()
            except Exception as error:
                self._on_fault(error)
                await asyncio.sleep(_RETRY_S)
