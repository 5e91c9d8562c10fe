"""Agents for the tests of bundles: the shipped ones, one of many constructs, and random ones."""

import random
from functools import cache
from pathlib import Path

from conformance.strategies import PROFILES, SIGNALS, Seeded, make_formula, make_trace

import agentc.specs
from agentc.compiler.agent import (
    AgentIR,
    CostIR,
    EnvironmentIR,
    ExampleIR,
    ExpectIR,
    FormulaIR,
    MachineEdgeIR,
    MachineIR,
    MachineStateIR,
    OutlineIR,
    PropositionIR,
    RewardIR,
    RewardTermIR,
    TrainIR,
    VerifyIR,
)
from agentc.compiler.pipeline import check, read
from agentc.compiler.training_online import PPO

SHIPPED = sorted(Path(next(iter(agentc.specs.__path__))).glob("*.agentspec"))
RICH = Path(__file__).with_name("rich.agentspec")
ROLES = ("task", "safe", "behavior", "assume")


@cache
def agents() -> tuple[AgentIR, ...]:
    """The agents of the shipped specs and of the rich one."""
    found = []
    for path in (*SHIPPED, RICH):
        result = check(read(str(path)), root=str(path.parent))
        assert result.ok, result.diagnostics
        found.extend(result.agents)
    return tuple(found)


def random_agent(seed: int) -> AgentIR:
    """An agent that no spec was written for, with a bit of everything."""
    source, choose = Seeded(seed), random.Random(seed)

    def formula():
        return make_formula(source, choose.choice(PROFILES))

    formulas = tuple(
        FormulaIR(f"f{i}", choose.choice(ROLES), formula(), f"source {i} \u00e9\u2192\n", "reading")
        for i in range(choose.randrange(4))
    )
    names = [f.name for f in formulas]
    terms = [RewardTermIR("step", choose.uniform(-1, 1)), RewardTermIR("prop", 1e-300, formula=formula())]
    terms += [RewardTermIR("formula", choose.uniform(-9, 9), n, ends=choose.choice((None, True, False))) for n in names]
    terms += [RewardTermIR("robustness", 0.1, formula=formula(), clip=(-1.0, 1e9))]
    states = ("u0", "u1", "end")
    machine = MachineIR(
        tuple(
            MachineStateIR(s, s == "end", (MachineEdgeIR(formula(), choose.choice(states), choose.uniform(-1, 1)),) * 2)
            for s in states
        ),
        choose.choice((None, "m")),
    )
    train = {**PPO.defaults(), "steps": choose.randrange(1, 10**6), "learning_rate": choose.uniform(1e-6, 1)}
    examples = ()
    if names:
        f, trace = formulas[0].formula, make_trace(source, choose.randrange(1, 4))
        examples = (ExampleIR("t \u2028", names[0], choose.random() < 0.5, f, tuple(dict(v) for v in trace)),)
    split = choose.choice((None, 7))
    arguments = {"a": (1, (2.5, "x")), "b": {"c": True, "d": None}}
    return AgentIR(
        name=choose.choice(("A", "Zo\u00eb", "agent_1")),
        doc=choose.choice((None, "", "two\nlines \"quoted\" \\ \t")),
        environment=None if split is None else EnvironmentIR("e", "engine", arguments, SIGNALS[:split], 0.1, 40),
        signals=SIGNALS[split or 0 :],
        propositions=(PropositionIR("p0", formula(), "p0"),),
        formulas=formulas,
        reward=choose.choice((None, RewardIR(tuple(terms), tuple(names[:1]), choose.uniform(0.1, 1), machine))),
        train=choose.choice((None, TrainIR("ppo", train, "never"), TrainIR("cql", {"minutes": 10}))),
        expects=tuple(ExpectIR("satisfaction", ">=", 0.5, n, choose.choice((None, 0.9)), "s") for n in names),
        verifies=(VerifyIR(formula(), "v", None, choose.choice((None, (">=", 0.5)))),),
        examples=examples,
        outlines=(OutlineIR("role", "scout", "multi-agent", {"limit": 3, "parts": ({"a": "b"},)}),),
        parameters={"radius": 0.5, "list": (1, 2)},
        costs=(CostIR("fuel", formula(), choose.choice((None, 3.0))),),
    )
