"""What `agentc verify` found, kept beside the bundle for the gate of `agentc run`: answers and what they are about.

The record is one JSON file for each agent. A proof is about the meaning of the agent (its digest) and, where the item
names a controller, about the files of that controller as they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentc.compiler.agent import AgentIR, VerifyIR
from agentc.compiler.verify_config import TRAINED
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.runs import meaning_digest, read_json, write_json
from agentc.runtime.verify.answer import Answer, Verdict

FILE = "proofs.json"
VERSION = 1


@dataclass(frozen=True)
class Proof:
    """One answer of the record."""

    formula: str
    """The name of what it is about; empty for a formula that has none."""
    verdict: Verdict
    checked: bool
    method: str
    assumptions: tuple[str, ...]
    meaning: str
    """The digest of the agent that it is about."""
    controller: str
    controller_digest: str
    """The folder or file of the controller it is about and its digest; empty for whatever acts."""
    certificate: str
    certificate_digest: str


def record(
    folder: Path,
    agent: AgentIR,
    rows: Sequence[tuple[int, Answer, str | None]],
    specs: Path,
    trained: Path | None = None,
) -> None:
    """Write the answers to an agent's items, ``(item, answer, path of the certificate)``.

    ``specs`` is the folder of its spec, ``trained`` the exported policy that `controller = trained` means.
    """
    meaning = meaning_digest(agent)
    data = []
    for index, answer, certificate in rows:
        item = agent.verifies[index]
        controller = controller_path(item)
        about = specs / controller
        if controller == TRAINED:
            about = Path() if trained is None else trained.parent
        path = None if certificate is None else Path(certificate)
        data.append({
            "formula": item.name if item.bound is None else "",
            "verdict": answer.verdict.value,
            "checked": answer.checked,
            "method": answer.method,
            "assumptions": list(answer.assumptions),
            "meaning": meaning,
            "controller": controller,
            "controller_digest": "" if not controller else policy_digest(about),
            "certificate": "" if path is None else str(path.relative_to(folder)),
            "certificate_digest": "" if path is None else _digest(path),
        })  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / FILE, {"agentc verification": VERSION, "items": data})
    except OSError as error:
        raise AgentcError([report("AS0808", None, path=str(folder), reason=error.strerror or str(error))]) from error


def proofs(folder: Path) -> list[Proof] | None:
    """The answers that a folder's record holds; None if there is no record or it is damaged."""
    data = read_json(folder / FILE)
    try:
        if data["agentc verification"] != VERSION:
            return None
        return [_proof(row) for row in data["items"]]
    except (KeyError, TypeError, ValueError):
        return None


def _proof(row: Mapping[str, Any]) -> Proof:
    text = {name: row[name] for name in Proof.__dataclass_fields__ if name not in ("verdict", "checked", "assumptions")}
    if not all(isinstance(v, str) for v in text.values()):
        raise ValueError("a part of it is no text")
    return Proof(**text, verdict=Verdict(row["verdict"]), checked=row["checked"] is True,
                 assumptions=tuple(map(str, row["assumptions"])))  # fmt: skip


def controller_path(item: VerifyIR) -> str:
    """The file or folder of the controller that an item is about, or ``trained``; empty where there is none.

    A controller that the system declares is a part of the agent's meaning.
    """
    named = item.settings.get("controller", "")
    outside = isinstance(named, str) and ("/" in named or named.endswith(".onnx") or named == TRAINED)
    return str(named) if outside else ""


def policy_digest(path: Path) -> str:
    """The digest of a policy: of its checkpoint, which names its weights by their digest, or of its file."""
    file = path / "checkpoint.json" if path.is_dir() else path
    return _digest(file) if file.is_file() else ""


def _digest(path: Path) -> str:
    try:
        return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
