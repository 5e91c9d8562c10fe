"""Shields: which actions keep a run safe, whatever the chances do; and which keep the probability above a threshold.

Mohammed Alshiekh, Roderick Bloem, Rüdiger Ehlers, Bettina Könighofer, Scott Niekum, Ufuk Topcu: "Safe Reinforcement
Learning via Shielding", AAAI 2018. The set is the greatest one that some action never leaves: the maximally permissive
shield of the product. With a threshold below 1: Nils Jansen, Bettina Könighofer, Sebastian Junges, Alex Serban,
Roderick Bloem: "Safe Reinforcement Learning Using Probabilistic Shields", CONCUR 2020, with an absolute threshold: an
action is allowed where whoever goes on as safely as can be stays safe for an episode with that probability. That
bounds what one action gives away, and not what a run gives away in many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agentc.compiler.agent import AgentIR
from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.systems.commands import Numbering
from agentc.compiler.systems.transitions import explore
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.envs.registry import horizon_of
from agentc.runtime.runs import meaning_digest
from agentc.runtime.shield import ShieldTable
from agentc.runtime.verify.model.extracted import BudgetError
from agentc.runtime.verify.model.product import Bits, Floats, Ints, Joined, Model, Product, letters_of, product
from agentc.runtime.verify.model.values import ever, within
from agentc.runtime.verify.simulation import reads_only

STARTS = 1000
"""Seeds whose starts are explored, where an environment draws them."""


@dataclass(frozen=True)
class Shield:
    """Which choices of a product are allowed.

    ``winning`` are the pairs from which safety can be kept; in others every enabled action is allowed, for none helps.
    """

    product: Product
    allowed: Bits
    winning: Bits

    @property
    def safe(self) -> bool:
        """Whether safety can be kept from every start."""
        return bool(self.winning[self.product.initial].all())

    def masks(self) -> Bits:
        """The allowed actions of each pair, ``(pairs, actions)``."""
        p = self.product
        table = np.zeros((len(p), len(p.model.actions)), np.bool_)
        source = np.repeat(np.arange(len(p)), np.diff(p.choices))
        table[source, p.model.action[p.choice]] = self.allowed
        return table

    def table(self, codes: Ints, about: dict[str, object]) -> ShieldTable:
        """The table, of states that are called ``codes`` ``(states,)``."""
        p = self.product
        order = np.argsort(codes)
        rank = np.empty(len(codes), np.int64)
        rank[order] = np.arange(len(codes))
        letter, following = letters_of(p.model, p.automaton)
        verdicts = np.array([int(v) for v in p.automaton.verdicts])
        pairs = rank[p.state] * p.automaton.size + p.memory
        at = np.argsort(pairs)
        final = (verdicts == Verdict.FALSE) | (verdicts == Verdict.TRUE)
        packed = np.packbits(self.masks()[at], axis=1)
        return ShieldTable(
            codes[order].astype(np.int64), letter[order], following, final, pairs[at], packed, p.model.actions, about
        )


def shield_of(p: Product, values: Floats | None = None, threshold: float = 1.0) -> Shield:
    """The shield of a product's safety; with ``values`` (of safety, per pair) of its probability.

    With values an action is allowed if its expected value reaches ``threshold``, or if it is the best there is.
    """
    source = np.repeat(np.arange(len(p)), np.diff(p.choices))
    if values is None:
        winning = p.verdict != Verdict.FALSE
        ends = np.diff(p.choices) == 0
        while True:
            keeps = np.zeros(0, np.bool_)
            if len(p.successor):
                keeps = np.logical_and.reduceat(winning[p.successor], p.offsets[:-1])
            good = np.bincount(source, keeps, len(p)) > 0
            after = winning & (good | ends)
            if (after == winning).all():
                return Shield(p, keeps | ~winning[source], winning)
            winning = after
    expected = np.zeros(0)
    if len(p.successor):
        expected = np.add.reduceat(p.probability * values[p.successor], p.offsets[:-1])
    best = np.full(len(p), -np.inf)
    np.maximum.at(best, source, expected)
    allowed = (expected >= threshold) | (expected >= best[source] - 1e-12)
    return Shield(p, allowed, np.where(np.diff(p.choices) > 0, best, values) >= threshold)


def safety_values(p: Product, horizon: int | None) -> Floats | None:
    """From below, the greatest probability that no prefix violates, of each pair; None if no bound was found.

    With a horizon for so many more steps, without for ever.
    """
    bad = p.verdict == Verdict.FALSE
    if horizon is None:
        found = ever(p, bad, True, 1e-9)
        if found is None:
            return None
        high = found[2]
    else:
        flipped = replace(p, verdict=np.where(bad, int(Verdict.TRUE), int(Verdict.FALSE)))
        high = within(flipped, True, horizon)[2]
    return np.where(high == 0.0, 1.0, np.nextafter(1.0 - high, 0.0))


def agent_shield(agent: AgentIR) -> ShieldTable:
    """The shield that an agent's ``deploy`` asks for: one table that keeps all of its ``shield`` formulas.

    The greatest threshold counts. Raises :class:`AgentcError`: AS1344 if there can be none (no ``shield``, an
    environment that is not finite, a formula that reads more than states), AS1345 if safety cannot be kept from some
    start, and what exploring raises.
    """
    shields = agent.deploy.shields if agent.deploy is not None else ()
    if not shields:
        raise _none(agent, "its `deploy` names no `shield`")
    names = tuple(dict.fromkeys(s.formula for s in shields))
    threshold = max(float(s.settings["threshold"]) for s in shields)  # type: ignore[arg-type]
    most = max(int(s.settings["states"]) for s in shields)  # type: ignore[arg-type]
    model, codes = explored(agent, names, most)
    automata = [translate_typed(agent.formula(n).formula, agent.declared, span=agent.formula(n).span) for n in names]
    pairs = product(model, automata[0] if len(automata) == 1 else Joined(automata), 4 * most)
    horizon = None
    if agent.environment is not None:
        horizon = agent.environment.horizon if agent.system is not None else horizon_of(agent.environment)
    if threshold >= 1.0:
        shield = shield_of(pairs)
    else:
        values = safety_values(pairs, horizon)
        if values is None:
            raise _none(agent, "no bound of the probability was found")
        shield = shield_of(pairs, values, threshold)
    if not shield.safe:
        raise AgentcError([report("AS1345", None, formulas=" & ".join(names), threshold=f"{threshold:g}")])
    about = {
        "agent": agent.name, "formulas": names, "threshold": threshold, "states": len(model), "pairs": len(pairs),
        "meaning": meaning_digest(agent),
    }  # fmt: skip
    return shield.table(codes, about)


def explored(agent: AgentIR, names: Sequence[str], most: int) -> tuple[Model, Ints]:
    """The model of an agent's environment and the numbers that its states are called by."""
    system = agent.system
    if system is None:
        from agentc.runtime.verify.model.extraction import extract  # needs gymnasium
        from agentc.runtime.verify.model.worlds import world_of

        try:
            formulas = [agent.formula(name).formula for name in names]
            found = extract(agent, world_of(agent), formulas, most=most, seeds=STARTS)
        except BudgetError as error:
            raise _none(agent, str(error)) from error
        if found.reads_steps:
            raise _none(agent, "its formulas read more than the present state")
        if len(np.unique(found.codes)) < len(found):
            raise _none(agent, "its states cannot be told apart")
        return found, found.codes
    if system.modes or system.disturbances or (not system.commands and system.integrator != "difference"):
        raise _none(agent, f"`{system.name}` is no transition system")
    for name in names:
        for read in reads_only(agent.formula(name).formula, system.states):
            raise _none(agent, f"`{name}` reads `{read}`, which is no state")
    model = explore(system, max_states=most)
    return model, Numbering(system.states).codes(model.values)


def _none(agent: AgentIR, why: str) -> AgentcError:
    return AgentcError([report("AS1344", None, agent=agent.name, why=why)])
