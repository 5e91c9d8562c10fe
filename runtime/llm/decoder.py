"""The token decoder: which tokens may follow, so that whatever is emitted keeps the agent's promises.

At every position of the dialogue (:mod:`agentc.compiler.decoder.dialogue`) the legal moves are one regular language:
label, content and end of a step together, so that a token may cross from a label into content. A grammar engine
computes the masks of that language; what is ours is which language it is, the budget, and what is true of a step.

A run is always ended in time: with a limit on tokens, a token is legal only if from what it leaves some way to an
accepted end fits the limit (:mod:`.distances`, :mod:`.costs`). Where there is room for any completion, nothing is
computed for that.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import AgentIR
from agentc.compiler.decoder import contents
from agentc.compiler.decoder.bytes_automaton import DEAD, ByteAutomaton, byte_automaton
from agentc.compiler.decoder.dialogue import START, Dialogue, Move, Position, dialogue, findings
from agentc.compiler.decoder.events import Choice
from agentc.compiler.decoder.regular import Language, alt, any_char, both, complement, terminal
from agentc.compiler.logic.ir import Formula, Value, prop
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace, Valuation
from agentc.compiler.writer import PhaseIR
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.llm.costs import CostsToEnd
from agentc.runtime.llm.distances import FAR, Distances
from agentc.runtime.llm.valuation import unwritten
from agentc.runtime.llm.vocabulary import Vocabulary

if TYPE_CHECKING:
    from llguidance import LLMatcher

NOTHING = "(nothing)"
"""What stands for an empty result: something that was seen can always be quoted."""


FITS_KEPT = 4096
"""How many masks of what fits a limit are kept."""


@dataclass(frozen=True)
class Step:
    """A completed phase: its content without label and end, and for a call the tool with its arguments."""

    phase: str
    text: str
    tool: str | None = None
    arguments: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Way:
    """One event that may follow: its legal moves to the same positions, as one language."""

    phase: PhaseIR
    language: Language
    after: tuple[Position, ...]

    @cached_property
    def automaton(self) -> ByteAutomaton:
        return byte_automaton(self.language)


@dataclass(frozen=True, eq=False)
class _Point:
    """What may follow at a position: the ways, and the engine's matcher at the start of their union."""

    ways: tuple[_Way, ...]
    matcher: LLMatcher | None

    @cached_property
    def limits(self) -> tuple[tuple[int, int], ...]:
        """For each phase with a limit of its own, the limit, and the most bytes that a completion may take."""
        found: dict[int, int] = {}
        for way in self.ways:
            limit = phase_limit(way.phase)
            if limit is not None:
                found[limit] = max(found.get(limit, 0), _longest(way.automaton))
        return tuple(found.items())

    @cached_property
    def ends(self) -> frozenset[int]:
        """The last bytes of the texts that end a step."""
        return frozenset(contents.ending(w.phase).encode()[-1] for w in self.ways)

    @cached_property
    def label(self) -> int:
        """The bytes of the shortest label."""
        return min((_label_length(w.phase) for w in self.ways), default=0)

    def slack(self, costs: Mapping[Position, int]) -> int:
        """The most tokens that an end of the run may take from here, whatever is written in this step."""
        return max((_longest(w.automaton) + max(costs.get(t, FAR) for t in w.after) for w in self.ways), default=0)


def engine_matcher(vocabulary: Vocabulary, grammar: str) -> LLMatcher:
    """The grammar engine at the start of a Lark grammar. Raises ``AgentcError`` (AS1409) if it does not take it."""
    from llguidance import LLMatcher

    matcher = LLMatcher(vocabulary.engine, LLMatcher.grammar_from_lark(grammar), log_level=0)
    if matcher.is_error():
        raise AgentcError([report("AS1409", None, reason=matcher.get_error().splitlines()[0])])
    return matcher


class Decoder:
    """The decoder of one agent over one vocabulary; sessions of it share everything that is computed once.

    Raises ``AgentcError`` (AS1405 where some reply leaves the agent no way to keep its promises, AS1407 for a limit
    that is too small for its phase, AS1408 for a literal that the tokenizer cannot spell, AS1409 for content that the
    grammar engine does not take).
    """

    def __init__(self, agent: AgentIR, vocabulary: Vocabulary, game: Dialogue | None = None) -> None:
        if agent.writer is None:
            raise AgentcError([report("AS1410", None, agent=agent.name)])
        self.agent, self.vocabulary = agent, vocabulary
        self.game = game if game is not None else dialogue(agent)
        if not self.game.won(START):
            none = report("AS1405", None, story="at the start", why="no run keeps the promises")
            raise AgentcError(findings(agent, self.game) or [none])
        self.writer = agent.writer
        self.distances = Distances(vocabulary)
        named = self.game.letters.named
        names = {prop(p.name) for p in self.writer.phases} | {prop(t.name) for t in self.writer.tools}
        self.atoms: tuple[tuple[Formula, Formula], ...] = tuple(
            (a, named.get(a, a)) for a in self.game.automaton.atoms if a not in names
        )
        """The atoms that a finished step has to be asked about: as the automaton has them, and as they are meant."""
        self.environment = bool(self.game.letters.environment)
        """Whether the promises read signals of the environment, which each step has to be completed with."""
        self._points: dict[tuple[object, ...], _Point] = {}
        self._fits: dict[tuple[int, int, int, int | None, int], NDArray[np.int32]] = {}
        self._costs_of: dict[str, CostsToEnd] = {}
        self.fill: Callable[[Any, Any, int], None] = importlib.import_module("llguidance.numpy").fill_next_token_bitmask
        eos = vocabulary.eos
        self.eos_bit = (eos >> 5, np.array(1 << (eos & 31), np.uint32).view(np.int32)[()])
        """The word of a mask that holds the end token, and its bit there."""
        self._costs_to_end: dict[tuple[str, int | None], Mapping[Position, int]] = {}
        self._blank = unwritten(agent)

    def start(self, max_tokens: int | None = None, max_steps: int | None = None) -> Session:
        """A new run. ``max_tokens`` limits what the agent writes, ``max_steps`` the phases, results included.

        Raises ``AgentcError`` (AS1407) if no run fits the limits.
        """
        rank = self.game.rank[START]
        if max_steps is not None and max_steps < rank:
            raise AgentcError([report("AS1407", None, limit=f"{max_steps} steps", least=f"{rank} steps")])
        if max_tokens is not None:
            least = self.byte_costs(max_steps).get(START, FAR)
            if least > max_tokens:  # only then is it worth knowing exactly
                least = self.token_costs(max_steps).get(START, FAR)
            if least > max_tokens:
                raise AgentcError([report("AS1407", None, limit=f"{max_tokens} tokens", least=f"{least} tokens")])
        return Session(self, max_tokens, max_steps)

    # ------------------------------------------------------------ languages

    def _content(self, choice: Choice, seen: Mapping[str, Sequence[str]] | None) -> Language:
        """The step of a choice; without ``seen`` a quoted value is any one character."""
        phase = self.writer.phase(choice.phase)
        assert choice.values is not None
        values = list(choice.values)
        for at, source, wanted in choice.quotes:
            if seen is None:
                values[at] = both(values[at], any_char()) if wanted else values[at]
            else:
                quoted = contents.seen_values(seen.get(source, ()))
                values[at] = both(values[at], quoted if wanted else complement(quoted))
        if choice.tool is not None:
            return contents.step(phase, contents.call(self.writer.tool(choice.tool), values))
        return contents.step(phase, values[0])

    def point(self, position: Position, within: int | None, seen: Mapping[str, Sequence[str]]) -> _Point:
        """What may follow at a position of the agent with ``within`` steps left."""
        moves = self.game.legal(position, within)
        quotes = any(m.choice.quotes for m in moves)
        key = (
            tuple((id(m.choice), m.targets) for m in moves),
            tuple((k, tuple(v)) for k, v in seen.items()) if quotes else None,
        )
        made = self._points.get(key)
        if made is None:
            made = self._points[key] = self._make_point(moves, seen)
        return made

    def _make_point(self, moves: Sequence[Move], seen: Mapping[str, Sequence[str]]) -> _Point:
        ways: list[_Way] = []
        by_event: dict[tuple[str, str | None], list[Move]] = {}
        for move in moves:
            by_event.setdefault((move.choice.phase, move.choice.tool), []).append(move)
        written: list[Language] = []
        for (phase, tool), found in by_event.items():
            first = len(ways)
            event = next(e for e in self.game.letters.events if (e.phase, e.tool) == (phase, tool))
            by_targets: dict[tuple[Position, ...], list[Move]] = {}
            for move in found:
                by_targets.setdefault(move.targets, []).append(move)
            everything = len(found) == len(event.choices)  # then nothing restricts the values
            for after, alike in by_targets.items():
                if everything and len(by_targets) == 1:
                    language = self._whole(phase, tool)
                else:
                    language = alt(*(self._content(m.choice, seen) for m in alike))
                ways.append(_Way(self.writer.phase(phase), language, after))
            written.append(self._whole(phase, tool) if everything else alt(*(w.language for w in ways[first:])))
        return _Point(tuple(ways), self._matcher(written))

    def _whole(self, phase: str, tool: str | None) -> Language:
        if tool is not None:
            declared = self.writer.tool(tool)
            values = [contents.values(a) for a in declared.arguments]
            return contents.step(self.writer.phase(phase), contents.call(declared, values))
        event = next(e for e in self.game.letters.events if (e.phase, e.tool) == (phase, tool))
        languages = [c.values[0] for c in event.choices if c.values is not None]
        return contents.step(self.writer.phase(phase), alt(*languages))

    def _matcher(self, languages: Sequence[Language]) -> LLMatcher | None:
        if not languages:
            return None
        return engine_matcher(self.vocabulary, f"start: STEP\nSTEP: {terminal(alt(*languages))}\n")

    # ------------------------------------------------------------ what it costs to end

    def byte_costs(self, within: int | None = None) -> Mapping[Position, int]:
        """An upper bound of the tokens to an end in ``within`` steps, as if each token were one byte."""

        def cost(move: Move) -> int:
            word = byte_automaton(self._content(move.choice, None)).shortest()
            quoted = sum(3 for _, _, wanted in move.choice.quotes if wanted)  # a character has up to four bytes
            return (FAR if word is None else len(word)) + quoted

        return self._costs("bytes", cost, within)

    def token_costs(self, within: int | None = None) -> Mapping[Position, int]:
        """The tokens to an end in ``within`` steps, if the agent plays for that alone."""

        def cost(move: Move) -> int:
            automaton = byte_automaton(self._content(move.choice, None))
            least = int(self.distances.of(automaton)[0]) if automaton.size else FAR
            return least + sum(3 for _, _, wanted in move.choice.quotes if wanted)

        return self._costs("tokens", cost, within)

    def _costs(self, unit: str, cost: Callable[[Move], int], within: int | None) -> Mapping[Position, int]:
        key = (unit, within)
        made = self._costs_to_end.get(key)
        if made is None:
            if unit not in self._costs_of:
                self._costs_of[unit] = CostsToEnd(self.game, cost)
            made = self._costs_to_end[key] = self._costs_of[unit].within(within)
        return made

    def fitting(
        self, automaton: ByteAutomaton, state: int, left: int, inside: int | None, label: int
    ) -> NDArray[np.int32]:
        """The tokens from a state after which at most ``left`` more tokens end the step, as bits.

        ``inside`` limits, if given, the token with all after it but for one that ends within ``label`` bytes.
        """
        key = (id(automaton), state, left, inside, label)
        made = self._fits.get(key)
        if made is None:
            vocabulary = self.vocabulary
            after = vocabulary.advance(automaton, state)
            distance = self.distances.of(automaton)
            needed = np.where(after == DEAD, FAR, distance[after])
            fits = needed <= min(left, FAR - 1)
            if inside is not None:
                fits &= needed + (vocabulary.lengths > label) <= inside
            packed = np.zeros((vocabulary.size + 31) // 32 * 4, np.uint8)
            bits = np.packbits(fits, bitorder="little")
            packed[: len(bits)] = bits
            made = self._fits[key] = packed.view(np.int32)
            if len(self._fits) > FITS_KEPT:
                del self._fits[next(iter(self._fits))]
        return made

    # ------------------------------------------------------------ finished steps

    def read(self, raw: str) -> Step:
        """A finished step from its text, label and end included. Raises ``ValueError`` for what is none."""
        for phase in self.writer.phases:
            if phase.answers is not None or not raw.startswith(contents.label(phase.name)):
                continue
            end = contents.ending(phase)
            if not raw.endswith(end):
                continue
            inside = raw[len(contents.label(phase.name)) : len(raw) - len(end)]
            if not phase.tools:
                return Step(phase.name, inside)
            name, _, body = inside.partition(" ")
            if name in phase.tools:
                given = json.loads(body)
                kinds = {a.name: a.kind for a in self.writer.tool(name).arguments}
                read = {k: float(v) if kinds[k] == "real" else v for k, v in given.items()}
                return Step(phase.name, inside, name, read)
        raise ValueError(f"no phase is written like {raw!r}")

    def valuation(self, step: Step, signals: Mapping[str, Value]) -> dict[str, Value]:
        """Every signal at a step: its phase and tool are true, its text and arguments have values, no others do."""
        found = {**self._blank, **signals, step.phase: True, f"{step.phase}.text": step.text}
        if step.tool is not None:
            found[step.tool] = True
            found.update({f"{step.tool}.{k}": v for k, v in step.arguments.items()})
        return found


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
        self._mask = np.zeros((1, (decoder.vocabulary.size + 31) // 32), np.int32)
        self._bits = self._mask[0]
        self._eos, self._bytes_of, self._fill = decoder.vocabulary.eos, decoder.vocabulary.bytes_of, decoder.fill
        self._enter()

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
    def ways(self) -> tuple[_Way, ...]:
        """The events that may follow at the agent's turn, each with its language."""
        return self._point.ways

    def cost_after(self, way: _Way) -> int:
        """The most bytes that the rest of the run needs behind a step, if the agent plays for its end."""
        costs = self.decoder.byte_costs(self._after)
        return max(costs.get(t, FAR) for t in way.after)

    @property
    def _at_boundary(self) -> bool:
        return not self._written and self.waiting is None

    def _enter(self) -> None:
        """Begin a step at the present position."""
        decoder = self.decoder
        self._written = 0  # tokens of this step
        self._inside = 0  # of those, tokens that reach behind the label
        self._raw = bytearray()
        within = None if self.max_steps is None else self.max_steps - len(self.steps)
        self._point, self._matcher = _Point((), None), None
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
        if self._matcher is None:
            bits[:] = 0
        else:
            self._fill(self._matcher, self._mask, 0)
            if self.tokens >= self._tight_tokens or self._inside >= self._tight_inside:
                bits &= self._fitting()
        if not self._written:  # inside of a step the engine never allows the end
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
        if self._matcher is None or not self._matcher.consume_token(token):
            raise ValueError(f"token {token} is not legal here")
        data = self._bytes_of[token]
        self.tokens += 1
        self._written += 1
        self._raw += data
        self._inside += len(self._raw) > self._label
        if data[-1] in self._ends and self._matcher.is_accepting():
            self.finished = self.waiting = self.decoder.read(self._raw.decode())
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
        """The ways to begin the next step, each as the tokens up to where it is no longer forced.

        Empty where there is one way only, inside of a step, and where the limits are near.
        """
        if not self._at_boundary or self.accepting or self._tight() or self._matcher is None:
            return []
        texts: dict[str, None] = {}
        for way in self._point.ways:
            data = way.automaton.forced()
            text = data.decode("utf-8", errors="ignore")
            if text:
                texts[text] = None
        found = [self.decoder.vocabulary.spell(t) for t in texts]
        return found if len(found) > 1 else []

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
        other._mask = self._mask.copy()
        other._bits = other._mask[0]
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
        """The tokens after which a completion fits the limits, as bits."""
        found = np.zeros(len(self._bits), np.int32)
        for way in self._point.ways:
            state = way.automaton.run(bytes(self._raw))
            if state == DEAD:
                continue
            left = FAR
            if self.max_tokens is not None:
                costs = self.decoder.token_costs(self._after)
                left = self.max_tokens - self.tokens - 1 - max(costs.get(t, FAR) for t in way.after)
            inside = self._phase_room(way.phase)
            label = max(_label_length(way.phase) - len(self._raw), 0)
            found |= self.decoder.fitting(way.automaton, state, left, inside, label)
        return found


def phase_limit(phase: PhaseIR) -> int | None:
    """The most tokens behind the label of a phase; None if it has no limit."""
    return min((g.max_tokens for g in phase.generators if g.max_tokens is not None), default=None)


def _label_length(phase: PhaseIR) -> int:
    return len(contents.label(phase.name).encode())


def _longest(automaton: ByteAutomaton) -> int:
    """The most bytes that a shortest completion needs from any state."""
    made = _longest_memo.get(id(automaton))
    if made is None or made[0] is not automaton:
        distance = np.where(automaton.accepting, 0, FAR)
        while True:
            targets = np.where(automaton.next == DEAD, FAR, distance[automaton.next])
            nearer = np.minimum(distance, targets.min(axis=1, initial=FAR) + 1)
            if (nearer == distance).all():
                break
            distance = nearer
        made = _longest_memo[id(automaton)] = (automaton, int(distance.max(initial=0)))
    return made[1]


_longest_memo: dict[int, tuple[ByteAutomaton, int]] = {}


def run_random(session: Session, randomness: np.random.Generator, result: Any = None) -> Session:
    """Write random legal tokens until the run ends; ``result(session)`` gives the text of each result."""
    while not session.ended:
        if session.answering:
            session.answer("" if result is None else result(session))
            continue
        legal = np.flatnonzero(session.legal())
        session.advance(int(randomness.choice(legal)))
    return session
