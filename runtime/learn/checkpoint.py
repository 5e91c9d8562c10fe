"""Checkpoints: weights and optimiser in safetensors, everything else in a JSON file beside it.

A folder holds ``checkpoint.json`` and the one ``weights-STEPS.safetensors`` that it names with its SHA-256.
The weights are written first, then the JSON file is renamed into place: that rename is the commit. A run
killed at any moment leaves the previous checkpoint or the new one, whole. The JSON file carries a digest of
its own content. Reading trusts nothing: whatever is wrong with the files is AS0840 or AS0841.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report

FORMAT = "agentc-checkpoint"
VERSION = 2
FILE_NAME = "checkpoint.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a run at an update's end.

    ``architecture``, ``config`` and ``randomness`` (the state of a ``numpy`` bit generator) are JSON-ready
    data; ``counters`` are ``steps``, ``updates``, ``episodes`` and ``generation`` (how often the run was
    resumed with its episodes begun anew). ``tensors`` have names such as ``network/actor.0.weight``.
    """

    algorithm: str
    architecture: Mapping[str, Any]
    config: Mapping[str, Any]
    counters: Mapping[str, int]
    randomness: Mapping[str, Any]
    tensors: Mapping[str, NDArray[Any]]

    def group(self, name: str) -> dict[str, NDArray[Any]]:
        """The tensors whose names begin with ``name/``, without that."""
        return {k[len(name) + 1 :]: t for k, t in self.tensors.items() if k.startswith(f"{name}/")}


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write ``checkpoint`` into ``folder`` in place of the one that is there; the path of its JSON file.

    The bytes depend on the checkpoint alone. Raises AS0843 if the folder cannot be written.
    """
    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        weights = safetensors.numpy.save({k: np.ascontiguousarray(t) for k, t in sorted(checkpoint.tensors.items())})
        name = f"weights-{checkpoint.counters['steps']:012d}-{checkpoint.counters['generation']}.safetensors"
        content = {
            "algorithm": checkpoint.algorithm,
            "architecture": checkpoint.architecture,
            "config": checkpoint.config,
            "counters": checkpoint.counters,
            "randomness": checkpoint.randomness,
            "weights": {"file": name, "sha256": hashlib.sha256(weights).hexdigest()},
        }
        document = {"format": FORMAT, "version": VERSION, "sha256": _digest(content), "content": content}
        _replace(folder / name, weights)
        _replace(path, (json.dumps(document, indent=2, sort_keys=True) + "\n").encode())
        for old in folder.glob("weights-*.safetensors"):
            if old.name != name:
                old.unlink()
    except OSError as error:
        raise AgentcError([report("AS0843", None, path=str(path), reason=error.strerror or str(error))]) from None
    return path


def load(path: Path) -> Checkpoint:
    """Read the checkpoint in a folder, or of a ``checkpoint.json``.

    Raises AS0840 where there is none and AS0841 where it is damaged.
    """
    file = path if path.suffix == ".json" else path / FILE_NAME
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise AgentcError([report("AS0840", None, path=str(path))]) from None
    except OSError as error:
        raise damaged(file, error.strerror or str(error)) from None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise damaged(file, "it is no JSON") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise damaged(file, "it is no checkpoint of agentc")
    if document.get("version") != VERSION:
        raise damaged(file, f"its version is {document.get('version')!r}, this agentc reads {VERSION}")
    content = document.get("content")
    if not isinstance(content, dict) or document.get("sha256") != _digest(content):
        raise damaged(file, "its content does not match its digest")
    try:
        where, digest = content["weights"]["file"], content["weights"]["sha256"]
        weights = (file.parent / Path(where).name).read_bytes()
        if hashlib.sha256(weights).hexdigest() != digest:
            raise damaged(file, f"`{where}` does not match its digest")
        tensors = safetensors.numpy.load(weights)
        counters = {str(k): int(v) for k, v in content["counters"].items()}
        counters = {k: counters[k] for k in ("steps", "updates", "episodes", "generation")}
        return Checkpoint(
            str(content["algorithm"]),
            dict(content["architecture"]),
            dict(content["config"]),
            counters,
            dict(content["randomness"]),
            tensors,
        )
    except OSError as error:
        raise damaged(file, f"its weights cannot be read ({error.strerror or error})") from None
    except (KeyError, TypeError, ValueError, AttributeError, safetensors.SafetensorError) as error:
        raise damaged(file, f"a part is missing or malformed ({type(error).__name__}: {error})") from None


def damaged(path: Path, reason: str) -> AgentcError:
    """The error of a checkpoint that cannot be used."""
    return AgentcError([report("AS0841", None, path=str(path), reason=reason)])


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.writing")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _sync(folder: Path) -> None:
    # A rename is durable once its folder is; systems that cannot open folders have nothing to sync.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
