"""What a spec expects is decided by the episodes in which its assumptions held; the others are counted apart."""

import pytest
from scripted import Scripted, agent, letters, read

from agentc.compiler.agent import ExpectIR
from agentc.runtime import acceptance
from agentc.runtime.acceptance import accept, decide
from agentc.runtime.evaluate import Decision, Episode
from agentc.runtime.spec_env import SpecEnv

BODY = """
signal p, q, r : bool
assume calm = G !q
task t = F p
safe s = G !r
reward { t : +1.0 continues; s : -1.0 continues }
expect satisfaction(t) >= 0.5 with confidence 0.9
expect violations(s) <= 0
expect return >= -0.5 with confidence 0.9
"""


def episodes(*rows):
    """``(t holds, s is violated, calm is broken)`` as episodes."""
    return [
        Episode(i, float(t) - float(s), 3, True, {"t": t}, {"s": s}, ("calm",) if broken else ())
        for i, (t, s, broken) in enumerate(rows)
    ]


GOOD, BROKEN = (True, False, False), (False, True, True)


@pytest.mark.parametrize("at", range(3))
def test_episodes_that_break_an_assumption_are_counted_apart(at):
    compiled = agent(BODY)
    expect = compiled.agent.expects[at]
    alone = decide(compiled.agent, expect, episodes(*[GOOD] * 20), 0)
    mixed = decide(compiled.agent, expect, episodes(*[GOOD] * 20, *[BROKEN] * 7), 0)
    assert alone.decision is mixed.decision is Decision.HOLDS
    assert (alone.estimate, alone.lower, alone.episodes) == (mixed.estimate, mixed.lower, mixed.episodes)
    assert "assumption" not in alone.sentence
    assert mixed.sentence == f"{alone.sentence}; 7 more broke an assumption and are counted apart"


@pytest.mark.parametrize("kind", ["satisfaction", "violations", "return"])
def test_nothing_is_decided_by_broken_assumptions_alone(kind):
    compiled = agent(BODY)
    expect = next(e for e in compiled.agent.expects if e.kind == kind)
    assert isinstance(expect, ExpectIR)
    assert decide(compiled.agent, expect, episodes(*[BROKEN] * 7), 0).decision is Decision.UNKNOWN


class Still:
    """An actor that always takes the first action."""

    def act(self, observation, mask, randomness):
        return [0]


def test_rates_of_an_evaluation(monkeypatch):
    compiled = agent(BODY)
    # each episode is reset with a seed, with which a script begins anew: the scripts are played by count
    scripts = iter([letters("", "p", ""), letters("", "q", "r"), letters("", "", ""), letters("q", "p", "")])

    class Next(Scripted):
        def reset(self, *, seed=None, options=None):
            self.scripts = [next(scripts)]
            return super().reset(seed=seed)

    monkeypatch.setattr(
        acceptance.SpecEnv, "make", lambda spec, shaping, shield: SpecEnv(Next([]), spec, signals=read, shaping=shaping)
    )
    found = accept(compiled, Still(), episodes=4)
    assert [e.assumptions_broken for e in found.episodes] == [(), ("calm",), (), ("calm",)]
    rates = {r.formula: (r.successes, r.episodes) for r in found.rates}
    assert rates == {"calm": (2, 4), "t": (1, 2), "s": (2, 2)}
    assert [e["assumptions_broken"] for e in found.data()["episodes"]] == [[], ["calm"], [], ["calm"]]
