"""AS12: timed subgoals and planning."""

from __future__ import annotations

from agentc.lang.catalog_entry import ERROR as _E
from agentc.lang.catalog_entry import NOTE as _N
from agentc.lang.catalog_entry import Entry

ROWS: tuple[Entry, ...] = (
    Entry("AS1201", "plan-too-large", _E, "the timed subgoals of `{formula}` would exceed {limit}",
          "shorten its intervals or its horizon, or split it into several formulas"),
    Entry("AS1202", "no-subgoals-file", _N, "`{name}` has no file of timed subgoals: they would exceed {limit}",
          "planners build them when they need them"),
    Entry("AS1203", "nothing-to-plan-with", _E,
          "`{agent}` has no declared dynamics to plan with: its {environment} has none",
          "declare them with `system`, and make that the `env`"),
    Entry("AS1204", "plan-without-length", _E, "nothing says how long a plan for `{name}` is",
          "give the environment a horizon: `env name(horizon = 120)`, or the command `--horizon 120`"),
    Entry("AS1205", "plan-too-short", _E, "`{name}` looks {needed} steps ahead, and a plan has {last}",
          "raise the horizon, or shorten the formula's intervals"),
    Entry("AS1206", "nothing-to-plan", _E, "the agent `{agent}` has no task, behavior or safe to plan for",
          "write one: `task reach = F (x, y) in goal`"),
    Entry("AS1207", "system-not-planned", _E,
          "the system `{name}` {what}, and planners do equations over reals in one mode",
          "learn a policy for it with `train`, or plan for one mode by itself"),
    Entry("AS1208", "bad-start", _E, "a plan cannot start with `{name}` at {value}: {why}",
          "write `--start name=value` with a state and a number in its range"),
    Entry("AS1209", "plan-not-linear", _E, "`{term}` is not linear, and the MILP does linear systems and half-spaces",
          "take `--planner gradient`, or write a circle as a polytope"),
    Entry("AS1210", "no-range-to-plan-in", _E, "the input `{name}` has no range: the MILP needs one",
          "declare it: `input {name} : real in [-1, 1]`"),
)
