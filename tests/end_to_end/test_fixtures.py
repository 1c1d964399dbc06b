"""The recorded sessions in `fixtures/scenarios`: complete, neutral, and right in the eyes of the specification."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from proxy.protocol import Judge
from tests.rig.scenarios import DESERVED, all_scenarios
from tests.rig.scenarios.hooks import KINDS, NEWER_KINDS

FIXTURES = Path(__file__).parents[2] / "fixtures"
FOLDERS = sorted(path.parent for path in FIXTURES.glob("scenarios/*/argv"))
RELEASES = sorted(path for path in (FIXTURES / "releases").iterdir())
ALL = [*FOLDERS, *(path for release in RELEASES for path in sorted(release.iterdir()))]


def name_of(folder: Path) -> str:
    """Return what a recording is called: its place in the fixtures."""
    return str(folder.relative_to(FIXTURES))


FILES = {"argv", "stdin.jsonl", "stdout.jsonl", "exit"}

# Places that a recording may name: those of its own neutral home, of the system, and of Claude Code itself.
PLACE = re.compile(rb"(?<![\w.:/>-])/(?:home|root|tmp|work|mnt|Users|var|opt|private)/[\w./-]*")
NEUTRAL = re.compile(rb"/home/dev(/|$)|/tmp/cc-socks/\d+\.sock$|/tmp/claude-\d+/-home-dev")


def test_every_scenario_is_recorded() -> None:
    """Each scenario that is for the fixtures has a folder, and each folder has a scenario."""
    recorded = {re.sub(r"-\d+$", "", folder.name) for folder in FOLDERS}

    assert recorded == {scenario.name for scenario in all_scenarios() if scenario.fixture}
    assert len(recorded) >= 40


def test_releases_are_recorded_from_the_oldest_supported_one_on() -> None:
    """Of the release that `schemas/README.md` names, and of several since, each scenario that is kept for all."""
    oldest = re.search(
        r"oldest supported release is ([\d.]+)\.\s", (FIXTURES.parent / "schemas/README.md").read_text()
    )
    assert oldest is not None
    assert oldest[1] in {release.name for release in RELEASES}
    assert len(RELEASES) >= 4
    across = [scenario for scenario in all_scenarios() if scenario.across]
    for release in RELEASES:
        kept = {folder.name for folder in release.iterdir()}
        assert kept == {scenario.name for scenario in across if scenario.is_for(release.name)}, release.name


@pytest.mark.parametrize("folder", ALL, ids=name_of)
def test_recording_is_whole(folder: Path) -> None:
    """A recording has all its files, whole lines in each, and an exit status."""
    assert {path.name for path in folder.iterdir()} == FILES
    for name in ("argv", "stdin.jsonl", "stdout.jsonl"):
        assert (folder / name).read_bytes()[-1:] in (b"", b"\n")
    assert (folder / "stdout.jsonl").stat().st_size > 0
    int((folder / "exit").read_text())


@pytest.mark.parametrize("folder", ALL, ids=name_of)
def test_recording_names_no_machine(folder: Path) -> None:
    """A recording holds no path but neutral ones: whoever made it cannot be told from it."""
    for name in FILES:
        for place in PLACE.findall((folder / name).read_bytes()):
            assert NEUTRAL.match(place), f"{name} names {place!r}"


@pytest.mark.parametrize("folder", ALL, ids=name_of)
def test_recorded_lines_are_valid(folder: Path) -> None:
    """Real traffic is valid, line by line, apart from what was sent to be turned down."""
    found = []
    for stream, judge in (("stdin", Judge("stdin")), ("stdout", Judge("stdout"))):
        for line in filter(bytes.strip, (folder / f"{stream}.jsonl").read_bytes().split(b"\n")):
            judgement = judge.judge(line)
            if judgement.verdict != "valid":
                found.append((stream, judgement.verdict, line[:200], judgement.errors))

    assert [entry[:2] for entry in found] == DESERVED.get(folder.name, []), found


# Stream and type, then the subtypes that must be there; the type itself where it has none.
EXPECTED = """
stdout system: init status compact_boundary api_retry model_fallback permission_denied hook_started
    hook_response task_started task_progress task_updated task_notification background_tasks_changed
    thinking_tokens session_state_changed session_title_changed control_request_progress
stdout result: success error_during_execution error_max_turns error_max_budget_usd
    error_max_structured_output_retries
stdout control_request: can_use_tool hook_callback mcp_message elicitation
stdout *: assistant user control_cancel_request control_response keep_alive command_lifecycle
    transcript_mirror tool_use_summary prompt_suggestion auth_status conversation_reset autocompact_state
stdout stream_event: message_start content_block_start content_block_delta content_block_stop
    message_delta message_stop
stdin control_request: initialize interrupt set_permission_mode set_model set_max_thinking_tokens
    rename_session set_color mcp_status mcp_reconnect mcp_toggle mcp_set_servers mcp_call
    mcp_read_resource get_context_usage get_session_cost list_models get_usage get_binary_version
    get_settings get_hooks_listing list_permission_rules apply_flag_settings update_settings
    file_suggestions read_file seed_read_state rewind_files cancel_async_message register_repo_root
    reload_plugins reload_skills reload_output_styles set_has_subscribers stop_task background_tasks
    get_task_output generate_session_title side_question get_status get_plan get_memory_dialog
    get_skills_dialog get_sandbox_dialog export_conversation set_prompt_suggestions_paused set_cwd
    end_session prompt_draft_activity
stdin *: user control_response control_cancel_request keep_alive update_environment_variables
"""


def test_recordings_hold_every_kind_of_hook() -> None:
    """Hooks answered by clients are recorded with their input, and the setup by the messages that tell of it."""
    called = set()
    for folder in FOLDERS:
        for line in (folder / "stdout.jsonl").read_bytes().splitlines():
            message = json.loads(line)
            if message.get("request", {}).get("subtype") == "hook_callback":
                called.add(message["request"]["input"]["hook_event_name"])
            elif message.get("hook_event") == "Setup":
                called.add("told of Setup")

    assert called == {*KINDS, *NEWER_KINDS} - {"Setup"} | {"told of Setup"}


def expected_kinds() -> set[tuple[str, str, str]]:
    """Return the kinds that `EXPECTED` lists: stream, type, and subtype or the type again."""
    kinds = set()
    for entry in EXPECTED.replace("\n    ", " ").strip().splitlines():
        head, _, subtypes = entry.partition(":")
        stream, kind = head.split()
        kinds |= {(stream, subtype if kind == "*" else kind, subtype) for subtype in subtypes.split()}
    return kinds


def test_recordings_hold_what_clients_meet() -> None:
    """Taken together, the recordings have messages of every kind that comes up without a service of Anthropic's."""
    kinds = set()
    for folder in FOLDERS:
        for stream in ("stdin", "stdout"):
            for line in (folder / f"{stream}.jsonl").read_bytes().splitlines():
                if line:
                    message = json.loads(line)
                    inner = message.get("request") or message.get("event") or message
                    kinds.add((stream, message["type"], inner.get("subtype") or inner.get("type")))

    assert expected_kinds() - kinds == set()
