"""The worlds of language-model agents as Gymnasium environments."""

from __future__ import annotations

import json

import pytest
from gymnasium.utils.env_checker import check_env

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.envs.language import BINDINGS, MAX_CALL, LanguageEnv, shown
from agentc.runtime.envs.registry import installed

THERE = [name for name in BINDINGS if installed(name)]


SMALL = {"textworld": {"rooms": 1, "things": 1, "length": 1}}


def env_of(name: str, **given: object) -> LanguageEnv:
    defaults = {a.name: a.default for a in BINDINGS[name].arguments}
    return BINDINGS[name].make({**defaults, **SMALL.get(name, {}), **given}, "ansi")  # type: ignore[dict-item]


def call(tool: str, **arguments: object) -> str:
    return f"{tool} {json.dumps(arguments)}"


@pytest.mark.parametrize("name", THERE)
def test_the_checker_of_gymnasium_passes(name: str) -> None:
    env = env_of(name)
    check_env(env, skip_render_check=True)
    observation, _ = env.reset(seed=3)
    assert env.render() == observation


@pytest.mark.parametrize("name", THERE)
def test_an_episode_follows_from_its_seed(name: str) -> None:
    first, second = env_of(name), env_of(name)
    said = []
    for env in (first, second):
        texts = [env.reset(seed=5)[0]]
        env.action_space.seed(2)
        for tool in env.world.tools:
            texts.append(env.step(call(tool))[0])
            texts.append(env.step(env.action_space.sample())[0])
        said.append((texts, env.signals()))
    assert said[0] == said[1]
    assert len({first.reset(options={"task": task})[0] for task in range(4)}) > 1


@pytest.mark.parametrize("name", THERE)
def test_a_snapshot_is_gone_back_to_more_than_once(name: str) -> None:
    env = env_of(name)
    env.reset(seed=1)
    calls = [call("look"), call("do", command="drop key"), call("send"), call("say", message="which order?"),
             call("fill", field="name", value="Ada Moss"), call("search", query="tarn"), call("hand_over"),
             call("finish"), call("finish", answer="granite")]  # fmt: skip
    env.step(calls[0])
    kept = env.snapshot()
    before = env.signals()
    played = [[env.step(c) for c in calls], env.signals()]
    for _ in range(2):
        assert env.restore(kept) == kept.observation and env.signals() == before
        assert [[env.step(c) for c in calls], env.signals()] == played


@pytest.mark.parametrize("name", THERE)
def test_whatever_is_written_is_answered(name: str) -> None:
    env = env_of(name, max_steps=12)
    env.reset(seed=0)
    wrong = ["", " ", "no_such_tool", "finish {", "finish [1]", call("finish", nonsense=1), call("say", message=3),
             "finish " + "[" * 300, "do {\"command\": 1}", "x" * MAX_CALL]  # fmt: skip
    for action in wrong:
        observation, reward, terminated, truncated, info = env.step(action)
        assert observation.startswith("error:") and info["outcome"] == "error"
        assert (reward, terminated, truncated) == (0.0, False, False)
    env.step("")
    assert env.step("")[2:4] == (False, True)
    assert shown("naïve\x00") == "na?ve?"


def test_solving_pays_once_and_ends() -> None:
    env = env_of("corpus_qa")
    env.reset(seed=0)
    answer = env.world.question["answer"]  # type: ignore[attr-defined]
    assert env.step(call("search", query="tarn"))[1:3] == (0.0, False)
    _, reward, terminated, truncated, info = env.step(call("finish", answer=answer))
    assert (reward, terminated, truncated, info["solved"]) == (1.0, True, False, True)
    assert env.signals()["correct"] is True
    env.reset(seed=0)
    assert env.step(call("finish", answer="no"))[1:3] == (0.0, True)


def test_a_missing_package_and_a_wrong_argument_are_diagnostics(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentc.runtime.envs.registry import complete_arguments
    from agentc.runtime.llm.worlds import text_adventure
    from agentc.runtime.llm.worlds.table import WORLDS

    with pytest.raises(AgentcError) as wrong:
        complete_arguments("retail", BINDINGS["retail"].arguments, {"split": "trian"})
    assert [d.code for d in wrong.value.diagnostics] == ["AS0905"]
    with pytest.raises(AgentcError) as unknown:
        WORLDS["form"].make({"rooms": 3})
    assert [d.code for d in unknown.value.diagnostics] == ["AS0904"]

    def missing() -> None:
        raise ModuleNotFoundError(name="textworld")

    monkeypatch.setattr(text_adventure, "_package", missing)
    with pytest.raises(AgentcError) as absent:
        WORLDS["textworld"].make({})
    assert [d.code for d in absent.value.diagnostics] == ["AS1490"]


def test_a_spec_without_phases_pays_for_what_happens_in_a_world(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from agentc.runtime.spec_env import SpecEnv, compiled_spec

    path = tmp_path / "page.agentspec"
    path.write_text("""import std.env.form
agent Page {
  env form(split = "test")
  task sent   = F (accepted & solved)
  safe single = G (attempts <= 1)
  reward { sent : 1.0; single : -1.0 }
}
""")
    env = SpecEnv.make(compiled_spec(path))

    def play(*before: str) -> float:
        env.reset(seed=1)
        wanted = env.unwrapped.world.state.wanted  # type: ignore[attr-defined]
        fills = [call("fill", field=name, value=value) for name, value in wanted.items()]
        paid = 0.0
        for action in (*before, *fills, call("send")):
            _, reward, terminated, _, _ = env.step(action)
            paid += float(reward)
            if terminated:
                return paid
        raise AssertionError("it has not ended")

    assert play() == 1.0
    assert play(call("send"), call("send")) == -1.0
