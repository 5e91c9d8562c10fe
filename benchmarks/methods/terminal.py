"""A baseline that several experiments share: PPO that is paid the robustness of the whole trace when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from agentc.compiler.agent import AgentIR


def terminal_robustness(agent: AgentIR, seed: int, folder: Path, steps: int, starts: int) -> Mapping[str, float]:
    """Train for ``steps`` environment steps; from how many of ``starts`` fresh starts the formulas hold.

    Settings are those of the other arms where those have them, and PPO's defaults; rewards are not discounted.
    """
    from agentc.compiler.signals.robustness import compile_robustness
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.learn.ppo import PPOConfig
    from agentc.runtime.learn.train import Finish, train
    from agentc.runtime.planning.problem import problem_of
    from agentc.runtime.subgoals.terminal import TerminalVectorEnv

    problem = problem_of(agent)
    env = TerminalVectorEnv(problem, 256)
    config = PPOConfig(
        steps=steps, seed=seed, envs=256, rollout=problem.last, discount=1.0, entropy_coef=0.003,
        learning_rate=1e-3, normalize_observations=True,
    )  # fmt: skip
    if train(env, config, folder, resume=True).finish is not Finish.COMPLETE:
        raise KeyboardInterrupt
    policy, simulator = Policy.load(folder), problem.simulator
    rng = np.random.default_rng([seed, 11])
    state, mode = simulator.start(np.random.default_rng([seed, 12]), starts)
    traces = np.zeros((starts, problem.last + 1, state.shape[1] + len(problem.system.inputs)))
    traces[:, 0, : state.shape[1]] = state
    for t in range(problem.last):
        action = policy.act(env.observed(state, t), None, None).astype(float)
        state, mode = simulator.step(state, mode, action, simulator.noise(rng, starts))
        traces[:, t + 1] = np.concatenate([state, action], axis=1)
    formula = compile_robustness(problem.formula, problem.signals)
    return {"satisfied": float(np.mean(formula.satisfaction_at(traces)))}
