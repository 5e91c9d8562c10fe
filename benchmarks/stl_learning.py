"""Learning from signal temporal logic: ours and six baselines on the frozen tasks of ``specs/stl``.

``train tgpo`` as each spec says, against baselines in the same runtime on the first task of each class:

- *terminal*: PPO that is told the time and paid the robustness of the whole trace at its end;
- *tau-MDP*: the same, which reads the last :data:`TAU` steps as one vector (Aksaray et al., CDC 2016);
- *F-MDP*: the same, which reads flags of the propositions (Venkataraman et al., L4DC 2020);
- *recurrent*: the same, which reads :data:`TAU` steps with a recurrent unit;
- *gradient*: a controller that is told the time, trained through the known dynamics (``train npc``, no prediction) for
  400 gradient steps, which take about as long as ours;
- *cross-entropy*: a planner, once for each of :data:`PLANNED` starts; nothing is learnt.

Each baseline has the settings that were best for it in a few trials, as many as ours had
(:mod:`agentc.benchmarks.stl_tuning`); a run of others does not count. A run has at most
:data:`LIMIT` seconds of the processor; what it has learnt by then counts. It is judged on :data:`STARTS` fresh
initial states by the compiled formulas, and on the first :data:`CHECKED` by the reference semantics too. Runs are
recorded in ``recorded/stl_learning.jsonl``; those of another text of their spec are left out. ``agentc bench
stl-learning`` prints what is recorded, ``agentc bench stl-learning TASK`` runs what is missing of a task, seed by seed,
for ``--rounds`` seeds; both resume.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.benchmarks import recording
from agentc.benchmarks.methods.training import agent_of
from agentc.benchmarks.rows import Row
from agentc.benchmarks.stl_tasks import SEEDS, frozen, target
from agentc.runtime.learn.statistics import wilson
from agentc.runtime.learn.train import Callback, Finish, Update

RECORDED = Path(__file__).parent / "recorded" / "stl_learning.jsonl"
STARTS, PLANNED, CHECKED = 1000, 20, 10
LIMIT = 600.0
TAU = 16
OURS = "tgpo"
BASELINES = ("terminal", "tau-MDP", "F-MDP", "recurrent", "gradient", "cross-entropy")
COMPARED = tuple(dict((name.partition("_")[0], name) for name in reversed(SEEDS)).values())[::-1]
"""The tasks that the baselines are run on: the first of each class."""
TASKS = tuple(SEEDS)
Truths = NDArray[np.bool_]
Outcome = tuple[Truths, NDArray[np.float64], int, float]
"""Whether each start satisfies, the traces, environment steps of training, its seconds of the processor."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run: how many of ``starts`` satisfied all formulas, steps trained for, seconds of the processor.

    ``settings`` are a baseline's tuned ones in words, nothing where it has its own.
    """

    task: str
    arm: str
    seed: int
    satisfied: int
    starts: int
    steps: int
    training: float
    judging: float
    spec: str
    settings: str = ""


def digest(task: str) -> str:
    """What a record's runs are of: the text of the spec, without how it is trained."""
    kept = [line for line in frozen(task).splitlines() if not line.lstrip().startswith(("#", "expect"))]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()[:12]


def read(path: Path = RECORDED) -> list[Recorded]:
    """The recorded runs of the tasks as they are now."""
    return recording.rows(
        path, Recorded, lambda r: r.task in SEEDS and r.spec == digest(r.task) and r.settings == _tuned(r.arm)[1]
    )


def _tuned(arm: str) -> tuple[dict[str, Any], str]:
    """What was best for a baseline in its trials, and that in words; ours is run as the spec says."""
    from agentc.benchmarks.stl_tuning import best

    settings = {} if arm == OURS else best(arm)
    return settings, ", ".join(f"{k} = {v:g}" for k, v in sorted(settings.items()))


def _with(config: Any, settings: Mapping[str, Any]) -> Any:
    """A configuration with settings in place of its own; ``share`` is of its steps."""
    changed = dict(settings)
    share = changed.pop("share", None)
    if share is not None:
        changed["steps"] = max(1, round(config.steps * share))
    return replace(config, **changed)


@cache
def compiled(task: str) -> Any:
    """The agent of a task."""
    return agent_of(f"stl/{task}.agentspec")


def spent(folder: Path) -> float:
    """Seconds of the processor that a run has trained for so far."""
    path = folder / "processor.json"
    return float(json.loads(path.read_text())) if path.is_file() else 0.0


def limited(folder: Path, limit: float) -> Callback:
    """Ends a run after so many seconds of the processor, those of the runs that it resumes included."""
    path, before = folder / "processor.json", spent(folder)
    begun = written = time.process_time()

    def ended(update: Update) -> Finish | None:
        nonlocal written
        now = time.process_time()
        so_far = before + now - begun
        if now - written > 1.0 or update.finish is not None:
            written = now
            path.write_text(json.dumps(so_far))
        return Finish.TIME_LIMIT if so_far > limit else None

    return ended


def _trained(env: Any, config: Any, folder: Path, limit: float) -> tuple[int, float]:
    """Train, resuming; the steps that were made, and the seconds of the processor. Ctrl-C is passed on."""
    from agentc.runtime.learn.train import train

    folder.mkdir(parents=True, exist_ok=True)
    result = train(env, config, folder, resume=True, callbacks=[limited(folder, limit)])
    if result.finish is Finish.INTERRUPTED:
        raise KeyboardInterrupt
    return result.steps, spent(folder)


def ours(
    task: str, seed: int, folder: Path, limit: float, starts: int, settings: Mapping[str, Any] = MappingProxyType({})
) -> Outcome:
    """``train tgpo`` as the spec says."""
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.learn.tgpo import TGPOConfig
    from agentc.runtime.subgoals.training import follower_of
    from agentc.runtime.training import configuration, environment

    agent = compiled(task)
    config = configuration(agent.agent, seed)
    assert isinstance(config, TGPOConfig)
    config = _with(config, settings)
    steps, seconds = _trained(environment(agent, config), config, folder, limit)
    follower = follower_of(agent.agent, Policy.load(folder), config)
    ran = follower.follow(follower.starts(starts, seed), seed)
    return ran.satisfied, ran.traces, steps, seconds


def learnt(arm: str) -> Callable[..., Outcome]:
    """An arm of PPO that is paid at the end."""
    memory = {"tau-MDP": "flat", "recurrent": "gru"}.get(arm)

    def run(
        task: str, seed: int, folder: Path, limit: float, starts: int,
        settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> Outcome:
        from agentc.runtime.learn.context.window import HistoryVector
        from agentc.runtime.learn.policy import Policy
        from agentc.runtime.learn.ppo import PPOConfig
        from agentc.runtime.planning.problem import problem_of
        from agentc.runtime.subgoals.terminal import TerminalVectorEnv
        from agentc.runtime.training import configuration

        agent = compiled(task).agent
        problem, mine = problem_of(agent), configuration(agent, seed)
        envs: int = mine.envs  # type: ignore[attr-defined]
        config = PPOConfig(
            steps=mine.steps, seed=seed, envs=envs, rollout=min(problem.last, 200), discount=1.0, entropy_coef=0.003,
            learning_rate=1e-3, normalize_observations=True,
        )  # fmt: skip
        if memory is not None:
            config = replace(config, history=TAU, memory=memory)
        config = _with(config, settings)
        flags = arm == "F-MDP"
        steps, seconds = _trained(TerminalVectorEnv(problem, envs, flags=flags), config, folder, limit)
        policy = Policy.load(folder)
        judge = TerminalVectorEnv(problem, starts, flags=flags)
        env: Any = HistoryVector(judge, TAU) if memory is not None else judge
        seen = env.reset(10_000 + seed)
        for _ in range(problem.last):
            batch = env.step(policy.act(seen, None, None))
            seen = batch.observation
        return batch.info["satisfied/plan"], judge.traces, steps, seconds

    return run


def descended(
    task: str, seed: int, folder: Path, limit: float, starts: int, settings: Mapping[str, Any] = MappingProxyType({})
) -> Outcome:
    """A controller that is told the time, up the gradient of robustness through the declared equations."""
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.learn.predictive import NPCConfig
    from agentc.runtime.planning.problem import problem_of
    from agentc.runtime.predictive.model import Model, ModelEnv
    from agentc.runtime.predictive.predicting import Predictor

    problem = problem_of(compiled(task).agent)
    config = _with(NPCConfig(steps=400, seed=seed), settings)
    steps, seconds = _trained(ModelEnv(problem), config, folder, limit)
    predictor = Predictor(Policy.load(folder).network, Model(problem), every=problem.last, refine=0)
    start, _ = problem.simulator.start(np.random.default_rng([seed, 12]), starts)
    ran = predictor.run(start, seed)
    return ran.satisfied, ran.traces, steps, seconds


def planned(
    task: str, seed: int, folder: Path, limit: float, starts: int, settings: Mapping[str, Any] = MappingProxyType({})
) -> Outcome:
    """The cross-entropy method from each start, as long as the limit is not reached; then a start is not solved."""
    from agentc.compiler.signals.robustness import compile_robustness
    from agentc.runtime.planning.cross_entropy import CrossEntropy, cross_entropy, rolled
    from agentc.runtime.planning.problem import problem_of

    problem = problem_of(compiled(task).agent)
    state, _ = problem.simulator.start(np.random.default_rng([seed, 12]), min(starts, PLANNED))
    rng, begun, traces = np.random.default_rng([seed, 11]), time.process_time(), []
    for k, row in enumerate(state):
        inputs = np.zeros((problem.last, len(problem.system.inputs)))
        if time.process_time() - begun < limit:
            inputs, _ = cross_entropy(problem, row, CrossEntropy(seed=1000 * seed + k, **settings))
        traces.append(rolled(problem, row, inputs[None], rng)[0])
    whole = np.stack(traces)
    found = compile_robustness(problem.formula, problem.signals).satisfaction_at(whole)
    return np.asarray(found, np.bool_), whole, 0, time.process_time() - begun


ARMS: Mapping[str, Any] = {
    OURS: ours, **{arm: learnt(arm) for arm in BASELINES[:4]}, "gradient": descended, "cross-entropy": planned,
}  # fmt: skip


def run_one(task: str, arm: str, seed: int, runs: Path, *, limit: float = LIMIT, starts: int = STARTS) -> Recorded:
    """Train, judge, and compare a few verdicts with the reference semantics. Raises ``RuntimeError`` if they differ."""
    from agentc.compiler.logic.semantics import evaluate
    from agentc.runtime.planning.problem import problem_of

    settings, said = _tuned(arm)
    mark = f"_{said}".replace(" ", "") if said else ""
    folder = runs / f"{task}_{arm}_{seed}_{digest(task)}{mark}"
    begun, before = time.process_time(), spent(folder)
    satisfied, traces, steps, seconds = ARMS[arm](task, seed, folder, limit, starts, settings)
    problem = problem_of(compiled(task).agent)
    n = len(problem.system.states)
    for truth, trace in list(zip(satisfied, traces, strict=True))[:CHECKED]:
        if evaluate(problem.formula, problem.trace(trace[:, :n], trace[1:, n:])) != truth:
            raise RuntimeError(f"{task}: the compiled formulas and the reference semantics differ")
    judging = time.process_time() - begun - (seconds - before)
    counted = int(np.sum(satisfied))
    return Recorded(
        task, arm, seed, counted, len(satisfied), steps, round(seconds, 1), round(judging, 1), digest(task), said
    )


def missing(done: Sequence[Recorded], tasks: Sequence[str], seeds: int) -> list[tuple[str, str, int]]:
    """What is to be run: ours for every seed, then the baselines, three seeds at most."""
    have = {(r.task, r.arm, r.seed) for r in done}
    wanted = [(t, OURS, s) for s in range(seeds) for t in tasks]
    wanted += [(t, a, s) for s in range(min(seeds, 3)) for a in BASELINES for t in tasks if t in COMPARED]
    return [w for w in wanted if w not in have]


def run(tasks: Sequence[str] = (), seeds: int = 0, runs: Path = Path("runs"), path: Path = RECORDED) -> list[Row]:
    """Run what is missing of some tasks for the first ``seeds`` seeds, record it, and return the rows of all."""
    from rich.console import Console
    from rich.progress import track

    left = missing(read(path), tasks, seeds)
    for task, arm, seed in track(left, "stl-learning", console=Console(stderr=True), disable=not left):
        found = run_one(task, arm, seed, runs)
        recording.append(path, found)
    return rows(read(path))


def rows(done: Sequence[Recorded]) -> list[Row]:
    """A row for each task: the median over seeds of the share of initial states, beside the best baseline's."""
    found: dict[tuple[str, str], list[Recorded]] = {}
    for r in sorted(done, key=lambda r: r.seed):
        found.setdefault((r.task, r.arm), []).append(r)

    def share(task: str, arm: str) -> float | None:
        runs = found.get((task, arm))
        return None if runs is None else statistics.median(r.satisfied / r.starts for r in runs)

    table = []
    for task in SEEDS:
        mine, goal = share(task, OURS), target(task)
        others = {arm: value for arm in BASELINES if (value := share(task, arm)) is not None}
        best = max(others, key=lambda arm: others[arm], default="")
        said = [_said(arm, found[task, arm]) for arm in (OURS, *BASELINES) if (task, arm) in found]
        table.append(
            Row(
                task, mine, others.get(best), best, None, "share", f">= {goal:g}",
                None if mine is None else mine >= goal, "; ".join(said) or "not run yet",
            )
        )  # fmt: skip
    return table


def _said(arm: str, runs: Sequence[Recorded]) -> str:
    """The runs of an arm in words: shares by seed, the interval of all of them, seconds of training."""
    total, number = sum(r.satisfied for r in runs), sum(r.starts for r in runs)
    low, high = wilson(total / number, number)
    each = ", ".join(f"{r.satisfied / r.starts:.3f}" for r in runs)
    seconds = max(r.training for r in runs)
    return f"{arm} {each} of {runs[0].starts} [{low:.3f}, {high:.3f}], at most {seconds:.0f} CPU s"
