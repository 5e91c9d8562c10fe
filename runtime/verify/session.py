"""All items of some agents, in parallel processes, each with its time.

An item is decided by ``python -m agentc.runtime.verify.session``, which reads the agent's meaning as JSON and writes
lines of JSON: progress, then the answer. A process that outlives its item's time by :data:`GRACE` is ended, and the
answer is unknown.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Timer
from typing import IO, Any

from agentc.compiler.agent import AgentIR
from agentc.compiler.codec import decode_agent, encode_agent
from agentc.lang.diagnostics import AgentcError, Diagnostic, Severity
from agentc.runtime.verify.answer import Answer, unknown
from agentc.runtime.verify.method import decide
from agentc.runtime.verify.problem import problem_of

GRACE = 20.0


@dataclass(frozen=True)
class Task:
    """One item to decide: of which agent, which of its items, from which folder, with which trained policy."""

    agent: AgentIR
    index: int
    folder: Path
    policy: Path | None = None

    @property
    def label(self) -> str:
        """What people call it."""
        item = self.agent.verifies[self.index]
        bound = None
        if item.bound is not None:
            measure = "P" if item.total is None else "E"
            bound = f"{measure} {item.bound[0]} {item.bound[1]:g} [{item.name or item.source}]"
        return f"{self.agent.name}: {bound or item.name or item.source}"


Told = Callable[[Task, str], None]


@dataclass(frozen=True)
class Result:
    """What came of a task: an answer, or the diagnostics of bad input."""

    task: Task
    answer: Answer | None
    diagnostics: tuple[Diagnostic, ...] = ()


def run(tasks: Sequence[Task], told: Told, jobs: int | None = None) -> Iterator[Result]:
    """Decide the tasks, ``jobs`` at a time (default: one for each core); results as they come."""
    if len(tasks) == 1:
        yield _here(tasks[0], told)
        return
    running: list[subprocess.Popen[str]] = []
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        try:
            waiting = [pool.submit(_in_process, task, told, running) for task in tasks]
            for done in as_completed(waiting):
                yield done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in running:
                process.kill()
            raise


def _here(task: Task, told: Told) -> Result:
    try:
        problem = problem_of(task.agent, task.index, task.folder, lambda text: told(task, text), task.policy)
        return Result(task, decide(problem))
    except AgentcError as error:
        return Result(task, None, error.diagnostics)


def _in_process(task: Task, told: Told, running: list[subprocess.Popen[str]]) -> Result:
    item = task.agent.verifies[task.index]
    seconds = float(item.settings.get("time", 60.0))  # type: ignore[arg-type]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # the items share the cores
    last: dict[str, Any] = {}
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "agentc.runtime.verify.session"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment,
        ) as process,
    ):  # fmt: skip
        running.append(process)
        timer = Timer(seconds + GRACE, process.kill)
        timer.start()
        assert process.stdin is not None and process.stdout is not None
        try:
            asked = {
                "agent": encode_agent(task.agent), "index": task.index, "folder": str(task.folder),
                "policy": None if task.policy is None else str(task.policy),
            }  # fmt: skip
            process.stdin.write(json.dumps(asked))
            process.stdin.close()
            for line in process.stdout:
                try:
                    last = json.loads(line)
                except ValueError:
                    continue
                if "progress" in last:
                    told(task, str(last["progress"]))
            process.wait()
        except BrokenPipeError:  # it ended before it had read what it was asked; why stands in what it said
            process.wait()
        finally:
            timer.cancel()
        errors.seek(0)
        said = errors.read()
    if "answer" in last:
        return Result(task, Answer.from_data(last["answer"]))
    if "diagnostics" in last:
        return Result(task, None, tuple(_diagnostic(d) for d in last["diagnostics"]))
    method = item.method or "none"
    if process.returncode == -9:
        return Result(task, unknown(method, f"it was stopped {GRACE:g} s after its {seconds:g} s were over"))
    why = said.strip().splitlines()[-1] if said.strip() else f"exit code {process.returncode}"
    return Result(task, unknown(method, f"its process failed: {why}"))


def _diagnostic(data: dict[str, Any]) -> Diagnostic:
    return Diagnostic(data["code"], Severity(data["severity"]), data["message"], None, help=data["help"])


def serve(source: IO[str], target: IO[str]) -> None:
    """Decide one item that is asked for on ``source``; what is said goes to ``target``."""

    def say(data: dict[str, Any]) -> None:
        target.write(json.dumps(data) + "\n")
        target.flush()

    asked = json.loads(source.read())
    agent = decode_agent(asked["agent"])
    try:
        policy = None if asked["policy"] is None else Path(asked["policy"])
        problem = problem_of(agent, asked["index"], Path(asked["folder"]), lambda text: say({"progress": text}), policy)
        say({"answer": decide(problem).data()})
    except AgentcError as error:
        say({
            "diagnostics": [
                {"code": d.code, "severity": d.severity.value, "message": d.message, "help": d.help}
                for d in error.diagnostics
            ]
        })  # fmt: skip


def spanned(result: Result) -> Result:
    """The result with the item's place on diagnostics that have none."""
    span = result.task.agent.verifies[result.task.index].span
    return replace(result, diagnostics=tuple(replace(d, span=d.span or span) for d in result.diagnostics))


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
