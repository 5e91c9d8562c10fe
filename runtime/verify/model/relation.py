"""What is recorded of an explored environment, for a certificate; and runs of it in a fresh environment.

The certificate is of the kind ``relation``: what its checking establishes is in
:mod:`agentc.runtime.verify.checker.relation`. The checker makes no environment, so here, before a proof is told, random
runs of the relation are repeated in a new one that is only reset and stepped, never put into a state: what it shows has
to be among what is recorded.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from agentc.compiler.agent import AgentIR
from agentc.compiler.codec import encode_agent
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.envs.registry import environment_of
from agentc.runtime.spec_signals import SignalSource
from agentc.runtime.verify.certificate import Certificate
from agentc.runtime.verify.model.certificates import pack
from agentc.runtime.verify.model.extracted import ExtractedModel
from agentc.runtime.verify.model.product import Product
from agentc.runtime.verify.problem import Problem

SAFE, ENDING = "no run of the recorded transitions violates it", "every run of {} recorded transitions satisfies it"
WORK = 4_000_000_000
"""Transitions times steps that the checker takes at most."""

RUNS, LENGTH = 32, 60
"""So many runs, of so many steps at most, are repeated."""


def relation_certificate(problem: Problem, p: Product, horizon: int | None) -> Certificate | None:
    """The pairs as an invariant of what is recorded; None if it would be too much to check."""
    assert isinstance(p.model, ExtractedModel)
    if horizon is not None and horizon * len(p.successor) > WORK:
        return None
    relation = recorded(p.model)
    text = json.dumps(relation, sort_keys=True, separators=(",", ":"), allow_nan=False)
    digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    subject = {"agent": encode_agent(problem.agent), "item": problem.agent.verifies.index(problem.item)}
    claim = {"holds": SAFE if horizon is None else ENDING.format(horizon), "steps": horizon, "relation": digest}
    table = np.stack([p.state, p.memory], axis=1).astype(np.int64)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    argument = {"pairs": pack(table), "count": len(table)}
    return Certificate("relation", {**subject, "relation": relation}, claim, argument)


def recorded(model: ExtractedModel) -> dict[str, Any]:
    """The relation as plain data: what is read, states by it, starts, and which state follows which."""
    rows: dict[str, int] = {}
    read: list[Any] = []

    def row(valuation: dict[str, Any] | None) -> int:
        if valuation is None:
            return -1
        text = json.dumps(valuation, sort_keys=True)
        if text not in rows:
            rows[text] = len(read)
            read.append(json.loads(text))
        return rows[text]

    triples = zip(model.valuations, model.before, model.first.tolist(), strict=True)
    states = np.array([[row(now), row(before), int(first)] for now, before, first in triples], np.int64)
    fan = np.diff(model.offsets)
    source = np.repeat(np.repeat(np.arange(len(model)), np.diff(model.choices)), fan)
    edges = np.unique(np.stack([source, model.successor.astype(np.int64)], axis=1), axis=0)
    starts = np.unique(model.initial)[:, None]
    return {
        "read": read, "states": pack(states), "count": len(states), "starts": pack(starts),
        "start count": len(starts), "edges": pack(edges) if len(edges) else "", "edge count": len(edges),
    }  # fmt: skip


def unlike(agent: AgentIR, model: ExtractedModel, seed: int = 0) -> str | None:
    """What a fresh environment shows that is not recorded; None if of some random runs nothing is.

    A run follows all states that it may be in by what was read, and takes an action that is recorded in all of them.
    """
    names = tuple({name: None for row in model.valuations for name in row})
    env = environment_of(agent)
    rng = np.random.default_rng(seed)
    seeds = [s for s in model.start_seeds if s is not None]
    try:
        source = SignalSource(env, CompiledAgent.from_ir(agent), names)

        def shown(values: list[Any], among: set[int]) -> set[int]:
            read = {n: v for n, v in zip(source.names, values, strict=True) if v is not None}
            return {s for s in among if model.state(s) == read}

        for _ in range(RUNS):
            begun = int(rng.choice(seeds)) if seeds else int(rng.integers(1 << 31))
            observation, _ = env.reset(seed=begun)
            places = set(model.initial.tolist())
            if seeds:
                places = {int(s) for s, g in zip(model.initial, model.start_seeds, strict=True) if g == begun}
            places = shown(source.reset(observation), places)
            if not places:
                return f"what it shows after a reset with the seed {begun}"
            for _ in range(LENGTH):
                common = set.intersection(*(_actions(model, s) for s in places))
                if not common:
                    break
                action = int(rng.choice(sorted(common)))
                observation, reward, terminated, truncated, _ = env.step(action)
                after = {t for s in places for t in _after(model, s, action)}
                places = shown(source.step(action, float(reward), observation), after)
                if not places:
                    return f"what `{model.actions[action]}` leads to in a run from the seed {begun}"
                if terminated or truncated:
                    break
    finally:
        env.close()
    return None


def _actions(model: ExtractedModel, state: int) -> set[int]:
    return set(model.action[model.choices[state] : model.choices[state + 1]].tolist())


def _after(model: ExtractedModel, state: int, action: int) -> set[int]:
    found: set[int] = set()
    for c in range(int(model.choices[state]), int(model.choices[state + 1])):
        if model.action[c] == action:
            found |= set(model.successor[model.offsets[c] : model.offsets[c + 1]].tolist())
    return found
