"""Up to where nothing can come into the index any more: what is stamped earlier is there."""

from collections.abc import Collection

from proxy.store.embedded.tracked import TrackedLog

_SKEW_US = 60_000_000
"""Events that are stamped further in the future come from a clock that was wrong, and are not waited for."""
_STAMPED_TO_WRITTEN_US = 500_000
"""A wrapper stamps a record and writes it within a millisecond, unless it is kept from running in between."""


def watermark(logs: Collection[TrackedLog], looked_us: int, newest_us: int) -> int | None:
    """Return the watermark: nothing with an earlier timestamp will come. None: nothing is being written.

    ``looked_us``: when the logs were looked at; ``newest_us``: the newest event.
    """
    found = [log.session.last_record_us if log.session else 0 for log in logs if log.behind]
    # Clients' own sessions are written by the server itself, one record after another.
    if any(not log.over and log.session and log.session.kind == "wrapped" for log in logs):
        found.append(looked_us - _STAMPED_TO_WRITTEN_US)
    elif looked_us < newest_us < looked_us + _SKEW_US:
        found.append(looked_us)  # a log that is not seen yet was begun later, and is stamped later
    return min(found) if found else None
