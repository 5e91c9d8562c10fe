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
    Entry("AS0201", "duplicate-name", _E, "`{name}` is declared twice", "rename one of them"),
    Entry("AS0202", "built-in-name", _E, "`{name}` is built in and cannot be declared", "choose another name"),
    Entry("AS0203", "unknown-name", _E, "no {kind} is named `{name}`"),
    Entry("AS0204", "unknown-function", _E, "no function, pattern or proposition is named `{name}`"),
    Entry("AS0205", "unknown-member", _E, "`{name}` is not one of {members}"),
    Entry("AS0206", "unknown-field", _E, "`{base}` has no field `{name}`", "{known}"),
    Entry("AS0207", "value-alone", _E, "`{name}` is a value of `{signal}` and says nothing alone",
          "write `{signal} == {name}`"),
    Entry("AS0208", "wrong-kind", _E, "`{name}` is {found}; {wanted} is needed here"),
    Entry("AS0209", "unknown-operator", _E, "no operator is named `{name}`"),
    Entry("AS0210", "unknown-module", _E, "there is no module `{name}`", "{hint}"),
    Entry("AS0211", "unknown-export", _E, "the module `{module}` has no `{name}`", "it has {known}"),
    Entry("AS0212", "import-cycle", _E, "the modules import each other: {cycle}",
          "move what both need into a third module"),
    Entry("AS0213", "import-outside", _E, "the module `{name}` lies outside the project",
          "modules come from the standard library (`std.`) or from under `{root}`"),
    Entry("AS0214", "unreadable-module", _E, "the module `{name}` cannot be read: {reason}"),
    Entry("AS0215", "recursive-definition", _E, "`{name}` is defined by itself",
          "definitions are expanded; say repetition with `G`, `F` or `U`"),
    Entry("AS0216", "unused-import", _W, "`{name}` is imported and not used", "remove it"),
    Entry("AS0217", "unused-definition", _W, "the {kind} `{name}` is not used", "remove it"),
    Entry("AS0218", "expansion-too-large", _E, "expanding `{name}` makes more than {limit} copies",
          "each level of patterns multiplies what it calls; flatten them"),
    Entry("AS0219", "nested-too-deep", _E, "the expression is nested deeper than {limit} levels",
          "name a part of it with `prop` or `pattern`"),
    Entry("AS0220", "infinite-trace-operator", _E, "`{name}` speaks of infinite or branching runs: {reason}", "{mend}"),
    # ---------------------------------------------------------------- AS03 types
    Entry("AS0301", "type-mismatch", _E, "this is {found}; {wanted} is needed here"),
    Entry("AS0302", "incomparable", _E, "{left} cannot be compared with {right}"),
    Entry("AS0303", "no-order", _E, "`{op}` needs numbers, and this is {found}", "compare with `==` or `!=`"),
    Entry("AS0304", "argument-count", _E, "`{name}` takes {wanted}, and here {found}"),
    Entry("AS0305", "unknown-argument", _E, "`{function}` has no parameter `{name}`", "it has {known}"),
    Entry("AS0306", "argument-twice", _E, "`{function}` gets `{name}` twice"),
    Entry("AS0307", "missing-argument", _E, "`{function}` needs `{name}`", "write `{name} = ...`"),
    Entry("AS0308", "not-constant", _E, "this must be known before a run, and `{name}` is not",
          "use numbers, `const` and `param`"),
    Entry("AS0309", "unknown-type", _E, "no type is named `{name}`",
          "there are bool, int, real, enum {{a, b}}, text and vec[n]"),
    Entry("AS0310", "bad-type", _E, "`{type}` cannot have {what}", "{mend}"),
    Entry("AS0311", "not-a-formula", _E, "this is {found}; a formula is needed here", "{mend}"),
    Entry("AS0312", "temporal-here", _E, "the temporal operator `{op}` cannot stand in {place}",
          "propositions speak of one step; use a `pattern` or a formula's own name"),
    Entry("AS0313", "size-mismatch", _E, "{left} has {left_size} coordinates, {right} has {right_size}"),
    Entry("AS0314", "empty-range", _E, "nothing lies between {lo} and {hi}", "the lower bound comes first"),
    Entry("AS0315", "outside-range", _E, "{value} lies outside of {range}"),
    Entry("AS0316", "no-finite-value", _E, "this has no finite value: {reason}"),
    Entry("AS0317", "index-outside", _E, "there is no coordinate {index} in {size}",
          "coordinates are counted from 0"),
    Entry("AS0318", "bad-text-pattern", _E, "the regular expression cannot be read: {reason}"),
    Entry("AS0319", "previous-value", _E, "`prev` gives the previous value of a signal, and `{name}` is {found}",
          "write `Y {name}` for a formula one step ago"),
    Entry("AS0320", "repeated-member", _E, "the enum has `{name}` twice", "remove one of them"),
    Entry("AS0321", "equality-of-reals", _W, "two real numbers are hardly ever equal",
          "say how near: `abs({left} - {right}) <= 0.01`"),
    Entry("AS0322", "constant-comparison", _W, "this comparison is always {value}"),
    Entry("AS0323", "bad-region", _E, "no region is made by this: {reason}"),
    Entry("AS0324", "untyped-parameter", _E, "nothing says what `{name}` can be",
          "compare it with a signal: `pay.order == {name}`"),
    Entry("AS0325", "misplaced-value", _E, "{what} cannot stand here", "{mend}"),
    # ---------------------------------------------------------------- AS04 units and time
    Entry("AS0401", "unknown-unit", _E, "no unit is named `{name}`", "units are SI, such as m, km/h, m/s^2, ms or deg"),
    Entry("AS0402", "unit-mismatch", _E, "`{op}` joins {left} and {right}", "they measure different things"),
    Entry("AS0403", "unit-of-argument", _E, "`{function}` takes {wanted}, and this is in {found}"),
    Entry("AS0404", "coordinates-of-different-units", _E, "the coordinates are in {units}",
          "give the region a scale for each: `scale = ({scales})`"),
    Entry("AS0405", "bare-number", _E, "`{number}` has no unit beside quantities that are counted differently",
          "write its unit: `{number}{unit}`"),
    Entry("AS0406", "not-whole-steps", _E, "{duration} is not a whole number of steps of {step}",
          "the nearest that are: {below} and {above}"),
    Entry("AS0407", "no-step-duration", _E, "{duration} cannot be counted in steps: the environment declares no step",
          "count in steps (`[0, 10]`), or declare `step 0.1s` in the environment"),
    Entry("AS0408", "no-turns", _E, "turns are counted for language-model agents only",
          "count in steps, or declare the agent's `model` and `phase`s"),
    Entry("AS0409", "bad-interval", _E, "the interval [{lo}, {hi}] is not 0 <= a <= b"),
    Entry("AS0410", "bound-not-whole", _E, "the bound {value} is not a whole number of steps",
          "the nearest that are: {below} and {above}"),
    Entry("AS0411", "count-form", _E, "`{op}` takes {wanted}, not {found}", "write `{mend}`"),
    Entry("AS0412", "bound-not-time", _E, "the bound {value} is neither a number of steps nor a time"),
    Entry("AS0413", "mixed-bounds", _E, "one bound counts turns and the other does not", "count both in turns"),
    Entry("AS0414", "unit-of-setting", _E, "this is in {found}; {wanted} is needed here"),
    # ---------------------------------------------------------------- AS05 formulas and roles
    Entry("AS0501", "no-environment", _E, "the agent `{name}` has {what} and no environment", "say `env name(...)`"),
    Entry("AS0502", "repeated-item", _E, "`{word}` stands twice in {block}", "there is one for each"),
    Entry("AS0503", "misplaced-item", _E, "{item} has no place in {block}", "{mend}"),
    Entry("AS0504", "not-payable", _E, "`{name}` is {found} and cannot be paid for",
          "what is paid for is a task, a safe, a behavior, a proposition, a machine or `step`"),
    Entry("AS0505", "unnamed-formula-paid", _E, "a temporal formula is paid for by its name",
          "name it first: `task name = {text}`"),
    Entry("AS0506", "ending-of-no-formula", _E, "`{ending}` is said of tasks, safes and behaviors, not of {found}",
          "remove `{ending}`"),
    Entry("AS0507", "clip-needed", _E, "the robustness of `{name}` can be infinite, so it cannot be a reward as it is",
          "bound it: `robustness({name}, clip = 1)`"),
    Entry("AS0508", "shape-of-no-task", _E, "`{name}` is {found}; only tasks and behaviors shape a reward"),
    Entry("AS0509", "wrong-subject", _E, "`{name}` is {found}; {wanted} is needed here"),
    Entry("AS0510", "empty-block", _E, "{block} is empty", "{mend}"),
    Entry("AS0511", "unreachable-state", _W, "no edge leads to the {kind} `{name}`", "remove it or lead an edge there"),
    Entry("AS0512", "expectation-form", _E, "this says nothing that can be expected",
          "an expectation is `satisfaction(f) >= p`, `return >= r` or `violations(f) <= n`"),
    Entry("AS0513", "nothing-to-learn", _W, "`train {name}` without a `reward` has nothing to learn from",
          "add `reward {{ ... }}`"),
    Entry("AS0514", "example-unset", _E, "`{name}` has no value at step 0 of this example",
          "set it there: `{name} == ...`; a later step that does not mention it keeps its value"),
    Entry("AS0515", "example-step", _E, "a step of an example cannot say this",
          "it joins propositions, `!proposition` and `signal == value` with `&`; `-` is the empty step"),
    Entry("AS0516", "example-contradiction", _E,
          "step {step} says that `{name}` is {said}, and the signals make it {is_}"),
    Entry("AS0517", "example-fails", _E, "the example {title} {claims} `{formula}`, and {outcome}"),
    Entry("AS0518", "example-says-both", _E, "one step says two things of `{name}`"),
    Entry("AS0519", "example-undecided", _E, "the example {title} cannot be decided: {reason}"),
    Entry("AS0540", "unused-variable", _E, "the {kind} `{name}` is used in no equation", "use it or remove it"),
    Entry("AS0541", "no-equation", _E, "the state `{name}` has no equation{where}", "write `{name}' = ...`"),
    Entry("AS0542", "second-equation", _E, "`{name}` has a second equation"),
    Entry("AS0543", "equation-of-no-state", _E, "`{name}` is {found}; only states have equations"),
    Entry("AS0544", "probabilities", _E, "the probabilities of the command `{name}` sum to {sum}, not to 1"),
    Entry("AS0545", "mixed-dynamics", _E, "the system `{name}` has both equations and commands", "keep one of them"),
    Entry("AS0546", "no-initial-value", _E, "nothing says where the state `{name}` begins",
          "write `init {{ {name} in [lo, hi] }}`"),
    Entry("AS0547", "initial-form", _E, "this does not say where a state begins",
          "write `x = 1`, `x in [0, 1]`, `x in {{1, 2}}`, `x = uniform(0, 1)` or `x = normal(0, 1)`"),
    Entry("AS0548", "missing-input", _E, "the controller `{name}` does not set the input `{input}`",
          "write `{input} = ...`"),
    Entry("AS0549", "result-of-no-call", _E, "`{name}` calls no tool, so there is no result of it",
          "a result belongs to a phase that is a `call(...)`"),
    Entry("AS0550", "no-model", _E, "the agent `{name}` has {what} and no model", "say `model \"name\"`"),
    Entry("AS0551", "branch-without-probability", _E, "a branch of the command `{name}` has no probability",
          "where there are several, each has one: `0.5 : x' = 1`"),
    Entry("AS0552", "verify-bound", _E, "`P {op} {value}` is no bound of a probability", "write `P >= p` or `P <= p`"),
    Entry("AS0553", "requirement-form", _E, "this is no requirement of a deployment",
          "write `proved(f)`, `met(f)`, or several joined by `&`"),
    Entry(
        "AS0520", "unsatisfiable", _E, "no trace satisfies `{name}`",
        "`{part}` cannot hold; the allowed values of its signals rule it out",
    ),
    Entry("AS0521", "valid", _W, "every trace satisfies `{name}`", "it says nothing; remove it or make it stronger"),
    Entry(
        "AS0522", "safe-not-violable", _E, "no prefix of a trace can violate `{name}`",
        "make it a `task`, which is judged on the whole trace",
    ),
    Entry(
        "AS0523", "vacuous-part", _W, "`{part}` does not matter in `{name}`",
        "`{name}` means the same with anything in its place; remove it",
    ),
    Entry("AS0524", "conflict", _E, "no trace satisfies {names} together", "weaken or remove one of them"),
    Entry("AS0525", "atom-never", _W, "`{atom}` never holds for the values that its signals can have"),
    Entry("AS0526", "atom-always", _W, "`{atom}` always holds for the values that its signals can have"),
    Entry(
        "AS0527", "sanity-over-budget", _N, "`{name}` was not checked: its automaton takes more than {limit}",
        "`agentc compile` has a larger budget",
    ),
    Entry("AS0580", "unguarded-previous", _W, "`{name}` has no value at the first step, so this is false there",
          "say what holds at the first step: `first | (...)`"),
    Entry("AS0581", "mixed-chain", _W, "without parentheses this reads `{reading}`", "write the parentheses"),
    # ---------------------------------------------------------------- AS06 configuration
    Entry("AS0601", "no-engine", _E, "the environment `{name}` names no engine", "write `engine name(argument = ...)`"),
    Entry("AS0602", "engine-form", _E, "this does not name an engine", "write `engine name(argument = ...)`"),
    Entry("AS0603", "environment-form", _E, "this does not name an environment", "write `env name(argument, ...)`"),
    Entry("AS0604", "extern-refused", _E, "the Python function `{name}` is not allowed to run",
          "allow its module by name: `--allow-extern {module}`"),
    Entry("AS0605", "extern-form", _E, "`{name}` names no Python function", "write `extern \"module:function\"`"),
    Entry("AS0606", "unknown-param", _E, "no `param` is named `{name}`", "there is {known}"),
    Entry("AS0607", "param-value", _E, "`{name}` cannot be `{value}`: {reason}"),
    Entry("AS0608", "setting-form", _E, "a setting is written `name = value`"),
    Entry("AS0609", "setting-twice", _E, "`{name}` is set twice"),
    Entry("AS0610", "unknown-algorithm", _E, "no training algorithm is named `{name}`", "there is {known}"),
    Entry("AS0611", "unknown-setting", _E, "`{algorithm}` has no setting `{name}`"),
    Entry("AS0612", "setting-elsewhere", _E, "`{name}` is not a setting of training", "say it as `{place}`"),
    Entry("AS0613", "setting-type", _E, "`{name}` cannot be `{value}`", "it is {domain}"),
    Entry("AS0614", "setting-range", _E, "`{name}` cannot be `{value}`", "it is {domain}"),
    Entry("AS0620", "unknown-method", _E, "no verification method is named `{name}`", "there is {known}"),
    Entry("AS0621", "unknown-generator", _E, "no generator of phases is named `{name}`", "there is {known}"),
    Entry("AS0622", "unknown-integrator", _E, "no integrator is named `{name}`", "there is {known}"),
    Entry("AS0623", "unreadable-file", _E, "cannot read `{path}`: {reason}"),
    # ---------------------------------------------------------------- AS07 backends and fragments
    Entry("AS0710", "backend-pending", _N, "{construct} `{name}` is checked and kept; the {backend} is not built yet"),
    Entry("AS0711", "algorithm-pending", _N, "`train {name}` ({what}) is not built yet"),
    Entry("AS0712", "method-pending", _N, "`verify ... by {name}` is not built yet"),
    Entry("AS0713", "turns-window", _E, "an interval of turns begins at the current one", "write `[<= k turns]`"),
    Entry("AS0701", "outside-fragment", _E, "the {backend} backend does not do `{operator}`", "{able}"),
    Entry(
        "AS0702", "over-budget", _E, "the automaton of `{formula}` takes more than {limit}",
        "it is `{part}` that grows; a smaller interval, a weaker formula or a larger budget may help",
    ),
    Entry(
        "AS0703", "finality-by-parts", _N, "`{formula}` is watched as {parts} parts: as one it takes more than {limit}",
        "each verdict is right; one that is final may be called final late",
    ),
    Entry(
        "AS0704", "aggregate-letter", _N, "`{atom}` is taken as free: what it can be is not derived from the past",
        "a verdict over it is final only if it is so for any value",
    ),
    Entry("AS0705", "hoa-damaged", _E, "line {line} of the automaton cannot be read: {reason}", "{mend}"),
    Entry(
        "AS0706", "alphabet-mismatch", _E, "the automata read different propositions: `{ours}` and `{theirs}`",
        "name the same propositions in both",
    ),
    Entry("AS0707", "reward-term", _E, "the reward machine has no payment for `{term}` yet", "{mend}"),
    Entry(
        "AS0708", "outside-domain", _E, "environment {env} shows values that the declared types rule out: {values}",
        "widen the declared range, or mend the environment",
    ),
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
