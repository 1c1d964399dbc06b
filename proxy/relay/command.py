"""What to do with a command, decided from its command line and its terminals before anything is started.

* A call of ``claude`` that is no session (``--version``, ``mcp list``, ...): become it (``exec``).
* ``claude`` in print mode, which it is with ``-p`` or when its output is no terminal: relay it.
* Interactive ``claude``: become it.
* Any other program: relay it between programs, become it at a terminal.
"""

from __future__ import annotations

from proxy import claude_command

TYPE_CHECKING = False  # `typing` takes long to import, and the command waits
if TYPE_CHECKING:
    from collections.abc import Sequence


class Plan:
    """What is to be done with a command."""

    __slots__ = (
        "followed",
        "reads_by_position",
        "relayed",
        "stdin_messages",
        "stdout_messages",
        "text_streams",
    )

    def __init__(
        self,
        *,
        relayed: bool,
        followed: bool = False,
        stdin_messages: bool = False,
        stdout_messages: bool = False,
    ) -> None:
        """``relayed``: whether the wrapper stays between; else it becomes the command.

        ``followed``: whether a recorder is to be left beside the command that it becomes.
        ``stdin_messages``, ``stdout_messages``: whether the command line says that the stream carries messages
        (``--input-format``, ``--output-format stream-json``).
        """
        self.relayed = relayed
        self.followed = followed
        self.stdin_messages = stdin_messages
        self.stdout_messages = stdout_messages
        self.text_streams: frozenset[str] = frozenset()
        """Streams whose lines are no messages, whatever they look like."""
        self.reads_by_position = False
        """Whether the command reads a file on stdin from its first byte on, and leaves the file's position where it is.

        Claude Code does (`pread`): so the lines of `while read line; do claude -p "$line"; done < FILE` are left."""


def plan(
    command: Sequence[str], *, stdin_is_terminal: bool, stdout_is_terminal: bool, is_claude: bool = False
) -> Plan:
    """Decide what to do with ``command`` (program and arguments); ``is_claude``: it is one, whatever its name."""
    relay = Plan(
        relayed=True,
        stdin_messages=_has(command, "--input-format"),
        stdout_messages=_has(command, "--output-format"),
    )
    become = Plan(relayed=False)
    call = claude_command.read(command, is_claude=is_claude)
    if call is None:
        return become if stdin_is_terminal or stdout_is_terminal else relay
    if not call.is_session:
        return become
    if call.is_print or call.is_headless or not stdout_is_terminal:
        relay.text_streams = call.text_streams
        relay.reads_by_position = True
        return relay
    return Plan(relayed=False, followed=True)


def _has(command: Sequence[str], option: str) -> bool:
    """Whether the command line says ``option stream-json``, in one word or two."""
    for index, word in enumerate(command):
        if word == "--":
            return False
        if word == option and command[index + 1 : index + 2] == ["stream-json"]:
            return True
        if word == f"{option}=stream-json":
            return True
    return False
