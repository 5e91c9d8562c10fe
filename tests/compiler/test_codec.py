"""Agents as JSON and back, and what is refused on the way."""

import copy
import json

import pytest
from conformance.strategies import PROFILES, Seeded, make_formula

from agentc.compiler.bundle import canonical_json
from agentc.compiler.codec import decode_agent, encode_agent
from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import from_data, show, to_data
from agentc.compiler.wellformed import MalformedError, check_agent

from .sample_agents import agents, random_agent


def again(agent):
    return decode_agent(json.loads(canonical_json(encode_agent(agent))))


@pytest.mark.parametrize("agent", agents(), ids=lambda a: a.name)
def test_the_agents_of_specs_come_back(agent):
    check_agent(agent)
    assert again(agent) == agent
    assert canonical_json(encode_agent(again(agent))) == canonical_json(encode_agent(agent))


@pytest.mark.parametrize("seed", range(150))
def test_random_agents_come_back(seed):
    agent = random_agent(seed)
    assert again(agent) == agent


def test_formulas_come_back_as_the_same_objects():
    source = Seeded("codec")
    for _ in range(2000):
        f = make_formula(source, source.choice(PROFILES))
        assert from_data(json.loads(json.dumps(to_data(f)))) == (f,)


def test_numbers_keep_their_types():
    values = (1, 1.0, True, 0.0, -0.0, "1", (1, 2.0), 2**70)
    made = from_data(json.loads(json.dumps(to_data(*map(ir.const, values)))))
    assert [(type(n.value), repr(n.value)) for n in made] == [(type(v), repr(v)) for v in values]


def test_what_shares_its_parts_is_not_written_out_without_end():
    f = ir.prop("p")
    for _ in range(200):
        f = ir.formula("xor", (f, ir.formula("F", (f,))))
    assert len(show(f)) < 3 * ir.SHOWN
    assert from_data(to_data(f)) == (f,)


P, X = {"op": "signal", "kind": "term", "value": "p"}, {"op": "const", "kind": "term", "value": 1}
ATOM = {"op": "atom", "kind": "formula", "args": [0]}


@pytest.mark.parametrize(
    "nodes",
    [
        [{"op": "zap", "kind": "formula"}],
        [{"op": "zap", "kind": "term"}],
        [{"op": ["F"], "kind": "formula"}],
        [{"op": "true", "kind": "neither"}],
        [{"op": "true"}],
        [{"kind": "formula"}],
        ["true"],
        [None],
        [{"op": "true", "kind": "formula", "value": 3}],
        [{"op": "true", "kind": "formula", "interval": [0, 1]}],
        [ATOM, P],
        [{"op": "not", "kind": "formula", "args": [0]}],
        [{"op": "not", "kind": "formula", "args": [-1]}],
        [{"op": "true", "kind": "formula"}, {"op": "not", "kind": "formula", "args": [False]}],
        [{"op": "true", "kind": "formula"}, {"op": "not", "kind": "formula", "args": ["0"]}],
        [{"op": "true", "kind": "formula"}, {"op": "not", "kind": "formula", "args": [0, 0]}],
        [P, {"op": "not", "kind": "formula", "args": [0]}],
        [{"op": "true", "kind": "formula"}, ATOM],
        [X, ATOM],
        [{**P, "op": "prev"}, ATOM],
        [P, X, {"op": "add", "kind": "term", "args": [0, 1]}, {**ATOM, "args": [2]}],
        [P, ATOM, {"op": "F", "kind": "formula", "args": [1], "interval": [2, 1]}],
        [P, ATOM, {"op": "F", "kind": "formula", "args": [1], "interval": [-1, 1]}],
        [P, ATOM, {"op": "F", "kind": "formula", "args": [1], "interval": [0.5, 1]}],
        [P, ATOM, {"op": "F", "kind": "formula", "args": [1], "interval": [0, 1, 2]}],
        [P, ATOM, {"op": "X", "kind": "formula", "args": [1], "interval": [0, 1]}],
        [P, X, {"op": "compare", "kind": "term", "args": [0, 1], "value": "=~"}],
        [P, X, {"op": "compare", "kind": "term", "args": [0], "value": "<"}],
        [X, {**X, "value": "a"}, {"op": "compare", "kind": "term", "args": [0, 1], "value": "<"}],
        [X, {**X, "value": "a"}, {"op": "add", "kind": "term", "args": [0, 1]}],
        [X, {"op": "sqrt", "kind": "term", "args": [0, 0]}],
        [X, {"op": "sqrt", "kind": "term", "args": [0], "interval": [0, 1]}],
        [X, {"op": "count", "kind": "term", "args": [0]}],
        [P, ATOM, {"op": "count", "kind": "term", "args": [1], "interval": [3, 1]}],
        [{"op": "signal", "kind": "term"}],
        [{"op": "signal", "kind": "term", "value": 3}],
        [{"op": "const", "kind": "term"}],
        [{"op": "const", "kind": "term", "value": []}],
        [{"op": "const", "kind": "term", "value": ["a"]}],
        [{"op": "const", "kind": "term", "value": {"a": 1}}],
        [{"op": "const", "kind": "term", "value": 10**400}],
        [{"op": "const", "kind": "term", "value": float("nan")}],
        [{"op": "const", "kind": "term", "value": float("inf")}],
        [P, {"op": "index", "kind": "term", "args": [0], "value": -1}],
        [P, {"op": "index", "kind": "term", "args": [0], "value": True}],
        [P, {**X, "value": "("}, {"op": "matches", "kind": "term", "args": [0, 1]}],
        [P, {**X, "value": [1, 2]}, {**X, "value": [1]}, {"op": "box", "kind": "term", "args": [1, 2]}],
        [P, {**X, "value": [1, 2]}, {**X, "value": [1, 0]}, {"op": "ellipsoid", "kind": "term", "args": [1, 2]}],
        [P, {**X, "value": [0, 0]}, X, {"op": "halfspace", "kind": "term", "args": [1, 2]}],
        [P, X, {"op": "in_region", "kind": "term", "args": [0, 1]}],
        [P, X, {"op": "union", "kind": "term", "args": [0, 1]}],
    ],
    ids=str,
)
def test_tables_of_nodes_that_are_none(nodes):
    with pytest.raises(ValueError):
        from_data({"nodes": nodes, "roots": []})


@pytest.mark.parametrize(
    "data", [{}, {"nodes": 3, "roots": []}, {"nodes": [], "roots": [0]}, {"nodes": [P], "roots": [-1]}]
)
def test_tables_of_the_wrong_shape(data):
    with pytest.raises(ValueError):
        from_data(data)


def doorkey():
    return encode_agent(next(a for a in agents() if a.name == "DoorKey"))


def rich():
    return encode_agent(next(a for a in agents() if a.name == "Rich"))


def put(data, path, value):
    data = json.loads(json.dumps(data))
    at = data["agent"]
    *way, last = path
    for key in way:
        at = at[key]
    assert last in at if isinstance(at, dict) else last < len(at)
    at[last] = copy.deepcopy(value)
    return data


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["name"], "../../etc"),
        (["name"], ""),
        (["name"], 3),
        (["formulas", 0, "name"], "a/b"),
        (["formulas", 0, "name"], "careful"),
        (["formulas", 0, "role"], "wish"),
        (["formulas", 0, "formula"], 10**6),
        (["formulas", 0, "formula"], -1),
        (["formulas", 0, "formula"], 0),
        (["formulas", 0, "formula"], None),
        (["formulas", 0, "each"], "ab"),
        (["environment", "signals", 0, "kind"], "colour"),
        (["environment", "signals", 0, "members"], []),
        (["environment", "signals", 0, "name"], "door"),
        (["environment", "signals", 2, "name"], "gate"),
        (["environment", "signals", 2, "kind"], "bool"),
        (["environment", "signals", 2, "size"], [3]),
        (["environment", "signals", 2, "lo"], "low"),
        (["environment", "horizon"], 0),
        (["environment", "horizon"], 2.5),
        (["environment", "step"], 0),
        (["reward", "discount"], 0),
        (["reward", "discount"], 1.5),
        (["reward", "discount"], True),
        (["reward", "terms", 0, "name"], "nothing"),
        (["reward", "terms", 0, "kind"], "prop"),
        (["reward", "terms", 0, "amount"], "1"),
        (["reward", "shape"], ["nothing"]),
        (["train", "algorithm"], "wish"),
        (["train", "settings"], {}),
        (["train", "settings", "envs"], 0),
        (["train", "settings", "envs"], 16.0),
        (["train", "settings", "envs"], "16"),
        (["train", "settings", "activation"], "wave"),
        (["expects", 0, "subject"], "nothing"),
        (["expects", 0, "threshold"], 2),
        (["expects", 0, "confidence"], 1),
        (["expects", 0, "op"], "<="),
        (["examples", 0, "subject"], "nothing"),
        (["examples", 0, "valuations"], []),
        (["examples", 0, "valuations", 1], {}),
        (["examples", 0, "valuations", 0, "has_key"], 1),
        (["examples", 0, "valuations", 0, "has_key"], [True]),
        (["examples", 0, "opaque"], []),
        (["doc"], 3),
    ],
    ids=str,
)
def test_agents_that_no_spec_denotes(path, value):
    decode_agent(doorkey())
    with pytest.raises(ValueError):
        decode_agent(put(doorkey(), path, value))


def test_unknown_and_missing_keys():
    for change in (lambda a: a.update(extra=1), lambda a: a.pop("reward"), lambda a: a["formulas"][0].pop("each")):
        data = json.loads(json.dumps(doorkey()))
        change(data["agent"])
        with pytest.raises(ValueError):
            decode_agent(data)
    for data in (None, [], {}, {"nodes": []}, {**doorkey(), "more": 1}):
        with pytest.raises(ValueError):
            decode_agent(data)


def test_a_malformed_agent_is_told_its_place():
    with pytest.raises(MalformedError) as caught:
        decode_agent(put(rich(), ["examples", 1, "valuations", 0, "say"], 3))
    assert caught.value.place == "examples.1.valuations.0.say"
