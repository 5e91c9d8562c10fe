"""Deciding what a spec expects of a trained agent: fresh episodes, exact bounds, one outcome per ``expect``.

Episodes that break an assumption are counted apart (LANGUAGE, section 3, **Roles**): what is expected is decided, and
rates are estimated, from the others; how often each assumption held is a rate of its own, of all episodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from agentc.compiler.agent import AgentIR, CostIR, ExpectIR
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.evaluate import (
    Actor,
    Decision,
    Episode,
    Outcome,
    bootstrap_mean,
    clopper_pearson,
    decide_return,
    decide_satisfaction,
    decide_violations,
    run_episodes,
)
from agentc.runtime.shield import ShieldTable
from agentc.runtime.spec_env import SpecEnv

EPISODES = 200
"""Episodes of an evaluation unless the command line says otherwise; fixed before the first is run."""

Actions = Literal["likeliest", "drawn"]

CONFIDENCE = 0.95
"""The confidence of an ``expect`` that states none, and of the intervals in reports."""


def actions_of(agent: AgentIR, actor: Actor) -> Actions:
    """Which actions of its policy an agent is judged by, unless somebody says otherwise.

    What is deployed and proved takes the likeliest action: agents with a ``deploy`` block, and actions of a continuous
    space, are judged by that. Choices are drawn: a policy without a memory may need chance to get out of a corner.
    """
    architecture = getattr(actor, "architecture", None)
    continuous = architecture is not None and not architecture.action.discrete
    return "likeliest" if continuous or agent.deploy is not None else "drawn"


EXIT = {Decision.HOLDS: 0, Decision.NOT_MET: 1, Decision.UNKNOWN: 3}


@dataclass(frozen=True)
class Rate:
    """How often a formula was satisfied (``safe``: not violated), with its two-sided exact interval.

    ``episodes`` are those in which all assumptions held, for an ``assume`` all; where there are none, the interval is
    ``[0, 1]``.
    """

    formula: str
    role: str
    successes: int
    episodes: int
    lower: float
    upper: float


@dataclass(frozen=True)
class CostOutcome:
    """What episodes cost on average, with its two-sided bootstrap interval, beside the ``limit`` of a budget.

    The decision is about the limit, None where there is none: it holds if all of the interval is within it. ``mean``
    and bounds are None where no episode is left.
    """

    cost: str
    limit: float | None
    mean: float | None
    lower: float | None
    upper: float | None
    episodes: int
    decision: Decision | None


@dataclass(frozen=True)
class Acceptance:
    """What came of evaluating one run."""

    outcomes: tuple[tuple[str, Outcome], ...]
    rates: tuple[Rate, ...]
    episodes: tuple[Episode, ...]
    costs: tuple[CostOutcome, ...] = ()
    actions: Actions = "drawn"

    def data(self) -> dict[str, Any]:
        """As plain data for ``evaluation.json``."""
        return {
            "actions": self.actions,
            "outcomes": [{"expect": text, **_plain(outcome)} for text, outcome in self.outcomes],
            "rates": [asdict(rate) for rate in self.rates],
            "costs": [
                {**asdict(c), "decision": None if c.decision is None else c.decision.value} for c in self.costs
            ],
            "episodes": [
                {
                    "seed": e.seed,
                    "return": e.total_reward,
                    "length": e.length,
                    "terminated": e.terminated,
                    "satisfied": dict(e.satisfied),
                    "violated": dict(e.violated),
                    "assumptions_broken": list(e.assumptions_broken),
                    "costs": dict(e.costs),
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
    shield: ShieldTable | None = None,
    actions: Actions | None = None,
) -> Acceptance:
    """Run exactly ``episodes`` fresh episodes and decide every ``expect`` of the spec.

    Seeds are disjoint from those of training; ``shield`` masks the actions. ``actions`` are those of :func:`actions_of`
    unless given.

    Raises :class:`AgentcError` if the environment cannot be made.
    """
    agent = compiled.agent
    actions = actions_of(agent, actor) if actions is None else actions
    likeliest = actions == "likeliest"
    if agent.reads_machines:
        of_task = _by_task(compiled, actor, episodes, seed, likeliest, on_episode)
    else:
        of_task = {}
        done = run_episodes(
            lambda: SpecEnv.make(compiled, shaping=False, shield=shield), actor, episodes, seed,
            deterministic=likeliest, on_episode=on_episode,
        )  # fmt: skip
    if of_task:
        done = [episode for row in of_task.values() for episode in row]
    return Acceptance(
        tuple((e.source, decide(agent, e, of_task.get(e.subject, done), seed)) for e in agent.expects),
        tuple(
            _rate(item.name, item.role, of_task.get(item.name, done))
            for item in agent.of_role("task", "behavior", "safe", "assume")
        ),
        tuple(done),
        tuple(_cost(cost, _within(done), seed) for cost in agent.costs),
        actions,
    )


def _by_task(
    compiled: CompiledAgent,
    actor: Actor,
    episodes: int,
    seed: int,
    likeliest: bool,
    on_episode: Callable[[int, Episode], None] | None,
) -> dict[str, list[Episode]]:
    """Episodes in which an agent follows the table of its machines: as many for every task that has its own."""
    from agentc.runtime.machine_table import tabulate
    from agentc.runtime.task_env import TaskEnv

    agent = compiled.agent
    table = tabulate(compiled, each=agent.trains_each)
    product = agent.train is not None and agent.train.algorithm == "q"
    found: dict[str, list[Episode]] = {}
    for number, name in enumerate(table.tasks):
        def make(number: int = number) -> TaskEnv:
            return TaskEnv(compiled, table, number, product=product)

        found[name] = run_episodes(
            make, actor, episodes, seed, deterministic=likeliest, on_episode=on_episode
        )
    return found


def _within(episodes: Sequence[Episode]) -> list[Episode]:
    """The episodes in which all assumptions held."""
    return [e for e in episodes if not e.assumptions_broken]


def _holds(agent: AgentIR, name: str, episode: Episode) -> bool:
    if agent.formula(name).role == "safe":
        return not episode.violated[name]
    return episode.satisfied[name]


def decide(agent: AgentIR, expect: ExpectIR, episodes: Sequence[Episode], seed: int) -> Outcome:
    """The outcome of one ``expect`` on those of these episodes that break no assumption."""
    within = _within(episodes)
    apart = len(episodes) - len(within)
    if not within:
        sentence = f"all {apart} episodes broke an assumption: none is left to decide by"
        return Outcome(Decision.UNKNOWN, 0.0, expect.threshold, 0, sentence)
    outcome = _decide(agent, expect, within, seed)
    if not apart:
        return outcome
    return replace(outcome, sentence=f"{outcome.sentence}; {apart} more broke an assumption and are counted apart")


def _decide(agent: AgentIR, expect: ExpectIR, episodes: Sequence[Episode], seed: int) -> Outcome:
    confidence = CONFIDENCE if expect.confidence is None else expect.confidence
    if expect.kind == "return":
        return decide_return([e.total_reward for e in episodes], expect.threshold, confidence, seed)
    good = sum(_holds(agent, expect.subject, e) for e in episodes)
    if expect.kind == "violations":
        return decide_violations(len(episodes) - good, len(episodes), int(expect.threshold))
    return decide_satisfaction(good, len(episodes), expect.threshold, confidence)


def _rate(name: str, role: str, episodes: Sequence[Episode]) -> Rate:
    if role == "assume":
        good = sum(name not in e.assumptions_broken for e in episodes)
    else:
        episodes = _within(episodes)
        good = sum(not e.violated[name] if role == "safe" else e.satisfied[name] for e in episodes)
    if not episodes:
        return Rate(name, role, 0, 0, 0.0, 1.0)
    # two one-sided bounds at 97.5 % make the two-sided interval at 95 %
    lower, upper = clopper_pearson(good, len(episodes), (1 + CONFIDENCE) / 2)
    return Rate(name, role, good, len(episodes), lower, upper)


def _cost(cost: CostIR, episodes: Sequence[Episode], seed: int) -> CostOutcome:
    """The mean cost of the episodes in which all assumptions held."""
    sums = [e.costs[cost.name] for e in episodes if cost.name in e.costs]
    if not sums:
        decision = None if cost.limit is None else Decision.UNKNOWN
        return CostOutcome(cost.name, cost.limit, None, None, None, 0, decision)
    lower, upper = bootstrap_mean(sums, (1 + CONFIDENCE) / 2, seed)
    decision = None
    if cost.limit is not None:
        within, over = upper <= cost.limit, lower > cost.limit
        decision = Decision.HOLDS if within else Decision.NOT_MET if over else Decision.UNKNOWN
    return CostOutcome(cost.name, cost.limit, sum(sums) / len(sums), lower, upper, len(sums), decision)
