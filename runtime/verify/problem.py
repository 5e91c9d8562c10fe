"""What a method is asked: one ``verify`` item of an agent, and where the files are that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

from agentc.compiler.agent import AgentIR, VerifyIR
from agentc.compiler.verify_config import METHODS, TRAINED
from agentc.lang.diagnostics import AgentcError, report

Progress = Callable[[str], None]
"""Is told, now and then, how far a method has come."""


def silent(_: str) -> None:
    """Progress that nobody reads."""


@dataclass(frozen=True)
class Problem:
    """One item.

    Attributes:
        agent: whose item it is.
        item: the item.
        folder: what relative paths in the spec are relative to.
        seconds: the time that the methods may take together.
        progress: is told how far it is.
        started: when the item was begun, by the monotonic clock.
        policy: the ONNX file of the policy that was trained for the agent, if there is one.
    """

    agent: AgentIR
    item: VerifyIR
    folder: Path = Path(".")
    seconds: float = 60.0
    progress: Progress = silent
    started: float = field(default_factory=monotonic)
    policy: Path | None = None

    @property
    def name(self) -> str:
        """The formula's name, or its text."""
        return self.item.name or self.item.source

    @property
    def role(self) -> str:
        """How the formula is judged: ``safe`` (no prefix is finally false) or ``task`` (on the whole trace)."""
        if self.item.name is not None:
            for known in self.agent.formulas:
                if known.name == self.item.name:
                    return "safe" if known.role == "safe" else "task"
        return "task"

    def left(self) -> float:
        """Seconds that are left."""
        return self.started + self.seconds - monotonic()

    def settings(self, method: str) -> Mapping[str, Any]:
        """The settings of a method: those of the item where it names the method, else the defaults."""
        if self.item.method == method:
            return self.item.settings
        return METHODS[method].defaults()

    def network_file(self, controller: str) -> Path | None:
        """The file of a controller that is a network: an ONNX file of the folder, or what was trained; else None.

        Raises :class:`AgentcError` (AS1364) if there is no trained policy.
        """
        if controller != TRAINED:
            return self.folder / controller if controller.endswith(".onnx") else None
        if self.policy is None or not self.policy.is_file():
            raise AgentcError([report("AS1364", self.item.span, agent=self.agent.name)])
        return self.policy

    def within(self, seconds: float) -> Problem:
        """The same with at most so much time from now on."""
        return replace(self, seconds=min(seconds, self.left()), started=monotonic())


def problem_of(
    agent: AgentIR, index: int, folder: Path = Path("."), progress: Progress = silent, policy: Path | None = None
) -> Problem:
    """The ``index``-th item of an agent, with the time that it gives itself."""
    item = agent.verifies[index]
    seconds = float(item.settings.get("time", 60.0))  # type: ignore[arg-type]
    return Problem(agent, item, folder, seconds, progress, policy=policy)
