"""Controllers that follow one plan: graphs of the state and the step, as ``train tgpo`` exports them.

They are run as they are (:mod:`agentc.runtime.subgoals.planned` says what they hold), so that runs can be searched and
counted (``falsify``, ``statistical``). Methods that reason about a network of the state alone refuse them (AS1366).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SystemIR
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.source import Span

Floats = NDArray[np.float64]


class PlannedController:
    """An exported policy with a plan inside.

    Raises :class:`AgentcError`: AS1316 for one of another system, AS1311 for a file that cannot be run.
    """

    def __init__(self, path: Path, said: dict[str, str], system: SystemIR, span: Span | None = None) -> None:
        self.plan: tuple[str, ...] = tuple(json.loads(said["plan"]))
        names = [json.loads(said["states"]), json.loads(said["inputs"])]
        wanted = [[v.name for v in system.states], [v.name for v in system.inputs]]
        if names != wanted:
            raise AgentcError(
                [report("AS1316", span, path=path.name, network=_listed(names), other=f"system `{system.name}`",
                        wanted=_listed(wanted))]
            )  # fmt: skip
        self._session = _session(path)

    @staticmethod
    def of(path: Path, system: SystemIR, span: Span | None = None) -> PlannedController | None:
        """The controller in a file; None if that is no graph with a plan, whatever else it is."""
        try:
            import onnx

            model = onnx.load(path)
        except Exception:  # whoever reads it as a network says what is wrong with it
            return None
        said = {p.key: p.value for p in model.metadata_props}
        if not {"plan", "states", "inputs"} <= said.keys():
            return None
        return PlannedController(path, said, system, span)

    def inputs(self, state: Floats, step: int, *, alone: bool = False) -> Floats:
        """The inputs ``(batch, m)`` at states ``(batch, n)`` and a step; ``alone``: each row is run by itself."""
        if alone:
            return np.concatenate([self.inputs(row[None], step) for row in state])
        (found,) = self._session.run(["action"], {"state": state, "step": np.full(len(state), step)})
        return np.asarray(found, np.float64).reshape(len(state), -1)


def _session(path: Path) -> Any:
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for every reason
        raise AgentcError([report("AS1311", None, path=str(path), reason=str(error).splitlines()[0])]) from error


def _listed(names: Sequence[Sequence[str]]) -> str:
    states, inputs = (", ".join(f"`{n}`" for n in part) or "nothing" for part in names)
    return f"the states {states} and the inputs {inputs}"
