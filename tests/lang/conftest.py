"""A bench for elaboration: signals of every type, and formulas as text."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from agentc.lang import ast
from agentc.lang.diagnostics import Diagnostic
from agentc.lang.elaborate import Elaborator
from agentc.lang.imports import declare
from agentc.lang.parser import parse, parse_formula
from agentc.lang.scope import Scope, Symbol
from agentc.lang.source import Source
from agentc.lang.typed import Typed

SIGNALS = """
environment signals() {
  signal x, y : real [m]
  signal v : real in [0, 1] [m/s]
  signal d : real [km]
  signal t : real [s]
  signal theta : real [rad]
  signal heading : real [deg]
  signal k, n : int in [0, 10]
  signal p, q, r : bool
  signal door : enum {locked, closed, open}
  signal tile : enum {floor, door, open}
  signal say, heard : text
  signal pos : vec[2] [m]
  signal action : enum {left, right}
}
"""

TOOL = "agent A { tool finish(answer : text[1..60]) }"


@dataclass
class Bench:
    """Elaborates text in a scope of signals, with definitions beside them."""

    definitions: str = ""
    step: float | None = 0.1
    trace: str = "steps"
    overrides: dict[str, ast.Expr] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.elaborator = Elaborator(self.overrides)
        self.scope = Scope(step=self.step, trace=self.trace)  # type: ignore[arg-type]
        environment = self._parsed(SIGNALS).items[0]
        assert isinstance(environment, ast.Environment)
        for item in environment.items:
            assert isinstance(item, ast.Signal)
            of = self.elaborator.type(item.type, self.scope)
            for name, span in zip(item.names, item.name_spans, strict=True):
                self.scope.define(Symbol(name, "signal", of, span))
        for name in ("thought", "reply"):
            self.scope.define(Symbol(name, "phase"))
        agent = self._parsed(TOOL).items[0]
        assert isinstance(agent, ast.Agent)
        self.scope.define(Symbol("finish", "tool", node=agent.items[0], scope=self.scope))
        for item in self._parsed(self.definitions).items:
            self.elaborator.diagnostics.extend(declare(item, self.scope))

    @staticmethod
    def _parsed(text: str) -> ast.Module:
        module, found = parse(Source("definitions", text))
        assert not found, found
        return module

    @staticmethod
    def expr(text: str) -> ast.Expr:
        expr, found = parse_formula(Source("formula", text))
        assert expr is not None and not found, found
        return expr

    def formula(self, text: str) -> Typed:
        return self.elaborator.formula(self.expr(text), self.scope)

    def show(self, text: str) -> str:
        """The tree of a formula that has nothing wrong in it."""
        shown = repr(self.formula(text))
        assert not self.found(), self.elaborator.diagnostics
        return shown

    def found(self) -> list[tuple[str, str]]:
        """Code and place of everything that was reported."""
        return [(d.code, d.span.text if d.span else "") for d in self.elaborator.diagnostics]

    def codes(self, text: str) -> list[tuple[str, str]]:
        """What a formula reports."""
        self.formula(text)
        return self.found()

    def define(self) -> list[Diagnostic]:
        """What the definitions report by themselves."""
        for name in self.scope.names("const", "param", "pattern", "prop", "region", "task", "safe"):
            symbol = self.scope.find(name)
            assert symbol is not None
            self.elaborator.definition(symbol)
        return self.elaborator.diagnostics


@pytest.fixture
def bench() -> type[Bench]:
    return Bench
