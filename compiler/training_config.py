"""What a ``train`` block may say: each algorithm's settings as plain data.

``agentc check`` reads this table (no learner, no torch) to validate a block and to propose the nearest
valid key; the learners build their configurations from the validated mapping, and a test holds the two
together. A learner adds itself with one row of :data:`TRAINERS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentc.compiler.settings import Given, Scalar, TrainerSchema, check_against, described, nearest
from agentc.compiler.training_machines import CRM, Q
from agentc.compiler.training_online import DQN, PPO, REINFORCE, RLPD, SAC, TD3
from agentc.compiler.training_recorded import BC, DT, IQL, TD3_BC
from agentc.compiler.training_systems import DESCENT, NPC, TGPO
from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.lang.source import Span

TRAINERS: dict[str, TrainerSchema] = {
    schema.algorithm: schema
    for schema in (PPO, REINFORCE, TGPO, NPC, DQN, SAC, TD3, RLPD, BC, IQL, TD3_BC, DT, Q, CRM, DESCENT)
}
"""Every algorithm that a ``train`` block may name."""
STATE_POLICIES: frozenset[str] = frozenset(("descent",))
"""Those that learn from the formulas themselves, of the state alone: they need no reward and can end with a proof."""


def proved_names(until: str | None) -> tuple[str, ...]:
    """The formulas that ``train ... until proved(f) & proved(g)`` is to end with proved; none for other conditions."""
    return tuple(re.findall(r"proved\((\w+)\)", until or ""))


def check_algorithm(name: str, span: Span | None) -> Diagnostic | None:
    """The diagnostic for an algorithm that does not exist, or None."""
    if name in TRAINERS:
        return None
    known = ", ".join(f"`{a}`" for a in TRAINERS)
    return report("AS0610", span, name=name, known=known, suggestion=nearest(name, TRAINERS))


def check_settings(algorithm: str, given: Mapping[str, Given]) -> tuple[dict[str, Scalar], list[Diagnostic]]:
    """Validate the settings of a ``train`` block.

    Returns every key of the algorithm with its value (the default where none or a wrong one was given) and
    the diagnostics. ``algorithm`` is in :data:`TRAINERS`.
    """
    return check_against(TRAINERS[algorithm], given)


def describe(topic: str) -> str:
    """What a setting means, or all of an algorithm's, or which algorithms there are.

    Topics are ``train``, ``train.ppo``, ``train.ppo.envs``. Raises ``AgentcError`` for what is not there.
    """
    words = topic.split(".")
    if len(words) == 1:
        return "".join(f"train.{schema.algorithm}: {schema.doc}\n" for schema in TRAINERS.values())
    schema = TRAINERS.get(words[1])
    if schema is None:
        found = check_algorithm(words[1], None)
        raise AgentcError([found] if found is not None else [])
    settings = {s.name: s for s in schema.settings}
    if len(words) == 2:
        head = f"train.{schema.algorithm}: {schema.doc}\n\n"
        return head + "".join(described(s) for s in settings.values())
    name = ".".join(words[2:])
    if name not in settings:
        near = nearest(name, list(settings))
        raise AgentcError([report("AS0611", None, algorithm=schema.algorithm, name=name, suggestion=near)])
    return described(settings[name])
