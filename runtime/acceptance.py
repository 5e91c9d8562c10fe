"""Deciding what a spec expects of a trained agent: fresh episodes, exact bounds, one outcome per ``expect``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agentc.compiler.agent import AgentIR, ExpectIR
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.evaluate import (
    Actor,
    Decision,
    Episode,
    Outcome,
    clopper_pearson,
    decide_return,
    decide_satisfaction,
    decide_violations,
    run_episodes,
)
from agentc.runtime.spec_env import SpecEnv

EPISODES = 200
"""Episodes of an evaluation unless the command line says otherwise; fixed before the first is run."""

CONFIDENCE = 0.95
"""The confidence of an ``expect`` that states none, and of the intervals in reports."""

EXIT = {Decision.HOLDS: 0, Decision.NOT_MET: 1, Decision.UNKNOWN: 3}


@dataclass(frozen=True)
class Rate:
    """How often a formula was satisfied (``safe``: not violated), with its two-sided exact interval."""

    formula: str
    role: str
    successes: int
    episodes: int
    lower: float
    upper: float


@dataclass(frozen=True)
class Acceptance:
    """What came of evaluating one run."""

    outcomes: tuple[tuple[str, Outcome], ...]
    rates: tuple[Rate, ...]
    episodes: tuple[Episode, ...]

    def data(self) -> dict[str, Any]:
        """As plain data for ``evaluation.json``."""
        return {
            "outcomes": [{"expect": text, **_plain(outcome)} for text, outcome in self.outcomes],
            "rates": [asdict(rate) for rate in self.rates],
            "episodes": [
                {
                    "seed": e.seed,
                    "return": e.total_reward,
                    "length": e.length,
                    "terminated": e.terminated,
                    "satisfied": dict(e.satisfied),
                    "violated": dict(e.violated),
                }
                for e in self.episodes
            ],
        }


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {**asdict(outcome), "decision": outcome.decision.value}


def accept(
    compiled: CompiledAgent,
    actor: Actor,
    *,
    episodes: int = EPISODES,
    seed: int = 0,
    on_episode: Callable[[int, Episode], None] | None = None,
) -> Acceptance:
    """Run exactly ``episodes`` fresh episodes and decide every ``expect`` of the spec.

    Seeds are disjoint from those of training. Raises :class:`AgentcError` if the environment cannot be made.
    """
    done = run_episodes(lambda: SpecEnv.make(compiled, shaping=False), actor, episodes, seed, on_episode=on_episode)
    return Acceptance(
        tuple((expect.source, decide(compiled.agent, expect, done, seed)) for expect in compiled.agent.expects),
        tuple(_rate(item.name, item.role, done) for item in compiled.agent.of_role("task", "behavior", "safe")),
        tuple(done),
    )


def _holds(agent: AgentIR, name: str, episode: Episode) -> bool:
    if agent.formula(name).role == "safe":
        return not episode.violated[name]
    return episode.satisfied[name]


def decide(agent: AgentIR, expect: ExpectIR, episodes: Sequence[Episode], seed: int) -> Outcome:
    """The outcome of one ``expect`` on these episodes."""
    confidence = CONFIDENCE if expect.confidence is None else expect.confidence
    if expect.kind == "return":
        return decide_return([e.total_reward for e in episodes], expect.threshold, confidence, seed)
    good = sum(_holds(agent, expect.subject, e) for e in episodes)
    if expect.kind == "violations":
        return decide_violations(len(episodes) - good, len(episodes), int(expect.threshold))
    return decide_satisfaction(good, len(episodes), expect.threshold, confidence)


def _rate(name: str, role: str, episodes: Sequence[Episode]) -> Rate:
    if role == "safe":
        good = sum(not e.violated[name] for e in episodes)
    else:
        good = sum(e.satisfied[name] for e in episodes)
    # two one-sided bounds at 97.5 % make the two-sided interval at 95 %
    lower, upper = clopper_pearson(good, len(episodes), (1 + CONFIDENCE) / 2)
    return Rate(name, role, good, len(episodes), lower, upper)
