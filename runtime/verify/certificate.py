"""Certificates: small, versioned JSON documents that an independent checker accepts or rejects.

A certificate says what is claimed (``claim``), of what (``subject``, with the digests of the files that it is
about) and why (``argument``). Its ``seal`` is the digest of all that: it finds a damaged file, and proves nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentc.lang.diagnostics import AgentcError, report

VERSION = 1


@dataclass(frozen=True)
class Certificate:
    """A claim with its argument; everything is plain data.

    Attributes:
        kind: the method's name, which picks the checker.
        subject: what the claim is about: paths and digests, or the model itself.
        claim: what is claimed, in words and as data.
        argument: what the checker follows.
    """

    kind: str
    subject: Mapping[str, Any]
    claim: Mapping[str, Any]
    argument: Mapping[str, Any]

    def data(self) -> dict[str, Any]:
        """The document."""
        body = {
            "agentc certificate": VERSION,
            "kind": self.kind,
            "subject": dict(self.subject),
            "claim": dict(self.claim),
            "argument": dict(self.argument),
        }
        return {**body, "seal": seal(body)}

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Certificate:
        """The certificate of a document; what it says is not looked at. Raises ``ValueError`` for another form."""
        try:
            if data["agentc certificate"] != VERSION:
                raise ValueError(f"version {data['agentc certificate']!r} is not {VERSION}")
            parts = [data[key] for key in ("subject", "claim", "argument")]
            if not isinstance(data["kind"], str) or not all(isinstance(p, dict) for p in parts):
                raise ValueError("a part of it has another type")
            return Certificate(data["kind"], *parts)
        except (KeyError, TypeError) as error:
            raise ValueError(f"it lacks {error}") from error

    def placed(self, files: Path, folder: Path) -> Certificate:
        """The same for a document in ``folder`` about files that are relative to ``files``, if it is about files."""
        if "folder" not in self.subject:
            return self
        return replace(self, subject={**self.subject, "folder": os.path.relpath(files, folder)})

    def write(self, path: Path) -> None:
        """Write the document. Raises :class:`AgentcError` (AS0808) if the file cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(self.data(), separators=(",", ":"), allow_nan=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise AgentcError([report("AS0808", None, path=str(path), reason=error.strerror or str(error))]) from error


def seal(body: Mapping[str, Any]) -> str:
    """The digest of a document without its seal."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def digest(content: bytes) -> str:
    """The digest of a file's content."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
