"""Two versions of a spec, compared by what they mean: what `agentc plan OLD NEW` says.

Formulas are matched by agent and name, and compared on their automata over all values that either version declares:
tasks, behaviors and assumptions by the traces that satisfy them, safes by the traces that do not violate them. A
difference has a shortest trace that shows it. What is no formula (signals, propositions, rewards, training, the
environment) is compared as data, one line for each difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from agentc.compiler.agent import AgentIR, FormulaIR, RewardIR, SignalIR
from agentc.compiler.automata.bdd import Budget, OverBudgetError
from agentc.compiler.automata.dfa import DFA, Letter
from agentc.compiler.automata.ltlf import normal, translate_typed
from agentc.compiler.judgement import judge
from agentc.compiler.logic.fragments import STEPWISE, fragment
from agentc.compiler.logic.ir import signals
from agentc.compiler.logic.trace import Trace
from agentc.compiler.sanity import not_violated
from agentc.compiler.witness import Witness, witness
from agentc.lang.diagnostics import AgentcError
from agentc.lang.units import parse_unit

MAX_STATES, MAX_SECONDS = 50_000, 20.0
"""The budget of one formula of one version, and of the product of both."""


Progress = Callable[[str], None]


class Relation(Enum):
    """How the new version of a formula relates to the old one; the value is the sentence."""

    EQUAL = "equal"
    STRONGER = "stronger: it asks for more"
    WEAKER = "weaker: it asks for less"
    INCOMPARABLE = "incomparable: it asks for more in one way and for less in another"
    RENAMED = "renamed, and equal"
    ADDED = "added"
    REMOVED = "removed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class FormulaChange:
    """What became of one formula.

    ``lost`` is a trace that the old version was satisfied by and the new one is not, ``gained`` the other way round.
    ``reason`` says why a relation is unknown; ``before`` is the old name of a renamed formula.
    """

    agent: str
    name: str
    role: str
    relation: Relation
    old: FormulaIR | None = None
    new: FormulaIR | None = None
    lost: Witness | None = None
    gained: Witness | None = None
    before: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """All changes of two versions: those of formulas, and one line for each other difference."""

    formulas: tuple[FormulaChange, ...]
    others: tuple[tuple[str, str], ...]
    declared: Mapping[str, tuple[SignalIR, ...]]

    @property
    def changed(self) -> bool:
        """Whether anything differs."""
        return bool(self.others) or any(
            c.relation not in (Relation.EQUAL, Relation.UNKNOWN)
            or (c.old is not None and c.new is not None and c.old.role != c.new.role)
            for c in self.formulas
        )

    @property
    def unknown(self) -> bool:
        """Whether something could not be decided."""
        return any(c.relation is Relation.UNKNOWN for c in self.formulas)


@dataclass(frozen=True)
class Limits:
    """The budget of one comparison."""

    states: int = MAX_STATES
    seconds: float = MAX_SECONDS


def silent(what: str) -> None:
    """Progress that nobody follows."""


def plan(
    old: Iterable[AgentIR], new: Iterable[AgentIR], limits: Limits | None = None, progress: Progress = silent
) -> Plan:
    """Compare two versions of a spec; ``progress`` is told what comes next."""
    limits = limits or Limits()
    before, after = {a.name: a for a in old}, {a.name: a for a in new}
    formulas: list[FormulaChange] = []
    others: list[tuple[str, str]] = []
    declared: dict[str, tuple[SignalIR, ...]] = {}
    for name in dict.fromkeys((*before, *after)):
        one, two = before.get(name), after.get(name)
        if one is None or two is None:
            there, relation = (two, Relation.ADDED) if one is None else (one, Relation.REMOVED)
            assert there is not None
            others.append((name, f"the agent is {relation.value}"))
            declared[name] = there.declared
            continue
        declared[name] = joined(one.declared, two.declared)
        formulas += _formulas(one, two, declared[name], limits, progress)
        others += [(name, line) for line in _others(one, two)]
    return Plan(tuple(formulas), tuple(others), declared)


# ---------------------------------------------------------------- formulas


def _formulas(
    old: AgentIR, new: AgentIR, declared: tuple[SignalIR, ...], limits: Limits, progress: Progress
) -> list[FormulaChange]:
    before, after = {f.name: f for f in old.formulas}, {f.name: f for f in new.formulas}
    odd = _of_two_kinds(old.declared, new.declared)
    found: list[FormulaChange] = []
    renamed: set[str] = set()
    for name in dict.fromkeys((*before, *after)):
        one, two = before.get(name), after.get(name)
        progress(f"comparing {new.name}.{name}")
        if one is not None and two is not None:
            found.append(_compared(new.name, one, two, declared, odd, limits))
        elif one is not None:
            same = next((f for f in after.values() if f.name not in before and f.name not in renamed
                         and f.role == one.role and _equal(one, f, declared, odd, limits)), None)  # fmt: skip
            if same is None:
                found.append(FormulaChange(new.name, name, one.role, Relation.REMOVED, old=one))
            else:
                renamed.add(same.name)
                found.append(
                    FormulaChange(new.name, same.name, one.role, Relation.RENAMED, one, same, before=name)
                )
        elif two is not None and name not in renamed:
            found.append(FormulaChange(new.name, name, two.role, Relation.ADDED, new=two))
    gone = {c.name for c in found if c.relation is Relation.RENAMED}
    return [c for c in found if not (c.relation is Relation.ADDED and c.name in gone)]


def _equal(
    one: FormulaIR, two: FormulaIR, declared: tuple[SignalIR, ...], odd: frozenset[str], limits: Limits
) -> bool:
    if one.formula is two.formula:
        return one.each == two.each
    return _compared("", one, two, declared, odd, limits).relation is Relation.EQUAL


def _compared(
    agent: str, one: FormulaIR, two: FormulaIR, declared: tuple[SignalIR, ...], odd: frozenset[str], limits: Limits
) -> FormulaChange:
    def answer(relation: Relation, **more: Any) -> FormulaChange:
        return FormulaChange(agent, two.name, two.role, relation, one, two, **more)

    if one.formula is two.formula and one.role == two.role and one.each == two.each and not odd:
        return answer(Relation.EQUAL)
    reason = _undecided(one, odd) or _undecided(two, odd)
    if reason:
        return answer(Relation.UNKNOWN, reason=reason)
    try:
        left, right = language(one, declared, limits), language(two, declared, limits)
        budget = Budget(limits.states, limits.seconds)
        lost = left.product(right, lambda a, b: a and not b, budget)
        gained = left.product(right, lambda a, b: b and not a, budget)
    except OverBudgetError as error:
        return answer(Relation.UNKNOWN, reason=f"the budget ran out: {error.limit}")
    except AgentcError as error:
        return answer(Relation.UNKNOWN, reason=error.diagnostics[0].message)
    fewer, more = lost.shortest_accepted(), gained.shortest_accepted()
    seen = {
        "lost": None if fewer is None else _witness(lost, fewer, one, two, declared, holds=False),
        "gained": None if more is None else _witness(gained, more, one, two, declared, holds=True),
    }
    if any(w is not None and w.trace is None for w in seen.values()):
        return answer(Relation.UNKNOWN, reason="no values are known of a trace that would tell them apart", **seen)
    if fewer is None:
        return answer(Relation.EQUAL if more is None else Relation.WEAKER, **seen)
    return answer(Relation.STRONGER if more is None else Relation.INCOMPARABLE, **seen)


def language(item: FormulaIR, declared: tuple[SignalIR, ...], limits: Limits) -> DFA:
    """The automaton of the traces on which an item holds for its role. Raises ``AgentcError`` (AS0702)."""
    dfa = translate_typed(item.formula, declared, max_states=limits.states, max_seconds=limits.seconds)
    return not_violated(dfa) if item.role == "safe" else dfa


def _undecided(item: FormulaIR, odd: frozenset[str]) -> str:
    """Why an item has no automaton to compare, empty if it has one."""
    if item.each:
        return "it is stated for `each` value"
    beyond = fragment(normal(item.formula)).beyond(STEPWISE)
    if beyond:
        return f"no automaton decides `{beyond[0]}`"
    changed = [name for name in signals(item.formula) if name in odd]
    return f"the type of `{changed[0]}` is another one" if changed else ""


def _witness(
    dfa: DFA, word: tuple[Letter, ...], one: FormulaIR, two: FormulaIR, declared: tuple[SignalIR, ...], holds: bool
) -> Witness:
    """The witness of a difference: the new version holds on it just if ``holds``, the old one just if not."""

    def confirm(trace: Trace) -> bool:
        now = judge(two.formula, trace, two.role, declared).holds
        then = judge(one.formula, trace, one.role, declared).holds
        return now == holds and then != holds

    return witness(dfa, word, (one.formula, two.formula), confirm)


# ---------------------------------------------------------------- declarations


def joined(old: Iterable[SignalIR], new: Iterable[SignalIR]) -> tuple[SignalIR, ...]:
    """The signals of both, each with all values that either declaration allows."""
    found = {s.name: s for s in old}
    for s in new:
        other = found.get(s.name)
        found[s.name] = s if other is None or other.kind != s.kind else _either(other, s)
    return tuple(found.values())


def _either(one: SignalIR, two: SignalIR) -> SignalIR:
    def least(a: float | None, b: float | None) -> float | None:
        return None if a is None or b is None else min(a, b)

    def greatest(a: float | None, b: float | None) -> float | None:
        return None if a is None or b is None else max(a, b)

    size = None if one.size is None or two.size is None else (
        min(one.size[0], two.size[0]), max(one.size[1], two.size[1])
    )  # fmt: skip
    members = tuple(dict.fromkeys((*one.members, *two.members)))
    return replace(
        two, lo=least(one.lo, two.lo), hi=greatest(one.hi, two.hi), size=size, members=members
    )


def _of_two_kinds(old: Iterable[SignalIR], new: Iterable[SignalIR]) -> frozenset[str]:
    kinds = {s.name: (s.kind, s.size if s.kind == "vector" else None) for s in old}
    return frozenset(
        s.name for s in new if s.name in kinds and kinds[s.name] != (s.kind, s.size if s.kind == "vector" else None)
    )


# ---------------------------------------------------------------- what is no formula


def _others(old: AgentIR, new: AgentIR) -> list[str]:
    lines: list[str] = []
    lines += _by_name("signal", old.declared, new.declared, _signal_text)
    lines += _by_name("prop", old.propositions, new.propositions, lambda p: str(p.formula))
    lines += _environment(old, new)
    for what in ("system", "writer"):
        one, two = getattr(old, what), getattr(new, what)
        if one != two:
            lines.append(f"{what}: {'added' if one is None else 'removed' if two is None else 'changed'}")
    lines += _reward(old.reward or RewardIR(), new.reward or RewardIR())
    lines += _train(old, new)
    lines += _machines(old, new)
    lines += _listed("expect", _expected(old), _expected(new))
    lines += _listed("verify", [_verify_text(v) for v in old.verifies], [_verify_text(v) for v in new.verifies])
    lines += _listed("deploy", _deployed(old), _deployed(new))
    lines += _by_name("cost", old.costs, new.costs, lambda c: f"{c.value} <= {c.limit}")
    lines += _by_name("outline", old.outlines, new.outlines, lambda o: _text(o.content))
    return lines


def _by_name(what: str, old: Iterable[Any], new: Iterable[Any], text: Any) -> list[str]:
    before, after = {s.name: s for s in old}, {s.name: s for s in new}
    lines = []
    for name in dict.fromkeys((*before, *after)):
        word = what if what != "outline" else str(getattr(before.get(name) or after[name], "construct", what))
        if name not in after:
            lines.append(f"{word} {name}: removed")
        elif name not in before:
            lines.append(f"{word} {name}: added: {text(after[name])}")
        elif text(before[name]) != text(after[name]):
            lines.append(f"{word} {name}: was {text(before[name])}, is {text(after[name])}")
    return lines


def _signal_text(s: SignalIR) -> str:
    kind = f"enum {{{', '.join(s.members)}}}" if s.kind == "enum" else s.kind
    if s.size is not None:
        kind += f"[{s.size[0]}]" if s.kind == "vector" else f"[{s.size[0]}..{s.size[1]}]"
    if s.lo is not None or s.hi is not None:
        scale = (parse_unit(s.unit).scale or 1.0) if s.unit else 1.0
        low = "(-inf" if s.lo is None else f"[{s.lo / scale:.10g}"
        high = "inf)" if s.hi is None else f"{s.hi / scale:.10g}]"
        kind += f" in {low}, {high}"
    kind += f" [{s.unit}]" if s.unit else ""
    kind += f" = {s.definition}" if s.definition is not None else ""
    return kind + (f" = extern {s.extern}" if s.extern else "")


def _environment(old: AgentIR, new: AgentIR) -> list[str]:
    one, two = old.environment, new.environment
    if one is None or two is None:
        if one is two:
            return []
        return [f"env: {'added' if one is None else 'removed'}: {(one or two).name}"]  # type: ignore[union-attr]
    lines = []
    if (one.name, one.engine) != (two.name, two.engine):
        lines.append(f"env: was {one.name}, is {two.name}")
    lines += _mapping("env", one.arguments, two.arguments)
    for field in ("step", "horizon", "controls"):
        if getattr(one, field) != getattr(two, field):
            lines.append(f"env {field}: was {_text(getattr(one, field))}, is {_text(getattr(two, field))}")
    return lines


def _reward(old: RewardIR, new: RewardIR) -> list[str]:
    def terms(reward: RewardIR) -> dict[str, str]:
        found: dict[str, str] = {}
        for t in reward.terms:
            name = t.name if t.kind in ("formula", "prop") else t.kind if t.kind == "step" else f"{t.kind}({t.name})"
            ending = "" if t.ends is None else " ends" if t.ends else " continues"
            clip = "" if t.clip is None else f", clip [{t.clip[0]:g}, {t.clip[1]:g}]"
            found[name] = f"{t.amount:+g}{ending}{clip}"
        return found

    lines = _mapping("reward", terms(old), terms(new))
    if old.shape != new.shape:
        lines.append(f"reward shape: was {_text(old.shape)}, is {_text(new.shape)}")
    if old.discount != new.discount:
        lines.append(f"reward discount: was {old.discount:g}, is {new.discount:g}")
    if old.machine != new.machine:
        how = "added" if old.machine is None else "removed" if new.machine is None else "changed"
        lines.append(f"reward machine: {how}")
    return lines


def _train(old: AgentIR, new: AgentIR) -> list[str]:
    one, two = old.train, new.train
    if one is None or two is None:
        return [] if one is two else [f"train: {'added' if one is None else 'removed'}"]
    lines = [f"train: was {one.algorithm}, is {two.algorithm}"] if one.algorithm != two.algorithm else []
    if not lines:
        lines += _mapping("train", one.settings, two.settings)
    if one.until != two.until:
        lines.append(f"train until: was {one.until}, is {two.until}")
    return lines


def _machines(old: AgentIR, new: AgentIR) -> list[str]:
    one, two = {m.name: m for m in old.machines}, {m.name: m for m in new.machines}
    how = {n: "removed" if n not in two else "added" if n not in one else "changed" for n in (*one, *two)}
    return [f"machine {n}: {word}" for n, word in how.items() if one.get(n) != two.get(n)]


def _expected(agent: AgentIR) -> list[str]:
    return [*(e.source for e in agent.expects), *(e.source for e in agent.equalities)]


def _deployed(agent: AgentIR) -> list[str]:
    """The lines of an agent's ``deploy``."""
    if agent.deploy is None:
        return []
    lines = [f"require {r.what}({r.formula}{', unchecked' if r.unchecked else ''})" for r in agent.deploy.requires]
    lines += [f"shield {s.formula} {_text(s.settings)}" for s in agent.deploy.shields]
    lines += [f"monitor {name}" for name in agent.deploy.monitors]
    return [*lines, f"fallback {agent.deploy.fallback}"] if agent.deploy.fallback else lines


def _verify_text(item: Any) -> str:
    bound = "" if item.bound is None else f"{'P' if item.total is None else 'E'} {item.bound[0]} {item.bound[1]:g} "
    return f"{bound}{item.source}" + (f" by {item.method}" if item.method else "")


def _mapping(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    lines = []
    for key in dict.fromkeys((*old, *new)):
        if key not in new:
            lines.append(f"{what} {key}: removed (was {_text(old[key])})")
        elif key not in old:
            lines.append(f"{what} {key}: added: {_text(new[key])}")
        elif old[key] != new[key]:
            lines.append(f"{what} {key}: was {_text(old[key])}, is {_text(new[key])}")
    return lines


def _listed(what: str, old: list[str], new: list[str]) -> list[str]:
    return [f"{what} {s}: removed" for s in old if s not in new] + [
        f"{what} {s}: added" for s in new if s not in old
    ]


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, Mapping):
        return f"{{{'; '.join(f'{k} = {_text(v)}' for k, v in value.items())}}}"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)

