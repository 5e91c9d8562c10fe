"""A spec on a Gymnasium environment: monitors, reward, termination and the automata's states.

Step 0 is the reset observation. On every step and reset ``info["agentc"]`` holds

======================  ===================================================================================
``step``                the step of the trace, 0 at the reset
``verdicts``            the verdict of every formula by name: ``true``, ``false`` (final), ``presumably true``,
                        ``presumably false``
``states``              the states of every formula's automata, by name; and ``machine``, the name of the
                        explicit machine's state, if there is one
``satisfied``           for every task and behavior, whether it would hold if the trace ended here
``violated``            for every safe, whether it is violated
``assumptions_broken``  names of the assumptions that are finally false; at the end also those that do not hold
``labels``              for every proposition without temporal operators, whether it holds
``signals``             the values of the signals that the spec reads
``reward``              (not at the reset) what each source paid on this step: formulas and propositions by
                        name, ``step``, ``machine``, ``shaping``, and the ``environment``'s own reward, which
                        counts only where the spec has no ``reward``
``costs``               (not at the reset, where the spec has any) what the step cost, by the cost's name
``episode``             (on the last step only) ``return`` without shaping, ``length``, ``terminated``
======================  ===================================================================================

When an episode has ended, ``satisfied`` and ``violated`` are its verdicts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import gymnasium
from gymnasium.utils import RecordConstructorArgs

from agentc.compiler.agent import AgentIR
from agentc.compiler.backends.graded import Robust
from agentc.compiler.backends.monitor import OUTSIDE_CODE
from agentc.compiler.backends.reward_machine import Outcome, RewardMachine, RewardState, refuse_missing
from agentc.compiler.logic.ir import Formula, Node, atoms, postorder
from agentc.compiler.logic.ir import signals as read_by
from agentc.compiler.logic.trace import Valuation
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.pipeline import check, read
from agentc.lang.diagnostics import AgentcError, Severity, report
from agentc.runtime.compilation import load
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.costs import costs_of_step
from agentc.runtime.envs.registry import environment_of
from agentc.runtime.labelling import encode
from agentc.runtime.reward_robustness import MeasuredSteps
from agentc.runtime.scalar import ScalarLabeller
from agentc.runtime.shield import ShieldTable
from agentc.runtime.shielded import Shielded
from agentc.runtime.spec_observation import AutomatonCode, Layout, Mode
from agentc.runtime.spec_signals import SignalFunction, SignalSource, needed_signals

SHOWN = {
    Verdict.FALSE: "false",
    Verdict.PRESUMABLY_FALSE: "presumably false",
    Verdict.PRESUMABLY_TRUE: "presumably true",
    Verdict.TRUE: "true",
}


class SpecEnv(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """An environment that follows a spec.

    Args:
        env: any Gymnasium environment.
        spec: the compiled agent (or its ``AgentIR``).
        signals: reads the signals of ``env``, called as ``signals(env, observation)`` after every reset and step;
            needed where ``env`` is not of the engine that the spec names. Enum values are the members' names.
        observation: ``dict`` adds ``automaton`` (float32, zeros and ones) and, where the time limit is an end,
            ``time_left`` (float32 ``(1,)`` in [0, 1]) to the environment's own ``Dict``, or to a new one that has
            the rest under ``observation``; ``flat`` is one float32 vector; ``none`` leaves it as it is.
        horizon: the time limit in steps; by default the declared one, or that of the environment if it is less.
        shaping: whether rewards include the shaping.
        shield: what masks actions: ``info["action_mask"]`` has the actions that the environment and the shield allow,
            and ``step`` refuses others (AS1341).

    The reward is the spec's; of a spec without ``reward`` it is the environment's own. An episode terminates where
    the environment or the spec ends it, and at a time limit that is an end (LANGUAGE, "Payment"). Raises
    :class:`AgentcError` if the signals cannot be read or a part of the spec is not built yet (AS0714).
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        spec: CompiledAgent | AgentIR,
        *,
        signals: SignalFunction | None = None,
        observation: Mode = "dict",
        horizon: int | None = None,
        shaping: bool = True,
        shield: ShieldTable | None = None,
    ) -> None:
        RecordConstructorArgs.__init__(
            self, _disable_deepcopy=True, spec=spec, signals=signals, observation=observation, horizon=horizon,
            shaping=shaping, shield=shield,
        )  # fmt: skip
        gymnasium.Wrapper.__init__(self, env)
        self.compiled = spec if isinstance(spec, CompiledAgent) else CompiledAgent.from_ir(spec)
        self.horizon = time_limit_of(env, self.compiled, horizon)
        self._machine = self.compiled.reward_machine
        refuse_missing(self._machine)
        self._labels = _labels(self.compiled.agent)
        every = tuple(dict.fromkeys((*self._machine.atoms, *(a for _, f in self._labels for a in atoms(f)))))
        self._labeller = ScalarLabeller(every)
        self._costs = self.compiled.agent.costs
        # formulas that are judged on whole traces have no monitor here; who follows or shows them reads their signals
        judged = [f.formula for f in self.compiled.agent.formulas] if self.compiled.agent.judged_on_traces else []
        measured = [term.formula for term in self._machine.robustness]
        read = read_by(*judged, *(cost.value for cost in self._costs), *measured)
        names = dict.fromkeys((*needed_signals(every), *read))
        self._source = SignalSource(env, self.compiled, tuple(names), signals)
        self._code = AutomatonCode(self._machine)
        self._layout = Layout(env.observation_space, self._code, observation, self._machine.needs_time_left)
        self.observation_space = self._layout.space
        self._shapes = shaping
        self._own_reward = self.compiled.agent.reward is None
        self._roles = [(p.name, at, _role(self.compiled.agent, p.name)) for at, p in enumerate(self._machine.programs)]
        self._roles = [row for row in self._roles if row[2] is not None]
        self._payers = payers(self.compiled)
        declared = self.compiled.agent.declared
        self._declared = {s.name: s for s in declared}
        self._measured = MeasuredSteps(self._machine.robustness, declared, 1) if self._machine.robustness else None
        self._shield = None if shield is None else Shielded(env, shield)
        self._state: RewardState | None = None
        self._valuation: Valuation = {}
        self._t = 0
        self._return = 0.0

    @classmethod
    def make(
        cls,
        spec: CompiledAgent | AgentIR,
        *,
        render_mode: str | None = None,
        observation: Mode = "dict",
        shaping: bool = True,
        shield: ShieldTable | None = None,
    ) -> SpecEnv:
        """The environment that the spec itself names. Raises :class:`AgentcError` if it cannot be made."""
        compiled = spec if isinstance(spec, CompiledAgent) else CompiledAgent.from_ir(spec)
        if compiled.agent.environment is None:
            raise AgentcError([report("AS0911", None, name=compiled.agent.name)])
        return cls(
            environment_of(compiled.agent, render_mode),
            compiled,
            observation=observation,
            shaping=shaping,
            shield=shield,
        )

    @property
    def valuation(self) -> Valuation:
        """The values of the signals that the spec reads at the present step; those without a value are absent."""
        return self._valuation

    # ------------------------------------------------------------ stepping

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode; the observation is step 0 of the trace."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._t, self._return = 0, 0.0
        self._valuation = self._valued(self._source.reset(observation))
        letter = self._letter(None)
        self._state = self._machine.start(letter)
        if self._measured is not None:
            self._measured.begin(self._batch())
        codes = self._codes(self._state)
        if self._shield is not None:
            info = {**info, "action_mask": self._shield.reset(info.get("action_mask"))}
        return self._observed(observation), {**info, "agentc": self._said(letter, codes)}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act; the monitors read what came of it."""
        if self._state is None:
            raise gymnasium.error.ResetNeeded("Cannot call env.step() before calling env.reset()")
        if self._shield is not None:
            self._shield.check(action)
        observation, given, terminated, truncated, info = self.env.step(action)
        own = float(given)
        if self._shield is not None:
            info = {**info, "action_mask": self._shield.step(info.get("action_mask"), terminated)}
        self._t += 1
        before, previous = self._state, self._valuation
        self._valuation = self._valued(self._source.step(action, own, observation))
        letter = self._letter(previous)
        limit = self.horizon is not None and self._t >= self.horizon
        if self._measured is not None:
            self._measured.step(self._batch())
        try:
            self._state, outcome = self._machine.step(
                before, letter, terminated=bool(terminated), time_limit=limit, truncated=bool(truncated),
                measure=self._measure,
            )  # fmt: skip
        except ValueError:
            self._codes(before)
            raise self._impossible() from None
        paid = own if self._own_reward else outcome.reward
        self._return += paid
        said = self._said(letter, outcome.codes)
        said["reward"] = {**self._sources(outcome), "environment": own}
        if self._costs:
            assert previous is not None
            said["costs"] = costs_of_step(self._costs, previous, self._valuation)
        if outcome.terminated or outcome.truncated:
            said["assumptions_broken"] = [
                n for n, at, role in self._roles if role == "assume" and not Verdict(outcome.codes[at]).holds
            ]
            said["episode"] = {"return": self._return, "length": self._t, "terminated": outcome.terminated}
        reward = paid + (outcome.shaping if self._shapes else 0.0)
        return self._observed(observation), reward, outcome.terminated, outcome.truncated, {**info, "agentc": said}

    # ------------------------------------------------------------ parts

    def _valued(self, values: list[Any]) -> Valuation:
        self._source.check(values)
        return {name: v for name, v in zip(self._source.names, values, strict=True) if v is not None}

    def _batch(self) -> dict[str, Any]:
        """The present values as a batch of one environment."""
        declared = self._declared
        return {n: encode(n, declared.get(n), [self._valuation.get(n)]) for n in self._source.names}

    def _measure(self, term: Robust) -> float:
        """The robustness that is due, of the episode up to here."""
        assert self._measured is not None
        return self._measured.robustness(self._machine.robustness.index(term))

    def _letter(self, previous: Valuation | None) -> dict[Formula, bool]:
        truth = self._labeller.label(self._valuation, previous, self._t)
        return dict(zip(self._labeller.atoms, truth, strict=True))

    def _codes(self, state: RewardState) -> tuple[int, ...]:
        codes = tuple(p.verdict(s) for p, s in zip(self._machine.programs, state.states, strict=True))
        if OUTSIDE_CODE in codes:
            raise self._impossible()
        return codes

    def _impossible(self) -> AgentcError:
        shown = ", ".join(f"{name} = {value}" for name, value in self._valuation.items())
        return AgentcError([report("AS0708", None, env=0, values=shown)])

    def _observed(self, observation: Any) -> Any:
        assert self._state is not None
        left = 1.0 if self.horizon is None else max(0.0, (self.horizon - self._t) / self.horizon)
        return self._layout.observation(observation, self._code.of(self._state.states, self._state.node), left)

    def _said(self, letter: dict[Formula, bool], codes: tuple[int, ...]) -> dict[str, Any]:
        assert self._state is not None
        verdicts, states = {}, {}
        satisfied, violated, broken = {}, {}, []
        for name, at, role in self._roles:
            verdict = Verdict(codes[at])
            verdicts[name] = SHOWN[verdict]
            states[name] = self._state.states[at]
            if role == "safe":
                violated[name] = verdict is Verdict.FALSE
            elif role == "assume":
                if verdict is Verdict.FALSE:
                    broken.append(name)
            else:
                satisfied[name] = verdict.holds
        said = {
            "step": self._t,
            "verdicts": verdicts,
            "states": states,
            "satisfied": satisfied,
            "violated": violated,
            "assumptions_broken": broken,
            "labels": {name: _truth(f, letter) for name, f in self._labels},
            "signals": dict(self._valuation),
        }
        if self._machine.machine is not None:
            said["machine"] = self._machine.machine.names[self._state.node]
        return said

    def _sources(self, outcome: Outcome) -> dict[str, float]:
        """What each source paid."""
        paid: dict[str, float] = {}
        names = (*self._payers, *(term.name for term in self._machine.graded))
        for name, amount in zip(names, outcome.paid, strict=False):
            paid[name] = paid.get(name, 0.0) + amount
        if self._machine.machine is not None:
            paid["machine"] = outcome.paid[-1]
        paid["shaping"] = outcome.shaping
        return paid


def payers(compiled: CompiledAgent) -> list[str]:
    """The name of each payment: of its formula or proposition, or ``step``."""
    machine, reward = compiled.reward_machine, compiled.agent.reward
    named = {f"now: {t.formula}": t.name for t in (reward.terms if reward else ()) if t.kind == "prop" and t.name}
    programs = [machine.programs[p.program].name if p.program >= 0 else "step" for p in machine.payments]
    return [named.get(name, name) for name in programs]


def _role(agent: AgentIR, name: str) -> str | None:
    return next((item.role for item in agent.formulas if item.name == name), None)


def _labels(agent: AgentIR) -> tuple[tuple[str, Formula], ...]:
    """The propositions that the present step decides."""
    plain = ("true", "false", "not", "and", "or", "implies", "xor", "iff", "atom")
    return tuple(
        (p.name, p.formula)
        for p in agent.propositions
        if all(n.op in plain for n in postorder(p.formula) if isinstance(n, Formula))
        and not any(n.op in ("count", "sum", "in_seen", "occurs_in_seen") for n in postorder(p.formula))
    )


def _truth(f: Formula, letter: dict[Formula, bool]) -> bool:
    """A Boolean combination of atoms, under a letter."""
    value: dict[Node, bool] = dict(cast(dict[Node, bool], letter))
    for node in postorder(f):
        if not isinstance(node, Formula) or node in value:
            continue
        x = [value[a] for a in node.args]
        match node.op:
            case "true" | "false":
                value[node] = node.op == "true"
            case "not":
                value[node] = not x[0]
            case "and":
                value[node] = all(x)
            case "or":
                value[node] = any(x)
            case "implies":
                value[node] = not x[0] or x[1]
            case "xor":
                value[node] = x[0] != x[1]
            case _:
                value[node] = x[0] == x[1]
    return value[f]


def time_limit_of(env: gymnasium.Env[Any, Any], compiled: CompiledAgent, given: int | None) -> int | None:
    """The time limit in steps: the one given, else the least of the declared one and the environment's own.

    Raises :class:`AgentcError` (AS0915) if something is paid at the time limit and there is none.
    """
    environment = compiled.agent.environment
    limits = [environment.horizon if environment is not None else None]
    limits.append(env.spec.max_episode_steps if env.spec is not None else None)
    known = [limit for limit in limits if limit is not None]
    horizon = given if given is not None else min(known, default=None)
    if horizon is None and compiled.reward_machine.needs_time_left:
        raise AgentcError([report("AS0915", None, name=_paid_at_the_end(compiled.reward_machine))])
    return horizon


def _paid_at_the_end(machine: RewardMachine) -> str:
    """What is paid at the end: a robustness, or a task that can be true there without being final."""
    for measured in machine.robustness:
        if measured.whole:
            return measured.name
    for term in machine.payments:
        if term.kind == "task":
            program = machine.programs[term.program]
            if any(int(Verdict.PRESUMABLY_TRUE) in part.verdicts for part in program.parts):
                return program.name
    return "the task"


def wrap(
    env: gymnasium.Env[Any, Any],
    spec: CompiledAgent | AgentIR | str | Path,
    *,
    signals: SignalFunction | None = None,
    observation: Mode = "dict",
    horizon: int | None = None,
    shaping: bool = True,
) -> SpecEnv:
    """Put a spec on an environment; see :class:`SpecEnv`.

    ``spec`` is a compiled agent, the path of a bundle, or the path of a spec file with one agent in it. Raises
    :class:`AgentcError` with everything that is wrong with them.
    """
    return SpecEnv(env, compiled_spec(spec), signals=signals, observation=observation, horizon=horizon, shaping=shaping)


def compiled_spec(spec: CompiledAgent | AgentIR | str | Path) -> CompiledAgent:
    """The compiled agent of whatever names one. Raises :class:`AgentcError` (AS0917 if it is none of these)."""
    if isinstance(spec, CompiledAgent):
        return spec
    if isinstance(spec, AgentIR):
        return CompiledAgent.from_ir(spec)
    if not isinstance(spec, str | Path):
        raise AgentcError(
            [report("AS0917", None, spec=spec, mend="pass what `agentc.compile` or `agentc.load` return")]
        )
    path = Path(spec)
    if path.suffix != ".agentspec":
        return load(path)
    result = check(read(str(path)), root=str(path.resolve().parent))
    if not result.ok:
        raise AgentcError(d for d in result.diagnostics if d.severity is Severity.ERROR)
    if len(result.agents) != 1:
        mend = f"it has {len(result.agents)} agents; pass one of those that `agentc.compile` returns"
        raise AgentcError([report("AS0917", None, spec=spec, mend=mend)])
    return CompiledAgent.from_ir(result.agents[0])
