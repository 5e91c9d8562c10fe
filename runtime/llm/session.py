"""One run under the decoder: which tokens are legal now, what a token does, whose turn it is.

A run is always ended in time: with a limit on tokens, a token is legal only if from what it leaves some way to an
accepted end fits the limit (:mod:`.distances`, :mod:`.costs`). Where there is room for any completion, nothing is
computed for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.decoder.bytes_automaton import DEAD
from agentc.compiler.decoder.dialogue import START, Position
from agentc.compiler.logic.ir import Value
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace, Valuation
from agentc.compiler.writer import PhaseIR
from agentc.runtime.llm.distances import FAR
from agentc.runtime.llm.points import Point, Way, label_length, phase_limit

if TYPE_CHECKING:
    from agentc.runtime.llm.decoder import Decoder

NOTHING = "(nothing)"
"""What stands for an empty result: something that was seen can always be quoted."""


@dataclass(frozen=True)
class Step:
    """A completed phase: its content without label and end, and for a call the tool with its arguments."""

    phase: str
    text: str
    tool: str | None = None
    arguments: Mapping[str, Value] = field(default_factory=dict)


class Session:
    """One run under the decoder.

    At the agent's turn, :meth:`mask` and :meth:`advance` go token by token; at the environment's, :meth:`answer` writes
    the result. ``finished`` is the step that the latest token completed.
    """

    def __init__(
        self, decoder: Decoder, max_tokens: int | None, max_steps: int | None, phase_limits: bool = True
    ) -> None:
        self.decoder = decoder
        self.max_tokens, self.max_steps = max_tokens, max_steps
        self.phase_limits = phase_limits
        """Whether the limits of single phases are kept here, or by who counts the tokens."""
        self.position: Position = START
        self.steps: list[Step] = []
        self.valuations: list[Valuation] = []
        self.tokens = 0
        """How many tokens the agent has written."""
        self.ended = False
        self.finished: Step | None = None
        self.waiting: Step | None = None
        """The finished step that waits for the signals of its step (:meth:`complete`)."""
        self._eos, self._bytes_of = decoder.vocabulary.eos, decoder.vocabulary.bytes_of
        self._allocate()
        self._enter()

    def _allocate(self) -> None:
        """Memory for the mask; the engine writes there, so its address is looked up once."""
        self._bits = np.zeros((self.decoder.vocabulary.size + 31) // 32, np.int32)
        self._at = (self._bits.ctypes.data, self._bits.nbytes)

    # ------------------------------------------------------------ whose turn it is

    @property
    def answering(self) -> tuple[str, ...]:
        """The result phases one of which the environment writes now; empty at the agent's turn."""
        return () if self.waiting else tuple(name for name, _ in self.decoder.game.answers.get(self.position, ()))

    @property
    def accepting(self) -> bool:
        """Whether the run may end here: between two steps, at the agent's turn, with the promises kept."""
        return self._at_boundary and not self.answering and self.decoder.game.accepting(self.position)

    @property
    def must_end(self) -> bool:
        """Whether nothing may follow but the end."""
        return self.accepting and not self._point.ways

    @property
    def ways(self) -> tuple[Way, ...]:
        """The events that may follow at the agent's turn, each with its language."""
        return self._point.ways

    def cost_after(self, way: Way) -> int:
        """The most bytes that the rest of the run needs behind a step, if the agent plays for its end."""
        costs = self.decoder.byte_costs(self._after)
        return max(costs.get(t, FAR) for t in way.after)

    @property
    def _at_boundary(self) -> bool:
        return not self._raw and self.waiting is None

    def _enter(self) -> None:
        """Begin a step at the present position."""
        decoder = self.decoder
        self._inside = 0  # tokens of this step that reach behind the label
        self._raw = bytearray()
        within = None if self.max_steps is None else self.max_steps - len(self.steps)
        self._point, self._matcher = Point((), None), None
        self._ends, self._label, self._after = frozenset[int](), 0, None if within is None else within - 1
        self._writing = not self.answering
        self._here = self._writing and self.accepting
        self._tight_tokens = self._tight_inside = FAR
        if not self._writing:
            return
        self._point = decoder.point(self.position, within, self.seen())
        if self._point.matcher is not None:
            self._matcher = self._point.matcher.deep_copy()
        self._ends, self._label = self._point.ends, self._point.label
        if self.max_tokens is not None:
            self._tight_tokens = self.max_tokens - self._point.slack(decoder.byte_costs(self._after))
        if self.phase_limits:
            self._tight_inside = min((limit - longest for limit, longest in self._point.limits), default=FAR)

    def seen(self) -> dict[str, list[str]]:
        """What was seen so far of each phase that promises quote from."""
        quotable = self.decoder.game.letters.quotable
        return {source: [s.text for s in self.steps if s.phase == source] for source in quotable}

    # ------------------------------------------------------------ tokens

    def mask(self) -> NDArray[np.int32]:
        """The legal tokens as bits, int32 ``(words,)``, the lowest bit first; it belongs to the session.

        The end token is legal exactly where the run may end. Raises ``ValueError`` at the environment's turn.
        """
        if not self._writing:
            self._not_the_agents_turn()
        bits: NDArray[np.int32] = self._bits
        matcher = self._matcher
        if matcher is None:
            bits[:] = 0
        else:
            matcher.unsafe_compute_mask_ptr(*self._at)
            if self.tokens >= self._tight_tokens or self._inside >= self._tight_inside:
                bits &= self._fitting()
        if not self._raw:  # inside of a step the engine never allows the end
            word, bit = self.decoder.eos_bit
            if self._here:
                bits[word] |= bit
            else:
                bits[word] &= ~bit
        return bits

    def legal(self) -> NDArray[np.bool_]:
        """The legal tokens, bool ``(vocabulary,)``."""
        bits = np.unpackbits(self.mask().view(np.uint8), bitorder="little")
        return bits[: self.decoder.vocabulary.size].astype(np.bool_)

    def forced(self) -> list[int]:
        """Tokens that have no alternative, in order; empty where there is a choice."""
        if self._matcher is None or self.answering or self.accepting or self._tight():
            return []
        return list(self._matcher.compute_ff_tokens())

    def advance(self, token: int) -> Step | None:
        """Write a token; the step that it finishes, if it does.

        Raises ``ValueError`` for a token that is not legal.
        """
        if not self._writing:
            self._not_the_agents_turn()
        self.finished = None
        if token == self._eos:
            if not self.accepting:
                raise ValueError("the run cannot end here")
            self.ended, self._writing = True, False
            return None
        matcher, raw = self._matcher, self._raw
        if matcher is None or not matcher.consume_token(token):
            raise ValueError(f"token {token} is not legal here")
        raw += (data := self._bytes_of[token])
        self.tokens += 1
        if len(raw) > self._label:
            self._inside += 1
        if data[-1] in self._ends and matcher.is_accepting():
            self.finished = self.waiting = self.decoder.read(raw.decode())
            self._writing = False
            if not self.decoder.environment:
                self.complete({})
        return self.finished

    def complete(self, signals: Mapping[str, Value]) -> None:
        """Say what the environment's signals are at the step that was finished.

        Needed only where the promises read such signals (``Decoder.environment``).
        """
        assert self.waiting is not None, "no step waits for its signals"
        step, self.waiting = self.waiting, None
        self._take(step, signals)

    def observe(self, signals: Mapping[str, Value]) -> None:
        """Add the environment's signals to the latest step, where the promises do not read them."""
        self.valuations[-1] = {**self.valuations[-1], **signals}

    def options(self) -> list[list[int]]:
        """A finite choice that is open here, each option as its tokens; empty where there is none.

        At the beginning of a step: the phases and tools that may follow, each up to where it is no longer forced, and
        the end of the run. Inside of a step: the texts to where its words come together again (the members of an enum,
        a short range of numbers), at most ``MAX_OPTIONS``. Empty where the limits are near.
        """
        if self._matcher is None or not self._writing or self._tight():
            return []
        if self._at_boundary:
            texts = tuple(dict.fromkeys(way.begins for way in self._point.ways))
        else:
            texts = self._inside_options()
        found = [self.decoder.vocabulary.spell_bytes(t) for t in texts if t]
        if self.accepting:
            found.append([self._eos])
        return found if len(found) > 1 else []

    def _inside_options(self) -> tuple[bytes, ...]:
        raw = bytes(self._raw)
        alive = [way for way in self._point.ways if way.may_begin(raw)]
        if not all(way.regular for way in alive):
            return ()
        return self.decoder.finite_choice(tuple(way.language for way in alive), raw)

    def answer(self, text: str, signals: Mapping[str, Value] | None = None, phase: str | None = None) -> Step:
        """Write the result that is due; an empty one is written as ``(nothing)``."""
        due = self.answering
        if not due or (phase is not None and phase not in due):
            raise ValueError(f"no result{'' if phase is None else ' ' + phase} is due")
        step = Step(phase or due[0], text or NOTHING)
        self._take(step, signals or {})
        return step

    def _take(self, step: Step, signals: Mapping[str, Value]) -> None:
        decoder = self.decoder
        self.steps.append(step)
        self.valuations.append(decoder.valuation(step, signals))
        trace = Trace(self.valuations) if decoder.atoms else None
        t = len(self.steps) - 1
        truth = {a: evaluate(meant, trace, t) for a, meant in decoder.atoms} if trace is not None else {}
        self.position = decoder.game.advance(self.position, step.phase, step.tool, truth)
        assert decoder.game.won(self.position), "a legal step leads to a won position"
        self._enter()

    @staticmethod
    def _not_the_agents_turn() -> NoReturn:
        raise ValueError("it is not the agent's turn to write")

    def fork(self) -> Session:
        """A copy that goes its own way from here."""
        other = object.__new__(Session)
        other.__dict__.update(self.__dict__)
        other.steps, other.valuations = list(self.steps), list(self.valuations)
        other._raw = bytearray(self._raw)
        other._matcher = None if self._matcher is None else self._matcher.deep_copy()
        other._allocate()
        return other

    # ------------------------------------------------------------ the budget

    def _phase_room(self, phase: PhaseIR) -> int | None:
        """How many tokens of the phase's own limit are left; tokens of the label do not count."""
        limit = phase_limit(phase)
        return None if limit is None else limit - self._inside

    def _tight(self) -> bool:
        """Whether some completion might not fit the limits any more."""
        return self.tokens >= self._tight_tokens or self._inside >= self._tight_inside

    def _fitting(self) -> NDArray[np.int32]:
        """The tokens after which a completion fits the limits, as bits.

        Near a limit, ways that are too large are not gone. Raises ``AgentcError`` (AS1403) if there are no others.
        """
        found = np.zeros(len(self._bits), np.int32)
        too_large = None
        for way in self._point.ways:
            if way.small is None:
                too_large = way
                continue
            state = way.small.run(bytes(self._raw))
            if state == DEAD:
                continue
            left = FAR
            if self.max_tokens is not None:
                costs = self.decoder.token_costs(self._after)
                left = self.max_tokens - self.tokens - 1 - max(costs.get(t, FAR) for t in way.after)
            inside = self._phase_room(way.phase)
            label = max(label_length(way.phase) - len(self._raw), 0)
            found |= self.decoder.fitting(way.small, state, left, inside, label)
        if too_large is not None and not found.any():
            assert too_large.automaton is None, "it raises"
        return found


def run_random(session: Session, randomness: np.random.Generator, result: Any = None) -> Session:
    """Write random legal tokens until the run ends; ``result(session)`` gives the text of each result."""
    while not session.ended:
        if session.answering:
            session.answer("" if result is None else result(session))
            continue
        legal = np.flatnonzero(session.legal())
        session.advance(int(randomness.choice(legal)))
    return session
