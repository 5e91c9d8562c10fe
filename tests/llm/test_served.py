"""Agents whose model is behind a server: grammars by request, checked replies, budgets, and servers that fail."""

import json
import socket

import pytest

from agentc.compiler.pipeline import check, read
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source

pytest.importorskip("llguidance")

from agentc.runtime.llm.decoder import Decoder
from agentc.runtime.llm.run import RunSettings, run_agent
from agentc.runtime.llm.served import ServedModel, served_model
from agentc.runtime.llm.served_writer import TRIES
from agentc.runtime.llm.transcript import read_transcript
from agentc.runtime.llm.vocabulary import Vocabulary
from agentc.runtime.llm.world import Silent
from agentc.runtime.llm.worlds.corpus_qa import CorpusQA

from .stub_server import OWNERS, Stub, serving

BYTES = Vocabulary.of_bytes()
CLERK = """agent Clerk {
  model "m"
  tool note(text : text[1..12])
  tool pay(order : int in [1, 20], amount : real in [0, 100])
  phase thought = text until "\\n" max 12 tokens
  phase action = call(note | pay)
  phase reply = result(action)
  behavior small = G (pay -> pay.amount <= 50)
  behavior noted = G (pay -> O note) & F pay & G (pay -> X (reply & last)) & G (thought -> X action)
}"""


@pytest.fixture(scope="module")
def researcher():
    (agent,) = check(read("specs/researcher.agentspec")).agents
    return Decoder(agent, BYTES)


@pytest.fixture(scope="module")
def clerk():
    (agent,) = check(Source("clerk.agentspec", CLERK)).agents
    return Decoder(agent, BYTES)


def desk():
    return Silent("order 7, please", {"note": lambda text: "noted", "pay": lambda order, amount: "paid"})


@pytest.mark.parametrize("kind", ["vllm", "vllm-0.11", "sglang", "llama.cpp"])
def test_a_server_that_takes_grammars_keeps_every_promise(researcher, clerk, kind, tmp_path):
    for seed in range(2):
        stub = Stub(kind, seed)
        with serving(stub) as url:
            model = served_model(url, None if kind in OWNERS else kind)
            assert (model.name, model.kind) == ("random", kind)
            path = tmp_path / f"{seed}.jsonl"
            settings = RunSettings(max_tokens=400, max_steps=12, seed=seed)
            for decoder, world in ((researcher, CorpusQA()), (clerk, desk())):
                result = run_agent(decoder, model, world, settings, transcript=path)
                assert all(result.kept.values()) and result.promise == "by construction", list(read_transcript(path))
                assert result.tokens <= 400 and result.passes <= 12 * 3
                for step in result.steps:
                    assert step.phase != "thought" or len(step.text) <= 12 * 9  # the longest token has nine bytes
        begun = [b for b in stub.bodies if b["messages"][-1]["role"] == "assistant"]
        assert len(begun) > len(stub.bodies) / 2
        assert all(b.get("continue_final_message", False) == (kind != "llama.cpp") for b in begun)
        events = list(read_transcript(path))
        assert events[0]["promise"] == events[-1]["promise"] == "by construction"
        assert "cut" not in [e["event"] for e in events]


def test_a_run_ends_in_time_whatever_the_limit(clerk):
    least = 0
    for limit in (60, 90, 120, 200):
        stub = Stub("sglang", limit, usage=limit != 90)
        with serving(stub) as url:
            try:
                result = run_agent(clerk, served_model(url), desk(), RunSettings(max_tokens=limit))
            except AgentcError as error:
                assert error.diagnostics[0].code == "AS1407" and not stub.bodies
                least = limit
                continue
            assert all(result.kept.values()) and result.tokens <= limit
    assert least < 120


def scripted(*texts):
    return lambda body, n: texts[min(n, len(texts)) - 1]


def test_a_server_that_cannot_be_constrained_is_checked(clerk, tmp_path):
    stub = Stub("none", reply=scripted(
        'Action: pay {"order": 7, "amount": 90}\n',  # nothing was noted
        'Sure! Action: note {"text": "hi"}', 'Action: note {"text": "order 7"}\nReply: noted\nAction: pay {',
        "Thought: now pay\n",
        'Action: pay {"order": 7, "amount": 90}\n',  # too much: kept up to the 9
        '.5}\nReply: paid\nThought: done',
    ))  # fmt: skip
    with serving(stub) as url:
        path = tmp_path / "run.jsonl"
        result = run_agent(clerk, served_model(url), desk(), RunSettings(), transcript=path)
    written = [(s.phase, s.text) for s in result.steps]
    assert written == [
        ("action", 'note {"text": "order 7"}'), ("reply", "noted"), ("thought", "now pay"),
        ("action", 'pay {"order": 7, "amount": 9.5}'), ("reply", "paid"),
    ]  # fmt: skip
    assert all(result.kept.values()) and result.promise == "checked"
    events = list(read_transcript(path))
    assert [e["event"] for e in events].count("cut") == 3 and events[-1]["promise"] == "checked"
    assert "grammar" not in stub.bodies[0] and "note {" in stub.bodies[0]["messages"][-1]["content"]
    assert stub.bodies[-1]["messages"][-2]["content"].endswith('Action: pay {"order": 7, "amount": 9')


def test_a_server_that_ignores_its_grammar_is_found_out(clerk, tmp_path):
    stub = Stub("vllm", reply=scripted('a"}\nmore', "nonsense", '7, "amount": 5}\n'))
    with serving(stub) as url:
        result = run_agent(clerk, served_model(url), desk(), RunSettings(max_steps=4), transcript=tmp_path / "r.jsonl")
    assert all(result.kept.values()) and result.promise == "checked"


def test_a_server_that_never_complies_calls_nothing(clerk, tmp_path):
    called = []
    world = Silent("go", {"note": lambda text: called.append(text), "pay": lambda order, amount: called.append(order)})
    stub = Stub("none", reply=scripted('Action: pay {"order": 1, "amount": 99}\n'))
    with serving(stub) as url, pytest.raises(AgentcError) as caught:
        run_agent(clerk, served_model(url), world, RunSettings(), transcript=tmp_path / "run.jsonl")
    assert caught.value.diagnostics[0].code == "AS1477" and not called
    assert len(stub.bodies) == TRIES + 1
    last = list(read_transcript(tmp_path / "run.jsonl"))[-1]
    assert last["event"] == "error" and last["codes"] == ["AS1477"]


def sse(*events):
    return b"".join(b"data: " + (e if isinstance(e, bytes) else json.dumps(e).encode()) + b"\n\n" for e in events)


@pytest.mark.parametrize(("code", "options"), [
    ("AS1472", {"status": [400]}), ("AS1472", {"status": [500, 500, 500]}),
    ("AS1472", {"status": [200, 500, 503, 429]}),
    ("AS1473", {"reply": lambda body, n: b"data: {no json\n\n"}), ("AS1473", {"reply": lambda body, n: b"<html>\n"}),
    ("AS1473", {"reply": lambda body, n: sse([1])}), ("AS1473", {"reply": lambda body, n: sse({"choices": [7]})}),
    ("AS1473", {"reply": lambda body, n: sse({"choices": [{"delta": {"content": 7}}]})}),
    ("AS1473", {"reply": lambda body, n: b""}), ("AS1472", {"reply": lambda body, n: sse({"error": {"message": "x"}})}),
    ("AS1471", {"reply": lambda body, n: 1.5}),
])  # fmt: skip
def test_servers_that_fail_are_typed_and_the_transcript_is_kept(clerk, code, options, tmp_path):
    given = options.get("reply")
    first = scripted("Thought: a\n")
    stub = Stub("none", reply=None if given is None else lambda body, n: first(body, n) if n == 1 else given(body, n))
    stub.status = options.get("status", [])
    if given is None:
        stub.reply = first
    with serving(stub) as url:
        # only the server that hangs is waited for briefly: a busy machine may take its time over the others
        model = ServedModel("random", url, "none", timeout=0.4 if code == "AS1471" else 60.0, pause=0.01)
        with pytest.raises(AgentcError) as caught:
            run_agent(clerk, model, desk(), RunSettings(), transcript=tmp_path / "run.jsonl")
    assert caught.value.diagnostics[0].code == code, caught.value.diagnostics[0].message
    assert list(read_transcript(tmp_path / "run.jsonl"))[-1]["codes"] == [code]


def test_an_overloaded_server_is_asked_again(clerk):
    stub = Stub("vllm", status=[503, 429, 200])
    with serving(stub) as url:
        model = ServedModel("random", url, "vllm", pause=0.01)
        assert all(run_agent(clerk, model, desk(), RunSettings(max_tokens=200)).kept.values())


def test_a_server_that_is_not_there_and_models_that_it_lacks():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(AgentcError) as caught:
        served_model(address)
    assert caught.value.diagnostics[0].code == "AS1470"
    with serving(Stub(models=("a", "b"))) as url:
        assert served_model(f"{url}#b").name == "b"
        for wrong in (url, f"{url}#c"):
            with pytest.raises(AgentcError) as caught:
                served_model(wrong)
            assert caught.value.diagnostics[0].code == "AS1474"


def test_exact_choices_are_refused(clerk):
    model = ServedModel("m", "http://127.0.0.1:9/v1", "vllm")
    with pytest.raises(AgentcError) as caught:
        run_agent(clerk, model, desk(), RunSettings(exact=True))
    assert caught.value.diagnostics[0].code == "AS1476"


def test_the_command_says_how_the_promise_is_kept(tmp_path, monkeypatch, capsys):
    from agentc.runtime.cli.application import invoke

    text = """agent Clerk {
      model "m"
      phase word = choice("yes", "no")
      behavior sure = word & word.text == "no" & X (word & last & word.text == "yes")
    }"""
    (tmp_path / "clerk.agentspec").write_text(text)
    monkeypatch.chdir(tmp_path)
    for kind, promise in (("llama.cpp", "by construction"), ("none", "checked")):
        stub = Stub(kind, reply=None if kind != "none" else scripted("Word: no\n", "Word: yes\n"))
        with serving(stub) as url:
            assert invoke(["run", "clerk.agentspec", "--model", url, "--message", "go"]) == 0
            assert f"promises: {promise}" in capsys.readouterr().out
