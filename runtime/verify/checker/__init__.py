"""The checker of certificates: small, exact or with directed rounding, and sharing no code with the provers.

It imports numpy, onnx (to parse files) and the standard library; of agentc only what reads a model's own text. A
certificate that it does not understand is rejected.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

VERSION = 1

CHECKERS = {
    "automaton": "agentc.runtime.verify.checker.automaton",
    "induction": "agentc.runtime.verify.checker.induction",
    "data": "agentc.runtime.verify.checker.data",
    "model": "agentc.runtime.verify.checker.model",
    "network": "agentc.runtime.verify.checker.network",
    "reach": "agentc.runtime.verify.checker.reach",
    "relation": "agentc.runtime.verify.checker.relation",
    "value": "agentc.runtime.verify.checker.value",
}
"""Which module checks a kind of certificate."""


class RejectedError(Exception):
    """Why a certificate is not accepted."""


@dataclass(frozen=True)
class Finding:
    """Whether a certificate is accepted, why not, and what else the check has shown (``facts``)."""

    accepted: bool
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def check(document: Any, folder: Path = Path(".")) -> Finding:
    """Check a certificate's document. ``folder`` is what relative paths in it are relative to. Never raises for it."""
    try:
        if not isinstance(document, dict) or document.get("agentc certificate") != VERSION:
            raise RejectedError(f"it is no certificate of version {VERSION}")
        body = {key: value for key, value in document.items() if key != "seal"}
        if set(body) != {"agentc certificate", "kind", "subject", "claim", "argument"}:
            raise RejectedError("it has other parts than a certificate")
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
        if document.get("seal") != "sha256:" + hashlib.sha256(text.encode()).hexdigest():
            raise RejectedError("its seal is not the digest of what it says")
        if body["kind"] not in CHECKERS:
            raise RejectedError(f"there is no checker for the kind {body['kind']!r}")
        verify: Callable[[Any, Any, Any, Path], Mapping[str, Any]] = import_module(CHECKERS[body["kind"]]).verify
        return Finding(True, "", verify(body["subject"], body["claim"], body["argument"], folder))
    except RejectedError as error:
        return Finding(False, str(error))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, ZeroDivisionError) as error:
        return Finding(False, f"it is malformed ({type(error).__name__}: {error})")
