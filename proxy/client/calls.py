"""What the server is asked to do: sessions of a program's own, actions on live ones, and checks.

Errors, durations and times are as for `proxy.client.queries`. What may be repeated is, with growing pauses; events are
posted, and sessions and checks started, at most once.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from proxy.client import models
from proxy.client.queries import API, EVENTS, SESSIONS, session_path
from proxy.client.validation import Validation, as_json

_CHECKS = f"{API}/compliance/runs"
_T = TypeVar("_T")


class Calls(Validation):
    """Every call of the API, made over one transport."""

    async def _post(
        self, path: str, kind: type[_T], body: Mapping[str, Any], *, repeatable: bool = True, **query: Any
    ) -> _T:
        content = as_json(body)
        return await self._transport.call(
            "POST", path, kind, query=query, body=content, repeatable=repeatable
        )

    # -- sessions of one's own ---------------------------------------------------------------------------------

    async def start_session(
        self, name: str | None = None, capture_options: models.CaptureOptions | None = None
    ) -> models.MonitoringSession:
        """Start a session for events of your own; `monitored` starts and stops one.

        Args:
            name: a label for people.
            capture_options: which of the posted events are recorded; by default all.

        Example:
            session = await client.start_session("nightly")
            await client.post_event(session.session_id, "cleanup_done", {"files": 7})
            await client.stop_session(session.session_id)
        """
        options = capture_options or models.CaptureOptions()
        about = {"session_name": name, "capture_options": options}
        return await self._post(SESSIONS, models.MonitoringSession, about, repeatable=False)

    async def post_event(self, session_id: str, event_type: str, data: Mapping[str, Any]) -> models.Recorded:
        """Record an event in a session that was started with `start_session`.

        Args:
            session_id: the session.
            event_type: letters, digits, `_`, `-` and dots.
            data: any value that JSON can represent.

        Raises:
            NotFoundError: there is no such session.
            RequestError: the session is a wrapped one, is over, or has too many events.

        Example:
            session = await client.start_session()
            await client.post_event(session.session_id, "cleanup_done", {"files": 7})
        """
        event = {"session_id": session_id, "event_type": event_type, "data": dict(data)}
        return await self._post(EVENTS, models.Recorded, event, repeatable=False)

    async def stop_session(self, session_id: str) -> models.Stopped:
        """Stop a session that was started with `start_session`.

        Raises:
            NotFoundError: there is no such session.
            RequestError: the session is a wrapped one, or is over.

        Example:
            session = await client.start_session()
            await client.stop_session(session.session_id)
        """
        return await self._post(f"{session_path(session_id)}/stop", models.Stopped, {}, repeatable=False)

    # -- acting on live sessions -------------------------------------------------------------------------------

    async def act(
        self,
        session_id: str,
        action: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        wait: int | None = None,
    ) -> models.ActionAnswer:
        """Act on a live session that was started with `--act`. Automatic retries do not repeat the action.

        Args:
            session_id: which session.
            action: `interrupt`, `deny`, `allow`, `pause`, `resume`, `mode`, `model` or `stop`.
            arguments: what the action takes; see docs/acting.md.
            wait: seconds, up to 60, to wait for the result; without it, `state` of the answer is `sent`.

        Raises:
            RefusedError: the session has no grant for the action, or the token does not allow it.
            RequestError: the session cannot do it in its current state; the sentence begins with a code.
            ServerFaultError: the session's wrapper is gone, or did not answer.

        Example:
            for session in (await client.status()).sessions:
                if "pause" in session.acting["can"]:
                    print((await client.act(session.session_id, "pause", wait=10)).state)
        """
        asked = {**(arguments or {}), "action": action, "key": secrets.token_hex(16)}
        return await self._post(f"{session_path(session_id)}/actions", models.ActionAnswer, asked, wait=wait)

    async def interrupt(self, session_id: str, *, wait: int | None = None) -> models.ActionAnswer:
        """Interrupt the turn of a live session; the session goes on.

        Args:
            session_id: which session.
            wait: as for `act`.

        Raises:
            ClientError: as for `act`.

        Example:
            for session in (await client.status()).sessions:
                if "interrupt" in session.acting["can"]:
                    await client.interrupt(session.session_id)
        """
        return await self.act(session_id, "interrupt", wait=wait)

    async def answer(
        self,
        session_id: str,
        request_id: str,
        *,
        allow: bool,
        message: str | None = None,
        wait: int | None = None,
    ) -> models.ActionAnswer:
        """Answer an open question of a live session in place of its caller; the first answer counts.

        Args:
            session_id: which session.
            request_id: the question, as `questions` returns it.
            allow: whether the tool may run, with its input unchanged.
            message: the reason that the model gets if it may not.
            wait: as for `act`.

        Raises:
            ClientError: as for `act`; `already_answered` and `unknown_question` are `RequestError`.

        Example:
            for question in (await client.questions(session_id)).questions:
                await client.answer(session_id, question.request_id, allow=False, message="not now")
        """
        about = {"request_id": request_id} | ({} if message is None else {"message": message})
        return await self.act(session_id, "allow" if allow else "deny", about, wait=wait)

    # -- checks of programs that stand in for claude -----------------------------------------------------------

    async def start_check(
        self,
        wrapper: str,
        *,
        arguments: Sequence[str] = (),
        scenarios: Sequence[str] = (),
        as_argument: bool | None = None,
        variables: Sequence[str] = (),
        threshold: float | None = None,
    ) -> models.Check:
        """Start a check of a wrapper on the server's machine.

        Args:
            wrapper: the program, by its path or as a name on the server's PATH.
            arguments: its own.
            scenarios: names or patterns; by default all.
            as_argument: whether `claude` is its first argument; by default this is detected.
            variables: further environment variables in which it looks for `claude`.
            threshold: the lowest passing score, of 100; by default 100.

        Raises:
            RefusedError: the server does not have `compliance.enabled`.

        Example:
            check = await client.start_check("./my-wrapper", scenarios=["exit-status"])
            while not check.has_ended:
                check = await client.check(check.run_id, wait=30, seen=check.completed)
        """
        asked = {
            "wrapper": wrapper,
            "arguments": [*arguments],
            "scenarios": [*scenarios],
            "as_argument": as_argument,
            "variables": [*variables],
            **({} if threshold is None else {"threshold": threshold}),
        }
        return await self._post(_CHECKS, models.Check, asked, repeatable=False)

    async def check(self, run_id: str, *, wait: int | None = None, seen: int | None = None) -> models.Check:
        """Return a check now, or with ``wait`` as soon as more than ``seen`` of its scenarios have ended.

        Args:
            run_id: the id that `start_check` returned.
            wait: seconds to wait, up to 60; None: return at once.
            seen: the number of ended scenarios that the caller knows.

        Raises:
            NotFoundError: there is no such check.

        Example:
            check = await client.start_check("./my-wrapper")
            print((await client.check(check.run_id, wait=30)).completed)
        """
        return await self._get(_check(run_id), models.Check, wait=wait, seen=seen)

    async def cancel_check(self, run_id: str) -> models.Check:
        """Stop a check and wait until its processes have exited; a check that is over is not changed.

        Raises:
            NotFoundError: there is no such check.

        Example:
            check = await client.start_check("./my-wrapper")
            await client.cancel_check(check.run_id)
        """
        return await self._post(f"{_check(run_id)}/cancel", models.Check, {})


def _check(run_id: str) -> str:
    return f"{_CHECKS}/{quote(run_id, safe='')}"
