"""The public names: what the reference page promises is what is there, annotated, documented, and runs."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import agentc

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "api.md"
HEADINGS = re.findall(r"^## `(\w+)`$", PAGE.read_text("utf-8"), re.MULTILINE)


def fences(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_page_lists_the_names():
    assert sorted(HEADINGS) == sorted(agentc.__all__)
    assert len(set(agentc.__all__)) == len(agentc.__all__)
    assert set(agentc.__all__) == set(agentc._HOMES)
    assert set(agentc.__all__) <= set(dir(agentc))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing_like_this"):
        _ = agentc.nothing_like_this


@pytest.mark.parametrize("name", agentc.__all__)
def test_every_name_is_documented_and_annotated(name):
    value = getattr(agentc, name)
    assert inspect.getdoc(value), name
    functions = [value] if inspect.isfunction(value) else []
    if inspect.isclass(value):
        functions = [
            f
            for n, f in inspect.getmembers(value, inspect.isfunction)
            if (not n.startswith("_") or n == "__init__") and f.__module__.startswith("agentc.")
        ]
    for function in functions:
        parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
        for parameter in parameters:
            assert parameter.annotation is not inspect.Parameter.empty, f"{name}.{function.__qualname__}: {parameter}"
        if function.__name__ != "__init__":
            assert inspect.signature(function).return_annotation is not inspect.Signature.empty, function.__qualname__
            assert inspect.getdoc(function), function.__qualname__


def test_importing_costs_nothing():
    program = "import sys, agentc; print([m for m in ('lark', 'numpy', 'torch', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_examples_of_the_page_run(tmp_path):
    coffee, upright = fences("agentspec")
    (tmp_path / "coffee.agentspec").write_text(coffee)
    (tmp_path / "upright.agentspec").write_text(upright)
    program = "\n".join(fences("python"))
    for name in HEADINGS:
        assert f"agentc.{name}" in program, f"no example uses {name}"
    # one process of its own: the examples register a backend
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    named = re.findall(r"^\| `([\w.]+\.(?:json|html))`", PAGE.read_text("utf-8"), re.MULTILINE)
    written = {p.name for p in (tmp_path / "build" / "Coffee.agent").iterdir()}
    assert named and set(named) <= written
    assert json.loads((tmp_path / "build" / "Coffee.agent" / "manifest.json").read_text())["agent"] == "Coffee"


def test_the_page_says_what_stands_in_info():
    coffee = agentc.check(agentc_source()).agents[0]
    env = agentc.SpecEnv.make(coffee)
    said = set(env.reset(seed=0)[1]["agentc"])
    env.action_space.seed(0)
    for _ in range(250):
        _, _, terminated, truncated, info = env.step(env.action_space.sample())
        said |= set(info["agentc"])
        if terminated or truncated:
            break
    table = PAGE.read_text("utf-8").split('### What stands in `info["agentc"]`')[1].split("## ")[0]
    listed = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert listed == said | {"machine"}


def agentc_source():
    from agentc.lang.source import Source

    return Source("coffee.agentspec", fences("agentspec")[0])
