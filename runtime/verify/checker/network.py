"""Checks a ``network`` certificate: no input of a VNN-LIB property makes an ONNX network violate it.

The certificate has the property's text, the digest of the network and, for each box of inputs, a tree of bisections.
Checking establishes for every leaf that each way to violate is refuted by one linear row: the row is above its bound on
a zonotope that encloses the outputs. Arithmetic is float64 with the rounding of every operation bounded from above
(Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, section 3.1) and added to a slack ``e``.
``float32`` is true if a second pass, in which every computed value of a layer may be off by what float32 can lose in
any order of summation (a generator for each), closes as well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from agentc.runtime.verify.checker import RejectedError

U64, U32 = 2.0**-53, 2.0**-24
UP, TINY, LIBM = 1 + 1e-9, 1e-300, 1e-14
BATCH = 128
MOST = 5_000_000


def verify(subject: Any, claim: Any, argument: Any, folder: Path) -> Mapping[str, Any]:
    """Facts of an accepted certificate; raises :class:`RejectedError`."""
    content = (folder / subject["network"]).read_bytes() if _exists(folder, subject["network"]) else b""
    if "sha256:" + hashlib.sha256(content).hexdigest() != subject["digest"]:
        raise RejectedError(f"the network {subject['network']} is not the one that it is about")
    if claim != {"holds": "no input satisfies the property", "outcome": "unsat"}:
        raise RejectedError("it claims something else")
    graph = _Graph(content)
    boxes = _cases(subject["property"])
    trees = argument["trees"]
    if len(trees) != len(boxes):
        raise RejectedError(f"it has {len(trees)} trees for {len(boxes)} boxes")
    margin, covered, leaves = np.inf, True, 0
    single = _Graph(content, single=True)
    for (lo, hi, ways), tree in zip(boxes, trees, strict=True):
        parts = list(_leaves(lo, hi, tree, [len(bounds) for _, bounds in ways]))
        leaves += len(parts)
        for start in range(0, len(parts), BATCH):
            some = parts[start : start + BATCH]
            box = np.array([p[0] for p in some]), np.array([p[1] for p in some])
            out = graph.enclose(*box)
            near = single.enclose(*box) if covered else out
            for way, (rows, bounds) in enumerate(ways):
                chosen = [p[2][way] for p in some]
                row, limit = rows[chosen], bounds[chosen]
                least = out.least(row, limit)
                if not (least > 0).all():
                    leaf = start + int((least > 0).argmin())
                    raise RejectedError(f"way {way} to violate is not refuted in leaf {leaf}")
                margin = min(margin, float(least.min()))
                covered = covered and bool((near.least(row, limit) > 0).all())
    return {"leaves": leaves, "margin": margin if leaves else None, "float32": covered}


def _exists(folder: Path, name: str) -> bool:
    return (folder / name).is_file()


def _leaves(lo: Any, hi: Any, tree: Any, sizes: list[int]) -> Iterator[tuple[Any, Any, list[int]]]:
    """The leaves of a tree in preorder: their boxes, and the row that refutes each way."""
    if not isinstance(tree, list) or len(tree) > MOST:
        raise RejectedError("a tree is no list, or too long")
    stack = [(lo, hi)]
    for code in tree:
        if not stack or type(code) is not int:
            raise RejectedError("a tree has more nodes than it has room for")
        a, b = stack.pop()
        if code < 0:
            rest, rows = -1 - code, []
            for size in sizes:
                rows.append(rest % size)
                rest //= size
            if rest:
                raise RejectedError("a leaf names a row that is not there")
            yield a, b, rows
        elif code >= len(a):
            raise RejectedError(f"a tree splits input {code} of {len(a)}")
        else:
            middle = (a[code] + b[code]) / 2
            if not a[code] <= middle <= b[code]:
                raise RejectedError("a box cannot be bisected")
            below, above = b.copy(), a.copy()
            below[code] = above[code] = middle
            stack += [(above, b), (a, below)]
    if stack:
        raise RejectedError("a part of a box has no leaf")


# ---------------------------------------------------------------- enclosures


@dataclass
class _Form:
    """For each box of a batch: ``centre + sum of generators * [-1, 1] + slack * [-1, 1]``.

    ``c`` and ``e`` are ``(batch, n)``, ``g`` is ``(batch, generators, n)``; ``single`` widens by what float32 can lose.
    """

    c: Any
    g: Any
    e: Any
    single: bool = False

    @property
    def size(self) -> Any:
        """An upper bound of the absolute value."""
        return (np.abs(self.c) + np.abs(self.g).sum(axis=1) + self.e) * UP

    def affine(self, weight: Any, bias: Any) -> _Form:
        """``x @ weight + bias``."""
        k = 2 * (len(weight) + 4)
        positive = np.abs(weight)
        size = self.size
        reach = size @ positive + np.abs(bias)
        e = (self.e @ positive + k * U64 * reach) * UP + TINY
        g = self.g @ weight
        if self.single:
            off = ((len(weight) + 3) * U32 * reach + 1e-37) * UP  # a sum of n products and a bias, in any order
            g = np.concatenate([g, off[:, :, None] * np.eye(off.shape[1])], axis=1)
        return _Form(self.c @ weight + bias, g, e, self.single)

    def activated(self, name: str) -> _Form:
        """An activation: a line through the bounds, with a generator for the rest."""
        radius = (np.abs(self.g).sum(axis=1) + self.e) * UP + 4 * U64 * np.abs(self.c) + TINY
        lo, hi = self.c - radius, self.c + radius
        if name == "Relu":
            both = (lo < 0) & (hi > 0)
            slope = np.where(both, np.clip(hi / np.where(both, hi - lo, 1.0), 0, 1), (lo >= 0) * 1.0)
            # relu(z) - slope * z is convex: 0 at z = 0, greatest at an end
            low, high = np.zeros_like(lo), np.where(both, np.maximum(-slope * lo, (1 - slope) * hi) * UP, 0.0)
        else:
            f = np.tanh if name == "Tanh" else _sigmoid
            a, b = f(lo), f(hi)
            steep = np.minimum(1 - a * a, 1 - b * b) if name == "Tanh" else np.minimum(a * (1 - a), b * (1 - b))
            # a slope that is nowhere above the derivative: then f(z) - slope * z rises
            slope = np.maximum(steep - 1e-13, 0.0)
            pad = LIBM + 8 * U64 * (np.abs(lo) + np.abs(hi)) + (8 * U32 if self.single else 0.0)
            low, high = a - slope * lo - pad, b - slope * hi + pad
        middle, half = (low + high) / 2, (high - low) / 2 * UP
        e = (slope * self.e + 8 * U64 * (slope * self.size + np.abs(low) + np.abs(high))) * UP + TINY
        kept = half > 0
        new = np.zeros((len(half), max(int(kept.sum(axis=1).max(initial=0)), 0), half.shape[1]))
        box, neuron = np.nonzero(kept)
        new[box, (np.cumsum(kept, axis=1) - 1)[box, neuron], neuron] = half[box, neuron]
        g = np.concatenate([self.g * slope[:, None, :], new], axis=1)
        return _Form(slope * self.c + middle, g, e, self.single)

    def least(self, row: Any, bound: Any) -> Any:
        """Lower bounds of ``row . x - bound``, ``row`` being of the box: ``(batch, n)``."""
        positive = np.abs(row)
        spread = np.abs(np.einsum("bgn,bn->bg", self.g, row)).sum(axis=1)
        reach = (positive * self.size).sum(axis=1) + np.abs(bound)
        slack = ((positive * self.e).sum(axis=1) + 4 * (row.shape[1] + 8) * U64 * reach) * UP
        return (row * self.c).sum(axis=1) - bound - spread * UP - slack


def _sigmoid(x: Any) -> Any:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


class _Graph:
    """The operators of an ONNX file, applied to forms one after the other."""

    def __init__(self, content: bytes, single: bool = False) -> None:
        import onnx
        from onnx import numpy_helper

        self.single = single
        model = onnx.load_model_from_string(content)
        self.nodes = list(model.graph.node)
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        for node in self.nodes:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        (self.input,) = [i.name for i in model.graph.input if i.name not in self.constants]
        (self.output,) = [o.name for o in model.graph.output]
        if any(v.dtype.kind == "f" and not np.isfinite(v).all() for v in self.constants.values()):
            raise RejectedError("the network has weights that are no finite numbers")

    def enclose(self, lo: Any, hi: Any) -> _Form:
        """The outputs over boxes of inputs, both ``(batch, inputs)``."""
        size, n = lo.shape
        g = np.zeros((size, n, n))
        g[:, range(n), range(n)] = (hi - lo) / 2 * UP
        form = _Form((lo + hi) / 2, g, 4 * U64 * (np.abs(lo) + np.abs(hi)) + TINY, self.single)
        name = self.input
        for node in self.nodes:
            if node.op_type == "Constant":
                continue
            if [i for i in node.input if i and i not in self.constants] != [name]:
                raise RejectedError(f"the operator {node.op_type} does not read just the tensor before it")
            form = self._apply(node, form, name)
            name = node.output[0]
        if name != self.output:
            raise RejectedError("the output is not what the last node computes")
        return form

    def _apply(self, node: Any, form: _Form, name: str) -> _Form:
        op, width = node.op_type, form.c.shape[1]
        given = [np.asarray(self.constants[i], np.float64) for i in node.input if i and i != name]
        first = node.input[0] == name
        said = {a.name: a.f if a.type == 1 else a.i for a in node.attribute}
        if op in ("Relu", "Tanh", "Sigmoid"):
            return form.activated(op)
        if op in ("Identity", "Flatten", "Reshape", "Dropout"):
            return form
        if op == "MatMul" and given[0].ndim == 2:
            return form.affine(*self._fitting(given[0] if first else given[0].T, 0.0, width))
        if op == "Gemm" and first and not said.get("transA", 0) and given[0].ndim == 2:
            weight = given[0].T if said.get("transB", 0) else given[0]
            bias = given[1].reshape(-1) if len(given) > 1 else 0.0
            scaled = said.get("beta", 1.0) * np.asarray(bias)
            return form.affine(*self._fitting(said.get("alpha", 1.0) * weight, scaled, width))
        if op in ("Add", "Sub", "Mul", "Div") and given[0].size in (1, width):
            value = np.broadcast_to(given[0].reshape(-1), (width,))
            if op == "Add":
                return form.affine(np.eye(width), value)
            if op == "Sub":
                return form.affine(np.eye(width) * (1.0 if first else -1.0), -value if first else value)
            if op == "Mul":
                return form.affine(np.diag(value), np.zeros(width))
            if op == "Div" and first and (value != 0).all():  # the reciprocal's rounding is within the slack
                return form.affine(np.diag(1.0 / value), np.zeros(width))
        raise RejectedError(f"the operator {op} is not one that is checked")

    def _fitting(self, weight: Any, bias: Any, width: int) -> tuple[Any, Any]:
        if weight.shape[0] != width:
            raise RejectedError(f"a product of {width} numbers with a matrix {weight.shape}")
        return weight, np.broadcast_to(np.asarray(bias, np.float64), weight.shape[1:])


# ---------------------------------------------------------------- the property


def _cases(text: str) -> list[tuple[Any, Any, list[tuple[Any, Any]]]]:
    """The boxes of inputs in order, each with the ways to violate: rows and bounds on the outputs."""
    stack: list[list[Any]] = [[]]
    for token in re.findall(r"[()]|[^\s()]+", re.sub(r";[^\n]*", "", text)):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    (expressions,) = stack
    names = [e[1] for e in expressions if e[0] == "declare-const"]
    count = {kind: 1 + max(int(n[2:]) for n in names if n[0] == kind) for kind in "XY"}
    ways: list[list[Any]] = [[]]
    for e in expressions:
        if e[0] == "assert":
            ways = [a + b for a in ways for b in _normal(e[1])]
        elif e[0] != "declare-const":
            raise RejectedError("the property has something else than declarations and assertions")
    found: dict[Any, list[tuple[Any, Any]]] = {}
    for way in ways:
        case = _case(way, count["X"], count["Y"])
        if case is not None:
            found.setdefault(case[0], []).append(case[1])
    return [(np.array([_down(v) for v in lo]), -np.array([_down(-v) for v in hi]), rows)
            for (lo, hi), rows in found.items()]  # fmt: skip


def _down(value: Fraction) -> float:
    near = float(value)
    return near if Fraction(near) <= value else float(np.nextafter(near, -np.inf))


def _normal(e: Any) -> list[list[Any]]:
    """The disjuncts of an assertion: lists of linear forms that are at most zero."""
    if e[0] == "or":
        return [way for part in e[1:] for way in _normal(part)]
    if e[0] == "and":
        ways: list[list[Any]] = [[]]
        for part in e[1:]:
            ways = [a + b for a in ways for b in _normal(part)]
        return ways
    low, high = (e[1], e[2]) if e[0] == "<=" else (e[2], e[1]) if e[0] == ">=" else (None, None)
    if low is None or high is None or len(e) != 3:
        raise RejectedError(f"the property has the operator {e[0]}")
    left, right = _linear(low), _linear(high)
    return [[{key: left.get(key, Fraction()) - right.get(key, Fraction()) for key in {**left, **right}}]]


def _linear(e: Any) -> dict[str, Fraction]:
    """A sum of products of a number and a variable; the key of the constant is empty."""
    if isinstance(e, str):
        return {e: Fraction(1)} if e[0] in "XY" else {"": Fraction(e)}
    parts = [_linear(p) for p in e[1:]]
    if e[0] == "*":
        (number,) = [p[""] for p in parts if set(p) == {""}][:1]
        (rest,) = [p for p in parts if set(p) != {""}]
        return {key: number * value for key, value in rest.items()}
    if e[0] == "+":
        return {key: sum((p.get(key, Fraction()) for p in parts), Fraction()) for p in parts for key in p}
    raise RejectedError(f"the property has the function {e[0]}")


def _case(way: list[dict[str, Fraction]], inputs: int, outputs: int) -> Any:
    lo: list[Any] = [None] * inputs
    hi: list[Any] = [None] * inputs
    rows, bounds = [], []
    for form in way:
        bound = -form.get("", Fraction())
        terms = {key: value for key, value in form.items() if key and value}
        if not terms:
            if bound < 0:
                return None
        elif all(key[0] == "Y" for key in terms):
            row = [0.0] * outputs
            for key, value in terms.items():
                row[int(key[2:])] = float(value)
                if Fraction(float(value)) != value:
                    raise RejectedError(f"the coefficient {value} is no float64 number")
            rows.append(row)
            bounds.append(-_down(-bound))
        else:
            ((key, value),) = terms.items()
            i, limit = int(key[2:]), bound / value
            if value > 0:
                hi[i] = limit if hi[i] is None else min(hi[i], limit)
            else:
                lo[i] = limit if lo[i] is None else max(lo[i], limit)
    if any(a > b for a, b in zip(lo, hi, strict=True)):
        return None
    if not rows:
        raise RejectedError("a way to violate asks nothing of the outputs")
    return (tuple(lo), tuple(hi)), (np.array(rows), np.array(bounds))
