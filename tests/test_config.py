"""The settings model: what each key takes, whatever it is given."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config import KEYS, SECTIONS, InvalidSettingsError, Key, Settings, settings_of
from proxy.protocol import full, library
from tools.model_schemas import descriptions_of


def set_to(name: str, value: object) -> Any:
    """Return a key's value after it was given one."""
    section, key = name.split(".")
    return getattr(getattr(settings_of({section: {key: value}}), section), key)


def is_taken(name: str, value: object) -> bool:
    """Tell whether a key takes a value."""
    try:
        set_to(name, value)
    except InvalidSettingsError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "size"), [("10MB", 10_000_000), ("1.5 kb", 1500), ("2GB", 2 * 10**9), ("77", 77), (5, 5)]
)
def test_sizes_have_units(text: object, size: int) -> None:
    """A size is a number of bytes, or a number with KB, MB or GB."""
    assert set_to("api.max_request_size", text) == size


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("api.port", 0, 65535), ("api.workers", 1, 64), ("validation.concurrent_validations", 1, 1024)],
)
def test_ranges(name: str, least: int, most: int) -> None:
    """A number is taken from its least to its most, and not one beyond."""
    wanted = {least - 1: False, least: True, most: True, most + 1: False}
    assert {value: is_taken(name, value) for value in wanted} == wanted
    assert f"from {least} to {most}" in KEYS[name].takes


@pytest.mark.parametrize("value", [True, "x", "", None, [], float("nan"), float("inf"), 0, -1, 1e300])
def test_what_is_no_time(value: object) -> None:
    """A time is a number of seconds above 0 that a clock can count."""
    assert not is_taken("api.timeout", value)


def test_yes_is_no_number() -> None:
    """YAML's `yes` is not taken for 1."""
    assert not is_taken("api.port", True)
    assert not is_taken("api.max_request_size", True)


def test_off_needs_no_quotes() -> None:
    """YAML takes a bare ``off`` for false; it is the documented value all the same."""
    assert set_to("validation.mode", False) == "off"


def test_every_alert_is_switched_off_alike() -> None:
    """`false` switches a kind off that has a figure, too, in a file and in a variable; nothing else has false."""
    for name, key in KEYS.items():
        if key.section == "alerts" and key.key != "webhook_url":
            assert set_to(name, False) is (None if key.may_be_none else False)
            assert set_to(name, "false") is (None if key.may_be_none else False)
    assert not is_taken("monitoring.retention_days", False)


@pytest.mark.parametrize("given", ["https://a.example, http://b:1", '["https://a.example","http://b:1"]'])
def test_a_list_may_be_one_text(given: str) -> None:
    """So that a variable can give it: with commas or as JSON."""
    assert set_to("security.allowed_origins", given) == ("https://a.example", "http://b:1")


@pytest.mark.parametrize(
    "origin", ["*", "a.example", "https://a.example/", "https://a.example/x", "null", "file://"]
)
def test_what_is_no_origin(origin: str) -> None:
    """An origin that no browser would send is refused, a star above all."""
    assert not is_taken("security.allowed_origins", [origin])


@pytest.mark.parametrize(
    ("text", "taken"),
    [("x", True), ("sha256:" + "a0" * 32, True), ("sha256:" + "A0" * 32, False), ("sha256:a0", False)],
)
def test_a_hash_of_a_token_is_whole(text: str, taken: bool) -> None:
    """Regression: a hash that was cut off counted as a token, and let nobody in."""
    assert is_taken("security.tokens", [text]) is taken


@pytest.mark.parametrize("security", [{"tls_key": "k"}, {"tls_certificate": "c"}, {"enable_cors": True}])
def test_keys_that_go_together(security: dict[str, object]) -> None:
    """Half of what belongs together is refused: it would do nothing, or something else than was meant."""
    with pytest.raises(InvalidSettingsError):
        settings_of({"security": security})


def test_every_key_has_all_that_the_documentation_needs() -> None:
    """A key says what it takes and means, its default is taken, and its variable is its own."""
    fields = {f"{one}.{key}" for one, model in SECTIONS.items() for key in model.__struct_fields__}
    assert set(KEYS) == fields - {"rules.named"}
    assert len({key.variable for key in KEYS.values()}) == len(KEYS)
    for key in KEYS.values():
        assert key.takes
        assert descriptions_of(SECTIONS[key.section])[key.key].endswith(".")
        assert is_taken(key.name, key.default)
        assert key.may_be_none is is_taken(key.name, None)


def test_what_is_marked() -> None:
    """What must not be shown, and what is a path, is known as such."""
    assert {name for name, key in KEYS.items() if key.is_secret} >= {
        "security.tokens",
        "alerts.webhook_url",
    }
    assert {name for name, key in KEYS.items() if key.is_path} >= {"storage.data_directory"}


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(), one, max_size=2)
)


@given(st.sampled_from(sorted(KEYS)), VALUES)
def test_any_value_is_taken_or_refused(name: str, value: object) -> None:
    """No value of any kind makes the model fail in another way than to refuse it."""
    is_taken(name, value)


SAMPLES: list[object] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    65536,
    0.5,
    10**16,
    "",
    "x",
    "1000/hour",
    "5/ day",
    "off",
]
SAMPLES += ["INFO", "json", "https://a.example", "/a", [], ["https://a.example"], ["x"], {}]


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_the_published_schema_knows_every_key(key: Key) -> None:
    """By the schema a file can be checked elsewhere: it has each key's meaning, and takes all that the model takes."""
    published = library.load("config.json")["properties"][key.section]["properties"][key.key]
    assert published["description"] == descriptions_of(SECTIONS[key.section])[key.key]
    for value in [*SAMPLES, msgspec.to_builtins(Settings())[key.section][key.key]]:
        by_schema = _is_published(key, value)
        # What the model takes for something else (0 for false) need not be published.
        as_it_is = is_taken(key.name, value) and type(set_to(key.name, value)) is type(value)
        assert by_schema or not as_it_is, value


def _is_published(key: Key, value: object) -> bool:
    line = json.dumps({key.section: {key.key: value}}).encode()
    return full.judgement("config.json", line).verdict == "valid"


def test_the_published_schema_has_no_other_key() -> None:
    """A key that is gone is gone there too."""
    published = library.load("config.json")["properties"]
    assert {f"{one}.{key}" for one, part in published.items() for key in part["properties"]} == set(KEYS)


EFFECTS = {
    "api.host": "server/access/test_guard.py::test_configured_host",
    "api.port": "server/test_background.py::test_taken_port_is_no_obstacle",
    "api.workers": "server/work/test_pool.py::test_as_many_processes_as_wanted",
    "api.timeout": "server/process/test_connections.py::test_slow_heads",
    "api.max_request_size": "server/routes/test_requests.py::test_size",
    "api.max_connections": "server/process/test_connections.py::test_too_many_connections",
    "api.linger": "server/test_background.py::test_leaves_when_nobody_needs_it",
    "monitoring.max_events_per_session": "server/routes/test_events.py::test_most_events_of_a_session",
    "monitoring.session_timeout": "server/process/test_lifetime.py::test_idle_sessions_are_stopped",
    "monitoring.cleanup_interval": "server/watch/test_jobs.py::test_what_has_expired_goes_at_each_look",
    "monitoring.retention_days": "server/watch/test_jobs.py::test_what_has_expired_goes_at_each_look",
    "validation.mode": "cli/test_settings.py::test_a_session_takes_its_keys_from_variables",
    "validation.cache_schemas": "server/routes/test_requests.py::test_schemas_are_kept_or_not",
    "validation.max_validation_size": "server/routes/test_requests.py::test_size_of_a_validation",
    "validation.concurrent_validations": "server/routes/test_requests.py::test_validations_at_once",
    "redaction.mode": "cli/test_redact.py::test_a_session_is_redacted_as_the_configuration_says",
    "redaction.patterns": "cli/test_redact.py::test_a_session_is_redacted_as_the_configuration_says",
    "redaction.fields": "cli/test_redact.py::test_a_session_is_redacted_as_the_configuration_says",
    "interactive.mode": "following/test_begin.py::test_the_configuration_says_what_is_recorded",
    "acting.grant": "relay/test_acting.py::test_a_grant_and_a_policy_come_from_the_configuration",
    "acting.rate": "server/routes/test_acting.py::test_actions_have_a_rate_of_their_own",
    "rules.mode": "server/rules/test_enforcement.py::test_a_rule_acts_once",
    "rules.ask_every": "server/rules/test_enforcement.py::test_the_running_cost_is_asked_for",
    "policy.file": "relay/test_acting.py::test_a_grant_and_a_policy_come_from_the_configuration",
    "policy.on_failure": "relay/test_acting.py::test_a_grant_and_a_policy_come_from_the_configuration",
    "security.rate_limit": "server/access/test_guard.py::test_too_many_requests",
    "security.enable_cors": "server/access/test_guard.py::test_pages_of_allowed_origins",
    "security.allowed_origins": "server/access/test_guard.py::test_allowed_origin",
    "security.allowed_hosts": "server/access/test_guard.py::test_own_pages_behind_a_proxy_that_speaks_https",
    "security.local_access": "server/access/test_guard.py::test_local_access_can_be_switched_off",
    "security.tokens": "server/access/test_guard.py::test_others_need_a_token",
    "security.tls_certificate": "server/process/test_tls.py::test_a_server_speaks_https",
    "security.tls_key": "server/process/test_tls.py::test_a_server_speaks_https",
    "schemas.directory": "server/routes/test_custom_schemas.py::test_they_are_specifications_like_ours",
    "storage.data_directory": "cli/test_settings.py::test_a_session_takes_its_keys_from_variables",
    "storage.max_total_size": "server/watch/test_jobs.py::test_what_may_not_go_is_said_when_all_is_too_large",
    "storage.min_free_space": "server/routes/test_health.py::test_the_least_room_is_a_setting",
    "storage.backup_enabled": "server/watch/test_jobs.py::test_no_copy_is_made_by_default",
    "storage.backup_interval": "server/watch/test_jobs.py::test_copies_are_due_by_the_newest_one",
    "storage.backups_kept": "server/watch/test_jobs.py::test_as_many_copies_are_kept_as_is_wanted",
    "storage.seal": "cli/test_seal.py::test_it_is_switched_on",
    "seal.send_to": "server/watch/test_heads.py::test_each_line_is_sent_once_and_says_whence",
    "seal.journal": "server/watch/test_heads.py::test_the_journal",
    "storage.url": "shipping/test_sameness.py::test_every_answer_is_the_same",
    "storage.listen": "server/routes/test_fleet.py::test_behind_a_pooler",
    "ship.to": "shipping/test_shipper.py::test_another_centre_gets_everything",
    "ship.token": "shipping/test_shipper.py::test_a_token_that_is_not_taken",
    "ship.content": "cli/test_ship.py::test_a_dry_run_prints_what_would_leave",
    "ship.redact": "cli/test_ship.py::test_a_dry_run_prints_what_would_leave",
    "ship.gather": "shipping/test_shipper.py::test_settings_of_speed",
    "ship.piece": "shipping/test_shipper.py::test_settings_of_speed",
    "ship.rate": "shipping/test_shipper.py::test_settings_of_speed",
    "ship.keep": "shipping/test_report.py::test_what_the_centre_lacks_does_not_expire",
    "ship.linger": "shipping/test_background.py::test_it_lingers_for_a_centre_that_is_away",
    "otlp.endpoint": "end_to_end/test_otlp.py::test_turns_arrive_while_the_session_goes_on",
    "otlp.content": "end_to_end/test_otlp.py::test_turns_arrive_while_the_session_goes_on",
    "logging.level": "server/process/test_run.py::test_what_cannot_be_served_is_said",
    "logging.format": "server/process/test_run.py::test_what_cannot_be_served_is_said",
    "alerts.webhook_url": "server/watch/test_monitor.py::test_it_runs_until_cancelled",
    "alerts.server_error": "server/watch/test_monitor.py::test_what_the_server_fails_in_need_not_be_told",
    **{
        f"alerts.{kind}": "server/watch/test_alerts.py::test_each_kind_is_told_at_its_limit_and_can_be_switched_off"
        for kind in (
            *("session_failed", "permission_wait", "model_wait", "tool_wait", "exit_wait"),
            *("invalid_messages", "recording_gap", "session_budget"),
        )
    },
    "alerts.rule": "server/watch/test_monitor.py::test_a_rule_that_fires_is_told",
    "alerts.disk_low": "server/watch/test_monitor.py::test_a_low_disk_is_told_again_after_relief_only",
    "compliance.enabled": "server/routes/test_compliance.py::test_checks_are_off_by_default",
    "compliance.concurrent_runs": "server/work/test_checks.py::test_few_run_at_once_and_few_wait",
}
"""Where it is shown what each key does."""


def test_each_key_has_an_effect_that_a_test_shows() -> None:
    """A key that nothing follows from would be a promise that nobody keeps."""
    assert set(EFFECTS) == set(KEYS)
    for name, place in EFFECTS.items():
        path, _, test = place.partition("::")
        text = (Path(__file__).parent / path).read_text()
        assert f"def {test}(" in text, place
        assert name.partition(".")[2] in text.lower(), f"{path} does not set {name}"


BUDGET = {"when": {"cost_usd": 5}, "do": "stop", "warn_at": 0.8, "match": {"name": "nightly-*"}}


def test_rules_have_names_of_the_users_own() -> None:
    """Each further key of `rules` is one, in the order of the file, and the published schema takes it."""
    rules = settings_of({"rules": {"mode": "act", "b": BUDGET, "a": {"when": {"same_call": 10}}}}).rules
    assert list(rules.named) == ["b", "a"]
    assert rules.named["b"].when.condition == ("cost_usd", 5)
    line = json.dumps({"rules": {"b": BUDGET}}).encode()
    assert full.judgement("config.json", line).verdict == "valid"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"when": {"cost": 5}}, "did you mean when.cost_usd"),
        ({"wen": {"cost_usd": 5}}, "did you mean when"),
        ({"when": {"cost_usd": 5, "same_call": 3}}, "takes one of"),
        ({"when": {}}, "takes one of"),
        ({"when": {"cost_usd": 0}}, "> 0"),
        ({"when": {"same_call": 2}}, ">= 3"),
        ({"when": {"cost_usd": 5}, "do": "deny"}, "question_minutes"),
        ({"when": {"cost_usd": 5}, "do": "kill"}, "kill"),
        ({"when": {"cost_usd": 5}, "warn_at": 1}, "< 1"),
        ({"when": {"cost_usd": 5}, "match": {"nam": "x"}}, "nam"),
        ({"do": "tell"}, "when"),
        ("stop", "a rule takes"),
    ],
)
def test_what_is_no_rule(rule: object, says: str) -> None:
    """The sentence says what is wrong."""
    with pytest.raises(InvalidSettingsError) as raised:
        settings_of({"rules": {"mine": rule}})
    assert says in raised.value.faults["rules.mine"]


def test_the_published_schema_is_made_from_the_model() -> None:
    """Whoever adds a key runs ``python -m tools.generate_schemas``."""
    path = Path(__file__).parent.parent / "schemas" / "generate_config.py"
    assert runpy.run_path(str(path))["generate"]() == path.with_name("config.json").read_text()
