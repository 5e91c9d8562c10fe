"""The values of the slots by name, and the learners that compose them.

A new algorithm is one row of :data:`LEARNERS` (its configuration and its learner), its schema in
:data:`agentc.compiler.training_config.TRAINERS`, and nothing in the loop. A new value of a slot is a file in that
slot's folder and one row of the slot's table; :func:`values` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np
import torch

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.architecture import Architecture, architecture_for
from agentc.runtime.learn.configuration import TrainingConfig
from agentc.runtime.learn.context.returns import conditioned_space
from agentc.runtime.learn.context.window import HistoryVector
from agentc.runtime.learn.descent_config import DescentConfig, WithAgent, refusal
from agentc.runtime.learn.learner import Learner
from agentc.runtime.learn.machine_config import MachineConfig, WithMachines
from agentc.runtime.learn.ppo import PPOLearner
from agentc.runtime.learn.predictive import Modelled, NPCConfig
from agentc.runtime.learn.tgpo import Guided
from agentc.runtime.learn.vector import Controlled, VectorEnv

MakeLearner = Callable[[Architecture, Any, torch.Generator], Learner]

LEARNERS: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    "ppo": ("agentc.runtime.learn.ppo:PPOConfig", "agentc.runtime.learn.ppo:PPOLearner", {}),
    "tgpo": ("agentc.runtime.learn.tgpo:TGPOConfig", "agentc.runtime.learn.ppo:PPOLearner", {}),
    "npc": (
        "agentc.runtime.learn.predictive:NPCConfig",
        "agentc.runtime.predictive.learner:npc",
        {"head": "deterministic", "critic": False},
    ),
    "dqn": (
        "agentc.runtime.learn.off_policy_config:DQNConfig",
        "agentc.runtime.learn.off_policy:dqn",
        {"head": "values", "critic": False},
    ),
    "sac": (
        "agentc.runtime.learn.off_policy_config:SACConfig",
        "agentc.runtime.learn.off_policy:sac",
        {"head": "soft", "critic": False},
    ),
    "td3": (
        "agentc.runtime.learn.off_policy_config:TD3Config",
        "agentc.runtime.learn.off_policy:td3",
        {"head": "deterministic", "critic": False},
    ),
    "rlpd": (
        "agentc.runtime.learn.off_policy_config:RLPDConfig",
        "agentc.runtime.learn.off_policy:rlpd",
        {"head": "soft", "critic": False},
    ),
    "bc": ("agentc.runtime.learn.off_policy_config:BCConfig", "agentc.runtime.learn.offline:bc", {"critic": False}),
    "dt": (
        "agentc.runtime.learn.off_policy_config:DTConfig",
        "agentc.runtime.learn.offline:dt",
        {"critic": False, "memory": "decision"},
    ),
    "iql": ("agentc.runtime.learn.off_policy_config:IQLConfig", "agentc.runtime.learn.offline:iql", {}),
    "td3_bc": (
        "agentc.runtime.learn.off_policy_config:TD3BCConfig",
        "agentc.runtime.learn.offline:td3_bc",
        {"head": "deterministic", "critic": False},
    ),
    "q": (
        "agentc.runtime.learn.machine_config:QConfig",
        "agentc.runtime.learn.table_learner:TableLearner",
        {"head": "values", "critic": False},
    ),
    "crm": (
        "agentc.runtime.learn.machine_config:CRMConfig",
        "agentc.runtime.learn.machine_learner:MachineLearner",
        {"head": "values", "critic": False},
    ),
    "descent": (
        "agentc.runtime.learn.descent_config:DescentConfig",
        "agentc.runtime.learn.descent:DescentLearner",
        {"head": "deterministic", "critic": False},
    ),
}
"""By algorithm: its configuration, its learner, and what its deployed network is (see ``architecture_for``)."""

VALUES: dict[str, str] = {
    "credit": "agentc.runtime.learn.credit.estimators:CREDITS",
    "replay": "agentc.runtime.learn.off_policy:REPLAYS",
    "teacher": "agentc.runtime.learn.starts:TEACHERS",
    "reset": "agentc.runtime.learn.starts:RESETS",
    "weighting": "agentc.runtime.learn.demonstrations.weighting:WEIGHTINGS",
}
"""By slot: the table of its values."""


def configuration_class(algorithm: str) -> type[TrainingConfig]:
    """The typed configuration of an algorithm. Raises ``KeyError``."""
    found: type[TrainingConfig] = _load(LEARNERS[algorithm][0])
    return found


def values(slot: str) -> tuple[str, ...]:
    """The names of a slot's values. Raises ``KeyError``."""
    return tuple(_load(VALUES[slot]))


def prepare(env: VectorEnv, config: TrainingConfig, generator: torch.Generator) -> tuple[VectorEnv, Learner]:
    """The environment as the learner sees it, and the learner, with weights drawn from ``generator``.

    Raises :class:`AgentcError` (AS0940, AS1361, AS1531) for spaces that the algorithm cannot use.
    """
    _, maker, network = LEARNERS[config.algorithm]
    if isinstance(config, DescentConfig):
        if not isinstance(env, WithAgent):
            raise TypeError("`descent` learns from declared dynamics: the environment has no agent")
        why = refusal(env.compiled.agent, config)
        if why is not None:
            raise AgentcError([report("AS1361", None, agent=env.compiled.agent.name, reason=why)])
    observed = env.observation_space
    if network.get("memory") == "decision":
        observed = conditioned_space(observed, env.action_space, config.history)
    elif config.history > 0:
        env = HistoryVector(env, config.history)
        observed = env.observation_space
    options = {"memory": config.memory, **network}
    hidden = str(getattr(config, "privileged", "")).split()
    if isinstance(config, DescentConfig):  # a policy of the state alone
        spaces = getattr(env.observation_space, "spaces", {})
        hidden = [key for key in spaces if key != "observation"]
    architecture = architecture_for(
        observed,
        env.action_space,
        hidden=config.hidden,
        layers=config.layers,
        activation=config.activation,
        encoder=config.encoder,
        normalize=config.normalize_observations,
        privileged=tuple(hidden),
        sequences=config.history > 0,
        **options,
    )
    if isinstance(config, MachineConfig):
        if not isinstance(env, WithMachines):
            raise TypeError(f"`{config.algorithm}` learns from reward machines: the environment has no table of them")
        return env, _load(maker)(architecture, config, generator, env.table)
    if isinstance(config, DescentConfig) and isinstance(env, WithAgent):
        return env, _load(maker)(architecture, config, generator, env.compiled.agent)
    if isinstance(config, NPCConfig):
        if not isinstance(env, Modelled):
            raise TypeError(f"`{config.algorithm}` learns through a declared system: the environment has none")
        return env, _load(maker)(architecture, config, generator, env.problem)
    make: MakeLearner = _load(maker)
    learner = make(architecture, config, generator)
    if isinstance(env, Guided):
        assert isinstance(learner, PPOLearner)
        env.worth = learner.worth
    if getattr(config, "counterfactual", False) and isinstance(env, WithMachines):
        from agentc.runtime.learn.off_policy import OffPolicyLearner
        from agentc.runtime.learn.replay.counterfactual import Counterfactual

        assert isinstance(learner, OffPolicyLearner)
        learner.relabel = Counterfactual(env.table, config.discount)
    name = str(getattr(config, "box", ""))
    if name:
        _keep_in_box(env, learner, config, name)
    return env, learner


def _keep_in_box(env: VectorEnv, learner: Learner, config: Any, name: str) -> None:
    """M11: actions around those of a controller of the environment, in a box that grows. Raises AS1508."""
    from agentc.runtime.learn.objectives.td3 import TD3
    from agentc.runtime.learn.off_policy import OffPolicyLearner
    from agentc.runtime.learn.shields.box import BoxSchedule

    controller = env.controller(name) if isinstance(env, Controlled) else None
    if controller is None:
        why = f"{type(env).__name__} has no such controller"
        raise AgentcError([report("AS1508", None, setting=f"box = {name}", agent="it", reason=why)])
    assert isinstance(learner, OffPolicyLearner) and isinstance(learner.objective, TD3)
    head = learner.architecture.action
    steps = max(1, round(config.box_share * config.steps))
    learner.objective.keep_in(BoxSchedule(controller, np.array(head.low), np.array(head.high), config.box_width, steps))


def _load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
