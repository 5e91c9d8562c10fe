"""What may follow at a position of a dialogue: the ways of writing the next step, and the engine's matcher of them.

The ways are one grammar: label, content and end of a step together, so that a token may cross from a label into
content. What is regular is one terminal, as a grammar of several is lexed greedily and is not exact; around content
that is not, what stands before and behind it are terminals of their own, which no other text of the step begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from agentc.compiler.decoder import contents
from agentc.compiler.decoder.bytes_automaton import DEAD, ByteAutomaton, TooLargeError, byte_automaton
from agentc.compiler.decoder.context_free import Content, ContextFree
from agentc.compiler.decoder.dialogue import Position
from agentc.compiler.decoder.regular import Language, alt, terminal
from agentc.compiler.writer import PhaseIR
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.llm.distances import FAR
from agentc.runtime.llm.vocabulary import Vocabulary

if TYPE_CHECKING:
    from llguidance import LLMatcher


QUOTED_STATES = 100_000
"""The most states of what may be written in a step: a quotation of a long text has one for each place and length."""


@dataclass(frozen=True, eq=False)
class Way:
    """One event that may follow: its legal moves to the same positions, as one content."""

    phase: PhaseIR
    parts: tuple[Content, ...]
    after: tuple[Position, ...]

    @property
    def regular(self) -> bool:
        """Whether it is one language."""
        return len(self.parts) == 1

    @cached_property
    def language(self) -> Language:
        """Its language. Raises ``ValueError`` if it is not regular."""
        (language,) = self.parts
        assert isinstance(language, Language)
        return language

    @cached_property
    def automaton(self) -> ByteAutomaton:
        """The automaton of its language.

        Raises ``ValueError`` if it is not regular, ``AgentcError`` (AS1403) if it is too large: a quotation from a long
        text takes a state for each place in it and each length.
        """
        try:
            return byte_automaton(self.language, QUOTED_STATES)
        except TooLargeError as error:
            wrong = report("AS1403", self.phase.span, phase=self.phase.name, limit=error.limit)
            raise AgentcError([wrong]) from None

    @cached_property
    def small(self) -> ByteAutomaton | None:
        """The automaton; None if it is too large."""
        try:
            return self.automaton
        except AgentcError:
            return None

    @cached_property
    def _first(self) -> ByteAutomaton:
        first = self.parts[0]
        assert isinstance(first, Language)
        return byte_automaton(first, QUOTED_STATES)

    @cached_property
    def begins(self) -> bytes:
        """What it has to begin with."""
        return self._first.forced()

    def may_begin(self, raw: bytes) -> bool:
        """Whether it may begin like that, as far as it is regular up to there."""
        return self._first.run(raw) != DEAD


@dataclass(frozen=True, eq=False)
class Point:
    """What may follow at a position: the ways, and the engine's matcher at the start of their union."""

    ways: tuple[Way, ...]
    matcher: LLMatcher | None

    @cached_property
    def limits(self) -> tuple[tuple[int, int], ...]:
        """For each phase with a limit of its own, the limit, and the most bytes that a completion may take."""
        found: dict[int, int] = {}
        for way in self.ways:
            limit = phase_limit(way.phase)
            if limit is not None and way.regular and way.small is not None:
                found[limit] = max(found.get(limit, 0), longest(way.small))
        return tuple(found.items())

    @cached_property
    def ends(self) -> frozenset[int]:
        """The last bytes of the texts that end a step."""
        return frozenset(contents.ending(w.phase).encode()[-1] for w in self.ways)

    @cached_property
    def label(self) -> int:
        """The bytes of the shortest label."""
        return min((label_length(w.phase) for w in self.ways), default=0)

    def slack(self, costs: Mapping[Position, int]) -> int:
        """The most tokens that an end of the run may take from here, whatever is written in this step.

        Ways that are too large are left out: near the limit they are not gone (:meth:`.Session.mask`).
        """
        known = [(w.small, max(costs.get(t, FAR) for t in w.after)) for w in self.ways]
        return max((longest(small) + after for small, after in known if small is not None), default=0)


def engine_grammar(written: Sequence[tuple[Content, ...]]) -> str:
    """The grammar of steps for the engine: ``STEP`` is all that is regular."""
    regular = [parts[0] for parts in written if len(parts) == 1 and isinstance(parts[0], Language)]
    starts = ["STEP"] if regular else []
    rules = [f"STEP: {terminal(alt(*regular))}\n"] if regular else []
    named: dict[Language, str] = {}
    for parts in written:
        if len(parts) == 1:
            continue
        line = []
        for part in parts:
            if isinstance(part, ContextFree):
                line.append(part.start)
                rules.append(part.rules)
            else:
                line.append(named.setdefault(part, f"PART{len(named)}"))
        starts.append(" ".join(line))
    rules += [f"{name}: {terminal(of)}\n" for of, name in named.items()]
    return "".join([f"start: {' | '.join(starts)}\n", *dict.fromkeys(rules)])


def engine_matcher(vocabulary: Vocabulary, grammar: str) -> LLMatcher:
    """The grammar engine at the start of a Lark grammar. Raises ``AgentcError`` (AS1409) if it does not take it."""
    from llguidance import LLMatcher

    matcher = LLMatcher(vocabulary.engine, LLMatcher.grammar_from_lark(grammar), log_level=0)
    if matcher.is_error():
        raise AgentcError([report("AS1409", None, reason=matcher.get_error().splitlines()[0])])
    return matcher


def phase_limit(phase: PhaseIR) -> int | None:
    """The most tokens behind the label of a phase; None if it has no limit."""
    return min((g.max_tokens for g in phase.generators if g.max_tokens is not None), default=None)


def label_length(phase: PhaseIR) -> int:
    """The bytes of the label of a phase."""
    return len(contents.label(phase.name).encode())


def longest(automaton: ByteAutomaton) -> int:
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
