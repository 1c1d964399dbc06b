"""Posts JSON to a webhook: an alert is an object with ``text`` and ``timestamp``, as Slack and others take it."""

import socket
from typing import Self

import aiohttp

from proxy.server.watch.alerts import Alert

_TIMEOUT_S = 10.0  # far longer than a webhook takes
_TRY_AGAIN = frozenset([408, 425, 429])


class NotTakenError(Exception):
    """The webhook did not take an alert, and may take it later; the sentence says why, and not its secret address."""


class RefusedError(NotTakenError):
    """The webhook will not take it later either."""


class Webhook:
    """A place where alerts are posted; to be used with ``async with``."""

    def __init__(self, url: str, timeout_s: float = _TIMEOUT_S, *, key: str = "alerts.webhook_url") -> None:
        """``key``: the setting that ``url`` comes from."""
        self._url, self._key = url, key
        self._timeout_s = timeout_s

    async def __aenter__(self) -> Self:
        """Make ready."""
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout_s), trust_env=True
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go."""
        await self._http.close()

    async def post(self, alert: Alert) -> None:
        """Tell of an alert, once. Raises as `post_body`."""
        told = {name: getattr(alert, name) for name in ("text", "timestamp", "kind", "session_id")}
        await self.post_body({**told, "host": socket.gethostname()})

    async def post_body(self, body: object) -> None:
        """Post a value as JSON, once.

        Raises:
            NotTakenError: there was no answer in time, or none that says that it was taken.
        """
        try:
            # Not where another address leads to: what is posted is for this one. The answer's body says nothing to us.
            async with self._http.post(self._url, json=body, allow_redirects=False) as response:
                status = response.status
        except TimeoutError:
            raise NotTakenError(f"there was no answer within {self._timeout_s:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise NotTakenError(f"{error.host}:{error.port} cannot be reached: {error.os_error}") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise NotTakenError(f"it cannot be posted ({type(error).__name__})") from None
        if 200 <= status < 300:
            return
        if status in _TRY_AGAIN or status >= 500:
            raise NotTakenError(f"the webhook answered {status}")
        raise RefusedError(f"the webhook answered {status}; is {self._key} right?")
