"""Checks a ``data`` certificate: every run of every model that explains the recordings satisfies the formula.

The certificate has the agent's meaning, the digests of the recordings and of the plan, and multipliers that bound the
models. Checking reads the files anew, multiplies the multipliers out (``sum_t h_t phi_t = d`` gives ``theta d <= sum_t
h_t y_t + noise sum_t |h_t|``; what is left over is bounded), follows zonotopes through all steps and evaluates the
formula on them, true, false or open. Numbers are integers in units of 2^-120; each division rounds outward.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from agentc.compiler.codec import decode_agent
from agentc.compiler.systems.assumed import assumed_box, states_of
from agentc.compiler.systems.dynamics import Dynamics
from agentc.compiler.systems.initial import initial_boxes
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.checker import RejectedError
from agentc.runtime.verify.checker.fixed import BITS, ONE, Form, exact, near, walk
from agentc.runtime.verify.checker.residual import Residual
from agentc.runtime.verify.checker.truth import Truth

CLAIM = "every run of every model that explains the recordings satisfies it"
NEAR = ONE >> 20
MOST = 12
"""Generators that are kept, for each state."""


def verify(subject: Any, claim: Any, argument: Any, folder: Path) -> Mapping[str, Any]:
    """Facts of an accepted certificate; raises :class:`RejectedError`."""
    try:
        agent = decode_agent(subject["agent"])
        index = subject["item"]
        whole = set(subject) == {"agent", "item", "files", "folder"} and type(index) is int
        if not whole or not 0 <= index < len(agent.verifies):
            raise RejectedError("the agent has no such item")
        return _Check(agent, agent.verifies[index], subject["files"], claim, argument, folder / subject["folder"]).run()
    except AgentcError as error:
        raise RejectedError(error.diagnostics[0].message) from error


class _Check:
    def __init__(self, agent: Any, item: Any, files: Any, claim: Any, argument: Any, folder: Path) -> None:
        self.agent, self.formula, self.settings, self.argument = agent, item.formula, item.settings, argument
        self.lipschitz = self._said("model") == "lipschitz" and not self._said("features")
        if (argument["by"] == "lipschitz") != self.lipschitz:
            raise RejectedError("it argues for another kind of model")
        if item.method != "data" or item.bound is not None or self._said("controller").endswith(".onnx"):
            raise RejectedError("the item is not one of this method")
        self.states = states_of(agent)
        rows = _rows(folder, self._said("trajectories"), files["trajectories"])
        plan = _rows(folder, self._said("plan"), files["plan"]) if self._said("plan") else None
        if set(files) != {"trajectories", *(("plan",) if plan is not None else ())}:
            raise RejectedError("it names other files than the item")
        system = agent.system
        if system is not None:
            self.inputs = [v.name for v in system.inputs]
            self.boxes = [(b.lo.tolist(), b.hi.tolist()) for b in initial_boxes(system)]
        else:
            self.inputs = [n.removeprefix("action.") for n in (plan or [{}])[0] if n.startswith("action.")]
            lo, hi = assumed_box(agent, self.states)
            self.boxes = [(lo.tolist(), hi.tolist())]
        self.residual: Residual | None = None
        self.names = [*(v.name for v in self.states), *self.inputs]
        self.noise = self._noise()
        self.texts = self._texts()
        self.before, self.after = self._transitions(rows)
        self.low, self.high = self._held(plan, claim["steps"])
        wanted = {"holds": CLAIM, "steps": len(self.low), "noise": claim["noise"], "features": self.texts,
                  "transitions": len(self.after)}  # fmt: skip
        if claim != wanted or [exact(v) for v in claim["noise"]] != self.noise:
            raise RejectedError("it claims something else")

    def _said(self, name: str) -> str:
        return str(self.settings.get(name, ""))

    def _noise(self) -> list[int]:
        found = {v.name: self.settings["noise"] for v in self.states}
        for part in filter(str.strip, self._said("noises").split(",")):
            name, value = part.split()
            found[name] = float(value)
        return [exact(found[v.name]) for v in self.states]

    def _texts(self) -> list[str]:
        text, model = self._said("features"), self._said("model")
        if text:
            return list(dict.fromkeys(text.replace(",", " ").split()))
        texts = [] if model == "linear" else ["1"]
        order = {n: i for i, n in enumerate(self.names)}
        for k in range(1, int(self.settings["degree"]) + 1 if model == "polynomial" else 2):
            texts += ["*".join(c) for c in product(self.names, repeat=k) if list(c) == sorted(c, key=order.__getitem__)]
        return texts

    def _transitions(self, rows: list[dict[str, Any]]) -> tuple[list[list[Form]], list[list[int]]]:
        before, after = [], []
        for last, row in pairwise(rows):
            if last.get("run") == row.get("run"):
                point = [last[v.name] for v in self.states] + [row[f"action.{n}"] for n in self.inputs]
                before.append(self._features([Form(exact(x), []) for x in point]))
                after.append([exact(row[v.name]) for v in self.states])
        return before, after

    def _features(self, values: list[Form]) -> list[Form]:
        """The features at states and inputs."""
        at = dict(zip(self.names, values, strict=True))
        found = []
        for text in self.texts:
            made: Form | None = None
            for factor in [] if text == "1" else text.split("*"):
                base, _, power = factor.partition("^")
                one = at[base[4:-1]].wave(base.startswith("cos(")) if base.endswith(")") else at[base]
                if base.endswith(")") and base[:4] not in ("sin(", "cos("):
                    raise RejectedError(f"`{factor}` is no factor")
                for _ in range(int(power or 1)):
                    made = one if made is None else made.times(one)
            found.append(made or Form(ONE, [0] * len(values[0].g)))
        return found

    def _held(self, plan: Any, steps: Any) -> tuple[list[list[int]], list[list[int]]]:
        """The least and the greatest input of each step."""
        if plan is not None:
            rows = [[exact(row[f"action.{n}"]) for n in self.inputs] for row in plan]
            return rows, rows
        whole = self.agent.environment.horizon if self.agent.environment is not None else None
        if type(steps) is not int or steps != whole:
            raise RejectedError("it covers other steps than the environment has")
        if self._said("controller"):
            return [[]] * steps, [[]] * steps
        ranges = [(exact(v.lo), exact(v.hi)) for v in self.agent.system.inputs]
        return [[a for a, _ in ranges]] * steps, [[b for _, b in ranges]] * steps

    # ------------------------------------------------------------ models

    def _models(self) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
        """Centre ``(n, m)``, rows ``(J, m)``, widths ``(n, J)``: ``|theta phi - centre phi| <= width |rows phi|``."""
        m, by = len(self.texts), self.argument["by"]
        if by == "lipschitz":
            fit = [[near(v) for v in row] for row in self.argument["fit"]]
            if len(fit) != len(self.states) or any(len(row) != m for row in fit):
                raise RejectedError("its fit has another size")
            phi = [[f.c for f in row] for row in self.before]  # affine: without rounding
            self.residual = Residual(phi, self.after, fit, self.noise, exact(self.settings["lipschitz"]))
            return fit, [], [[] for _ in fit]
        unit = [[ONE * (k == j) for k in range(m)] for j in range(m)]
        if by == "zonotope":
            inverse = [[near(v) for v in row] for row in self.argument["inverse"]]
            if len(inverse) != len(self.after) or any(len(row) != m for row in inverse):
                raise RejectedError("its inverse has another size")
            ways = [([(t, row[k]) for t, row in enumerate(inverse)], unit[k]) for k in range(m)]
            found = [self._bounded(i, ways, unit) for i in range(len(self.states))]
            centre = [[total for total, _, _ in row] for row in found]
            width = [
                [bound] * len(inverse) + [more for _, _, more in row]
                for bound, row in zip(self.noise, found, strict=True)
            ]  # fmt: skip
            return centre, inverse + unit, width
        scale, mean = [exact(v) for v in self.argument["scale"]], [exact(v) for v in self.argument["mean"]]
        power = all(s > 0 and not s & (s - 1) for s in scale) and by == "tight" and len(scale) == len(mean) == m
        odd = any(v * ONE % s for v, s in zip(mean, scale, strict=True)) or (any(mean) and "1" not in self.texts)
        if not power or odd:
            raise RejectedError("its directions are none")
        directions, rows = [[s * u // ONE for u in row] for s, row in zip(scale, unit, strict=True)], []
        for j, s in enumerate(scale):
            rows.append([ONE * ONE // s * (k == j) for k in range(m)])
        if "1" in self.texts:
            one = self.texts.index("1")
            if scale[one] != ONE or mean[one] != ONE:
                raise RejectedError("its constant feature is not 1")
            directions[one] = [ONE if k == one else mean[k] for k in range(m)]
            for j, s in enumerate(scale):
                rows[j][one] = -mean[j] * ONE // s
            rows[one] = list(unit[one])
        centre, width = [], []
        for i, given in enumerate(self.argument["weights"]):
            ways = [
                ([(t, near(h)) for t, h in zip(*weights, strict=True)], [sign * d for d in direction])
                for pair, direction in zip(given, directions, strict=True)
                for weights, sign in zip(pair, (1, -1), strict=True)
            ]  # fmt: skip
            sums = [total + noise + more for total, noise, more in self._bounded(i, ways, rows)]
            middle = [(high - low) // 2 for high, low in zip(sums[::2], sums[1::2], strict=True)]
            half = [max(high + low, 0) // 2 + 2 for high, low in zip(sums[::2], sums[1::2], strict=True)]
            centre.append([sum(c * row[k] for c, row in zip(middle, rows, strict=True)) >> BITS for k in range(m)])
            width.append(half + [2] * m)  # and what rounding the centre loses
        if len(centre) != len(self.states):
            raise RejectedError("it has another number of multipliers")
        return centre, rows + unit, width

    def _bounded(self, i: int, ways: Any, rows: Any) -> list[tuple[int, int, int]]:
        """For weights and what they are to give: ``sum h y``, ``noise sum |h|``, and a bound of what is left over."""
        m, found = len(self.texts), []
        for weights, wanted in ways:
            total, size, left, vague = 0, 0, [w * ONE for w in wanted], [0] * m
            for t, h in weights:
                total += h * self.after[t][i]
                size += abs(h)
                for k, form in enumerate(self.before[t]):
                    left[k] -= h * form.c
                    vague[k] += abs(h) * form.r
            off = [(abs(a) + b >> BITS) + 1 for a, b in zip(left, vague, strict=True)]
            share = sum((sum(abs(r) * o for r, o in zip(row, off, strict=True)) >> BITS) + 1 for row in rows)
            found.append(((total >> BITS) + 1, (self.noise[i] * size >> BITS) + 1, share))
        if max(share for _, _, share in found) > NEAR:
            raise RejectedError("its multipliers do not give the directions")
        tau = 2 * max(abs(total) + noise for total, noise, _ in found)  # no direction of theta is greater
        return [(total, noise, (tau * share >> BITS) + 3) for total, noise, share in found]

    # ------------------------------------------------------------ sets

    def run(self) -> Mapping[str, Any]:
        """Every part of every start."""
        models, cells, starts = self._models(), 0, self.argument["starts"]
        if len(starts) != len(self.boxes):
            raise RejectedError("it has other starts than the item")
        for edges, (lo, hi) in zip(starts, self.boxes, strict=True):
            sides = zip(edges, lo, hi, strict=True)
            if any(side != sorted(side) or len(side) < 2 or side[0] > a or side[-1] < b for side, a, b in sides):
                raise RejectedError("its parts do not cover the start")
            for cell in product(*(range(len(side) - 1) for side in edges)):
                box = [(exact(side[k]), exact(side[k + 1])) for side, k in zip(edges, cell, strict=True)]
                self._follow(box, models)
                cells += 1
        return {"parts": cells, "steps": len(self.low), "transitions": len(self.after)}

    def _follow(self, box: list[tuple[int, int]], models: Any) -> None:
        """The sets from one part; rejected unless the formula surely holds on them."""
        states = _own([Form((a + b) // 2, [], (b - a) // 2 + 1) for a, b in box])
        truth = Truth(self.formula, self.states)
        truth.sample(states)
        law = None
        if self._said("controller"):
            law = Dynamics(self.agent.system).law(self._said("controller"))
        for low, high in zip(self.low, self.high, strict=True):
            if law is not None:
                at = dict(zip(self.names, states, strict=False))
                given = [_clipped(f, v) for f, v in zip(walk(law, at), self.agent.system.inputs, strict=True)]
            else:
                blank = [0] * len(states[0].g)
                given = [Form((a + b) // 2, blank, (b - a) // 2 + (a != b)) for a, b in zip(low, high, strict=True)]
            whole = _own([*states, *given])
            after = self._step(self._features(whole), *models)
            if self.residual is not None:
                after = self.residual.added(after, whole)
            states = _settled(after)
            truth.sample(states)
        if not truth.holds():
            raise RejectedError("the formula is not sure of a run")

    def _step(self, phi: list[Form], centre: Any, rows: Any, width: Any) -> list[Form]:
        columns = list(zip(*(f.g for f in phi), strict=True))
        spread = []
        for row in rows:
            kept = [(a, k) for k, a in enumerate(row) if a]
            mid = abs(sum(a * phi[k].c for a, k in kept))
            rest = sum(abs(sum(a * column[k] for a, k in kept)) for column in columns)
            spread.append((mid + rest + sum(abs(a) * phi[k].r for a, k in kept) >> BITS) + 1)
        made = []
        for row, wide, noise in zip(centre, width, self.noise, strict=True):
            c = sum(a * f.c for a, f in zip(row, phi, strict=True)) >> BITS
            g = [sum(a * x for a, x in zip(row, column, strict=True)) >> BITS for column in columns]
            r = sum(abs(a) * f.r for a, f in zip(row, phi, strict=True))
            r += sum(w * s for w, s in zip(wide, spread, strict=True))
            made.append(Form(c, g, (r >> BITS) + len(g) + 2 + noise))
        return made


def _own(forms: list[Form]) -> list[Form]:
    """Each form's slack as a generator of its own."""
    own = [i for i, f in enumerate(forms) if f.r]
    return [Form(f.c, [*f.g, *(f.r if i == j else 0 for j in own)]) for i, f in enumerate(forms)]


def _settled(states: list[Form]) -> list[Form]:
    """Of many generators the least are boxed."""
    columns = sorted(zip(*(f.g for f in states), strict=True), key=lambda column: -sum(map(abs, column)))
    kept, rest = columns[: MOST * len(states)], columns[MOST * len(states) :]
    return _own([
        Form(f.c, [column[i] for column in kept], f.r + sum(abs(column[i]) for column in rest))
        for i, f in enumerate(states)
    ])  # fmt: skip


def _clipped(form: Form, variable: Any) -> Form:
    lo = form.lo if variable.lo is None else exact(variable.lo)
    hi = form.hi if variable.hi is None else exact(variable.hi)
    if lo <= form.lo and form.hi <= hi:
        return form
    a, b = min(max(form.lo, lo), hi), min(max(form.hi, lo), hi)
    return Form((a + b) // 2, [0] * len(form.g), (b - a) // 2 + 1)


def _rows(folder: Path, name: str, said: Any) -> list[dict[str, Any]]:
    """The rows of a file whose digest is the one that is said."""
    if set(said) != {"path", "digest"} or said["path"] != name:
        raise RejectedError("it is about another file than the item")
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise RejectedError(f"{name} cannot be read") from error
    if said["digest"] != "sha256:" + hashlib.sha256(content).hexdigest():
        raise RejectedError(f"{name} is another file than the one that was read")
    text = content.decode("utf-8-sig")
    if name.endswith(".csv"):
        return [{k.strip(): v for k, v in row.items()} for row in csv.DictReader(io.StringIO(text, newline=""))]
    if name.endswith((".jsonl", ".ndjson", ".json")):
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    raise RejectedError(f"{name} is neither CSV nor JSON lines")
