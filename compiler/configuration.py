"""What the compiler knows of settings and of backends, said of a checked file.

``lang`` checks what was written; which algorithms there are, which settings each has, and what waits for a
backend that is not built yet, is said here.
"""

from __future__ import annotations

from agentc.compiler.imported import check_automata
from agentc.compiler.lower import given
from agentc.compiler.planned import ALGORITHMS, BACKENDS
from agentc.compiler.settings import Scalar, check_against
from agentc.compiler.training_checks import conflicts
from agentc.compiler.training_config import STATE_POLICIES, TRAINERS, proved_names
from agentc.compiler.verify_config import METHODS, SHIELD, SHIELDING
from agentc.lang.checked import CheckedAgent, CheckedDeploy, CheckedSpec, CheckedTrain, CheckedVerify
from agentc.lang.diagnostics import Diagnostic, report
from agentc.lang.spelling import nearest


def check_configuration(spec: CheckedSpec) -> list[Diagnostic]:
    """Findings about the training, verification and backends of every agent of a file."""
    found: list[Diagnostic] = []
    for recipe in spec.recipes:
        found.extend(_settings(recipe)[1])
    for agent in spec.agents:
        if agent.train is not None:
            found.extend(_train(agent.train, rewarded=agent.reward is not None))
            found.extend(_until(agent))
            found.extend(_budgets(agent))
        for verify in agent.verifies:
            found.extend(_verify(verify))
        if agent.deploy is not None:
            found.extend(_deploy(agent.deploy))
        found.extend(check_automata(agent))
        found.extend(_pending(agent))
    return found


OWN_REWARD = ("tgpo", "npc", *STATE_POLICIES)
"""Algorithms that are paid for what the formulas ask, whatever a ``reward`` says."""


def _settings(train: CheckedTrain) -> tuple[dict[str, Scalar], list[Diagnostic]]:
    """The settings of a ``train`` block or a recipe, each by itself."""
    name, span = train.algorithm, train.algorithm_span
    if name in ALGORITHMS:
        return {}, [report("AS0711", span, name=name, what=ALGORITHMS[name])]
    if name not in TRAINERS:
        known = (*TRAINERS, *ALGORITHMS)
        listed = ", ".join(f"`{n}`" for n in TRAINERS)
        return {}, [report("AS0610", span, name=name, known=listed, suggestion=nearest(name, known))]
    return check_against(TRAINERS[name], given(train.settings))


def _train(train: CheckedTrain, *, rewarded: bool) -> list[Diagnostic]:
    name, span = train.algorithm, train.algorithm_span
    values, found = _settings(train)
    if name not in TRAINERS:
        return found
    if not found:
        found.extend(report("AS1536", span, algorithm=name, reason=reason) for reason in conflicts(values))
    if not rewarded and name not in OWN_REWARD:
        found.append(report("AS0513", span, name=name))
    return found


def _until(agent: CheckedAgent) -> list[Diagnostic]:
    """Training that ends with a proof needs an item that asks for it."""
    assert agent.train is not None
    asked = {v.name for v in agent.verifies if v.bound is None}
    found: list[Diagnostic] = []
    for name in proved_names(agent.train.until):
        if name not in asked:
            found.append(report("AS1363", agent.train.span, name=name))
    return found


BUDGETED = ("ppo", "sac")
"""Algorithms that keep to budgets."""


def _budgets(agent: CheckedAgent) -> list[Diagnostic]:
    """Budgets that training would not keep."""
    assert agent.train is not None
    name = agent.train.algorithm
    each = any(s.name == "tasks" and s.value == "each" for s in agent.train.settings)
    if name not in TRAINERS or (name in BUDGETED and not each):
        return []
    how = f"train {name}" + (" { tasks = each }" if name in BUDGETED else "")
    able = ", ".join(f"`train {n}`" for n in BUDGETED)
    return [
        report("AS1520", o.span, how=how, cost=o.name, able=able) for o in agent.outlines if o.construct == "budget"
    ]


def _verify(verify: CheckedVerify) -> list[Diagnostic]:
    if verify.method is None:
        return []
    span = verify.method_span or verify.span
    if verify.method not in METHODS:
        known = ", ".join(f"`{n}`" for n in METHODS)
        return [report("AS0620", span, name=verify.method, known=known, suggestion=nearest(verify.method, METHODS))]
    return check_against(METHODS[verify.method], given(verify.settings))[1]


def _deploy(deploy: CheckedDeploy) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for shield in deploy.shields:
        if shield.method is not None and shield.method not in SHIELDING:
            known = ", ".join(f"`{n}`" for n in SHIELDING)
            near = nearest(shield.method, SHIELDING)
            found.append(report("AS1340", shield.span, name=shield.method, known=known, suggestion=near))
        found.extend(check_against(SHIELD, given(shield.settings))[1])
    return found


def _pending(agent: CheckedAgent) -> list[Diagnostic]:
    """A note for the first construct of each backend that is not built."""
    found: dict[str, Diagnostic] = {}
    for outline in agent.outlines:
        backend = BACKENDS.get(outline.construct)
        if backend is not None and backend not in found:
            name = f" `{outline.name}`" if outline.name != outline.construct else ""
            construct = outline.construct if name else f"`{outline.construct}`"
            found[backend] = report("AS0710", outline.span, construct=construct, name=name, backend=backend)
    return list(found.values())
