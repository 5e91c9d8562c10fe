"""A guard between a client and a server of the Model Context Protocol, on standard input and output.

Every message goes through as it is, but for calls of tools: each is proposed to the guard first. One that is denied
never reaches the server; the client gets a result that is an error, with the reason and what would be allowed instead.
One that a person is asked about waits for the decision. Results are told to the guard before the client sees them.
Lists and objects are judged as their JSON text where the agent declares a text.

A call that the server does not answer in ``timeout`` seconds, an answer of more than ``MAX_ANSWER`` bytes and the calls
that are open when the server dies come back as errors. The guard takes them as answered with that error.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.llm.guard import Decision, Guard
from agentc.runtime.llm.mcp_tools import text_of

MAX_ANSWER = 10 * 1024 * 1024
"""The most bytes of one message of the server."""
_ID = re.compile(rb'"id"\s*:\s*(\d+|"[^"\\]*")')


@dataclass
class _Open:
    """A call that the server has not answered."""

    tool: str
    key: str
    timer: threading.Timer


class McpProxy:
    """Runs a server by a command and guards its calls.

    Raises ``AgentcError`` (AS1478) for a command that cannot be started.
    """

    def __init__(self, guard: Guard, command: str, timeout: float = 60.0) -> None:
        self._guard, self._timeout, self._command = guard, timeout, command
        words = shlex.split(command)
        try:
            if not words:
                raise OSError("the command is empty")
            self._server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise AgentcError([report("AS1478", None, command=command, reason=str(error))]) from None
        self._run = uuid.uuid4().hex
        self._lock = threading.RLock()
        self._open: dict[str, _Open] = {}
        self._calls = 0
        self._late: set[str] = set()
        """Calls that we answered ourselves; what the server says of them later is dropped."""
        self._gone = False
        """Whether the server has closed its end."""
        self._asked: set[str] = set()
        """Other requests that the server has not answered."""
        self._out: IO[bytes]
        self.denied = 0
        """Calls that were denied."""

    def serve(self, source: IO[bytes], out: IO[bytes]) -> None:
        """Pass messages on until the client closes its end, then end the server."""
        self._out = out
        reader = threading.Thread(target=self._answers, name="mcp answers", daemon=True)
        reader.start()
        try:
            for line in source:
                if line.strip():
                    self._from_client(line)
        finally:
            self._end(reader)

    def _end(self, reader: threading.Thread) -> None:
        assert self._server.stdin is not None
        with contextlib.suppress(OSError):
            self._server.stdin.close()
        try:
            self._server.wait(5.0)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        reader.join(5.0)
        assert self._server.stdout is not None
        self._server.stdout.close()

    # ------------------------------------------------------------ from the client

    def _from_client(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            self._to_client({"id": None, "error": {"code": -32700, "message": "this is no JSON"}})
            return
        for part in message if isinstance(message, list) else [message]:
            if isinstance(part, Mapping) and part.get("method") == "tools/call":
                self._call(part)
            else:
                if isinstance(part, Mapping) and "id" in part and "method" in part:
                    self._asked.add(json.dumps(part["id"]))
                self._to_server(part)

    def _call(self, message: Mapping[str, Any]) -> None:
        given = message.get("params")
        parameters = given if isinstance(given, Mapping) else {}
        tool, arguments = parameters.get("name"), parameters.get("arguments") or {}
        if not isinstance(tool, str) or not isinstance(arguments, Mapping):
            error = {"code": -32602, "message": "this is no call of a tool"}
            self._to_client({"id": message.get("id"), "error": error})
            return
        if json.dumps(message.get("id")) in self._open:
            self._to_client({"id": message["id"], "error": {"code": -32600, "message": "a call with this id is open"}})
            return
        self._calls += 1  # an id that comes again is another call, and judged again
        key = f"{self._run}/{self._calls}"
        try:
            decision = self._guard.propose(tool, judged(self._guard, tool, arguments), key)
        except AgentcError as refusal:
            decision = Decision("deny", "; ".join(d.message for d in refusal.diagnostics))
        if decision.outcome == "ask":
            threading.Thread(target=self._ask, args=(message, tool, key), daemon=True).start()
        elif decision.outcome == "deny":
            self._deny(message, decision)
        else:
            self._forward(message, tool, key)

    def _ask(self, message: Mapping[str, Any], tool: str, key: str) -> None:
        decision = self._guard.wait(key)
        if decision.outcome == "allow":
            self._forward(message, tool, key)
        else:
            self._deny(message, decision)

    def _deny(self, message: Mapping[str, Any], decision: Decision) -> None:
        self.denied += 1
        instead = ", ".join(decision.alternatives)
        text = f"denied: {decision.reason}" + (f". Allowed now: {instead}" if instead else "")
        self._fail(message.get("id"), text)

    def _forward(self, message: Mapping[str, Any], tool: str, key: str) -> None:
        if "id" in message:
            at = json.dumps(message["id"])
            timer = threading.Timer(self._timeout, self._silent, (at,))
            timer.daemon = True
            with self._lock:
                self._late.discard(at)
                self._open[at] = _Open(tool, key, timer)
            timer.start()
        self._to_server(message)

    def _to_server(self, message: Any) -> None:
        assert self._server.stdin is not None
        try:
            if self._gone:
                raise OSError
            self._server.stdin.write(json.dumps(message, ensure_ascii=False).encode() + b"\n")
            self._server.stdin.flush()
        except (OSError, ValueError):
            if not isinstance(message, Mapping) or "id" not in message:
                return
            if not self._close(json.dumps(message["id"]), "error: the server has ended"):
                self._ended(json.dumps(message["id"]))

    def _ended(self, at: str) -> None:
        """The answer to a request that no server is there for."""
        self._asked.discard(at)
        self._to_client({"id": json.loads(at), "error": {"code": -32000, "message": "the server has ended"}})

    # ------------------------------------------------------------ from the server

    def _answers(self) -> None:
        assert self._server.stdout is not None
        for line in _lines(self._server.stdout):
            if len(line) > MAX_ANSWER:
                found = _ID.search(line, 0, 4096)
                if found is not None:
                    self._close(found[1].decode(), f"error: the answer has more than {MAX_ANSWER} bytes")
                continue
            try:
                message = json.loads(line)
            except ValueError:
                continue  # what a server prints beside the protocol is not the client's
            if not self._result(message):
                self._write(line)
        self._gone = True
        for at in list(self._open):
            self._close(at, "error: the server has ended")
        for at in list(self._asked):
            self._ended(at)

    def _result(self, message: Any) -> bool:
        """Tell the guard of a result; whether the client has had an answer already."""
        if not isinstance(message, Mapping) or "id" not in message or "method" in message:
            return False
        at = json.dumps(message["id"])
        self._asked.discard(at)
        with self._lock:
            call = self._open.pop(at, None)
            if call is None:
                return at in self._late
            call.timer.cancel()
            answer = message.get("result")
            text = text_of(answer) if isinstance(answer, Mapping) else f"error: {message.get('error')}"
            refusal = self._tell(call, text)
        if refusal:  # the guard would judge what follows without knowing of it
            self._fail(message["id"], f"error: the result was withheld: {refusal}")
        return bool(refusal)

    def _tell(self, call: _Open, text: str) -> str:
        """Tell the guard of a result; why it does not take it, if it does not."""
        try:
            self._guard.result(text, call.tool, f"{call.key}/result")
        except AgentcError as error:
            return "; ".join(d.message for d in error.diagnostics)
        return ""

    def _silent(self, at: str) -> None:
        if self._close(at, f"error: no answer in {self._timeout:g} s"):
            self._to_server({
                "jsonrpc": "2.0", "method": "notifications/cancelled",
                "params": {"requestId": json.loads(at), "reason": "it took too long"},
            })  # fmt: skip

    def _close(self, at: str, text: str) -> bool:
        """Answer an open call ourselves; whether it was open."""
        with self._lock:
            call = self._open.pop(at, None)
            if call is None:
                return False
            call.timer.cancel()
            self._late.add(at)
            self._tell(call, text)
        self._fail(json.loads(at), text)
        return True

    # ------------------------------------------------------------ to the client

    def _fail(self, id_: Any, text: str) -> None:
        self._to_client({"id": id_, "result": {"content": [{"type": "text", "text": text}], "isError": True}})

    def _to_client(self, message: Mapping[str, Any]) -> None:
        self._write(json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        with self._lock:
            try:
                self._out.write(line)
                self._out.flush()
            except (OSError, ValueError):
                pass  # the client is gone; the loop that reads it ends


def judged(guard: Guard, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the guard judges them: where a text is declared, a list or an object is its JSON text."""
    declared = next((t.arguments for t in guard.writer.tools if t.name == tool), ())
    texts = {a.name for a in declared if a.kind == "text" and a.content is None}
    return {
        k: json.dumps(v, ensure_ascii=False, sort_keys=True) if k in texts and isinstance(v, list | dict) else v
        for k, v in arguments.items()
    }


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a stream; of one that is too long only the beginning."""
    while line := stream.readline(MAX_ANSWER + 2):
        if not line.endswith(b"\n") and len(line) > MAX_ANSWER:
            while (rest := stream.readline(1 << 16)) and not rest.endswith(b"\n"):
                pass
        yield line
