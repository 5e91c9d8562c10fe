"""Verification: the networks and closed loops of a folder of outside data, with verdicts and times.

``--data`` is a folder with ``network/`` (ACAS-Xu as VNN-COMP distributes it: ONNX and VNN-LIB) and ``reach/``
(controllers of ARCH-COMP AINNCS). Peers are other tools' published times (VNN-COMP 2025, nnenum), on their machines:
for orientation, no ratio is judged. Every violation is replayed, every proof is checked. ``run`` is called by
``agentc bench verify``.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentc.benchmarks.rows import Row

TRUTH = {
    # (network, property): (whether it holds, nnenum's published seconds, start-up included)
    ("1_1", 1): (True, 1.4), ("1_1", 2): (True, 1.5), ("1_1", 3): (True, 1.5), ("1_1", 4): (True, 1.4),
    ("1_1", 5): (True, 1.9), ("1_1", 6): (True, 4.7), ("2_9", 1): (True, 62.3), ("2_9", 2): (False, 1.2),
    ("2_9", 3): (True, 0.9), ("2_9", 4): (True, 0.9), ("2_9", 8): (False, 1.2),
}  # fmt: skip
"""Verdicts on which several tools agree."""

OFFICIAL = 116.0
"""Seconds that VNN-COMP gives an instance."""


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """All rows of the data that is there."""
    rows: list[Row] = list(models())
    if data is None:
        return [*rows, Row("the rest", None, None, "", None, "s", "", None, "give the instances' folder with --data")]
    if (data / "network").is_dir():
        rows += networks(data / "network")
    if (data / "reach").is_dir():
        rows += loops(data / "reach")
    return rows


GRID = """
system grid {
  state x, y : int in [0, 1001]
  input move : enum { up, down, left, right }
  command north when move == up & y < 999 { y' = y + 1 }
  command south when move == down & y > 0 { y' = y - 1 }
  command west when move == left & x > 0 { x' = x - 1 }
  command east when move == right & x < 999 { x' = x + 1 }
  init { x = 0; y = 0 }
}

agent A {
  env grid()
  safe f = G (x <= 999 & (y >= 5 -> O y == 4))
  verify f by model { states = 2_000_000; time = 500s }
}
"""
"""A million states with four actions, times a monitor with memory."""


def models() -> Iterator[Row]:
    """CPU seconds to build a model of a million states, to decide a safety with memory on it, to check the proof."""
    from agentc.compiler.automata.ltlf import translate_typed
    from agentc.compiler.pipeline import check
    from agentc.compiler.systems.transitions import explore
    from agentc.lang.source import Source
    from agentc.runtime.verify import checker
    from agentc.runtime.verify.checker.model import closed
    from agentc.runtime.verify.checker.transitions import Space, unpacked
    from agentc.runtime.verify.model.certificates import invariant_certificate
    from agentc.runtime.verify.model.product import product
    from agentc.runtime.verify.problem import problem_of

    agent = check([Source("grid.agentspec", GRID)]).agents[0]
    assert agent.system is not None
    start = time.process_time()
    model = explore(agent.system)
    built = time.process_time() - start
    yield Row("finite model, 1,000,000 states, 4 actions: built", built, None, "", None, "CPU s", "10 s", built < 10)
    start = time.process_time()
    pairs = product(model, translate_typed(agent.formulas[0].formula, agent.declared), 4_000_000)
    violated = bool((pairs.verdict == 0).any())
    decided = time.process_time() - start
    yield Row("finite model: multiplied and decided", decided, None, "", None, "CPU s", "3 s",
              decided < 3 and not violated, f"{len(pairs)} pairs")  # fmt: skip
    document = json.loads(json.dumps(invariant_certificate(problem_of(agent, 0), pairs).data()))
    start = time.process_time()
    accepted = checker.check(document).accepted
    whole = time.process_time() - start
    table = unpacked(document["argument"]["pairs"], document["argument"]["count"], len(agent.system.states) + 1)
    space = Space(agent.system, translate_typed(agent.formulas[0].formula, agent.declared), table)
    start = time.process_time()
    space.rebuild()
    rebuilt = time.process_time() - start
    yield Row("finite model: certificate, transitions evaluated anew", rebuilt, None, "", None, "CPU s", "", None)
    start = time.process_time()
    count = closed(space)
    checked = time.process_time() - start
    yield Row("finite model: certificate checked on them", checked, None, "", None, "CPU s", "0.1 s",
              checked < 0.1 and accepted, f"{count} transitions; all of it: {whole:.2g} CPU s")  # fmt: skip


def networks(folder: Path) -> Iterator[Row]:
    """Every property on every network for which the truth is known, or that the folder's instances.csv lists."""
    from agentc.runtime.verify import checker
    from agentc.runtime.verify.network.method import verify_files

    for network, prop in _instances(folder):
        found = re.search(r"run2a_(\d_\d)_.*prop_(\d+)", f"{network.name} {prop.name}")
        key = (found[1], int(found[2])) if found else ("", 0)
        holds, theirs = TRUTH.get(key, (None, None))
        start = time.perf_counter()
        answer = verify_files(network, prop, OFFICIAL)
        seconds = time.perf_counter() - start
        note = ""
        if answer.certificate is not None:
            document = json.loads(json.dumps(answer.certificate.data()))
            begun = time.process_time()
            finding = checker.check(document, network.parent)
            covered = "float32" if finding.facts.get("float32") else "real arithmetic only"
            note = f"{covered}, certificate {len(json.dumps(document)) / 1000:.1f} kB, "
            note += f"checked in {time.process_time() - begun:.2f} CPU s"
        wanted = None if holds is None else ("proved" if holds else "falsified")
        right = None if wanted is None else answer.word == wanted and seconds < OFFICIAL
        yield Row(
            f"ACAS-Xu {key[0]} property {key[1]}: {answer.word}", seconds, theirs, "nnenum, published", None, "s",
            f"{wanted or 'decided'} in {OFFICIAL:g} s", right, note,
        )  # fmt: skip


def loops(folder: Path) -> Iterator[Row]:
    """The closed loops whose controllers are there, on their full initial sets: verdict, seconds, certificate.

    Then, of those that are proved, the width of the tube at the horizon against the hull of runs, for each state; how
    many of the runs violate the formula, and how many samples there are at which the hull leaves the tube. The runs are
    those that :mod:`agentc.benchmarks.reach_runs` has recorded; without a record, some that are made now. Controllers
    are written as float32 ONNX files. Where float32 alone makes the tube wide its width with a float64 file follows.
    """
    import tempfile

    from agentc.benchmarks.reach_instances import INSTANCES, agent_of, read_polar, write_onnx
    from agentc.runtime.verify.method import decide
    from agentc.runtime.verify.problem import problem_of

    with tempfile.TemporaryDirectory() as made:
        for instance in INSTANCES:
            path = folder / f"{instance.controller}.polar"
            if not path.is_file():
                continue
            file, network = Path(made) / f"{instance.controller}.onnx", instance.lift(read_polar(path))
            write_onnx(network, file)
            problem = problem_of(agent_of(instance), 0, Path(made))
            answer = decide(problem)
            wanted = "proved" if instance.holds else "falsified"
            note = f"{answer.evidence['boxes']} boxes" if "boxes" in answer.evidence else answer.sentence
            right = answer.word == wanted and answer.seconds < 60
            said, peer = f"ARCH-COMP {instance.name}: {answer.word}", instance.peer
            yield Row(said, answer.seconds, peer, "published", None, "s", f"{wanted} in 60 s", right, note)
            if answer.word == "proved":
                yield from _widths(instance, Path(made), folder)
                if instance.double:
                    write_onnx(network, file, double=True)
                    yield next(_widths(instance, Path(made), folder, ", float64 controller"))


def _widths(instance: Any, made: Path, folder: Path, which: str = "") -> Iterator[Row]:
    """The tube of a proof with the starts cut as the instance says, against runs."""
    import numpy as np

    from agentc.benchmarks import reach_runs
    from agentc.benchmarks.reach_instances import agent_of
    from agentc.runtime.verify.method import decide
    from agentc.runtime.verify.problem import problem_of

    answer = decide(problem_of(agent_of(instance, instance.split, 900), 0, made))
    if answer.word != "proved":
        yield Row(f"{instance.name}: width", None, None, "", None, "", "", None, answer.sentence)
        return
    simulation = reach_runs.simulation_of(instance, made)
    runs = reach_runs.recorded(instance, folder) or reach_runs.run(instance, "", simulation, 0)
    tube, low, high = np.array(answer.evidence["tube"]), np.array(runs.low), np.array(runs.high)
    ratios = (tube[-1, 1] - tube[-1, 0]) / (high[-1] - low[-1])
    each = " ".join(f"{r:.2f}" for r in ratios)
    note = f"each state {each}; {answer.evidence['boxes']} boxes in {answer.seconds:.1f} s, certificate checked"
    bound = instance.width
    yield Row(f"{instance.name}{which}: width at the end against {runs.count} runs", float(max(ratios)), None, "", None,
              "times", "" if bound is None else f"{bound:g}", None if bound is None else bool(max(ratios) <= bound),
              note)  # fmt: skip
    violations = runs.violations
    yield Row(f"{instance.name}: runs of {runs.count} that violate", float(violations), None, "", None, "", "0",
              not violations)  # fmt: skip
    # runs are integrated with an error, which counts where the starts are points
    room = reach_runs.uncertain(simulation) + 1e-12 * (1 + np.abs(low) + np.abs(high))
    outside = int(((low < tube[:, 0] - room) | (high > tube[:, 1] + room)).any(axis=1).sum())
    yield Row(f"{instance.name}: samples at which one of them leaves the tube", float(outside), None, "", None, "", "0",
              not outside)  # fmt: skip


def _instances(folder: Path) -> list[tuple[Path, Path]]:
    listing = folder / "instances.csv"
    if listing.is_file():
        lines = [line.split(",") for line in listing.read_text("utf-8").splitlines() if line.strip()]
        return [(folder / a.strip(), folder / b.strip()) for a, b, *_ in lines]
    pairs = [
        (folder / f"ACASXU_run2a_{network}_batch_2000.onnx", folder / f"prop_{prop}.vnnlib") for network, prop in TRUTH
    ]
    return [(a, b) for a, b in pairs if a.is_file() and b.is_file()]

