"""What is known of a place to which something is sent."""

from proxy.sending import Sender


def test_trouble_is_told_once_and_its_end() -> None:
    """Another reason is told, too; that it works is told only where it did not."""
    told: list[str | None] = []
    sender = Sender(3600.0, told.append)
    for trouble in (None, "away", "away", "refused", None, None, "away"):
        sender._note_trouble(trouble)
    assert told == ["away", "refused", None, "away"]


def test_what_waits_is_waited_for_but_not_for_ever() -> None:
    """A server stays while something is to be sent, and so long as it can be hoped for."""
    for linger_s, is_needed in ((3600.0, True), (0.0, False)):
        sender = Sender(linger_s, lambda _: None)
        sender._note_trouble("away")
        assert sender.away_s >= 0
        assert sender.is_needed is is_needed
    sender = Sender(3600.0, lambda _: None)
    assert (sender.is_needed, sender.away_s) == (True, 0.0)
    sender.is_done = True
    assert not sender.is_needed
