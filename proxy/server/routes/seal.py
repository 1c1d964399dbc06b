"""What the log of a sealed session is known to be, for whoever keeps heads elsewhere."""

from aiohttp import web

from proxy.api.sessions import Head, SealAnswer
from proxy.server.base.errors import NotFoundError
from proxy.server.routes.route import OF_SESSION, Routes
from proxy.server.shared import of
from proxy.sessions.identity import log_path
from proxy.sessions.sealing import is_sealed
from proxy.upkeep.seals import newest_checkpoint, seals_of

routes = Routes(OF_SESSION)


@routes.add("GET", "/seal", answer=SealAnswer)
def seal(request: web.Request) -> SealAnswer:
    """What a sealed log is known to be: its newest head."""
    shared, session_id = of(request), request.match_info["session_id"]
    shared.session(session_id)
    if shared.fleet is not None:
        raise NotFoundError(f"The seal of {session_id!r} is where the session ran; ask its host.")
    return SealAnswer(session_id=session_id, head=_head(shared.data_dir, session_id))


def _head(data_dir: str, session_id: str) -> Head | None:
    lines = [
        seal
        for seal in seals_of(data_dir).by_session.get(session_id, ())
        if not (seal.copy or seal.removed_by)
    ]
    path = log_path(data_dir, session_id)
    try:
        newest = lines[-1] if lines else newest_checkpoint(path) if is_sealed(path) else None
    except FileNotFoundError:
        raise NotFoundError(f"The log of {session_id!r} was removed.") from None
    if newest is None:
        return None
    return Head(bytes=newest.bytes, records=newest.records, sha256=newest.sha256, ended=newest.ended)
