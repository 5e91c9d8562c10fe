"""Where training runs lie: ``runs/<Agent>/seed<k>/`` with checkpoint, logs, and which meaning was trained."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentc.compiler.agent import AgentIR
from agentc.compiler.bundle import canonical_json, digest
from agentc.compiler.codec import encode_agent
from agentc.lang.diagnostics import AgentcError, Diagnostic, report

RUNS = Path("runs")
RUN = "run.json"
EVALUATION = "evaluation.json"
FILM = "rollouts.gif"
POLICY = "policy.onnx"
PROOFS = "proofs.json"
VERIFICATION = "verification.json"


@dataclass(frozen=True)
class Run:
    """One training run of one agent with one seed."""

    agent: str
    seed: int
    folder: Path


def meaning_digest(agent: AgentIR) -> str:
    """The digest of what a policy is trained for: everything but acceptance, examples and training settings."""
    bare = replace(
        agent,
        doc=None,
        formulas=tuple(replace(f, source="", reading="") for f in agent.formulas),
        propositions=tuple(replace(p, source="") for p in agent.propositions),
        train=None,
        expects=(),
        verifies=(),
        examples=(),
        outlines=(),
        deploy=None,
    )
    return digest(canonical_json(encode_agent(bare)))


def run_of(agent: str, seed: int, runs: Path = RUNS) -> Run:
    """The run of an agent and a seed, whether it is there or not."""
    return Run(agent, seed, runs / agent / f"seed{seed}")


def find_runs(agent: str, runs: Path = RUNS) -> tuple[Run, ...]:
    """The runs of an agent that have begun, by seed. Raises :class:`AgentcError` (AS0965) if there is none."""
    found = []
    folder = runs / agent
    if folder.is_dir():
        for path in folder.iterdir():
            match = re.fullmatch(r"seed(\d+)", path.name)
            if match and (path / RUN).exists():
                found.append(Run(agent, int(match[1]), path))
    if not found:
        raise AgentcError([report("AS0965", None, agent=agent, folder=str(folder))])
    return tuple(sorted(found, key=lambda run: run.seed))


def begin_run(run: Run, agent: AgentIR) -> None:
    """Make the folder and note what is trained there."""
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AgentcError(
            [report("AS0808", None, path=str(run.folder), reason=error.strerror or str(error))]
        ) from error
    write_json(run.folder / RUN, {"agent": run.agent, "seed": run.seed, "meaning": meaning_digest(agent)})


def stale(run: Run, agent: AgentIR) -> tuple[Diagnostic, ...]:
    """A warning (AS0966) if the run was trained for another meaning of the agent than the present one."""
    noted = read_json(run.folder / RUN)
    if isinstance(noted, dict) and noted.get("meaning") == meaning_digest(agent):
        return ()
    return (report("AS0966", None, agent=run.agent, folder=str(run.folder)),)


def write_json(path: Path, data: Any) -> None:
    """Write beside the place and move there, so that nobody reads half a file."""
    work = path.with_name(f".{path.name}.{os.getpid()}")
    work.write_bytes(canonical_json(data))
    os.replace(work, path)


def read_json(path: Path) -> Any:
    """The data of a JSON file; None if there is none or it is no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
