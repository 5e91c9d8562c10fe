"""Laws of the online verdicts: sound and exact against enumerated continuations, and what follows from finality."""

import itertools
from collections.abc import Iterator, Sequence

from conformance.harness import decidable
from conformance.registry import Case, prefixes
from conformance.strategies import BY_NAME, BY_PROFILE, Profile, Seeded, letters, make_formula, make_trace

from agentc.compiler.logic import ir
from agentc.compiler.logic.finality import verdict, violated
from agentc.compiler.logic.ir import Formula, not_
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace, Valuation
from agentc.compiler.logic.verdict import Verdict

DUAL = {Verdict.TRUE: Verdict.FALSE, Verdict.PRESUMABLY_TRUE: Verdict.PRESUMABLY_FALSE}
DUAL |= {b: a for a, b in DUAL.items()}


def continuations(prefix: Trace, steps: Sequence[Valuation], most: int) -> Iterator[Trace]:
    """The prefix with at most so many further steps, itself first."""
    for n in range(most + 1):
        for more in itertools.product(steps, repeat=n):
            yield Trace((*prefix.valuations, *more))


def small(source: Seeded, profile: Profile, most_letters: int) -> tuple[Formula, tuple[Valuation, ...]]:
    """A formula whose finality is decided quickly, and its possible valuations."""
    while True:
        f = make_formula(source, profile)
        steps = letters(f)
        if steps is not None and len(steps) <= most_letters and decidable(Case(f, (), BY_NAME, steps)):
            return f, steps


def only_p(source: Seeded) -> Formula:
    return ir.prop("p")


def test_verdicts_against_enumerated_continuations() -> None:
    # with one atom and little depth, six steps more tell everything
    source = Seeded("enumerated")
    mixed = BY_PROFILE["propositional mixed"]
    profile = Profile("one atom", mixed.operators, only_p, mixed.ends, most_nodes=4)
    seen = set()
    for _ in range(400):
        f, steps = small(source, profile, 2)
        prefix = make_trace(source, 1 + source.below(3))
        found = verdict(f, prefix, steps)
        seen.add(found)
        outcomes = {evaluate(f, longer) for longer in continuations(prefix, steps, 6)}
        assert found.holds == evaluate(f, prefix)
        assert found.final == (len(outcomes) == 1), (f, prefix, found)
    assert seen == set(Verdict)


def test_final_verdicts_are_sound_for_all_kinds_of_atoms() -> None:
    source = Seeded("sound")
    final = 0
    for _ in range(250):
        f, steps = small(source, BY_PROFILE["letters mixed"], 6)
        prefix = make_trace(source, 1 + source.below(3))
        found = verdict(f, prefix, steps)
        assert found.holds == evaluate(f, prefix)
        if found.final:
            final += 1
            assert all(evaluate(f, longer) == found.holds for longer in continuations(prefix, steps, 3))
    assert 50 < final < 250


def test_what_is_final_stays_and_negation_is_dual() -> None:
    source = Seeded("stays")
    for _ in range(250):
        f, steps = small(source, BY_PROFILE["letters mixed"], 6)
        names = ir.signals(f)
        start = make_trace(source, 1)
        # only steps that are among the possible valuations
        word = Trace((start[0], *(source.choice(steps) for _ in range(3))))
        course = [verdict(f, prefix, steps) for prefix in prefixes(word)]
        for earlier, later in itertools.pairwise(course):
            assert not earlier.final or later is earlier, (f, names, word)
        assert [verdict(not_(f), prefix, steps) for prefix in prefixes(word)] == [DUAL[v] for v in course]


def test_fewer_valuations_make_verdicts_final_sooner_and_contradict_none() -> None:
    source = Seeded("fewer")
    sooner = 0
    for _ in range(250):
        f, steps = small(source, BY_PROFILE["letters future"], 6)
        prefix = make_trace(source, 1 + source.below(3))
        of_all, of_some = verdict(f, prefix, steps), verdict(f, prefix, steps[: len(steps) // 2])
        assert of_all.holds == of_some.holds
        assert of_some.final or not of_all.final
        sooner += of_some.final and not of_all.final
    assert sooner > 10


def test_a_safe_is_violated_exactly_when_a_prefix_is_finally_false() -> None:
    source = Seeded("safe")
    count = 0
    for _ in range(150):
        f, steps = small(source, BY_PROFILE["propositional mixed"], 4)
        trace = make_trace(source, 1 + source.below(4))
        by_prefix = any(verdict(f, prefix, steps) is Verdict.FALSE for prefix in prefixes(trace))
        assert violated(f, trace, steps) == by_prefix
        if by_prefix:
            count += 1
            assert not evaluate(f, trace)
    assert count > 10
