"""Steps written by a model behind a server: its grammar goes with each request, and what comes back is checked.

The next step is one language (:mod:`.decoder`); its byte automaton is sent as a grammar from where the text stands
(:mod:`agentc.compiler.decoder.gbnf`), so a server that takes grammars can write nothing else. What it writes is read
byte by byte all the same. Of a reply that breaks off the language the part before the first bad place is kept, and the
server is asked again, told what may follow: at most ``TRIES`` times for one step. Then, or where the server takes no
grammar at all, the promise is ``checked`` and no longer ``by construction``: nothing that breaks it is ever taken for a
step, or called, but the run may fail where the server does not comply.

Budgets: the tokens of a server's vocabulary are not known here. Each request is limited to the tokens that are left
after what a completion takes at most, in bytes; where none are left, the grammar has the shortest completions alone. A
token has at least one byte, so the run ends within its limits. Tokens are those that the server counts, bytes where it
counts none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentc.compiler.decoder import contents
from agentc.compiler.decoder.bytes_automaton import DEAD, ByteAutomaton, TooLargeError, byte_automaton
from agentc.compiler.decoder.gbnf import gbnf
from agentc.compiler.decoder.regular import alt
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.llm.decoder import Decoder, Session, Step, phase_limit
from agentc.runtime.llm.served import Message, Reply, ServedModel
from agentc.runtime.llm.settings import RunSettings

TRIES = 6
"""How often one step is asked for again after a reply that goes wrong."""
_ENOUGH = 1 << 20


class ServedWriter:
    """Writes the steps of one run by requests to a server; see :class:`.step_writer.StepWriter`."""

    def __init__(self, model: ServedModel, settings: RunSettings, say: Callable[..., None]) -> None:
        if settings.exact or settings.resample > 1:
            raise AgentcError([report("AS1476", None, name=model.name)])
        self._model, self._settings, self._say = model, settings, say
        self._messages: list[Message] = []
        self._text = ""
        self.tokens = self.forced = self.passes = self.drawn = 0
        self.promise = "by construction" if model.constrained else "checked"

    def start(self, decoder: Decoder) -> Session:
        """The session; its tokens are bytes, and it leaves the limits to the writer."""
        decoder.start(self._settings.max_tokens, self._settings.max_steps)
        return Session(decoder, None, self._settings.max_steps, phase_limits=False)

    def begin(self, system: str, user: str) -> None:
        """The conversation up to where the agent begins."""
        self._messages = [{"role": "system", "content": system}] if system else []
        self._messages.append({"role": "user", "content": user})

    def read(self, text: str) -> None:
        """What the environment has written."""
        self._text += text

    def write(self, session: Session, show: Callable[[str], None]) -> Step | None:
        """Write one step, in one request or several."""
        if session.must_end:
            session.advance(session.decoder.vocabulary.eos)
            return None
        made = _Piece(self, session, show).write()
        if made is None:
            session.advance(session.decoder.vocabulary.eos)
            return None
        self._text += made.decode()
        step: Step | None = None
        for byte in made:
            step = session.advance(byte)
        assert step is not None, "the automaton and the session agree on where a step ends"
        return step

    def ask(
        self, grammar: str, written: str, hint: str, max_tokens: int | None, go_on: Callable[[str], bool], again: int
    ) -> Reply:
        """One request behind what was written so far."""
        self.passes += 1
        messages = list(self._messages)
        if self._text or written:
            messages.append({"role": "assistant", "content": self._text + written})
        if hint:
            messages.append({"role": "user", "content": hint})
        seed = self._settings.seed + again
        return self._model.complete(messages, grammar, max_tokens, self._settings.temperature, seed, go_on)

    @property
    def limit(self) -> int:
        """The most tokens of the run."""
        return _ENOUGH if self._settings.max_tokens is None else self._settings.max_tokens

    def warn(self, reason: str, reply: str) -> None:
        """A reply went wrong: from now on promises are checked."""
        self.promise = "checked"
        self._say("cut", reason=reason, reply=reply[-400:])


class _Piece:
    """One step on its way."""

    def __init__(self, writer: ServedWriter, session: Session, show: Callable[[str], None]) -> None:
        self._writer, self._session, self._show = writer, session, show
        self._ways = session.ways
        self._automaton = self._of(self._ways)
        self._raw = b""
        self._state = 0
        self._spent = 0
        """Tokens of this step."""

    def _of(self, ways: Any) -> ByteAutomaton:
        phases = ", ".join(dict.fromkeys(w.phase.name for w in ways))
        if not all(w.regular for w in ways):
            raise AgentcError([report("AS1475", None, phases=phases, reason="it is not regular")])
        try:
            return byte_automaton(alt(*(w.language for w in ways)))
        except TooLargeError as error:
            reason = f"it takes more than {error.limit} states"
            raise AgentcError([report("AS1475", None, phases=phases, reason=reason)]) from None

    def write(self) -> bytes | None:
        """The bytes of the step; None if the run ends here instead."""
        if self._writer._model.constrained:  # others would not know how to go on from the middle
            self._take(self._automaton.forced())
            self._writer.forced += len(self._raw)
        wrong = 0
        while not self._finished:
            before = len(self._raw)
            reply, why = self._request(wrong)
            if why is None and reply.text == "" and self._may_end:
                return None
            if why is not None:
                wrong += 1
                self._writer.warn(why, reply.text)
                if wrong > TRIES and len(self._raw) == before:
                    if self._may_end:
                        return None
                    url, said = self._writer._model.url, reply.text[:60]
                    raise AgentcError([report("AS1477", None, url=url, tries=TRIES, reply=said, forms=self._forms())])
        return self._raw

    @property
    def _finished(self) -> bool:
        return bool(self._automaton.accepting[self._state])

    @property
    def _may_end(self) -> bool:
        return self._session.accepting and not self._raw

    def _take(self, data: bytes) -> None:
        self._raw += data
        self._state = self._automaton.run(data, self._state)
        if data:
            self._show(data.decode(errors="replace"))

    # ------------------------------------------------------------ requests

    def _request(self, wrong: int) -> tuple[Reply, str | None]:
        """One request, its valid part taken; and what went wrong with the rest."""
        room = self._room()
        automaton, state = self._automaton, self._state
        shortest = room < 1
        if shortest:
            automaton = self._of(self._fitting())
            state = automaton.run(self._raw)
            room = int(automaton.remaining[state]) + 1
        constrained = self._writer._model.constrained
        readings = [_Reading(automaton, state)]
        if not constrained and (self._raw or wrong):
            readings.append(_Reading(self._automaton, 0))  # the whole step again
        go_on = readings[0] if constrained else lambda piece: any([r(piece) and not r.finished for r in readings])
        reply = self._writer.ask(
            gbnf(automaton, state, self._may_end, shortest), self._raw.decode(errors="ignore"),
            self._hint() if wrong or not constrained else "", None if room >= _ENOUGH else room, go_on, wrong,
        )  # fmt: skip
        reading = readings[0]
        if len(readings) > 1 and len(readings[1].taken) > len(self._raw) + len(reading.taken):
            reading, self._raw, self._state = readings[1], b"", 0
        taken = bytes(reading.taken)
        spent = len(taken) if reply.tokens is None else reply.tokens
        self._writer.tokens += spent
        self._spent += spent
        self._take(taken)
        if reading.bad is not None and (constrained or not self._finished):
            return reply, f"{reading.bad!r} cannot follow"
        if self._finished or (reply.text == "" and self._may_end) or (taken and reply.finish == "length"):
            return reply, None
        return reply, "it stops inside of a step"

    def _hint(self) -> str:
        """What may follow, for a server that was not told by a grammar."""
        asked = f"Go on behind {self._raw.decode(errors='ignore')!r}, nothing else." if self._raw else "One step only."
        return f"{asked} It has one of these forms: {self._forms()}"

    def _forms(self) -> str:
        """A shortest word of each way on."""
        words = [a.shortest() for a in map(self._of, ([w] for w in self._ways)) if a.run(self._raw) != DEAD]
        return "; ".join(dict.fromkeys(word.decode().strip() for word in words if word is not None))

    # ------------------------------------------------------------ the budget

    def _room(self) -> int:
        """The tokens that can be written before only shortest completions fit."""
        found = _ENOUGH
        limit = self._writer.limit
        for way in self._ways:
            if self._of([way]).run(self._raw) == DEAD:
                continue
            longest = int(self._of([way]).remaining.max())
            found = min(found, limit - self._writer.tokens - longest - self._session.cost_after(way))
            most = phase_limit(way.phase)
            if most is not None:
                found = min(found, most - self._spent - longest)
        return found

    def _fitting(self) -> list[Any]:
        """The ways of which a shortest completion fits the limits; all that are left, if the server overran them."""
        limit = self._writer.limit
        found, alive = [], []
        for way in self._ways:
            state = self._of([way]).run(self._raw)
            if state == DEAD:
                continue
            alive.append(way)
            needed = int(self._of([way]).remaining[state])
            label = max(len(contents.label(way.phase.name).encode()) - len(self._raw), 0)
            most = phase_limit(way.phase)
            if self._writer.tokens + needed + self._session.cost_after(way) <= limit and (
                most is None or self._spent + needed - label <= most
            ):
                found.append(way)
        return found or alive


class _Reading:
    """A text read piece by piece by an automaton, up to its first bad character."""

    def __init__(self, automaton: ByteAutomaton, state: int) -> None:
        self._automaton, self._state = automaton, state
        self.taken = bytearray()
        self.bad: str | None = None

    @property
    def finished(self) -> bool:
        """Whether it is a whole step."""
        return bool(self._automaton.accepting[self._state])

    def __call__(self, piece: str) -> bool:
        """Read on; whether all of it could follow."""
        for character in piece if self.bad is None else "":
            data = character.encode(errors="replace")
            state = DEAD if self.finished else self._automaton.run(data, self._state)
            if state == DEAD:
                if not self.taken and character.isspace():  # blanks in front of a reply mean nothing
                    continue
                self.bad = character
                break
            self._state = state
            self.taken += data
        return self.bad is None
