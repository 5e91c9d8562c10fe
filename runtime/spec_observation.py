"""What an agent observes beside its environment: where the automata of its spec are, and the time left.

The reward of a spec depends on the history; together with the states of the automata it is Markov again (De
Giacomo, Iocchi, Favorito, Patrizi, *Foundations for restraining bolts*, ICAPS 2019). A state is one-hot; of an
automaton with more than :data:`ONE_HOT_STATES` states, the binary digits of its number, which say as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.compiler.backends.monitor import OUTSIDE_CODE
from agentc.compiler.backends.reward_machine import RewardMachine
from agentc.lang.diagnostics import AgentcError, report

ONE_HOT_STATES = 64

Mode = Literal["dict", "flat", "none"]
"""How observations are given; see :class:`agentc.runtime.spec_env.SpecEnv`."""

AUTOMATON, TIME_LEFT, OBSERVATION = "automaton", "time_left", "observation"


@dataclass(frozen=True, slots=True)
class _Field:
    """A stretch of the code: the state of one automaton, or (``program`` -1) of the explicit machine."""

    program: int
    part: int
    start: int
    size: int
    digits: int


class AutomatonCode:
    """The states that matter to reward and termination as a vector of zeros and ones, float32 ``(size,)``."""

    def __init__(self, machine: RewardMachine) -> None:
        fields: list[_Field] = []
        start = 0
        for at, part, size in _parts(machine):
            digits = 0 if size <= ONE_HOT_STATES else (size - 1).bit_length()
            fields.append(_Field(at, part, start, size, digits))
            start += digits or size
        self._fields = tuple(fields)
        self.size = start

    def of(self, states: Sequence[Sequence[int]], node: int) -> NDArray[np.float32]:
        """The code of one environment: ``states[program][part]`` and the explicit machine's state."""
        code = np.zeros(self.size, np.float32)
        for f in self._fields:
            state = node if f.program < 0 else states[f.program][f.part]
            if f.digits:
                for k in range(f.digits):
                    code[f.start + k] = state >> k & 1
            elif state < f.size:
                code[f.start + state] = 1.0
        return code

    def batch(self, states: Sequence[Sequence[NDArray[Any]]], node: NDArray[Any], out: NDArray[np.float32]) -> None:
        """The codes of N environments: ``states[program][part]`` are ``(N,)``; written to ``out``, ``(N, size)``."""
        out[:] = 0.0
        rows = np.arange(len(out))
        for f in self._fields:
            state = node if f.program < 0 else states[f.program][f.part]
            if f.digits:
                out[:, f.start : f.start + f.digits] = state[:, None] >> np.arange(f.digits) & 1
            else:
                out[rows, f.start + state] = 1.0


def _parts(machine: RewardMachine) -> list[tuple[int, int, int]]:
    """Which automata there are in the code: program, part, number of states.

    Those of tasks, safes, shaped formulas and terms by degree, and those of other payments and guards where they
    remember something.
    """
    central = {p.program for p in machine.payments if p.kind in ("task", "safe")}
    central |= {s.program for s in machine.shapings} | {p.program for p in machine.progress}
    central |= {r.program for r in machine.robustness if r.whole and r.program >= 0}
    used = {p.program for p in machine.payments if p.program >= 0}
    if machine.machine is not None:
        used |= {e.guard for edges in machine.machine.edges for e in edges}
    found = []
    for at, program in enumerate(machine.programs):
        for i, part in enumerate(program.parts):
            # the state that stands for impossible values comes last and is never in an observation
            size = sum(1 for code in part.verdicts if code != OUTSIDE_CODE)
            if at in central or (at in used and size > 2):
                found.append((at, i, size))
    if machine.machine is not None:
        found.append((-1, 0, len(machine.machine.names)))
    return found


class Layout:
    """The observation space of an environment with a spec, and what observations are made of.

    ``base`` is the environment's own space. Raises :class:`AgentcError` (AS0913, AS0914).
    """

    def __init__(self, base: gymnasium.Space[Any], code: AutomatonCode, mode: Mode, time_left: bool) -> None:
        self.mode, self.base, self.time_left = mode, base, time_left
        added: dict[str, gymnasium.Space[Any]] = {}
        if code.size:
            added[AUTOMATON] = spaces.Box(0.0, 1.0, (code.size,), np.float32)
        if time_left:
            added[TIME_LEFT] = spaces.Box(0.0, 1.0, (1,), np.float32)
        self.added = added
        self.space: gymnasium.Space[Any]
        self._inner: tuple[str, ...] = ()
        if mode == "none":
            self.space = base
        elif mode == "dict":
            if isinstance(base, spaces.Dict):
                taken = next((key for key in added if key in base.spaces), None)
                if taken is not None:
                    raise AgentcError([report("AS0914", None, name=taken)])
                self.space = spaces.Dict({**base.spaces, **added})
            else:
                self.space = spaces.Dict({OBSERVATION: base, **added})
        else:
            if not base.is_np_flattenable:
                raise AgentcError([report("AS0913", None, space=base)])
            flat = spaces.flatten_space(base)
            assert isinstance(flat, spaces.Box)
            extra = sum(int(np.prod(s.shape or ())) for s in added.values())
            low = np.concatenate([flat.low.astype(np.float32), np.zeros(extra, np.float32)])
            high = np.concatenate([flat.high.astype(np.float32), np.ones(extra, np.float32)])
            self.space = spaces.Box(low, high, dtype=np.float32)

    def observation(self, observation: Any, code: NDArray[np.float32], time_left: float) -> Any:
        """An observation of the space; ``code`` is not kept."""
        if self.mode == "none":
            return observation
        parts: dict[str, Any] = {}
        if AUTOMATON in self.added:
            parts[AUTOMATON] = code
        if self.time_left:
            parts[TIME_LEFT] = np.array([time_left], np.float32)
        if self.mode == "dict":
            return {**(observation if isinstance(self.base, spaces.Dict) else {OBSERVATION: observation}), **parts}
        flat = np.asarray(spaces.flatten(self.base, observation), np.float32)
        return np.concatenate([flat, *parts.values()])
