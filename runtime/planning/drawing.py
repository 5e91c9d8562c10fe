"""A plan as a drawing (regions, obstacles, the trajectory with the steps along it) and as a recorded trace."""

from __future__ import annotations

import csv
import io
import math

import numpy as np

from agentc.runtime.envs.declared_view import drawing_of_agent, svg
from agentc.runtime.planning.problem import Judgement, Problem

LABELS = 8
"""About how many steps along a trajectory are labelled."""


def plan_svg(problem: Problem, judgement: Judgement) -> str:
    """The trajectory in the plane of the agent's regions, as an SVG document."""
    steps = int(np.isfinite(judgement.states).all(axis=1).sum())
    every = max(1, round(steps / LABELS))
    return svg(drawing_of_agent(problem.agent), judgement.states[None], every=every)


def plan_csv(problem: Problem, judgement: Judgement) -> str:
    """Step, time, states, and the inputs that act from each step to the next, one row a step."""
    system = problem.system
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    inputs = [v.name for v in system.inputs]
    writer.writerow(["step", "time", *(v.name for v in system.states), *inputs])
    duration = problem.simulator.step_size
    for t, state in enumerate(judgement.states):
        if not math.isfinite(float(state.sum())):
            break
        given = [repr(float(u)) for u in judgement.inputs[t]] if t < len(judgement.inputs) else [""] * len(inputs)
        writer.writerow([t, f"{t * duration:.10g}", *(repr(float(x)) for x in state), *given])
    return out.getvalue()
