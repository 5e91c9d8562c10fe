"""A small MCP server by hand: a desk that notes each `pay` and `erase` in a file, and misbehaves when asked to."""

import json
import os
import sys
import threading
import time
from pathlib import Path

ledger = Path(sys.argv[1])
lock = threading.Lock()


def tool(name, required, /, **properties):
    schema = {"type": "object", "properties": properties, "required": required}
    return {"name": name, "description": name, "inputSchema": schema}


TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number", "default": 5.0}
TOOLS = [
    tool("find", ["name"], name=TEXT), tool("approve", ["order"], order=WHOLE),
    tool("pay", ["order"], order=WHOLE, amount=NUMBER), tool("erase", ["path"], path=TEXT),
    tool("trouble", ["kind"], kind={"type": "string", "enum": ["throw", "hang", "flood", "die"]}),
    tool("sort", ["items"], items={"type": "array"}, **{"at-once": {"type": "boolean"}}),
]  # fmt: skip


def send(message):
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def call(name, given):
    if name in ("pay", "erase", "approve"):
        with ledger.open("a") as file:
            file.write(f"{name} {' '.join(map(str, given.values()))}\n")
    if name == "trouble":
        if given["kind"] == "throw":
            return {"content": [{"type": "text", "text": "no such thing"}], "isError": True}
        if given["kind"] == "hang":
            time.sleep(60)
        if given["kind"] == "die":
            os._exit(3)
        return {"content": [{"type": "text", "text": "x" * 10_000_000}]}
    if name == "find":
        time.sleep(0.3 if given["name"] == "slow" else 0)
        return {"content": [{"type": "text", "text": f"{given['name']} has order 7"}]}
    return {"content": [{"type": "text", "text": f"{name} done"}]}


def answer(message):
    method, given = message.get("method"), message.get("params") or {}
    if method == "initialize":
        info = {"serverInfo": {"name": "desk", "version": "1"}, "capabilities": {"tools": {}}}
        send({"id": message["id"], "result": {"protocolVersion": given["protocolVersion"], **info}})
    elif method == "tools/list":
        first = given.get("cursor") is None
        rest = {"nextCursor": "2"} if first else {}
        send({"id": message["id"], "result": {"tools": TOOLS[:3] if first else TOOLS[3:], **rest}})
    elif method == "tools/call":
        send({"id": message["id"], "result": call(given["name"], given.get("arguments") or {})})
    elif "id" in message:
        send({"id": message["id"], "error": {"code": -32601, "message": "no such method"}})


for line in sys.stdin:
    threading.Thread(target=answer, args=(json.loads(line),), daemon="hang" in line).start()
