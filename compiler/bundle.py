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

import contextlib
import errno
import hashlib
import json
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from agentc.compiler.agent import AgentIR
from agentc.compiler.codec import STRICT, decode_agent, document_model, encode_agent
from agentc.compiler.wellformed import MalformedError
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.source import Source

SCHEMA_VERSION = 1
"""Rises when a reader of the old form could misread the new one."""

MANIFEST = "manifest.json"
IR = "ir.json"


class DigestModel(BaseModel):
    """A file of the bundle, or a source, with the SHA-256 of its bytes in hexadecimal."""

    model_config = STRICT
    path: str
    sha256: str


class MissingModel(BaseModel):
    """A construct of the spec whose backend is not built yet."""

    model_config = STRICT
    what: str
    name: str
    backend: str


class ManifestModel(BaseModel):
    """``manifest.json``."""

    model_config = STRICT
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
        try:
            return self.artifacts[name].decode()
        except UnicodeDecodeError as error:
            raise _unlike(self.path / name, "its bytes", "it is not UTF-8 text") from error

    def data(self, name: str) -> Any:
        """A JSON artifact. Raises :class:`AgentcError` if there is none of that name or it is not JSON."""
        return _json(self.path / name, self.text(name).encode())


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


ATTEMPTS = 1000
"""How often a move is tried again because another process has put its own bundle there."""


def _replace(work: Path, place: Path) -> None:
    """Move ``work`` to ``place``; a directory cannot be replaced in one step, so the old one steps aside.

    Several processes may do this at once: then one of their bundles stands there in the end, whole.
    """
    aside = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    old: Path | None = None
    try:
        for attempt in range(ATTEMPTS):
            try:
                work.rename(place)
                return
            except NotADirectoryError as error:
                raise NotADirectoryError(errno.ENOTDIR, "a file of that name is there", str(place)) from error
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt + 1 == ATTEMPTS:
                    raise
            # what stands there is asked nothing: between two questions another process may move it
            with contextlib.suppress(FileNotFoundError):
                old = place.rename(aside / str(attempt))
    except OSError:
        if old is not None:
            with contextlib.suppress(OSError):  # another process has put its own bundle there
                old.rename(place)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def read_bundle(path: Path) -> Bundle:
    """Read and check a bundle.

    Raises :class:`AgentcError`: AS0801 no bundle there, AS0802 not JSON, AS0803 another schema version,
    AS0804 an artifact is missing, AS0805 a digest differs, AS0806 a path leads out of the bundle, AS0807 the
    content is not what the schema says.
    """

    def fail(code: str, **values: Any) -> AgentcError:
        return AgentcError([report(code, None, bundle=str(path), **values)])

    try:
        raw = _content(path, MANIFEST)
    except (OSError, ValueError) as error:
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
        try:
            if not _inside(path, entry.path):
                raise fail("AS0806", artifact=entry.path)
            content = _content(path, entry.path)
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            raise fail("AS0804", artifact=entry.path) from error
        if digest(content) != entry.sha256:
            raise fail("AS0805", artifact=entry.path, found=digest(content), expected=entry.sha256)
        artifacts[entry.path] = content
    for source in manifest.sources:
        if source.path not in artifacts or digest(artifacts[source.path]) != source.sha256:
            raise fail("AS0804", artifact=source.path)
    if IR not in artifacts:
        raise fail("AS0804", artifact=IR)
    try:
        agent = decode_agent(_json(path / IR, artifacts[IR]))
    except ValidationError as error:
        raise _invalid(path / IR, error) from error
    except MalformedError as error:
        raise _unlike(path / IR, error.place, error.reason) from error
    except (ValueError, OverflowError) as error:
        raise _unlike(path / IR, "nodes", str(error)) from error
    except RecursionError as error:
        raise _unlike(path / IR, "agent", "it nests too deeply") from error
    if agent.name != manifest.agent:
        raise _unlike(path / MANIFEST, "agent", f"{manifest.agent!r} is not {agent.name!r}")
    return Bundle(path, manifest, agent, artifacts)


def _inside(path: Path, name: str) -> bool:
    """Whether a name leads to a place inside the bundle, links followed."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return False
    try:
        return (path / name).resolve().is_relative_to(path.resolve())
    except RuntimeError:  # links in a circle
        return False


def _content(path: Path, name: str) -> bytes:
    """The bytes of a file; anything but a plain file, which could block or never end, counts as missing."""
    if not (path / name).is_file():
        raise FileNotFoundError(errno.ENOENT, "no such file", str(path / name))
    return (path / name).read_bytes()


def _json(file: Path, raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_constant=_no_constant, parse_float=_double)
    except (ValueError, RecursionError) as error:
        reason = "it nests too deeply" if isinstance(error, RecursionError) else str(error)
        raise AgentcError([report("AS0802", None, file=str(file), reason=reason)]) from error


def _no_constant(text: str) -> float:
    raise ValueError(f"`{text}` is no number of JSON")


def _double(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text:.20} is too large")
    return value


def _unlike(file: Path, place: str, reason: str) -> AgentcError:
    return AgentcError([report("AS0807", None, file=str(file), place=place, reason=reason)])


def _invalid(file: Path, error: ValidationError) -> AgentcError:
    """The first finding of a validation, with its place inside the file."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the top"
    return _unlike(file, place, first["msg"])


def bundle_schema() -> dict[str, Any]:
    """The published JSON Schema: the manifest and the typed meaning."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "agentc bundle",
        "description": f"Schema version {SCHEMA_VERSION}: `{MANIFEST}` and `{IR}` of a compiled agent.",
        "files": {MANIFEST: ManifestModel.model_json_schema(), IR: document_model().model_json_schema()},
    }


def main() -> None:
    """Print the published schema: ``python -m agentc.compiler.bundle > docs/reference/bundle.schema.json``."""
    sys.stdout.buffer.write(canonical_json(bundle_schema()))


if __name__ == "__main__":
    main()
