"""AS10: robustness, online monitors and recorded traces."""

from __future__ import annotations

from agentc.lang.catalog_entry import ERROR, NOTE, WARNING, Entry

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
    Entry(
        "AS1007", "timestamp-missing", ERROR, "the timestamp `{column}` of row {row} is {value}",
        "every row needs a time in seconds; drop the rows that have none",
    ),
    Entry(
        "AS1008", "timestamps-not-increasing", ERROR, "the timestamp of row {row} is {time}, after {before}",
        "sort the rows by time, and drop repeated ones",
    ),
    Entry(
        "AS1009", "irregular-timestamps", ERROR, "row {row} is at {time} s, after {before} s, and a step is {step} s",
        "`--resample {step}` takes a sample every {step} s, each holding the last value seen",
    ),
    Entry(
        "AS1010", "trace-shorter-than-horizon", WARNING,
        "`{formula}` looks {horizon} steps ahead and the last step of the trace is {last}",
        "it is judged as a trace that ended there; with `--open` it stays open",
    ),
    Entry("AS1011", "value-not-of-type", ERROR, "`{name}` is {value} in row {row}: it is a {type}",
          "mend the recording, or the declaration of the signal"),
    Entry(
        "AS1012", "value-missing", ERROR, "`{name}` has no value in row {row}",
        "`--missing hold` takes the value before, `--missing none` makes the atoms that read it false",
    ),
    Entry("AS1013", "empty-recording", ERROR, "`{path}` has no rows", "a trace has at least one step"),
    Entry("AS1014", "unreadable-recording", ERROR, "`{path}` is not read: {reason}", "what is read is {mend}"),
    Entry(
        "AS1015", "no-robustness", NOTE, "`{formula}` has a verdict and no robustness: it uses `{operator}`",
        "state it with `O`, `H` or `S` to have both",
    ),
    Entry("AS1016", "nothing-to-monitor", ERROR, "agent `{agent}` has no task, safe or behavior",
          "give a formula with `--formula`"),
    Entry("AS1017", "resampled", NOTE, "sampled anew every {step} s: each sample holds the last value seen"),
    Entry(
        "AS1018", "step-of-another-length", ERROR,
        "a step of {given} s was asked for, and the environment declares {declared} s",
        "`--resample {declared}` is what the formulas count in",
    ),
    Entry(
        "AS1019", "past-over-endless-future", ERROR,
        "`{formula}` looks back at what looks ahead without end, which no step settles: it is not monitored online",
        "give what looks ahead an interval; recorded traces are judged without one (`agentc monitor`)",
    ),
    Entry(
        "AS1020", "online-over-budget", ERROR,
        "`{formula}` nests operators without end: it takes more than {most} states",
        "give some of them an interval, or monitor its parts",
    ),
    Entry(
        "AS1021", "no-mean-of-until", ERROR,
        "`{formula}` has no arithmetic-geometric mean: `U R S T W M` are no means of what they look at",
        "log-sum-exp smooths them: `kind=\"log-sum-exp\"`",
    ),
    Entry("AS1022", "smoothing-setting", ERROR, "`{name}` is {value}", "it is a positive number"),
    Entry("AS1030", "not-of-dialect", ERROR, "this is no formula of {tool}: {reason}"),
    Entry(
        "AS1031", "no-counterpart", ERROR, "the operator `{operator}` of {tool} has no counterpart: {reason}",
        "say what is meant with the operators of this language",
    ),
    Entry("AS1032", "dialect-reading", NOTE, "read as {text}", "{notes}"),
)
