"""Is the harness any good? The frozen mutants of the backends, judged with the sample of every run."""

import pytest

from conformance import backends  # noqa: F401
from conformance.harness import first
from conformance.mutants import Mutant, backends_of, equivalent, exists, frozen, judge
from conformance.registry import BACKENDS

PAIRS = 200_000
FROZEN = frozen()
EQUIVALENT = equivalent()


def test_the_frozen_mutants():
    names = [m.name for m in FROZEN]
    assert len(set(names)) == len(names) >= 50
    assert set(EQUIVALENT) <= set(names)
    assert all(len(reason) > 40 for reason in EQUIVALENT.values())
    assert len({m.operator for m in FROZEN}) >= 10
    tested = {module for b in BACKENDS.values() for module in b.modules if module.startswith("agentc.")}
    assert {m.module for m in FROZEN} == tested


def live() -> list[Mutant]:
    """The frozen mutants whose expression still stands in its module, and that are not argued to be equivalent."""
    return [m for m in FROZEN if m.name not in EQUIVALENT and exists(m)]


def test_most_mutated_expressions_are_still_there():
    # modules change; where too many mutants went, `run.py --freeze` adds new ones
    stale = [m.name for m in FROZEN if not exists(m)]
    assert len(stale) <= 0.15 * len(FROZEN), stale
    assert len(live()) >= 50
    assert all(backends_of(m.module) for m in FROZEN)


def missed(mutants: list[Mutant], pairs: int) -> list[Mutant]:
    """The mutants that the harness does not notice."""
    offered = list(first("mutants", pairs))
    return [m for m in mutants if not judge(m, offered).how]


def test_a_tenth_of_the_mutants_with_a_tenth_of_the_sample():
    some = live()[::10]
    alive = missed(some, PAIRS // 10)
    assert len(alive) <= len(some) // 5, [m.name for m in alive]


@pytest.mark.slow
def test_of_all_mutants_95_percent_are_caught():
    chosen = live()
    alive = missed(chosen, PAIRS)
    print(f"{len(chosen) - len(alive)} of {len(chosen)} caught; missed:", *(m.name for m in alive), sep="\n")
    assert len(alive) <= 0.05 * len(chosen)
