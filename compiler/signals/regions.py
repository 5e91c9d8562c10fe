"""Regions as signed distance (positive inside) and as membership, in the scalar graph.

Exact Euclidean distance for box, ball and halfspace; a polytope the least normalised margin, an ellipsoid
``r_min (1 - |A^-1 (x - c)|)``, union max, intersection min, complement negation: right in sign, never larger in size
than the distance. Regions are closed, a complement excludes its boundary. The parameters are terms themselves: a
moving region is one whose centre is a signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentc.compiler.signals.scalars import Graph

Point = tuple[int, ...]


@dataclass(frozen=True)
class Region:
    """A kind of region with its parameters: points, scalars, or regions."""

    kind: str
    parts: tuple[Region | Point | int, ...]


def signed_distance(graph: Graph, region: Region, point: Point) -> int:
    """The operation whose value is the signed distance of a point."""
    match region.kind, region.parts:
        case "box", (tuple() as lo, tuple() as hi):
            margins, beyond = [], []
            for v, a, b in zip(point, lo, hi, strict=True):
                below, above = graph.add("difference", v, a), graph.add("difference", b, v)
                margins += [below, above]
                # the distance to the side that was passed, 0 between the sides
                beyond.append(graph.add("positive", graph.add("neg", graph.add("min", below, above))))
            return graph.add("inside", graph.fold("min", margins), graph.add("norm", *beyond))
        case "ball", (tuple() as center, int() as radius):
            return graph.add("difference", radius, _norm(graph, _differences(graph, point, center)))
        case "halfspace", (tuple() as normal, int() as offset):
            dot = graph.fold("add", [graph.add("mul", n, v) for n, v in zip(normal, point, strict=True)])
            return graph.add("div", graph.add("difference", offset, dot), _norm(graph, normal))
        case "ellipsoid", (tuple() as center, tuple() as axes):
            scaled = [graph.add("div", d, a) for d, a in zip(_differences(graph, point, center), axes, strict=True)]
            margin = graph.add("difference", graph.number(1), _norm(graph, scaled))
            return graph.add("mul", graph.fold("min", list(axes)), margin)
        case "complement", (Region() as inner,):
            return graph.add("neg", signed_distance(graph, inner, point))
        case ("union" | "intersection" | "polytope"), parts:
            found = [signed_distance(graph, p, point) for p in parts if isinstance(p, Region)]
            return graph.fold("max" if region.kind == "union" else "min", found)
    raise ValueError(f"no region is named {region.kind!r}")


def contains(graph: Graph, region: Region, point: Point) -> int:
    """The operation whose value is 1 where a point is in the region, else 0."""
    if region.kind == "complement":
        inner = region.parts[0]
        assert isinstance(inner, Region)
        return graph.add("flip", contains(graph, inner, point))
    if region.kind in ("union", "intersection"):
        found = [contains(graph, p, point) for p in region.parts if isinstance(p, Region)]
        return graph.fold("max" if region.kind == "union" else "min", found)
    return graph.add("ge", signed_distance(graph, region, point), graph.number(0))


def _differences(graph: Graph, x: Sequence[int], y: Sequence[int]) -> list[int]:
    return [graph.add("sub", a, b) for a, b in zip(x, y, strict=True)]


def _norm(graph: Graph, x: Sequence[int]) -> int:
    return graph.add("norm", *x)
