"""What rules found, beside the log."""

from pathlib import Path

import msgspec

from proxy.sessions import firings
from proxy.sessions.firings import Firing

ONE = Firing(timestamp_us=1, rule="r", when={"cost_usd": 5}, do="stop", mode="act", value=5.5, occasion="1")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """In order, for the owner alone; torn and foreign lines are passed over; without a file there is nothing."""
    data_dir = str(tmp_path)
    assert firings.read(data_dir, "s") == []
    (tmp_path / "sessions").mkdir(mode=0o700)
    firings.append(data_dir, "s", ONE)
    path = tmp_path / "sessions" / "s.rules"
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("ab") as file:
        file.write(b'{"no": "firing"}\n\xff\n')
        for name, value in (
            ("when", b"{}"),
            ("when", b'{"a":1,"b":2}'),
            ("timestamp_us", b"-1"),
            ("timestamp_us", b"%d" % 10**18),
        ):
            fields = msgspec.json.decode(msgspec.json.encode(ONE), type=dict[str, msgspec.Raw])
            file.write(msgspec.json.encode({**fields, name: msgspec.Raw(value)}) + b"\n")
    firings.append(data_dir, "s", ONE)
    with path.open("ab") as file:
        file.write(b'{"torn')
    assert firings.read(data_dir, "s") == [ONE, ONE]
    firings.remove(data_dir, "s")
    assert firings.read(data_dir, "s") == []
    firings.remove(data_dir, "s")


def test_an_event_carries_what_is_of_use() -> None:
    """Not what only the server goes by."""
    assert ONE.fields() == {"rule": "r", "when": {"cost_usd": 5.0}, "do": "stop", "mode": "act", "value": 5.5}
