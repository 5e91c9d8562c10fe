"""The passes, in order: from the text of a spec to the meaning of its agents.

::

    read      the files                                         (source)
    parse     text -> syntax tree                               (lang.parser)
    check     names, types, units, items -> CheckedSpec         (lang.checker)
    configure settings and backends that the compiler knows     (compiler.configuration)
    lower     CheckedSpec -> AgentIR, all sugar gone            (compiler.lower)
    bound     rewards that could be infinite                    (compiler.boundedness)
    fit       settings and tasks against the environment        (compiler.training_fit)
    linear    what is stepped `by exact` must be                (compiler.systems.linear)
    examples  run against the reference semantics               (compiler.examples)
    sanity    satisfiable, not valid, violable, not vacuous     (compiler.sanity)
    equality  what `expect a == b` says of machines, formulas   (compiler.equality)

:func:`check` does all of this in plain Python. What is heavier hooks in behind it, each a function of the agents
that come out of it: the artifacts of the backends (``compiler.backends``) and the bundle (``compiler.bundle``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agentc.compiler.agent import AgentIR, SignalIR
from agentc.compiler.boundedness import can_be_infinite
from agentc.compiler.configuration import check_configuration
from agentc.compiler.costs import beyond_a_step
from agentc.compiler.equality import check_equalities
from agentc.compiler.examples import failures, run_examples
from agentc.compiler.free_names import free_names
from agentc.compiler.logic.ir import Formula
from agentc.compiler.lower import Lowering, lower
from agentc.compiler.sanity import sanity
from agentc.compiler.systems.linear import not_linear
from agentc.compiler.training_fit import misfits
from agentc.lang import ast
from agentc.lang.checked import CheckedSpec
from agentc.lang.checker import check_module, ordered
from agentc.lang.diagnostics import AgentcError, Annotation, Diagnostic, Severity, report
from agentc.lang.elaborate import Elaborator
from agentc.lang.imports import Library
from agentc.lang.parser import parse, parse_formula
from agentc.lang.scope import Scope, Symbol
from agentc.lang.source import Source, read_source
from agentc.lang.spelling import nearest
from agentc.lang.types import BOOL, REAL, Type
from agentc.lang.units import DIMENSIONLESS, parse_unit

_GIVEN = "-p "
"""How the value of a parameter is shown, where something is wrong with it."""


@dataclass(frozen=True)
class CheckResult:
    """What came of checking some files.

    ``modules`` and ``specs`` are one for each source, in order; ``agents`` are those of the files without an error.
    """

    sources: tuple[Source, ...]
    modules: tuple[ast.Module, ...]
    specs: tuple[CheckedSpec, ...]
    agents: tuple[AgentIR, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing found is an error."""
        return all(d.severity is not Severity.ERROR for d in self.diagnostics)

    def agent(self, name: str) -> AgentIR:
        """The agent of that name. Raises ``KeyError``."""
        for agent in self.agents:
            if agent.name == name:
                return agent
        raise KeyError(name)


def check(
    sources: Source | Iterable[Source],
    *,
    root: str | None = None,
    parameters: Mapping[str, str] | None = None,
    allow_extern: Iterable[str] = (),
    examples: bool = True,
) -> CheckResult:
    """Check specs, from their text to the meaning of their agents.

    Args:
        sources: the files; see :func:`read`.
        root: the folder that imports may reach; without it only the standard library.
        parameters: values of ``param``s as texts, in the language's own syntax (``-p radius=0.5``).
        allow_extern: the Python modules whose functions may label signals.
        examples: whether to run the examples.
    """
    files = (sources,) if isinstance(sources, Source) else tuple(sources)
    library = Library(root)
    found: list[Diagnostic] = []
    given = _parameters(parameters or {}, found)
    modules: list[ast.Module] = []
    specs: list[CheckedSpec] = []
    agents: list[AgentIR] = []
    for source in files:
        parsed = parse(source)
        broken = _failed(parsed.diagnostics)
        spec = check_module(parsed.module, library, given, allow_extern, broken=broken)
        here = [*parsed.diagnostics, *spec.diagnostics, *check_configuration(spec)]
        if not _failed(here):
            lowered = lower(spec)
            for agent, written in zip(lowered, spec.agents, strict=True):
                here.extend(unclipped_rewards(agent))
                here.extend(beyond_a_step(agent))
                here.extend(misfits(agent, None if written.train is None else written.train.algorithm_span))
                if agent.system is not None:
                    here.extend(not_linear(agent.system))
                if examples:
                    here.extend(failures(run_examples(agent)))
                here.extend(d for d in sanity(agent) if not _said(d, here))
                here.extend(check_equalities(agent))
            if not _failed(here):
                agents.extend(lowered)
        here.extend(_agents_elsewhere(spec, specs))
        modules.append(parsed.module)
        specs.append(spec)
        found.extend(ordered(here))
    found = [_of_parameter(d, parameters or {}) for d in found]
    found.extend(_unknown_parameters(given, specs))
    return CheckResult(files, tuple(modules), tuple(specs), tuple(agents), tuple(found))


def read(path: str, shown: str | None = None) -> Source:
    """The text of a file under the name ``shown``. Raises ``AgentcError`` (AS0140 to AS0145) if it cannot be read."""
    found = read_source(path, shown)
    if found.source is None:
        raise AgentcError(found.diagnostics)
    return found.source


def compile_formula(
    text: str, signals: Iterable[SignalIR] | None = None, *, step: float | None = None
) -> Formula:
    """The formula that a text denotes.

    Unless ``signals`` are given, its names are Boolean signals, real ones where a number is asked for. ``step`` is the
    duration of a step in seconds, where one is known: intervals may then be in time.

    Raises ``AgentcError`` with all that is wrong in the text.
    """
    source = Source("<formula>", text)
    expr, wrong = parse_formula(source)
    if expr is None or _failed(wrong):
        raise AgentcError(wrong)
    scope = Scope(step=step)
    for signal in signals or ():
        unit = parse_unit(signal.unit) if signal.unit else DIMENSIONLESS
        of = Type(signal.kind, signal.members, signal.lo, signal.hi, unit, signal.size)
        scope.define(Symbol(signal.name, "signal", of))
    if signals is None:
        for name, numeric in free_names(expr).items():
            scope.define(Symbol(name, "signal", REAL if numeric else BOOL))
    elaborator = Elaborator()
    typed = elaborator.formula(expr, scope)
    found = ordered([*wrong, *elaborator.diagnostics])
    if _failed(found):
        raise AgentcError(found)
    return Lowering().formula(typed)


# ---------------------------------------------------------------- passes of one page


def unclipped_rewards(agent: AgentIR) -> list[Diagnostic]:
    """Rewards by robustness that could be infinite and have no ``clip``."""
    declared = (*(agent.environment.signals if agent.environment else ()), *agent.signals)
    kinds = {s.name: s.kind for s in declared}
    return [
        report("AS0507", term.span, name=term.name)
        for term in (agent.reward.terms if agent.reward else ())
        if term.kind == "robustness" and term.clip is None and term.formula is not None
        and can_be_infinite(term.formula, kinds)
    ]  # fmt: skip


def _said(finding: Diagnostic, already: Iterable[Diagnostic]) -> bool:
    """Whether an atom that is constant by its types was reported as a comparison of constants before."""
    if finding.code not in ("AS0525", "AS0526") or finding.span is None:
        return False
    inside = [d.span for d in already if d.code == "AS0322" and d.span is not None]
    return any(finding.span.start <= s.start and s.stop <= finding.span.stop for s in inside)


def _failed(found: Iterable[Diagnostic]) -> bool:
    return any(d.severity is Severity.ERROR for d in found)


def _agents_elsewhere(spec: CheckedSpec, before: Iterable[CheckedSpec]) -> list[Diagnostic]:
    """Agents whose names an agent of another file has already: their artifacts would overwrite each other."""
    first = {agent.name: agent.name_span for other in before for agent in other.agents}
    return [
        report("AS0201", agent.name_span, name=agent.name, annotations=(Annotation(first[agent.name], "first here"),))
        for agent in spec.agents
        if agent.name in first
    ]


def _parameters(texts: Mapping[str, str], found: list[Diagnostic]) -> dict[str, ast.Expr]:
    """The values of parameters that can be read; for the others a finding."""
    values: dict[str, ast.Expr] = {}
    for name, text in texts.items():
        expr, wrong = parse_formula(Source(f"{_GIVEN}{name}", text))
        if expr is None or _failed(wrong):
            reason = wrong[0].message if wrong else "it is no value"
            found.append(report("AS0607", wrong[0].span if wrong else None, name=name, value=text, reason=reason))
        else:
            values[name] = expr
    return values


def _of_parameter(found: Diagnostic, texts: Mapping[str, str]) -> Diagnostic:
    """What is wrong with a value that was given from outside is said of the parameter."""
    if found.span is None or not found.span.source.name.startswith(_GIVEN) or found.severity is not Severity.ERROR:
        return found
    if found.code == "AS0607":  # it has been said
        return found
    name = found.span.source.name.removeprefix(_GIVEN)
    return report("AS0607", found.span, name=name, value=texts[name], reason=found.message)


def _unknown_parameters(given: Mapping[str, ast.Expr], specs: Iterable[CheckedSpec]) -> list[Diagnostic]:
    """Parameters that no spec has."""
    known = sorted({name for spec in specs for scope in spec.scopes.values() for name in scope.names("param")})
    found = []
    for name, value in given.items():
        if name not in known:
            listed = ", ".join(f"`{k}`" for k in known) or "none"
            found.append(report("AS0606", value.span, name=name, known=listed, suggestion=nearest(name, known)))
    return found
