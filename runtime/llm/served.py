"""Language models behind servers that speak OpenAI's chat interface: vLLM, SGLang, llama.cpp, and others.

The first three take a grammar with a request and let the model write nothing else:

=============  ==================================================================================================
``vllm``       ``structured_outputs.grammar`` (vLLM 0.12 and later; docs.vllm.ai, *Structured Outputs*)
``vllm-0.11``  ``guided_grammar``, as it was called before
``sglang``     ``ebnf`` (docs.sglang.io, *Structured Outputs*)
``llama.cpp``  ``grammar`` (``tools/server/README.md`` there)
``none``       nothing: whatever the server writes is checked
=============  ==================================================================================================

Which of them it is, is read from ``owned_by`` in the list of its models, if it is not said. The text that was written
so far is the beginning of the assistant's message, which the model goes on with.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NoReturn, cast
from urllib.parse import urlsplit

from agentc.lang.diagnostics import AgentcError, report

Message = Mapping[str, str]

CONSTRAINTS: Mapping[str, Callable[[str], Mapping[str, Any]]] = {
    "vllm": lambda grammar: {"structured_outputs": {"grammar": grammar}},
    "vllm-0.11": lambda grammar: {"guided_grammar": grammar},
    "sglang": lambda grammar: {"ebnf": grammar},
    "llama.cpp": lambda grammar: {"grammar": grammar},
    "none": lambda grammar: {},
}
"""How each kind of server is told a grammar."""
_OWNERS = {"vllm": "vllm", "sglang": "sglang", "llamacpp": "llama.cpp"}
_CONTINUING: Mapping[str, Mapping[str, Any]] = {
    "vllm": {"continue_final_message": True, "add_generation_prompt": False},
    "vllm-0.11": {"continue_final_message": True, "add_generation_prompt": False},
    "sglang": {"continue_final_message": True},
}
_AGAIN = frozenset((429, 500, 502, 503, 504))
TIMEOUT = 120.0
"""Seconds for one request."""
KEY = "AGENTC_API_KEY"
"""The variable of the environment that holds the key of a server that asks for one."""
MAX_REPLY = 1_000_000
"""The most characters of one reply that are read."""


@dataclass(frozen=True)
class Reply:
    """What a server wrote, why it stopped (``stop``, ``length``, ``cut`` by us), and its tokens if it counts them."""

    text: str
    finish: str
    tokens: int | None


@dataclass(frozen=True)
class ServedModel:
    """A model behind a server.

    ``timeout`` is in seconds, for each request. What is overloaded or fails is asked ``retries`` times more, after
    ``pause`` seconds, each time twice as long.
    """

    name: str
    url: str
    kind: str
    timeout: float = TIMEOUT
    retries: int = 2
    pause: float = 0.5

    @property
    def constrained(self) -> bool:
        """Whether the server itself keeps to a grammar."""
        return self.kind != "none"

    def complete(
        self,
        messages: Sequence[Message],
        grammar: str,
        max_tokens: int | None,
        temperature: float,
        seed: int,
        go_on: Callable[[str], bool] = lambda piece: True,
    ) -> Reply:
        """One reply, piece by piece; ``go_on`` is shown each and answers whether more is wanted.

        Raises ``AgentcError``: AS1470 for a server that is not reached or breaks off, AS1471 for one that takes too
        long, AS1472 for one that answers with an error, AS1473 for an answer that is none.
        """
        body: dict[str, Any] = {
            "model": self.name, "messages": list(messages), "temperature": temperature, "seed": seed, "stream": True,
            "stream_options": {"include_usage": True}, **CONSTRAINTS[self.kind](grammar),
        }  # fmt: skip
        if max_tokens is not None:
            body["max_tokens"] = max_tokens
        if messages[-1]["role"] == "assistant":
            body.update(_CONTINUING.get(self.kind, {}))
        return self._read(body, go_on)

    def _read(self, body: Mapping[str, Any], go_on: Callable[[str], bool]) -> Reply:
        text: list[str] = []
        length, finish, tokens = 0, "", None
        with closing(self._events(body)) as events:
            for event in events:
                usage = event.get("usage")
                if isinstance(usage, Mapping) and isinstance(usage.get("completion_tokens"), int):
                    tokens = usage["completion_tokens"]
                for choice in event.get("choices") or ():
                    piece, reason = self._piece(choice)
                    finish = reason or finish
                    if piece:
                        text.append(piece)
                        length += len(piece)
                        if not go_on(piece) or length > MAX_REPLY:
                            return Reply("".join(text), "cut", tokens)
        if not finish:
            self._malformed("it ends without a `finish_reason`")
        return Reply("".join(text), finish, tokens)

    def _piece(self, choice: Any) -> tuple[str, str]:
        """The text and the reason to stop of one choice, in a stream or at once."""
        if not isinstance(choice, Mapping):
            self._malformed(f"{choice!r:.60} is no choice")
        part = choice.get("delta", choice.get("message"))
        content = part.get("content") if isinstance(part, Mapping) else None
        if content is not None and not isinstance(content, str):
            self._malformed(f"{content!r:.60} is no text")
        return content or "", str(choice.get("finish_reason") or "")

    def _events(self, body: Mapping[str, Any]) -> Generator[Mapping[str, Any], None, None]:
        """The events of an answer: those of a stream, or the one object of a server that does not stream."""
        until = time.monotonic() + self.timeout
        with self._open("/chat/completions", body) as response:
            plain: list[bytes] = []
            for line in self._lines(response, until):
                if not line.startswith(b"data:"):
                    plain.append(line)
                    continue
                data = line[5:].strip()
                if data == b"[DONE]":
                    return
                yield self._object(data)
            whole = b"".join(plain).strip()
            if whole and not whole.startswith(b":"):
                yield self._object(whole)

    def _lines(self, response: Any, until: float) -> Iterator[bytes]:
        try:
            while line := response.readline(MAX_REPLY):
                if time.monotonic() > until:
                    raise TimeoutError
                yield line
        except TimeoutError:
            raise AgentcError([report("AS1471", None, url=self.url, seconds=f"{self.timeout:g}")]) from None
        except (OSError, ValueError) as error:
            raise AgentcError([report("AS1470", None, url=self.url, reason=_reason(error))]) from error

    def _object(self, data: bytes) -> Mapping[str, Any]:
        try:
            found = json.loads(data)
        except ValueError:
            self._malformed(f"{data[:60].decode(errors='replace')!r} is no JSON")
        if not isinstance(found, Mapping):
            self._malformed(f"{found!r:.60} is no object")
        if "error" in found:
            raise AgentcError([report("AS1472", None, url=self.url, status="an error", reason=_said(found))])
        return found

    def _malformed(self, reason: str) -> NoReturn:
        raise AgentcError([report("AS1473", None, url=self.url, reason=reason)])

    def _open(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The response to a request, asked for again while the server is overloaded."""
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
        if os.environ.get(KEY):
            headers["Authorization"] = f"Bearer {os.environ[KEY]}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        local = urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")
        opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))
        for attempt in range(self.retries + 1):
            try:
                return opener.open(request, timeout=self.timeout)
            except urllib.error.HTTPError as error:
                with error:
                    said = _said(error.read(4096))
                if error.code not in _AGAIN or attempt == self.retries:
                    raise AgentcError([report("AS1472", None, url=self.url, status=error.code, reason=said)]) from None
            except (OSError, ValueError) as error:
                cause = getattr(error, "reason", error)
                if isinstance(cause, TimeoutError):
                    raise AgentcError([report("AS1471", None, url=self.url, seconds=f"{self.timeout:g}")]) from None
                raise AgentcError([report("AS1470", None, url=self.url, reason=_reason(cause))]) from None
            time.sleep(self.pause * 2**attempt)
        raise AssertionError

    def models(self) -> list[Mapping[str, Any]]:
        """The models that the server lists."""
        with self._open("/models") as response:
            found = self._object(b"".join(self._lines(response, time.monotonic() + self.timeout)))
        data = found.get("data")
        if not isinstance(data, list) or not all(isinstance(m, Mapping) and isinstance(m.get("id"), str) for m in data):
            self._malformed("it lists no models")
        return cast("list[Mapping[str, Any]]", data)


def is_served(name: str) -> bool:
    """Whether a model's name is the address of a server."""
    return name.startswith(("http://", "https://"))


def served_model(address: str, kind: str | None = None, timeout: float = TIMEOUT) -> ServedModel:
    """The model at ``http://host:port/v1``, or ``http://host:port/v1#name`` where a server has several.

    Raises ``AgentcError``: AS1470 to AS1473 as :meth:`ServedModel.complete`, AS1474 for a model that the server does
    not have, or where several are there and none is named.
    """
    url, _, name = address.partition("#")
    asked = ServedModel(name, url.rstrip("/"), kind or "none", timeout)
    models = asked.models()
    known = ", ".join(f"`{m['id']}`" for m in models) or "none"
    found = [m for m in models if m["id"] == name] if name else models
    if len(found) != 1:
        raise AgentcError([report("AS1474", None, url=asked.url, name=name or "(not said)", known=known)])
    owner = str(found[0].get("owned_by", "")).lower()
    return ServedModel(str(found[0]["id"]), asked.url, kind or _OWNERS.get(owner, "none"), timeout)


def _reason(error: object) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _said(body: bytes | Mapping[str, Any]) -> str:
    """The words of an error that a server answered with."""
    found: Any = body
    if isinstance(body, bytes):
        try:
            found = json.loads(body)
        except ValueError:
            found = body.decode(errors="replace")
    if isinstance(found, Mapping):
        found = found.get("error", found.get("message", found))
    if isinstance(found, Mapping):
        found = found.get("message", found)
    return (str(found).strip().splitlines() or ["it says nothing more"])[0][:200]
