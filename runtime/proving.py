"""Training until a proof closes: train, verify what was trained, begin where the proof failed, train on.

The loop is that of counterexample-guided synthesis (Solar-Lezama et al., "Combinatorial Sketching for Finite
Programs", ASPLOS 2006) over a learner and a verifier, as in Chang, Roohi, Gao, "Neural Lyapunov Control", NeurIPS 2019:
the initial states of violations, and the corners of the parts of the initial set that stay in doubt, join the states in
which runs begin. Where all runs have the margin and the proof still fails, the margin grows. ``proofs.json`` in the
run's folder tells the story; with it and the checkpoint a run goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from agentc.compiler.agent import AgentIR
from agentc.compiler.training_config import STATE_POLICIES, proved_names
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.checkpoint import FILE_NAME
from agentc.runtime.learn.configuration import TrainingConfig
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.resets.counterexamples import Counterexamples
from agentc.runtime.learn.starts import Starts
from agentc.runtime.learn.statistics import EpisodeStatistics
from agentc.runtime.learn.train import Callback, Finish, TrainResult, Update
from agentc.runtime.runs import POLICY, PROOFS, Run, read_json, write_json
from agentc.runtime.spec_observation import OBSERVATION
from agentc.runtime.training import environment, train_agent
from agentc.runtime.verify.answer import Answer, Verdict
from agentc.runtime.verify.method import decide, method, names
from agentc.runtime.verify.problem import Problem, problem_of

ROUNDS = 10
"""How often a run is verified, if no loss of zero calls for it sooner."""

GROWTH = 1.5
"""By how much the margin grows where every run has it and the proof fails."""

Told = Callable[[str], None]


@dataclass(frozen=True)
class Proving:
    """How a run ended: with the answers to all items in the last round."""

    result: TrainResult
    answers: Mapping[str, Answer]
    rounds: int

    @property
    def proved(self) -> bool:
        """Whether all of them are proved."""
        return bool(self.answers) and all(a.verdict is Verdict.PROVED for a in self.answers.values())


def train_until_proved(
    compiled: CompiledAgent,
    config: TrainingConfig,
    run: Run,
    folder: Path,
    *,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    told: Told = lambda _: None,
) -> Proving:
    """Train and verify in turns until all that ``until`` names is proved, or the steps or the time are used up.

    ``folder`` is the spec's; ``told`` hears of each verification. Raises what training and verifying raise.
    """
    agent = compiled.agent
    assert agent.train is not None and agent.system is not None
    items = items_of(agent)
    _refuse_policy(compiled, config, next(iter(items)))
    for name, index in items.items():
        _refuse(agent, name, index, folder)
    story: list[dict[str, Any]] = list(_story(run)) if resume else []
    reset = Counterexamples([v.name for v in agent.system.states])
    for row in story:
        _learn_from(reset, row)
    if story and all(str(item["word"]).startswith("proved") for item in story[-1]["items"]):
        known = _again(agent, items, run, folder, story, told)
        if known.proved:
            return known
    first = True
    while True:
        pause = _Pause(config, callbacks)
        result = train_agent(
            compiled, config, run, resume=resume or not first, callbacks=[pause], starts=Starts(reset=reset)
        )
        first = False
        if result.finish is Finish.INTERRUPTED:
            return Proving(result, {}, len(story))
        policy = Policy.load(run.folder).export(run.folder / POLICY)
        answers: dict[str, Answer] = {}
        for name, index in items.items():
            answers[name] = decide(problem_of(agent, index, folder, told, policy))
            told(f"round {len(story) + 1}, {result.steps} steps: {name} is {answers[name].word}")
        row = _row(len(story) + 1, result, answers, pause.met, reset)
        story.append(row)
        write_json(run.folder / PROOFS, {"rounds": story})
        _learn_from(reset, row)
        ended = Proving(result, answers, len(story))
        if ended.proved or result.finish is not Finish.STOPPED:
            return ended


def _again(
    agent: AgentIR, items: Mapping[str, int], run: Run, folder: Path, story: Sequence[Mapping[str, Any]], told: Told
) -> Proving:
    """A run that had ended with a proof, verified anew."""
    policy = Policy.load(run.folder).export(run.folder / POLICY)
    answers = {name: decide(problem_of(agent, index, folder, told, policy)) for name, index in items.items()}
    steps = int(story[-1]["steps"])
    result = TrainResult(run.folder / FILE_NAME, Finish.STOPPED, steps, 0, 0.0, EpisodeStatistics(0))
    return Proving(result, answers, len(story))


def items_of(agent: AgentIR) -> dict[str, int]:
    """The ``verify`` items of the formulas that are to be proved: by name, their indices."""
    names = proved_names(None if agent.train is None else agent.train.until)
    return {
        name: next(i for i, v in enumerate(agent.verifies) if v.name == name and v.bound is None) for name in names
    }


def _refuse_policy(compiled: CompiledAgent, config: TrainingConfig, name: str) -> None:
    """Raise AS1362 for a policy that reads more than the state."""
    if config.algorithm in STATE_POLICIES:
        return
    env = environment(compiled, config)
    try:
        parts = getattr(env.observation_space, "spaces", {"": env.observation_space})
    finally:
        env.close()
    hidden = str(getattr(config, "privileged", "")).split()
    read = [key for key in parts if key not in hidden]
    if read not in ([OBSERVATION], [""]) or config.history:
        more = " ".join(key for key in parts if key not in ("", OBSERVATION))
        raise AgentcError([report("AS1362", None, algorithm=config.algorithm, name=name, more=more)])


def _refuse(agent: AgentIR, name: str, index: int, folder: Path) -> None:
    """Raise AS1365 for an item that its method cannot be asked, whatever is trained."""
    item = agent.verifies[index]
    if item.method is None or item.method not in names():
        return
    why = method(item.method).refusal(Problem(agent, item, folder))
    if why is not None:
        raise AgentcError([report("AS1365", item.span, name=name, method=item.method, reason=why)])


class _Pause:
    """Stops a run where it is to be verified, and says so to nobody."""

    def __init__(self, config: TrainingConfig, callbacks: Sequence[Callback]) -> None:
        self._each, self._callbacks = max(1, config.steps // ROUNDS), callbacks
        self._rollout = config.rollout * int(getattr(config, "envs", 1))
        self._begun: int | None = None
        self.met = False

    def __call__(self, update: Update) -> bool:
        if update.finish is not Finish.STOPPED:
            for callback in self._callbacks:
                callback(update)
        if self._begun is None:
            self._begun = update.steps - self._rollout
        self.met = update.learning.get("loss") == 0.0
        return self.met or update.steps - self._begun >= self._each


def _story(run: Run) -> Sequence[dict[str, Any]]:
    found = read_json(run.folder / PROOFS)
    rounds = found.get("rounds") if isinstance(found, dict) else None
    return [r for r in rounds if isinstance(r, dict)] if isinstance(rounds, list) else []


def _row(
    number: int, result: TrainResult, answers: Mapping[str, Answer], met: bool, reset: Counterexamples
) -> dict[str, Any]:
    """What a round came to, as plain data."""
    hard = [s for a in answers.values() for s in _failed(a)]
    undecided = any(a.verdict is not Verdict.PROVED for a in answers.values())
    return {
        "round": number,
        "steps": result.steps,
        "items": [
            {"item": name, "word": a.word, "method": a.method, "sentence": a.sentence, "seconds": a.seconds,
             "share": a.evidence.get("share")}
            for name, a in answers.items()
        ],
        "starts": hard,
        "pressure": reset.pressure * (GROWTH if met and undecided else 1.0),
    }  # fmt: skip


def _failed(answer: Answer) -> list[list[float]]:
    """The initial states in which an answer says that the proof fails."""
    if answer.verdict is Verdict.FALSIFIED:
        return [[float(x) for x in answer.evidence["start"]]] if "start" in answer.evidence else []
    found: list[list[float]] = []
    for lo, hi, _ in answer.evidence.get("open", ()):
        sides = [sorted({a, b}) for a, b in zip(lo, hi, strict=True)]
        corners = [list(c) for c in product(*sides)] if len(sides) <= 4 else [list(lo), list(hi)]
        found += [*corners, [(a + b) / 2 for a, b in zip(lo, hi, strict=True)]]
    return found


def _learn_from(reset: Counterexamples, row: Mapping[str, Any]) -> None:
    if row.get("starts"):
        reset.add(np.array(row["starts"], np.float64))
    reset.pressure = float(row.get("pressure", 1.0))
