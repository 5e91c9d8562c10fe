"""Planning: the seven scenarios of stlpy, solved by the mixed-integer program and by gradients; infeasible variants.

Seconds are of processor time, of one thread, from the checked spec to the judged trajectory. The peer is the encoding
that the field starts from (Belta and Sadraddini 2019: a variable for each subformula and step, a binary for each
condition, one big-M of 1000, nothing folded), written here and solved by the same HiGHS, for its first feasible point.
``run`` is called by ``agentc bench planning``.
"""

from __future__ import annotations

import statistics
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from agentc.benchmarks.rows import Row

SCENARIOS = ("reach_avoid", "either_or", "narrow_passage", "door_puzzle", "stepping_stones", "random_multitarget",
             "nonlinear_reach_avoid")  # fmt: skip
INFEASIBLE = {"reach_avoid": 8, "stepping_stones": 8, "random_multitarget": 9, "door_puzzle": 24}
"""Scenarios with too few steps."""
LIMIT = 10.0
"""Seconds in which a scenario is to be solved."""
PATIENCE = 10.0
"""Seconds of the processor that the gradients get."""
WALL = 300.0
"""Seconds by the clock on the wall after which the solver stops."""
BIG_M = 1000.0


def run(rounds: int = 3, data: Path | None = None) -> list[Row]:
    """All rows of the benchmark; ``data`` is not needed. At most three rounds; the peer and the gradients have one."""
    import torch

    torch.set_num_threads(1)
    rounds = min(rounds, 3)
    rows = [solved(name, rounds) for name in SCENARIOS if name != "nonlinear_reach_avoid"]
    rows += [descended(name) for name in SCENARIOS]
    rows += [refuted(name, rounds) for name in INFEASIBLE]
    return rows


def problem(name: str, last: int | None = None) -> Any:
    """The problem of a scenario; for an infeasible variant with its number of steps."""
    from agentc.compiler.pipeline import check, read
    from agentc.runtime.planning.problem import problem_of

    path = str(files("agentc.specs.planning").joinpath(f"{name}.agentspec"))
    (agent,) = check(read(path)).agents
    return problem_of(agent, last=last)


def solved(name: str, rounds: int) -> Row:
    """The mixed-integer program, and the plain encoding of the same problem."""
    from agentc.runtime.planning.planner import plan

    seconds, outcome = [], None
    for _ in range(rounds):
        task = problem(name)
        start = time.process_time()
        outcome = plan(task, "milp", seconds=WALL)
        seconds.append(time.process_time() - start)
    assert outcome is not None
    mine = statistics.median(seconds)
    peer, found = plain(problem(name))
    robust = f", robustness {outcome.judgement.robustness:.3g}" if outcome.judgement is not None else ""
    note = f"{outcome.status}{robust}, {outcome.binaries} binaries; the plain encoding: {found}"
    good = outcome.status == "satisfied" and mine < LIMIT
    target = f"satisfied, < {LIMIT:g}"
    return Row(f"{name}: milp", mine, peer, "plain encoding", mine / peer, "CPU s", target, good, note)


def descended(name: str) -> Row:
    """The gradients; only where the program does not apply is it a target that they find a plan."""
    from agentc.runtime.planning.gradient import Search, search

    task = problem(name)
    start = time.process_time()
    found = search(task, Search(seconds=PATIENCE, clock=time.process_time))
    mine = time.process_time() - start
    judged = found.judgement
    satisfied = judged is not None and judged.satisfied
    robust = f", robustness {judged.robustness:.3g}" if judged is not None else ""
    wanted = name == "nonlinear_reach_avoid"
    good = (satisfied and mine < LIMIT) if wanted else None
    target = f"satisfied, < {LIMIT:g}" if wanted else "-"
    note = f"{'satisfied' if satisfied else 'not found'}{robust}, {found.rounds} rounds"
    return Row(f"{name}: gradient", mine, None, "", None, "CPU s", target, good, note)


def refuted(name: str, rounds: int) -> Row:
    """A variant that no trajectory satisfies: it is to be reported as such."""
    from agentc.runtime.planning.planner import plan

    seconds, outcome = [], None
    for _ in range(rounds):
        task = problem(name, INFEASIBLE[name])
        start = time.process_time()
        outcome = plan(task, "milp", seconds=WALL)
        seconds.append(time.process_time() - start)
    assert outcome is not None
    mine = statistics.median(seconds)
    how = f"{INFEASIBLE[name]} steps"
    good = outcome.status == "infeasible" and mine < LIMIT
    return Row(f"{name}, {how}: milp", mine, None, "", None, "CPU s", f"infeasible, < {LIMIT:g}", good, outcome.note)


# ---------------------------------------------------------------- the plain encoding


def plain(task: Any) -> tuple[float, str]:
    """Seconds of the plain encoding, and what came of it."""
    import highspy

    from agentc.runtime.planning.clauses import expand
    from agentc.runtime.planning.milp import Encoding, Grid, solver
    from agentc.runtime.planning.planner import program_of

    start = time.process_time()
    program = program_of(task)
    grid = Grid(program, 0.0, boxes=False)
    graph = expand(task.core, program.last, grid.column, lambda row: (-np.inf, np.inf), slack=1e-3)
    encoding = Encoding(program, grid, None, 1e-3)
    z: dict[int, int] = {}
    for ref in range(2, graph.root + 1):
        kind, parts = graph.kind[ref], graph.parts[ref]
        z[ref] = encoding.variable(0.0, 1.0, integer=kind == "row")
        if kind == "row":
            entries, constant, _ = graph.rows[ref]
            encoding.row([*entries, (z[ref], -BIG_M)], 1e-3 - constant - BIG_M, np.inf)
        elif kind == "all":
            for part in parts:
                encoding.row([(z[part], 1.0), (z[ref], -1.0)], 0.0, np.inf)
        else:
            encoding.row([*((z[part], 1.0) for part in parts), (z[ref], -1.0)], 0.0, np.inf)
    encoding.row([(z[graph.root], 1.0)], 1.0, 1.0)
    status, values = solver(encoding.program(), WALL, 1)
    seconds = time.process_time() - start
    if values is not None:
        return seconds, f"a plan, {sum(encoding.integer)} binaries"
    late = status == highspy.HighsModelStatus.kTimeLimit
    return seconds, "none in time" if late else str(status).rpartition(".k")[2]
