"""AS15: learning: slots, learners, replay, curricula."""

from __future__ import annotations

from agentc.lang.catalog_entry import ERROR, NOTE, WARNING, Entry

ROWS: tuple[Entry, ...] = (
    Entry(
        "AS1530", "run-stopped", NOTE, "the run with seed {seed} stopped; its last good checkpoint has {steps} steps",
        "it is `{path}`",
    ),
    # ---------------------------------------------------------------- what is watched while a run trains
    Entry("AS1550", "run-collapsed", ERROR, "the run has collapsed after {steps} steps: {why}",
          "a smaller `learning_rate` may help; with `sentinel = off`, `agentc train --resume` goes on all the same"),
    Entry("AS1551", "run-collapsing", WARNING, "the run seems to have collapsed after {steps} steps: {why}",
          "with `sentinel = stop` it would have been stopped there"),
    Entry("AS1552", "worker-restarted", WARNING,
          "collector {worker} {how} at step {step}; it was started again, and its {episodes} episodes began anew"),
    Entry("AS1553", "worker-failed", ERROR, "an environment raised `{kind}` in a collector process: {text}",
          "its traceback is in `{file}`"),
    Entry("AS1554", "worker-keeps-dying", ERROR, "collector {worker} {how}, for the {times}th time within a few steps",
          "the last checkpoint is kept; without `workers` the environments are in the run's own process"),
    Entry("AS1555", "not-filmed", ERROR,
          "the policy of `{agent}` cannot be filmed: it reads the table of its reward machines",
          "`agentc eval` without `--gif` judges it; agents of `ppo`, `sac` or `dqn` can be filmed"),
    Entry("AS1531", "privileged-part", ERROR, "`{name}` cannot be for the value function alone", "there is {known}"),
    Entry("AS1532", "data-missing", ERROR, "there is no recorded data in `{path}`", "`data` names a file of it"),
    Entry("AS1533", "data-damaged", ERROR, "the recorded data `{path}` cannot be read: {reason}"),
    Entry("AS1534", "data-mismatch", ERROR, "of {what}, `{path}` holds {held}, and the learner needs {needed}"),
    Entry(
        "AS1535", "not-exportable", ERROR, "{what} cannot be written to {path}",
        "a policy is written as `.onnx` or `.safetensors`",
    ),
    # ---------------------------------------------------------------- published methods
    Entry("AS1505", "no-experiment", ERROR, "no experiment has the number `{number}`", "there are {known}"),
    Entry("AS1506", "record-damaged", ERROR, "the record `{path}` cannot be read: {reason}",
          "restore it, or delete it and run the experiment again"),
    Entry("AS1507", "benchmark-of-one-part", ERROR, "the benchmark `{name}` has no parts, and `{number}` names one",
          "leave it out; `agentc bench methods` has numbers"),
    # ---------------------------------------------------------------- settings against the environment
    Entry("AS1508", "setting-needs-environment", ERROR, "`{setting}` cannot work for `{agent}`: {reason}"),
    Entry("AS1509", "actions-of-another-kind", ERROR,
          "`train {algorithm}` as it is set needs {wanted} actions, and those of `{agent}` are {found}"),
    Entry("AS1510", "task-beyond-horizon", ERROR,
          "`{task}` takes {least} steps at least, and an episode has {horizon}: it can never be satisfied",
          "give the environment a longer horizon, or the task shorter intervals"),
    Entry("AS1511", "data-without-seeds", ERROR,
          "`{path}` does not say the seeds of its episodes: they cannot be played again",
          "record it with `agentc eval --record FILE`"),
    # ---------------------------------------------------------------- reward machines
    Entry("AS1500", "machine-too-large", ERROR,
          "the reward machine of `{agent}` is too large for a table: {found}, and at most {limit} fit",
          "train it with `ppo`, which needs no table, or say the tasks with fewer propositions"),
    Entry("AS1501", "observation-of-parts", ERROR,
          "tasks that are trained in turn need an environment that observes one array; that of `{agent}` is {space}",
          "train the tasks together, with `tasks = together`"),
    Entry("AS1502", "no-table-of-observations", ERROR,
          "`train q` keeps a value for every observation, and those of `{agent}` are {space}",
          "train it with `ppo` or `crm`, or on an environment that observes a cell"),
    Entry("AS1503", "goals-of-another-signal", ERROR,
          "a policy that is told goals of `{signal}` follows one task about it; this one reads {read}",
          "say the task with comparisons of `{signal}` alone"),
    Entry("AS1504", "counterfactual-steps", ERROR,
          "`{agent}` learns from counterfactual experience over {n_step} steps at a time",
          "relabelling is about single steps: use `n_step = 1`"),
    Entry("AS1520", "budget-not-learned", ERROR, "`{how}` does not keep to the budget of `{cost}`",
          "{able} does, with all tasks together"),
    Entry("AS1521", "cost-looks-back", ERROR, "the cost `{name}` looks further back than one step: `{value}`",
          "a cost reads the signals of its step and, with `prev`, numbers of the step before"),
    Entry("AS1536", "settings-conflict", ERROR, "`train {algorithm}` cannot work: {reason}"),
    # ---------------------------------------------------------------- timed subgoals
    Entry("AS1540", "no-plan-in-time", ERROR,
          "no plan of timed subgoals satisfies the formulas within {last} steps",
          "a longer horizon, or wider intervals; `agentc plan` shows the subgoals"),
    Entry("AS1542", "no-backup", ERROR, "`{name}` is no controller of the system `{system}`", "there is {known}"),
    Entry("AS1541", "judged-on-whole-traces", NOTE,
          "`{agent}` is judged on whole traces: its bundle has no automata, monitors or reward machine",
          "`agentc monitor` follows its formulas step by step"),
)
