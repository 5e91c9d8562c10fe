"""The pipeline: from files to agents, with the codes that the compiler adds; the shipped specs; single formulas."""

import subprocess
import sys
from pathlib import Path

import pytest

import agentc.specs
import agentc.stdlib
from agentc.compiler.logic.ir import and_, compare, const, formula, prop, signal
from agentc.compiler.pipeline import CheckResult, check, compile_formula, read
from agentc.lang.diagnostics import AgentcError, Severity
from agentc.lang.source import Source

SPECS = sorted(Path(next(iter(agentc.specs.__path__))).glob("*.agentspec"))
LIBRARY = sorted(Path(next(iter(agentc.stdlib.__path__))).rglob("*.agentspec"))

LAMP = """
environment lamp(max_steps : int = 9) { engine lamp(max_steps = max_steps); signal lit : bool; signal x, y : real }
"""


def checked(body: str, **settings: object) -> CheckResult:
    return check(Source("spec.agentspec", LAMP + "agent A {\n env lamp()\n" + body + "\n}\n"), **settings)  # type: ignore[arg-type]


def codes(result: CheckResult) -> list[str]:
    return [d.code for d in result.diagnostics]


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.name)
def test_the_shipped_specs_are_right(path: Path) -> None:
    result = check(read(str(path)), root=str(path.parent))
    assert [d for d in result.diagnostics if d.severity is not Severity.NOTE] == []
    assert len(result.agents) >= 1


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: p.name)
def test_the_standard_library_is_right(path: Path) -> None:
    assert check(read(str(path))).diagnostics == ()


def test_what_waits_for_a_backend_is_said() -> None:
    by_name = {p.stem: codes(check(read(str(p)), root=str(p.parent))) for p in SPECS}
    assert by_name["doorkey"] == []
    assert by_name["courier"] == []
    assert by_name["researcher"] == ["AS0711"]


CONFIGURATION = [
    ("task f = F lit; reward { f : 1 }; train ppoo { steps = 5 }", ["AS0610"]),
    ("task f = F lit; reward { f : 1 }; train ppo { stepps = 5 }", ["AS0611"]),
    ("task f = F lit; reward { f : 1 }; train ppo { gamma = 0.9 }", ["AS0612"]),
    ("task f = F lit; reward { f : 1 }; train ppo { steps = lit }", ["AS0613"]),
    ("task f = F lit; reward { f : 1 }; train ppo { steps = 0 }", ["AS0614"]),
    ("task f = F lit; reward { f : 1 }; train ppo { checkpoint = 2min }", []),
    ("task f = F lit; reward { f : 1 }; train ppo { checkpoint = 2 }", ["AS0613"]),
    ("task f = F lit; train ppo { steps = 5 }", ["AS0513"]),
    ("task f = F lit; train grpo { group = 5 }", ["AS0711"]),
    ("safe g = G lit; verify g by reech", ["AS0620"]),
    ("safe g = G lit; verify g by reach { spilt = 4 }", ["AS0611"]),
    ("safe g = G lit; verify g by reach { horizon = 12s }", []),
    ("safe g = G lit; verify g by bmc { bound = -1 }", ["AS0614"]),
    ("task f = F lit; reward { robustness(f) : 1 }", ["AS0507"]),
    ("task f = F x > 3; reward { robustness(f) : 1 }", []),
    ("task f = F[2, 5] x > 3; reward { robustness(f) : 1 }", ["AS0507"]),
    ("task f = F[2, 5] x > 3; reward { robustness(f, clip = 2) : 1 }", []),
]


@pytest.mark.parametrize(("body", "expected"), CONFIGURATION, ids=[b for b, _ in CONFIGURATION])
def test_configuration(body: str, expected: list[str]) -> None:
    assert sorted(codes(checked(body))) == sorted(expected)


# ---------------------------------------------------------------- parameters

PARAM = "param most : int in [0, 9] = 3; param far : real [m] = 2m; task f = F (x > most)"


def test_parameters_come_from_outside() -> None:
    assert str(checked(PARAM).agents[0].formula("f").formula) == "F (x > 3)"
    result = checked(PARAM, parameters={"most": "4"})
    assert str(result.agents[0].formula("f").formula) == "F (x > 4)"
    assert dict(result.agents[0].parameters) == {"far": 2.0, "most": 4}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"mst": "4"}, "AS0606"), ({"most": "twelve"}, "AS0607"), ({"most": "12"}, "AS0607"),
        ({"most": "2.5"}, "AS0607"),
        ({"most": ")"}, "AS0607"), ({"far": "3s"}, "AS0607"), ({"most": ""}, "AS0607"),
    ],
)  # fmt: skip
def test_bad_parameters(given: dict[str, str], expected: str) -> None:
    result = checked(PARAM, parameters=given)
    assert codes(result) == [expected]
    assert not result.ok
    assert result.diagnostics[0].message.count("cannot be") <= 1


# ---------------------------------------------------------------- files


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad.agentspec").write_bytes(b"agent A {\n \xff }")
    for name in ("none.agentspec", ".", "bad.agentspec"):
        with pytest.raises(AgentcError) as caught:
            read(str(tmp_path / name))
        assert caught.value.diagnostics[0].code.startswith("AS014")


def test_files_with_errors_give_no_agents_and_do_not_spoil_the_others() -> None:
    good = Source("good.agentspec", "agent Good { signal a : bool; task f = F a }")
    bad = Source("bad.agentspec", "agent Bad { signal a : bool; task f = F b }\nagent Broken { task f = = }")
    result = check([good, bad])
    assert [a.name for a in result.agents] == ["Good"]
    assert len(result.modules) == len(result.specs) == len(result.sources) == 2
    assert {d.span.source.name for d in result.diagnostics if d.span} == {"bad.agentspec"}


def test_one_name_for_one_agent() -> None:
    text = "agent A { signal a : bool; task f = F a }"
    assert codes(check([Source("one.agentspec", text), Source("two.agentspec", text)])) == ["AS0201"]
    assert codes(check(Source("one.agentspec", text + "\n" + text))) == ["AS0201"]


def test_findings_come_in_the_order_of_the_text() -> None:
    result = checked("task f = F litt\n task g = F x > 3s\n reward { h : 1 }\n train ppo { stepps = 5 }")
    spans = [d.span.start for d in result.diagnostics if d.span]
    assert spans == sorted(spans) and len(spans) == 4


# ---------------------------------------------------------------- formulas


def test_compile_formula() -> None:
    a, b = prop("a"), prop("b")
    assert compile_formula("G (a -> F[<= 3] b)") is formula("G", (formula("implies", (a, formula("F", (b,), (0, 3)))),))
    assert compile_formula("a & x > 3") is and_(a, compare(">", signal("x"), const(3)))
    assert str(compile_formula("F prev.x > 1")) == "F (prev.x > 1)"
    with pytest.raises(AgentcError):
        compile_formula("G (a ->")
    with pytest.raises(AgentcError) as caught:
        compile_formula("alwys (a)")
    assert caught.value.diagnostics[0].code == "AS0209"


# ---------------------------------------------------------------- start-up


def test_check_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "numpy", "pydantic", "networkx", "z3", "scipy", "gymnasium")
    program = f"""
import sys
from agentc.compiler.pipeline import check, read
assert check(read({str(SPECS[0])!r})) is not None
print([m for m in {heavy!r} if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
