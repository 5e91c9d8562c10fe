"""The suite of signal temporal logic tasks: four classes of systems, three shapes of formulas, one generator by seed.

``text(kind, shape, seed)`` writes a spec, the same to the byte whenever it is asked. The twelve that are used are
frozen in ``specs/stl/``; which seed each has follows from a rule and from no training: of 0, 1, 2, ... the first for
which a planner finds a witness from the middle of where episodes begin (``witnessed``).

The tasks are in the style of Meng, Chen, Fan, *TGPO* (arXiv 2510.00225, section 5): two layers and more, places to be
visited in windows of time, choices, an order, places to be stayed at, places to be kept out of. Their list is not
published. The quadrotor is one in a vertical plane whose attitude is held by a loop of its own, as with every one that
is for sale: what is chosen is lift and lean.
"""

from __future__ import annotations

import dataclasses
import math
import random
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

KINDS = ("linear", "unicycle", "quadrotor", "long")
SHAPES = ("sequence", "choice", "gate")
SEEDS: dict[str, int] = {f"{kind}_{shape}": 0 for kind in KINDS for shape in SHAPES}
"""Of each frozen task its seed."""
MARGIN = 0.02
"""How far inside of what it requires a witness has to be, in metres."""
RADIUS = 0.5
"""Of every place, in metres."""

_POINT = """system point {{
  state x, y : real [m], vx, vy : real [m/s]
  input ax, ay : real in [-1, 1] [m/s^2]
  x'  = vx
  y'  = vy
  vx' = ax
  vy' = ay
  step {step:g}s by rk4
}}
"""
_UNICYCLE = """system unicycle {{
  state x, y : real [m], theta : real [rad]
  input v : real in [0, 1] [m/s], omega : real in [-1, 1] [rad/s]
  disturbance w : real in [-0.01, 0.01] [m/s]
  x'     = v * cos(theta) + w
  y'     = v * sin(theta)
  theta' = omega
  step {step:g}s by rk4
}}
"""
_QUADROTOR = """system planar_quadrotor {{
  const mass    = 1kg
  const gravity = 9.81m/s^2
  state x, y : real [m], theta : real [rad], vx, vy : real [m/s], omega : real [rad/s]
  input lift : real in [-1, 1] [N], lean : real in [-1, 1] [rad]
  x'     = vx
  y'     = vy
  theta' = omega
  vx'    = -(gravity + lift / mass) * sin(theta)
  vy'    = (gravity + lift / mass) * cos(theta) - gravity
  omega' = 25Hz * 1Hz * (0.15 * lean - theta) - 8Hz * omega
  step {step:g}s by rk4
}}
"""


@dataclass(frozen=True)
class Kind:
    """A class of tasks: its system, its step in seconds, how episodes begin, how long ways take, how it is trained."""

    system: str
    step: float
    name: str
    begin: str
    speed: float
    pause: float
    train: str
    target: float

    def travel(self, metres: float) -> float:
        """Seconds that a way takes at leisure."""
        return self.pause + metres / self.speed


_AT_REST = "vx = 0m/s; vy = 0m/s"
_SETTINGS = "envs = 256; rollout = 32; chain = 2"
_KINDS = {
    "linear": Kind(_POINT, 0.2, "point", _AT_REST, 1.0, 1.5, f"steps = 800_000; {_SETTINGS}", 0.95),
    "unicycle": Kind(_UNICYCLE, 0.2, "unicycle", "theta in [-0.5, 0.5]", 0.9, 2.0,
                     f"steps = 2_000_000; {_SETTINGS}", 0.9),
    "quadrotor": Kind(_QUADROTOR, 0.2, "planar_quadrotor", f"theta = 0rad; omega = 0rad/s; {_AT_REST}", 0.9, 2.0,
                      f"steps = 1_000_000; {_SETTINGS}", 0.9),
    "long": Kind(_POINT, 0.1, "point", _AT_REST, 1.0, 1.5, f"steps = 2_500_000; {_SETTINGS}", 0.95),
}  # fmt: skip
LONG = 100
"""Seconds of an episode of the last class: a thousand steps."""
Place = tuple[float, float]


def target(name: str) -> float:
    """The share of initial states that is aimed at for a task."""
    return _KINDS[name.partition("_")[0]].target


def text(kind: str, shape: str, seed: int) -> str:
    """The spec of a task, formatted. Raises ``KeyError`` for another kind or shape."""
    from agentc.lang.parser import parse
    from agentc.lang.printer import format_module
    from agentc.lang.source import Source

    k, rng = _KINDS[kind], random.Random(f"{kind} {shape} {seed}")
    long = kind == "long"
    while True:
        places = _places(rng, 5 if long else 4)
        legs = [math.dist(a, b) for a, b in zip([(0.0, 0.0), *places], places, strict=False)]
        needs = [math.ceil(k.travel(d)) for d in legs]
        formulas, seconds, names = {"sequence": _sequence, "choice": _choice, "gate": _gate}[shape](needs, long)
        used = places[: len(names)]
        stones = _stones(rng, [(0.0, 0.0), *used], 2)
        if len(stones) == 2 and (seconds <= LONG or not long):
            break
    horizon = round((LONG if long else seconds) / k.step)
    lines = [
        f"# Task `{kind}_{shape}` of the suite, made by `agentc.benchmarks.stl_tasks` from seed {seed}. A test",
        "# compares: it is not to be edited. `agentc bench stl-learning` trains on it.",
        "",
        k.system.format(step=k.step),
        "agent Traveller {",
        f"  env {k.name}(horizon = {horizon}, init = {{ x in [-0.5, 0.5]; y in [-0.5, 0.5]; {k.begin} }})",
        "",
        *(_region(n, x, y, RADIUS) for n, (x, y) in zip(names, used, strict=True)),
        *(_region(f"stone{i}", *stone) for i, stone in enumerate(stones, 1)),
        "",
        *(f"  task {name} = {formula}" for name, formula in formulas.items()),
        f"  safe clear = G !({' | '.join(f'(x, y) in stone{i}' for i in range(1, len(stones) + 1))})",
        "",
        f"  train tgpo {{ {k.train} }}",
        *(f"  expect satisfaction({name}) >= {k.target:g} with confidence 0.95" for name in formulas),
        "}",
    ]  # fmt: skip
    source = Source(f"{kind}_{shape}.agentspec", "\n".join(lines) + "\n")
    parsed = parse(source)
    assert not parsed.diagnostics, parsed.diagnostics
    return format_module(parsed.module, source)


def _region(name: str, x: float, y: float, radius: float) -> str:
    return f"  region {name} = circle(center = ({x:g}, {y:g}), radius = {radius:g})"


def _in(name: str) -> str:
    return f"(x, y) in {name}"


def _sequence(needs: list[int], long: bool) -> tuple[dict[str, str], int, list[str]]:
    """Places one after another, each in a window that begins when the one before is reached; then a stay. Nested."""
    names = ["pier", "mill", "ford", "tower", "harbour"][: 5 if long else 3]
    spare, stay = (11, 3) if long else (2, 1)
    until = [n + spare for n in needs[: len(names)]]
    while long and sum(until) + stay > LONG:
        until = [u - 1 for u in until]
    body = f"G[0s, {stay}s] {_in(names[-1])}"
    for name, hi in zip(names[-2::-1], until[:0:-1], strict=True):
        body = f"({_in(name)} & F[{8 if long else 2}s, {hi}s] {body})"
    return {"tour": f"F[0s, {until[0]}s] {body}"}, sum(until) + stay, names


def _choice(needs: list[int], long: bool) -> tuple[dict[str, str], int, list[str]]:
    """Absolute windows in two layers: a place, then one of two, then a stay at the last; one more where long."""
    names = ["pier", "mill", "ford", "tower", "harbour"][: 5 if long else 4]
    # either of two is one visit: the way there is the longer one, and so is the way on
    legs = [needs[0], max(needs[1], needs[2]), max(needs[2:4]) + 1, *needs[4:]]
    gap = max(0, (LONG - 6 - sum(legs)) // len(legs) - 2) if long else 0
    visits = [_in(names[0]), f"({_in(names[1])} | {_in(names[2])})", *(_in(n) for n in names[3:])]
    stay, now, found = (4 if long else 2), 0, {}
    for k, (visit, need) in enumerate(zip(visits, legs, strict=True)):
        lo, hi = now + max(need - 1, 1) + gap // 2, now + need + 2 + gap
        last = k == len(visits) - 1
        found[f"visit{k + 1}"] = f"F[{lo}s, {hi}s] {f'G[0s, {stay}s] ' if last else ''}{visit}"
        now = hi - 1
    return found, now + 1 + stay, names


def _gate(needs: list[int], long: bool) -> tuple[dict[str, str], int, list[str]]:
    """An order by `until`, and a post that has to be seen again and again (F G F)."""
    names = ["key", "door", "post"]
    gap = 18 if long else 0
    key = needs[0] + 2 + gap
    lo, hi = needs[0] + needs[1] + gap, needs[0] + needs[1] + 3 + 2 * gap
    watch, often = (20, 8) if long else (4, 3)
    begin = hi + needs[2] - 1
    formulas = {
        "locked": f"!({_in(names[1])}) U[0s, {key}s] {_in(names[0])}",
        "enter": f"F[{lo}s, {hi}s] {_in(names[1])}",
        "watch": f"F[{begin}s, {begin + 3}s] G[0s, {watch}s] F[0s, {often}s] {_in(names[2])}",
    }
    return formulas, begin + 3 + watch + often, names


def _places(rng: random.Random, number: int) -> list[Place]:
    """Places around the start, none near another."""
    while True:
        found: list[Place] = []
        for _ in range(200):
            angle, away = rng.random() * 2 * math.pi, 1.8 + 1.4 * rng.random()
            place = (round(away * math.cos(angle), 1), round(away * math.sin(angle), 1))
            if all(math.dist(place, p) >= 1.8 for p in found):
                found.append(place)
            if len(found) == number:
                return found


def _stones(rng: random.Random, way: list[Place], number: int) -> list[tuple[float, float, float]]:
    """Obstacles beside the middle of ways, clear of places and of where episodes begin; at most ``number``."""
    found: list[tuple[float, float, float]] = []
    for _ in range(200):
        k = int(rng.random() * (len(way) - 1))
        (ax, ay), (bx, by) = way[k], way[k + 1]
        share, aside, r = 0.4 + 0.2 * rng.random(), 0.6 * rng.random() - 0.3, round(0.3 + 0.2 * rng.random(), 1)
        x = round(ax + share * (bx - ax) - aside * (by - ay) / 2, 1)
        y = round(ay + share * (by - ay) + aside * (bx - ax) / 2, 1)
        clear = all(math.dist((x, y), p) >= r + RADIUS + 0.3 for p in way[1:]) and math.hypot(x, y) >= r + 0.95
        if clear and all(math.dist((x, y), s[:2]) >= r + s[2] + 0.6 for s in found):
            found.append((x, y, r))
        if len(found) == number:
            break
    return found


def frozen(name: str) -> str:
    """The text of a task of the suite."""
    return files("agentc.specs.stl").joinpath(f"{name}.agentspec").read_text()


def problem(spec: str) -> Any:
    """The planning problem of a task's text. Raises :class:`AgentcError`."""
    from agentc.compiler.pipeline import check
    from agentc.lang.source import Source
    from agentc.runtime.planning.problem import problem_of

    result = check(Source("task.agentspec", spec))
    assert result.ok, result.diagnostics
    (agent,) = result.agents
    return problem_of(agent)


def witnessed(spec: str, tries: int = 40) -> Any:
    """A planner's witness from the middle of where a task begins: a ``Judgement`` by the reference semantics, or None.

    Each try draws a plan of timed subgoals with its times and goes from the end of one requirement to that of the next:
    the cross-entropy method lowers how far what is required until then falls short. Where none does, it raises the
    robustness of the whole, a few times.
    """
    from agentc.runtime.planning.cross_entropy import CrossEntropy, cross_entropy
    from agentc.runtime.subgoals.proposals import Pool

    task = problem(spec)
    pool = Pool(task.subgoals, tries, 0)
    for number, proposal in enumerate(pool.drawn):
        inputs = _by_stages(task, proposal.required, pool.propositions, number)
        judged = None if inputs is None else task.judge(inputs)
        if judged is not None and judged.satisfied:
            return judged
    for seed in range(4):
        inputs, value = cross_entropy(task, task.start, CrossEntropy(samples=400, best=30, rounds=80, seed=seed))
        judged = task.judge(inputs) if value > 0.0 else None
        if judged is not None and judged.satisfied:
            return judged
    return None


def _by_stages(task: Any, required: Any, propositions: Any, seed: int) -> Any:
    """Inputs ``(last, m)`` that keep a table of requirements ``(propositions, last + 1)``, or None."""
    import numpy as np

    from agentc.runtime.planning.cross_entropy import CrossEntropy, cross_entropy, rolled
    from agentc.runtime.subgoals.propositions import Propositions

    read = Propositions(propositions, task.signals, (*task.names[0], *task.names[1]))
    ends = np.flatnonzero((required[:, :-1] & ~required[:, 1:]).any(axis=0))
    cuts: list[int] = []
    for t in ends.tolist():  # what ends soon after another is one stage with what follows: who hurries does not stop
        if t - (cuts[-1] if cuts else 0) >= task.last // 6:
            cuts.append(t)
    cuts.append(task.last)
    state, found = task.start, []
    for begin, end in zip([0, *cuts], cuts, strict=False):
        asked = required[:, begin : end + 1]
        stage = dataclasses.replace(task, last=end - begin, start=state)

        def worth(traces: Any, asked: Any = asked) -> Any:
            margins = read.read(traces.reshape(-1, traces.shape[-1]), None)[0]
            short = margins.reshape(*traces.shape[:2], -1).transpose(0, 2, 1) - MARGIN
            worst = np.where(asked, short, np.inf).min(axis=2)
            return np.where((worst >= 0.0).all(axis=1), 1.0, np.minimum(worst, 0.0).sum(axis=1))

        budget = CrossEntropy(samples=200, best=20, rounds=60, stretches=16, seed=seed)
        inputs, value = cross_entropy(stage, state, budget, worth)
        if value <= 0.0:
            return None
        found.append(inputs)
        state = rolled(stage, state, inputs[None])[0, -1, : len(state)]
    return np.concatenate(found)
