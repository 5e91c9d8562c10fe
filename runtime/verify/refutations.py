"""The argument of an ``induction`` certificate: which paths contradict themselves, found with the solver.

The checker's walk says where it needs a token. The solver looks at the path's constraints over the reals first: its
unsatisfiable core and a second, linear question give the multipliers of Farkas' lemma exactly. Where only whole numbers
contradict each other, or a product lost too much, the path is split (branch and bound: Land, Doig, "An automatic method
of solving discrete programming problems", Econometrica 1960). What comes of it is believed only by the checker.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from time import monotonic
from typing import Any

from agentc.runtime.verify.checker import RejectedError
from agentc.runtime.verify.checker.induction import Obligations
from agentc.runtime.verify.checker.paths import Form, Way

MOST = 20_000
"""The most tokens of an argument."""


class NoArgumentError(Exception):
    """Why no argument was found."""


def argument_of(obligations: Obligations, k: int, deadline: float) -> Mapping[str, Any]:
    """The tokens of base and step for ``k``. Raises :class:`NoArgumentError`."""
    found: dict[str, Any] = {"k": k}
    for name, walk in (("base", obligations.base), ("step", obligations.step)):
        search = _Search(deadline)
        try:
            walk(k, search)
        except RejectedError as error:
            raise NoArgumentError(f"{name}: {error}") from error
        found[name] = search.tokens
    return found


class _Search:
    """An oracle that finds its tokens and writes them down."""

    def __init__(self, deadline: float) -> None:
        import z3  # type: ignore[import-untyped]

        self.z3, self.deadline = z3, deadline
        self.tokens: list[Any] = []

    def __call__(self, way: Way) -> Any:
        if len(self.tokens) >= MOST or monotonic() > self.deadline:
            raise NoArgumentError(f"it has more than {len(self.tokens)} parts")
        token = self._token(way)
        self.tokens.append(token)
        return token

    def _token(self, way: Way) -> Any:
        z3 = self.z3
        core, point = self._relaxed(way)
        if core is not None:
            return ["r", *self._multipliers(way, core)]
        whole = self._solver(way, [z3.Int(f"x{v}") for v in range(len(way.lo))], products=True)
        if whole.check() != z3.unsat:
            return 0
        return self._split(way, point)

    def _solver(self, way: Way, x: list[Any], products: bool) -> Any:
        """The ranges, and the products where they are asked for; constraints too in that case."""
        z3 = self.z3
        solver = z3.Solver()
        solver.set("timeout", 2000)
        solver.add(*(z3.And(x[v] >= way.lo[v], x[v] <= way.hi[v]) for v in range(len(x))))
        if products:
            solver.add(*(self._term(row, x) <= 0 for row in way.rows))
            solver.add(*(x[p] == self._term(a, x) * self._term(b, x) for p, a, b in way.products))
        return solver

    def _relaxed(self, way: Way) -> tuple[list[int] | None, list[Fraction]]:
        """The rows of a contradiction over the reals; or None and a point."""
        z3 = self.z3
        x = [z3.Real(f"x{v}") for v in range(len(way.lo))]
        solver = self._solver(way, x, products=False)
        marks = [z3.Bool(f"r{i}") for i in range(len(way.rows))]
        solver.add(*(z3.Implies(m, self._term(row, x) <= 0) for m, row in zip(marks, way.rows, strict=True)))
        came = solver.check(*marks)
        if came == z3.unsat:
            return sorted(int(str(m)[1:]) for m in solver.unsat_core()), []
        if came == z3.unknown:
            raise NoArgumentError("the solver gave up")
        model = solver.model()
        return None, [_fraction(model.eval(v, model_completion=True)) for v in x]

    def _term(self, form: Form, x: list[Any]) -> Any:
        z3 = self.z3
        total = z3.IntVal(int(form.get(-1, Fraction())))
        return z3.Sum([total, *(x[v] * z3.IntVal(int(c)) for v, c in form.items() if v >= 0)])

    def _multipliers(self, way: Way, core: list[int]) -> list[int]:
        """Indices and whole multipliers whose sum is above zero in all of the ranges."""
        z3 = self.z3
        solver = z3.Solver()
        m = [z3.Real(f"m{i}") for i in core]
        solver.add(*(v >= 0 for v in m))
        least: list[Any] = [z3.Sum([z3.RealVal(0), *(
            v * int(way.rows[i].get(-1, Fraction())) for i, v in zip(core, m, strict=True))])]
        for v in sorted({v for i in core for v in way.rows[i] if v >= 0}):
            coefficient = z3.Sum([z3.RealVal(0), *(
                n * int(way.rows[i].get(v, Fraction())) for i, n in zip(core, m, strict=True))])
            up, down = z3.Real(f"up{v}"), z3.Real(f"down{v}")  # the multipliers of the variable's bounds
            solver.add(up >= 0, down >= 0, coefficient == up - down)
            least.append(up * way.lo[v] - down * way.hi[v])
        solver.add(z3.Sum(least) == 1)
        if solver.check() != z3.sat:
            raise NoArgumentError("the solver contradicts itself")
        model = solver.model()
        found = [_fraction(model.eval(v, model_completion=True)) for v in m]
        scale = math.lcm(*(f.denominator for f in found)) if found else 1
        return [n for i, f in zip(core, found, strict=True) if f for n in (i, int(f * scale))]

    def _split(self, way: Way, point: list[Fraction]) -> Any:
        """Where to split a path that only whole numbers, or the true products, contradict."""
        for v, x in enumerate(point):
            if x.denominator != 1:
                return ["s", v, math.floor(x)]
        factors = {v for p, a, b in way.products for form in (a, b) for v in form if v >= 0}
        wide = [v for v in sorted(factors) if way.lo[v] < way.hi[v]] or [
            v for v in range(len(way.lo)) if way.lo[v] < way.hi[v]
        ]
        if not wide:
            raise NoArgumentError("a path has nothing left to split")
        v = max(wide, key=lambda v: way.hi[v] - way.lo[v])
        return ["s", v, (way.lo[v] + way.hi[v] - 1) // 2]


def _fraction(value: Any) -> Fraction:
    return Fraction(value.numerator_as_long(), value.denominator_as_long())
