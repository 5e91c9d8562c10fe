"""`agentc play` and `agentc check --realizable`."""

import io
import json
import random
from pathlib import Path

import pytest
from language.page import read
from language.run import run_page

from agentc.compiler.backends.game import GameBackend
from agentc.compiler.pipeline import check
from agentc.compiler.play import Play
from agentc.compiler.realizability import realizability
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source
from agentc.runtime.cli.application import invoke

ROOT = Path(__file__).resolve().parents[2]
SPEC = """agent Lift {{
  signal action : enum {{stay, up}}
  signal called : bool
  signal floor : int in [0, 3]
  {}
}}
"""
REALIZABLE = (
    "safe serve = G (called -> WX action == up)",
    "task t = F[2, 4] action == up\n  safe s = G (floor > 1 -> WX action == stay)\n  assume G (floor < 2)",
    "safe low = G (X[2] floor > 1 | !(action == up))",
)
UNREALIZABLE = (
    "safe serve = G (called -> action == up)",
    "task t = F floor == 3",
    "safe a = G (called -> WX action == up)\n  safe b = G (called -> WX action == stay)",
)


def agent(items):
    result = check(Source("s", SPEC.format(items)))
    assert result.ok, result.diagnostics
    return result.agents[0]


@pytest.mark.parametrize("items", [*REALIZABLE, *UNREALIZABLE])
def test_whoever_has_the_strategy_wins_every_play(items):
    rng = random.Random(51)
    found = realizability(agent(items))
    assert found.answer is (items in REALIZABLE)
    for _ in range(8):
        play = Play(found.agent, found.solution)
        size = play.dfa.size
        good = []
        for _ in range(3 * size + 6):
            play.offer()
            theirs = {"called": rng.random() < 0.5, "floor": rng.randrange(4)}
            mine = {"action": rng.choice(("stay", "up"))}
            move = mine if play.you_are_agent else theirs
            play.move({n: v for n, v in move.items() if n in play.declared})
            objective = [f for f in found.agent.formulas if f.role != "assume"]
            assumed = [word == "holds" for name, word in play.verdicts() if name not in {f.name for f in objective}]
            good.append(
                not all(assumed)
                or all(w in ("holds", "not violated") for n, w in play.verdicts() if n in {f.name for f in objective})
            )
            assert good[-1] == play.dfa.accepting[play.state]
        if found.answer:
            assert all(good[2 * size + 4 :])
        else:
            assert not all(good[2 * size + 4 :])


def test_moves_that_cannot_be_made():
    play = Play((a := agent(REALIZABLE[0])), realizability(a).solution)
    for move in ({"action": "up"}, {"elsewhere": True}):
        with pytest.raises(AgentcError, match="AS1634"):
            play.move(move)
    play.move({"called": True})
    assert play.offer() == "action == up"


def test_the_file_of_a_game():
    (artifact,) = GameBackend().emit(agent(REALIZABLE[0])).artifacts
    data = json.loads(artifact.text)
    assert artifact.path == "games/Lift.json" and data["realizable"] and not data["answers"]
    assert set(map(int, data["strategy"])) >= set(data["first"])
    data = json.loads(GameBackend().emit(agent(UNREALIZABLE[0])).artifacts[0].text)
    assert not data["realizable"] and str(data["opening"]) in data["answers"] and not data["strategy"]
    assert GameBackend().emit(agent(UNREALIZABLE[1])).artifacts == ()


def test_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.agentspec").write_text(SPEC.format(REALIZABLE[0]))
    assert invoke(["check", "--realizable"]) == 0
    assert invoke(["play", "--moves", "called; wrong"]) == 1
    assert "AS0203" in capsys.readouterr().err
    assert invoke(["play", "--agent", "Lif"]) == 1
    assert "did you mean `Lift`" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO("called\nbroken\n-\n"))
    assert invoke(["play"]) == 0
    out = capsys.readouterr()
    assert "step 1  agent: action == up" in out.out and "AS0203" in out.err and "serve: not violated" in out.out
    Path("a.agentspec").write_text(SPEC.format("task t = F[1, 3] action == up"))
    assert invoke(["play", "--ends", "agent", "--moves", "-;-;-;-;-;-"]) == 0
    assert "the agent ends the trace after step 1" in capsys.readouterr().out


def test_the_guide_is_true(tmp_path):
    problems = run_page(read(ROOT / "docs" / "guide" / "realizability.md"), tmp_path)
    assert not problems, "\n".join(problems)
