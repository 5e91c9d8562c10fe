"""Games on automata: can the agent force a trace to be accepted, whatever the environment does?

A play is a trace. Step 0 is the environment's alone (the reset); at every later step the agent moves first, by the
values of the signals that it controls, and the environment answers with all others: so is a trace defined (``action``
at ``t`` is what led to ``t``), and so a strategy is a Moore machine. Who ends the trace makes two games:

- ``settles``: the trace goes on for as long as the environment likes. The agent wins if from some step on the trace is
  accepted wherever it ends (a co-Buchi condition).
- ``agent``: the agent may end the trace after any step, and wins if it is accepted then (reachability). This is LTLf
  synthesis.

Source: De Giacomo, Vardi, *Synthesis for LTL and LDL on finite traces*, IJCAI 2015 (the automaton as an arena; there
the environment moves first); Zielonka, *Infinite games on finitely coloured graphs*, TCS 200, 1998 (both players win by
strategies without memory). The solution is the nested fixpoint ``mu X. nu Y. (pre(X) or (accepting and pre(Y)))``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agentc.compiler.agent import SignalIR
from agentc.compiler.automata.bdd import Budget, OverBudgetError, recursion
from agentc.compiler.automata.dfa import DFA, Letter
from agentc.compiler.automata.mtbdd import NO, OUTSIDE, Mtbdd
from agentc.compiler.logic.alphabet import Alphabet, Group, domains
from agentc.compiler.logic.ir import Value
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace

MAX_CHOICES = 4096
"""The most combinations of values that the agent is given to choose from at a step."""
MAX_FREE_ATOMS = 8
"""The most atoms of a group that nothing is known of for which all combinations are tried."""

Ends = Literal["settles", "agent"]


@dataclass(frozen=True)
class Choice:
    """What the agent can do at a step: values of its signals, and the letters that the environment can make of them.

    ``groups`` has the letters of each group of the alphabet; None where the agent has no say.
    """

    values: Mapping[str, Value]
    groups: tuple[frozenset[Letter] | None, ...]


@dataclass(frozen=True)
class Arena:
    """The positions of a game: ``after[s][c]`` are the states that choice ``c`` may lead to from state ``s``.

    ``first`` are the states after step 0. ``generous`` names the sides (``agent``, ``environment``) that are given more
    than they have, because which truth values can occur together is not decided: what such a side wins may not be won.
    """

    dfa: DFA
    choices: tuple[Choice, ...]
    first: frozenset[int]
    after: tuple[tuple[frozenset[int], ...], ...]
    generous: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Solution:
    """Who wins, and how.

    ``strategy`` has the agent's choice in each state from which it wins, ``rank`` how many times it may yet fall out
    of acceptance there; ``answer`` has, in each state from which the environment wins, the state that it answers each
    choice with. ``realizable`` is whether the agent wins from all states after step 0.
    """

    arena: Arena
    ends: Ends
    realizable: bool
    strategy: Mapping[int, int]
    rank: Mapping[int, int]
    answer: Mapping[int, tuple[int, ...]]

    def opening(self) -> int | None:
        """A state after step 0 from which the environment wins, None if there is none."""
        return next((s for s in sorted(self.arena.first) if s not in self.rank), None)


# ---------------------------------------------------------------- arenas


def choices(
    alphabet: Alphabet, declared: Iterable[SignalIR], controlled: Collection[str]
) -> tuple[list[Choice], frozenset[str]]:
    """The choices of the agent, and the sides that are given too much. Raises ``OverBudgetError``: too many choices."""
    declared = tuple(declared)
    options: list[list[tuple[Mapping[str, Value], frozenset[Letter] | None]]] = []
    generous: set[str] = set()
    for group in alphabet.groups:
        own = [n for n in group.signals if n in controlled]
        mixed = _mixed(group, own, declared) if 0 < len(own) < len(group.signals) else None
        if own and len(own) == len(group.signals):
            options.append(_alone(group))
            generous |= {"agent"} if group.free else set()
        elif mixed is not None:
            options.append(mixed)
        else:  # the environment's; what it did at the step before binds it, which letters do not show
            options.append([({}, None)])
            if own or group.free or any(n.startswith("prev.") for n in group.signals):
                generous.add("environment")
    if math.prod(map(len, options)) > MAX_CHOICES:
        raise OverBudgetError(f"{MAX_CHOICES:,} combinations of what the agent controls")
    found = []
    for combination in itertools.product(*options):
        values: dict[str, Value] = {}
        for part, _ in combination:
            values.update(part)
        found.append(Choice(values, tuple(letters for _, letters in combination)))
    return found, frozenset(generous)


def _alone(group: Group) -> list[tuple[Mapping[str, Value], frozenset[Letter] | None]]:
    """A group that the agent controls alone: each letter is a choice."""
    if group.later is not None and group.examples is not None:
        return [(group.examples[letter], frozenset([letter])) for letter in sorted(group.later)]
    if len(group.atoms) > MAX_FREE_ATOMS:
        raise OverBudgetError(f"{MAX_FREE_ATOMS} atoms over one group of what the agent controls")
    combinations = itertools.product((False, True), repeat=len(group.atoms))
    return [({str(a): v for a, v in zip(group.atoms, letter, strict=True)}, frozenset([letter]))
            for letter in combinations]  # fmt: skip


def _mixed(
    group: Group, own: Sequence[str], declared: tuple[SignalIR, ...]
) -> list[tuple[Mapping[str, Value], frozenset[Letter] | None]] | None:
    """A group that both have a part of: what each choice leaves open. None if its values cannot be enumerated."""
    values = domains(s for s in declared if s.name in group.signals)
    if group.free or any(n not in values for n in group.signals):
        return None
    rest = {n: v for n, v in values.items() if n not in own}
    found: dict[frozenset[Letter], Mapping[str, Value]] = {}
    for mine in itertools.product(*(values[n] for n in own)):
        chosen = dict(zip(own, mine, strict=True))
        found.setdefault(frozenset(letter for letter, _ in _outcomes(group, chosen, rest)), chosen)
    return [(chosen, letters) for letters, chosen in found.items()]


def choice_of(game: Arena, values: Mapping[str, Value], declared: Iterable[SignalIR]) -> int:
    """The number of the choice that values of what the agent controls are. Raises ``KeyError`` if they are none."""
    declared, own = tuple(declared), values.keys()
    wanted: list[frozenset[Letter] | None] = []
    for group in game.dfa.alphabet.groups:
        mine = [n for n in group.signals if n in own]
        if not mine:
            wanted.append(None)
        else:
            rest = {n: v for n, v in domains(s for s in declared if s.name in group.signals).items() if n not in own}
            wanted.append(frozenset(letter for letter, _ in _outcomes(group, values, rest)))
    for at, choice in enumerate(game.choices):
        if all(w is None or g is None or w == g for w, g in zip(wanted, choice.groups, strict=True)):
            return at
    raise KeyError("no choice of the agent has these values")


def environment_values(
    game: Arena, letter: Letter, chosen: Mapping[str, Value], declared: Iterable[SignalIR]
) -> dict[str, Value] | None:
    """Values of the other signals that make a letter of what the agent has chosen; None if none are known."""
    declared = tuple(declared)
    found: dict[str, Value] = {}
    at = 0
    for group in game.dfa.alphabet.groups:
        part = letter[at : at + len(group.atoms)]
        at += len(group.atoms)
        if not any(n in chosen for n in group.signals):
            if group.examples is None or part not in group.examples:
                return None
            found.update(group.examples[part])
            continue
        rest = {n: v for n, v in domains(s for s in declared if s.name in group.signals).items() if n not in chosen}
        theirs = next((step for made, step in _outcomes(group, chosen, rest) if made == part), None)
        if theirs is None:
            return None
        found.update(theirs)
    return found


def _outcomes(
    group: Group, chosen: Mapping[str, Value], rest: Mapping[str, Sequence[Value]]
) -> Iterator[tuple[Letter, dict[str, Value]]]:
    """The letters of a group that values of the other signals make of what is chosen, with these values."""
    for combination in itertools.product(*rest.values()):
        theirs = dict(zip(rest, combination, strict=True))
        step = {**{n: chosen[n] for n in group.signals if n in chosen}, **theirs}
        trace = Trace([step, step])
        yield tuple(evaluate(a, trace, 1) for a in group.atoms), theirs


def arena(dfa: DFA, declared: Iterable[SignalIR], controlled: Collection[str], budget: Budget) -> Arena:
    """The arena of an automaton. Raises ``OverBudgetError``."""
    found, generous = choices(dfa.alphabet, declared, controlled)
    with recursion(len(dfa.atoms)):
        table = Mtbdd(dfa.nodes)
        roots = [r if r != ~dfa.size else OUTSIDE for r in dfa.roots]
        first = _reached(table, dfa, roots[0], table.letters(dfa.alphabet, at_reset=True))
        allowed = [table.letters(restricted(dfa.alphabet, c), at_reset=False) for c in found]
        after = []
        for root in roots:
            budget.spend(nodes=len(table.nodes))
            after.append(tuple(_reached(table, dfa, root, care) for care in allowed))
    return Arena(dfa, tuple(found), first, tuple(after), generous)


def restricted(alphabet: Alphabet, choice: Choice) -> Alphabet:
    """The alphabet of the letters that a choice leaves open."""
    groups = tuple(
        group if letters is None else Group(group.atoms, group.signals, letters, letters, group.examples)
        for group, letters in zip(alphabet.groups, choice.groups, strict=True)
    )
    return Alphabet(alphabet.atoms, groups, alphabet.signals)


def _reached(table: Mtbdd, dfa: DFA, root: int, care: int) -> frozenset[int]:
    return table.leaves(table.mask(root, care, {})) - {dfa.size}


def letter_to(dfa: DFA, state: int, target: int, alphabet: Alphabet, *, at_reset: bool = False) -> Letter | None:
    """A letter of the alphabet that leads from a state to another one, the least; None if there is none."""
    with recursion(len(dfa.atoms)):
        table = Mtbdd(dfa.nodes)
        ref, care = dfa.roots[state], table.letters(alphabet, at_reset=at_reset)
        dead: set[tuple[int, int]] = set()

        def walk(ref: int, care: int) -> dict[int, bool] | None:
            if care == NO or (ref < 0 and ref != ~target):
                return None
            if ref < 0 and care < 0:
                return {}
            if (ref, care) in dead:
                return None
            top = min(table.level(ref), table.level(care))
            for side, value in ((1, False), (2, True)):
                r = table.nodes[ref][side] if table.level(ref) == top else ref
                c = table.nodes[care][side] if table.level(care) == top else care
                found = walk(r, c)
                if found is not None:
                    found[top] = value
                    return found
            dead.add((ref, care))
            return None

        found = walk(ref, care)
    return None if found is None else tuple(found.get(i, False) for i in range(len(dfa.atoms)))


# ---------------------------------------------------------------- solution


def solve(game: Arena, ends: Ends = "settles") -> Solution:
    """Who wins a game, with a strategy for each state that either wins from."""
    return _reachability(game) if ends == "agent" else _settling(game)


def _settling(game: Arena) -> Solution:
    states = range(game.dfa.size)
    accepting = game.dfa.accepting
    won: dict[int, int] = {}  # by rank
    strategy: dict[int, int] = {}
    removed: dict[int, int] = {}
    for rank in itertools.count():
        inside = set(states)
        removed = {}
        for order in itertools.count():  # the greatest set that stays accepted, or reaches what was won before
            kept = {
                s for s in inside
                if s in won or _choice(game, s, won) is not None
                or (accepting[s] and _choice(game, s, inside) is not None)
            }  # fmt: skip
            if kept == inside:
                break
            removed.update((s, order) for s in inside - kept)
            inside = kept
        new = inside - won.keys()
        if not new:
            break
        before = dict(won)
        for s in sorted(new):
            way = _choice(game, s, before)
            if way is None:
                way = _choice(game, s, inside)
            assert way is not None
            strategy[s], won[s] = way, rank
    answer = {
        s: tuple(min(after - won.keys(), key=lambda t: (removed[t], t)) for after in game.after[s])
        for s in states
        if s not in won
    }
    return Solution(game, "settles", game.first <= won.keys(), strategy, won, answer)


def _reachability(game: Arena) -> Solution:
    states = range(game.dfa.size)
    won = {s: 0 for s in states if game.dfa.accepting[s]}
    strategy: dict[int, int] = {}
    for rank in itertools.count(1):
        new = {s: way for s in states if s not in won and (way := _choice(game, s, won)) is not None}
        if not new:
            break
        strategy.update(new)
        won.update((s, rank) for s in new)
    answer = {s: tuple(min(after - won.keys()) for after in game.after[s]) for s in states if s not in won}
    return Solution(game, "agent", game.first <= won.keys(), strategy, won, answer)


def _choice(game: Arena, state: int, into: Collection[int]) -> int | None:
    """The first choice after which the state is ``into``, whatever the environment does."""
    return next((c for c, after in enumerate(game.after[state]) if all(t in into for t in after)), None)
