"""Language-model agents: phases, tools, decoding; and several roles."""

import pytest

from agentc.lang.checked import CheckedSpec
from agentc.lang.checker import check_module
from agentc.lang.imports import Library
from agentc.lang.parser import parse
from agentc.lang.source import Source


def checked(body: str) -> CheckedSpec:
    parsed = parse(Source("spec.agentspec", "agent A {\n" + body + "\n}\n"))
    assert not parsed.diagnostics, parsed.diagnostics
    return check_module(parsed.module, Library())


CLERK = """
  model "small" { temperature = 0.5 }
  tool search(query : text[1..80], most : int = 3) -> text { timeout = 2s }
  tool finish(answer : text[1..60])
  prompt "You answer questions."
  prompt shots \"\"\"An example.\"\"\"
  phase thought = text until "\\n" max 64 tokens
  phase action = call(search | finish)
  phase reply = result(action)
  decode { choice exact }
"""

RIGHT = [
    "behavior b = G (thought -> X action)",
    "behavior b = F[<= 3 turns] finish",
    "behavior b = G (finish -> finish.answer in seen(reply))",
    'behavior b = G (search -> search.query != "")',
    'behavior b = F finish; example "x" satisfies b { thought; action & finish; reply }',
    'phase plan = choice("left", "right") where plan.text != "left"',
    'phase plan = regex("[a-z]+") max 5 tokens',
]

WRONG = [
    ("phase other = call(serch)", ["AS0203"]),
    ("phase other = result(actoin)", ["AS0203"]),
    ("phase other = result(thought)", ["AS0549"]),
    ('phase other = regx("a")', ["AS0621"]),
    ('phase other = regex("a", "b")', ["AS0304"]),
    ("phase other = text max 0 tokens", ["AS0614"]),
    ("phase other = text where F first", ["AS0312"]),
    ("phase thought = text", ["AS0201"]),
    ("tool search() -> text", ["AS0201"]),
    ("tool other(a : int, a : int)", ["AS0201"]),
    ("tool other(a : nothing)", ["AS0309"]),
    ('model "other"', ["AS0502"]),
    ("decode { choice exact }", ["AS0502"]),
    ("behavior b = F[2 turns, 3 turns] finish", ["AS0713"]),
    ("behavior b = G (finish -> finish.anser in seen(reply))", ["AS0206"]),
]


@pytest.mark.parametrize("body", RIGHT)
def test_what_is_right(body: str) -> None:
    assert [d.code for d in checked(CLERK + body).diagnostics] == []


@pytest.mark.parametrize(("body", "expected"), WRONG, ids=[b for b, _ in WRONG])
def test_what_is_wrong(body: str, expected: list[str]) -> None:
    assert [d.code for d in checked(CLERK + body).diagnostics] == expected


def test_phases_need_a_model() -> None:
    assert [d.code for d in checked("phase thought = text").diagnostics] == ["AS0550"]
    assert [d.code for d in checked("tool find()").diagnostics] == ["AS0550"]
    guarded = "tool find()\nphase action = call(find)\nphase reply = result(action)\n"
    assert [d.code for d in checked(guarded).diagnostics] == []
    for read in ('prompt "Find it."', "decode { choice exact }", 'phase thought = text until "\\n"'):
        assert [d.code for d in checked(guarded + read).diagnostics] == ["AS0550"], read


def test_phases_and_tools_are_signals() -> None:
    [agent] = checked(CLERK).agents
    assert [(s.name, s.type.kind) for s in agent.signals] == [
        ("search", "bool"), ("search.query", "text"), ("search.most", "int"),
        ("finish", "bool"), ("finish.answer", "text"),
        ("thought", "bool"), ("thought.text", "text"), ("action", "bool"), ("action.text", "text"),
        ("reply", "bool"), ("reply.text", "text"),
    ]  # fmt: skip
    assert all(s.phase for s in agent.signals)


def test_constructs_become_outlines() -> None:
    [agent] = checked(CLERK).agents
    outlines = {(o.construct, o.name): o.content for o in agent.outlines}
    assert outlines["phase", "thought"] == {
        "generators": ({"generator": "text", "until": "\n", "max_tokens": 64},)
    }
    assert outlines["tool", "search"]["parameters"] == {
        "query": {"type": "text", "size": (1, 80)},
        "most": {"type": "int", "default": 3},
    }
    assert outlines["tool", "search"]["settings"] == {"timeout": 2}
    assert outlines["prompt", "system"] == {"text": "You answer questions.", "file": None}
    assert outlines["model", "small"] == {"settings": {"temperature": 0.5}}
    assert outlines["decode", "decode"] == {"choice": "exact"}


def test_a_role_has_formulas_of_its_own() -> None:
    roles = "role left { task f = F near; reward { f : 2 } }\n role right { task f = G near }"
    spec = checked("signal near : bool\n" + roles)
    assert spec.diagnostics == ()
    left, right = spec.agents[0].outlines
    assert left.name == "left" and left.content["reward"] == ({"kind": "formula", "name": "f", "amount": 2.0},)
    assert isinstance(right.content["formulas"], dict) and list(right.content["formulas"]) == ["f"]
