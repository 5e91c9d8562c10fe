"""One plan fixed inside a policy of ``train tgpo``: a deterministic graph of the state and the step.

A policy of ``tgpo`` reads the state and what it is told of a plan (:mod:`agentc.runtime.subgoals.telling`). Of one plan
that is a function of the state and the step: the margins of its propositions are computed in the graph, what depends on
the step alone is a table. So the file is all of the controller, as the paper's exported policy is (Meng, Chen, Fan,
*TGPO*, arXiv 2510.00225, section 4): whoever has it needs no plan, no critic and no formulas.

The ONNX graph (opset 17) has the inputs ``state``, float64 ``(batch, n)``, the states in the order of their
declaration, and ``step``, int64 ``(batch,)``, and the output ``action``, float32 ``(batch, m)``. Its metadata has
``plan``, the lines of the plan, ``states`` and ``inputs``, their names, and ``last``, the last step. Margins are
float64 and the network is float32, as in evaluations: the action is that of
:class:`~agentc.runtime.subgoals.following.Follower`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentc.compiler.automata.guards import label
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.rewrite import formula_nodes
from agentc.compiler.signals.atoms import Atoms
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.export import graph_of, written
from agentc.runtime.learn.export_nodes import Nodes
from agentc.runtime.subgoals import telling
from agentc.runtime.subgoals.following import Follower
from agentc.runtime.subgoals.proposals import Proposal
from agentc.runtime.subgoals.propositions import FAR
from agentc.runtime.subgoals.requirements import Schedule
from agentc.runtime.subgoals.vector import Told

_PLAIN = {
    "neg": "Neg", "abs": "Abs", "sin": "Sin", "exp": "Exp", "add": "Add", "sub": "Sub", "difference": "Sub",
    "mul": "Mul", "min": "Min", "max": "Max",
}  # fmt: skip
"""Operations that are one node of a graph, and have a value wherever their arguments have."""


def export_planned(follower: Follower, path: Path, plan: Proposal | None = None) -> Path:
    """Write a follower's policy with one plan inside; without ``plan`` the one it chooses in the middle of ``init``.

    Raises :class:`AgentcError`: AS1535 for a proposition that the graph cannot compute (one that reads inputs, the
    step before, texts or truth values, or has no value somewhere) and for another ending than ``.onnx``, AS0843.
    """
    if path.suffix != ".onnx":
        raise AgentcError([report("AS1535", None, path=str(path), what=f"the ending `{path.suffix}`")])
    told = follower.told
    chosen = plan if plan is not None else nominal_plan(follower)
    said = Said(told, chosen, path)
    system = told.problem.system
    data = {
        "plan": json.dumps(chosen.plan.lines()), "states": json.dumps([v.name for v in system.states]),
        "inputs": json.dumps([v.name for v in system.inputs]), "last": str(told.pool.last),
    }  # fmt: skip
    model = graph_of(follower.policy.network, given={"": said.into}, data=data)
    return written(path, model.SerializeToString(deterministic=True))


def nominal_plan(follower: Follower) -> Proposal:
    """The plan that is chosen in the middle of the initial set, or of the first of its boxes."""
    from agentc.compiler.systems.initial import initial_boxes

    box = initial_boxes(follower.problem.system)[0]
    middle = (np.asarray(box.lo, float) + np.asarray(box.hi, float)) / 2.0
    (chosen,) = follower.choose(middle[None])
    return chosen


@dataclass(frozen=True)
class Said:
    """What a policy sees of one plan, as a part of a graph."""

    told: Told
    plan: Proposal
    path: Path

    def into(self, graph: Nodes) -> str:
        """Add the inputs and what is seen of them; the name of the observation, float32 ``(batch, size)``."""
        types, told = graph.onnx.TensorProto, self.told
        n = len(told.problem.system.states)
        graph.input("state", types.DOUBLE, ["batch", n])
        graph.input("step", types.INT64, ["batch"])
        parts = ["state"] if n == 1 else graph.split("state", (1,) * n)
        angles = [parts[k] for k in told.outputs.angles]
        quarter = graph.constant(np.float64(np.pi / 2))
        seen = [parts[k] for k in told.outputs.plain]
        seen += [graph.node("Sin", [graph.node("Add", [a, quarter])]) for a in angles]  # cosines
        seen += [graph.node("Sin", [a]) for a in angles]
        margins = self._margins(graph, dict(zip(told.problem.names[0], parts, strict=True)))
        squashed = [
            graph.node("Tanh", [graph.node("Div", [m, graph.constant(np.float64(2.0 * s))])])
            for m, s in zip(margins, told.scale.tolist(), strict=True)
        ]
        table = self._table()
        first = graph.constant(np.int64(0))
        at = graph.node("Max", [graph.node("Min", ["step", graph.constant(np.int64(len(table) - 1))]), first])
        passed = graph.node("Gather", [graph.constant(table[:, :1]), at], axis=0)
        rest = graph.node("Gather", [graph.constant(table[:, 1:]), at], axis=0)
        single = [graph.node("Cast", [graph.node("Concat", many, axis=1)], to=types.FLOAT) for many in (seen, squashed)]
        return graph.node("Concat", [single[0], passed, single[1], rest], axis=1)

    def _table(self) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """What is told of the plan at each step before the last, ``(last, ...)``, without the margins."""
        told, count = self.told, len(self.told.propositions)
        steps = np.arange(max(told.pool.last, 1), dtype=np.int32)
        schedule = self.plan.schedule
        rows = Schedule(*(np.broadcast_to(a, (len(steps), *a.shape)) for a in (schedule.start, schedule.end)))
        whole = telling.told(rows, steps, np.zeros((len(steps), count)), told.scale, told.pool.last)
        return np.concatenate([whole[:, :1], whole[:, 1 + count :]], axis=1)

    def _margins(self, graph: Nodes, columns: Mapping[str, str]) -> list[str]:
        """The margins of all propositions, each ``(batch, 1)``."""
        compiler = Atoms(self.told.problem.signals)
        atoms = {
            node: compiler.atom(node)
            for f in self.told.propositions.formulas
            for node in formula_nodes(f)
            if node.op == "atom"
        }
        values = _Values(graph, compiler, columns, self._refuse)
        made: dict[Formula, str] = {}
        for node, atom in atoms.items():
            if atom.margin is None:
                self._refuse(node, "is true or false by no margin")
                continue
            margin = values.of(node, atom.margin)
            limits = [graph.constant(np.float64(v)) for v in (-FAR, FAR)]
            made[node] = graph.node("Clip", [margin, *limits])
        return [self._joined(graph, f, made) for f in self.told.propositions.formulas]

    def _joined(self, graph: Nodes, f: Formula, atoms: Mapping[Formula, str]) -> str:
        if f.op == "atom":
            return atoms[f]
        if f.op in ("true", "false"):
            return graph.constant(np.full((1, 1), FAR if f.op == "true" else -FAR))
        parts = [self._joined(graph, a, atoms) for a in f.args]
        if f.op == "not":
            return graph.node("Neg", parts)
        return graph.node({"and": "Min", "or": "Max"}[f.op], parts)

    def _refuse(self, atom: Formula, why: str) -> None:
        raise AgentcError([report("AS1535", None, path=str(self.path), what=f"`{label(atom)}`, which {why}")])


class _Values:
    """Operations of the scalar graph as nodes of an ONNX graph, each made once; float64."""

    def __init__(
        self, graph: Nodes, compiler: Atoms, columns: Mapping[str, str], refuse: Callable[[Formula, str], None]
    ) -> None:
        self._graph, self._scalars, self._columns, self._refuse = graph, compiler.graph, columns, refuse
        self._made: dict[int, str] = {}

    def of(self, atom: Formula, root: int) -> str:
        """The name of an operation's value."""
        graph = self._graph
        if root in self._made:
            return self._made[root]
        node = self._scalars.nodes[root]
        if node.op == "input":
            assert isinstance(node.value, tuple)
            name = str(node.value[0])
            if name not in self._columns:
                self._refuse(atom, f"reads `{name}`, which is no state")
            made = self._columns[name]
        elif node.op == "const":
            if not isinstance(node.value, int | float):
                self._refuse(atom, "reads a text")
            made = graph.constant(np.float64(node.value))  # type: ignore[arg-type]
        else:
            made = self._operation(atom, node.op, node.args)
        self._made[root] = made
        return made

    def _operation(self, atom: Formula, op: str, args: tuple[int, ...]) -> str:
        graph = self._graph
        divisor = self._scalars.nodes[args[1]] if op == "div" else None
        known = divisor is not None and divisor.op == "const" and divisor.value
        if op not in (*_PLAIN, "cos", "norm", "inside", "positive", "flip") and not known:
            what = "the step before" if op == "prev" else f"`{op}`"
            self._refuse(atom, f"reads {what}")
        x = [self.of(atom, a) for a in args]
        zero = graph.constant(np.float64(0.0))
        match op:
            case "div":
                return graph.node("Div", x)
            case "cos":
                return graph.node("Sin", [graph.node("Add", [x[0], graph.constant(np.float64(np.pi / 2))])])
            case "norm":
                squares = [graph.node("Mul", [a, a]) for a in x]
                total = squares[0]
                for square in squares[1:]:
                    total = graph.node("Add", [total, square])
                return graph.node("Sqrt", [total])
            case "inside":
                return graph.node("Where", [graph.node("Less", [x[0], zero]), graph.node("Neg", [x[1]]), x[0]])
            case "positive":
                return graph.node("Max", [x[0], zero])
            case "flip":
                return graph.node("Sub", [graph.constant(np.float64(1.0)), x[0]])
        return graph.node(_PLAIN[op], x)
