"""The solver's process: it answers, it is ended where it does not, and it answers again."""

import os
import signal
from fractions import Fraction

import pytest

from agentc.compiler.agent import SignalIR
from agentc.compiler.arithmetic import Arithmetic
from agentc.compiler.logic.alphabet import alphabet, deciding
from agentc.compiler.logic.ir import atoms
from agentc.compiler.pipeline import compile_formula
from agentc.compiler.smt import BeyondError
from agentc.compiler.smt_process import SolverProcess

pytest.importorskip("z3")

EASY = "(declare-const a Bool)(declare-const x Real)(assert (= a (> x 1)))(assert (< x 3))"
# whether 114 is a sum of three cubes is not known
ENDLESS = """(declare-const a Bool)(declare-const x Int)(declare-const y Int)(declare-const z Int)
(assert (= a (= (+ (* x x x) (* y y y) (* z z z)) 114)))(assert a)"""
LIMITS = {"work": 4_000_000_000, "letters": 64}


@pytest.fixture
def asked():
    process = SolverProcess()
    yield process
    process.close()


def easy(process):
    return process.models(EASY, ["a"], {"x": "Real"}, seconds=60.0, **LIMITS)


def test_all_combinations_with_values(asked):
    found = dict(easy(asked))
    assert found.keys() == {(True,), (False,)}
    assert 1 < found[True,]["x"] < 3 and found[False,]["x"] <= 1
    assert all(isinstance(values["x"], Fraction) for values in found.values())


def test_what_does_not_end_is_ended_and_the_next_request_is_answered(asked):
    first = easy(asked)
    with pytest.raises(BeyondError, match=r"time ran out|gave up"):
        asked.models(ENDLESS, ["a"], {}, seconds=0.5, **LIMITS)
    assert easy(asked) == first


def test_a_process_that_died_is_started_again(asked):
    first = easy(asked)
    os.kill(asked.pid, signal.SIGKILL)
    try:
        again = easy(asked)
    except BeyondError:  # the request met the dying process
        again = easy(asked)
    assert again == first


def test_the_count_of_letters_is_a_limit(asked):
    with pytest.raises(BeyondError, match="more than 0 letters"):
        asked.models(EASY, ["a"], {}, seconds=60.0, work=LIMITS["work"], letters=0)


def test_a_group_that_is_beyond_the_solver_in_time_is_left_free():
    signals = tuple(SignalIR(name, "int") for name in "xyz")
    decider = Arithmetic(seconds=0.5)
    with deciding(decider):
        found = atoms(compile_formula("x ** 3 + y ** 3 + z ** 3 == 114", signals))
        (group,) = alphabet(found, signals).groups
    assert group.free and list(decider.undecided) == [tuple(found)]
