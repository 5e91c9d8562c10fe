"""Is the harness any good? The frozen mutants of the backends, judged with the sample of every run."""

import pytest

from conformance import backends  # noqa: F401
from conformance.harness import first
from conformance.mutants import Mutant, backends_of, compiled, equivalent, frozen, judge
from conformance.registry import BACKENDS

PAIRS = 100_000
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


@pytest.mark.parametrize("mutant", FROZEN, ids=lambda m: m.name)
def test_the_mutated_expression_is_still_there(mutant: Mutant):
    compiled(mutant)
    assert backends_of(mutant.module)


def judged(mutants: list[Mutant], pairs: int) -> list[Mutant]:
    """The mutants that are missed and not argued to be equivalent."""
    offered = list(first("mutants", pairs))
    return [m for m in mutants if not judge(m, offered).how and m.name not in EQUIVALENT]


def test_a_tenth_of_the_mutants_with_a_tenth_of_the_sample():
    some = [m for m in FROZEN if m.name not in EQUIVALENT][::10]
    missed = judged(some, PAIRS // 10)
    assert len(missed) <= len(some) // 5, [m.name for m in missed]


@pytest.mark.slow
def test_of_all_mutants_95_percent_are_caught():
    alive = judged([m for m in FROZEN if m.name not in EQUIVALENT], PAIRS)
    count = len(FROZEN) - len(EQUIVALENT)
    print(f"{count - len(alive)} of {count} caught; missed:", *(m.name for m in alive), sep="\n")
    assert len(alive) <= 0.05 * count
