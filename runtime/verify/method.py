"""Methods of verification: one Protocol, a registry, and the order in which an item without a method tries them.

A method is one file (or a folder) in ``runtime/verify/`` and one row of ``BUILT_IN``; another package adds its own
with :func:`register`.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from time import monotonic
from typing import Protocol, cast, runtime_checkable

from agentc.runtime.verify.answer import Answer, Verdict, unknown
from agentc.runtime.verify.problem import Problem
from agentc.runtime.verify.vacuity import vacuity


@runtime_checkable
class Method(Protocol):
    """Decides items, or says that it cannot."""

    @property
    def name(self) -> str:
        """The name that a spec calls it by."""
        ...

    def refusal(self, problem: Problem) -> str | None:
        """Why it cannot be asked this, as a clause that follows 'because'; None if it can."""
        ...

    def solve(self, problem: Problem) -> Answer:
        """Its answer, in the problem's time. Never ``PROVED`` unless it is. Raises ``AgentcError`` for bad input."""
        ...


BUILT_IN: dict[str, str] = {
    # name: module:object; cheap before dear, a search for a violation before a proof that would not end
    "network": "agentc.runtime.verify.network.method:NetworkMethod",
    "bmc": "agentc.runtime.verify.symbolic:BmcMethod",
    "induction": "agentc.runtime.verify.symbolic:InductionMethod",
    "model": "agentc.runtime.verify.model.method:ModelMethod",
    "automaton": "agentc.runtime.verify.automaton.method:AutomatonMethod",
    "data": "agentc.runtime.verify.data.method:DataMethod",
    "falsify": "agentc.runtime.verify.falsify:FalsifyMethod",
    "reach": "agentc.runtime.verify.reach.method:ReachMethod",
    "statistical": "agentc.runtime.verify.statistical:StatisticalMethod",
}
"""The methods that are built, in the order in which they are tried."""

_registered: dict[str, Method] = {}


def register(method: Method) -> None:
    """Add a method. Raises ``ValueError`` if its name is taken."""
    if method.name in BUILT_IN or method.name in _registered:
        raise ValueError(f"there is a method {method.name!r} already")
    _registered[method.name] = method


def method(name: str) -> Method:
    """The method of that name. Raises ``KeyError``."""
    if name in _registered:
        return _registered[name]
    module, _, attribute = BUILT_IN[name].partition(":")
    return cast(Method, getattr(import_module(module), attribute)())


def names() -> tuple[str, ...]:
    """The methods that there are, in the order in which they are tried."""
    return (*BUILT_IN, *_registered)


UNPROVING = frozenset(("statistical",))
"""Methods that are asked only by name: what they say is no proof."""


def decide(problem: Problem) -> Answer:
    """The answer to an item: by the method that it names, else by those that can, the cheap before the dear.

    What cannot fail is vacuous by any method.
    """
    begun = monotonic()
    why = vacuity(problem)
    if why is not None:
        answer = Answer(Verdict.VACUOUS, problem.item.method or "none", why)
    elif problem.item.method is not None:
        answer = _by_name(problem, problem.item.method)
    else:
        answer = _in_turn(problem)
    return replace(answer, seconds=monotonic() - begun)


def refusal_of(candidate: Method, problem: Problem) -> str | None:
    """Why a method cannot be asked an item; None if it can."""
    if problem.item.total is not None and candidate.name not in SUMMING:
        return "it asks for the expected value of a sum"
    return candidate.refusal(problem)


SUMMING = frozenset(("model",))
"""Methods that can be asked for the expected value of a sum."""


def _by_name(problem: Problem, name: str) -> Answer:
    if name not in names():
        return unknown(name, f"the method `{name}` is not built yet")
    chosen = method(name)
    why = refusal_of(chosen, problem)
    if why is not None:
        return unknown(name, f"`{name}` cannot decide it, because {why}")
    return chosen.solve(problem)


def _in_turn(problem: Problem) -> Answer:
    """Each method that can, with its share of the time that is left; the first that decides is believed."""
    refused: list[str] = []
    tried: list[Answer] = []
    able: list[Method] = []
    for name in names():
        if name in UNPROVING:
            continue
        candidate = method(name)
        why = refusal_of(candidate, problem)
        if why is None:
            able.append(candidate)
        else:
            refused.append(f"{name}: {why}")
    for at, candidate in enumerate(able):
        if problem.left() <= 0:
            break
        share = problem.left() / (len(able) - at)
        problem.progress(f"{candidate.name}")
        answer = candidate.solve(problem.within(share))
        if answer.verdict is not Verdict.UNKNOWN:
            return answer
        tried.append(answer)
    if tried:
        said = "; ".join(f"{a.method}: {a.sentence}" for a in tried)
        return unknown(tried[-1].method, said, tried=[a.data() for a in tried])
    return unknown("none", "no method can decide it (" + "; ".join(refused) + ")")
