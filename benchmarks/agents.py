"""Language-model agents on every world that runs offline: unconstrained, prompted, constrained, with exact choices.

The embedded model (SmolLM2-135M-Instruct) runs each task once per seed and arm, at temperature 0.7; the arms with a
decoder get the prompt of the arm ``prompt only``, so that what differs is the mask alone. A run conforms if it is a
whole run that keeps every ``behavior`` and ``safe`` of its agent, by the reference semantics. It succeeds if it reaches
the agent's tasks. Runs are recorded in ``recorded/agents.jsonl`` beside this file, and those that are there are not
run again: ``agentc bench agents --rounds N`` runs what is missing of the seeds 0 to N - 1 and shows all that there is.
``python -m agentc.benchmarks.agents --seeds 1 --record FILE`` makes a record of one's own.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from agentc.benchmarks import recording
from agentc.benchmarks.free_writing import bare_prompt, free_run, full_prompt
from agentc.benchmarks.rows import Row, table
from agentc.compiler.agent import AgentIR
from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.cli.waiting import Waiting
from agentc.runtime.llm.decoder import Decoder
from agentc.runtime.llm.models import EMBEDDED, LanguageModel, Stream, load_model
from agentc.runtime.llm.run import RunSettings, run_agent
from agentc.runtime.llm.worlds.table import world_of

RECORDED = Path(__file__).parent / "recorded" / "agents.jsonl"
ARMS = ("unconstrained", "prompt only", "constrained", "constrained, exact choices")
TASKS = {
    "retail": ("agents/service_desks.agentspec", "ShopClerk", 12),
    "airline": ("agents/service_desks.agentspec", "AirlineClerk", 12),
    "form": ("agents/form_filler.agentspec", "FormFiller", 16),
    "textworld": ("agents/adventurer.agentspec", "Adventurer", 12),
    "corpus_qa": ("researcher.agentspec", "Researcher", 8),
}
"""Task to the spec, the agent in it, and how many steps an episode may have."""
TEMPERATURE = 0.7
MAX_TOKENS = 160
"""The most tokens of a run without a decoder; with one, the phases and the steps are the limit."""


@dataclass(frozen=True)
class Recorded:
    """One run. ``seconds`` are of the processor; ``breaches`` are writes that broke a rule of a desk, as it counts."""

    task: str
    arm: str
    seed: int
    conforming: bool
    solved: bool
    steps: int
    tokens: int
    forced: int
    seconds: float
    breaches: int
    reason: str
    spec: str


class Prefilled:
    """A model that has read the beginning of its prompt once, for all runs with the same instructions."""

    def __init__(self, model: LanguageModel, system: str) -> None:
        self.name, self.vocabulary, self._model, self._system = model.name, model.vocabulary, model, system
        first, second = (model.prompt(system, text) for text in ("A", "Why?"))
        same = next(i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
        self._prefix = first[:same]
        self._read = model.stream()
        self._read.read(self._prefix)

    def prompt(self, system: str, user: str) -> list[int]:
        """The rest of the prompt; the instructions are those that were read."""
        whole = self._model.prompt(self._system, user)
        if whole[: len(self._prefix)] != self._prefix:
            raise ValueError("the prompt begins otherwise than what was read")
        return whole[len(self._prefix) :]

    def stream(self) -> Stream:
        """A text of which the instructions were read."""
        return self._read.fork()


@cache
def agent_of(task: str) -> AgentIR:
    """The agent of a task."""
    path, name, _ = TASKS[task]
    text = (files("agentc.specs") / path).read_text(encoding="utf-8")
    return next(a for a in check(Source(path, text), examples=False).agents if a.name == name)


@cache
def digest(task: str) -> str:
    """What a record's runs are of: the text of the spec."""
    return hashlib.sha256((files("agentc.specs") / TASKS[task][0]).read_bytes()).hexdigest()[:12]


def read(path: Path) -> list[Recorded]:
    """The recorded runs; those of another text of their spec are left out."""
    return recording.rows(path, Recorded, lambda r: r.task in TASKS and r.spec == digest(r.task))


def missing(done: list[Recorded], seeds: int) -> Iterator[tuple[str, int, str]]:
    """What is to be run, seed by seed: first the arm under the decoder, then a sixth of its seeds of the others.

    Without a decoder a run of this model ends at its first line, and there is little to be learnt from more of them;
    exact choices score up to 128 texts for one of them and take long.
    """
    have = {(r.task, r.seed, r.arm) for r in done}
    few = range((seeds + 5) // 6)
    for arm, chosen in (("constrained", range(seeds)), *((a, few) for a in ARMS if a != "constrained")):
        for seed in chosen:
            for task in TASKS:
                if (task, seed, arm) not in have:
                    yield task, seed, arm


class Bench:
    """The model, and what is made once for each task."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._made: dict[str, tuple[Decoder, Any, Mapping[bool, tuple[str, Prefilled]]]] = {}

    def _of(self, task: str) -> tuple[Decoder, Any, Mapping[bool, tuple[str, Prefilled]]]:
        if task not in self._made:
            agent = agent_of(task)
            world = world_of(agent)
            told = {False: bare_prompt(agent), True: full_prompt(agent, world)}
            models = {full: (text, Prefilled(self._model, text)) for full, text in told.items()}
            self._made[task] = (Decoder(agent, self._model.vocabulary), world, models)
        return self._made[task]

    def run(self, task: str, seed: int, arm: str) -> Recorded:
        """One run."""
        decoder, world, models = self._of(task)
        system, model = models[arm != "unconstrained"]
        most = TASKS[task][2]
        began = time.process_time()
        if arm.startswith("constrained"):
            settings = RunSettings(None, most, TEMPERATURE, seed, arm != "constrained")
            done = run_agent(decoder, model, world, settings)
            kept, solved = all(done.kept.values()), all(done.satisfied.values())
            steps, tokens, forced, reason = len(done.steps), done.tokens, done.forced, ""
        else:
            free = free_run(
                decoder, model, world, system, seed=seed, temperature=TEMPERATURE, max_tokens=MAX_TOKENS,
                max_steps=most,
            )  # fmt: skip
            kept, solved, reason = free.conforming, free.solved, free.reason
            steps, tokens, forced = len(free.steps), free.tokens, 0
        seconds = round(time.process_time() - began, 2)
        breaches = getattr(getattr(world, "state", None), "breaches", 0)
        return Recorded(task, arm, seed, kept, solved, steps, tokens, forced, seconds, breaches, reason, digest(task))


def carry_out(seeds: int, path: Path) -> list[Recorded]:
    """Run what is missing, recording each run as it ends; all runs that there are then."""
    done = read(path)
    todo = list(missing(done, seeds))
    if not todo:
        return done
    with Waiting() as waiting:
        waiting(f"loading {EMBEDDED}")
        bench = Bench(load_model(EMBEDDED))
        for (task, seed, arm), where in recording.in_turn(todo):
            waiting(f"{task}, {arm}, seed {seed}: {where}")
            run_ = bench.run(task, seed, arm)
            recording.append(path, run_)
            done.append(run_)
    return done


def rows(done: list[Recorded]) -> list[Row]:
    """A row for each task and arm."""
    found = []
    for task in TASKS:
        for arm in ARMS:
            mine = [r for r in done if (r.task, r.arm) == (task, arm)]
            if not mine:
                continue
            n = len(mine)
            share = sum(r.conforming for r in mine) / n
            solved = sum(r.solved for r in mine) / n
            tokens, forced, seconds = (sum(getattr(r, k) for r in mine) / n for k in ("tokens", "forced", "seconds"))
            note = f"{n} runs; success {solved:.0%}; {tokens:.0f} tokens, {forced:.0f} forced; {seconds:.1f} s"
            note += f"; {sum(r.breaches for r in mine)} breaches" if task in ("retail", "airline") else ""
            bound = arm.startswith("constrained")
            found.append(
                Row(f"{task}: {arm}", share, None, "", None, "conforming", "1" if bound else "",
                    share == 1.0 if bound else None, note)
            )  # fmt: skip
    return found


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """All rows; ``rounds`` are the seeds, ``data`` a folder with a record of one's own."""
    return rows(carry_out(rounds, RECORDED if data is None else data / RECORDED.name))


def main() -> None:
    """Run from the command line with a record of one's own."""
    parser = argparse.ArgumentParser(description="Language-model agents on the worlds that run offline.")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--record", type=Path, default=RECORDED)
    given = parser.parse_args()
    print(table(rows(carry_out(given.seeds, given.record))))


if __name__ == "__main__":
    main()
