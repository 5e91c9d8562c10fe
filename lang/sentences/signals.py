"""AS10: robustness, online monitors and recorded traces."""

from __future__ import annotations

from agentc.lang.catalog_entry import ERROR, Entry

ROWS: tuple[Entry, ...] = (
    Entry("AS1001", "trace-lacks-signal", ERROR, "the trace has no signal `{name}`", "it has {known}"),
    Entry(
        "AS1002", "vector-without-size", ERROR, "the vector `{name}` has no one size, which robustness needs",
        "declare how many components it has: `{name} : vec[2]`",
    ),
    Entry(
        "AS1003", "infinite-signal", ERROR,
        "the signal `{name}` is {value} at step {step} of trace {trace}: signals are finite",
        "a value that is missing is NaN: the atoms that read it are false there",
    ),
    Entry("AS1004", "batch-shape", ERROR, "the traces have the shape {shape}", "what is read is {wanted}"),
    Entry(
        "AS1005", "text-in-array", ERROR, "the signal `{name}` is a text, which an array of numbers does not hold",
        "give the traces as a mapping from signal names to arrays",
    ),
    Entry("AS1006", "step-outside-trace", ERROR, "there is no step {step} in the trace", "its steps are 0 to {last}"),
)
