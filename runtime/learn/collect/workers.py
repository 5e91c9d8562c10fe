"""Environments in processes of their own, for those whose steps are slow: ``workers = k`` in a ``train`` block.

Each process has some of the environments, side by side, and a seed gives environment ``i`` the same episodes whichever
process it is in: what is collected is what one process would collect. All act at once, and the slowest is waited for.
What a teacher or a reset says of an episode's beginning is asked of the run, in the order of the environments.

A process that dies (killed, out of memory, a fault in native code) is started again. The episodes that were under way
in it are lost: they end, cut off, where they were, and new ones begin, from seeds that no other episode had. The one
step that was under way is *lost*: it is no decision, and no learner replays it; a value function sees it as standing
still for a moment. The loss is a warning (AS1552) in the log and is counted in ``metrics.jsonl``. An environment that
raises an error ends the run (AS1553), and so does a process that dies again and again (AS1554).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.runtime.learn.collect.worker import receive, send
from agentc.runtime.learn.statistics import FiguresByName
from agentc.runtime.learn.trajectory import parts
from agentc.runtime.learn.vector import Array, Controlled, Observation, Options, StepBatch, VectorEnv

PATIENCE = 100
"""Steps after which a death counts as the first again."""
DEATHS = 3
"""How often a process may die within that many steps."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from agentc.runtime.learn.collect.worker import serve; serve()"
)

Joined = Callable[[list[tuple[int, Any]]], FiguresByName]
"""From the number of each process's first environment and what it has watched, to figures."""


class Died(Exception):
    """A process is no longer there."""


class Process:
    """One collector process: requests go to it, one at a time, and its answers come back."""

    def __init__(self, maker: str, first: int, count: int, arguments: Mapping[str, Any]) -> None:
        """Start it; ``maker`` is ``module:function``, called with ``first``, ``count`` and the arguments."""
        self.first, self.count = first, count
        # A session of its own, so that Ctrl-C reaches the run alone, which then closes its processes.
        self._popen = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self._asked = ("make", (maker, first, count, dict(arguments)))
        self._made = False

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._popen.pid

    @property
    def how(self) -> str:
        """How it has ended, in words."""
        code = self._popen.wait()
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def ask(self, name: str, *arguments: Any, options: Options | None = None) -> None:
        """Send a request. Raises :class:`Died`."""
        assert self._popen.stdin is not None
        try:
            if not self._made:
                request, given = self._asked
                send(self._popen.stdin, (request, False, given))
            send(self._popen.stdin, (name, options is not None, arguments))
        except OSError:
            raise Died from None

    def answer(self, options: Options | None = None) -> Any:
        """The answer to the last request. Raises :class:`Died`, and :class:`Failed` for an error in there."""
        assert self._popen.stdin is not None and self._popen.stdout is not None
        first_failure = None
        try:
            for _ in range(1 if self._made else 2):
                kind, content = receive(self._popen.stdout)
                while kind == "options":
                    send(self._popen.stdin, None if options is None else options(content))
                    kind, content = receive(self._popen.stdout)
                if kind == "failed":
                    first_failure = first_failure or Failed(content)
        except (EOFError, OSError):
            raise Died from None
        self._made = True
        if first_failure is not None:
            raise first_failure
        return content

    def close(self) -> None:
        """End it: its input ends, and it is killed if it does not mind that."""
        for stream in (self._popen.stdin, self._popen.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        try:
            self._popen.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


class Failed(Exception):
    """An error inside a process, as plain data."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        super().__init__(str(content.get("text", "")))
        self.content = content

    def error(self, first: int) -> Exception:
        """What the run raises: the diagnostics as they were, environments numbered as in the run, or AS1553."""
        if "diagnostics" in self.content:
            found = []
            for code, values in self.content["diagnostics"]:
                if isinstance(values.get("env"), int):
                    values = {**values, "env": values["env"] + first}
                found.append(report(code, None, **values))
            return AgentcError(found)
        return AgentcError([report("AS1553", None, **{k: self.content[k] for k in ("kind", "text", "file")})])


class WorkerVector:
    """A :class:`~agentc.runtime.learn.vector.VectorEnv` whose environments are in ``workers`` processes.

    ``template`` is the same with one environment or more, in this process: it says the spaces, and is closed with the
    rest. ``joined`` makes figures of what the processes have watched.
    """

    def __init__(
        self, template: VectorEnv, maker: str, arguments: Mapping[str, Any], num_envs: int, workers: int,
        joined: Joined | None = None,
    ) -> None:  # fmt: skip
        if not 1 <= workers <= num_envs:
            raise ValueError(f"{num_envs} environments are not for {workers} processes")
        self._template, self._maker, self._arguments = template, maker, dict(arguments)
        self.num_envs = num_envs
        self.observation_space: gymnasium.Space[Any] = template.observation_space
        self.action_space: gymnasium.Space[Any] = template.action_space
        self.task_space = getattr(template, "task_space", None)
        self.budgets: dict[str, float] = dict(getattr(template, "budgets", {}))
        self.action_mask: NDArray[np.bool_] | None = None
        self.options: Options | None = None
        """Called with an environment's number before its reset; what it returns goes there as ``options``."""
        sizes = [len(part) for part in np.array_split(np.arange(num_envs), workers)]
        firsts = np.cumsum([0, *sizes[:-1]]).tolist()
        self._slices = [slice(first, first + size) for first, size in zip(firsts, sizes, strict=True)]
        self._joined = joined
        self.processes: list[Process] = [self._start(k) for k in range(workers)]
        """The processes, in the order of their environments."""
        self._observation: Observation = np.zeros(0)
        self._seed, self._steps = 0, 0
        self._restarted, self._lost = 0, 0
        self._deaths: list[list[int]] = [[] for _ in range(workers)]
        self._found: list[Diagnostic] = []
        self._like: dict[str, dict[str, Array]] = {name: {} for name in ("info", "sources", "costs", "monitors")}

    @property
    def stepping(self) -> str:
        """How the environments are stepped, in words."""
        return f"{self.num_envs} environments, stepped in {len(self._slices)} processes"

    # ------------------------------------------------------------ as one environment vector

    def reset(self, seed: int | None) -> Observation:
        """Start new episodes; environment ``i`` gets the ``i``-th training seed of ``seed``."""
        self._seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        answers = self._all("reset", lambda k: (self._seed,))
        return self._shown(answers)

    def step(self, actions: Array) -> StepBatch:
        """Act in every process at once; those that have died are started again, and their step is lost."""
        self._steps += 1
        alive = [self._asked(k, "step", actions[where]) for k, where in enumerate(self._slices)]
        batches: list[dict[str, Any] | None] = []
        masks: list[Any] = []
        failures: list[tuple[int, Failed]] = []
        for k, asked in enumerate(alive):
            batch = mask = None
            try:
                if not asked:
                    raise Died
                batch, mask = self.processes[k].answer(self.options)
            except Failed as error:
                failures.append((k, error))
            except Died:
                pass
            batches.append(batch)
            masks.append(mask)
        if failures:
            k, failure = failures[0]
            raise failure.error(self._slices[k].start) from None
        lost = np.zeros(self.num_envs, np.bool_)
        for k, batch in enumerate(batches):
            if batch is None:
                lost[self._slices[k]] = True
                batches[k], masks[k] = self._anew(k)
        return self._one([b for b in batches if b is not None], masks, lost)

    def snapshot(self) -> dict[str, Array] | None:
        """The states of all processes' environments; None if one cannot be told."""
        state: dict[str, Array] = {
            "slices": np.array([s.start for s in self._slices]),
            "counts": np.array([self._seed, self._restarted, self._lost, self._steps]),
        }
        for k, own in enumerate(self._polled("snapshot")):
            if own is None:
                return None
            state |= {f"{k}/{name}": array for name, array in own.items()}
        return state

    def restore(self, state: Mapping[str, Array]) -> Observation:
        """Go on from :meth:`snapshot`. Raises ``ValueError`` where it is of another number of processes or fails."""
        if state["slices"].tolist() != [s.start for s in self._slices]:
            raise ValueError("the environments were in other processes")
        own = [
            {name.split("/", 1)[1]: a for name, a in state.items() if name.startswith(f"{k}/")}
            for k in range(len(self.processes))
        ]
        try:
            answers = self._all("restore", lambda k: (own[k],))
        except AgentcError as error:
            raise ValueError(str(error)) from None
        self._seed, self._restarted, self._lost, self._steps = (int(x) for x in state["counts"])
        return self._shown(answers)

    def controller(self, name: str) -> Callable[[Mapping[str, Array]], Array] | None:
        """A feedback law, where the environments know it."""
        return self._template.controller(name) if isinstance(self._template, Controlled) else None

    def figures(self) -> FiguresByName:
        """What the processes have watched, and how many were started again, if any."""
        watched = [
            (s.start, w) for s, w in zip(self._slices, self._polled("watched"), strict=True) if w is not None
        ]
        found = dict(self._joined(watched)) if self._joined is not None and watched else {}
        if self._restarted:
            found["workers"] = {"restarted": self._restarted, "episodes_lost": self._lost}
        return found

    def found(self) -> tuple[Diagnostic, ...]:
        """What went wrong since the last time, each process that was started again with AS1552."""
        found, self._found = tuple(self._found), []
        return found

    def close(self) -> None:
        """End all processes."""
        for process in self.processes:
            process.close()
        self._template.close()

    # ------------------------------------------------------------ processes

    def _start(self, k: int) -> Process:
        where = self._slices[k]
        return Process(self._maker, where.start, where.stop - where.start, self._arguments)

    def _asked(self, k: int, name: str, *arguments: Any) -> bool:
        """Send a request; whether it has arrived."""
        try:
            self.processes[k].ask(name, *arguments, options=self.options)
        except Died:
            return False
        return True

    def _all(self, name: str, arguments: Callable[[int], tuple[Any, ...]]) -> list[Any]:
        """The answers of all to a request that begins episodes, made again to a process that has died.

        Raises :class:`AgentcError`, when all have answered.
        """
        asked = [self._asked(k, name, *arguments(k)) for k in range(len(self.processes))]
        answers: list[Any] = []
        failures: list[tuple[int, Failed]] = []
        for k, arrived in enumerate(asked):
            answer = None
            while answer is None:
                try:
                    if not arrived:
                        raise Died
                    answer = self.processes[k].answer(self.options)
                except Died:
                    self._again(k, 0)
                    arrived = self._asked(k, name, *arguments(k))
                except Failed as error:
                    failures.append((k, error))
                    break
            answers.append(answer)
        if failures:
            k, failure = failures[0]
            raise failure.error(self._slices[k].start) from None
        return answers

    def _polled(self, name: str) -> list[Any]:
        """What each process answers; None of one that has died, which the next step finds."""
        asked = [self._asked(k, name) for k in range(len(self.processes))]
        answers = []
        for k, arrived in enumerate(asked):
            answer = None
            with contextlib.suppress(Died, Failed):
                answer = self.processes[k].answer(self.options) if arrived else None
            answers.append(answer)
        return answers

    def _again(self, k: int, lost: int) -> None:
        """Start a process again; ``lost`` episodes were under way. Raises AS1554 if it dies again and again."""
        how = self.processes[k].how
        self.processes[k].close()
        self._restarted += 1
        self._lost += lost
        deaths = self._deaths[k] = [*(s for s in self._deaths[k] if self._steps - s < PATIENCE), self._steps]
        if len(deaths) >= DEATHS:
            raise AgentcError([report("AS1554", None, worker=k, times=len(deaths), how=how)])
        self._found.append(report("AS1552", None, worker=k, how=how, step=self._steps, episodes=lost))
        self.processes[k] = self._start(k)

    def _anew(self, k: int) -> tuple[dict[str, Any], Any]:
        """A dead process started again, with new episodes: the lost step as a batch, and the legal actions."""
        where = self._slices[k]
        count = where.stop - where.start
        self._again(k, count)
        while True:
            seed = int(np.random.SeedSequence([self._seed, 8, self._restarted]).generate_state(1)[0])
            try:
                self.processes[k].ask("reset", seed, options=self.options)
                observation, mask = self.processes[k].answer(self.options)
            except Died:
                self._again(k, 0)
                continue
            except Failed as failure:
                raise failure.error(where.start) from None
            break
        before = self._observation
        last = {key: a[where] for key, a in before.items()} if isinstance(before, dict) else before[where]
        nothing = np.zeros(count, np.bool_)
        return {
            "observation": observation, "final_observation": last, "reward": np.zeros(count, np.float32),
            "terminated": nothing, "truncated": ~nothing, "action_mask": mask, "info": {},
            "final_action_mask": None if self.action_mask is None else self.action_mask[where],
            "sources": {}, "costs": {}, "monitors": {},
        }, mask  # fmt: skip

    # ------------------------------------------------------------ joining

    def _shown(self, answers: list[Any]) -> Observation:
        self._observation = _stacked([observation for observation, _ in answers])
        masks = [mask for _, mask in answers]
        self.action_mask = None if any(m is None for m in masks) else np.concatenate(masks)
        return self._observation

    def _one(self, batches: list[dict[str, Any]], masks: list[Any], lost: NDArray[np.bool_]) -> StepBatch:
        """The batches of all processes as one."""
        rows = [len(b["reward"]) for b in batches]
        terminated, truncated = (np.concatenate([b[k] for b in batches]) for k in ("terminated", "truncated"))
        observation = _stacked([b["observation"] for b in batches])
        ended = bool((terminated | truncated).any())
        final = _stacked([b["final_observation"] for b in batches]) if ended else observation
        mask = None if any(m is None for m in masks) else np.concatenate(masks)
        final_mask = None
        if ended and mask is not None:
            final_mask = np.concatenate([
                m if b["final_action_mask"] is None else b["final_action_mask"]
                for b, m in zip(batches, masks, strict=True)
            ])  # fmt: skip
        self._observation, self.action_mask = observation, mask
        groups = {name: _named([b[name] for b in batches], rows, like) for name, like in self._like.items()}
        if not any(b["info"] for b in batches):
            groups["info"] = {}
        return StepBatch(
            observation, final, np.concatenate([b["reward"] for b in batches]), terminated, truncated, mask,
            final_action_mask=final_mask, lost=lost if lost.any() else None, **groups,
        )  # fmt: skip


def _stacked(observations: list[Observation]) -> Observation:
    found = [parts(observation) for observation in observations]
    joined = {key: np.concatenate([o[key] for o in found]) for key in found[0]}
    return joined if isinstance(observations[0], dict) else joined[""]


def _named(groups: list[Mapping[str, Array]], rows: list[int], like: dict[str, Array]) -> dict[str, Array]:
    """Arrays by name, of all processes; zeros where one has none, which is where they mean nothing.

    ``like`` remembers names and types from step to step.
    """
    like |= {name: array[:1] for group in groups for name, array in group.items()}
    return {
        name: np.concatenate([
            group[name] if name in group else np.zeros((count, *array.shape[1:]), array.dtype)
            for group, count in zip(groups, rows, strict=True)
        ])
        for name, array in like.items()
    }  # fmt: skip


