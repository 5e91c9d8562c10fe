"""Recipes: settings under a name; what an agent says itself counts first."""

from agentc.compiler.pipeline import check
from agentc.lang.imports import Library
from agentc.lang.source import Source

AGENT = """
agent Driver {
  env unicycle(horizon = 50, init = { x in [-3, 0]; y in [-1, 1]; theta = 0 })
  region goal = circle(center = (3, 0), radius = 0.5)
  task arrive = F (x, y) in goal
  reward { arrive : 1 }
  train %s
}
"""
UNICYCLE = "import std.systems.unicycle: unicycle\n"


def checked(train, before=""):
    return check(Source("a.agentspec", UNICYCLE + before + AGENT % train))


def codes(result):
    return [d.code for d in result.diagnostics if d.severity.value == "error"]


def test_the_agent_counts_before_the_recipe_and_the_recipe_before_the_default():
    recipe = "const many = 7\nrecipe mine = ppo { epochs = many; rollout = 64 }\n"
    result = checked("mine { rollout = 32 }", recipe)
    assert result.ok
    train = result.agents[0].train
    assert train.algorithm == "ppo"
    assert [train.settings[k] for k in ("epochs", "rollout", "minibatches")] == [7, 32, 8]


def test_what_is_wrong_in_a_recipe_is_said_there():
    result = checked("mine { }", "recipe mine = ppo { epoch = 7 }\n")
    found = [d for d in result.diagnostics if d.code == "AS0611"]
    assert len(found) == 1 and found[0].span.text == "epoch"
    assert codes(checked("ppo", "recipe mine = pp0 { }\n")) == ["AS0610"]
    assert codes(checked("mine", "recipe mine = yours { }\nrecipe yours = ppo { }\n")) == ["AS0610", "AS0610"]
    assert codes(checked("mine", "recipe mine = ppo { rollout = 1; envs = 1 }\n")) == ["AS1536"]
    assert codes(checked("mine { minibatches = 1; envs = 2 }", "recipe mine = ppo { rollout = 1 }\n")) == []
    assert codes(checked("ppo", "recipe mine = ppo { }\nrecipe mine = ppo { }\n")) == ["AS0201"]


def test_every_recipe_of_the_library_checks():
    library = Library()
    names = [(module, name) for module in library._names(f"{library.standard}/recipes")
             for name in library.module_scope(("std", "recipes", module)).names("recipe")]  # fmt: skip
    assert len(names) >= 8
    for module, name in names:
        text = f"import std.recipes.{module}: {name}\n"
        data = {"ppo_beside_demonstrations", "ppo_behind_demonstrations", "rlpd", "weighted_iql", "weighted_td3_bc"}
        given = 'data = "a"' if name in data else 'reset_data = "a"' if name == "snapshots" else ""
        assert codes(checked(f"{name} {{ {given} }}", text)) == [], name
