"""What the method ``data`` is asked: which states, which inputs, where runs begin, how long they are, which noise.

An agent with a declared system gives its variables and where it begins; its equations are not used. An agent without
one has its real signals as states, the columns ``action.NAME`` of the plan as inputs, and runs begin where its
``assume`` formulas without temporal operators hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import VariableIR
from agentc.compiler.systems.assumed import assumed_box, states_of
from agentc.compiler.systems.dynamics import bounds
from agentc.compiler.systems.initial import initial_boxes
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.verify.data.features import Features, monomials, parsed
from agentc.runtime.verify.data.recorded import read_plan
from agentc.runtime.verify.problem import Problem
from agentc.runtime.verify.simulation import horizon_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Question:
    """A question in numbers.

    Attributes:
        states, inputs: the variables.
        boxes: where runs begin, ``(low, high)`` each ``(n,)``.
        low, high: of the inputs in every step, ``(steps, m)``.
        planned: whether a plan gives them.
        noise: the bound of every state, ``(n,)``.
        whole: whether that many steps are all there are.
    """

    states: tuple[VariableIR, ...]
    inputs: tuple[VariableIR, ...]
    boxes: tuple[tuple[Floats, Floats], ...]
    low: Floats
    high: Floats
    planned: bool
    noise: Floats
    whole: bool

    @property
    def steps(self) -> int:
        """How many."""
        return len(self.low)

    @property
    def names(self) -> tuple[str, ...]:
        """States, then inputs."""
        return tuple(v.name for v in (*self.states, *self.inputs))


def question_of(problem: Problem) -> Question:
    """The question of an item. Raises ``ValueError`` for what is missing, :class:`AgentcError` for bad input."""
    agent, settings = problem.agent, problem.settings("data")
    states = states_of(agent)
    named = str(settings["plan"])
    if agent.system is not None:
        inputs = agent.system.inputs
        boxes = tuple((b.lo, b.hi) for b in initial_boxes(agent.system))
    else:
        inputs = _planned_inputs(problem) if named else ()
        boxes = (assumed_box(agent, states),)
    if not all(np.isfinite(side).all() for box in boxes for side in box):
        raise ValueError("a state has no bounds where runs begin")
    noise = noise_of(settings["noise"], str(settings["noises"]), states)
    if named:
        plan = read_plan(Path(named), [v.name for v in inputs], problem.folder)
        lo, hi = bounds(inputs)
        out = np.argwhere((plan < lo) | (plan > hi))
        if len(out):
            row, at = out[0]
            why = f"row {row + 1} has {plan[row, at]:g} for `action.{inputs[at].name}`, which is out of its range"
            raise AgentcError([report("AS1354", None, path=named, reason=why)])
        if not len(plan):
            raise AgentcError([report("AS1354", None, path=named, reason="it has no row")])
        return Question(states, inputs, boxes, plan, plan, True, noise, True)
    steps, whole = horizon_of(problem, float(settings["horizon"]))
    lo, hi = bounds(inputs)
    return Question(
        states, inputs, boxes, np.tile(lo, (steps, 1)), np.tile(hi, (steps, 1)), False, noise, whole
    )  # fmt: skip


def features_of(problem: Problem, question: Question) -> Features:
    """The features that the item names. Raises :class:`AgentcError` (AS1353, AS1355)."""
    settings = problem.settings("data")
    text, model = str(settings["features"]), str(settings["model"])
    if text:
        return parsed(text, question.names)
    if model == "polynomial":
        return monomials(question.names, int(settings["degree"]), True)
    if model == "lipschitz" and not float(settings["lipschitz"]) > 0:
        raise AgentcError([report("AS1355", problem.item.span)])
    return monomials(question.names, 1, model != "linear")


def noise_of(every: object, single: str, states: Sequence[VariableIR]) -> Floats:
    """The bound of each state's noise. Raises :class:`AgentcError` (AS1353) for a text that cannot be read."""
    found = np.full(len(states), float(every))  # type: ignore[arg-type]
    known = [v.name for v in states]
    for part in single.split(","):
        words = part.split()
        if not words:
            continue
        try:
            name, value = words[0], float(words[1])
            if len(words) != 2 or not 0 <= value < float("inf"):
                raise ValueError
        except (IndexError, ValueError):
            why = "it is no name and a bound, such as `x 0.01`"
            raise AgentcError([report("AS1353", None, text=part.strip(), reason=why)]) from None
        if name not in known:
            why = f"`{name}` is none of {', '.join(f'`{n}`' for n in known)}"
            raise AgentcError([report("AS1353", None, text=part.strip(), reason=why)])
        found[known.index(name)] = value
    return found


def _planned_inputs(problem: Problem) -> tuple[VariableIR, ...]:
    """The inputs that a plan's columns name."""
    from agentc.runtime.recordings import format_of, read_rows

    path = problem.folder / str(problem.settings("data")["plan"])
    if path.suffix.lower() == ".npz":
        raise ValueError("without a declared system the plan is read as CSV, JSON lines or Parquet")
    first = next(iter(read_rows(str(path), format_of(str(path), None))), {})
    names = [name.removeprefix("action.") for name in first if name.startswith("action.")]
    return tuple(VariableIR(name, "input", "real") for name in names)
