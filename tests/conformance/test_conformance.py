"""Every backend against the reference: 200,000 pairs in every run, more on demand (see ``run.py``)."""

import pytest

from conformance import backends  # noqa: F401
from conformance.harness import check, first, run
from conformance.registry import BACKENDS, load
from conformance.regressions import regressions

PAIRS = 200_000


@pytest.fixture(scope="module")
def report():
    return run(BACKENDS.values(), first("continuous integration", PAIRS), stop_at=20)


def test_every_backend_means_what_the_reference_means(report):
    assert not report.disagreements, "\n\n".join(map(str, report.disagreements))


def test_the_pairs_were_run(report):
    assert report.pairs >= PAIRS
    assert set(report.tallies) == set(BACKENDS)
    print(report.table())


@pytest.mark.parametrize("name", BACKENDS)
def test_every_backend_had_its_share(report, name):
    b, tally = BACKENDS[name], report.tallies[name]
    assert tally.offered * b.every >= report.formulas - b.every
    assert tally.accepted >= b.least * tally.offered
    assert tally.values >= {"same": 75, "safe": 1_000}.get(b.kind, 4_000)


@pytest.mark.parametrize("name", BACKENDS)
def test_what_once_disagreed(name):
    b = BACKENDS[name]
    implementation = b.build(load)
    for kept in regressions():
        found = check(b, implementation, kept.formula, kept.trace)
        assert found is None, f"{kept.note}\n{found}"


@pytest.mark.slow
def test_a_million_pairs():
    report = run(BACKENDS.values(), first("a million", 1_000_000), stop_at=20)
    assert report.pairs >= 1_000_000
    assert not report.disagreements, "\n\n".join(map(str, report.disagreements))
