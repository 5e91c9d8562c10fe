"""Whether an agent can be trained as it says: its environment against its settings, its tasks against its horizon.

``training_checks`` compares settings with each other; here they meet the environment, which is known after lowering.
"""

from __future__ import annotations

from math import inf, prod
from typing import TYPE_CHECKING

from agentc.compiler.logic.rewrite import desugar, formula_nodes
from agentc.lang.diagnostics import Diagnostic, report
from agentc.lang.source import Span

if TYPE_CHECKING:
    from agentc.compiler.agent import AgentIR, SystemIR, VariableIR
    from agentc.compiler.logic.ir import Formula

PLAYED_AGAIN = (
    "system", "minigrid", "classic", "office", "craft", "water", "letters", "zones", "half_cheetah",
)  # fmt: skip
"""The engines whose episodes are a function of their seed and their actions, so that a state can be come back to."""

DISCRETE_ONLY = ("dqn", "q", "crm")
CONTINUOUS_ONLY = ("td3", "td3_bc")

_MANY = 4096  # inputs with more valuations than this are numbers (``compiler.systems.commands.MAX_ACTIONS``)


def misfits(agent: AgentIR, span: Span | None = None) -> list[Diagnostic]:
    """Why the ``train`` block of an agent cannot work in its environment; ``span`` is where it stands."""
    if agent.train is None or agent.environment is None:
        return []
    found: list[Diagnostic] = []
    settings, algorithm = agent.train.settings, agent.train.algorithm
    for setting, reason in _starts(agent):
        found.append(report("AS1508", span, setting=setting, agent=agent.name, reason=reason))
    measured = [t for t in agent.reward.terms if t.kind == "robustness"] if agent.reward is not None else []
    if measured and agent.reads_machines:
        term = f"robustness({measured[0].name})"
        found.append(report("AS0716", span, term=term, algorithm=algorithm))
    kind = action_kind(agent)
    wanted = "discrete" if algorithm in DISCRETE_ONLY else "continuous" if algorithm in CONTINUOUS_ONLY else None
    if settings.get("box", "") != "":
        wanted = "continuous"
        why = _boxed(agent, str(settings["box"]))
        if why is not None:
            found.append(report("AS1508", span, setting=f"box = {settings['box']}", agent=agent.name, reason=why))
    if kind is not None and wanted is not None and kind != wanted:
        found.append(report("AS1509", span, algorithm=algorithm, wanted=wanted, agent=agent.name, found=kind))
    horizon = _horizon(agent)
    paid = {t.name for t in agent.reward.terms} if agent.reward is not None else set()
    for item in agent.formulas:
        if item.role != "task" or item.name not in paid or item.each or horizon is None:
            continue
        least = shortest(item.formula)
        if horizon < least < inf:
            found.append(report("AS1510", item.span, task=item.name, least=int(least), horizon=horizon))
    return found


def _starts(agent: AgentIR) -> list[tuple[str, str]]:
    """The settings about the beginnings of episodes that the environment cannot follow, with the reason."""
    assert agent.train is not None and agent.environment is not None
    settings, found = agent.train.settings, []
    teacher, reset = settings.get("teacher", "none"), settings.get("reset", "task")
    chosen = [f"teacher = {teacher}"] * (teacher != "none") + [f"reset = {reset}"] * (reset != "task")
    if settings.get("tasks", "together") == "each" or settings.get("counterfactual") is True:
        why = "trained on the table of its reward machines, it begins as its environment says"
        return [(setting, why) for setting in chosen]
    if teacher != "none":
        tasks = () if agent.system is None else task_parameters(agent.system)
        if not tasks:
            what = "system leaves no initial value open in `init`" if agent.system is not None else "engine has none"
            found.append((chosen[0], f"tasks need parameters, and its {what}"))
        elif teacher == "staged":
            wrong = _stages(str(settings.get("stages", "")), tasks)
            found += [(chosen[0], wrong)] if wrong else []
    if reset != "task" and agent.environment.engine not in PLAYED_AGAIN:
        found.append((chosen[-1], f"the engine `{agent.environment.engine}` does not come back to a state"))
    return found


def _boxed(agent: AgentIR, name: str) -> str | None:
    """Why actions cannot be kept around those of the controller of that name; None if they can."""
    system = agent.system
    known = [c.name for c in system.controllers] if system is not None else []
    if system is None or name not in known:
        listed = ", ".join(f"`{k}`" for k in known)
        return f"its system has {listed or 'no controllers'}" if system is not None else "it acts in no declared system"
    if system.modes or set(system.outputs) != {v.name for v in system.states}:
        return "the controller reads all states, and the policy does not see all of them"
    if any(v.kind == "enum" for v in system.states):
        return "the controller reads states as numbers, and an enum is seen as a unit vector"
    return None


def stages_of(text: str) -> list[list[float]]:
    """The tasks of ``stages``: parameters by blanks, tasks by ``;``. Raises ``ValueError``."""
    return [[float(word) for word in stage.split()] for stage in text.split(";") if stage.strip()]


def _stages(text: str, tasks: tuple[tuple[str, float, float], ...]) -> str | None:
    names = ", ".join(f"`{name}`" for name, _, _ in tasks)
    try:
        stages = stages_of(text)
    except ValueError:
        return f"`stages` is {text!r}, and a stage is {len(tasks)} numbers: {names}"
    if not stages:
        return f"`stages` names no task; a stage is {len(tasks)} numbers: {names}"
    for stage in stages:
        inside = len(stage) == len(tasks) and all(lo <= x <= hi for x, (_, lo, hi) in zip(stage, tasks, strict=True))
        if not inside:
            said = ", ".join(f"`{name}` in [{lo:g}, {hi:g}]" for name, lo, hi in tasks)
            return f"the stage {' '.join(f'{x:g}' for x in stage)} is no task: {said}"
    return None


def task_parameters(system: SystemIR) -> tuple[tuple[str, float, float], ...]:
    """What a teacher may choose in a declared system, ``(state, lo, hi)``: initial values that ``init`` leaves open.

    None where ``init`` is a mixture or constrained: a choice might lie outside.
    """
    components = system.initial.components
    if len(components) != 1 or components[0].constraint is not None:
        return ()
    kinds = {v.name: v.kind for v in system.states}
    return tuple(
        (start.variable, float(start.values[0]), float(start.values[1]))  # type: ignore[arg-type]  # two numbers
        for start in components[0].starts
        if start.kind in ("range", "uniform") and kinds[start.variable] in ("real", "int")
        and start.values[0] != start.values[1]
    )  # fmt: skip


def action_kind(agent: AgentIR) -> str | None:
    """``discrete`` or ``continuous``, None where it cannot be told before the environment is made."""
    if agent.system is not None:
        inputs = agent.system.inputs
        finite = bool(agent.system.commands) or (all(map(_is_finite, inputs)) and prod(map(_count, inputs)) <= _MANY)
        return "discrete" if finite else "continuous"
    assert agent.environment is not None
    kinds = {s.kind for s in agent.environment.signals if s.name in agent.environment.controls}
    if kinds <= {"enum", "int", "bool"} and kinds:
        return "discrete"
    return "continuous" if kinds and kinds <= {"real", "vector"} else None


def _is_finite(variable: VariableIR) -> bool:
    bounded = variable.lo is not None and variable.hi is not None
    return variable.kind in ("bool", "enum") or (variable.kind == "int" and bounded)


def _count(variable: VariableIR) -> int:
    if variable.kind == "bool":
        return 2
    return len(variable.members) if variable.kind == "enum" else int((variable.hi or 0) - (variable.lo or 0)) + 1


def _horizon(agent: AgentIR) -> int | None:
    assert agent.environment is not None
    given = agent.environment.horizon
    limit = agent.environment.arguments.get("max_steps")
    limits = [x for x in (given, limit) if isinstance(x, int) and not isinstance(x, bool) and x > 0]
    return min(limits, default=None)


def shortest(f: Formula) -> float:
    """A lower bound on the steps after the first that a trace needs to satisfy ``f`` at its beginning.

    By the structure of ``f`` alone, propositions taken as free: exact where they are independent, and never too large
    (a test compares it with the reference semantics). Infinite for what is false whatever the trace.
    """
    core = desugar(f)
    holds: dict[Formula, float] = {}
    fails: dict[Formula, float] = {}
    for node in formula_nodes(core):
        x = node.args
        a = 0 if node.interval is None else node.interval[0]
        match node.op:
            case "true" | "false":
                holds[node], fails[node] = (0.0, inf) if node.op == "true" else (inf, 0.0)
            case "not":
                holds[node], fails[node] = fails[x[0]], holds[x[0]]
            case "and":
                holds[node], fails[node] = max(holds[y] for y in x), min(fails[y] for y in x)
            case "or":
                holds[node], fails[node] = min(holds[y] for y in x), max(fails[y] for y in x)
            case "U":  # the witness is at least `a` steps on; beyond the trace there is none
                holds[node] = max(a + holds[x[1]], holds[x[0]] if a > 0 else 0.0)
                fails[node] = 0.0 if a > 0 else fails[x[1]]
            case "R":
                holds[node] = 0.0 if a > 0 else holds[x[1]]
                fails[node] = max(a + fails[x[1]], fails[x[0]] if a > 0 else 0.0)
            case _:  # an atom, or the past, which asks nothing of the steps to come
                holds[node], fails[node] = 0.0, 0.0
    return holds[core]
