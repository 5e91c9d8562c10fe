"""The gate: whether what `deploy` requires holds of exactly the artifacts that would be run.

``proved(f)`` asks for an answer of `agentc verify` about this meaning of the agent; if it is about a controller, about
this policy. Its certificate is checked anew, and must be about the agent and the formula at hand; a proof without one
is refused unless the spec says ``unchecked``. ``met(f)`` asks for an evaluation of this policy in which every `expect`
on ``f`` holds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentc.compiler.agent import AgentIR, RequireIR
from agentc.compiler.codec import decode_agent
from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.runtime.runs import EVALUATION, meaning_digest, read_json
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.record import Proof, policy_digest, proofs


@dataclass(frozen=True)
class Artifacts:
    """What would be run: the agent, the folder of its policy, the folder of its bundle and its proofs."""

    agent: AgentIR
    policy: Path
    bundle: Path

    def data(self) -> dict[str, str]:
        """Their digests."""
        return {"meaning": meaning_digest(self.agent), "policy": policy_digest(self.policy)}


def gate(artifacts: Artifacts) -> list[Diagnostic]:
    """What is not fulfilled, one diagnostic (AS1380) for each requirement; none if the agent may be run."""
    deploy = artifacts.agent.deploy
    found = []
    for requirement in deploy.requires if deploy is not None else ():
        why = _unproved(artifacts, requirement) if requirement.what == "proved" else _unmet(artifacts, requirement)
        if why is not None:
            text = f"{requirement.what}({requirement.formula})"
            found.append(report("AS1380", requirement.span, agent=artifacts.agent.name, requirement=text, why=why))
    return found


def enter(artifacts: Artifacts) -> None:
    """Raise :class:`AgentcError` (AS1380) with all that is not fulfilled."""
    found = gate(artifacts)
    if found:
        raise AgentcError(found)


def _unproved(artifacts: Artifacts, requirement: RequireIR) -> str | None:
    """Why ``proved(f)`` does not hold; None if it does."""
    known = proofs(artifacts.bundle)
    if known is None:
        return f"there is no record of proofs in {artifacts.bundle}; run `agentc verify`"
    about = [p for p in known if p.formula == requirement.formula]
    if not about:
        return "no `verify` item is about it"
    whys = [_fails(artifacts, requirement, proof) for proof in about]
    return None if None in whys else str(whys[0])


def _fails(artifacts: Artifacts, requirement: RequireIR, proof: Proof) -> str | None:
    if proof.meaning != meaning_digest(artifacts.agent):
        return "it was decided for another meaning of the agent; run `agentc verify` again"
    if proof.verdict is not Verdict.PROVED:
        return f"`{proof.method}` says {proof.verdict.value}"
    if proof.controller and proof.controller_digest != policy_digest(artifacts.policy):
        return f"the proof is about {proof.controller} as it was, and not about {artifacts.policy}"
    if not proof.certificate:
        return None if requirement.unchecked else _unchecked(proof)
    path = artifacts.bundle / proof.certificate
    if policy_digest(path) != proof.certificate_digest:
        return f"its certificate {path} is not the one that was written"
    document = read_json(path)
    finding = check(document, path.parent)
    if not finding.accepted:
        return None if requirement.unchecked else f"its certificate is rejected: {finding.reason}"
    return _another(artifacts.agent, requirement.formula, document)


def _unchecked(proof: Proof) -> str:
    return f"it is proved (unchecked) by `{proof.method}`: write `proved({proof.formula}, unchecked)` to accept that"


def _another(agent: AgentIR, name: str, document: Any) -> str | None:
    """Why a certificate is not about a formula of the agent; None if it is, or says only digests of files."""
    subject = document["subject"]
    if "agent" not in subject:
        return None
    other = decode_agent(json.loads(json.dumps(subject["agent"])))
    if meaning_digest(other) != meaning_digest(agent):
        return "its certificate is about another meaning of the agent"
    item = other.verifies[subject["item"]]
    if item.formula != agent.formula(name).formula or item.bound is not None:
        return "its certificate is about another formula"
    return None


def _unmet(artifacts: Artifacts, requirement: RequireIR) -> str | None:
    """Why ``met(f)`` does not hold; None if it does."""
    data = read_json(artifacts.policy / EVALUATION)
    if not isinstance(data, dict):
        return f"there is no evaluation in {artifacts.policy}; run `agentc eval`"
    if data.get("policy") != policy_digest(artifacts.policy) or data.get("meaning") != meaning_digest(artifacts.agent):
        return "the evaluation is of another policy or meaning; run `agentc eval` again"
    if data.get("actions") != "likeliest":
        return "the evaluation drew its actions, and what runs takes the likeliest; run `agentc eval` again"
    wanted = {e.source for e in artifacts.agent.expects if e.subject == requirement.formula}
    if not wanted:
        return "no `expect` is about it"
    outcomes = {row.get("expect"): row.get("decision") for row in data.get("outcomes", ())}
    for source in sorted(wanted):
        if outcomes.get(source) != "holds":
            return f"`expect {source}` is {outcomes.get(source, 'not decided')}"
    return None
