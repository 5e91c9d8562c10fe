"""From the arguments of a command to compiled agents, for the commands that run them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentc.lang.diagnostics import AgentcError, Severity, report
from agentc.runtime.cli.check import checked
from agentc.runtime.cli.output import show
from agentc.runtime.cli.specs import parameters

if TYPE_CHECKING:
    from agentc.compiler.pipeline import CheckResult
    from agentc.runtime.compiled import CompiledAgent

EXTRAS = {
    "torch": "train", "gymnasium": "train", "rich": "train", "safetensors": "train", "scipy": "train",
    "tensorboard": "train", "minigrid": "minigrid", "pygame": "classic", "highspy": "plan",
    "onnx": "verify", "onnxruntime": "verify", "z3": "verify", "cmaes": "verify",
}  # fmt: skip
"""The extra that installs a package."""


def missing_extra(error: ImportError) -> AgentcError:
    """The diagnostic for a package that a command needs and that is not installed; other errors are raised again."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        raise error
    return AgentcError([report("AS0967", None, package=package, extra=EXTRAS[package])])


def compiled_agents(
    files: Sequence[str], params: Sequence[str], allow_extern: Sequence[str], names: Sequence[str] = ()
) -> tuple[CheckResult, tuple[CompiledAgent, ...]]:
    """Check the files, show what was found, and build the agents (those named, or all).

    Raises :class:`AgentcError` if a file has an error, or if an agent that is named is not there (AS0203).
    """
    result = checked(files, parameters(params), allow_extern)
    if not result.ok:
        raise AgentcError(result.diagnostics)
    show(d for d in result.diagnostics if d.severity is not Severity.NOTE)
    known = [agent.name for agent in result.agents]
    for name in names:
        if name not in known:
            from agentc.lang.spelling import nearest

            raise AgentcError([report("AS0203", None, kind="agent", name=name, suggestion=nearest(name, known))])
    from agentc.runtime.compiled import CompiledAgent

    chosen = [agent for agent in result.agents if not names or agent.name in names]
    return result, tuple(CompiledAgent.from_ir(agent, allow_extern=allow_extern) for agent in chosen)


def spec_of(result: CheckResult, agent: str) -> Path:
    """The file that declares an agent."""
    for source, spec in zip(result.sources, result.specs, strict=True):
        if any(a.name == agent for a in spec.agents):
            return Path(source.name)
    raise KeyError(agent)
