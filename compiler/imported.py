"""Automata of files, `hoa("file.hoa")`: what the compiler finds in them, and their formulas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from agentc.compiler.automata.bdd import OverBudgetError
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.embedded import automaton_atom
from agentc.compiler.automata.hoa import automaton_of
from agentc.compiler.logic.ir import AUTOMATON, Formula, Node, prop
from agentc.lang.checked import CheckedAgent, CheckedSpec
from agentc.lang.diagnostics import Diagnostic, report
from agentc.lang.hoa import HoaError, parse_hoa
from agentc.lang.literals import write_string
from agentc.lang.source import Source
from agentc.lang.typed import Typed, postorder

_BOOLEAN = ("atom", "not", "and", "or", "implies", "xor", "iff")


@lru_cache(maxsize=64)
def _automaton(text: str) -> tuple[tuple[str, ...], DFA]:
    """The propositions of a text and its automaton over Boolean signals of these names."""
    said = parse_hoa(text)
    return said.names, automaton_of(said, [prop(n) for n in said.names])


def automaton_of_file(at: Typed, propositions: Sequence[Node]) -> Formula:
    """The formula of an automaton in the tree. The file must have passed :func:`check_automata`."""
    assert isinstance(at.value, tuple)
    path, text = map(str, at.value)
    names, dfa = _automaton(text)
    formulas = [f for f in propositions if isinstance(f, Formula)]
    return automaton_atom(f"hoa({write_string(path)})", names, dfa, formulas)


def check_automata(agent: CheckedAgent) -> list[Diagnostic]:
    """What is wrong with the automata of files in an agent: they are not deterministic, too large, out of place."""
    found: list[Diagnostic] = []
    for root in _formulas(agent):
        deep: dict[int, Typed | None] = {}  # nodes with an automaton below them
        for node in postorder(root):
            inside = next((deep[id(a)] for a in node.args if deep[id(a)] is not None), None)
            if node.op == AUTOMATON:
                inside = node
                found += _file(node)
            elif inside is not None and node.op not in _BOOLEAN:
                found.append(report("AS1622", inside.span, op=node.op))
                inside = None
            deep[id(node)] = inside
    return list({(d.code, d.span): d for d in found}.values())


def _file(node: Typed) -> list[Diagnostic]:
    assert isinstance(node.value, tuple)
    path, text = map(str, node.value)
    try:
        _automaton(text)
    except HoaError as error:
        return [report("AS1621", node.span, path=path, line=error.line, reason=error.reason)]
    except OverBudgetError as error:
        return [report("AS0702", node.span, formula=path, limit=error.limit, part=path)]
    return []


def automata_files(spec: CheckedSpec) -> tuple[Source, ...]:
    """The files of automata that the agents of a spec read, each once."""
    found: dict[str, Source] = {}
    for agent in spec.agents:
        for root in _formulas(agent):
            for node in postorder(root):
                if node.op == AUTOMATON and isinstance(node.value, tuple):
                    path, text = map(str, node.value)
                    found.setdefault(path, Source(path, text))
    return tuple(found.values())


def _formulas(agent: CheckedAgent) -> Iterator[Typed]:
    yield from (f.typed for f in agent.formulas)
    yield from (v.typed for v in agent.verifies)
    terms: Iterable[Typed | None] = (t.typed for t in agent.reward.terms) if agent.reward is not None else ()
    yield from (t for t in terms if t is not None)
