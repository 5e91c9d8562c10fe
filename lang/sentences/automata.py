"""AS16: automata, comparison of specs, realizability."""

from __future__ import annotations

from agentc.lang.catalog_entry import ERROR as _E
from agentc.lang.catalog_entry import NOTE as _N
from agentc.lang.catalog_entry import WARNING as _W
from agentc.lang.catalog_entry import Entry

ROWS: tuple[Entry, ...] = (
    # ---------------------------------------------------------------- AS1620 automata as formulas
    Entry("AS1620", "hoa-unreadable", _E, "`{path}` cannot be read: {reason}",
          "give the path of a file in the format HOA, from the folder of the project"),
    Entry("AS1621", "hoa-malformed", _E, "line {line} of `{path}`: {reason}",
          "it takes HOA v1: deterministic, one start state, `Acceptance: 1 Inf(0)`, explicit labels"),
    Entry("AS1622", "automaton-below-operator", _E, "an automaton stands below `{op}`",
          "join it to other formulas with `& | !` at the top of a formula"),
    Entry("AS1623", "hoa-infinite-words", _E, "`{path}` does not say that its words are finite",
          "if a marked state accepts the finite word read so far, put `/* finite words */` into its header"),
    Entry("AS1624", "hoa-proposition", _E, "the automaton reads `{name}`, which is no proposition here",
          "bind it to one, as in `hoa(\"...\", {name} = p)`; there are {known}"),
    Entry("AS1625", "hoa-no-such-proposition", _E, "the automaton reads no proposition `{name}`", "it reads {known}"),
    # ---------------------------------------------------------------- AS1626 what two names say
    Entry("AS1626", "told-apart", _E, "`{left}` and `{right}` differ: {which} on a trace of {length}",
          "a shortest one: {example}"),
    Entry("AS1627", "equality-undecided", _W, "whether `{source}` is not decided: {reason}",
          "`agentc plan` and smaller formulas decide more"),
    Entry("AS1628", "confidence-of-equality", _E, "`{source}` is decided once for all traces and has no confidence",
          "remove `with confidence ...`"),
    # ---------------------------------------------------------------- AS1630 realizability
    Entry("AS1630", "unrealizable", _E, "whatever the agent does, the environment can prevent {names}",
          "it controls {controls}; `agentc play` shows how it loses: assume more of its environment, or weaken them"),
    Entry("AS1631", "realizable", _N,
          "`{name}` is realizable against every environment that types and assumptions allow",
          "`agentc play` plays its strategy"),
    Entry("AS1632", "realizability-undecided", _W, "whether `{name}` is realizable is not decided: {reason}",
          "smaller formulas over fewer values decide more"),
    Entry("AS1633", "nothing-controlled", _N, "no formula of `{name}` reads what the agent controls",
          "the environment decides alone; how the signals depend on the actions is not known here"),
    Entry("AS1634", "impossible-move", _E, "these values cannot occur here: {reason}", "{mend}"),
    # ---------------------------------------------------------------- AS1640 arithmetic of propositions
    Entry("AS1640", "arithmetic-undecided", _N, "whether {atoms} can hold together is not decided: {reason}",
          "every combination counts as possible; verdicts may become final late"),
)
