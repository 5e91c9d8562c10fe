"""The truth of atoms, vectorised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from agentc.compiler.logic import ir
from conformance.backends.limits import aggregates
from conformance.backends.modules import (
    LABELLING,
)
from conformance.registry import Case, Implementation, Load, backend


@backend("labelling", "labels", LABELLING, least=0.8, every=3)
def _labelling(load: Load) -> Implementation:
    labelling = load(LABELLING)

    def run(case: Case) -> Sequence[Any]:
        atoms = ir.atoms(case.formula)
        labeller = labelling.Labeller(atoms, tuple(case.signals.values()))
        found: list[list[tuple[bool, ...]]] = [[] for _ in case.traces]
        for t in range(max(map(len, case.traces))):
            running = [i for i, trace in enumerate(case.traces) if len(trace) > t]
            present, previous = (
                {
                    name: labelling.encode(name, case.signals.get(name), [case.traces[i][s].get(name) for i in running])
                    for name in ir.signals(case.formula)
                }
                for s in (t, max(t - 1, 0))
            )
            labels = labeller(present, previous if t else None) if present else np.zeros((len(running), 0), bool)
            if not present and atoms:  # atoms of constants alone: an environment has some signal
                labels = labeller({"p": np.zeros(len(running), bool)})
            for i, row in zip(running, labels, strict=True):
                found[i].append(tuple(map(bool, row)))
        return found

    return Implementation(lambda case: not aggregates(case.formula), run)
