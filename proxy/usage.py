"""The token usage of a turn in which no model was asked, with all that a ``result`` of Claude Code says of it.

For whoever makes a ``result`` (see ``schemas/shared/turn_usage.json``): the answer to a message that is held back, and
the stand-in for ``claude``. Here and not in ``protocol``, as a stand-in starts with the standard library alone.
"""

NO_USAGE = {
    "input_tokens": 0,
    "output_tokens": 0,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
    "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
    "service_tier": "standard",
    "inference_geo": "",
    "iterations": [],
    "speed": "standard",
}
