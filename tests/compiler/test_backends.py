"""The registry of backends, what they refuse, and what they emit."""

import json
from dataclasses import replace

import pytest

from agentc.compiler.agent import AgentIR, EnvironmentIR, FormulaIR, RewardIR, RewardTermIR, SignalIR, TrainIR
from agentc.compiler.backends import base
from agentc.compiler.backends.base import Backend, Emission, backend, backends, register
from agentc.compiler.backends.reward_machine import RewardMachine
from agentc.compiler.logic.fragments import EVERYTHING, PROPOSITIONAL, STEPWISE, Fragment, fragment
from agentc.compiler.logic.ir import and_, compare, const, formula, prop, term

SEQUENCE = formula("F", (and_(prop("p"), formula("O", (prop("q"),), (0, 2))),))
COUNTED = formula("G", (compare("<", term("count", (prop("p"),)), const(3)),))
AGENT = AgentIR(
    "A", None, None, (SignalIR("p", "bool"), SignalIR("q", "bool")), (),
    (FormulaIR("seq", "task", SEQUENCE, "F (p & O[0, 2] q)"), FormulaIR("few", "safe", COUNTED, "G count(p) < 3"),
     FormulaIR("id", "task", SEQUENCE, "", each=("id",))),
    RewardIR((RewardTermIR("formula", 1.0, "seq"),), ("seq",)), None,
)  # fmt: skip


def test_fragments():
    used = fragment(SEQUENCE)
    assert used.operators == {"F", "and", "atom", "O"} and used.terms == {"signal"}
    assert used.looks_ahead and used.looks_back and used.temporal
    assert used <= STEPWISE <= EVERYTHING and not used <= PROPOSITIONAL
    assert used.beyond(PROPOSITIONAL) == ("F", "O")
    assert fragment(COUNTED).beyond(STEPWISE) == ("count",)


def test_backends_refuse_by_name():
    for each in backends().values():
        assert isinstance(each, Backend)
        wanted = ["O"] if each.name == "subgoals" else []
        assert [d.values["operator"] for d in each.accepts(fragment(SEQUENCE))] == wanted
        if fragment(COUNTED) <= each.does:
            continue
        (d,) = each.accepts(fragment(COUNTED))
        assert d.code == "AS0701" and d.values["operator"] == "count" and each.name in d.message


def test_who_does_it_is_named(monkeypatch):
    class Counting:
        name = "counting"
        does: Fragment = EVERYTHING

        def accepts(self, fragment, span=None):
            return ()

        def emit(self, agent):
            return Emission()

    monkeypatch.setattr(base, "_registered", {})
    register(Counting())
    with pytest.raises(ValueError):
        register(Counting())
    (d,) = backend("monitor").accepts(fragment(COUNTED))
    assert d.help == "it is done by decoder, counting"
    with pytest.raises(KeyError):
        backend("nobody")


def test_emissions():
    for name, each in backends().items():
        first, second = each.emit(AGENT), each.emit(AGENT)
        assert first == second
        if name in ("decoder", "game", "subgoals"):  # the agent writes and controls nothing, traces may be long
            assert first == Emission()
            continue
        assert {d.code for d in first.diagnostics} == {"AS0709"}, name
        assert {d.values["name"] for d in first.diagnostics} == {"few", "id"}
        assert all(a.text.endswith("\n") and not a.path.startswith("/") for a in first.artifacts)
    paths = [a.path for b in backends().values() for a in b.emit(AGENT).artifacts]
    assert paths == ["automata/seq.hoa", "automata/seq.dot", "automata/seq.prism",
                     "automata/seq.svg", "monitors.json", "reward.json"]  # fmt: skip
    (artifact,) = backend("reward").emit(AGENT).artifacts
    machine = RewardMachine.from_data(json.loads(artifact.text))
    assert machine.missing == ("few", "id") and [p.name for p in machine.programs] == ["seq"]


@pytest.mark.parametrize("key", ["programs", "payments", "shapings", "machine", "discount"])
def test_a_damaged_reward_machine_is_refused(key):
    (artifact,) = backend("reward").emit(AGENT).artifacts
    data = json.loads(artifact.text)
    for wrong in (7, "x", [7], {"kind": 1}):
        with pytest.raises(ValueError):
            RewardMachine.from_data({**data, key: wrong} if key != "discount" else {**data, key: "x"})
    del data[key]
    with pytest.raises(ValueError):
        RewardMachine.from_data(data)


def test_subgoals_are_emitted_where_the_length_is_known():
    formulas = (FormulaIR("go", "task", formula("F", (prop("p"),)), "F p"),
                FormulaIR("soon", "task", formula("F", (prop("p"),), (0, 3)), "F[0, 3] p"),
                FormulaIR("was", "task", SEQUENCE, "F (p & O[0, 2] q)"))  # fmt: skip
    here = backend("subgoals")
    free = replace(AGENT, formulas=formulas)
    assert [a.path for a in here.emit(free).artifacts] == ["subgoals/soon.json"]
    environment = EnvironmentIR("e", "nowhere", {}, (), horizon=9)
    train = TrainIR("tgpo", {})
    bound = replace(free, environment=environment, train=train)
    emission = here.emit(bound)
    assert [a.path for a in emission.artifacts] == ["subgoals/go.json", "subgoals/soon.json"]
    assert [json.loads(a.text)["last"] for a in emission.artifacts] == [9, 9]
    assert [(d.code, d.values["operator"]) for d in emission.diagnostics] == [("AS0709", "O")]
    assert here.emit(replace(bound, train=None)).diagnostics == ()
