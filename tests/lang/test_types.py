"""Type expressions, and scopes."""

import math

import pytest

from agentc.lang import ast
from agentc.lang.parser import parse
from agentc.lang.scope import Scope, Symbol
from agentc.lang.source import Source, Span
from agentc.lang.types import BOOL, FORMULA, TEXT, Type
from agentc.lang.units import parse_unit


def written(text):
    module, found = parse(Source("type", f"environment e() {{\n signal s : {text}\n}}"))
    assert not found, found
    return module.items[0].items[0].type


@pytest.mark.parametrize(
    ("text", "expected", "scale"),
    [
        ("bool", BOOL, None),
        ("int", Type("int"), 1),
        ("real", Type("real"), 1),
        ("real [m]", Type("real", unit=parse_unit("m")), 1),
        ("real in [0, 1] [m/s]", Type("real", lo=0, hi=1, unit=parse_unit("m/s")), 1),
        ("real in [0, 90] [deg]", Type("real", lo=0, hi=math.pi / 2, unit=parse_unit("deg")), math.pi / 180),
        ("real in [0, 2] [km]", Type("real", lo=0, hi=2000, unit=parse_unit("m")), 1000),
        ("real in [0m, 2km] [m]", Type("real", lo=0, hi=2000, unit=parse_unit("m")), 1),
        ("int in [0, inf)", Type("int", lo=0), 1),
        ("int in {1, 4, 2}", Type("int", lo=1, hi=4), 1),
        ("enum {a, b}", Type("enum", members=("a", "b")), None),
        ("text", TEXT, None),
        ("text[1..80]", Type("text", size=(1, 80)), None),
        ("vec[3] [m]", Type("vector", unit=parse_unit("m"), size=(3, 3)), 1),
        ("vec[2] in [-1, 1] [m]", Type("vector", lo=-1, hi=1, unit=parse_unit("m"), size=(2, 2)), 1),
    ],
)
def test_accepted(bench, text, expected, scale):
    b = bench()
    found = b.elaborator.type(written(text), b.scope)
    assert not b.found()
    assert found == expected
    if scale is not None:
        assert found.unit.scale == pytest.approx(scale)


@pytest.mark.parametrize(
    ("text", "code", "suggestion"),
    [
        ("float", "AS0309", "real"),
        ("string", "AS0309", "text"),
        ("boll", "AS0309", "bool"),
        ("prop", "AS0309", None),
        ("bool [m]", "AS0310", None),
        ("bool in [0, 1]", "AS0310", None),
        ("text in [0, 1]", "AS0310", None),
        ("real[3]", "AS0310", None),
        ("vec", "AS0310", None),
        ("vec[1..2]", "AS0310", None),
        ("enum {a, b, a}", "AS0320", None),
        ("real in [1, 0]", "AS0314", None),
        ("text[80..1]", "AS0314", None),
        ("real [metre]", "AS0401", None),
        ("real [m/sek]", "AS0401", None),
        ("real in [0s, 1s] [m]", "AS0414", None),
        ("real in [0, x] [m]", "AS0308", None),
        ("real in [0, nothing]", "AS0203", None),
    ],
)
def test_refused(bench, text, code, suggestion):
    b = bench()
    b.elaborator.type(written(text), b.scope)
    assert [c for c, _ in b.found()] == [code]
    if suggestion:
        assert f"`{suggestion}`" in b.elaborator.diagnostics[0].help


def test_an_unknown_unit_is_pointed_at(bench):
    b = bench()
    b.elaborator.type(written("real [m/sek]"), b.scope)
    assert b.elaborator.diagnostics[0].span.text == "sek"


@pytest.mark.parametrize(
    ("of", "shown"),
    [
        (Type("real", unit=parse_unit("km/h")), "real [km/h]"),
        (Type("enum", members=("a", "b")), "enum {a, b}"),
        (Type("vector", size=(2, 2), unit=parse_unit("m")), "vec[2] [m]"),
        (FORMULA, "temporal formula"),
    ],
)
def test_text(of, shown):
    assert str(of) == shown


# ---------------------------------------------------------------- scopes

SPAN = Span(Source("s", "one two"), 0, 3)


def test_inner_names_hide_outer_ones_and_uses_are_counted():
    outer = Scope(step=0.5)
    inner = outer.child(trace="phases")
    assert outer.define(Symbol("a", "const")) is None
    assert inner.define(Symbol("a", "signal")) is None
    assert outer.define(Symbol("b", "const")) is None
    assert inner.lookup("a").kind == "signal" and inner.find("b").kind == "const"
    assert inner.used == {"a"} and outer.used == set()
    assert inner.names("const") == ["b"]
    assert inner.step_duration == 0.5 and inner.trace_kind == "phases" and outer.trace_kind == "steps"


def test_a_second_declaration_shows_the_first():
    scope = Scope()
    scope.define(Symbol("a", "const", span=SPAN))
    found = scope.define(Symbol("a", "prop", span=Span(SPAN.source, 4, 7)))
    assert found.code == "AS0201" and found.annotations[0].span == SPAN
    assert scope.find("a").kind == "const"


def test_names_of_what_could_not_be_parsed_are_silent():
    scope = Scope()
    scope.define(Symbol("a", "error"))
    assert scope.define(Symbol("a", "prop", span=SPAN)) is None


@pytest.mark.parametrize(("name", "kind"), [("first", "signal"), ("prev", "prop"), ("abs", "pattern")])
def test_built_in_names(name, kind):
    assert Scope().define(Symbol(name, kind, span=SPAN)).code == "AS0202"


def test_functions_can_be_names_of_signals():
    assert Scope().define(Symbol("length", "signal", span=SPAN)) is None


def test_types_of_declarations_without_a_name(bench):
    b = bench()
    one = ast.Number(1, "1", span=SPAN)
    assert b.elaborator.type(ast.TypeExpr(None, domain=ast.Range(one, one, span=SPAN), span=SPAN), b.scope).lo == 1
