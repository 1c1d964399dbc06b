"""When the follower looks at which logs."""

import time
from pathlib import Path
from typing import Any

import pytest

from proxy.store.embedded.follower import Follower
from proxy.store.embedded.indexer import Indexer
from tests.store.contract.engines import Ear


@pytest.mark.parametrize(("look_s", "idle_s"), [(0.0, 5.0), (0.1, 5.0), (2.0, 100.0)])
def test_an_idle_server_idles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look_s: float, idle_s: float
) -> None:
    """However many logs there are, to look at all of them again and again takes a fiftieth of a processor at most."""
    now = [0.0]

    def look(_self: Indexer, _names: Any = None) -> None:
        now[0] += look_s

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Indexer, "look", look)
    follower = Follower(Indexer(str(tmp_path)), Ear(), lambda: None, lambda: None)
    follower._step(None)
    assert follower.idle_s == idle_s
    follower._watch.close()
    follower._indexer.close()
