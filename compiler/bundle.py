"""The bundle: one directory per agent, byte for byte the same for the same sources and version.

::

    build/DoorKey.agent/
      manifest.json          schema version, digests of the sources and of every artifact
      ir.json                the typed meaning (:mod:`agentc.compiler.codec`)
      sources/...            the spec files it was compiled from
      automata/reach.hoa     what the backends emitted

A bundle is written to a directory beside its place and moved there whole, so that nobody ever sees half of one.
Reading checks every digest; whatever is wrong is a diagnostic with the place.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from agentc.compiler.agent import AgentIR
from agentc.compiler.codec import decode_agent, document_model, encode_agent
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.source import Source

SCHEMA_VERSION = 1
"""Rises when a reader of the old form could misread the new one."""

MANIFEST = "manifest.json"
IR = "ir.json"


class DigestModel(BaseModel):
    """A file of the bundle, or a source, with the SHA-256 of its bytes in hexadecimal."""

    model_config = ConfigDict(extra="forbid")
    path: str
    sha256: str


class MissingModel(BaseModel):
    """A construct of the spec whose backend is not built yet."""

    model_config = ConfigDict(extra="forbid")
    what: str
    name: str
    backend: str


class ManifestModel(BaseModel):
    """``manifest.json``."""

    model_config = ConfigDict(extra="forbid")
    schema_version: int
    agentc: str
    agent: str
    sources: list[DigestModel]
    artifacts: list[DigestModel]
    missing: list[MissingModel]


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and whose digests were checked; ``artifacts`` maps paths to bytes."""

    path: Path
    manifest: ManifestModel
    agent: AgentIR
    artifacts: Mapping[str, bytes]

    def text(self, name: str) -> str:
        """An artifact as text. Raises :class:`AgentcError` (AS0804) if there is none of that name."""
        if name not in self.artifacts:
            raise AgentcError([report("AS0804", None, bundle=str(self.path), artifact=name)])
        return self.artifacts[name].decode()

    def data(self, name: str) -> Any:
        """A JSON artifact. Raises :class:`AgentcError` if there is none of that name or it is not JSON."""
        try:
            return json.loads(self.text(name))
        except ValueError as error:
            raise AgentcError([report("AS0802", None, file=str(self.path / name), reason=str(error))]) from error


def canonical_json(data: Any) -> bytes:
    """JSON with sorted keys, two spaces, one newline at the end: equal data, equal bytes."""
    return (json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def bundle_path(out: Path, agent: str) -> Path:
    """Where the bundle of an agent lies below the output directory."""
    return out / f"{agent}.agent"


def write_bundle(
    out: Path, agent: AgentIR, sources: Sequence[Source], artifacts: Mapping[str, bytes], *, version: str
) -> Path:
    """Write the bundle of ``agent`` below ``out`` and return its directory.

    ``artifacts`` maps paths inside the bundle to bytes. Raises :class:`AgentcError` (AS0808) if the
    place cannot be written; then what stood there before still stands.
    """
    files: dict[str, bytes] = dict(artifacts)
    files[IR] = canonical_json(encode_agent(agent))
    # two sources of one name (a spec and a library module) keep apart by their order
    named: dict[str, Source] = {}
    for source in sources:
        name = f"sources/{Path(source.name).name}"
        named[name if name not in named else f"sources/{len(named)}-{Path(source.name).name}"] = source
    for name, source in named.items():
        files[name] = source.text.encode()
    manifest = ManifestModel(
        schema_version=SCHEMA_VERSION,
        agentc=version,
        agent=agent.name,
        sources=[DigestModel(path=name, sha256=digest(files[name])) for name in sorted(named)],
        artifacts=[DigestModel(path=name, sha256=digest(files[name])) for name in sorted(files)],
        missing=[MissingModel(what=o.construct, name=o.name, backend=o.backend) for o in agent.outlines],
    )
    files[MANIFEST] = canonical_json(manifest.model_dump())
    place = bundle_path(out, agent.name)
    try:
        out.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{agent.name}-", dir=out))
        try:
            os.chmod(work, 0o755)
            for name, content in files.items():
                (work / name).parent.mkdir(parents=True, exist_ok=True)
                (work / name).write_bytes(content)
            _replace(work, place)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise AgentcError([report("AS0808", None, path=str(place), reason=error.strerror or str(error))]) from error
    return place


def _replace(work: Path, place: Path) -> None:
    """Move ``work`` to ``place``; a directory cannot be replaced in one step, so the old one steps aside."""
    if not place.exists():
        work.rename(place)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent)) / "old"
    place.rename(aside)
    try:
        work.rename(place)
    except OSError:
        aside.rename(place)
        raise
    finally:
        shutil.rmtree(aside.parent, ignore_errors=True)


def read_bundle(path: Path) -> Bundle:
    """Read and check a bundle.

    Raises :class:`AgentcError`: AS0801 no bundle there, AS0802 not JSON, AS0803 another schema version,
    AS0804 an artifact is missing, AS0805 a digest differs, AS0806 a path leads out of the bundle, AS0807 the
    content is not what the schema says.
    """

    def fail(code: str, **values: Any) -> AgentcError:
        return AgentcError([report(code, None, bundle=str(path), **values)])

    try:
        raw = (path / MANIFEST).read_bytes()
    except OSError as error:
        raise fail("AS0801") from error
    data = _json(path / MANIFEST, raw)
    version = data.get("schema_version") if isinstance(data, dict) else None
    if isinstance(version, int) and version != SCHEMA_VERSION:
        raise fail("AS0803", found=version, expected=SCHEMA_VERSION)
    try:
        manifest = ManifestModel.model_validate(data)
    except ValidationError as error:
        raise _invalid(path / MANIFEST, error) from error
    artifacts: dict[str, bytes] = {}
    for entry in manifest.artifacts:
        if Path(entry.path).is_absolute() or ".." in Path(entry.path).parts or "\0" in entry.path:
            raise fail("AS0806", artifact=entry.path)
        try:
            if not (path / entry.path).resolve().is_relative_to(path.resolve()):
                raise fail("AS0806", artifact=entry.path)
            content = (path / entry.path).read_bytes()
        except OSError as error:
            raise fail("AS0804", artifact=entry.path) from error
        if digest(content) != entry.sha256:
            raise fail("AS0805", artifact=entry.path, found=digest(content), expected=entry.sha256)
        artifacts[entry.path] = content
    if IR not in artifacts:
        raise fail("AS0804", artifact=IR)
    try:
        agent = decode_agent(_json(path / IR, artifacts[IR]))
    except ValidationError as error:
        raise _invalid(path / IR, error) from error
    except ValueError as error:
        raise AgentcError([report("AS0807", None, file=str(path / IR), place="nodes", reason=str(error))]) from error
    return Bundle(path, manifest, agent, artifacts)


def _json(file: Path, raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        reason = "it nests too deeply" if isinstance(error, RecursionError) else str(error)
        raise AgentcError([report("AS0802", None, file=str(file), reason=reason)]) from error


def _invalid(file: Path, error: ValidationError) -> AgentcError:
    """The first finding of a validation, with its place inside the file."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the top"
    return AgentcError([report("AS0807", None, file=str(file), place=place, reason=first["msg"])])


def bundle_schema() -> dict[str, Any]:
    """The published JSON Schema: the manifest and the typed meaning."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "agentc bundle",
        "description": f"Schema version {SCHEMA_VERSION}: `{MANIFEST}` and `{IR}` of a compiled agent.",
        "files": {MANIFEST: ManifestModel.model_json_schema(), IR: document_model().model_json_schema()},
    }
