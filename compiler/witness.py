"""Words of automata as traces, and traces as `example` blocks that can be pasted into a spec.

A word is a list of truth values of atoms; a trace has values of signals that give the atoms these truth values. Where
the alphabet knows no such values (arithmetic over several numbers, atoms that mix two steps), there is no trace, and
the word itself is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from agentc.compiler.agent import SignalIR
from agentc.compiler.automata.dfa import DFA, Letter
from agentc.compiler.automata.guards import label
from agentc.compiler.logic.alphabet import is_action
from agentc.compiler.logic.ir import Formula, Value, signals
from agentc.compiler.logic.trace import Trace
from agentc.lang.literals import write_name, write_string
from agentc.lang.units import parse_unit, to_si

Valuation = Mapping[str, Value]


@dataclass(frozen=True)
class Witness:
    """A word over ``atoms``; ``trace`` are valuations that have it, None if none are known."""

    atoms: tuple[Formula, ...]
    word: tuple[Letter, ...]
    trace: tuple[Valuation, ...] | None

    def steps(self, declared: Iterable[SignalIR]) -> tuple[str, ...]:
        """The trace as the steps of an example; without a trace, the atoms that hold, for reading."""
        if self.trace is not None:
            return tuple(step_text(v, declared) for v in self.trace)
        return tuple(
            " & ".join(label(a) for a, held in zip(self.atoms, letter, strict=True) if held) or "-"
            for letter in self.word
        )

    def example(self, title: str, name: str, satisfies: bool, declared: Iterable[SignalIR]) -> str:
        """The trace as an `example` block about the formula ``name``; as a comment if it cannot be pasted."""
        claim = "satisfies" if satisfies else "violates"
        body = "; ".join(self.steps(tuple(declared)))
        text = f"example {write_string(title)} {claim} {write_name(name)} {{ {body} }}"
        return text if self.trace is not None else f"# {text}"


def witness(dfa: DFA, word: Sequence[Letter], read: Iterable[Formula], confirm: Callable[[Trace], bool]) -> Witness:
    """The witness of a word of an automaton.

    ``read`` are the formulas that the trace is about: it sets every signal that they read. ``confirm`` says whether a
    trace is what it should be; a trace that is not is dropped.
    """
    declared = {s.name: s for s in dfa.alphabet.signals or ()}
    names = tuple(dict.fromkeys(n for f in read for n in signals(f)))
    found: list[dict[str, Value]] = []
    for t, letter in enumerate(word):
        values = dfa.alphabet.witness(letter)
        step: dict[str, Value] = {}
        for name in names:
            signal = declared.get(name)
            if t == 0 and is_action(name) and not (signal is not None and signal.phase):
                continue
            if name in values:
                step[name] = values[name]
            elif found and name in found[-1]:
                step[name] = found[-1][name]
            else:
                step[name] = any_value(signal)
            if step[name] is None:
                return Witness(dfa.atoms, tuple(word), None)
        found.append(step)
    try:
        right = confirm(Trace(found))
    except (KeyError, ValueError, TypeError):  # values of a group that no value is known of
        right = False
    return Witness(dfa.atoms, tuple(word), tuple(found) if right else None)


def any_value(signal: SignalIR | None) -> Value:
    """Some value of a signal that no atom of the automaton constrains; None if none can be written."""
    if signal is None or signal.kind == "bool":
        return False
    if signal.kind == "enum":
        return signal.members[0]
    if signal.kind == "text":
        return "-" * (signal.size[0] if signal.size is not None else 0)
    if signal.kind in ("int", "real"):
        near = 0.0 if signal.lo is None else max(0.0, signal.lo)
        value = near if signal.hi is None else min(near, signal.hi)
        return int(value) if signal.kind == "int" else value
    return None


def step_text(valuation: Valuation, declared: Iterable[SignalIR]) -> str:
    """A valuation as one step of an example: Booleans that are true, other signals with their values."""
    units = {s.name: s.unit for s in declared}
    parts = []
    for name, value in valuation.items():
        path = ".".join(write_name(part) for part in name.split("."))
        if value is True:
            parts.append(path)
        elif value is not False:
            parts.append(f"{path} == {_value_text(value, units.get(name))}")
    return " & ".join(parts) or "-"


def _value_text(value: Value, unit: str | None) -> str:
    if isinstance(value, str):
        return write_name(value) if value.isidentifier() else write_string(value)
    if isinstance(value, int | float) and unit:
        counted = parse_unit(unit)
        number = f"{value / (counted.scale or 1.0):.10g}"
        if to_si(float(number), counted) == value and "*" not in unit:
            return f"{number}{counted.text}"
        if "*" not in counted.si:
            return f"{value!r}{counted.si or 'rad'}"
        return number  # a bare number counts in the declared unit
    return repr(value)
