"""Costs: the batch says what the reference semantics says, and every environment charges the step that was led to."""

from __future__ import annotations

import numpy as np
import pytest
from scripted import Scripted, agent, read

from agentc.compiler.agent import CostIR
from agentc.compiler.pipeline import compile_formula
from agentc.runtime.acceptance import accept
from agentc.runtime.costs import Costs, costs_of_step, holds
from agentc.runtime.evaluate import Decision
from agentc.runtime.labelling import encode
from agentc.runtime.spec_env import SpecEnv
from agentc.runtime.spec_vector import SpecVectorEnv

SIGNALS = "signal x : real in [-2, 2]\nsignal home : bool\nsignal mood : enum { calm, sad }\n"
COSTS = {
    "wear": "x * x",
    "jerk": "abs(x - prev.x)",
    "odd": "1 / x",
    "root": "sqrt(x)",
    "away": "!home",
    "moved": "x != prev.x & (home | mood == sad)",
    "still": "x == prev.x",
    "gloomy": "mood == sad",
    "flat": "2.5",
}
BODY = SIGNALS + "task f = F home\n" + "".join(f"cost {name} = {text}\n" for name, text in COSTS.items())


def valuations(rng: np.random.Generator, steps: int) -> list[dict[str, object]]:
    return [
        {
            "x": float(rng.choice([-2.0, -0.5, 0.0, 0.25, 2.0])),
            "home": bool(rng.integers(2)),
            "mood": ("calm", "sad")[rng.integers(2)],
        }
        for _ in range(steps)
    ]


def test_the_batch_is_the_reference() -> None:
    ir = agent(BODY).agent
    rng, n, steps = np.random.default_rng(3), 16, 12
    runs = [valuations(rng, steps) for _ in range(n)]
    costs = Costs(ir.costs, ir.declared, n)
    assert costs.names == tuple(COSTS)
    declared = {s.name: s for s in ir.declared}

    def columns(t: int) -> dict[str, np.ndarray]:
        return {name: encode(name, declared[name], [run[t][name] for run in runs]) for name in costs.signals}

    costs.begin(columns(0))
    sums = {name: np.zeros(n) for name in COSTS}
    for t in range(1, steps):
        found = costs.step(columns(t))
        for i, run in enumerate(runs):
            wanted = costs_of_step(ir.costs, run[t - 1], run[t])
            for name in COSTS:
                assert found[name][i] == pytest.approx(wanted[name], abs=1e-12), (name, run[t - 1], run[t])
                sums[name][i] += wanted[name]
        assert {k: a.tolist() for k, a in costs.sums().items()} == {
            f"cost/{k}": pytest.approx(a.tolist()) for k, a in sums.items()
        }
        if t == 5:  # what is brought back goes on as it was
            state, costs = costs.state(), Costs(ir.costs, ir.declared, n)
            costs.begin(columns(0))
            costs.restore(state)


def test_connectives_are_those_of_the_semantics() -> None:
    letters = np.array([[p, q] for p in (False, True) for q in (False, True)])
    for text, truth in {
        "p -> q": [True, True, False, True], "p <-> q": [True, False, False, True],
        "p xor q": [False, True, True, False], "!p | q & p": [True, True, False, True], "true": [True] * 4,
        "p & !q": [False, False, True, False],
    }.items():  # fmt: skip
        f = compile_formula(text)
        atoms = {compile_formula("p"): letters[:, 0], compile_formula("q"): letters[:, 1]}
        assert np.broadcast_to(holds(f, atoms), 4).tolist() == truth, text
        rows = [{"p": bool(p), "q": bool(q)} for p, q in letters]
        assert [costs_of_step((CostIR("c", f),), rows[0], row)["c"] == 1.0 for row in rows] == truth


SCRIPTS = (
    [{"x": 2.0, "home": False}, {"x": 1.0, "home": False}, {"x": -1.0, "home": True}],
    [{"x": 2.0, "home": True}, {"x": 2.0, "home": False}],
)
"""By hand, of the steps after step 0: ``x * x``: 1 + 1, then 4;
``!home``: 1 + 0, then 1; ``|x - prev.x|``: 1 + 2, then 0."""
SHORT = (
    "signal x : real in [-2, 2]\nsignal home : bool\nbehavior f = F home\n"
    "cost wear = x * x\ncost away = !home\ncost jerk = abs(x - prev.x)\nbudget wear <= 3\nbudget wear <= 25\n"
)


def test_charged_for_the_step_that_was_led_to() -> None:
    compiled = agent(SHORT)
    vector = SpecVectorEnv(compiled, 2, make=lambda: Scripted(SCRIPTS), signals=read)
    single = SpecEnv(Scripted(SCRIPTS), compiled, signals=read)
    assert vector.budgets == {"wear": 3.0}  # the lesser of the two
    vector.reset(0)
    single.reset(seed=0)
    charged, ended = [], []
    for _ in range(3):
        batch = vector.step(np.zeros(2, np.int64))
        *_, terminated, truncated, info = single.step(0)
        charged.append({name: array.tolist() for name, array in batch.costs.items()})
        assert charged[-1] == {name: [cost] * 2 for name, cost in info["agentc"]["costs"].items()}
        if batch.terminated.any():
            assert terminated and not truncated
            ended.append({k: a[0] for k, a in batch.info.items() if k.startswith("cost/")})
            single.reset()
    assert [row["wear"][0] for row in charged] == [1.0, 1.0, 4.0]
    assert ended == [
        {"cost/wear": 2.0, "cost/away": 1.0, "cost/jerk": 3.0}, {"cost/wear": 4.0, "cost/away": 1.0, "cost/jerk": 0.0}
    ]  # fmt: skip


class Still:
    """Does nothing."""

    def act(self, observation, mask, randomness):
        return np.zeros(1, np.int64)


def test_an_evaluation_says_whether_budgets_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = agent(SHORT.replace("budget wear <= 25", "budget away <= 0.5"))
    monkeypatch.setattr(
        SpecEnv, "make", lambda spec, **_: SpecEnv(Scripted(SCRIPTS), compiled, signals=read)
    )
    found = accept(compiled, Still(), episodes=6)  # seeded: always the first script
    by_name = {c.cost: (c.limit, c.mean, c.lower, c.upper, c.decision) for c in found.costs}
    assert by_name == {
        "wear": (3.0, 2.0, 2.0, 2.0, Decision.HOLDS),
        "away": (0.5, 1.0, 1.0, 1.0, Decision.NOT_MET),
        "jerk": (None, 3.0, 3.0, 3.0, None),
    }
    assert [c["decision"] for c in found.data()["costs"]] == ["holds", "not met", None]


def test_the_table_says_whether_a_budget_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    from agentc.runtime.cli.eval import _table

    seen = {"mean": 2.25, "lower": 2.0, "upper": 3.5, "episodes": 8}
    cost = {"cost": "wear", "limit": 3.0, "decision": "unknown", **seen}
    free = {**cost, "cost": "away", "limit": None, "decision": None}
    _table([{"agent": "A", "training_seed": 0, "rates": [], "outcomes": [], "costs": [cost, free]}])
    lines = [line.replace("│", " ").split() for line in capsys.readouterr().out.splitlines()]
    assert ["A", "0", "wear", "2.25", "[2,", "3.5]", "3", "not", "decided"] in lines
    assert ["A", "0", "away", "2.25", "[2,", "3.5]", "-"] in lines
