"""Who or what allowed or denied each call of a tool."""

import msgspec

from proxy.events.approved_calls import ApprovedCall


class ApprovalPage(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of a session with their approvals, in the order of their results."""

    approvals: list[ApprovedCall]
    offset: int
    """How many calls lie before the first of these."""
    total: int
    """Calls that have a result, of what the server has read."""
    counts: dict[str, dict[str, int]]
    """How many of all of them, by who decided and how: `{"caller": {"deny": 1}}`."""
