"""AS15: learning: slots, learners, replay, curricula."""

from __future__ import annotations

from agentc.lang.catalog_entry import ERROR, NOTE, Entry

ROWS: tuple[Entry, ...] = (
    Entry(
        "AS1530", "run-stopped", NOTE, "the run with seed {seed} stopped; its last good checkpoint has {steps} steps",
        "it is `{path}`",
    ),
    Entry("AS1531", "privileged-part", ERROR, "`{name}` cannot be for the value function alone", "there is {known}"),
)  # fmt: skip
