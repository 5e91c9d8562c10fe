"""The method ``model``: the whole of a finite transition system or environment, times the automaton of the formula.

All runs of all actions are meant, unless the item names a controller. A ``safe`` formula asks that no run reaches a
prefix that violates it; a ``task`` is judged where runs end: at the environment's horizon, at a state without a choice,
or where its verdict is final. ``verify P >= p [f]`` is of the least probability over all ways to act, ``<=`` of the
greatest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import numpy as np

from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict as Code
from agentc.compiler.systems.transitions import ExplicitModel, explore
from agentc.compiler.verify_config import TRAINED
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.envs.registry import environment_of, horizon_of
from agentc.runtime.verify.answer import Answer, Verdict, unknown
from agentc.runtime.verify.model.certificates import (
    Vectors,
    checked,
    ending_certificate,
    invariant_certificate,
    value_certificate,
)
from agentc.runtime.verify.model.extracted import EXPLORABLE, BudgetError, ExtractedModel
from agentc.runtime.verify.model.product import Bits, Lasting, Product, product
from agentc.runtime.verify.model.values import Value, complement, ever, total, within
from agentc.runtime.verify.problem import Problem
from agentc.runtime.verify.simulation import reads_only

NAME = "model"


@dataclass(frozen=True)
class ModelMethod:
    """Decides finite transition systems."""

    name: str = NAME

    def refusal(self, problem: Problem) -> str | None:
        """It needs a finite transition system and a formula over its states, or an environment that it can explore."""
        system = problem.agent.system
        if system is None:
            engine = problem.agent.environment.engine if problem.agent.environment is not None else None
            if engine is None:
                return "the agent has no environment"
            # asked by name, exploring says with a code what is wrong
            return None if engine in EXPLORABLE or problem.item.method == NAME else f"`{engine}` cannot be explored"
        if system.modes or (not system.commands and system.integrator != "difference"):
            return "the system has continuous time"
        if system.disturbances:
            return "the system has a disturbance"
        endless = [v.name for v in (*system.states, *system.inputs) if v.kind == "real" or _endless(v)]
        if endless:
            return f"`{endless[0]}` has infinitely many values"
        read = [problem.item.formula] if problem.item.total is None else [problem.item.formula, problem.item.total]
        for name in (name for node in read for name in reads_only(node, system.states)):
            return f"the formula reads `{name}`, which is no state"
        return None

    def solve(self, problem: Problem) -> Answer:
        """Proved with an invariant, falsified with a shortest run, or a probability with sound bounds."""
        settings = problem.settings(NAME)
        most = int(settings["states"])
        try:
            model = _explored(problem, most, int(settings["starts"]))
        except AgentcError as error:
            if any(d.code == "AS1114" for d in error.diagnostics):
                return unknown(NAME, f"the model has more than {most} states")
            if problem.item.method is None and any(d.code == "AS1347" for d in error.diagnostics):
                return unknown(NAME, error.diagnostics[0].message)
            raise
        except BudgetError as error:
            return unknown(NAME, str(error))
        problem.progress(f"{len(model)} states")
        automaton = translate_typed(problem.item.formula, problem.agent.declared, span=problem.item.span)
        sums = problem.item.total is not None
        try:
            pairs = product(model, Lasting(automaton) if sums else automaton, 4 * most)
        except ValueError as error:
            return unknown(NAME, str(error))
        problem.progress(f"{len(pairs)} pairs of a state and the automaton's")
        horizon = _horizon(problem)
        if problem.item.total is not None:
            return _sum(problem, pairs, horizon, float(settings["tolerance"]))
        if problem.item.bound is not None:
            return _probability(problem, pairs, horizon, float(settings["tolerance"]))
        if problem.role == "safe":
            return _safety(problem, pairs, horizon)
        return _task(problem, pairs, horizon)


def _explored(problem: Problem, most: int, seeds: int) -> ExplicitModel | ExtractedModel:
    """The model of the declared system, or of the environment."""
    system, controller = problem.agent.system, str(problem.settings(NAME)["controller"])
    model = None if system is None else explore(system, max_states=most)
    if model is not None and not controller:
        return model
    from agentc.runtime.verify.model.extraction import extract  # needs gymnasium
    from agentc.runtime.verify.model.worlds import DeclaredWorld, World, world_of

    until, formulas = monotonic() + problem.left(), [problem.item.formula]
    world: World = world_of(problem.agent) if model is None else DeclaredWorld(environment_of(problem.agent), model)
    if controller:
        from agentc.runtime.verify.model.closed_loop import closed_loop

        exported = problem.network_file(controller) if controller == TRAINED else None
        folder = problem.folder / controller if exported is None else exported.parent
        world = closed_loop(problem.agent, world, folder)
    return extract(problem.agent, world, formulas, most=most, seeds=seeds, until=until, progress=problem.progress)


def _horizon(problem: Problem) -> int | None:
    """After how many steps runs end."""
    environment = problem.agent.environment
    if environment is None:
        return None
    return horizon_of(environment) if problem.agent.system is None else environment.horizon


def _assumption(problem: Problem, p: Product) -> str:
    """What a proof takes for granted of the model."""
    if isinstance(p.model, ExtractedModel):
        controller = str(problem.settings(NAME)["controller"])
        acting = f", the policy in `{controller}` doing what it likes best" if controller else ""
        return p.model.assumption + acting
    name = problem.agent.system.name if problem.agent.system is not None else ""
    return f"`{name}` is the transition system that it declares, whatever acts"


def _endless(variable: Any) -> bool:
    return variable.kind == "int" and (variable.lo is None or variable.hi is None)


def _size(p: Product) -> str:
    return f"{len(p.model)} states, {len(p)} with the automaton"


# ---------------------------------------------------------------- safety


def _safety(problem: Problem, p: Product, horizon: int | None) -> Answer:
    if all(v != Code.FALSE for v in p.automaton.verdicts):
        return Answer(Verdict.VACUOUS, NAME, "no prefix can violate it, whatever the system does")
    bad = np.flatnonzero(p.verdict == Code.FALSE)
    within_reach = bad if horizon is None else bad[p.depth[bad] <= horizon]
    if len(within_reach):
        shortest = int(within_reach[p.depth[within_reach].argmin()])
        return _run_found(problem, p, _path(p, shortest))
    assumption = _assumption(problem, p)
    if len(bad):
        said = f"no run of at most {horizon} steps violates it ({_size(p)}); the shortest that does has "
        said += f"{int(p.depth[bad].min())}"
        answer = Answer(Verdict.PROVED, NAME, said, (assumption, f"runs end after {horizon} steps"), _counts(p))
        return _with_certificate(answer, problem, p, horizon)
    said = f"no reachable state violates it ({_size(p)})"
    if isinstance(p.model, ExtractedModel):
        return _with_certificate(Answer(Verdict.PROVED, NAME, said, (assumption,), _counts(p)), problem, p, None)
    return checked(
        Answer(Verdict.PROVED, NAME, said, (assumption,), _counts(p)), problem, invariant_certificate(problem, p)
    )


def _with_certificate(answer: Answer, problem: Problem, p: Product, horizon: int | None) -> Answer:
    """A proof of all runs of so many steps with its certificate; of an environment, if a fresh one does as recorded."""
    if not isinstance(p.model, ExtractedModel):
        return checked(answer, problem, ending_certificate(problem, p, horizon))
    from agentc.runtime.verify.model.relation import relation_certificate, unlike

    other = unlike(problem.agent, p.model)
    if other is not None:
        return unknown(NAME, f"a fresh environment does something else than was recorded: {other}")
    return checked(answer, problem, relation_certificate(problem, p, horizon))


def _counts(p: Product) -> dict[str, Any]:
    return {"states": len(p.model), "pairs": len(p)}


# ---------------------------------------------------------------- tasks


def _task(problem: Problem, p: Product, horizon: int | None) -> Answer:
    if all(p.automaton.verdicts[q] >= Code.PRESUMABLY_TRUE for q in _entered(p)):
        return Answer(Verdict.VACUOUS, NAME, "it is true of every run, whatever the system does")
    if horizon is None and not p.holds[(p.verdict != Code.FALSE)].all():
        return unknown(NAME, "nothing says when a run ends: give the environment a horizon")
    steps = horizon if horizon is not None else len(p)
    failing = [~p.holds & (np.diff(p.choices) == 0) if horizon is None else ~p.holds]
    ends = ~p.holds & (np.diff(p.choices) == 0)
    source = np.repeat(np.repeat(np.arange(len(p)), np.diff(p.choices)), np.diff(p.offsets))
    for _ in range(steps):
        reach = np.zeros(len(p), bool)
        reach[source[failing[-1][p.successor]]] = True
        after = reach | ends
        if horizon is None:
            after |= failing[-1]
            if (after == failing[-1]).all():
                break
        failing.append(after)
        if problem.left() <= 0:
            return unknown(NAME, f"the time was over with {steps - len(failing)} of {steps} steps to go", **_counts(p))
    worst = p.initial[failing[-1][p.initial]]
    if len(worst):
        return _run_found(problem, p, _descend(p, int(worst[0]), failing))
    limit = f"of {horizon} steps" if horizon is not None else "of any length"
    said = f"every run {limit} satisfies it ({_size(p)})"
    ended = () if horizon is None else (f"runs end after {horizon} steps",)
    answer = Answer(Verdict.PROVED, NAME, said, (_assumption(problem, p), *ended), _counts(p))
    return answer if horizon is None else _with_certificate(answer, problem, p, horizon)


def _entered(p: Product) -> set[int]:
    """The states of the automaton that some trace ends in."""
    assert isinstance(p.automaton, DFA)
    found: set[int] = set()
    automaton = p.automaton
    fresh = set(automaton.successors(0))
    while fresh:
        found |= fresh
        fresh = {t for q in fresh for t in automaton.successors(q)} - found
    return found


def _descend(p: Product, at: int, failing: Sequence[Bits]) -> list[tuple[int, int]]:
    """A run along pairs that fail with ever fewer steps left."""
    run = [(at, -1)]
    for left in range(len(failing) - 2, -1, -1):
        found = None
        for choice in range(int(p.choices[at]), int(p.choices[at + 1])):
            for branch in range(int(p.offsets[choice]), int(p.offsets[choice + 1])):
                if failing[left][p.successor[branch]]:
                    found = (int(p.successor[branch]), int(p.choice[choice]))
                    break
            if found is not None:
                break
        if found is None:
            return run
        run.append(found)
        at = found[0]
    return run


def _path(p: Product, at: int) -> list[tuple[int, int]]:
    """The shortest run to a pair: pairs, each with the model's choice that led there."""
    run = []
    while at >= 0:
        run.append((at, int(p.via[at])))
        at = int(p.parent[at])
    return run[::-1]


def _run_found(problem: Problem, p: Product, run: list[tuple[int, int]]) -> Answer:
    """The answer for a run, if the reference semantics agrees that it violates."""
    model = p.model
    valuations = [model.state(int(p.state[at])) for at, _ in run]
    actions = [model.actions[int(model.action[via])] for _, via in run[1:]]
    if evaluate(problem.item.formula, Trace(valuations)):
        return unknown(NAME, "a run was found that the reference semantics does not call a violation")
    seed = None
    if isinstance(model, ExtractedModel):
        from agentc.runtime.verify.model.extraction import replays

        states = [(int(p.state[at]), int(p.choice[via]) if via >= 0 else -1) for at, via in run]
        seed = model.seed_of(states[0][0])
        if seed is not None and not replays(problem.agent, model, seed, states):
            return unknown(NAME, "a run was found that the environment does not repeat")
    shown = ", ".join(actions[:8]) + (", ..." if len(actions) > 8 else "")
    said = f"a run of {len(actions)} steps violates it" + (f": {shown}" if actions else ": it begins with a violation")
    begun = {} if seed is None else {"seed": seed}
    return Answer(
        Verdict.FALSIFIED, NAME, said, evidence={"trace": valuations, "actions": actions, **begun, **_counts(p)}
    )


# ---------------------------------------------------------------- probabilities


def _probability(problem: Problem, p: Product, horizon: int | None, tolerance: float) -> Answer:
    assert problem.item.bound is not None
    op, bound = problem.item.bound
    least = op == ">="
    found = probability(p, horizon, least, tolerance, problem.role == "safe")
    if isinstance(found, str):
        return unknown(NAME, found)
    value = found.value
    kind = "least" if least else "greatest"
    said = f"the {kind} probability is between {value.low:.10g} and {value.high:.10g} ({_size(p)})"
    evidence = {"low": value.low, "high": value.high, "steps": value.steps, **_counts(p)}
    assumption = f"{_assumption(problem, p)}; its probabilities are exact"
    if (value.low >= bound) if least else (value.high <= bound):
        answer = Answer(Verdict.PROVED, NAME, said, (assumption,), evidence)
        return checked(answer, problem, value_certificate(problem, p, found.vectors))
    if (value.high < bound) if least else (value.low > bound):
        return Answer(Verdict.FALSIFIED, NAME, said, (assumption,), evidence)
    return unknown(NAME, f"{said}, which does not decide {op} {bound:g}", **evidence)


@dataclass(frozen=True)
class Bounded:
    """Bounds of a probability, and what proves the one that the item asks for."""

    value: Value
    vectors: Vectors


UNCLOSED = "the iteration has not closed: allow a larger tolerance"


def probability(p: Product, horizon: int | None, least: bool, tolerance: float, safe: bool) -> Bounded | str:
    """Bounds of the least or greatest probability of the formula; or why there are none."""
    nonfinal = (p.verdict != Code.TRUE) & (p.verdict != Code.FALSE)
    if safe or (horizon is None and p.holds[nonfinal].all()):
        # that no prefix violates it: one minus the chance that one does, by the opposite choice of actions
        came = _reached(p, p.verdict == Code.FALSE, horizon, not least, tolerance)
        return came if isinstance(came, str) else replace(came, value=complement(came.value))
    if horizon is not None:
        return Bounded(within(p, least, horizon)[0], Vectors(None, not least))
    if not p.holds[nonfinal].any():
        return _reached(p, p.holds, None, least, tolerance)
    return "nothing says when a run ends: give the environment a horizon"


def _reached(p: Product, target: Bits, horizon: int | None, least: bool, tolerance: float) -> Bounded | str:
    """Bounds of the probability that a run comes to the target."""
    if horizon is None:
        found = ever(p, target, least, tolerance)
        if found is None:
            return UNCLOSED
        value, low, high = found
        return Bounded(value, Vectors(low if least else high, not least))
    flipped = replace(p, verdict=np.where(target, int(Code.TRUE), int(Code.FALSE)))
    return Bounded(within(flipped, least, horizon)[0], Vectors(None, not least))


# ---------------------------------------------------------------- expected sums


def _sum(problem: Problem, p: Product, horizon: int | None, tolerance: float) -> Answer:
    """Of what is summed over the steps that begin before the goal is reached, or over all steps of a run."""
    assert problem.item.bound is not None and problem.item.total is not None
    if not isinstance(p.model, ExplicitModel):
        return unknown(NAME, "sums are of declared systems")
    op, bound = problem.item.bound
    least = op == ">="
    cost = p.model.number(problem.item.total)[p.state]
    if not np.isfinite(cost).all() or (cost < 0).any():
        at = int(np.flatnonzero(~np.isfinite(cost) | (cost < 0))[0])
        where = ", ".join(f"{k} = {v}" for k, v in p.model.state(int(p.state[at])).items())
        return unknown(NAME, f"what is summed is {cost[at]:g} at {where}: only numbers of at least 0 are summed")
    found = total(p, cost, least, horizon, tolerance, monotonic() + problem.left() / 2)
    kind = "least" if least else "greatest"
    if found is None:
        return unknown(NAME, f"no bound of the {kind} expected sum was found: it may be infinite ({_size(p)})")
    value, low, high = found
    said = f"the {kind} expected sum is between {value.low:.10g} and {value.high:.10g} ({_size(p)})"
    evidence = {"low": value.low, "high": value.high, "steps": value.steps, **_counts(p)}
    assumption = f"{_assumption(problem, p)}; its probabilities are exact"
    if (value.low >= bound) if least else (value.high <= bound):
        answer = Answer(Verdict.PROVED, NAME, said, (assumption,), evidence)
        vectors = Vectors(low if least else high, not least, cost)
        return checked(answer, problem, value_certificate(problem, p, vectors))
    if (value.high < bound) if least else (value.low > bound):
        return Answer(Verdict.FALSIFIED, NAME, said, (assumption,), evidence)
    return unknown(NAME, f"{said}, which does not decide {op} {bound:g}", **evidence)
