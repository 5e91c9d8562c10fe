"""From spec files to bundles and back: what `agentc compile`, :func:`agentc.compile` and :func:`agentc.load` do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from agentc.compiler.agent import AgentIR
from agentc.compiler.arithmetic import ROUNDING, Arithmetic, with_arithmetic
from agentc.compiler.backends.base import backends
from agentc.compiler.bundle import Bundle, read_bundle, write_bundle
from agentc.compiler.imported import automata_files
from agentc.compiler.logic.alphabet import deciding
from agentc.compiler.pipeline import CheckResult, check, read
from agentc.compiler.writer import content_files
from agentc.lang.diagnostics import AgentcError, Diagnostic, Severity, report
from agentc.lang.source import Source
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.report.page import FormulaSection, ReportPage, render_page

BUILD = Path("build")
DISTRIBUTION = "agentspec-compiler"


@dataclass(frozen=True)
class Compilation:
    """What came of compiling some files: the bundles, one per agent in order, and everything found."""

    bundles: tuple[Path, ...]
    agents: tuple[AgentIR, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing found is an error; if one is, nothing was written."""
        return all(d.severity is not Severity.ERROR for d in self.diagnostics)


def compile_checked(result: CheckResult, out: Path = BUILD) -> Compilation:
    """Derive every artifact of checked agents and write their bundles; with an error nothing is written."""
    found = list(result.diagnostics)
    derived: list[tuple[AgentIR, list[Source], dict[str, bytes]]] = []
    if result.ok:
        for source, spec in zip(result.sources, result.specs, strict=True):
            names = {agent.name for agent in spec.agents}
            for agent in result.agents:
                if agent.name in names:
                    found = with_arithmetic(agent, found)
                    with deciding(Arithmetic(ROUNDING)):
                        artifacts, more = derive(agent)
                    found.extend(more)
                    artifacts["index.html"] = render_page(spec_page(agent, source, artifacts)).encode()
                    files = [] if agent.writer is None else content_files(agent.writer)
                    derived.append((agent, [source, *automata_files(spec), *files], artifacts))
    if any(d.severity is Severity.ERROR for d in found):
        return Compilation((), result.agents, tuple(found))
    paths = [
        write_bundle(out, agent, files, artifacts, version=version(DISTRIBUTION))
        for agent, files, artifacts in derived
    ]
    return Compilation(tuple(paths), result.agents, tuple(found))


STEPWISE_BACKENDS = ("automaton", "monitor", "reward")
"""What an agent that is judged on whole traces goes without: its formulas may be such as no automaton can hold."""


def derive(agent: AgentIR) -> tuple[dict[str, bytes], list[Diagnostic]]:
    """The artifacts of all backends for an agent, by path; what a backend refuses is among the diagnostics."""
    artifacts: dict[str, bytes] = {}
    found: list[Diagnostic] = []
    if agent.judged_on_traces:
        found.append(report("AS1541", None, agent=agent.name))
    for name, backend in backends().items():
        if agent.judged_on_traces and name in STEPWISE_BACKENDS:
            continue
        try:
            emission = backend.emit(agent)
        except AgentcError as error:
            found.extend(d for d in error.diagnostics if d not in found)
            continue
        # what a backend cannot do yet stays in the IR: compiling goes on, the command that needs it refuses
        found.extend(
            replace(d, severity=Severity.NOTE) if d.code == "AS0701" else d
            for d in emission.diagnostics
            if d not in found
        )
        artifacts.update((artifact.path, artifact.text.encode()) for artifact in emission.artifacts)
    return artifacts, found


def formula_sections(agent: AgentIR, artifacts: Mapping[str, bytes]) -> tuple[FormulaSection, ...]:
    """The formulas of an agent as sections of a page, with their drawings where the bundle has them."""
    sections = []
    for item in agent.formulas:
        drawing = artifacts.get(f"automata/{item.name}.svg")
        sections.append(
            FormulaSection(item.name, item.role, item.source, item.reading, drawing.decode() if drawing else None)
        )
    return tuple(sections)


def settings_rows(settings: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """A configuration as rows of a table."""
    return tuple((name, str(value)) for name, value in settings.items())


def environment_rows(agent: AgentIR) -> tuple[tuple[str, str], ...]:
    """The environment of an agent and its signals as rows of a table."""
    environment = agent.environment
    if environment is None:
        return ()
    arguments = ", ".join(f"{name} = {value}" for name, value in environment.arguments.items())
    rows = [("environment", f"{environment.name}({arguments})")]
    if environment.step is not None:
        rows.append(("step", f"{environment.step:g} s"))
    if environment.horizon is not None:
        rows.append(("horizon", f"{environment.horizon} steps"))
    for signal in environment.signals:
        kind = f"one of {', '.join(signal.members)}" if signal.members else signal.kind
        rows.append((signal.name, f"{kind}{f' [{signal.unit}]' if signal.unit else ''}. {signal.doc or ''}".strip()))
    return tuple(rows)


def missing_lines(agent: AgentIR) -> tuple[str, ...]:
    """What the agent declares and no backend makes yet."""
    return tuple(f"{o.construct} {o.name}: waits for the {o.backend} backend" for o in agent.outlines)


def spec_page(agent: AgentIR, source: Source, artifacts: Mapping[str, bytes]) -> ReportPage:
    """What every page on an agent shows: the spec, its reading, its automata, its environment and settings."""
    return ReportPage(
        title=agent.name,
        doc=agent.doc or "",
        spec=source.text,
        formulas=formula_sections(agent, artifacts),
        environment=environment_rows(agent),
        training=settings_rows(agent.train.settings) if agent.train else (),
        missing=missing_lines(agent),
        footer=f"Compiled by agentc {version(DISTRIBUTION)}.",
    )


def compile(  # the public name is agentc.compile
    files: str | Path | Sequence[str | Path],
    out: str | Path = BUILD,
    *,
    parameters: Mapping[str, str] | None = None,
    allow_extern: Iterable[str] = (),
) -> tuple[CompiledAgent, ...]:
    """Compile spec files and return their agents, ready for :func:`agentc.wrap`; bundles are written below ``out``.

    Raises :class:`agentc.AgentcError` with everything that is wrong; then nothing is written.
    """
    paths = [files] if isinstance(files, str | Path) else list(files)
    sources = [read(str(path)) for path in paths]
    root = str(Path(paths[0]).resolve().parent) if paths else None
    done = compile_checked(
        check(sources, root=root, parameters=parameters, allow_extern=allow_extern), Path(out)
    )
    if not done.ok:
        raise AgentcError(d for d in done.diagnostics if d.severity is Severity.ERROR)
    return tuple(CompiledAgent.from_ir(agent, allow_extern=allow_extern) for agent in done.agents)


def load(path: str | Path) -> CompiledAgent:
    """The agent of a bundle. Raises :class:`agentc.AgentcError` (AS08xx) for a bundle that is not whole."""
    return compiled_of(read_bundle(Path(path)))


def compiled_of(bundle: Bundle) -> CompiledAgent:
    """The agent of a bundle that was read."""
    return CompiledAgent.from_ir(bundle.agent)
