"""The method ``data``: reachable sets of every model that explains recorded trajectories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from agentc.compiler.codec import encode_agent
from agentc.compiler.logic.ir import Formula, postorder
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.systems.assumed import states_of
from agentc.compiler.systems.dynamics import bounds
from agentc.runtime.verify.answer import Answer, Verdict, unknown
from agentc.runtime.verify.certificate import Certificate, digest
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.data.models import ModelSet, tight_models, zonotope_models
from agentc.runtime.verify.data.question import Floats, Question, features_of, question_of
from agentc.runtime.verify.data.recorded import Transitions, read_transitions
from agentc.runtime.verify.data.residual import Residual, lipschitz_models
from agentc.runtime.verify.data.tube import box, hull, step, with_inputs
from agentc.runtime.verify.problem import Problem
from agentc.runtime.verify.reach.loop import Control
from agentc.runtime.verify.reach.method import loop_of
from agentc.runtime.verify.reach.order import generated
from agentc.runtime.verify.reach.truth import NUMBERS, OPERATORS, Run, propositions, surely
from agentc.runtime.verify.simulation import Controller, controller_of, is_safety, lookahead, reads_only

NAME = "data"
PARTS = 4096
"""The most boxes that the start is cut into."""
CLAIM = "every run of every model that explains the recordings satisfies it"


@dataclass(frozen=True)
class DataMethod:
    """Decides temporal formulas over the states of dynamics that are known from recordings alone."""

    name: str = NAME

    def refusal(self, problem: Problem) -> str | None:
        """It needs recordings, and a formula over the states."""
        if problem.item.bound is not None:
            return "it asks for a probability"
        if not problem.settings(NAME)["trajectories"]:
            return "the item names no recorded `trajectories`"
        states = states_of(problem.agent)
        if not states or any(v.kind != "real" for v in states):
            return "the states are not real numbers"
        for node in postorder(problem.item.formula):
            if isinstance(node, Formula) and node.op not in OPERATORS:
                return f"the formula has `{node.op}`"
        for name in reads_only(problem.item.formula, states):
            return f"the formula reads `{name}`, which is no state"
        try:
            for graph in propositions(problem.item.formula, states).values():
                odd = [part.op for part in graph.nodes if part.op not in NUMBERS | {"var"}]
                if odd:
                    return f"a proposition has `{odd[0]}`"
            question_of(problem)
        except ValueError as error:
            return str(error)
        return None

    def solve(self, problem: Problem) -> Answer:
        """Proved for all models, falsified by a recorded run, or unknown with what is proved of a plan."""
        settings = problem.settings(NAME)
        question = question_of(problem)
        if any((lo > hi).any() for lo, hi in question.boxes):
            return Answer(Verdict.VACUOUS, NAME, "no state is a start: what is assumed of the first step is empty")
        controller = Controller()
        if settings["controller"] and problem.agent.system is not None:
            controller = controller_of(problem, str(settings["controller"]), problem.agent.system, NAME)
        names = [v.name for v in question.states], [v.name for v in question.inputs]
        data = read_transitions(Path(str(settings["trajectories"])), *names, problem.folder)
        enough = _enough(problem, question)
        seen = _recorded(problem, question, data) if not controller.name and enough else None
        if seen is not None:
            return seen
        features = features_of(problem, question)
        problem.progress(f"the models that explain {len(data)} transitions")
        residual: Residual | None = None
        if settings["model"] == "lipschitz" and not settings["features"]:
            models, residual = lipschitz_models(features, data, question.noise, float(settings["lipschitz"]))
        elif settings["bounds"] == "tight":
            models = tight_models(features, data, question.noise)
        else:
            models = zonotope_models(features, data, question.noise)
        control = None
        if controller.name and problem.agent.system is not None:
            control = loop_of(problem.agent.system, controller, 1).control
        starts = cuts(question, int(settings["split"]))
        tube = follow(problem, question, models, residual, control, parts(starts))
        return _answer(problem, question, data, models, residual, controller, tube, starts, enough)


def cuts(question: Question, split: int) -> list[list[list[float]]]:
    """For each box and each side where it is cut, its ends included; a side that has a width, into so many parts."""
    found = []
    for lo, hi in question.boxes:
        wide = int((hi > lo).sum())
        cut = max(1, min(split, int(PARTS ** (1 / max(wide, 1)))))
        sides = zip(lo.tolist(), hi.tolist(), strict=True)
        found.append([np.linspace(a, b, cut + 1).tolist() if b > a else [a, b] for a, b in sides])
    return found


def parts(edges_of: Sequence[Sequence[Sequence[float]]]) -> tuple[Floats, Floats]:
    """The boxes ``(batch, n)`` between cuts."""
    low, high = [], []
    for edges in edges_of:
        for cell in product(*(range(len(e) - 1) for e in edges)):
            low.append([e[k] for e, k in zip(edges, cell, strict=True)])
            high.append([e[k + 1] for e, k in zip(edges, cell, strict=True)])
    return np.array(low), np.array(high)


@dataclass(frozen=True)
class Tube:
    """What is known of a run of sets: the truth of the atoms, the hulls ``(batch, n)``, and whether time was over."""

    run: Run
    hulls: list[tuple[Floats, Floats]]
    cut: bool


def follow(
    problem: Problem, question: Question, models: ModelSet, residual: Residual | None, control: Control | None,
    starts: tuple[Floats, Floats],
) -> Tube:
    """The sets of all steps from all parts."""
    states = box(*starts)
    run = Run(propositions(problem.item.formula, question.states), [v.name for v in question.states], discrete=True)
    run.sample(states)
    hulls = [hull(states)]
    batch = len(starts[0])
    for t in range(question.steps):
        if problem.left() <= 0:
            return Tube(run, hulls, True)
        if control is not None:
            given, _ = control(states)
            states, inputs = generated(states, list(given))
        else:
            low, high = (np.tile(side[t], (batch, 1)) for side in (question.low, question.high))
            states, inputs = with_inputs(states, low, high)
        states = step(models, states, inputs) if residual is None else residual.step(models, states, inputs)
        lo, hi = hull(states)
        if not (np.isfinite(lo).all() and np.isfinite(hi).all() and max(np.abs(lo).max(), np.abs(hi).max()) < 1e9):
            return Tube(run, hulls, True)
        run.span([])
        run.sample(states)
        hulls.append((lo, hi))
        problem.progress(f"step {t + 1} of {question.steps}")
    return Tube(run, hulls, False)


def held(formula: Formula, tube: Tube, steps: int) -> Any:
    """Whether the formula surely holds of runs of so many steps, for each part."""
    cut = Run({}, (), discrete=True)
    cut.samples = {atom: pairs[: steps + 1] for atom, pairs in tube.run.samples.items()}
    cut.between = {atom: pairs[:steps] for atom, pairs in tube.run.between.items()}
    return surely(formula, cut)


def _enough(problem: Problem, question: Question) -> bool:
    ahead = lookahead(problem.item.formula)
    return question.whole or (ahead is not None and ahead <= question.steps)


def _recorded(problem: Problem, question: Question, data: Transitions) -> Answer | None:
    """A recorded run that is one of those in question and violates the formula."""
    prefix = is_safety(problem.item.formula)
    if problem.role == "safe" and not prefix:
        return None
    lo, hi = bounds(question.inputs)
    for index, (states, inputs) in enumerate(data.runs):
        if not any(((states[0] >= a) & (states[0] <= b)).all() for a, b in question.boxes):
            continue
        count = min(len(inputs), question.steps)
        low, high = (question.low[:count], question.high[:count]) if question.planned else (lo, hi)
        fit = ((inputs[:count] >= low) & (inputs[:count] <= high)).all(axis=1)
        count = int(np.argmin(fit)) if not fit.all() else count
        if count < question.steps and not prefix:
            continue
        trace = _valuations(question, states[: count + 1], inputs[:count])
        if not evaluate(problem.item.formula, Trace(trace)):
            said = f"the recorded trajectory {index + 1} violates it in {count} steps"
            return Answer(Verdict.FALSIFIED, NAME, said, evidence={"trace": trace, "trajectory": index + 1})
    return None


def _valuations(question: Question, states: Floats, inputs: Floats) -> list[dict[str, float]]:
    rows = []
    for t, state in enumerate(states):
        row = {v.name: float(x) for v, x in zip(question.states, state, strict=True)}
        if t:
            row |= {f"action.{v.name}": float(x) for v, x in zip(question.inputs, inputs[t - 1], strict=True)}
        rows.append(row)
    return rows


# ---------------------------------------------------------------- the answer


def _answer(
    problem: Problem, question: Question, data: Transitions, models: ModelSet, residual: Residual | None,
    controller: Controller, tube: Tube, starts: list[list[list[float]]], enough: bool,
) -> Answer:
    formula, steps = problem.item.formula, question.steps
    done = len(tube.hulls) - 1
    good = held(formula, tube, done)
    share = float(np.mean(good))
    evidence: dict[str, Any] = {
        "share": share, "steps": done, "transitions": len(data), "features": list(models.features.texts),
        "tube": [[lo.min(axis=0).tolist(), hi.max(axis=0).tolist()] for lo, hi in tube.hulls],
    }  # fmt: skip
    first = 0
    if question.planned and problem.role == "safe":
        for first in range(done, -1, -1):
            if held(formula, tube, first).all():
                break
        evidence["safe actions"] = first
    if not good.all() or done < steps:
        if question.planned and problem.role == "safe":
            said = f"the first {first} of {steps} actions keep it, for every model; of the next it is not proved"
        elif done < steps:
            said = f"the sets were followed for {done} of {steps} steps"
        else:
            said = f"{share:.1%} of the starts are proved"
        return unknown(NAME, said, **evidence)
    if not enough:
        return unknown(NAME, f"it is proved for {steps} steps, which are fewer than the formula asks for", **evidence)
    what = f"all {steps} actions of the plan keep it" if question.planned else f"it holds for {steps} steps"
    said = f"{what}, for every model that explains {len(data)} transitions"
    certificate = None
    if not controller.reading:
        certificate = _certificate(problem, question, data, models, starts)
        if not check(certificate.data(), problem.folder).accepted:
            certificate = None
    assumed = tuple(_assumptions(problem, question, data, models, residual, controller))
    return Answer(Verdict.PROVED, NAME, said, assumed, evidence, certificate, certificate is not None)


def _certificate(
    problem: Problem, question: Question, data: Transitions, models: ModelSet, starts: list[list[list[float]]]
) -> Certificate:
    settings = problem.settings(NAME)
    files = {"trajectories": {"path": str(settings["trajectories"]), "digest": data.digest}}
    if question.planned:
        name = str(settings["plan"])
        files["plan"] = {"path": name, "digest": digest((problem.folder / name).read_bytes())}
    item = next(i for i, v in enumerate(problem.agent.verifies) if v is problem.item)
    return Certificate(
        NAME,
        {"agent": encode_agent(problem.agent), "item": item, "files": files, "folder": "."},
        {
            "holds": CLAIM, "steps": question.steps, "noise": question.noise.tolist(),
            "features": list(models.features.texts), "transitions": len(data),
        },
        {**models.argument, "starts": starts},
    )  # fmt: skip


def _assumptions(
    problem: Problem, question: Question, data: Transitions, models: ModelSet, residual: Residual | None,
    controller: Controller,
) -> list[str]:
    listed = ", ".join(models.features.texts)
    if residual is None:
        model = f"each next state is one fixed combination of {listed}, plus noise"
    else:
        model = f"each next state changes at most {residual.constant:g} times as fast as states and inputs, plus noise"
    if problem.agent.system is not None:
        model += f"; the equations of `{problem.agent.system.name}` are not used"
    noise = ", ".join(f"{v.name} {b:g}" for v, b in zip(question.states, question.noise, strict=True))
    found = [
        model,
        f"the noise of every step, recorded or to come, is at most: {noise}",
        f"{data.path} ({data.digest[:19]}...) has the states and inputs of {len(data)} steps as they were",
    ]
    if question.planned:
        found.append("the inputs are those of the plan")
    elif controller.name:
        found.append(f"the inputs are those of {controller.name}")
    elif question.inputs:
        found.append("inputs stay in their ranges, whatever sets them")
    if controller.reading is not None:
        found.append(f"the network {controller.name} is evaluated in float32 or more, in any order of summation")
    return found


def explanation(models: ModelSet, point: Sequence[float]) -> tuple[Floats, Floats]:
    """What the models say of one point of states and inputs: the box of the next state, for tests and drawings."""
    values = np.array([point], np.float64)
    n = len(models.noise)
    states = box(values[:, :n], values[:, :n])
    states, inputs = with_inputs(states, values[:, n:], values[:, n:])
    lo, hi = hull(step(models, states, inputs))
    return lo[0], hi[0]
