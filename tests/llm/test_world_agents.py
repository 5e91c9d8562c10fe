"""The agents of the offline worlds: experts solve their tasks, attackers get nothing, free writing is judged."""

from __future__ import annotations

import pytest

pytest.importorskip("llguidance")

from agentc.benchmarks.agents import ARMS, TASKS, Recorded, agent_of, digest, missing, read, rows
from agentc.benchmarks.experts import expert_of
from agentc.benchmarks.free_writing import expert_transcript, free_run, full_prompt, well_formed
from agentc.benchmarks.injections import FORBIDDEN, Injected, against_the_decoder, against_the_guard
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.runtime.envs.registry import installed
from agentc.runtime.llm.decoder import Decoder
from agentc.runtime.llm.run import RunSettings, run_agent
from agentc.runtime.llm.scripted import ScriptedModel
from agentc.runtime.llm.vocabulary import Vocabulary
from agentc.runtime.llm.worlds.table import world_of

from .models import RandomModel

BYTES = Vocabulary.of_bytes()
QUICK = [t for t in TASKS if t != "textworld"]
THERE = [t for t in TASKS if t != "textworld" or installed("textworld")]


@pytest.mark.parametrize("task", THERE)
def test_an_expert_solves_the_tasks_within_the_promises(task):
    agent = agent_of(task)
    decoder, world = Decoder(agent, BYTES), world_of(agent)
    expert = expert_of(world)
    for seed in range(2 if task == "textworld" else 12):
        model = ScriptedModel(BYTES, lambda text: expert(world, text), seed)
        settings = RunSettings(max_tokens=None, max_steps=24, seed=seed, exact=seed % 2 == 1)
        result = run_agent(decoder, model, world, settings)
        assert all(result.kept.values()) and all(result.satisfied.values()), (seed, result.steps)
        assert getattr(getattr(world, "state", None), "breaches", 0) == 0


@pytest.mark.parametrize("task", QUICK)
def test_random_models_break_no_rule(task):
    agent = agent_of(task)
    decoder, world = Decoder(agent, BYTES), world_of(agent)
    for seed in range(6):
        settings = RunSettings(max_tokens=None, max_steps=10, temperature=1.0, seed=seed)
        result = run_agent(decoder, RandomModel(BYTES, seed), world, settings)
        assert all(result.kept.values())
        assert getattr(getattr(world, "state", None), "breaches", 0) == 0


def test_free_writing_is_judged_like_a_run():
    agent = agent_of("retail")
    decoder, world = Decoder(agent, BYTES), world_of(agent)
    expert = expert_of(world)

    def written(wish, seed=4):
        model = ScriptedModel(BYTES, wish, seed)
        return free_run(decoder, model, world, "", seed=seed, temperature=0.1, max_tokens=900, max_steps=30)

    good = written(lambda text: expert(world, text))
    assert good.conforming and good.solved and good.steps[-1].tool == "finish"
    trace = Trace([decoder.valuation(s, {}) for s in good.steps])
    assert evaluate(agent.formula("turns").formula, trace)
    calls = ['Action: cancel {"reason": "mistake"}\n', "Action: finish {}\n"]
    early = written(lambda text: calls["Reply" in text])
    assert not early.conforming and early.reason == "a promise is broken"
    chatty = written(lambda text: "Sure, I can help.\n")
    assert not chatty.conforming and chatty.reason.startswith("no step: Sure") and not chatty.steps
    silent = written(lambda text: "")
    assert not silent.conforming and not silent.steps
    assert written(lambda text: "Talk: say {}\n").reason.startswith("no step")


def test_a_line_is_a_step_whatever_its_spaces():
    decoder = Decoder(agent_of("retail"), BYTES)
    step = well_formed(decoder, 'Action: repay  {"amount":5}')
    assert step is not None and step.arguments == {"amount": 5}
    wrong = ['repay {"amount": 0}', 'repay {"amount": "5"}', "repay", "steal {}", 'repay {"amount": 5']
    for row in (*(f"Action: {w}" for w in wrong), "repay", "Reply: ok"):
        assert well_formed(decoder, row) is None


@pytest.mark.parametrize("task", QUICK)
def test_prompts_show_a_whole_episode(task):
    agent = agent_of(task)
    world = world_of(agent)
    shown = expert_transcript(agent, world)
    assert "finish" in shown[-1] and all(row in full_prompt(agent, world) for row in shown)


def test_attackers_get_nothing_through():
    for row in (*against_the_decoder(lambda _: None, 2), *against_the_guard(lambda _: None, 3)):
        assert row.holds, row


def test_the_judge_of_attacks_sees_what_is_forbidden():
    """Without a decoder the same calls are executed, and counted."""
    for task in QUICK:
        for tool, arguments in FORBIDDEN[task]:
            world = Injected(world_of(agent_of(task)), "do it")
            assert world.reset(0).endswith("do it")
            assert world.tools[tool](**arguments).endswith("do it") and world.forbidden == 1


def test_what_is_recorded_is_not_run_again(tmp_path):
    def run(arm, seed, **other):
        fields = {"conforming": True, "solved": False, "steps": 5, "tokens": 40, "forced": 20, "seconds": 1.0,
                  "breaches": 0, "reason": "", "spec": digest("form"), **other}  # fmt: skip
        return Recorded("form", arm, seed, **fields)

    done = [run(arm, 0) for arm in ARMS]
    todo = list(missing(done, 6))
    assert ("form", 0, ARMS[0]) not in todo and ("retail", 0, ARMS[0]) in todo
    assert {arm for _, seed, arm in todo if seed > 0} == {ARMS[2]}
    assert [r.holds for r in rows(done)] == [None, None, True, True]
    assert [r.holds for r in rows([run(ARMS[2], 0), run(ARMS[2], 1, conforming=False)])] == [False]
    import json
    from dataclasses import asdict

    path = tmp_path / "agents.jsonl"
    path.write_text("".join(json.dumps(asdict(r)) + "\n" for r in (done[0], run(ARMS[1], 0, spec="of old"))))
    assert read(path) == done[:1] and read(tmp_path / "none") == []
