"""Regions: sets of points, read in the units of the point that is asked about."""

from __future__ import annotations

from typing import NamedTuple

from agentc.lang import ast
from agentc.lang.context import Context, Scales, described, measured, nearest
from agentc.lang.names import Names, counted, declared, kind_in_words
from agentc.lang.quantities import coordinate_types
from agentc.lang.scope import Scope, Symbol
from agentc.lang.terms import Terms
from agentc.lang.typed import Typed
from agentc.lang.types import REAL, Type, real
from agentc.lang.units import Unit

Units = tuple[Unit, ...] | None
"""The unit of each coordinate, if it is known."""

_PARAMETERS = {
    "box": ("lo", "hi"), "ball": ("center", "radius"), "circle": ("center", "radius"),
    "halfspace": ("normal", "offset"), "ellipsoid": ("center", "semi_axes"),
}  # fmt: skip
_SETS = {"union": None, "intersection": None, "complement": 1, "polytope": None}


class RegionArgument(NamedTuple):
    """The argument for a parameter that is a region: it is read where it is used, in the units of that place."""

    expr: ast.Expr
    scope: Scope


class Regions:
    """Elaborates regions."""

    def __init__(self, context: Context, names: Names, terms: Terms) -> None:
        self.context, self.names, self.terms = context, names, terms
        self._active: set[int] = set()

    def region(self, expr: ast.Expr, scope: Scope, units: Units = None) -> tuple[Typed, Scales]:
        """The region, and its scales if it declares some (then it is in scaled coordinates)."""
        context = self.context
        if not context.descend(expr.span):
            context.depth -= 1
            return context.error(expr.span), None
        try:
            match expr:
                case ast.Name() | ast.Attribute():
                    symbol = self.names.symbol(expr, scope, "region")
                    if symbol is None:
                        return context.error(expr.span), None
                    return self._named(symbol, None, expr, scope, units)
                case ast.Call(function=ast.Name(id=name)) if scope.find(name) is None:
                    return self._made(expr, name, scope, units)
                case ast.Call(function=ast.Name() | ast.Attribute() as function):
                    symbol = self.names.symbol(function, scope, "region")
                    if symbol is None:
                        return context.error(expr.span), None
                    return self._named(symbol, expr, expr, scope, units)
                case ast.ErrorExpr():
                    return context.error(expr.span), None
                case _:
                    mend = "write `box(...)`, `circle(...)`, `{...}`, `[lo, hi]` or the name of a region"
                    context.report("AS0325", expr.span, what="this", mend=mend)
                    return context.error(expr.span), None
        finally:
            context.depth -= 1

    def _named(
        self, symbol: Symbol, call: ast.Call | None, expr: ast.Expr, scope: Scope, units: Units
    ) -> tuple[Typed, Scales]:
        context = self.context
        if symbol.kind == "error":
            return context.error(expr.span), None
        if symbol.kind == "parameter" and symbol.type is not None and symbol.type.kind in ("region", "error"):
            if isinstance(symbol.value, RegionArgument):
                return self.region(symbol.value.expr, symbol.value.scope, units)
            return context.error(expr.span), None  # its definition is checked by itself
        if symbol.kind != "region" or not isinstance(symbol.node, ast.RegionItem):
            context.report(
                "AS0208", expr.span, name=symbol.name, found=kind_in_words(symbol), wanted="a region",
                annotations=declared(symbol),
            )  # fmt: skip
            return context.error(expr.span), None
        if id(symbol) in self._active:
            context.report("AS0215", expr.span, name=symbol.name, annotations=declared(symbol))
            return context.error(expr.span), None
        inner = context.bind(symbol, symbol.node.parameters, call, expr.span, scope)
        if inner is None:
            return context.error(expr.span), None
        self._active.add(id(symbol))
        via, context.via = context.via, (*context.via, expr.span)
        try:
            return self.region(symbol.node.body, inner, units)
        finally:
            context.via = via
            self._active.discard(id(symbol))

    # ---------------------------------------------------------------- constructors

    def _made(self, expr: ast.Call, name: str, scope: Scope, units: Units) -> tuple[Typed, Scales]:
        context = self.context
        if name not in _PARAMETERS and name not in _SETS:
            known = [*_PARAMETERS, *_SETS, *scope.names("region")]
            context.report("AS0203", expr.function.span, kind="region", name=name, suggestion=nearest(name, known))
            return context.error(expr.span), None
        scales: Scales = None
        arguments = []
        for argument in expr.arguments:
            if argument.name == "scale":
                scales = self._scale(argument.value, scope, units)
                if scales is None:
                    return context.error(expr.span), None
            else:
                arguments.append(argument)
        if name == "polytope" and any(a.name is not None for a in arguments):
            region = self._faces(expr, arguments, scope, units, scales)
        elif name in _SETS:
            region, inner_scales = self._set(expr, name, arguments, scope, units)
            scales = scales if inner_scales is None else inner_scales
        else:
            slots = self._slots(expr, name, arguments)
            if slots is None:
                return context.error(expr.span), None
            build = {"box": self._box, "halfspace": self._halfspace, "ellipsoid": self._ellipsoid}.get(name, self._ball)
            region = build(expr, slots, scope, units, scales)
        return region, scales

    def _slots(self, expr: ast.Call, name: str, arguments: list[ast.Argument]) -> dict[str, ast.Expr] | None:
        """The arguments by the names of their parameters."""
        context, parameters, slots = self.context, _PARAMETERS[name], {}
        for i, argument in enumerate(arguments):
            slot = argument.name
            if slot is None and i < len(parameters):
                slot = parameters[i]
            if slot is None:
                context.report(
                    "AS0304", expr.span, name=name, wanted=counted(len(parameters), len(parameters)),
                    found=f"are {len(arguments)}",
                )  # fmt: skip
                return None
            if slot not in parameters:
                context.report(
                    "AS0305", argument.name_span or argument.span, function=name, name=slot,
                    known=", ".join((*parameters, "scale")), suggestion=nearest(slot, (*parameters, "scale")),
                )  # fmt: skip
                return None
            if slot in slots:
                context.report("AS0306", argument.span, function=name, name=slot)
                return None
            slots[slot] = argument.value
        for slot in parameters:
            if slot not in slots:
                context.report("AS0307", expr.span, function=name, name=slot)
                return None
        return slots

    def _scale(self, expr: ast.Expr, scope: Scope, units: Units) -> Scales:
        """One length for each coordinate: what counts as a unit of distance there."""
        typed = self.terms.term(expr, scope)
        if typed.type.kind == "error":
            return None
        parts = typed.args if typed.op == "tuple" else (typed,)
        values = typed.value if isinstance(typed.value, tuple) else tuple(p.value for p in parts)
        types = coordinate_types(typed)
        numbers = []
        for i, value in enumerate(values):
            if not isinstance(value, int | float) or isinstance(value, bool) or not all(p.is_constant for p in parts):
                self.context.report("AS0308", expr.span, name=" ".join(expr.span.text.split()))
                return None
            if value <= 0:
                self.context.report("AS0323", expr.span, reason="a scale is positive")
                return None
            unit = units[i] if units is not None and i < len(units) else None
            if unit is not None and types[i].unit.bare:
                value = value * (unit.scale or 1.0)
            elif unit is not None and types[i].unit != unit:
                self.context.report("AS0414", expr.span, found=measured(types[i].unit), wanted=measured(unit))
                return None
            numbers.append(float(value))
        if units is not None and len(numbers) != len(units):
            self.context.report(
                "AS0313", expr.span, left="the scale", left_size=len(numbers), right="the point", right_size=len(units)
            )
            return None
        return tuple(numbers)

    def _point(self, expr: ast.Expr, scope: Scope, units: Units, scales: Scales) -> Typed:
        """A vector in the units of the coordinates, divided by their scales; a number is a vector of one."""
        context = self.context
        typed = self.terms.term(expr, scope)
        if typed.type.kind == "error":
            return typed
        if typed.type.is_number:
            coordinates: tuple[Typed, ...] = (typed,)
        elif typed.type.kind != "vector":
            return context.failed("AS0301", expr.span, found=described(typed.type), wanted="a vector")
        elif typed.op == "tuple":
            coordinates = typed.args
        elif isinstance(typed.value, tuple):
            coordinates = tuple(context.make("const", (), real(typed.type.unit), typed.span, v) for v in typed.value)
        elif typed.op == "parameter":
            return context.error(expr.span)
        else:
            size = typed.type.size[0] if typed.type.size else 1
            coordinates = tuple(
                context.make("index", (typed,), real(typed.type.unit), typed.span, i) for i in range(size)
            )
        if units is not None and len(units) != len(coordinates):
            return context.failed(
                "AS0313", expr.span, left="this", left_size=len(coordinates), right="the point", right_size=len(units)
            )
        made = []
        for i, coordinate in enumerate(coordinates):
            if units is not None:
                coordinate = self._counted(coordinate, units[i], expr)
            if scales is not None and i < len(scales):
                one = context.make("const", (), REAL, expr.span, scales[i])
                coordinate = self.terms.apply("div", (coordinate, one), REAL, expr.span)
            made.append(coordinate)
        if any(c.type.kind == "error" for c in made):
            return context.error(expr.span)
        of = Type("vector", unit=made[0].type.unit, size=(len(made), len(made)))
        if all(c.is_constant for c in made):
            return context.make("const", (), of, expr.span, tuple(c.value for c in made))
        return context.make("tuple", tuple(made), of, expr.span)

    def _counted(self, typed: Typed, unit: Unit, expr: ast.Expr) -> Typed:
        if typed.is_constant and typed.type.unit.bare:
            return self.terms.quantities.counted(typed, unit, expr.span)
        if typed.type.unit != unit:
            return self.context.failed("AS0414", expr.span, found=measured(typed.type.unit), wanted=measured(unit))
        return typed

    def _length(self, expr: ast.Expr, scope: Scope, units: Units, scales: Scales) -> Typed:
        """A distance: in the common unit of the coordinates, a pure number where they are scaled."""
        typed = self.terms.number(expr, scope)
        if typed.type.kind == "error" or units is None:
            return typed
        if scales is not None:
            if not typed.type.unit.dimensionless:
                return self.context.failed("AS0414", expr.span, found=measured(typed.type.unit), wanted="a pure number")
            return typed
        unit = units[0]
        for other in units[1:]:
            unit = unit.joined(other)
        return typed if len(set(units)) > 1 else self._counted(typed, unit, expr)

    def _region(self, op: str, args: tuple[Typed, ...], size: int, expr: ast.Expr) -> Typed:
        return self.context.make(op, args, Type("region", size=(size, size)), expr.span)

    def _box(self, expr: ast.Call, slots: dict[str, ast.Expr], scope: Scope, units: Units, scales: Scales) -> Typed:
        lo, hi = (self._point(slots[s], scope, units, scales) for s in ("lo", "hi"))
        size = self._same_size(expr, lo, hi, "lo", "hi")
        if size is None:
            return self.context.error(expr.span)
        if isinstance(lo.value, tuple) and isinstance(hi.value, tuple):
            for a, b in zip(lo.value, hi.value, strict=True):
                if isinstance(a, int | float) and isinstance(b, int | float) and a > b:
                    return self.context.failed("AS0314", expr.span, lo=f"{a:g}", hi=f"{b:g}")
        return self._region("box", (lo, hi), size, expr)

    def _ball(self, expr: ast.Call, slots: dict[str, ast.Expr], scope: Scope, units: Units, scales: Scales) -> Typed:
        center = self._point(slots["center"], scope, units, scales)
        radius = self._length(slots["radius"], scope, units, scales)
        if "error" in (center.type.kind, radius.type.kind):
            return self.context.error(expr.span)
        if isinstance(radius.value, int | float) and radius.value < 0:
            return self.context.failed("AS0323", slots["radius"].span, reason="a radius is not negative")
        return self._region("ball", (center, radius), center.type.size[0] if center.type.size else 1, expr)

    def _ellipsoid(
        self, expr: ast.Call, slots: dict[str, ast.Expr], scope: Scope, units: Units, scales: Scales
    ) -> Typed:
        center, axes = (self._point(slots[s], scope, units, scales) for s in ("center", "semi_axes"))
        size = self._same_size(expr, center, axes, "center", "semi_axes")
        if size is None:
            return self.context.error(expr.span)
        if isinstance(axes.value, tuple) and any(isinstance(a, int | float) and a <= 0 for a in axes.value):
            return self.context.failed("AS0323", slots["semi_axes"].span, reason="a semi-axis is positive")
        return self._region("ellipsoid", (center, axes), size, expr)

    def _halfspace(
        self, expr: ast.Call, slots: dict[str, ast.Expr], scope: Scope, units: Units, scales: Scales
    ) -> Typed:
        """``normal . x <= offset``: the normal is a direction, the offset is in the units of the coordinates."""
        context = self.context
        normal = self._point(slots["normal"], scope, None, None)
        if normal.type.kind == "error":
            return normal
        if units is not None and normal.type.size is not None and normal.type.size[0] != len(units):
            return context.failed(
                "AS0313", slots["normal"].span, left="the normal", left_size=normal.type.size[0],
                right="the point", right_size=len(units),
            )  # fmt: skip
        if isinstance(normal.value, tuple) and not any(normal.value):
            return context.failed("AS0323", slots["normal"].span, reason="a normal is not zero")
        offset = self._length(slots["offset"], scope, units, scales)
        size = normal.type.size[0] if normal.type.size else 1
        return self._region("halfspace", (normal, offset), size, expr)

    def _faces(
        self, expr: ast.Call, arguments: list[ast.Argument], scope: Scope, units: Units, scales: Scales
    ) -> Typed:
        """``polytope(normals = [...], offsets = [...])``."""
        context, lists = self.context, {}
        for argument in arguments:
            if argument.name not in ("normals", "offsets"):
                name = argument.name or "a positional argument"
                return context.failed(
                    "AS0305", argument.name_span or argument.span, function="polytope", name=name,
                    known="normals, offsets, scale", suggestion=nearest(name, ("normals", "offsets", "scale")),
                )  # fmt: skip
            if not isinstance(argument.value, ast.ListExpr):
                return context.failed("AS0301", argument.value.span, found="no list", wanted="a list")
            lists[argument.name] = argument.value.items
        for name in ("normals", "offsets"):
            if name not in lists:
                return context.failed("AS0307", expr.span, function="polytope", name=name)
        if len(lists["normals"]) != len(lists["offsets"]) or not lists["normals"]:
            return context.failed(
                "AS0323", expr.span,
                reason=f"there are {len(lists['normals'])} normals and {len(lists['offsets'])} offsets",
            )  # fmt: skip
        faces = tuple(
            self._halfspace(expr, {"normal": n, "offset": o}, scope, units, scales)
            for n, o in zip(lists["normals"], lists["offsets"], strict=True)
        )
        return self._joined(expr, "polytope", faces)

    def _set(
        self, expr: ast.Call, name: str, arguments: list[ast.Argument], scope: Scope, units: Units
    ) -> tuple[Typed, Scales]:
        """``union intersection complement`` of regions, ``polytope`` of half-spaces."""
        context, most = self.context, _SETS[name]
        for argument in arguments:
            if argument.name is not None:
                context.report(
                    "AS0305", argument.name_span or argument.span, function=name, name=argument.name,
                    known="positional parameters only",
                )  # fmt: skip
                return context.error(expr.span), None
        if not arguments or (most is not None and len(arguments) > most):
            context.report(
                "AS0304", expr.span, name=name, wanted=counted(1, most), found=f"are {len(arguments) or 'none'}"
            )
            return context.error(expr.span), None
        parts = [self.region(a.value, scope, units) for a in arguments]
        scales = parts[0][1]
        if any(s != scales for r, s in parts if r.type.kind != "error"):
            context.report("AS0323", expr.span, reason="its parts have different scales")
            return context.error(expr.span), None
        regions = tuple(r for r, _ in parts)
        if name == "polytope":
            for region, argument in zip(regions, arguments, strict=True):
                if region.op not in ("halfspace", "error"):
                    context.report("AS0301", argument.span, found=f"a {region.op}", wanted="a halfspace")
                    return context.error(expr.span), None
        return self._joined(expr, name, regions), scales

    def _joined(self, expr: ast.Call, op: str, parts: tuple[Typed, ...]) -> Typed:
        if any(p.type.kind == "error" for p in parts):
            return self.context.error(expr.span)
        sizes = [p.type.size[0] for p in parts if p.type.size is not None]
        if len(set(sizes)) > 1:
            return self.context.failed(
                "AS0313", expr.span, left="one part", left_size=sizes[0], right="another",
                right_size=next(s for s in sizes if s != sizes[0]),
            )  # fmt: skip
        return self._region(op, parts, sizes[0] if sizes else 1, expr)

    def _same_size(self, expr: ast.Call, one: Typed, other: Typed, left: str, right: str) -> int | None:
        if "error" in (one.type.kind, other.type.kind):
            return None
        assert one.type.size is not None and other.type.size is not None
        if one.type.size != other.type.size:
            self.context.report(
                "AS0313", expr.span, left=f"`{left}`", left_size=one.type.size[0], right=f"`{right}`",
                right_size=other.type.size[0],
            )  # fmt: skip
            return None
        return one.type.size[0]
