"""Checks a ``reach`` certificate: a tube of sets that holds every run of a closed loop, and a formula on the tube.

The certificate has the agent's meaning, which item it is about and the digest of the network, if one is the controller.
For each box of starts it has a tree of cuts, and for each part and each period a zonotope: a centre, generators, and a
generator for each state alone. Checking establishes, for every part and period by itself:

1. the parts cover the starts: they are the leaves of the tree;
2. the image of a set under one period of the loop lies in the next set. The image is computed anew: the network's
   zonotope with generators shared with the state, rounding to float32 included, then validated Taylor steps. It lies in
   the next set if its generators, each scaled and matched to the one that the certificate names, leave no more than
   the generators of the states alone have room for;
3. the formula holds of every run in the tube: ``always`` at every sample and in the tube between them, ``eventually``
   at some sample. The truth values of propositions are those that are the same on a whole set.

Nothing is searched for and no period waits for another. The inclusion is that of Sadraddini and Tedrake, "Linear
encodings for polytope containment problems", CDC 2019, theorem 3, with a diagonal matrix.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agentc.compiler.codec import decode_agent
from agentc.compiler.logic.ir import Formula, postorder
from agentc.compiler.systems.dynamics import Dynamics, bounds
from agentc.compiler.systems.graph import graph_of
from agentc.compiler.systems.initial import initial_boxes
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.checker import RejectedError
from agentc.runtime.verify.checker.enclosure import Enclosing
from agentc.runtime.verify.checker.flow import UNIT, UP, Form, add, between, magnitude, mul, step, strays, taylor
from agentc.runtime.verify.checker.future import holds
from agentc.runtime.verify.checker.network import network_of, zonotopes

CLAIM = "the formula holds, of every sample and of every moment, from every start"
BATCH, MOST = 256, 400_000_000


def verify(subject: Any, claim: Any, argument: Any, folder: Path) -> Mapping[str, Any]:
    """Facts of an accepted certificate; raises :class:`RejectedError`."""
    if set(subject) != {"agent", "item", "network", "digest"} or set(argument) != {"starts"}:
        raise RejectedError("it has other parts than a tube")
    try:
        agent = decode_agent(subject["agent"])
    except AgentcError as error:
        raise RejectedError(error.diagnostics[0].message) from error
    if type(subject["item"]) is not int or not 0 <= subject["item"] < len(agent.verifies):
        raise RejectedError("the agent has no such item")
    item = agent.verifies[subject["item"]]
    if set(claim) != {"holds", "periods"} or claim["holds"] != CLAIM or item.bound is not None:
        raise RejectedError("it claims something else")
    periods, known = claim["periods"], agent.environment.horizon if agent.environment else None
    if type(periods) is not int or not 1 <= periods <= 100_000:
        raise RejectedError("it has no such number of periods")
    if periods != known and (periods > (known or periods) or not _ahead(item.formula) <= periods):
        raise RejectedError("the formula looks further than the tube reaches")
    name = str(item.settings.get("controller", "")) if item.method == "reach" else ""
    if name == "trained" and isinstance(subject["network"], str):  # then the claim is about the policy that it names
        name = subject["network"]
    elif subject["network"] != (name if name.endswith(".onnx") else None):
        raise RejectedError("it is about another controller")
    content = network_of(folder, name, subject["digest"]) if subject["network"] else b""
    with np.errstate(all="ignore"):
        loop = _Loop(agent.system, name, content, item.formula)
        boxes = initial_boxes(loop.system)
        if len(argument["starts"]) != len(boxes):
            raise RejectedError("the system starts elsewhere")
        parts = sum(_start(loop, b, s, periods) for b, s in zip(boxes, argument["starts"], strict=True))
    return {"parts": parts, "periods": periods, "sets": parts * (periods + 1), "float32": bool(content)}


def _ahead(formula: Formula) -> float:
    """How many steps a formula looks ahead."""
    found: dict[Any, float] = {}
    for f in postorder(formula):
        if isinstance(f, Formula):
            last = 0.0
            if f.op in ("F", "G", "U", "R", "W", "M", "X", "WX"):
                last = np.inf if f.interval is None or f.interval[1] is None else f.interval[1]
            found[f] = last + max((found[a] for a in f.args if isinstance(a, Formula)), default=0.0)
    return found[formula]


def _start(loop: _Loop, box: Any, data: Any, periods: int) -> int:
    """Check the tubes of one box of starts; how many parts it has."""
    if set(data) != {"tree", "substeps", "order", "generators", "centres", "columns", "own", "kept"}:
        raise RejectedError("it has other parts than a tube")
    leaves = list(_leaves(box.lo, box.hi, data["tree"]))
    lo, hi = np.array([a for a, _ in leaves]), np.array([b for _, b in leaves])
    n, width = lo.shape[1], data["generators"]
    substeps, order = data["substeps"], data["order"]
    if any(type(v) is not int or not 1 <= v <= 128 for v in (width, substeps, order)) or width < 2 * n:
        raise RejectedError("it has no such size")
    count = len(lo)
    centres = _numbers(data["centres"], (count, periods, n), "<f4")
    columns = _numbers(data["columns"], (count, periods, n, width - n), "<f4")
    own = _numbers(data["own"], (count, periods, n), "<f4")
    kept = _numbers(data["kept"], (count, periods, width - n), "<i2").astype(np.int64)
    if (own < 0).any() or not all(np.isfinite(a).all() for a in (centres, columns, own)):
        raise RejectedError("a set is none")
    first = np.zeros((count, n, width))
    first[:, range(n), range(n)] = [[f.radius[0] for f in _box(a, b)] for a, b in zip(lo, hi, strict=True)]
    generators = np.concatenate([first[:, None], np.zeros((count, periods, n, width))], axis=1)
    generators[:, 1:, :, : width - n] = columns
    generators[:, 1:, range(n), range(width - n, width)] = own
    middles = np.concatenate([((lo + hi) / 2)[:, None], centres], axis=1)
    truths: dict[Any, Any] = {a: np.ones((2, 2 * periods + 1, count), bool) for a in loop.atoms}
    rows = [(part, t) for t in range(periods) for part in range(count)]
    for at in range(0, len(rows), BATCH):
        part, t = np.array(rows[at : at + BATCH]).T
        states = _forms(middles[part, t], generators[part, t])
        image, tubes = loop.period(states, substeps, order)
        _inside(image, middles[part, t + 1], columns[part, t], own[part, t], kept[part, t], (part, t))
        after = _forms(middles[part, t + 1], generators[part, t + 1])
        for slot, forms in [(2 * t, states), (2 * t + 2, after), *((2 * t + 1, tube) for tube in tubes)]:
            for atom, pair in loop.judged(forms).items():
                for side in (0, 1):
                    truths[atom][side, slot, part] &= pair[side]
    if not (sure := holds(loop.formula, truths, periods, loop.dynamics.discrete, count)).all():
        raise RejectedError(f"the formula is not shown on part {int(sure.argmin())}")
    return count


def _box(lo: Any, hi: Any) -> list[Form]:
    return [between(np.array([a]), np.array([b])) for a, b in zip(lo, hi, strict=True)]


def _forms(centre: Any, generators: Any) -> list[Form]:
    """Sets ``(batch, n)``, ``(batch, n, generators)`` as forms."""
    return [Form(centre[:, i], generators[:, i], np.zeros(len(centre))) for i in range(centre.shape[1])]


def _numbers(data: Any, shape: tuple[int, ...], kind: str) -> Any:
    """An array that was compressed and written as text."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    if size > MOST:
        raise RejectedError("it is too large")
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(base64.b64decode(data, validate=True), size + 1)
    except zlib.error as error:
        raise RejectedError("an array is damaged") from error
    if len(raw) != size or not stream.eof or stream.unused_data:
        raise RejectedError("an array has another size than it should")
    return np.frombuffer(raw, kind).reshape(shape).astype(np.float64)


def _leaves(lo: Any, hi: Any, tree: Any) -> Iterator[tuple[Any, Any]]:
    """The leaves of a tree in preorder: 0, or a side and where it is cut."""
    stack = [(lo, hi)]
    for node in tree:
        if not stack:
            raise RejectedError("a tree has more nodes than it has room for")
        a, b = stack.pop()
        if node == 0:
            yield a, b
            continue
        side, value = node
        if type(side) is not int or not 0 <= side < len(a) or not a[side] <= value <= b[side]:
            raise RejectedError("a box cannot be cut there")
        below, above = b.copy(), a.copy()
        below[side] = above[side] = value
        stack += [(above, b), (a, below)]
    if stack:
        raise RejectedError("a part of the starts has no leaf")


def _inside(image: list[Form], centre: Any, columns: Any, own: Any, kept: Any, where: Any) -> None:
    """Reject unless the image lies in the set."""
    g = np.stack([f.g for f in image], axis=1)  # (batch, states, generators)
    rows = np.arange(len(g))[:, None]
    used = np.zeros((len(g), g.shape[2]), int)
    np.add.at(used, (rows, np.maximum(kept, 0)), kept >= 0)
    if (kept >= g.shape[2]).any() or (used > 1).any():
        raise RejectedError("a generator is matched to none, or twice")
    matched = np.where((kept >= 0)[:, None], np.take_along_axis(g, np.maximum(kept, 0)[:, None], axis=2), 0.0)
    scale = (matched * columns).sum(axis=1) / np.maximum((columns**2).sum(axis=1), 1e-300)
    scale = np.where(np.abs(scale - 1) < 1e-4, 1.0, np.clip(scale, -1.0, 1.0))[:, None]  # any in [-1, 1] will do
    c, r = np.stack([f.c for f in image], axis=1), np.stack([f.r for f in image], axis=1)
    off = np.abs(matched - scale * columns).sum(axis=2) + (np.abs(g) * (used == 0)[:, None]).sum(axis=2)
    size = np.abs(c) + np.abs(centre) + np.abs(g).sum(axis=2) + np.abs(columns).sum(axis=2) + r
    fits = (off + np.abs(c - centre) + r + UNIT * size) * UP <= own
    if not fits.all():
        part, t = (int(w[(~fits.all(axis=1)).argmax()]) for w in where)
        raise RejectedError(f"the image of part {part} in period {t} does not lie in the next set")


class _Loop:
    """One period of the closed loop, and what propositions are on sets; made from the declaration."""

    def __init__(self, system: Any, name: str, content: bytes, formula: Formula) -> None:
        if system is None or system.commands or system.modes or any(v.kind != "real" for v in system.variables):
            raise RejectedError("the system is not one of equations over real numbers")
        self.system, self.name, self.formula = system, name, formula
        self.dynamics, self.names = Dynamics(system), [v.name for v in system.states]
        atoms = [f for f in postorder(formula) if isinstance(f, Formula) and f.op == "atom"]
        self.atoms = {a: graph_of([a], system.states) for a in dict.fromkeys(atoms)}
        self.network = zonotopes(content) if content else None
        self.inputs = system.inputs if name else ()
        self.moving = [*system.disturbances, *(() if name else system.inputs)]
        ranges = np.array(bounds(self.moving)).T
        if not np.isfinite(ranges).all() or system.step is None:
            raise RejectedError("a disturbance has no range, or the system no step")
        self.ranges = {v.name: (float(a), float(b)) for v, (a, b) in zip(self.moving, ranges, strict=True)}
        self.slopes: Any = None
        if self.moving and not self.dynamics.discrete:
            state, given, disturbance = self.dynamics.jacobian()
            count = len(system.disturbances)
            self.slopes = state, [(disturbance, count), (given, len(self.moving) - count)]

    def period(self, states: list[Form], substeps: int, order: int) -> tuple[list[Form], list[list[Form]]]:
        """The image of forms after a period, and the tubes of its substeps."""
        n, size = len(states), len(states[0].c)
        forms = _owned([*states, *self._control(states)], n)
        states, held = forms[:n], dict(zip([v.name for v in self.inputs], forms[n:], strict=True))
        columns = states[0].g.shape[1]
        if self.dynamics.discrete:
            held |= {v: between(np.full(size, a), np.full(size, b), columns) for v, (a, b) in self.ranges.items()}
            after = taylor(self.dynamics.rates[0], self.names, states, held, 1)
            return [add(between(np.zeros(size), np.zeros(size), columns), rows[1]) for rows in after], []
        tubes = []
        moving = {v: between(np.full(size, a), np.full(size, b)) for v, (a, b) in self.ranges.items()}
        for k in range(substeps):
            if k:
                forms = _owned([*held.values(), *states], len(held))
                held, states = dict(zip(held, forms, strict=False)), forms[len(held) :]
            columns = states[0].g.shape[1]
            middle = {v: Form(f.c, np.zeros((size, columns)), np.zeros(size)) for v, f in moving.items()}
            h = self.system.step / substeps
            graph = self.dynamics.rates[0]
            states, tube = step(graph, self.names, states, {**held, **middle}, moving, self._strays(h, size), h, order)
            tubes.append(tube)
        return states, tubes

    def _strays(self, h: float, size: int) -> Callable[[Mapping[str, Any]], Any]:
        n = len(self.names)

        def found(values: Mapping[str, Any]) -> Any:
            if self.slopes is None:
                return np.zeros((n, size))

            def rows(graph: Any) -> Any:
                return np.array([magnitude(v, size) for v in graph.walk(Enclosing(size, 0), values)])

            by_state = rows(self.slopes[0]).reshape(n, n, size)
            half = [(b - a) / 2 * UP for a, b in self.ranges.values()]
            parts = [rows(graph).reshape(n, count, size) for graph, count in self.slopes[1] if count]
            return strays(by_state, np.einsum("ikb,k->ib", np.concatenate(parts, axis=1), half) * UP, h)

        return found

    def _control(self, states: list[Form]) -> list[Form]:
        """The inputs as forms with the generators of the states."""
        if not self.inputs:
            return []
        count = states[0].g.shape[1]
        if self.network is None:
            values = dict(zip(self.names, states, strict=True))
            made = self.dynamics.law(self.name).walk(Enclosing(len(states[0].c), count), values)
            given = [add(mul(s, 0.0), v) for s, v in zip([states[0]] * len(made), made, strict=True)]
        else:
            c, g = np.stack([f.c for f in states], axis=1), np.stack([f.g for f in states], axis=2)
            c, g, e = self.network(c, g)
            if c.shape[1] != len(self.inputs):
                raise RejectedError("the network has other outputs than the system inputs")
            rest = (np.abs(g[:, count:]).sum(axis=1) + e) * UP
            given = [Form(c[:, i], g[:, :count, i], rest[:, i]) for i in range(len(self.inputs))]
        return [_clipped(f, lo, hi) for f, lo, hi in zip(given, *bounds(self.inputs), strict=True)]

    def judged(self, forms: list[Form]) -> dict[Any, tuple[Any, Any]]:
        """Of each atom, where it is true on the whole set, and where it is false."""
        values = dict(zip(self.names, forms, strict=True))
        arithmetic = Enclosing(len(forms[0].c), forms[0].g.shape[1])
        return {atom: graph.walk(arithmetic, values)[0] for atom, graph in self.atoms.items()}


def _owned(forms: list[Form], first: int) -> list[Form]:
    """The forms with the slack of each from the ``first`` one on as a generator."""
    made = []
    for i, f in enumerate(forms):
        new = np.zeros((len(f.c), len(forms) - first))
        if i >= first:
            new[:, i - first] = f.r
        made.append(Form(f.c, np.concatenate([f.g, new], axis=1), np.zeros_like(f.r) if i >= first else f.r))
    return made


def _clipped(form: Form, lo: float, hi: float) -> Form:
    """``lo + relu(x - lo)``, then ``hi - relu(hi - x)``, each by a line."""
    for limit, sign in ((lo, 1.0), (hi, -1.0)):
        if np.isfinite(limit):
            shifted = add(mul(form, sign), -sign * limit)
            a, b = shifted.bounds
            both = (a < 0) & (b > 0)
            tilt = np.clip(np.where(both, b / np.where(both, b - a, 1.0), (a >= 0) * 1.0), 0, 1)
            high = np.where(both, np.maximum(-tilt * a, (1 - tilt) * b), 0.0) * UP
            off = (high / 2 + UNIT * shifted.size) * UP
            line = Form(shifted.c * tilt + high / 2, shifted.g * tilt[:, None], shifted.r * tilt + off)
            cut = add(mul(line, sign), limit)
            inner = a >= 0
            form = Form(np.where(inner, form.c, cut.c), np.where(inner[:, None], form.g, cut.g),
                        np.where(inner, form.r, cut.r))  # fmt: skip
    return form
