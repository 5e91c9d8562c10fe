"""Examples in prompts: planted errors are found at their lines."""

import json

import pytest

from agentc.compiler.decoder.few_shot import check_prompts, system_text
from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.compilation import compile_checked

SPEC = """agent Desk {
  model "m"
  tool find(name : text[1..20]) -> text
  tool book(id : regex("[A-Z]{2}"), seats : int in [1, 9])
  phase thought = text until ";"
  phase action = call(find | book)
  phase reply = result(action)
  PROMPT
  behavior acts = G (thought -> X action) & G (action -> X reply)
  behavior done = F book
  behavior found = G (book -> book.id in seen(reply))
  safe few = G (book -> book.seats <= 4)
}
"""
GOOD = """Question: two seats?
Thought: look it up;
Action: find {"name": "Ann"}
Reply: Ann has AB
and CD
Action: book {"id": "AB", "seats": 2}
Reply: booked

Now another one.
Thought: I know it;
Action: find {"name": "Bob"}
Reply: QX
Thought: book it;Action: book {"id": "QX", "seats": 1}
Reply: done
"""


def found(text, tmp_path, file="shots.txt"):
    (tmp_path / file).write_text(text, encoding="utf-8")
    source = Source("desk.agentspec", SPEC.replace("PROMPT", f'prompt shots from "{file}"'))
    result = check(source, root=str(tmp_path))
    assert result.ok, [d.message for d in result.diagnostics]
    (agent,) = result.agents
    wrong = check_prompts(agent)
    assert all(d.span.source.name == file for d in wrong)
    return [(d.code, d.span.source.position(d.span.start)[0]) for d in wrong]


def test_good_examples_pass(tmp_path):
    assert found(GOOD, tmp_path) == []


PLANTED = [
    ("Thought: look it up;\n", "Thought: look it up\n", [("AS1461", 2)]),  # without its end
    ('"Ann"}\n', '"Ann"}\nReplay: hm\n', [("AS1460", 4)]),
    ("Action: find {\"name\": \"Ann\"}\nReply: Ann has AB\n", "Action: find {\"name\": \"Ann\"}\n", [("AS1460", 4)]),
    ('"seats": 2', '"seats": 12', [("AS1461", 6)]),
    ('"seats": 2', '"seats": 7', [("AS1462", 6)]),
    ('"id": "AB"', '"id": "ZZ"', [("AS1462", 6)]),
    ('Action: book {"id": "AB", "seats": 2}\nReply: booked\n', "", [("AS1463", 4)]),
    ('Action: find {"name": "Ann"}\nReply: Ann has AB\nand CD\n', "Reply: Ann has AB\n",
     [("AS1464", 3), ("AS1462", 3)]),
    ("Action: find", "Action: fnd", [("AS1461", 3)]),
    ("Reply: QX\n", "", [("AS1462", 12), ("AS1462", 12)]),
    ("Reply: QX\nThought: book it;Action: book", "Reply: QX\nThought: book it;Thought: or not;Action: book",
     [("AS1462", 13)]),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "expected"), PLANTED)
def test_planted_errors_are_found_at_their_lines(right, wrong, expected, tmp_path):
    assert right in GOOD
    assert sorted(found(GOOD.replace(right, wrong, 1), tmp_path)) == sorted(expected)


def events(*steps):
    lines = [{"event": "start", "message": "Two seats?"}]
    for phase, text, tool in steps:
        lines.append({"event": "result" if phase == "reply" else "step", "phase": phase, "text": text, "tool": tool})
    return "\n".join(map(json.dumps, [*lines, {"event": "end"}])) + "\n"


def test_recorded_transcripts_are_examples(tmp_path):
    good = [("thought", "hm", None), ("action", 'find {"name": "A"}', "find"), ("reply", "AB", "find"),
            ("action", 'book {"id": "AB", "seats": 2}', "book"), ("reply", "ok", "book")]  # fmt: skip
    assert found(events(*good), tmp_path, "shots.jsonl") == []
    assert found(events(*good[1:3], *good[3:4], *good[4:]) + "{\n", tmp_path, "shots.jsonl") == [("AS1465", 7)]
    assert found(events(*good[:1], *good[3:]), tmp_path, "shots.jsonl") == [("AS1462", 3)]
    assert found(events(("say", "hm", None)), tmp_path, "shots.jsonl") == [("AS1460", 2)]
    source = Source("desk.agentspec", SPEC.replace("PROMPT", 'prompt "Be brief." \n prompt shots from "shots.jsonl"'))
    (tmp_path / "shots.jsonl").write_text(events(*good))
    (agent,) = check(source, root=str(tmp_path)).agents
    assert system_text(agent.writer).startswith('Be brief.\n\nTwo seats?\nThought: hm\nAction: find {"name": "A"}\n')


def test_compiling_tells_the_place_in_the_file(tmp_path):
    (tmp_path / "shots.txt").write_text(GOOD.replace('"seats": 2', '"seats": 7'))
    source = Source("desk.agentspec", SPEC.replace("PROMPT", 'prompt shots from "shots.txt"'))
    done = compile_checked(check(source, root=str(tmp_path)), tmp_path / "build")
    (wrong,) = [d for d in done.diagnostics if d.code.startswith("AS146")]
    assert wrong.code == "AS1462" and "few" in wrong.message and wrong.span.text.startswith("Action: book")
    assert not done.bundles


def test_examples_in_the_spec_are_marked_there():
    text = 'prompt """\n    Try.\n    Thought: hm;\n    Thought: hm;\n  """'
    source = Source("desk.agentspec", SPEC.replace("PROMPT", text))
    (agent,) = check(source).agents
    wrong = {d.code: d for d in check_prompts(agent)}
    assert source.position(wrong["AS1462"].span.start) == (11, 5)
