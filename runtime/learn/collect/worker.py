"""A collector process: some of the environments of a run, stepped for :mod:`agentc.runtime.learn.collect.workers`.

It reads requests from its standard input and writes answers to its standard output, each a length (8 bytes) and a
pickle; what an environment prints goes to standard error. It ends when its input does, so that no process outlives the
run that started it, however that ended.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
from importlib import import_module
from typing import IO, Any

from agentc.lang.diagnostics import AgentcError

LENGTH = struct.Struct("<Q")


def send(stream: IO[bytes], message: Any) -> None:
    """Write a message. Raises ``OSError`` where nobody reads."""
    data = pickle.dumps(message, protocol=5)
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """The next message. Raises ``EOFError`` where there is none, or only a part of one."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    (size,) = LENGTH.unpack(head)
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return pickle.loads(data)


def serve() -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started the run is told, and closes this process
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    try:
        Collector(incoming, outgoing).run()
    except (EOFError, OSError):
        return  # the run has ended


class Gone(Exception):
    """The run is no longer there."""


class Collector:
    """The environments of one process, made at the first request, and what is asked of them."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._env: Any = None
        self._first = 0

    def run(self) -> None:
        """Answer requests until there are no more: raises ``EOFError`` or ``OSError`` then."""
        while True:
            name, asks, arguments = receive(self._incoming)
            try:
                if self._env is not None and hasattr(self._env, "options"):
                    self._env.options = self._options if asks else None
                answer = ("done", getattr(self, name)(*arguments))
            except Gone:
                return
            except Exception as error:
                answer = ("failed", _described(error))
            send(self._outgoing, answer)

    def make(self, maker: str, first: int, count: int, arguments: dict[str, Any]) -> None:
        """Make ``count`` environments, the first of which has the number ``first`` in the run."""
        module, _, name = maker.partition(":")
        self._first = first
        self._env = getattr(import_module(module), name)(first, count, **arguments)

    def reset(self, seed: int) -> Any:
        """Start new episodes: the observation and the legal actions."""
        return self._env.reset(seed), self._env.action_mask

    def step(self, actions: Any) -> Any:
        """Act: the batch, and the legal actions at the observation."""
        batch = self._env.step(actions)
        return {name: getattr(batch, name) for name in batch.__slots__}, self._env.action_mask

    def snapshot(self) -> Any:
        """The state of the environments, None if they do not tell it."""
        return self._env.snapshot() if hasattr(self._env, "snapshot") else None

    def restore(self, state: Any) -> Any:
        """Go on from a state: the observation and the legal actions."""
        return self._env.restore(state), self._env.action_mask

    def watched(self) -> Any:
        """What was watched since the last time, None if nothing is."""
        return self._env.watched() if hasattr(self._env, "watched") else None

    def _options(self, env: int) -> Any:
        """What the run says of the beginning of an episode."""
        try:
            send(self._outgoing, ("options", self._first + env))
            return receive(self._incoming)
        except (EOFError, OSError):
            raise Gone from None


def _described(error: Exception) -> dict[str, Any]:
    """An error in plain data: codes and values of diagnostics, else its text and where its traceback is written."""
    import tempfile
    import traceback

    if isinstance(error, AgentcError):
        plain = [(d.code, {k: v if isinstance(v, int | float | str) else str(v) for k, v in d.values.items()})
                 for d in error.diagnostics]  # fmt: skip
        return {"diagnostics": plain}
    with tempfile.NamedTemporaryFile("w", prefix="agentc-collector-", suffix=".txt", delete=False) as file:
        file.write("".join(traceback.format_exception(error)))
    return {"kind": type(error).__name__, "text": str(error), "file": file.name}
