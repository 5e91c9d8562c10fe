"""A reach tube with a gradient: sets of states under a policy, as zonotopes of torch tensors, and a formula's bound.

Certified training after Mirman, Gehr, Vechev, "Differentiable Abstract Interpretation for Provably Robust Neural
Networks", ICML 2018 (their domain is the zonotope, too), carried through the declared dynamics as in the training of
verified controllers of Ivanov et al., "Verifying the safety of autonomous systems with neural network controllers",
TECS 2020: the loss is what a sound bound of the formula's robustness on the tube lacks. Deviations: the tube is of the
simulator's own steps, samples alone and without bounds of rounding, for it is only a loss: what is proved is proved by
:mod:`agentc.runtime.verify.reach`.

A set is ``c + g . e + r * f``: entries of ``e`` in [-1, 1] shared by all states of a row, ``f`` of its own. What an
operation loses goes into ``r``, and after a step what is there becomes generators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agentc.compiler.agent import AgentIR, SignalIR
from agentc.compiler.logic.ir import Formula, atoms, compare, const, formula, postorder, signal
from agentc.compiler.signals.robustness import compile_robustness
from agentc.compiler.signals.torch_robustness import robustness_at
from agentc.compiler.systems.dynamics import Dynamics, bounds
from agentc.compiler.systems.graph import Graph, graph_of
from agentc.compiler.systems.integrators import runge_kutta
from agentc.runtime.simulate import TorchSimulator

FOLLOWED = frozenset(("const", "var", "neg", "add", "sub", "mul", "div", "sin", "cos", "exp", "sqrt", "pow"))
"""What equations may have; of a power the exponent is a whole constant."""

JUDGED = FOLLOWED | {"abs", "min", "max", "true", "false", "not", "and", "or", "compare"}
"""What propositions may have."""

ROOM = 1e-3
"""Where a function is not defined near zero, it is followed down to here."""


@dataclass(frozen=True)
class Zonotope:
    """Numbers ``(..., batch)`` as sets: ``c`` and ``r`` of that shape, ``g`` with an axis of generators more."""

    c: Tensor
    g: Tensor
    r: Tensor

    @property
    def radius(self) -> Tensor:
        """How far it can be from ``c``."""
        return self.g.abs().sum(dim=-1) + self.r

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """The least and the greatest value."""
        radius = self.radius
        return self.c - radius, self.c + radius

    def __add__(self, other: Any) -> Zonotope:
        if isinstance(other, Zonotope):
            return Zonotope(self.c + other.c, self.g + other.g, self.r + other.r)
        return Zonotope(self.c + other, self.g, self.r)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Zonotope:
        if not isinstance(other, Zonotope):
            return Zonotope(self.c * other, self.g * other, self.r * abs(other))
        mine, theirs = self.radius, other.radius
        if self is other:
            half = mine * mine / 2
            return Zonotope(self.c**2 + half, 2 * self.g * self.c[..., None], 2 * self.c.abs() * self.r + half)
        g = self.g * other.c[..., None] + other.g * self.c[..., None]
        return Zonotope(self.c * other.c, g, self.r * other.c.abs() + other.r * self.c.abs() + mine * theirs)

    __rmul__ = __mul__

    def line(self, slope: Tensor, low: Tensor, high: Tensor) -> Zonotope:
        """``slope * x`` and something between ``low`` and ``high``."""
        r = self.r * slope.abs() + (high - low) / 2
        return Zonotope(self.c * slope + (low + high) / 2, self.g * slope[..., None], r)

    def tangent(self, value: Tensor, slope: Tensor, bend: Tensor) -> Zonotope:
        """A function by its tangent at ``c``, its second derivative being at most ``bend`` in absolute value."""
        return Zonotope(value, self.g * slope[..., None], self.r * slope.abs() + bend * self.radius**2 / 2)


Number = Zonotope | float


class Sets:
    """The arithmetic of expression graphs over zonotopes; a truth value is the ends of how surely it is true.

    That of ``a >= b`` is those of ``a - b``; a conjunction has the least, a disjunction the greatest.
    """

    def const(self, value: float) -> Any:
        """A constant."""
        return float(value)

    def truth(self, value: bool) -> Any:
        """A constant truth value."""
        far = torch.tensor(torch.inf if value else -torch.inf)
        return far, far

    def apply(self, op: str, args: Sequence[Any], value: float | str | None) -> Any:
        """An operator of the graph. Raises ``ValueError`` for one that is not in :data:`JUDGED`."""
        match op:
            case "neg":
                return args[0] * -1.0
            case "add":
                return args[0] + args[1]
            case "sub":
                return args[0] + args[1] * -1.0
            case "mul":
                return args[0] * args[1]
            case "div":
                return args[0] * (inverse(args[1]) if isinstance(args[1], Zonotope) else 1.0 / args[1])
            case "pow":
                found = args[0]
                for _ in range(int(args[1]) - 1):
                    found = found * args[0]
                return found if args[1] else 1.0
            case "sin" | "cos" | "exp" | "sqrt":
                return curve(op, args[0])
            case "abs" | "min" | "max":
                return self._ranged(op, args)
            case "compare":
                lo, hi = ends(args[0] + args[1] * -1.0)
                if value in ("<", "<="):
                    lo, hi = -hi, -lo
                if value in ("==", "!="):
                    far = torch.maximum(lo.abs(), hi.abs())
                    near = torch.maximum(torch.maximum(lo, -hi), torch.zeros_like(lo))
                    return (-far, -near) if value == "==" else (near, far)
                return lo, hi
            case "not":
                return -args[0][1], -args[0][0]
            case "and" | "or":
                join = torch.minimum if op == "and" else torch.maximum
                low, high = args[0]
                for a, b in args[1:]:
                    low, high = join(low, a), join(high, b)
                return low, high
        raise ValueError(op)

    def _ranged(self, op: str, args: Sequence[Any]) -> Any:
        """By the ends alone."""
        pairs = [ends(a) for a in args]
        like = next(a for a in args if isinstance(a, Zonotope))
        if op == "abs":
            ((lo, hi),) = pairs
            low, high = torch.maximum(torch.maximum(lo, -hi), torch.zeros_like(lo)), torch.maximum(-lo, hi)
        else:
            pick = torch.minimum if op == "min" else torch.maximum
            low, high = pairs[0]
            for a, b in pairs[1:]:
                low, high = pick(low, a), pick(high, b)
        return Zonotope((low + high) / 2, torch.zeros_like(like.g), (high - low) / 2)


def ends(value: Number) -> tuple[Tensor, Tensor]:
    """The least and the greatest value of a set or a number."""
    if isinstance(value, Zonotope):
        return value.ends
    number = torch.tensor(float(value))
    return number, number


def inverse(x: Zonotope) -> Zonotope:
    """``1 / x``; a set that holds zero is followed as one that does not."""
    c = torch.where(x.c.abs() < ROOM, torch.full_like(x.c, ROOM), x.c)
    nearest = (c.abs() - x.radius).clamp(min=ROOM)
    return x.tangent(1 / c, -1 / c**2, 2 / nearest**3)


def curve(op: str, x: Any) -> Any:
    """``sin cos exp sqrt`` of a set, by the tangent."""
    if not isinstance(x, Zonotope):
        return float(getattr(torch, op)(torch.tensor(x)))
    one = torch.ones_like(x.c)
    if op == "sin":
        return x.tangent(torch.sin(x.c), torch.cos(x.c), one)
    if op == "cos":
        return x.tangent(torch.cos(x.c), -torch.sin(x.c), one)
    if op == "exp":
        return x.tangent(torch.exp(x.c), torch.exp(x.c), torch.exp(x.c + x.radius))
    root = x.c.clamp(min=ROOM).sqrt()
    return x.tangent(root, 0.5 / root, 0.25 * (x.c - x.radius).clamp(min=ROOM) ** -1.5)


def through(layers: nn.Sequential, x: Zonotope) -> Zonotope:
    """States ``(n, batch)`` through linear layers, ReLU and tanh; every neuron's error is a generator."""
    for layer in layers:
        if isinstance(layer, nn.Linear):
            w = layer.weight
            g = torch.einsum("ij,jbk->ibk", w, x.g)
            own = (w[:, :, None] * x.r).permute(0, 2, 1)  # the slack of each input, with its weight's sign
            x = Zonotope(w @ x.c + layer.bias[:, None], torch.cat([g, own], dim=2), torch.zeros_like(w @ x.c))
        else:
            x = activated(x, isinstance(layer, nn.Tanh))
    return x


def activated(x: Zonotope, tanh: bool) -> Zonotope:
    """ReLU by the line of the least area (Singh et al., NeurIPS 2018), tanh by the least slope at an end."""
    lo, hi = x.ends
    if not tanh:
        both = (lo < 0) & (hi > 0)
        slope = torch.where(both, hi / torch.where(both, hi - lo, 1.0), (lo >= 0).to(lo.dtype))
        return x.line(slope, torch.zeros_like(lo), torch.where(both, -slope * lo, 0.0))
    a, b = torch.tanh(lo), torch.tanh(hi)
    slope = torch.minimum(1 - a * a, 1 - b * b)  # then tanh(z) - slope * z rises
    return x.line(slope, a - slope * lo, b - slope * hi)


class TubeBound:
    """A lower bound of a formula's robustness on tubes from boxes of starts, differentiable in the policy."""

    def __init__(self, agent: AgentIR, whole: Formula, simulator: TorchSimulator, steps: int) -> None:
        """``whole`` reads states; of an agent and formula that :func:`refusal` has nothing against."""
        assert agent.system is not None
        self._simulator, self._steps, self._system = simulator, steps, agent.system
        self._names = [v.name for v in agent.system.states]
        self._held = [v.name for v in agent.system.inputs]
        self._signs: dict[tuple[Formula, bool], str] = {}
        polar = self._polarised(whole, positive=True)
        self._atoms: dict[Formula, Graph] = {
            a: graph_of([a], agent.system.states) for a in dict.fromkeys(a for a, _ in self._signs)
        }
        signals = [SignalIR(name, "real") for name in self._signs.values()]
        self._robustness = compile_robustness(polar, signals)
        low, high = bounds(agent.system.disturbances)
        named = zip(agent.system.disturbances, low, high, strict=True)
        self._moving = {v.name: (float(a), float(b)) for v, a, b in named}

    def _polarised(self, f: Formula, positive: bool) -> Formula:
        """The formula over signals that bound its literals from below: an atom's, and its negation's."""
        if f.op == "atom":
            name = self._signs.setdefault((f, positive), f"bound{len(self._signs)}")
            literal = compare(">=", signal(name), const(0.0))
            return literal if positive else formula("not", (literal,))
        if f.op == "not":
            return formula("not", (self._polarised(f.args[0], not positive),))
        if f.op == "implies":
            return formula("implies", (self._polarised(f.args[0], not positive),
                                       self._polarised(f.args[1], positive)))  # fmt: skip
        return formula(f.op, tuple(self._polarised(a, positive) for a in f.args), f.interval)

    def __call__(self, lo: Tensor, hi: Tensor, policy: Any) -> Tensor:
        """Bounds ``(batch,)`` for boxes ``(batch, n)``; ``policy`` maps a zonotope of states to one of inputs."""
        n, batch = lo.shape[1], len(lo)
        half = ((hi - lo) / 2).T
        g = torch.zeros((n, batch, n), dtype=lo.dtype)
        g[range(n), :, range(n)] = half
        x = Zonotope(((lo + hi) / 2).T, g, torch.zeros_like(half))
        rows = [self._literals(x)]
        for _ in range(self._steps):
            x = self._stepped(x, policy)
            rows.append(self._literals(x))
        return robustness_at(self._robustness, torch.stack(rows, dim=1))

    def _literals(self, x: Zonotope) -> Tensor:
        """What bounds each literal, ``(batch, literals)``: an atom's least value, its greatest where it is negated."""
        values = dict(zip(self._names, self._columns(x), strict=True))
        found = {a: graph.walk(Sets(), values)[0] for a, graph in self._atoms.items()}
        size = x.c.shape[1]
        return torch.stack([found[a][0 if positive else 1].expand(size) for a, positive in self._signs], dim=1)

    @staticmethod
    def _columns(x: Zonotope) -> list[Zonotope]:
        return [Zonotope(c, g, r) for c, g, r in zip(x.c, x.g, x.r, strict=True)]

    def _stepped(self, x: Zonotope, policy: Any) -> Zonotope:
        """The set after a step, what is lost in it as generators."""
        u = policy(x)
        extra = u.g.shape[2] - x.g.shape[2] + len(u.c) + len(self._moving)
        size, at = x.c.shape[1], u.g.shape[2]
        x = Zonotope(x.c, nn.functional.pad(x.g, (0, extra)), x.r)
        g = nn.functional.pad(u.g, (0, x.g.shape[2] - at))
        held: dict[str, Any] = {}
        for i, (name, column) in enumerate(zip(self._held, self._columns(Zonotope(u.c, g, u.r)), strict=True)):
            own = nn.functional.one_hot(torch.tensor(at + i), g.shape[2]).to(g.dtype)
            held[name] = Zonotope(column.c, column.g + column.r[:, None] * own, torch.zeros_like(column.r))
        for i, (name, (low, high)) in enumerate(self._moving.items()):
            own = nn.functional.one_hot(torch.tensor(at + len(u.c) + i), g.shape[2]).to(g.dtype)
            middle = torch.full((size,), (low + high) / 2)
            held[name] = Zonotope(middle, ((high - low) / 2 * own).expand(size, -1), torch.zeros(size))
        after = self._moved(x, held)
        n = len(after.c)
        own = torch.zeros((n, size, n), dtype=g.dtype)
        own[range(n), :, range(n)] = after.r
        return Zonotope(after.c, torch.cat([after.g, own], dim=2), torch.zeros_like(after.r))

    def _moved(self, x: Zonotope, held: Mapping[str, Zonotope]) -> Zonotope:
        simulator = self._simulator
        graph, arithmetic = simulator.dynamics.rates[0], Sets()

        def rate(x: Zonotope) -> Zonotope:
            values = graph.walk(arithmetic, {**held, **dict(zip(self._names, self._columns(x), strict=True))})
            like = x.c[0]
            rows = [v if isinstance(v, Zonotope) else Zonotope(torch.full_like(like, v), torch.zeros_like(x.g[0]),
                                                               torch.zeros_like(like)) for v in values]  # fmt: skip
            return Zonotope(*(torch.stack([getattr(v, part) for v in rows]) for part in "cgr"))

        if simulator.numpy.exact:
            matrix = torch.tensor(np.hstack(simulator.numpy.exact[0]), dtype=x.c.dtype)
            whole = [*self._columns(x), *held.values()]
            c, g, r = (torch.stack([getattr(v, part) for v in whole]) for part in "cgr")
            count = len(whole)
            still, matrix = matrix[:, count:], matrix[:, :count]
            return Zonotope(matrix @ c + still, torch.einsum("ij,jbk->ibk", matrix, g), matrix.abs() @ r)
        if simulator.dynamics.discrete:
            return rate(x)
        return runge_kutta(self._system.integrator, rate, x, simulator.numpy.step_size)


def refusal(agent: AgentIR, formulas: Sequence[Formula]) -> str | None:
    """Why no tube is followed for formulas over an agent's states; None if one is."""
    assert agent.system is not None
    graphs = [graph_of([a], agent.system.states) for a in atoms(*formulas)]
    used = {node.op for node in Dynamics(agent.system).rates[0].nodes} - FOLLOWED
    used |= {node.op for graph in graphs for node in graph.nodes} - JUDGED
    used |= {f.op for f in postorder(*formulas) if isinstance(f, Formula)} & {"xor", "iff"}
    return f"the setting `tube` does not follow `{min(used)}`" if used else None
