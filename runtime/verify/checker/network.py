"""Checks a ``network`` certificate: no input of a VNN-LIB property makes an ONNX network violate it.

The certificate has the property's text, the digest of the network and, for each box of inputs, a tree of bisections.
Checking establishes for every leaf that each way to violate is refuted by one linear row: the row is above its bound on
a zonotope that encloses the outputs. Arithmetic is float64 with the rounding of every operation bounded from above
(Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, section 3.1) and added to a slack ``e``.
Every computed value of a layer may besides be off by what float32 can lose in any order of summation (a generator for
each): ``float32`` is true if all leaves close with that, else those that do not are closed without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentc.runtime.verify.checker import RejectedError
from agentc.runtime.verify.checker.vnnlib import cases

U64, U32 = 2.0**-53, 2.0**-24
UP, TINY, LIBM = 1 + 1e-9, 1e-300, 1e-14
BATCH = 128
MOST = 5_000_000


def verify(subject: Any, claim: Any, argument: Any, folder: Path) -> Mapping[str, Any]:
    """Facts of an accepted certificate; raises :class:`RejectedError`."""
    content = network_of(folder, subject["network"], subject["digest"])
    if claim != {"holds": "no input satisfies the property", "outcome": "unsat"}:
        raise RejectedError("it claims something else")
    graph = _Graph(content)
    boxes = cases(subject["property"])
    trees = argument["trees"]
    if set(argument) != {"trees"} or set(subject) != {"network", "digest", "property"}:
        raise RejectedError("it has other parts than a certificate of a network")
    if len(trees) != len(boxes):
        raise RejectedError(f"it has {len(trees)} trees for {len(boxes)} boxes")
    margin, covered, leaves = np.inf, 0, 0
    single = _Graph(content, single=True)
    for (lo, hi, ways), tree in zip(boxes, trees, strict=True):
        parts = list(_leaves(lo, hi, tree, [len(bounds) for _, bounds in ways]))
        for start in range(0, len(parts), BATCH):
            some = parts[start : start + BATCH]
            least = _least(single, some, ways)  # what holds of every float32 evaluation holds of the exact one
            margin = min(margin, float(least.min()))
            open_ = np.flatnonzero((least <= 0).any(axis=0))
            covered += len(some) - len(open_)
            if len(open_):
                exact = _least(graph, [some[k] for k in open_], ways)
                if not (exact > 0).all():
                    way, k = np.argwhere(exact <= 0)[0]
                    at = leaves + start + int(open_[k])
                    raise RejectedError(f"way {way} to violate is not refuted in leaf {at}")
        leaves += len(parts)
    return {"leaves": leaves, "margin": margin if leaves else None, "float32": covered == leaves,
            "float32 leaves": covered}  # fmt: skip


def _least(graph: _Graph, parts: list[Any], ways: list[Any]) -> Any:
    """By how much the named rows of leaves are above their bounds at least, ``(ways, leaves)``."""
    out = graph.enclose(np.array([p[0] for p in parts]), np.array([p[1] for p in parts]))
    found = []
    for way, (rows, bounds) in enumerate(ways):
        chosen = [p[2][way] for p in parts]
        found.append(out.least(rows[chosen], bounds[chosen]))
    return np.array(found).reshape(len(ways), len(parts))


def network_of(folder: Path, name: str, digest: str) -> bytes:
    """The model that a certificate names, in the folder or one that holds it; only with that digest."""
    for place in [folder.resolve(), *folder.resolve().parents][:6]:
        content, whole = _read(place / name)
        if "sha256:" + hashlib.sha256(whole).hexdigest() == digest:
            return content
    raise RejectedError(f"the network {name} is not there, or not the one that it is about")


def zonotopes(content: bytes) -> Callable[[Any, Any], tuple[Any, Any, Any]]:
    """A network on zonotopes ``c`` ``(batch, n)``, ``g`` ``(batch, generators, n)``: its outputs likewise, and a slack.

    The first generators of the outputs are those of the inputs. An evaluation in the file's own precision is covered,
    which that of its input decides: no operator that is checked changes it.
    """
    graph = _Graph(content, single=True)
    unit = U64 if graph.double else U32

    def outputs(c: Any, g: Any) -> tuple[Any, Any, Any]:
        out = graph.through(_Form(c, g, np.zeros_like(c), np.zeros_like(c), unit))
        return out.c, out.g, (out.d + out.e) * UP

    return outputs


def _read(path: Path) -> tuple[bytes, bytes]:
    """A model with all of its weights in it, and what its digest is of: its files one after the other."""
    import onnx

    if not path.is_file():
        return b"", b""
    content = path.read_bytes()
    model = onnx.load_model_from_string(content)
    files: dict[str, bytes] = {}
    for tensor in [*model.graph.initializer, *(a.t for n in model.graph.node for a in n.attribute if a.HasField("t"))]:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        said = {e.key: e.value for e in tensor.external_data}
        place = (path.parent / said["location"]).resolve()
        if not place.is_relative_to(path.parent.resolve()) or not place.is_file():
            raise RejectedError(f"its weights are not in the folder: {said['location']}")
        whole = files.setdefault(said["location"], place.read_bytes())
        start = int(said.get("offset", 0))
        tensor.raw_data = whole[start : start + int(said.get("length", len(whole) - start))]
        tensor.data_location = onnx.TensorProto.DEFAULT
        tensor.ClearField("external_data")
    parts = b"".join([content, *(files[name] for name in sorted(files))])
    return (model.SerializeToString() if files else content), parts


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
    """For each box of a batch: ``centre + sum of generators * [-1, 1] + own * [-1, 1] + slack * [-1, 1]``.

    ``c``, ``d`` and ``e`` are ``(batch, n)``, ``g`` is ``(batch, generators, n)``. ``d`` are generators that no two
    numbers share; the next product makes them those of ``g``. ``e`` is what float64 may have lost. ``unit`` is the
    roundoff of an evaluation that is covered too, by ``d``; 0 of none.
    """

    c: Any
    g: Any
    d: Any
    e: Any
    unit: float = 0.0

    @property
    def size(self) -> Any:
        """An upper bound of the absolute value."""
        return (np.abs(self.c) + np.abs(self.g).sum(axis=1) + self.d + self.e) * UP

    def product(self, weight: Any, bias: Any) -> _Form:
        """``x @ weight + bias``."""
        n = len(weight)
        positive = np.abs(weight)
        reach = self.size @ positive + np.abs(bias)
        e = (self.e @ positive + 2 * (n + 4) * U64 * reach) * UP + TINY
        g = np.concatenate([self.g @ weight, self._owned(weight)], axis=1)
        return _Form(self.c @ weight + bias, g, self._summed(weight, bias, reach), e, self.unit)

    def scaled(self, factor: Any, plus: Any) -> _Form:
        """``x * factor + plus``, number by number."""
        positive = np.abs(factor)
        reach = self.size * positive + np.abs(plus)
        e = (self.e * positive + 8 * U64 * reach) * UP + TINY
        d = (self.d * positive + self._lost(2, reach)) * UP
        return _Form(self.c * factor + plus, self.g * factor, d, e, self.unit)

    def _summed(self, weight: Any, bias: Any, reach: Any) -> Any:
        """What sums of products may lose in an evaluation, in any order.

        Every partial sum lies between the sum of the negative and that of the positive terms, and an addition loses at
        most half a unit of one; what is zero is added without loss. Each product and each input is rounded once.
        """
        if not self.unit:
            return np.zeros_like(reach)
        terms = (self.size > 1e-200) @ (weight != 0).astype(np.float64) + 2
        radius = self.size - np.abs(self.c)
        most, least = np.maximum(self.c + radius, 0), np.maximum(radius - self.c, 0)
        rising, falling = np.maximum(weight, 0), np.maximum(-weight, 0)
        plus = most @ rising + least @ falling + np.maximum(bias, 0)
        minus = least @ rising + most @ falling + np.maximum(-bias, 0)
        return (self.unit * (terms * np.maximum(plus, minus) * 1.001 + 4 * reach) + 1e-37) * UP

    def _lost(self, roundings: int, reach: Any) -> Any:
        return (roundings * self.unit * reach + 1e-37) * UP if self.unit else np.zeros_like(reach)

    def _owned(self, weight: Any) -> Any:
        """The own generators after a product: of each box those that are not zero."""
        kept = self.d > 0
        made = np.zeros((len(kept), int(kept.sum(axis=1).max(initial=0)), weight.shape[1]))
        box, number = np.nonzero(kept)
        made[box, (np.cumsum(kept, axis=1) - 1)[box, number]] = self.d[box, number, None] * weight[number]
        return made

    def activated(self, name: str) -> _Form:
        """An activation: a line through the bounds, and an own generator for the rest."""
        radius = (np.abs(self.g).sum(axis=1) + self.d + self.e) * UP + 4 * U64 * np.abs(self.c) + TINY
        lo, hi = self.c - radius, self.c + radius
        if name == "Relu":
            both = (lo < 0) & (hi > 0)
            slope = np.where(both, np.clip(hi / np.where(both, hi - lo, 1.0), 0, 1), (lo >= 0) * 1.0)
            # relu(z) - slope * z is convex: 0 at z = 0, greatest at an end
            low, high = np.zeros_like(lo), np.where(both, np.maximum(-slope * lo, (1 - slope) * hi) * UP, 0.0)
        else:
            f, unit = (np.tanh, 1.0) if name == "Tanh" else (_sigmoid, 2.0)
            a, b, wide = f(lo), f(hi), hi - lo > 1e-4
            ends = np.minimum(1 - a * a, 1 - b * b) if unit == 1 else np.minimum(a * (1 - a), b * (1 - b))
            slope = np.clip(np.where(wide, (b - a) / np.where(wide, hi - lo, 1.0), ends), 0.0, 1 / unit**2)
            slope = np.where(slope < 1e-9, 0.0, slope)  # then f itself, which rises
            # f(z) - slope * z is farthest from zero at an end or where f' is the slope: z = -+turn
            turn = unit * np.arctanh(np.minimum(np.sqrt(1 - slope * unit**2), 1 - 1e-12))
            places = np.stack([lo, hi, np.clip(turn, lo, hi), np.clip(-turn, lo, hi)])
            off = f(places) - slope * places
            pad = LIBM + 8 * U64 * (np.abs(lo) + np.abs(hi)) + 8 * self.unit
            low, high = off.min(axis=0) - pad, off.max(axis=0) + pad
        middle, half = (low + high) / 2, (high - low) / 2 * UP
        e = (slope * self.e + 8 * U64 * (slope * self.size + np.abs(low) + np.abs(high))) * UP + TINY
        d = (slope * self.d + half) * UP
        return _Form(slope * self.c + middle, self.g * slope[:, None, :], d, e, self.unit)

    def limited(self, value: Any, sign: float) -> _Form:
        """``max(x, v) = v + relu(x - v)`` for the sign 1, ``min(x, v) = v - relu(v - x)`` for -1."""
        factor = np.full(len(value), sign)
        return self.scaled(factor, -sign * value).activated("Relu").scaled(factor, value)

    def least(self, row: Any, bound: Any) -> Any:
        """Lower bounds of ``row . x - bound``, ``row`` being of the box: ``(batch, n)``."""
        positive = np.abs(row)
        spread = np.abs(np.einsum("bgn,bn->bg", self.g, row)).sum(axis=1) + (positive * self.d).sum(axis=1)
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
        (given,) = [i for i in model.graph.input if i.name not in self.constants]
        self.input, self.double = given.name, given.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
        outputs = [o.name for o in model.graph.output]
        self.output = outputs[0] if len(outputs) == 1 else "action"
        if any(v.dtype.kind == "f" and not np.isfinite(v).all() for v in self.constants.values()):
            raise RejectedError("the network has weights that are no finite numbers")

    def enclose(self, lo: Any, hi: Any) -> _Form:
        """The outputs over boxes of inputs, both ``(batch, inputs)``."""
        size, n = lo.shape
        g = np.zeros((size, n, n))
        g[:, range(n), range(n)] = (hi - lo) / 2 * UP
        e = 4 * U64 * (np.abs(lo) + np.abs(hi)) + TINY
        return self.through(_Form((lo + hi) / 2, g, np.zeros((size, n)), e, U32 if self.single else 0.0))

    def through(self, form: _Form) -> _Form:
        """The outputs over forms of inputs."""
        name = self.input
        for node in self.nodes:
            if node.op_type == "Constant":
                continue
            if [i for i in node.input if i and i not in self.constants] != [name]:
                raise RejectedError(f"the operator {node.op_type} does not read just the tensor before it")
            form = self._apply(node, form, name)
            name = node.output[0]
            if name == self.output:
                break
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
            return form.product(*self._fitting(given[0] if first else given[0].T, 0.0, width))
        if op == "Gemm" and first and not said.get("transA", 0) and given[0].ndim == 2:
            weight = given[0].T if said.get("transB", 0) else given[0]
            bias = given[1].reshape(-1) if len(given) > 1 else 0.0
            scaled = said.get("beta", 1.0) * np.asarray(bias)
            return form.product(*self._fitting(said.get("alpha", 1.0) * weight, scaled, width))
        if op in ("Add", "Sub", "Mul", "Div", "Min", "Max") and given[0].size in (1, width):
            value = np.broadcast_to(given[0].reshape(-1), (width,))
            one, zero = np.ones(width), np.zeros(width)
            if op == "Add":
                return form.scaled(one, value)
            if op == "Sub":
                return form.scaled(one if first else -one, -value if first else value)
            if op == "Mul":
                return form.scaled(value, zero)
            if op == "Div" and first and (value != 0).all():  # the reciprocal's rounding is within the slack
                return form.scaled(1.0 / value, zero)
            if op in ("Min", "Max"):
                return form.limited(value, 1.0 if op == "Max" else -1.0)
        if op == "Clip" and first:
            for limit, sign in zip(node.input[1:], (1.0, -1.0), strict=False):
                if limit and self.constants[limit].size in (1, width):
                    value = np.broadcast_to(np.asarray(self.constants[limit], np.float64).reshape(-1), (width,))
                    form = form.limited(value, sign)
                elif limit:
                    raise RejectedError("the limits of a Clip have another size")
            return form
        raise RejectedError(f"the operator {op} is not one that is checked")

    def _fitting(self, weight: Any, bias: Any, width: int) -> tuple[Any, Any]:
        if weight.shape[0] != width:
            raise RejectedError(f"a product of {width} numbers with a matrix {weight.shape}")
        return weight, np.broadcast_to(np.asarray(bias, np.float64), weight.shape[1:])
