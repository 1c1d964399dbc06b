"""A small MCP server over standard input and output, in the standard library alone.

Tools: `add` (two numbers), `fail` (an error result), `ask` (asks the user by elicitation), `picture` (an
image), `big` (a text of so many bytes).
"""

import json
import sys
from typing import Any

NUMBERS = {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}
SIZE = {"type": "object", "properties": {"size": {"type": "integer"}}}
NOTHING: dict[str, Any] = {"type": "object", "properties": {}}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
TOOLS = {"add": NUMBERS, "fail": NOTHING, "ask": NOTHING, "picture": NOTHING, "big": SIZE}


def send(message: dict[str, Any]) -> None:
    """Write one JSON-RPC message."""
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a tool."""
    if name == "add":
        total = arguments["a"] + arguments["b"]
        return {"content": [{"type": "text", "text": str(total)}], "structuredContent": {"sum": total}}
    if name == "picture":
        return {"content": [{"type": "image", "data": PIXEL, "mimeType": "image/png"}]}
    if name == "big":
        return {"content": [{"type": "text", "text": "x" * arguments["size"]}]}
    if name == "ask":
        schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        send(
            {
                "id": "ask-1",
                "method": "elicitation/create",
                "params": {"message": "What is your name?", "requestedSchema": schema},
            }
        )
        for line in sys.stdin:
            answer = json.loads(line)
            if answer.get("id") == "ask-1":
                return {"content": [{"type": "text", "text": json.dumps(answer.get("result"))}]}
    return {"content": [{"type": "text", "text": "it failed"}], "isError": True}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """Return the result of a request, or None for a method that this server does not have."""
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}, "resources": {}},
            "serverInfo": {"name": "sums", "version": "1.0.0"},
        }
    if method == "tools/list":
        tools = [{"name": n, "description": f"does {n}", "inputSchema": s} for n, s in TOOLS.items()]
        return {"tools": tools}
    if method == "resources/list":
        return {"resources": [{"uri": "ui://sums/page", "name": "page", "mimeType": "text/html"}]}
    if method == "resources/read":
        return {"contents": [{"uri": params["uri"], "mimeType": "text/html", "text": "<p>sums</p>"}]}
    if method == "tools/call":
        return call(params["name"], params.get("arguments", {}))
    return {} if method == "ping" else None


if __name__ == "__main__":
    for request_line in sys.stdin:
        request = json.loads(request_line)
        if "id" not in request or "method" not in request:
            continue
        result = answer(request["method"], request.get("params", {}))
        if result is None:
            send({"id": request["id"], "error": {"code": -32601, "message": "no such method"}})
        else:
            send({"id": request["id"], "result": result})
