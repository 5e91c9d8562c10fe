"""Training the agent of a spec: its environment, its learner, its run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from agentc.compiler.agent import AgentIR, Literalish
from agentc.compiler.settings import Scalar
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.collect.workers import WorkerVector
from agentc.runtime.learn.configuration import CollectingConfig, StartingConfig, TrainingConfig
from agentc.runtime.learn.machine_config import MachineConfig
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.predictive import NPCConfig
from agentc.runtime.learn.registry import LEARNERS, configuration_class
from agentc.runtime.learn.starts import Starts
from agentc.runtime.learn.stopping import stopping
from agentc.runtime.learn.tgpo import TGPOConfig
from agentc.runtime.learn.train import Callback, TrainResult, train
from agentc.runtime.machine_table import tabulate
from agentc.runtime.planning.problem import Problem, problem_of
from agentc.runtime.predictive.model import Model, ModelEnv
from agentc.runtime.predictive.predicting import Predicting, Predictor
from agentc.runtime.runs import Run, begin_run
from agentc.runtime.shield import FILE, ShieldTable
from agentc.runtime.spec_vector import SpecVectorEnv
from agentc.runtime.spec_workers import spec_workers
from agentc.runtime.subgoals.following import Following
from agentc.runtime.subgoals.training import follower_of, subgoal_vector
from agentc.runtime.subgoals.vector import SubgoalVectorEnv
from agentc.runtime.task_vector import TaskVectorEnv


def configuration(agent: AgentIR, seed: int | None = None, steps: int | None = None) -> TrainingConfig:
    """The learner's configuration of an agent, with seed and steps replaced where given.

    Raises :class:`AgentcError`: AS0964 if the agent has no ``train`` block, AS0711 for an algorithm that
    is not built yet.
    """
    if agent.train is None:
        raise AgentcError([report("AS0964", None, agent=agent.name, item="train")])
    if agent.train.algorithm not in LEARNERS:
        from agentc.compiler.planned import ALGORITHMS

        name = agent.train.algorithm
        raise AgentcError([report("AS0711", None, name=name, what=ALGORITHMS.get(name, name))])
    settings: Mapping[str, Literalish] = agent.train.settings
    discount = agent.reward.discount if agent.reward is not None else 0.99
    config = configuration_class(agent.train.algorithm).of(cast(Mapping[str, Scalar], settings), discount)
    if seed is not None:
        config = replace(config, seed=seed)
    return config if steps is None else replace(config, steps=steps)


def environment(
    compiled: CompiledAgent, config: TrainingConfig, shield: ShieldTable | None = None
) -> SpecVectorEnv | TaskVectorEnv | SubgoalVectorEnv | ModelEnv | WorkerVector:
    """The environments that an agent is trained in: with the table of its machines where the learner reads one.

    ``shield`` masks the actions.

    Raises :class:`AgentcError`: AS1500 to AS1502 where there can be no table, AS1344 where masks are not known, and
    what making the environment raises.
    """
    if isinstance(config, TGPOConfig):
        return subgoal_vector(compiled.agent, config)
    if isinstance(config, NPCConfig):
        problem = problem_of(compiled.agent)
        check_backup(problem, config.backup)
        return ModelEnv(problem, config.ahead)
    counterfactual = getattr(config, "counterfactual", False)
    if counterfactual and getattr(config, "n_step", 1) > 1:
        raise AgentcError([report("AS1504", None, agent=compiled.agent.name, n_step=config.n_step)])  # type: ignore[attr-defined]
    in_turn = isinstance(config, CollectingConfig) and config.tasks == "each"
    if not isinstance(config, CollectingConfig) or not (in_turn or counterfactual or isinstance(config, MachineConfig)):
        envs = config.envs if isinstance(config, CollectingConfig) else 1
        snapshots = isinstance(config, StartingConfig) and config.reset == "snapshots"
        if isinstance(config, StartingConfig) and config.workers > 0:
            return spec_workers(compiled, envs, config.workers, shield, snapshots)
        return SpecVectorEnv(compiled, envs, shield=shield, snapshots=snapshots)
    if shield is not None:
        why = "a learner that reads the table of the reward machines knows no masks"
        raise AgentcError([report("AS1344", None, agent=compiled.agent.name, why=why)])
    table = tabulate(compiled, each=in_turn)
    return TaskVectorEnv(compiled, table, config.envs, product=config.algorithm == "q")


def train_agent(
    compiled: CompiledAgent,
    config: TrainingConfig,
    run: Run,
    *,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    starts: Starts | None = None,
    told: Callable[[str], None] | None = None,
) -> TrainResult:
    """Train with ``config`` in the folder of ``run``; see :func:`agentc.runtime.learn.train.train`.

    ``told`` is told in a sentence how the environments are stepped.
    """
    shield = None
    if getattr(config, "shield", False):
        from agentc.runtime.verify.model.shield import agent_shield

        shield = agent_shield(compiled.agent)
    env = environment(compiled, config, shield)  # before anything is written: it may not be installed
    if told is not None and isinstance(env, SpecVectorEnv | WorkerVector):
        told(env.stepping)
    try:
        begin_run(run, compiled.agent)
        if shield is not None:
            shield.write(run.folder / FILE)
        stop = stopping(compiled.agent.train.until if compiled.agent.train is not None else None)
        ends = [*callbacks, stop] if stop is not None else callbacks
        return train(env, config, run.folder, resume=resume, callbacks=ends, starts=starts)
    finally:
        env.close()


def actor_of(compiled: CompiledAgent, run: Run) -> Policy | Following | Predicting:
    """Who acts in evaluations of a run: its policy, or who follows plans or predicts with it.

    Raises :class:`AgentcError`: AS0840 where there is no checkpoint, AS0841 where it is damaged.
    """
    policy = Policy.load(run.folder)
    config = configuration(compiled.agent, run.seed) if compiled.agent.judged_on_traces else None
    if isinstance(config, TGPOConfig):
        return Following(follower_of(compiled.agent, policy, config))
    if isinstance(config, NPCConfig):
        return Predicting(policy, predictor_of(compiled.agent, policy, config))
    return policy


def predictor_of(agent: AgentIR, policy: Policy, config: NPCConfig) -> Predictor:
    """Who predicts with a trained controller."""
    problem = problem_of(agent)
    check_backup(problem, config.backup)
    model = Model(problem, config.sharpness)
    return Predictor(policy.network, model, config.predict_every, config.refine, config.backup, config.search)


def check_backup(problem: Problem, name: str) -> None:
    """Raise :class:`AgentcError` (AS1542) for the name of a controller that the system does not declare."""
    declared = [controller.name for controller in problem.system.controllers]
    if name and name not in declared:
        known = ", ".join(f"`{n}`" for n in declared) or "none"
        raise AgentcError([report("AS1542", None, name=name, system=problem.system.name, known=known)])
