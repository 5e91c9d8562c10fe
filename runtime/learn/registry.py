"""The values of the slots by name, and the learners that compose them.

A new algorithm is one row of :data:`LEARNERS` (its configuration and its learner), its schema in
:data:`agentc.compiler.training_config.TRAINERS`, and nothing in the loop. A new value of a slot is a file in that
slot's folder and one row of the slot's table; :func:`values` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import torch

from agentc.runtime.learn.architecture import Architecture, architecture_for
from agentc.runtime.learn.configuration import TrainingConfig
from agentc.runtime.learn.context.returns import conditioned_space
from agentc.runtime.learn.context.window import HistoryVector
from agentc.runtime.learn.learner import Learner
from agentc.runtime.learn.vector import VectorEnv

MakeLearner = Callable[[Architecture, Any, torch.Generator, VectorEnv], Learner]
"""From the network, the configuration, the source of weights, and the environment, of which it may ask more."""

LEARNERS: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    "ppo": ("agentc.runtime.learn.ppo:PPOConfig", "agentc.runtime.learn.ppo:ppo", {}),
    "reinforce": (
        "agentc.runtime.learn.reinforce:ReinforceConfig",
        "agentc.runtime.learn.reinforce:reinforce",
        {},
    ),
    "tgpo": ("agentc.runtime.learn.tgpo:TGPOConfig", "agentc.runtime.learn.tgpo:tgpo", {}),
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
        "agentc.runtime.learn.table_learner:q",
        {"head": "values", "critic": False},
    ),
    "crm": (
        "agentc.runtime.learn.machine_config:CRMConfig",
        "agentc.runtime.learn.machine_learner:crm",
        {"head": "values", "critic": False},
    ),
    "descent": (
        "agentc.runtime.learn.descent_config:DescentConfig",
        "agentc.runtime.learn.descent:descent",
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

    Raises :class:`AgentcError` (AS0940, AS1531) for spaces that the algorithm cannot use, what the configuration has
    against the environment (AS1361), and what reading recorded data raises.
    """
    _, maker, network = LEARNERS[config.algorithm]
    config.refuse(env)
    observed = env.observation_space
    if network.get("memory") == "decision":
        observed = conditioned_space(observed, env.action_space, config.history)
    elif config.history > 0:
        env = HistoryVector(env, config.history)
        observed = env.observation_space
    options = {"memory": config.memory, **network}
    architecture = architecture_for(
        observed,
        env.action_space,
        hidden=config.hidden,
        layers=config.layers,
        activation=config.activation,
        encoder=config.encoder,
        normalize=config.normalize_observations,
        privileged=config.unseen(observed),
        sequences=config.history > 0,
        symmetry=config.symmetry,
        **options,
    )
    make: MakeLearner = _load(maker)
    return env, make(architecture, config, generator, env)


def _load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
