"""The method ``network``: attack, then branch and bound, then the checker; a violation is replayed in onnxruntime."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.verify.answer import Answer, Verdict, unknown
from agentc.runtime.verify.certificate import Certificate
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.network.attack import as_float32, attack
from agentc.runtime.verify.network.branching import boxes_of, branch
from agentc.runtime.verify.network.item import network_refusal, property_of
from agentc.runtime.verify.network.mlp import Floats
from agentc.runtime.verify.network.onnx_reader import Reading, read_onnx
from agentc.runtime.verify.network.vnnlib import Case, Property, parse_vnnlib, read_vnnlib
from agentc.runtime.verify.network.zonotope import weakest
from agentc.runtime.verify.problem import Problem, Progress, silent

NAME = "network"
CLAIM = {"holds": "no input satisfies the property", "outcome": "unsat"}


@dataclass(frozen=True)
class NetworkMethod:
    """Decides what a network's outputs can be for inputs in boxes."""

    name: str = NAME

    def refusal(self, problem: Problem) -> str | None:
        """It needs a controller that is a network, and a formula about one step."""
        return network_refusal(problem)

    def solve(self, problem: Problem) -> Answer:
        """The answer for a ``verify`` item; the formula's negation is the property."""
        settings = problem.settings(NAME)
        path = problem.network_file(str(settings["controller"]))
        assert path is not None
        reading = read_onnx(path)
        text = property_of(problem, reading.network.inputs, reading.network.outputs)
        return verify_property(
            reading, path, parse_vnnlib(text, problem.name), text, problem.left(), int(settings["splits"]),
            problem.progress,
        )  # fmt: skip


def verify_files(network: Path, prop: Path, seconds: float = 60.0, progress: Progress = silent) -> Answer:
    """The answer for an ONNX file and a VNN-LIB file. Raises :class:`AgentcError` if one of them is bad (AS1310-16)."""
    reading = read_onnx(network)
    parsed, text = read_vnnlib(prop)
    return verify_property(reading, network, parsed, text, seconds, 1_000_000, progress)


def verify_property(
    reading: Reading, path: Path, prop: Property, text: str, seconds: float, most: int, progress: Progress
) -> Answer:
    """The answer for a network that was read and a property that was parsed from ``text``."""
    network = reading.network
    wanted = (prop.inputs, prop.outputs)
    if (network.inputs, network.outputs) != wanted:
        raise AgentcError(
            [report("AS1316", None, path=network.source, network=_widths(network.inputs, network.outputs),
                    other=prop.source, wanted=_widths(*wanted))]
        )  # fmt: skip
    if not prop.cases:
        return Answer(
            Verdict.VACUOUS, NAME, f"none of its {prop.empty} ways to be violated admits any input: it cannot fail"
        )
    deadline = monotonic() + seconds
    randomness = np.random.default_rng(0)
    for case in prop.cases:
        for x in attack(network, case, randomness)[:16]:
            answer = _replayed(reading, prop, x)
            if answer is not None:
                return answer
    return _proof(reading, path, prop, text, deadline, most, progress)


def _proof(
    reading: Reading, path: Path, prop: Property, text: str, deadline: float, most: int, progress: Progress
) -> Answer:
    network = reading.network
    trees: list[list[int]] = []
    boxes, shares = 0, []
    failed: list[Floats] = []
    left: tuple[Floats, Floats, Floats] | None = None

    def found(x: Floats) -> bool:
        failed.append(x)
        return _replayed(reading, prop, x) is not None

    groups = boxes_of(prop.cases)
    for at, group in enumerate(groups):
        label = f"box {at + 1} of {len(groups)}" if len(groups) > 1 else "the box"

        def told(done: int, share: float, label: str = label) -> None:
            progress(f"{label}: {done} parts bounded, {share:.1%} proved")

        came = branch(network, group, deadline, most, found, told)
        boxes += came.boxes
        if came.point is not None:
            answer = _replayed(reading, prop, came.point)
            if answer is not None:
                return answer
        shares.append(came.closed)
        if came.left is not None:
            left = came.left
        if came.outcome == "closed":
            trees.append(list(came.tree))
        elif monotonic() > deadline:
            shares += [0.0] * (len(groups) - len(shares))
            break
    share = sum(shares) / len(groups)
    if len(trees) < len(groups):
        said = f"{share:.1%} of the inputs are proved, in {boxes} parts"
        if failed:
            said += f"; the input {_point(failed[-1])} violates it in float64 and not when replayed in float32"
        evidence: dict[str, Any] = {"share": share, "parts": boxes}
        if left is not None:
            lo, hi, row = left
            said += f"; open is {_sides(lo, hi)}"
            evidence["open"] = [[lo.tolist(), hi.tolist()]]
            weak = weakest(network, lo, hi, row)
            if weak is not None:
                said += f", where neuron {weak[1]} of layer {weak[0]} loses most ({weak[2]:.0%} of the loss)"
                evidence["weakest"] = {"layer": weak[0], "neuron": weak[1], "share": weak[2]}
        return unknown(NAME, said, **evidence)
    certificate = Certificate(
        NAME,
        {"network": path.name, "digest": network.digest, "property": text},
        CLAIM,
        {"trees": trees},
    )
    finding = check(json.loads(json.dumps(certificate.data())), path.parent)
    if not finding.accepted:
        return unknown(NAME, f"the checker rejects the proof: {finding.reason}", parts=boxes)
    exact = "" if reading.exact else "; divisions by constants are products with float64 reciprocals"
    assumptions = [f"the network computes what {path.name} says, in real arithmetic on its weights{exact}"]
    if finding.facts["float32"]:
        assumptions[0] = f"the network computes what {path.name} says, in real or in float32 arithmetic{exact}"
    leaves, margin = finding.facts["leaves"], finding.facts["margin"]
    sentence = f"all {leaves} parts of the inputs are proved, the least margin is {margin:.3g}"
    return Answer(
        Verdict.PROVED, NAME, sentence, tuple(assumptions), {"parts": boxes, **finding.facts}, certificate, checked=True
    )


def _replayed(reading: Reading, prop: Property, x: Floats) -> Answer | None:
    """The answer if onnxruntime, asked the float32 input nearest to ``x``, violates a case exactly."""
    for case in prop.cases:
        answer = _violation(reading, case, x)
        if answer is not None:
            return answer
    return None


def _violation(reading: Reading, case: Case, x: Floats) -> Answer | None:
    lo, hi = case.box()
    point = as_float32(x, lo, hi)
    if point is None:
        return None
    y = run_onnx(reading, point)
    if not case.violated_by(point, y):
        return None
    return Answer(
        Verdict.FALSIFIED,
        NAME,
        f"the input {_point(point)} gives {_point(y)} in onnxruntime",
        evidence={"input": [float(v) for v in point], "output": [float(v) for v in y]},
    )


def run_onnx(reading: Reading, x: Floats) -> Floats:
    """What onnxruntime computes for one input ``(inputs,)``, as float64 ``(outputs,)``."""
    import onnxruntime  # type: ignore[import-untyped]

    session = _sessions.get(reading.network.digest)
    if session is None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(reading.content, options, providers=["CPUExecutionProvider"])
        _sessions[reading.network.digest] = session
    given = x.astype(np.float64 if reading.double else np.float32).reshape(reading.input_shape)
    (out,) = session.run([reading.output] if reading.output else None, {reading.input_name: given})
    return np.asarray(out, np.float64).reshape(-1)


_sessions: dict[str, Any] = {}


def _widths(inputs: int, outputs: int) -> str:
    return f"{inputs} inputs and {outputs} outputs"


def _sides(lo: Floats, hi: Floats) -> str:
    shown = [f"X_{i} in [{a:.6g}, {b:.6g}]" for i, (a, b) in enumerate(zip(lo, hi, strict=True))]
    return ", ".join(shown[:6]) + (", ..." if len(shown) > 6 else "")


def _point(x: Floats) -> str:
    return "(" + ", ".join(f"{v:.6g}" for v in x) + ")"
