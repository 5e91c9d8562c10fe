"""What the unknown dynamics is a combination of: a list of products, read into one expression graph.

``x' = theta * phi(x, u) + w``: ``phi`` is known, ``theta`` is not. A feature is a product of factors ``name``,
``name^k``, ``sin(name)``, ``cos(name)`` (with a power too), or ``1``; features are separated by blanks or commas:
``"x v theta  v*cos(theta) v*sin(theta)"``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.systems.arithmetic import evaluate
from agentc.compiler.systems.graph import Graph, Instruction
from agentc.lang.diagnostics import AgentcError, report

Floats = NDArray[np.float64]

MOST = 256
"""The most features."""

_FACTOR = re.compile(r"(?:(sin|cos)\()?([A-Za-z_][\w.\[\]]*)\)?(?:\^([1-8]))?")


@dataclass(frozen=True)
class Features:
    """Functions of states and inputs; ``texts`` are how they are written, ``graph`` has one root for each."""

    names: tuple[str, ...]
    texts: tuple[str, ...]
    graph: Graph

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def constant(self) -> int | None:
        """Which of them is the number 1."""
        return self.texts.index("1") if "1" in self.texts else None

    def values(self, points: Floats) -> Floats:
        """Their values ``(T, features)`` at points ``(T, names)``."""
        columns = dict(zip(self.names, np.ascontiguousarray(points.T), strict=True))
        found = evaluate(self.graph, columns)
        return np.stack([np.broadcast_to(np.asarray(v, np.float64), len(points)) for v in found], axis=1)


def parsed(text: str, names: Sequence[str]) -> Features:
    """The features of a text over states and inputs. Raises :class:`AgentcError` (AS1353)."""
    texts = tuple(dict.fromkeys(text.replace(",", " ").split()))
    nodes: list[Instruction] = []
    index: dict[Instruction, int] = {}

    def node(op: str, *args: int, value: float | str | None = None) -> int:
        made = Instruction(op, args, value)
        if made not in index:
            index[made] = len(nodes)
            nodes.append(made)
        return index[made]

    if not 0 < len(texts) <= MOST:
        raise _unread(text, f"there are {len(texts)} features, and there may be 1 to {MOST}")
    roots = []
    for feature in texts:
        if feature == "1":
            roots.append(node("const", value=1.0))
            continue
        product: int | None = None
        for factor in feature.split("*"):
            match = _FACTOR.fullmatch(factor)
            if match is None or bool(match[1]) != factor.partition("^")[0].endswith(")"):
                raise _unread(feature, f"`{factor}` is no factor such as `x`, `x^2` or `cos(x)`")
            if match[2] not in names:
                raise _unread(feature, f"`{match[2]}` is none of {', '.join(f'`{n}`' for n in names)}")
            base = node("var", value=match[2])
            if match[1]:
                base = node(match[1], base)
            for _ in range(int(match[3] or 1)):
                product = base if product is None else node("mul", product, base)
        assert product is not None
        roots.append(product)
    return Features(tuple(names), texts, Graph(tuple(nodes), tuple(roots)))


def monomials(names: Sequence[str], degree: int, constant: bool) -> Features:
    """All products of at most ``degree`` names; with 1 where ``constant``. Raises AS1353 for more than :data:`MOST`."""
    words = ["1"] if constant else []
    for k in range(1, degree + 1):
        words += ["*".join(c) for c in combinations_with_replacement(names, k)]
    return parsed(" ".join(words), names)


def _unread(text: str, reason: str) -> AgentcError:
    return AgentcError([report("AS1353", None, text=text, reason=reason)])
