"""The LALR(1) machine: a stack of states, a stack of values, no recursion.

It runs the automaton that lark made and shapes its children as lark does. Two things it adds: chains of
productions with one symbol (an atom is a postfix is a power is a ...) are taken in one remembered step, and the
depth of every value is known, so that nesting beyond a bound is found before anything has to walk it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentc.lang import ast
from agentc.lang.builder import Builder
from agentc.lang.diagnostics import report
from agentc.lang.lexer import Token
from agentc.lang.table import Rule, Table

MAX_DEPTH = 200
"""Deepest nesting of a tree; recursive passes behind the parser rely on it."""

MAX_STACK = 8 * MAX_DEPTH

END = "$END"


class Many(list[Any]):
    """Children that are spliced into their parent."""


class Stack:
    """A parse under way. ``feed`` takes one token; nothing here knows what an error means."""

    def __init__(self, table: Table, builder: Builder, start: str) -> None:
        self.table = table
        self.builder = builder
        self.states = [table.starts[start]]
        self.end = table.ends[start]
        self.values: list[Any] = []
        self.starts: list[int] = []
        self.stops: list[int] = []
        self.depths: list[int] = []
        self.too_deep_from = -1
        self._actions: dict[str, Callable[[list[Any], int, int], Any]] = {}
        self._chains: dict[tuple[int, int, str], int] = {}

    def truncate(self, height: int) -> None:
        """Go back to when the stack held ``height`` states."""
        del self.states[height:]
        for stack in (self.values, self.starts, self.stops, self.depths):
            del stack[height - 1 :]

    def feed(self, token: Token) -> bool:
        """Reduce what the token completes, then shift it (the end is not shifted); False if it has no place."""
        kind = token.kind
        states, table = self.states, self.table
        rows, rules = table.rows, table.rules
        while True:
            state = states[-1]
            row = rows[state]
            if row is None:
                row = table.row(state)
            action = row.get(kind)
            if action is None:
                return False
            if action & 1:
                rule = rules[action >> 1]
                if rule.length == 1 and rule.transparent:
                    key = (states[-2], state, kind)
                    reached = self._chains.get(key)
                    if reached is None:
                        reached = self._chain(*key)
                    states[-1] = reached
                else:
                    self._reduce(rule, token.start)
                if kind == END and states[-1] == self.end:
                    return True
            else:
                states.append(action >> 1)
                self.values.append(token)
                self.starts.append(token.start)
                self.stops.append(token.stop)
                self.depths.append(0)
                return True

    def _chain(self, below: int, state: int, kind: str) -> int:
        """Where productions of one transparent symbol lead from ``state``, with ``kind`` ahead."""
        key = (below, state, kind)
        table = self.table
        goto = table.goto(below)
        while True:
            action = table.row(state).get(kind)
            if action is None or not action & 1:
                break
            rule = table.rules[action >> 1]
            if rule.length != 1 or not rule.transparent:
                break
            state = goto[rule.origin]
            if kind == END and state == self.end:
                break
        self._chains[key] = state
        return state

    def _reduce(self, rule: Rule, at: int) -> None:
        length = rule.length
        if length:
            parts = self.values[-length:]
            start, stop = self.starts[-length], self.stops[-1]
            depth = max(self.depths[-length:])
            del self.states[-length:]
            for stack in (self.values, self.starts, self.stops, self.depths):
                del stack[-length:]
        else:
            parts, start, stop, depth = [], at, at, 0
        first = parts[0] if parts else None
        if rule.action is None and type(first) is Many and rule.children[:1] == (0,):
            children = first  # a list grows in place
            rest = rule.children[1:]
        else:
            children = Many()
            rest = rule.children
        for position in rest:
            value = None if position < 0 else parts[position]
            if type(value) is Many:
                children.extend(value)
            else:
                children.append(value)
        value = children
        if rule.action is not None:
            if rule.transparent and len(children) == 1:
                value = children[0]
            else:
                action = self._actions.get(rule.action)
                if action is None:
                    action = self._actions[rule.action] = self.builder.action(rule.action)
                value = action(list(children), start, stop)
                depth += 1
                if depth > MAX_DEPTH:
                    value, depth = self._cut(value, depth, start, stop)
        self.states.append(self.table.goto(self.states[-1])[rule.origin])
        self.values.append(value)
        self.starts.append(start)
        self.stops.append(stop)
        self.depths.append(depth)

    def _cut(self, value: Any, depth: int, start: int, stop: int) -> tuple[Any, int]:
        """Replace a tree that is too deep; reported once for each of the texts that contain it."""
        span = self.builder.span(start, stop)
        if isinstance(value, ast.Expr):
            value = ast.ErrorExpr(span=span)
        elif isinstance(value, ast.Item):
            value = ast.ErrorItem(span=span)
        else:
            return value, depth
        if start >= self.too_deep_from:
            self.report_too_deep(start, stop)
        return value, 1

    def report_too_deep(self, start: int, stop: int) -> None:
        """Report nesting at a place, and no further place before the end of the text it is nested in."""
        span = self.builder.span(start, min(stop, start + 1))
        self.builder.diagnostics.append(report("AS0104", span, limit=MAX_DEPTH))
        self.too_deep_from = stop

    # ------------------------------------------------------------ looking ahead

    def takes(self, states: list[int], kind: str) -> bool:
        """Whether ``states`` can take a token of this kind; if so it is taken (only states are moved)."""
        table = self.table
        while True:
            action = table.row(states[-1]).get(kind)
            if action is None:
                return False
            if not action & 1:
                states.append(action >> 1)
                return True
            rule = table.rules[action >> 1]
            if rule.length:
                del states[-rule.length :]
            following = table.goto(states[-1]).get(rule.origin)
            if following is None:
                return False
            states.append(following)
            if kind == END and following == self.end:
                return True

    def expected(self, states: list[int] | None = None) -> frozenset[str]:
        """Kinds of the tokens that could come next."""
        states = self.states if states is None else states
        return frozenset(kind for kind in self.table.row(states[-1]) if self.takes(list(states), kind))
