"""Deployed episodes: the policy acts, its shield and its fallback stand in, monitors watch, and everything is logged.

At every step the likeliest action of the policy is taken unless

- a shield of a finite model does not allow it: then the likeliest that it allows (intervention ``shield``);
- it would leave the set from which the fallback suffices: then the fallback's action (``simplex``, which is how a
  shield of declared dynamics works);
- something that is monitored has been violated: then the fallback acts to the end (``monitor``), or where there is
  none, the run is stopped;
- the policy fails, or gives no finite action: the same (``policy``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.deploy.simplex import Fallback, Simplex
from agentc.runtime.envs.declared import DeclaredEnv
from agentc.runtime.evaluate import Actor, Fitted, Remembering
from agentc.runtime.learn.seeding import evaluation_seeds
from agentc.runtime.learn.trajectory import parts
from agentc.runtime.shield import ShieldTable
from agentc.runtime.spec_env import SHOWN, SpecEnv
from agentc.runtime.trace_monitor import TraceMonitor
from agentc.runtime.verify.model.shield import agent_shield

Listener = Callable[[str, Mapping[str, Any]], None]


@dataclass
class Deployed:
    """What came of an episode. ``interventions`` counts by kind."""

    seed: int
    steps: int = 0
    interventions: dict[str, int] = field(default_factory=dict)
    satisfied: Mapping[str, bool] = field(default_factory=dict)
    violated: Mapping[str, bool] = field(default_factory=dict)
    stopped: str = ""

    @property
    def kept(self) -> bool:
        """Whether no safe formula was violated and the run was not stopped."""
        return not any(self.violated.values()) and not self.stopped


class Deployment:
    """An agent with its policy, as its ``deploy`` says. Raises :class:`AgentcError` where that cannot be."""

    def __init__(self, compiled: CompiledAgent, policy: Actor) -> None:
        agent = compiled.agent
        assert agent.deploy is not None
        self._agent, self._deploy, self._policy = agent, agent.deploy, policy
        bare = None if agent.system is None else SpecEnv.make(compiled).unwrapped
        self._fallback = None
        if self._deploy.fallback is not None:
            assert isinstance(bare, DeclaredEnv)  # a fallback is a controller of the system
            self._fallback = Fallback(bare, self._deploy.fallback)
        names = [s.formula for s in self._deploy.shields]
        self.shield: ShieldTable | None = None
        dynamics = isinstance(bare, DeclaredEnv) and not bare.system.commands and not _finite(bare)
        if names and not dynamics:
            self.shield = agent_shield(agent)
        self._spec = SpecEnv.make(compiled, shield=self.shield)
        self._env: gymnasium.Env[Any, Any] = (
            policy.within(self._spec) if isinstance(policy, Remembering) else self._spec
        )
        if isinstance(policy, Fitted):
            policy.check_spaces(self._env.observation_space, self._env.action_space)
        self._simplex = None
        if names and dynamics:
            if self._fallback is None:
                why = "`deploy` names no fallback"
                raise AgentcError([report("AS1383", None, formulas=" & ".join(names), why=why)])
            mine = self._env.unwrapped
            assert isinstance(mine, DeclaredEnv)
            self._simplex = Simplex(agent, mine, names, self._fallback)

    def episode(self, seed: int, listen: Listener) -> Deployed:
        """Run one episode; ``listen`` is told every event."""
        env, done = self._env, Deployed(seed)
        observation, info = env.reset(seed=evaluation_seeds(seed, 1)[0])
        if self._simplex is not None:
            self._simplex.begin()
        listen("start", {"seed": seed, "signals": _plain(info["agentc"]["signals"])})
        over, lost = False, ""
        verdicts = self._verdicts()
        said = verdicts(info)
        while not over:
            lost = lost or self._lost(said)
            if lost and self._fallback is None:
                done.stopped = lost
                listen("stopped", {"step": done.steps, "why": lost})
                break
            wanted, action, kind, why = self._chosen(observation, info, lost)
            if kind:
                done.interventions[kind] = done.interventions.get(kind, 0) + 1
                event = {"step": done.steps, "kind": kind, "why": why, "wanted": _shown(wanted), "done": _shown(action)}
                listen("intervention", event)
            if action is None:
                done.stopped = why
                listen("stopped", {"step": done.steps, "why": why})
                break
            before = said
            observation, _, terminated, truncated, info = env.step(action)
            if self._simplex is not None:
                self._simplex.moved(action)
            done.steps += 1
            over = terminated or truncated
            said = verdicts(info)
            for name in self._deploy.monitors:
                if said.get(name) != before.get(name):
                    listen("monitor", {"step": done.steps, "formula": name, "verdict": said[name]})
        done.satisfied, done.violated = info["agentc"]["satisfied"], info["agentc"]["violated"]
        listen("end", {
            "steps": done.steps, "satisfied": dict(done.satisfied), "violated": dict(done.violated),
            "interventions": dict(done.interventions), "stopped": done.stopped,
        })  # fmt: skip
        return done

    def _verdicts(self) -> Callable[[Mapping[str, Any]], dict[str, str]]:
        """What the monitors say after each step of an episode, in the order of the steps, by formula.

        Agents that are judged on whole traces have no monitors in their environment: they are followed here. Raises
        :class:`AgentcError` for a formula that no automaton can follow.
        """
        if not self._agent.judged_on_traces:
            return lambda info: dict(info["agentc"]["verdicts"])
        watched = [f for f in self._agent.formulas if f.name in self._deploy.monitors]
        monitor = TraceMonitor(watched, self._agent.signals)

        def follow(info: Mapping[str, Any]) -> dict[str, str]:
            monitor.step(self._spec.valuation)
            verdicts = monitor.verdicts
            if None in verdicts.values():  # findings look at the whole trace: only to say why there is none
                missing = [f for f in monitor.findings(ended=False) if verdicts[f.item.name] is None]
                raise AgentcError([note for finding in missing for note in finding.notes])
            return {name: SHOWN[verdict] for name, verdict in verdicts.items() if verdict is not None}

        return follow

    def _lost(self, said: Mapping[str, str]) -> str:
        """What is monitored and has been violated."""
        broken = [name for name in self._deploy.monitors if said.get(name) == "false"]
        return f"`{broken[0]}` was violated" if broken else ""

    def _chosen(self, observation: Any, info: Mapping[str, Any], lost: str) -> tuple[Any, Any, str, str]:
        """What the policy wants, what is done, and if that is something else, by whom and why."""
        bare = self._env.unwrapped
        first = int(getattr(self._env.action_space, "start", 0))
        wanted, failed = self._wanted(observation)
        if lost or failed:
            kind, why = ("monitor", lost) if lost else ("policy", failed)
            if self._fallback is None or not isinstance(bare, DeclaredEnv):
                return wanted, None, kind, why
            return wanted, self._fallback.act(bare.batch), kind, why
        mask = info.get("action_mask")
        if mask is not None and not mask[int(wanted)]:
            chosen = self._likeliest(observation, np.asarray(mask, np.bool_))
            keeper = "the shield" if self.shield is not None else "the environment"
            return wanted, chosen + first, "shield", f"{keeper} does not allow it"
        action = wanted + first if isinstance(wanted, int) else wanted
        if self._simplex is not None and not self._simplex.keeps(action):
            assert self._fallback is not None and isinstance(bare, DeclaredEnv)
            return wanted, self._fallback.act(bare.batch), "simplex", f"`{self._fallback.name}` could not mend it"
        return wanted, action, "", ""

    def _likeliest(self, observation: Any, mask: NDArray[np.bool_] | None) -> Any:
        """The likeliest action; choices count from 0."""
        batch = {key: np.asarray(array)[None] for key, array in parts(observation).items()}
        row = self._policy.act(batch, None if mask is None else mask[None], None)[0]
        return int(row) if isinstance(self._env.action_space, gymnasium.spaces.Discrete) else row

    def _wanted(self, observation: Any) -> tuple[Any, str]:
        try:
            wanted = self._likeliest(observation, None)
        except (RuntimeError, ValueError, ArithmeticError) as error:
            return None, f"the policy failed: {error}"
        if not np.isfinite(np.asarray(wanted, float)).all():
            return wanted, "the policy gives no finite action"
        return wanted, ""


def _finite(env: DeclaredEnv) -> bool:
    """Whether a system of difference equations has finitely many states, so that a table can shield it."""
    bounded = [v.kind in ("bool", "enum") or (v.kind == "int" and None not in (v.lo, v.hi)) for v in env.system.states]
    return env.system.integrator == "difference" and all(bounded)


def _shown(action: Any) -> Any:
    return action.tolist() if isinstance(action, np.ndarray) else action


def _plain(signals: Mapping[str, Any]) -> dict[str, Any]:
    return {name: v if isinstance(v, bool | int | float | str) else str(v) for name, v in signals.items()}


class Log:
    """Events as lines of JSON, each written as it happens. Raises :class:`AgentcError` (AS0808)."""

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = path.open("w", encoding="utf-8")
        except OSError as error:
            raise AgentcError([report("AS0808", None, path=str(path), reason=error.strerror or str(error))]) from error
        self("deployed", head)

    def __call__(self, event: str, data: Mapping[str, Any]) -> None:
        """Write an event."""
        self._file.write(json.dumps({"event": event, **data}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Nothing follows."""
        self._file.close()
