"""AS15: learning: slots, learners, replay, curricula."""

from __future__ import annotations

from agentc.lang.catalog_entry import ERROR, NOTE, Entry

ROWS: tuple[Entry, ...] = (
    Entry(
        "AS1530", "run-stopped", NOTE, "the run with seed {seed} stopped; its last good checkpoint has {steps} steps",
        "it is `{path}`",
    ),
    Entry("AS1531", "privileged-part", ERROR, "`{name}` cannot be for the value function alone", "there is {known}"),
    Entry("AS1532", "data-missing", ERROR, "there is no recorded data in `{path}`", "`data` names a file of it"),
    Entry("AS1533", "data-damaged", ERROR, "the recorded data `{path}` cannot be read: {reason}"),
    Entry("AS1534", "data-mismatch", ERROR, "of {what}, `{path}` holds {held}, and the learner needs {needed}"),
    Entry(
        "AS1535", "not-exportable", ERROR, "{what} cannot be written to {path}",
        "a policy is written as `.onnx` or `.safetensors`",
    ),
)  # fmt: skip
