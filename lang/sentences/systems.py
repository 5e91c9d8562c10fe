"""AS11: declared systems: simulation, environments, transition systems."""

from __future__ import annotations

from agentc.lang.catalog_entry import ERROR, Entry

ROWS: tuple[Entry, ...] = (
    Entry("AS1101", "not-present", ERROR, "the system `{name}` reads its present state only, and so not `{op}`",
          "declare a state that remembers it"),
    Entry("AS1102", "not-linear", ERROR, "the system `{name}` is stepped `by exact`, and its equations are not linear",
          "write `by rk4`; `exact` takes equations that are linear in states, inputs and disturbances"),
    Entry("AS1103", "no-step-size", ERROR, "the system `{name}` has equations and no `step`",
          "write `step 0.1s by rk4`; for next values `step 1s by difference`"),
    Entry("AS1104", "unbounded-disturbance", ERROR, "nothing says what the disturbance `{name}` can be",
          "give it a range: `disturbance {name} : real in [-0.1, 0.1]{unit}`"),
    Entry("AS1105", "not-finite", ERROR, "the state `{name}` is {value} after {where}: {why}",
          "before the step: {values}"),
    Entry("AS1106", "state-out-of-range", ERROR, "the state `{name}` is {value} after {where}, not {domain}",
          "widen its range, or bound it by its equation: `min(max(..., lo), hi)`"),
    Entry("AS1107", "action-out-of-range", ERROR, "the action sets the input `{name}` to {value}, not to {domain}"),
    Entry("AS1108", "empty-start", ERROR, "{tries} draws of the initial state of `{name}` gave none with {constraint}",
          "loosen the constraint or narrow the sets it cuts"),
    Entry("AS1109", "no-horizon", ERROR, "nothing ends the episodes of the system `{name}`",
          "write `env {name}(horizon = 100)`"),
    Entry("AS1110", "not-finite-domain", ERROR, "the {kind} {name} cannot be listed value by value: {why}",
          "declare a range of whole numbers: `n : int in [0, 9]`"),
    Entry("AS1111", "update-out-of-range", ERROR,
          "the command `{command}` sets `{name}` to {value}, not to {domain}, at {values}",
          "guard the command, or bound the value: `min({name} + 1, 9)`"),
    Entry("AS1112", "no-transition-system", ERROR, "the system `{name}` is no transition system: {why}",
          "it has commands, or equations `by difference`, and probabilities in the place of disturbances"),
    Entry("AS1113", "action-not-enabled", ERROR, "the action `{action}` is not enabled at {values}",
          "enabled are {enabled}; `info[\"action_mask\"]` tells"),
    Entry("AS1114", "state-space-too-large", ERROR,
          "the system `{name}` has more than {most} reachable states ({valuations} valuations)",
          "narrow the ranges of its states, or verify it by simulation"),
    Entry("AS1115", "invariant-left", ERROR,
          "{where} leaves the invariant of the mode `{name}`, and no transition is taken: {values}",
          "give the mode a transition whose guard holds there"),
    Entry("AS1116", "no-start", ERROR, "an episode cannot start there: {reason}",
          "write `reset(options={{\"state\": {{...}}, \"mode\": ...}})` with values of the states"),
)  # fmt: skip
