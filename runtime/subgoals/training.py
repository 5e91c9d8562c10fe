"""What ``train tgpo`` makes of a spec: its plans, the environments that tell them, and who follows them afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from agentc.compiler.agent import AgentIR
from agentc.compiler.systems.initial import initial_boxes
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.tgpo import TGPOConfig
from agentc.runtime.planning.planner import program_of
from agentc.runtime.planning.problem import Problem, problem_of
from agentc.runtime.planning.travel import Travel
from agentc.runtime.subgoals.following import Follower
from agentc.runtime.subgoals.proposals import Pool
from agentc.runtime.subgoals.vector import Guidance, SubgoalVectorEnv, Told


def subgoal_pool(problem: Problem, config: TGPOConfig) -> Pool:
    """The plans of a problem. Raises :class:`AgentcError` (AS1201, AS1540)."""
    return Pool(problem.subgoals, config.pool, config.seed, _travel(problem))


def subgoal_vector(agent: AgentIR, config: TGPOConfig) -> SubgoalVectorEnv:
    """The environments of a run. Raises what :func:`agentc.runtime.planning.problem.problem_of` raises, and AS1540."""
    problem = problem_of(agent)
    guidance = Guidance(config.chain, config.temperature, config.fresh, config.explore)
    return SubgoalVectorEnv(problem, subgoal_pool(problem, config), config.envs, guidance, config.seed)


def follower_of(agent: AgentIR, policy: Policy, config: TGPOConfig) -> Follower:
    """Who follows the plans of an agent with a trained policy."""
    problem = problem_of(agent)
    return Follower(policy, Told(problem, subgoal_pool(problem, config)), config.scored, config.rolled)


def _travel(problem: Problem) -> Travel | None:
    """Travel times from wherever an episode may begin, where the system is linear; none where it is not."""
    boxes = initial_boxes(problem.system)
    try:
        program = program_of(problem)
    except AgentcError:
        return None
    if not boxes:
        return None
    lo, hi = np.min([b.lo for b in boxes], axis=0), np.max([b.hi for b in boxes], axis=0)
    return Travel(replace(program, start=(lo, hi)))
