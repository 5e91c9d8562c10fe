"""The table of all diagnostics: code, name, severity, sentence, help. The sentences of agentc stand here and only here.

Ranges: AS01 syntax, AS02 names and imports, AS03 types, AS04 units and time, AS05 formulas and roles,
AS06 configuration, AS07 backends and fragments, AS08 bundles, checkpoints and traces, AS09 environments,
running and the command line. A sentence is one terse phrase with the offending value in it; the help
proposes the mend. Each code has a page ``lang/pages/<code>.md``.
"""

from __future__ import annotations

from typing import NamedTuple

from agentc.lang.diagnostics import Severity


class Entry(NamedTuple):
    """One row of the table."""

    code: str
    name: str
    severity: Severity
    message: str
    help: str | None = None


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

_ROWS = (
    # ---------------------------------------------------------------- AS01 syntax
    Entry("AS0101", "unexpected-character", _E, "unexpected character `{character}`"),
    # ---------------------------------------------------------------- AS02 names and imports
    Entry("AS0203", "unknown-name", _E, "no {kind} is named `{name}`"),
    # ---------------------------------------------------------------- AS03 types
    # ---------------------------------------------------------------- AS04 units and time
    # ---------------------------------------------------------------- AS05 formulas and roles
    # ---------------------------------------------------------------- AS06 configuration
    Entry("AS0610", "unknown-algorithm", _E, "no training algorithm is named `{name}`", "there is {known}"),
    Entry("AS0611", "unknown-setting", _E, "`{algorithm}` has no setting `{name}`"),
    Entry("AS0612", "setting-elsewhere", _E, "`{name}` is not a setting of training", "say it as `{place}`"),
    Entry("AS0613", "setting-type", _E, "`{name}` cannot be `{value}`", "it is {domain}"),
    Entry("AS0614", "setting-range", _E, "`{name}` cannot be `{value}`", "it is {domain}"),
    # ---------------------------------------------------------------- AS07 backends and fragments
    Entry(
        "AS0790",
        "command-pending",
        _N,
        "`agentc {command}` is not built yet: it waits for the {backend} backend",
        "`agentc check` and `agentc compile` take the whole language today",
    ),
    # ---------------------------------------------------------------- AS08 bundles, checkpoints and traces
    Entry("AS0801", "not-a-bundle", _E, "`{bundle}` is not a compiled agent", "`agentc compile` writes one"),
    Entry("AS0802", "not-json", _E, "`{file}` is not JSON: {reason}", "compile again"),
    Entry(
        "AS0803",
        "bundle-version",
        _E,
        "`{bundle}` has schema version {found}, this agentc reads {expected}",
        "compile again with this version",
    ),
    Entry("AS0804", "artifact-missing", _E, "`{bundle}` lacks `{artifact}`", "compile again"),
    Entry(
        "AS0805",
        "artifact-changed",
        _E,
        "`{artifact}` of `{bundle}` was changed after it was compiled: its digest is {found}, not {expected}",
        "compile again; a bundle is not edited by hand",
    ),
    Entry("AS0806", "artifact-outside", _E, "`{bundle}` names an artifact outside itself: `{artifact}`"),
    Entry("AS0807", "bundle-content", _E, "`{file}` is not what a bundle holds at {place}: {reason}", "compile again"),
    Entry("AS0808", "bundle-unwritable", _E, "cannot write `{path}`: {reason}"),
    Entry("AS0840", "checkpoint-missing", _E, "no checkpoint in `{path}`", "`agentc train` writes one"),
    Entry(
        "AS0841", "checkpoint-damaged", _E, "the checkpoint `{path}` cannot be read: {reason}",
        "restore the file from a copy, or train again without `--resume`",
    ),
    Entry(
        "AS0842", "checkpoint-mismatch", _E, "the checkpoint `{path}` has {name} `{theirs}`, this run `{ours}`",
        "go on with the settings the run began with, or train again without `--resume`",
    ),
    Entry("AS0843", "checkpoint-unwritable", _E, "cannot write `{path}`: {reason}"),
    # ---------------------------------------------------------------- AS09 environments, running, command line
    Entry(
        "AS0910", "no-specs", _E, "there is no .agentspec file in `{folder}`", "name a file, or start one: `agentc new`"
    ),
    Entry("AS0911", "bad-parameter", _E, "`-p {value}` sets nothing", "write `-p name=value`"),
    Entry(
        "AS0999",
        "internal-error",
        _E,
        "agentc failed: {error}",
        "this is a bug in agentc; the traceback is in `{file}`",
    ),
    Entry("AS0901", "unknown-engine", _E, "no environment engine is named `{name}`", "there is {known}"),
    Entry(
        "AS0902", "environment-not-installed", _E, "the engine `{engine}` needs `{package}`, which is not installed",
        "pip install agentspec-compiler[{extra}]",
    ),
    Entry("AS0903", "unknown-environment-id", _E, "`{engine}` has no environment `{name}`", "`agentc envs` lists them"),
    Entry("AS0904", "environment-argument", _E, "the engine `{engine}` takes no argument `{name}`", "it takes {known}"),
    Entry(
        "AS0905", "environment-argument-value", _E, "`{name}` of the engine `{engine}` cannot be `{value}`",
        "it is {domain}",
    ),
    Entry("AS0906", "signal-not-offered", _E, "`{engine}` offers no signal `{name}`", "it offers {known}"),
    Entry(
        "AS0907", "signal-missing", _E, "the environment gave no value to the signal `{name}` at step {step}",
        "the function that reads the signals returns every signal of the spec",
    ),
    Entry(
        "AS0908", "signal-value", _E, "the signal `{name}` is `{value}` at step {step}",
        "the spec declares it as {domain}",
    ),
    Entry(
        "AS0909", "environment-mismatch", _E, "`{env}` is no environment of the engine `{engine}`",
        "pass `signals=`, a function of environment and observation that returns the signals",
    ),
    Entry("AS0910", "environment-failed", _E, "the environment `{name}` could not be made: {reason}"),
    Entry("AS0911", "no-environment", _E, "the agent `{name}` names no environment", "add `env name(...)` to it"),
    Entry(
        "AS0912", "worker-lost", _W, "worker {worker} died; its {count} episodes were lost and it was restarted",
    ),
    Entry(
        "AS0913", "observation-not-flat", _E, "an observation of `{space}` cannot be made one vector",
        "use observation mode `dict` or `none`",
    ),
    Entry(
        "AS0914", "observation-key-taken", _E, "the observation of the environment already has a key `{name}`",
        "use observation mode `flat` or `none`, or rename the key in a wrapper",
    ),
    Entry("AS0950", "unknown-code", _E, "no diagnostic is called `{query}`", "`agentc explain` alone lists them all"),
    Entry(
        "AS0940", "unsupported-space", _E, "a learner cannot use the {role} space `{space}`",
        "wrap the environment: {mend}",
    ),
    Entry(
        "AS0941", "not-finite", _E, "the {array} of environment {env} is `{value}` at step {step}",
        "the run was stopped; its last checkpoint is kept",
    ),
    Entry(
        "AS0942", "diverged", _E, "the {array} is `{value}` after {step} steps (update {update})",
        "the run was stopped and its last checkpoint kept; a smaller `learning_rate` may help",
    ),
    Entry("AS0943", "no-legal-action", _E, "environment {env} leaves no legal action at step {step}"),
    Entry(
        "AS0944", "unknown-grid-code", _E, "the {array} of environment {env} has the code {value} in channel {channel}",
        "codes up to {limit} are known there; wrap the environment, or offer the grid as a float32 space",
    ),
)

CATALOG: dict[str, Entry] = {row.code: row for row in _ROWS}
