"""The environments of a spec in processes of their own (:mod:`agentc.runtime.learn.collect.workers`)."""

from __future__ import annotations

from typing import Any

from agentc.compiler.codec import decode_agent, encode_agent
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.collect.workers import WorkerVector
from agentc.runtime.learn.statistics import FiguresByName
from agentc.runtime.shield import ShieldTable
from agentc.runtime.spec_vector import SpecVectorEnv
from agentc.runtime.watching import Watched


def spec_workers(
    compiled: CompiledAgent, num_envs: int, workers: int, shield: ShieldTable | None = None, snapshots: bool = False
) -> WorkerVector:
    """``num_envs`` environments that follow a spec, in ``workers`` processes; as :class:`SpecVectorEnv` otherwise.

    Raises :class:`AgentcError` if the environment cannot be made.
    """
    template = SpecVectorEnv(compiled, 1, shield=shield)
    given = {"agent": encode_agent(compiled.agent), "shield": shield, "snapshots": snapshots}
    return WorkerVector(template, f"{__name__}:made", given, num_envs, workers, Joining())


def made(first: int, count: int, agent: Any, shield: ShieldTable | None, snapshots: bool) -> SpecVectorEnv:
    """The environments of one process, in that process."""
    compiled = CompiledAgent.from_ir(decode_agent(agent))
    return SpecVectorEnv(compiled, count, shield=shield, snapshots=snapshots, first=first)


class Joining:
    """The figures of what all processes have watched; what one had met before it died is remembered."""

    def __init__(self) -> None:
        self._before: tuple[Watched, ...] = ()

    def __call__(self, parts: list[tuple[int, Watched]]) -> FiguresByName:
        """Figures of what the processes say, each with the number of its first environment."""
        whole = Watched.joined([*parts, *((0, w) for w in self._before)])
        self._before = (Watched(whole.visited),)
        return whole.figures()
