"""A million runs of each closed loop that is proved: how many violate, and the hull that tubes are compared with.

Runs are recorded in ``recorded/reach_runs.jsonl`` beside this file, 50,000 a line; what is there is not run again, so
an interrupted run goes on where it was.

    python -m agentc.benchmarks.reach_runs ../shared/bench/reach              a million of each
    python -m agentc.benchmarks.reach_runs ../shared/bench/reach 50000 --again    without the record, nothing is written

A tube encloses the differential equation, so the equation is what is run: control and disturbances are held for a
period, and a period is integrated in parts of at most :data:`PART` seconds. (The declared integrator of TORA takes
one step a second, which has the hull elsewhere.) The formula is judged on all parts.

Half of the runs start anywhere, their disturbances drawn anew each period. The other half start at the ends of some
sides and hold their disturbances at an end, which reaches further.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.benchmarks import recording
from agentc.benchmarks.reach_instances import INSTANCES, Instance, agent_of, read_polar, write_onnx

RECORDED = Path(__file__).parent / "recorded" / "reach_runs.jsonl"
MILLION, LINE, BATCH = 1_000_000, 50_000, 5_000
PART = 0.125
"""Seconds of one step of integration, at most."""


@dataclass(frozen=True)
class Runs:
    """Some runs of an instance.

    Attributes:
        name: of the instance.
        text: what they are of: the digest of the instance's text and of its controller.
        seed: of these runs.
        count: how many.
        violations: how many of them violate the formula.
        low, high: their hull at each sample, ``(samples, states)``.
        seconds: of CPU time.
    """

    name: str
    text: str
    seed: int
    count: int
    violations: int
    low: list[list[float]]
    high: list[list[float]]
    seconds: float


def digest(instance: Instance, folder: Path) -> str:
    """What a line's runs are of."""
    text = f"{instance.system}{instance.formula}{instance.horizon}{PART}{LINE}"
    controller = (folder / f"{instance.controller}.polar").read_bytes()
    return hashlib.sha256(text.encode("utf-8") + controller).hexdigest()[:12]


def simulation_of(instance: Instance, made: Path) -> Any:
    """The loop with its controller from the folder ``made``, integrated finely."""
    from agentc.runtime.verify.problem import problem_of
    from agentc.runtime.verify.reach.between import Between
    from agentc.runtime.verify.simulation import controller_of

    problem = problem_of(agent_of(instance), 0, made)
    system = problem.agent.system
    assert system is not None and system.step is not None
    controller = controller_of(problem, f"{instance.controller}.onnx", system)
    parts = max(1, math.ceil(system.step / PART))
    return Between(system, controller, problem.item.formula, instance.horizon, parts)


def draw(simulation: Any, rng: np.random.Generator, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Starts ``(count, states)`` and disturbances ``(count, periods, k)``, the first half at ends."""
    from agentc.compiler.systems.initial import initial_boxes

    start, _ = simulation.simulator.start(rng, count)
    noise = rng.random((count, simulation.steps, simulation.width))
    half = count // 2
    (box,) = initial_boxes(simulation.system)
    for row, side in enumerate(rng.integers(0, 3, (half, start.shape[1]))):  # at its low end, its high end, or inside
        start[row] = np.where(side == 0, box.lo, np.where(side == 1, box.hi, start[row]))
    noise[:half] = (rng.random((half, 1, simulation.width)) < 0.5) * np.nextafter(1.0, 0.0)
    return start, noise


def run(instance: Instance, text: str, simulation: Any, seed: int, count: int = LINE) -> Runs:
    """So many runs with that seed."""
    from agentc.compiler.signals.robustness import compile_robustness

    begun = time.process_time()
    rng = np.random.default_rng(seed)
    truth = compile_robustness(simulation.formula, agent_of(instance).declared)
    names = [v.name for v in simulation.system.states]
    low, high = np.inf, -np.inf
    violations = 0
    for at in range(0, count, BATCH):
        signals = simulation.rollouts(*draw(simulation, rng, min(BATCH, count - at)))
        states = np.stack([signals[name][:, :: simulation.parts] for name in names], axis=2)
        low, high = np.minimum(low, states.min(axis=0)), np.maximum(high, states.max(axis=0))
        violations += int((~np.asarray(truth.satisfaction_at(signals))).sum())
    hull = np.asarray(low).tolist(), np.asarray(high).tolist()
    return Runs(instance.name, text, seed, count, violations, *hull, round(time.process_time() - begun, 2))


def uncertain(simulation: Any, count: int = 500) -> NDArray[Any]:
    """How far integration is off, ``(samples, states)``: twice the most that half the step changes of some runs."""
    from agentc.runtime.verify.reach.between import Between

    s = simulation
    start, noise = draw(s, np.random.default_rng(0), count)
    ends = []
    for one in (s, Between(s.system, s.controller, s.plain, s.steps, 2 * s.parts)):
        signals = one.rollouts(start, noise)
        ends.append(np.stack([signals[v.name][:, :: one.parts] for v in s.system.states], axis=2))
    off: NDArray[Any] = 2 * np.abs(ends[0] - ends[1]).max(axis=0)
    return off


def merged(parts: list[Runs]) -> Runs:
    """Several lines as one."""
    low = np.minimum.reduce([np.array(p.low) for p in parts]).tolist()
    high = np.maximum.reduce([np.array(p.high) for p in parts]).tolist()
    count, violations = sum(p.count for p in parts), sum(p.violations for p in parts)
    return Runs(parts[0].name, parts[0].text, -1, count, violations, low, high, sum(p.seconds for p in parts))


def read(path: Path = RECORDED) -> list[Runs]:
    """The recorded lines."""
    return recording.rows(path, Runs, lambda _: True)


def recorded(instance: Instance, folder: Path) -> Runs | None:
    """What is recorded of the instance as it now is; None if nothing is."""
    text = digest(instance, folder)
    parts = [r for r in read() if (r.name, r.text) == (instance.name, text)]
    return merged(parts) if parts else None


def missing(folder: Path, count: int, done: list[Runs]) -> Iterator[tuple[Instance, str, int]]:
    """What is to be run: the instances that hold and whose controllers are there, with the seeds that are not done."""
    have = {(r.name, r.text, r.seed) for r in done}
    for instance in INSTANCES:
        if instance.holds and (folder / f"{instance.controller}.polar").is_file():
            text = digest(instance, folder)
            for seed in range(math.ceil(count / LINE)):
                if (instance.name, text, seed) not in have:
                    yield instance, text, seed


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing; 1 if any run violates."""
    parser = argparse.ArgumentParser(description="Runs of the closed loops that are proved.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=MILLION)
    parser.add_argument("--again", action="store_true", help="run all, and write nothing")
    given = parser.parse_args(arguments)
    done = [] if given.again else read()
    work = list(missing(given.folder, given.count, done))
    with tempfile.TemporaryDirectory() as made:
        simulations: dict[str, Any] = {}
        for (instance, text, seed), where in recording.in_turn(work):
            if instance.name not in simulations:
                network = instance.lift(read_polar(given.folder / f"{instance.controller}.polar"))
                write_onnx(network, Path(made) / f"{instance.controller}.onnx")
                simulations[instance.name] = simulation_of(instance, Path(made))
            found = run(instance, text, simulations[instance.name], seed)
            done.append(found)
            if not given.again:
                recording.append(RECORDED, found)
            print(f"{instance.name}, seed {seed}: {found.violations} of {found.count} violate, {found.seconds} CPU s; "
                  f"{where}", file=sys.stderr, flush=True)  # fmt: skip
    violations = 0
    for name in dict.fromkeys(r.name for r in done):
        whole = merged([r for r in done if r.name == name])
        violations += whole.violations
        print(f"{name}: {whole.violations} of {whole.count} runs violate, {whole.seconds:.0f} CPU s")
    return int(violations > 0)


if __name__ == "__main__":
    raise SystemExit(main())
