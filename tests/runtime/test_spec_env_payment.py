"""Payment by episodes written out, through ``SpecEnv``: what LANGUAGE says under that word, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scripted import Scripted, agent, letters, read

from agentc.runtime.spec_env import SpecEnv
from agentc.runtime.spec_vector import SpecVectorEnv

SIGNALS = "signal p, q, r : bool\n"


@dataclass
class Played:
    rewards: list[float]
    shaping: list[float]
    terminated: bool
    truncated: bool
    said: list[dict[str, Any]]


def play(body: str, *steps: str, ending: str = "none", horizon: int | None = None, pays: float = 0.0) -> Played:
    """One episode, until it ends or the script is over; the vectorised environment must say the same."""
    compiled = agent(SIGNALS + body)
    script = letters(*steps)
    env = SpecEnv(Scripted([script], ending, pays), compiled, signals=read, horizon=horizon)
    vector = SpecVectorEnv(compiled, 2, make=lambda: Scripted([script], ending, pays), signals=read, horizon=horizon)
    _, info = env.reset(seed=0)
    vector.reset(0)
    played = Played([], [], False, False, [info["agentc"]])
    for _ in steps[1:]:
        observation, reward, played.terminated, played.truncated, info = env.step(0)
        batch = vector.step(np.zeros(2, np.int64))
        assert batch.reward.tolist() == [np.float32(reward)] * 2
        assert batch.terminated.tolist() == [played.terminated] * 2
        assert batch.truncated.tolist() == [played.truncated] * 2
        for key, value in observation.items():
            assert np.array_equal(batch.final_observation[key][1], value)
        said = info["agentc"]
        played.said.append(said)
        played.shaping.append(said["reward"]["shaping"])
        played.rewards.append(reward - said["reward"]["shaping"])
        sources = {k: v for k, v in said["reward"].items() if k not in ("shaping", "environment")}
        if "reward" in body:
            assert sum(sources.values()) == pytest.approx(played.rewards[-1])
        if played.terminated or played.truncated:
            assert said["episode"] == {
                "return": pytest.approx(sum(played.rewards)),
                "length": len(played.rewards),
                "terminated": played.terminated,
            }
            for name, satisfied in said["satisfied"].items():
                assert batch.info[f"satisfied/{name}"].tolist() == [satisfied] * 2
            break
        assert "episode" not in said
    return played


REACH = "task reach = F p\nreward { reach : +1.0 }"


def test_a_task_is_paid_when_it_is_finally_true_and_ends() -> None:
    played = play(REACH, "", "", "p", "")
    assert played.rewards == [0, 1] and played.terminated
    assert played.said[1]["verdicts"] == {"reach": "presumably false"}
    assert played.said[2]["verdicts"] == {"reach": "true"}


def test_a_task_is_paid_once() -> None:
    assert play(REACH.replace("+1.0", "+1.0 continues"), "", "p", "p", "", "p").rewards == [1, 0, 0, 0]


def test_final_at_step_0_is_paid_on_the_first_step() -> None:
    played = play(REACH, "p", "", "")
    assert played.rewards == [1] and played.terminated
    assert played.said[0]["verdicts"] == {"reach": "true"} and "reward" not in played.said[0]


def test_a_final_failure_ends_the_episode_unpaid() -> None:
    played = play("task keep = (!q) U p\nreward { keep : +1.0 }", "", "q", "p")
    assert played.rewards == [0] and played.terminated
    assert played.said[-1]["verdicts"] == {"keep": "false"}


def test_several_tasks_end_when_all_are_final() -> None:
    body = "task a = F p\ntask b = F q\nreward { a : +1.0; b : +2.0 }"
    played = play(body, "", "p", "", "q", "")
    assert played.rewards == [1, 0, 2] and played.terminated


def test_a_paid_behavior_is_not_among_the_tasks_that_end_it() -> None:
    body = "task a = F p\nbehavior b = G !q\nreward { a : +1.0; b : +2.0 }"
    played = play(body, "", "", "p", "", horizon=100)
    assert played.rewards == [0, 3] and played.terminated  # the behavior is true at the end
    alone = play("behavior b = G !q\nreward { b : +2.0 }", "", "q", "", horizon=100)
    assert alone.rewards == [0, 0] and not alone.terminated
    told = play("behavior b = G !q\nreward { b : +2.0 ends }", "", "q", "", horizon=100)
    assert told.rewards == [0] and told.terminated


def test_ends_overrides() -> None:
    body = "task a = F p\ntask b = F q\nreward { a : +1.0 ends; b : +2.0 }"
    played = play(body, "", "p", "", "q", "")
    assert played.rewards == [1] and played.terminated


def test_a_violation_is_paid_and_ends() -> None:
    played = play("safe dry = G !q\nreward { dry : -1.0 }", "", "p", "q", "")
    assert played.rewards == [0, -1] and played.terminated
    assert played.said[-1]["violated"] == {"dry": True}


def test_a_violation_with_continues_is_paid_once() -> None:
    played = play("safe dry = G !q\nreward { dry : -1.0 continues }", "", "q", "q", "")
    assert played.rewards == [-1, 0, 0] and not played.terminated


def test_a_violation_at_step_0_is_paid_on_the_first_step() -> None:
    played = play("safe dry = G !q\nreward { dry : -1.0 }", "q", "", "")
    assert played.rewards == [-1] and played.terminated


def test_an_unpaid_safe_ends_too() -> None:
    played = play(f"{REACH}\nsafe dry = G !q", "", "q", "p")
    assert played.rewards == [0] and played.terminated


def test_an_obligation_that_is_open_at_the_end_violates_no_safe() -> None:
    played = play("safe reply = G (p -> X q)\nreward { reply : -1.0 }", "", "p", ending="terminated")
    assert played.rewards == [0] and played.said[-1]["violated"] == {"reply": False}


ALWAYS = "task stay = G p\nreward { stay : +1.0 }"


def test_termination_is_an_end() -> None:
    played = play(ALWAYS, "p", "p", "p", ending="terminated", horizon=100)
    assert played.rewards == [0, 1] and played.terminated and not played.truncated
    assert played.said[-1]["satisfied"] == {"stay": True}


def test_other_truncation_pays_nothing() -> None:
    played = play(ALWAYS, "p", "p", "p", ending="truncated", horizon=100)
    assert played.rewards == [0, 0] and played.truncated and not played.terminated


def test_a_time_limit_is_an_end_where_a_task_can_be_true_there() -> None:
    played = play(ALWAYS, "p", "p", "p", "p", "p", horizon=3)
    assert played.rewards == [0, 0, 1] and played.terminated and not played.truncated
    compiled = agent(SIGNALS + ALWAYS)
    env = SpecEnv(Scripted([letters("p", "p", "p", "p", "p")], "none"), compiled, signals=read, horizon=4)
    left = [env.reset(seed=0)[0]["time_left"]] + [env.step(0)[0]["time_left"] for _ in range(4)]
    assert np.concatenate(left).tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]


def test_a_time_limit_is_no_end_otherwise() -> None:
    played = play(REACH, "", "", "", "p", horizon=2)
    assert played.rewards == [0, 0] and played.truncated and not played.terminated
    compiled = agent(SIGNALS + REACH)
    env = SpecEnv(Scripted([letters("", "")], "none"), compiled, signals=read, horizon=4)
    assert "time_left" not in env.observation_space.spaces


def test_what_is_finally_true_on_the_last_step_is_paid_at_a_time_limit() -> None:
    played = play(REACH, "", "", "p", horizon=2)
    assert played.rewards == [0, 1] and played.terminated


def test_step_costs_and_propositions() -> None:
    body = "prop wet = q\ntask reach = F p\nreward { reach : +1.0; wet : -0.5; step : -0.1 }"
    played = play(body, "q", "q", "", "pq")
    assert played.rewards == pytest.approx([-0.6, -0.1, 0.4])
    assert played.said[1]["reward"]["wet"] == -0.5 and played.said[1]["reward"]["step"] == -0.1
    assert played.said[0]["labels"] == {"wet": True}


def test_without_a_reward_the_environment_s_own_is_paid() -> None:
    played = play("task reach = F p", "", "", "p", "", pays=0.25)
    assert played.rewards == [0.25, 0.25] and played.terminated
    with_reward = play(REACH, "", "", "p", pays=0.25)
    assert with_reward.rewards == [0, 1]
    assert with_reward.said[-1]["reward"]["environment"] == 0.25


def test_machine() -> None:
    body = """
    reward { machine {
      state start { on p -> half : 0.5 }
      state half  { on q -> done : 1.0; on r -> start }
      state done accepting
    } }"""
    played = play(body, "", "p", "r", "p", "pq", "")
    assert played.rewards == [0.5, 0, 0.5, 1] and played.terminated
    assert [said["machine"] for said in played.said] == ["start", "half", "start", "half", "done"]


# ---------------------------------------------------------------- shaping

SHAPED = "task ab = F (p & X F q)\nreward { ab : +1.0; discount = 0.9; shape ab }"


def phi(compiled, states) -> float:
    return compiled.reward_machine.potential(states, 0)


@pytest.mark.parametrize(
    ("steps", "ending", "over"),
    [
        (("", "p", "", "q"), "none", True),
        (("", "p", "", ""), "truncated", False),
        (("", "p", "", ""), "terminated", True),
        (("p", "", "", ""), "truncated", False),
    ],
)
def test_shaping_is_a_difference_of_potentials(steps: tuple[str, ...], ending: str, over: bool) -> None:
    compiled = agent(SIGNALS + SHAPED)
    machine = compiled.reward_machine
    env = SpecEnv(Scripted([letters(*steps)], ending), compiled, signals=read, horizon=50)
    env.reset(seed=0)
    before = phi(compiled, env._state.states)
    first, total, factor = before, 0.0, 1.0
    for _ in steps[1:]:
        _, reward, terminated, truncated, info = env.step(0)
        after = phi(compiled, env._state.states)
        kept = 0.0 if terminated else after
        shaping = info["agentc"]["reward"]["shaping"]
        assert shaping == pytest.approx(0.9 * kept - before)
        assert reward == pytest.approx(shaping + info["agentc"]["reward"]["ab"])
        total += factor * shaping
        factor *= 0.9
        before = after
    assert terminated is over and truncated is (not over)
    # telescoped: what the shaping adds to a return depends on the first state and, where bootstrapped, on the last
    assert total == pytest.approx(factor * (0.0 if over else after) - first)
    assert first > 0 and any(abs(v) > 0 for s in machine.shapings for row in s.potentials for v in row)


def test_unshaped() -> None:
    compiled = agent(SIGNALS + SHAPED)
    env = SpecEnv(Scripted([letters("", "p", "q")], "none"), compiled, signals=read, shaping=False)
    env.reset(seed=0)
    assert [env.step(0)[1], env.step(0)[1]] == [0.0, 1.0]
