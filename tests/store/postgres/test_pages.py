"""Pages of a centre follow the rules for whoever asks, and through whatever is between."""

import random
from datetime import date, timedelta
from types import SimpleNamespace

import pytest

from proxy.fleet import Hello
from proxy.store import ranks
from proxy.store.fleet import Arriving, Saying
from proxy.store.postgres import intake
from proxy.store.postgres.connections import connect, writing
from proxy.store.postgres.hosts import hear
from proxy.store.postgres.intake import Intake
from proxy.store.postgres.store import PostgresStore
from tests.recorded import LogMaker, scenario
from tests.store.contract.test_events import assert_pages, everything

WEEK_US = 7 * 24 * 3_600_000_000
NAMES = ["s0", "s1", "s2", "s3", "s4", "s5"]
"""Sessions, in turn of one team and another, each from another week."""


@pytest.fixture
def filled(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A centre with two teams, whose events lie in the partitions of some weeks, and also before 1970."""
    monkeypatch.setattr(ranks, "SCANNED", 20)
    with connect(url) as connection, writing(connection):
        for team in ("red", "blue"):
            hear(connection, Saying(team, team, 0, Hello(protocol=1, version="1", name=team, sent_at="")))
    taking = Intake(url)
    for number, name in enumerate(NAMES):
        monday = date(2026, 11, 23) - timedelta(weeks=number % 3)
        monkeypatch.setattr(intake, "week_of", lambda _, monday=monday: monday)
        text = scenario("subagent", LogMaker(name, (number - 3) * WEEK_US + number * 7_301))
        taking.take([Arriving(["red", "blue"][number % 2], None, name, 0, text, running=False)])
    taking.close()
    return url


@pytest.mark.parametrize("is_pooled", [False, True])
def test_pages_of_all_teams_and_of_one(filled: str, is_pooled: bool) -> None:
    """A page holds what the rules say: of all sessions, or of those of the team that asks, and of no other."""
    store = PostgresStore(filled, is_pooled=is_pooled)
    try:
        for team, names in ((None, NAMES), ("red", NAMES[::2]), ("blue", NAMES[1::2]), ("green", [])):
            view = SimpleNamespace(store=store if team is None else store.for_team(team))
            there = everything(view)
            assert {event["session_id"] for event in there} == set(names)
            if names:
                assert_pages(view, random.Random(4), 60, [None, "s1", "s2"])
    finally:
        store.close()
