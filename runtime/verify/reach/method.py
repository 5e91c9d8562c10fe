"""The method ``reach``: a few random runs first, then reachable sets in continuous time with splitting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np

from agentc.compiler.agent import SystemIR
from agentc.compiler.logic.ir import Formula, postorder
from agentc.compiler.systems.dynamics import Dynamics, bounds
from agentc.compiler.systems.graph import Graph
from agentc.compiler.systems.initial import initial_boxes
from agentc.runtime.verify.answer import Answer, Verdict, unknown
from agentc.runtime.verify.falsify import falsified, search
from agentc.runtime.verify.network.mlp import Network
from agentc.runtime.verify.problem import Problem
from agentc.runtime.verify.reach.between import search_between
from agentc.runtime.verify.reach.forms import Form
from agentc.runtime.verify.reach.intervals import Floats
from agentc.runtime.verify.reach.loop import Control, Loop
from agentc.runtime.verify.reach.modes import Modes, mode_variable
from agentc.runtime.verify.reach.prove import Proof, Question, prove
from agentc.runtime.verify.reach.series import SMOOTH
from agentc.runtime.verify.reach.through import U32, U64, through
from agentc.runtime.verify.reach.truth import NUMBERS, OPERATORS, TruthArithmetic, propositions
from agentc.runtime.verify.reach.tube import certificate, checked
from agentc.runtime.verify.simulation import (
    Controller,
    Simulation,
    controller_of,
    horizon_of,
    is_safety,
    lookahead,
    reads_only,
)

NAME = "reach"
RUNS = 256
"""Random runs before the first set; sixteen times as many, with gradients, where no proof closes."""


@dataclass(frozen=True)
class ReachMethod:
    """Decides bounded temporal formulas over the states of declared equations."""

    name: str = NAME

    def refusal(self, problem: Problem) -> str | None:
        """Why the item is outside of the fragment; None if it is in it."""
        system = problem.agent.system
        if problem.item.bound is not None:
            return "it asks for a probability"
        if system is None:
            return "the agent has no declared system"
        return system_refusal(system) or formula_refusal(problem, system)

    def solve(self, problem: Problem) -> Answer:
        """Falsified by a run, proved on all parts of the initial set, or unknown with the share that is."""
        settings = problem.settings(NAME)
        system = problem.agent.system
        assert system is not None
        controller = controller_of(problem, str(settings["controller"]), system, NAME)
        steps, whole = horizon_of(problem, float(settings["horizon"]))
        formula = problem.item.formula
        ahead = lookahead(formula)
        enough = whole or (ahead is not None and ahead <= steps)
        judged = (problem.role != "safe" and enough) or is_safety(formula)
        simulation = Simulation(system, controller, formula, steps)
        if judged:
            found, spent, _ = search(problem.within(0.25 * problem.left()), simulation, RUNS, 0)
            if found is not None:
                return falsified(NAME, found, spent, simulation)
        if is_safety(formula) and system.integrator != "difference" and not system.modes:
            moment = search_between(problem.within(0.25 * problem.left()), controller, steps, RUNS)
            if moment is not None:
                return moment
        loop = loop_of(system, controller, int(settings["order"]))
        atoms = propositions(formula, (*system.variables, *mode_variable(system)))
        modes = _modes(system, controller, int(settings["order"]))
        boxes = initial_boxes(system)
        deadline = monotonic() + (0.8 if judged else 1.0) * problem.left()
        proofs: list[Proof] = []
        for at, box in enumerate(boxes):
            label = f"start {at + 1} of {len(boxes)}: " if len(boxes) > 1 else ""

            def told(tried: int, share: float, label: str = label) -> None:
                problem.progress(f"{label}{tried} boxes followed, {share:.1%} proved")

            question = Question(loop, formula, atoms, steps, box.lo, box.hi, modes)
            proofs.append(prove(question, deadline, int(settings["split"]), told))
            if not proofs[-1].closed:
                break
        if judged and not proofs[-1].closed:  # a longer search, now with gradients
            found, spent, _ = search(problem, simulation, 16 * RUNS, 1)
            if found is not None:
                return falsified(NAME, found, spent, simulation)
        return _answer(problem, system, controller, proofs, len(boxes), steps, enough)


def _answer(
    problem: Problem, system: SystemIR, controller: Controller, proofs: list[Proof], boxes: int, steps: int,
    enough: bool,
) -> Answer:
    share, assumed = sum(p.share for p in proofs) / boxes, tuple(_assumptions(system, controller))
    step = system.step or 0.0
    evidence: dict[str, Any] = {
        "share": share, "boxes": sum(p.tried for p in proofs), "horizon": steps * step,
        "tube": [[lo.tolist(), hi.tolist()] for lo, hi in proofs[0].hull] if proofs else [],
    }  # fmt: skip
    if not all(p.closed for p in proofs) or len(proofs) < boxes:
        last = proofs[-1]
        where = ""
        if last.open:
            lo, hi, until = last.open[0]
            sides = ", ".join(f"{v.name} in [{a:.6g}, {b:.6g}]" for v, a, b in zip(system.states, lo, hi, strict=True))
            where = f"; from {sides} it is in doubt at {until * step:g} s" if until else f"; {sides} was not finished"
            evidence["open"] = [[a.tolist(), b.tolist(), u] for a, b, u in last.open]
        return unknown(NAME, f"{share:.1%} of the initial set is proved{where}", **evidence)
    if not enough:
        said = f"it is proved to {steps * step:g} s, which is less than the environment's horizon"
        return unknown(NAME, said, **evidence)
    parts = sum(len(p.parts) for p in proofs)
    said = f"it holds for {steps * step:g} s, at every moment, from all {parts} parts of the initial set"
    made = certificate(problem, controller, proofs, steps)
    if made is None:
        why = "a tube through modes has no certificate" if system.modes else "the tube is too large for a certificate"
        return Answer(Verdict.PROVED, NAME, f"{said}; {why}", assumed, evidence)
    finding = checked(made, problem, controller)
    if not finding.accepted:
        return unknown(NAME, f"the checker rejects the proof: {finding.reason}", **evidence)
    return Answer(Verdict.PROVED, NAME, said, assumed, {**evidence, **finding.facts}, made, checked=True)


def _assumptions(system: SystemIR, controller: Controller) -> list[str]:
    if system.integrator == "difference":
        model = f"`{system.name}` is the difference equation that it declares"
    else:
        model = f"`{system.name}` is the differential equation that it declares"
        if system.inputs and controller.name:
            model += f", its inputs held for each {system.step:g} s"
    found = [model]
    if system.modes:
        found.append("transitions are taken at the samples, and runs in which an invariant fails are no runs")
    if system.disturbances:
        found.append("disturbances stay in their ranges, however they vary")
    if system.inputs and not controller.name:
        found.append("inputs stay in their ranges, whatever sets them")
    if controller.reading is not None:
        least = "float64" if controller.reading.double else "float32 or more"
        found.append(f"the network {controller.name} is evaluated in {least}, in any order of summation")
    return found


# ---------------------------------------------------------------- the fragment


def system_refusal(system: SystemIR) -> str | None:
    """Why sets of a system's states cannot be followed; None if they can."""
    if system.commands:
        return "the system is one of guarded commands"
    if any(v.kind != "real" for v in (*system.states, *system.inputs, *system.disturbances)):
        return "a variable of the system is no real number"
    if system.step is None:
        return "the system has no step"
    lo, hi = bounds(system.disturbances)
    if not (np.isfinite(lo).all() and np.isfinite(hi).all()):
        return "a disturbance has no range"
    if any(not (np.isfinite(b.lo).all() and np.isfinite(b.hi).all()) for b in initial_boxes(system)):
        return "a state has no bounded initial set"
    dynamics = Dynamics(system)
    odd = [n.op for graph in dynamics.rates for n in graph.nodes if n.op not in SMOOTH or not _whole(graph, n)]
    if odd:
        return f"the equations have `{odd[0]}`"
    known = {v.name for v in system.states}
    for jump in (jump for jumps in dynamics.jumps for jump in jumps):
        odd = [n.op for n in jump.graph.nodes if n.op not in NUMBERS | {"var"} or not _whole(jump.graph, n)]
        if odd:
            return f"a transition has `{odd[0]}`"
        if not known.issuperset(jump.graph.variables):
            return "a transition reads what is no state"
    return None


def _whole(graph: Graph, node: Any) -> bool:
    """Whether a power has a small whole exponent."""
    if node.op != "pow":
        return True
    exponent = graph.nodes[node.args[1]]
    return exponent.op == "const" and exponent.value in range(9)


def formula_refusal(problem: Problem, system: SystemIR) -> str | None:
    """Why a formula is outside of the fragment: bounded future over the states; None if it is in it."""
    formula = problem.item.formula
    for node in postorder(formula):
        if isinstance(node, Formula) and node.op not in OPERATORS:
            return f"the formula has `{node.op}`"
    for name in reads_only(formula, (*system.states, *mode_variable(system))):
        return f"the formula reads `{name}`, which is no state"
    try:
        for graph in propositions(formula, (*system.variables, *mode_variable(system))).values():
            for part in graph.nodes:
                if part.op not in NUMBERS | {"var"} or not _whole(graph, part):
                    return f"a proposition has `{part.op}`"
        horizon_of(problem, float(problem.settings(NAME)["horizon"]))
    except ValueError as error:
        return str(error)
    controller = str(problem.settings(NAME).get("controller", ""))
    if system.inputs and not controller:
        lo, hi = bounds(system.inputs)
        if not (np.isfinite(lo).all() and np.isfinite(hi).all()):
            return "no controller sets the inputs, and one of them has no range"
    return None


# ---------------------------------------------------------------- the loop


def _modes(system: SystemIR, controller: Controller, order: int) -> Modes | None:
    """The loop and the transitions of each mode; None of a system without modes."""
    if not system.modes:
        return None
    loops = tuple(loop_of(system, controller, order, mode) for mode in range(len(system.modes)))
    return Modes(loops, Dynamics(system).jumps)


def loop_of(system: SystemIR, controller: Controller, order: int, mode: int = 0) -> Loop:
    """The closed loop of a system under a controller, in one of its modes; free inputs are disturbances."""
    dynamics = Dynamics(system)
    assert system.step is not None
    shifting = [*system.disturbances, *(() if controller.name else system.inputs)]
    slopes = None
    if shifting and not dynamics.discrete:
        by_state, by_input, by_disturbance = dynamics.jacobian(mode)
        slopes = (by_state, _beside(by_disturbance, by_input, len(system.states), controller))
    return Loop(
        tuple(v.name for v in system.states),
        tuple(v.name for v in system.inputs) if controller.name else (),
        dynamics.rates[mode],
        _control(system, dynamics, controller) if controller.name and system.inputs else None,
        system.step,
        {v.name: (float(v.lo), float(v.hi)) for v in shifting if v.lo is not None and v.hi is not None},
        slopes,
        dynamics.discrete,
        substeps=1,
        order=order,
        limit=max(40, 12 * len(system.states)),
    )


def _beside(left: Graph, right: Graph, rows: int, controller: Controller) -> Graph:
    """One graph with the columns of two Jacobians side by side; the inputs' only where they are free."""
    if controller.name or not right.roots:
        return left
    if not left.roots:
        return right
    offset = len(left.nodes)
    moved = tuple(n._replace(args=tuple(a + offset for a in n.args)) for n in right.nodes)
    a, b = len(left.roots) // rows, len(right.roots) // rows
    roots: list[int] = []
    for i in range(rows):
        roots += left.roots[i * a : (i + 1) * a]
        roots += [r + offset for r in right.roots[i * b : (i + 1) * b]]
    return Graph(left.nodes + moved, tuple(roots))


def _control(system: SystemIR, dynamics: Dynamics, controller: Controller) -> Control:
    lo, hi = bounds(system.inputs)
    if controller.reading is not None:
        return network_control(controller.reading.network, lo, hi, U64 if controller.reading.double else U32)
    law = dynamics.law(controller.name)
    names = [v.name for v in system.states]

    def declared(states: list[Form]) -> tuple[Sequence[Form], Floats]:
        arithmetic = TruthArithmetic(states[0])
        given = law.walk(arithmetic, dict(zip(names, states, strict=True)))
        forms = [arithmetic.number(v) for v in given]
        return [clipped(f, a, b) for f, a, b in zip(forms, lo, hi, strict=True)], np.zeros(states[0].g.shape)

    return declared


def network_control(network: Network, lo: Floats, hi: Floats, unit: float = U32) -> Control:
    """A network as the controller, evaluated with that unit roundoff, clipped to the ranges of the inputs."""

    def control(states: list[Form]) -> tuple[Sequence[Form], Floats]:
        came = through(network, states, unit)
        return [clipped(f, a, b) for f, a, b in zip(came.outputs, lo, hi, strict=True)], came.blame

    return control


def clipped(form: Form, lo: float, hi: float) -> Form:
    """``min(max(x, lo), hi)``: the form itself where it stays inside, else by a line with an error."""
    for limit, sign in ((lo, 1.0), (hi, -1.0)):
        if not np.isfinite(limit):
            continue
        # max(x, lo) = lo + relu(x - lo); min(x, hi) = hi - relu(hi - x)
        shifted = form.plus(-limit) if sign > 0 else (-form).plus(limit)
        where = shifted.range
        if (where.lo >= 0).all():
            continue
        both = (where.lo < 0) & (where.hi > 0)
        tilt = np.where(both, where.hi / np.where(both, where.hi - where.lo, 1.0), (where.lo >= 0).astype(float))
        tilt = np.clip(tilt, 0.0, 1.0)
        high = np.where(both, np.maximum(-tilt * where.lo, (1 - tilt) * where.hi) * (1 + 1e-12), 0.0)
        cut = shifted.line(tilt, np.zeros_like(high), high)
        form = cut.plus(limit) if sign > 0 else (-cut).plus(limit)
    return form


__all__ = ["ReachMethod", "clipped", "formula_refusal", "loop_of", "network_control", "system_refusal"]
