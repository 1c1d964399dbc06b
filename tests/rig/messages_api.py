"""A stand-in for the Messages API on loopback.

It is told in advance what to answer: a script maps a piece of a prompt to the answers that follow it, one
for each call that Claude Code makes until the next prompt. Which answer is due is read from the request alone
(the last prompt that the script knows, and how many answers the conversation holds since), so that subagents
and parallel calls cannot mix up each other's answers.

One server serves any number of runs at a time: each has its own path below the server's address.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any, Self, cast

from tests.rig.answers import Answer, Block, Dropped, Failure, Reply, Tries, says

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["MessagesApi", "Play", "Script"]

Script = Mapping[str, Sequence[Answer]]
Event = tuple[str, dict[str, Any]]

FALLBACK = says("All done.")  # for calls that the script does not speak of, such as titles and summaries
DELTA_CHARS = 24  # small enough that an ordinary answer comes in several pieces
MODEL = "claude-sonnet-4-5"  # named when a request names none


class Play:
    """One run's share of the server: its script, its address, and what was asked."""

    def __init__(self, base_url: str, script: Script) -> None:
        self.base_url = base_url
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.script = script
        """What requests are answered by from now on."""
        self._tries: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()

    def answer_to(self, body: dict[str, Any]) -> Reply | Failure | Dropped:
        """Return the answer that is due for a request's conversation."""
        prompt, step = self._position(body.get("messages", []))
        if prompt is None or step >= len(self.script[prompt]):
            return FALLBACK
        answer = self.script[prompt][step]
        if not isinstance(answer, Tries):
            return answer
        with self._lock:
            tried = self._tries[prompt, step]
            self._tries[prompt, step] += 1
        return answer.answers[min(tried, len(answer.answers) - 1)]

    def open_gates(self) -> None:
        """Let every answer that waits at a gate go on, so that no thread of the server is left waiting."""
        for answer in (answer for answers in self.script.values() for answer in answers):
            if isinstance(answer, Reply) and answer.gate is not None:
                answer.gate.open()

    def _position(self, messages: list[dict[str, Any]]) -> tuple[str | None, int]:
        """Return the prompt of the script that was asked last, and how many answers came since."""
        step = 0
        for message in reversed(messages):
            if message["role"] == "assistant":
                step += 1
                continue
            words = _texts(message["content"])
            known = [prompt for prompt in self.script if prompt in words]
            if known:
                return max(known, key=words.rindex), step
        return None, 0


class MessagesApi:
    """The server; a context manager that serves from threads of its own until it is left."""

    def __init__(self) -> None:
        self._plays: dict[str, Play] = {}
        self._numbers = count(1)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.plays = self._plays
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for play in self._plays.values():
            play.open_gates()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def play(self, script: Script) -> Play:
        """Return a new run that answers by this script, and its own address."""
        name = f"play-{next(self._numbers)}"
        play = Play(f"http://127.0.0.1:{self._server.server_address[1]}/{name}", script)
        self._plays[name] = play
        return play


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    plays: dict[str, Play]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients of these tests hang up in mid-answer on purpose."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request and closes the connection, which also ends a stream."""

    server_version = "messages-api"
    protocol_version = "HTTP/1.0"

    def do_HEAD(self) -> None:
        """Answer the look whether anyone is there."""
        self._send_json(200, None)

    def do_GET(self) -> None:
        """Answer that the service has nothing but messages."""
        self._send_json(404, _error_body("not_found_error", "not here"))

    def do_POST(self) -> None:
        """Answer a request for a message, or for the size of one."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
        name, _, path = self.path.lstrip("/").partition("/")
        path = path.partition("?")[0]
        play = cast("_Server", self.server).plays.get(name)
        if play is None:
            self._send_json(404, _error_body("not_found_error", "no such run"))
            return
        play.requests.append((path, body))
        if path == "v1/messages/count_tokens":
            # Always the same: a count by the request's length would depend on where a run takes place.
            self._send_json(200, {"input_tokens": 1000})
        elif path == "v1/messages":
            self._answer(play.answer_to(body), body)
        else:
            self._send_json(404, _error_body("not_found_error", "not here"))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Write no access log: the test's output is for the test."""

    def _answer(self, answer: Reply | Failure | Dropped, body: dict[str, Any]) -> None:
        if isinstance(answer, Failure):
            self._send_json(answer.status, _error_body(answer.error_type, answer.message), answer.headers)
        elif body.get("stream"):
            self._send_stream(answer, body.get("model", MODEL))
        elif isinstance(answer, Reply):
            self._send_json(200, _whole_message(answer, body.get("model", MODEL)))

    def _send_json(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send_stream(self, answer: Reply | Dropped, model: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Request-Id", "req_stand_in")
        self.end_headers()
        with suppress(ConnectionError):  # a client that interrupts its model hangs up; that is no fault
            for event, data in _events(answer, model):
                if event == "gate":
                    cast("Reply", answer).gate.pass_through()  # type: ignore[union-attr]  # only then yielded
                    continue
                sent = answer.alter(data) if isinstance(answer, Reply) and answer.alter else data
                self.wfile.write(f"event: {event}\ndata: {json.dumps(sent)}\n\n".encode())


_message_numbers = count(1)


def _events(answer: Reply | Dropped, model: str) -> Iterator[Event]:
    """Yield the stream of an answer; `gate` is no event but the place to wait at the answer's gate."""
    input_tokens = answer.input_tokens if isinstance(answer, Reply) else 1
    yield "message_start", {"type": "message_start", "message": _message(model, input_tokens)}
    blocks = [_with_id(block) for block in answer.blocks]
    for index, block in enumerate(blocks):
        start, deltas = _cut(block)
        yield (
            "content_block_start",
            {"type": "content_block_start", "index": index, "content_block": start},
        )
        for number, delta in enumerate(deltas):
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
            if isinstance(answer, Dropped):
                return
            if number == 0 and index == len(blocks) - 1 and answer.gate is not None:
                yield "gate", {}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    if isinstance(answer, Reply):
        end = {"stop_reason": answer.stop_reason, "stop_sequence": None}
        yield "message_delta", {"type": "message_delta", "delta": end, "usage": {"output_tokens": 30}}
        yield "message_stop", {"type": "message_stop"}


def _cut(block: Block) -> tuple[Block, list[dict[str, Any]]]:
    """Return a block as it is announced, and the deltas that complete it."""
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": t} for t in _pieces(block["text"])]
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": t} for t in _pieces(block["thinking"])]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [*deltas, signed]
        case "tool_use" | "server_tool_use":
            arguments = json.dumps(block["input"])
            deltas = [{"type": "input_json_delta", "partial_json": t} for t in _pieces(arguments)]
            return {**block, "input": {}}, deltas
        case _:
            return block, []


def _pieces(whole: str) -> list[str]:
    # A very long text comes in few pieces: what matters then is its size, not how it was streamed.
    size = max(DELTA_CHARS, len(whole) // 200)
    return [whole[at : at + size] for at in range(0, len(whole), size)] or [""]


def _with_id(block: Block) -> Block:
    if block["type"] in ("tool_use", "server_tool_use") and "id" not in block:
        return {**block, "id": f"toolu_{next(_message_numbers):06d}"}
    return block


def _message(model: str, input_tokens: int) -> dict[str, Any]:
    return {
        "id": f"msg_{next(_message_numbers):06d}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": input_tokens,
            "output_tokens": 1,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def _whole_message(answer: Reply, model: str) -> dict[str, Any]:
    blocks = [_with_id(block) for block in answer.blocks]
    return {**_message(model, answer.input_tokens), "content": blocks, "stop_reason": answer.stop_reason}


def _error_body(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def _texts(content: str | list[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content if block["type"] == "text")
