"""Effects that cannot be taken back need a guard that is proved: a rule that stands before every call.

A tool with ``irreversible = true`` is *guarded* by a rule if no run that keeps the rule calls the tool in *silence*: as
long as nothing has happened but steps that the agent writes itself without calling anything; no other call, no result,
and the environment's signals have said nothing (Booleans are false, others have no value). So before every call there
is a step that is no mere text of the agent, and that the rule demands. What the demand is worth is for the rule to say:
one that asks for an approval once lets every later call through.

It is decided on the rule's own automaton: from each state that silent steps reach, every letter that calls the tool
leads to a state in which the rule is finally violated. What silence does not settle (the values of the call, the texts
of the agent, what the user has said) may be anything. A rule ``each id : ...`` is asked for the value of the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agentc.compiler.agent import AgentIR, FormulaIR
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.ltlf import normal, translate
from agentc.compiler.decoder.events import without_aggregates
from agentc.compiler.logic.alphabet import free_alphabet
from agentc.compiler.logic.ir import Formula, Term, Value, atoms, postorder, signals
from agentc.compiler.logic.rewrite import is_aggregate
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.writer import PhaseIR, ToolIR
from agentc.lang.diagnostics import AgentcError, Diagnostic, report


def irreversible(tool: ToolIR) -> bool:
    """Whether a tool is declared to have effects that cannot be taken back."""
    return tool.settings.get("irreversible") is True


def unguarded(agent: AgentIR, rules: Iterable[FormulaIR]) -> tuple[Diagnostic, ...]:
    """What is said of each irreversible tool that none of the rules guards (AS1480)."""
    writer = agent.writer
    if writer is None:
        return ()
    kept = tuple(rules)
    found = []
    for tool in filter(irreversible, writer.tools):
        if not any(guards(agent, rule, tool) for rule in kept):
            about = [f"`{r.name}`" for r in kept if tool.name in {s.partition(".")[0] for s in signals(r.formula)}]
            why = f" (not {', '.join(about)}: the agent can call it without any other step)" if about else ""
            found.append(report("AS1480", tool.span, tool=tool.name, why=why))
    return tuple(found)


def guards(agent: AgentIR, rule: FormulaIR, tool: ToolIR) -> bool:
    """Whether no run that keeps a rule calls a tool in silence; False where the rule's automaton is too large."""
    writer = agent.writer
    assert writer is not None
    if tool.name not in {s.partition(".")[0] for s in signals(rule.formula)}:
        return False
    (plain,), named = without_aggregates([rule.formula])
    core = normal(plain)
    asked = [(a, named.get(a, a)) for a in atoms(core)]
    try:
        automaton = translate(core, free_alphabet(tuple(a for a, _ in asked)), span=rule.span)
    except AgentcError:
        return False
    silence = _Silence(agent, rule, tool)
    silent = [p for p in writer.phases if p.answers is None and not p.tools]
    steps = [silence.letter(asked, p, None) for p in silent]
    calls = [silence.letter(asked, p, tool) for p in writer.phases if tool.name in p.tools]
    reached = [0]
    for state in reached:  # grows as it goes
        if automaton.verdicts[state] is Verdict.FALSE and state != 0:
            continue
        for fixed in calls:
            if any(automaton.verdicts[t] is not Verdict.FALSE for t in _targets(automaton, state, fixed)):
                return False
        for fixed in steps:
            reached += [t for t in _targets(automaton, state, fixed) if t not in reached]
    return bool(calls)


class _Silence:
    """What atoms are while nothing but the agent's own texts has happened."""

    def __init__(self, agent: AgentIR, rule: FormulaIR, tool: ToolIR) -> None:
        writer = agent.writer
        assert writer is not None
        self._rule, self._tool = rule, tool
        self._silent = {p.name for p in writer.phases if p.answers is None and not p.tools}
        outside = () if agent.environment is None else agent.environment.signals
        self._blank: dict[str, Value] = {s.name: False if s.kind == "bool" else None for s in outside}
        self._blank |= {s.name: None if "." in s.name else False for s in agent.signals if s.phase}
        self._blank |= dict.fromkeys(rule.each)
        self._blank |= dict.fromkeys(s for s in signals(rule.formula) if s.endswith("@from"))

    def letter(
        self, asked: Sequence[tuple[Formula, Formula]], phase: PhaseIR, tool: ToolIR | None
    ) -> Mapping[int, bool]:
        """The truth of the atoms, by position, that a silent step or a call settles."""
        here = {**self._blank, phase.name: True}
        if tool is not None:
            here[tool.name] = True
        trace = Trace([self._blank, here])
        found = {}
        for at, (atom, meant) in enumerate(asked):
            value = self._settled(atom, meant, trace, tool)
            if value is not None:
                found[at] = value
        return found

    def _settled(self, atom: Formula, meant: Formula, trace: Trace, tool: ToolIR | None) -> bool | None:
        if tool is not None and (own := self._own_value(meant)) is not None:
            return own
        predicate = meant.predicate
        if predicate.op in ("in_seen", "occurs_in_seen"):
            source = str(predicate.args[1].value).partition(".")[0]
            return None if source in self._silent or predicate.value is True else False
        if predicate.op == "from":
            source = str(predicate.args[1].value)
            return None if source == "user" or source in self._silent or predicate.value is True else False
        for name in signals(meant):
            owner, _, field = name.partition(".")
            if field and (owner in self._silent or owner == self._tool.name):
                return None  # the agent chooses it
            if is_aggregate(meant) and (owner in self._silent or owner == self._tool.name):
                return None
            if any(n.op == "prev" for n in postorder(meant)) and owner in self._silent:
                return None
        return evaluate(meant, trace, 1)

    def _own_value(self, meant: Formula) -> bool | None:
        """Of a comparison of a parameter with an argument of the call: the parameter is that argument's value."""
        predicate = meant.predicate
        if predicate.op != "compare" or predicate.value not in ("==", "!="):
            return None
        if any(n.op == "prev" for n in predicate.args):
            return None
        names = {str(n.value) for n in predicate.args if n.op == "signal"}
        parameter = names & set(self._rule.each)
        argument = {n for n in names if n.startswith(f"{self._tool.name}.")}
        if len(parameter) != 1 or len(argument) != 1 or self._compared(*parameter) != argument:
            return None
        return predicate.value == "=="

    def _compared(self, parameter: str) -> set[str]:
        """The arguments of the tool that a parameter is compared with."""
        found: set[str] = set()
        for node in postorder(self._rule.formula):
            if isinstance(node, Term) and node.op == "compare":
                names = {str(a.value) for a in node.args if a.op == "signal"}
                if parameter in names:
                    found |= {n for n in names if n.startswith(f"{self._tool.name}.")}
        return found


def _targets(automaton: DFA, state: int, fixed: Mapping[int, bool]) -> list[int]:
    """The states that letters with the fixed truth values lead to."""
    found: dict[int, None] = {}
    seen: set[int] = set()
    stack = [automaton.roots[state]]
    while stack:
        ref = stack.pop()
        if ref < 0:
            if ~ref != automaton.size:
                found[~ref] = None
        elif ref not in seen:
            seen.add(ref)
            level, low, high = automaton.nodes[ref]
            stack += [high if fixed[level] else low] if level in fixed else [low, high]
    return list(found)
