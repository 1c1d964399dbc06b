"""A session that others act on, in front of a stand-in that says what it gets."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from proxy.acting.address import connect
from tests.relay.wrapper import BOUND_S, Running, Wrapper, read_line, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["STAND_IN", "STREAM_JSON", "TOKEN", "Acted", "give_token", "start"]

STREAM_JSON = ("-p", "--input-format", "stream-json", "--output-format", "stream-json")
TOKEN = "cp_token"
STAND_IN = f"""\
#!{sys.executable} -IS
import json, os, signal, subprocess, sys
mode = os.environ.get("MODE", "")
if "deaf" in mode:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
null = subprocess.DEVNULL
tool = subprocess.Popen(["sleep", "1000"], start_new_session=True, stdin=null, stdout=null, stderr=null)
tools = [tool.pid]
if "orphan" in mode:
    begun = subprocess.check_output(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!"], stdin=null)
    tools.append(int(begun))
print(json.dumps({{"type": "keep_alive", "tool": tool.pid, "tools": tools}}), flush=True)
rules = {{}}
def ask(request_id):
    question = {{"subtype": "can_use_tool", "tool_name": "Write", "input": {{}}}}
    print(json.dumps({{"type": "control_request", "request_id": request_id, "request": question}}), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    print(json.dumps({{"type": "keep_alive", "got": message}}), flush=True)
    request = message.get("request", {{}})
    if message["type"] == "user":
        ask(message["message"]["content"])
    if message["type"] != "control_request":
        continue
    answer = {{"subtype": "success", "request_id": message["request_id"]}}
    if request["subtype"] == "apply_flag_settings":
        if "refuses" in mode:
            answer = {{**answer, "subtype": "error", "error": "unsupported_request"}}
        elif "loses" not in mode:
            rules = request["settings"]["permissions"] or {{}}
    if request["subtype"] == "list_permission_rules":
        listed = [{{"behavior": b, "rule": r}} for b in ("deny", "ask", "allow") for r in rules.get(b, [])]
        answer["response"] = {{"state": {{"rules": listed}}}}
    print(json.dumps({{"type": "control_response", "response": answer}}), flush=True)
    if request["subtype"] == "end_session" and "deaf" not in mode:
        os.kill(tool.pid, signal.SIGKILL)
        sys.exit(0)
    if request["subtype"] == "interrupt":
        ask("q")
while "deaf" in mode:
    signal.pause()
tool.kill()
"""


class Acted:
    """A session that others act on."""

    def __init__(self, wrapper: Wrapper, running: Running) -> None:
        self.wrapper = wrapper
        self.running = running

    def line(self) -> Any:
        """Return the next line that the caller gets."""
        return json.loads(read_line(self.running.reader))

    def got(self) -> Any:
        """Return the next line that the command got, as it says."""
        return self.line()["got"]

    def say(self, message: dict[str, Any]) -> None:
        """Send a line of the caller."""
        write_all(self.running.writer, json.dumps(message).encode() + b"\n")

    def act(
        self,
        action: str,
        token: str | None = None,
        *,
        action_id: str = "",
        when: Callable[[], object] = lambda: None,
        **arguments: Any,
    ) -> Any:
        """Ask for an action, ``when`` that returns, with all prepared."""
        (path,) = self.wrapper.paths()
        asked = {
            "action_id": action_id or f"a-{action}",
            "action": action,
            "args": arguments,
            "token": token,
            "by": {"name": "me"},
        }
        with connect(str(self.wrapper.data_dir), path.stem, BOUND_S) as connection:
            when()
            connection.sendall(json.dumps(asked).encode() + b"\n")
            return json.loads(connection.makefile().readline())


def give_token(wrapper: Wrapper) -> None:
    """Make the token that may act."""
    wrapper.data_dir.mkdir(mode=0o700, exist_ok=True)
    token = {"name": "phone", "scopes": ["act"], "sha256": hashlib.sha256(TOKEN.encode()).hexdigest()}
    tokens = wrapper.data_dir / "tokens.json"
    tokens.write_text(json.dumps({"version": 1, "tokens": [token]}))
    tokens.chmod(0o600)


def start(
    wrapper: Wrapper, stand_in: Path, *options: str, mode: str = "", arguments: Sequence[str] = STREAM_JSON
) -> Acted:
    """Start a session."""
    give_token(wrapper)
    env = {**os.environ, "MODE": mode}
    return Acted(wrapper, wrapper.start(stand_in, *arguments, options=options, env=env))
