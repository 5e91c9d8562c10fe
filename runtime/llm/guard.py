"""A guard without a decoder: the same promises, judged on the calls that any agent loop proposes.

Each call is proposed before it is made and answered with allow, deny or ask, with the reason in words and what would be
allowed instead; results are told afterwards. A trace of the guard has one step for each call that was made and for each
result (and for each text that the loop cares to tell).
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from agentc.compiler.agent import AgentIR
from agentc.compiler.decoder.contents import as_text
from agentc.compiler.decoder.irreversible import unguarded
from agentc.compiler.logic.ir import Value
from agentc.compiler.logic.trace import Trace, Valuation
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.writer import ToolIR
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.spelling import nearest
from agentc.runtime.llm.calls import completed, malformed
from agentc.runtime.llm.history import Data, History, open_history
from agentc.runtime.llm.origins import SUFFIX, Origins, labelled
from agentc.runtime.llm.rules import Rule
from agentc.runtime.llm.valuation import unsaid, unwritten

Mode = Literal["enforce", "log", "ask"]
Outcome = Literal["allow", "deny", "ask"]
ASK_TIMEOUT = 300.0
"""Seconds that a person has to decide."""
MAX_STEPS = 10_000
"""The most steps that are kept for a rule that counts other counts, or reads an automaton."""


@dataclass(frozen=True)
class Decision:
    """What becomes of a proposal.

    ``rules`` are those that it would violate, ``logged`` those that only log; ``alternatives`` are the tools whose
    calls could be allowed now. ``outcome`` is ``allow``, ``deny`` or ``ask``: then a person decides
    (:meth:`Guard.settle`) before ``until``, in seconds since 1970. A violation that is logged or that a person allows
    is forgiven: the rule goes on as if it had not been.
    """

    outcome: Outcome
    reason: str = ""
    rules: tuple[str, ...] = ()
    logged: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    until: float | None = None


class Guard:
    """The promises of an agent (every ``behavior`` and ``safe`` over phases and tools) as a guard.

    Args:
        agent: the agent whose promises are kept.
        modes: for single rules ``log`` (tell, and allow) or ``ask``; all others are enforced.
        history: where events are kept: a path, ``postgresql://...``, or a history. It may be shared by several guards,
            and survives a kill. Without one, events are kept in memory.
        checks: what else a call must pass: from the tool and its arguments to why it is denied, empty if it is not
            (:meth:`agentc.runtime.verify.data.filter.ReachFilter.objection`).
        ask_timeout: the seconds that a person has to decide; then the call is denied.
        clock: what time it is, in seconds since 1970.

    It may be used by several threads. Raises ``AgentcError``: AS1410 for an agent without phases, AS1440 for a
    parameter of ``each`` that is not compared by ``==`` alone, AS1442 for a mode of a rule that does not exist, AS1480
    for an irreversible tool that no rule guards which is enforced, AS1482 for a history that is not reached.

    Memory is bounded: for each rule by its values (AS1441), by what was seen (AS1481, AS1483), and by the steps that
    are kept for aggregates inside of others (AS1484). An event that would go beyond is refused with that code.
    """

    def __init__(
        self,
        agent: AgentIR,
        modes: Mapping[str, Mode] | None = None,
        history: History | Path | str | None = None,
        checks: Sequence[Callable[[str, Mapping[str, Any]], str]] = (),
        ask_timeout: float = ASK_TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if agent.writer is None or not agent.writer.phases:
            raise AgentcError([report("AS1410", None, agent=agent.name)])
        self.agent, self.writer = agent, agent.writer
        self.rules = [Rule(f) for f in agent.of_role("behavior", "safe")]
        self.modes = dict(modes or {})
        names = [r.name for r in self.rules]
        for name in self.modes:
            if name not in names:
                known = ", ".join(f"`{n}`" for n in names)
                suggestion = nearest(name, names)
                raise AgentcError([report("AS1442", None, name=name, known=known, suggestion=suggestion)])
        enforced = [r.item for r in self.rules if self.modes.get(r.name) != "log"]  # what only logs guards nothing
        if wrong := unguarded(agent, enforced):
            raise AgentcError(wrong)
        given = history is None or isinstance(history, Path | str)
        self._history: History = open_history(history) if given else history  # type: ignore[arg-type, assignment]
        self._checks = tuple(checks)
        self._ask_timeout, self._clock = ask_timeout, clock
        self._lock = threading.RLock()
        self._remembers = next((r for r in self.rules if r.remembers), None)
        self._trace: list[Valuation] = []
        asked = labelled(agent)
        self._origins = Origins(asked)
        self._blank = {**unwritten(agent), **unsaid(agent), **dict.fromkeys(asked)}
        self._seq = 0
        self._catch_up()

    # ------------------------------------------------------------ events

    def propose(self, tool: str, arguments: Mapping[str, Any], key: str | None = None) -> Decision:
        """Judge a call before it is made; an allowed one counts as made.

        ``key`` names the proposal: the same key is judged once, whatever happens in between. Calls that are still in
        flight count as made.
        """
        return self.propose_together([(tool, arguments)], [key])[0]

    def propose_together(
        self, calls: Sequence[tuple[str, Mapping[str, Any]]], keys: Sequence[str | None] | None = None
    ) -> list[Decision]:
        """Judge calls that are to run in parallel.

        Each counts against the others, and none may rely on another of them having happened: it is allowed if it is
        allowed alone, and after those of them that were allowed before it.
        """
        named = [k or uuid.uuid4().hex for k in keys or [None] * len(calls)]
        with self._lock, self._history.exclusive():
            self._catch_up()
            events: list[Data] = [
                {"kind": "call", "tool": t, "arguments": completed(self.writer, t, a)} for t, a in calls
            ]
            events = [{**e, "from": self._labels(e["tool"], e["arguments"])} for e in events]
            alone = [self._judge(e) if len(events) > 1 else None for e in events]
            return [self._proposed(k, e, a) for k, e, a in zip(named, events, alone, strict=True)]

    def _proposed(self, key: str, event: Data, alone: Decision | None) -> Decision:
        found = self._history.find(key)
        if found is not None:
            if (found[0].get("tool"), found[0].get("arguments")) != (event["tool"], _plain(event["arguments"])):
                return Decision("deny", "its key is that of another call")
            return self._expired(key, found) or _decision(found[1])
        decision = alone if alone is not None and alone.outcome == "deny" else self._judge(event)
        if decision.outcome == "ask":
            decision = replace(decision, until=self._clock() + self._ask_timeout)
        self._history.append(key, event, asdict(decision))
        self._catch_up()
        return decision

    def settle(self, key: str, allowed: bool, who: str = "") -> Decision:
        """Decide a proposal that was answered with ``ask``. Raises ``AgentcError`` (AS1443) if none waits."""
        with self._lock, self._history.exclusive():
            found = self._history.find(key)
            if found is not None and self._expired(key, found) is not None:
                found = None
            if found is None or found[1]["outcome"] != "ask":
                raise AgentcError([report("AS1443", None, key=key)])
            self._catch_up()
            outcome: Outcome = "allow" if allowed else "deny"
            reason = f"{'allowed' if allowed else 'denied'} by {who or 'a person'}"
            decision = Decision(outcome, reason, tuple(found[1]["rules"]), tuple(found[1]["logged"]))
            self._history.settle(key, {**asdict(decision), "settled": True})
            if allowed:  # it is made now, and not when it was proposed
                self._history.append(f"{key}/settled", found[0], asdict(decision))
            self._catch_up()
        return decision

    def _expired(self, key: str, found: tuple[Data, Data]) -> Decision | None:
        """The denial of a proposal that nobody has decided in time; None if there is still time."""
        until = found[1].get("until")
        if found[1]["outcome"] != "ask" or until is None or self._clock() < until:
            return None
        reason = f"nobody decided in {self._ask_timeout:g} s; {found[1]['reason']}"
        decision = Decision("deny", reason, tuple(found[1]["rules"]), tuple(found[1]["logged"]))
        self._history.settle(key, {**asdict(decision), "settled": True})
        return decision

    def wait(self, key: str, every: float = 0.1) -> Decision:
        """Wait until a person, here or at another guard of the history, has decided, or the time is over."""
        while True:
            with self._lock, self._history.exclusive():
                found = self._history.find(key)
                if found is None:
                    raise AgentcError([report("AS1443", None, key=key)])
                decision = self._expired(key, found) or _decision(found[1])
            if decision.outcome != "ask":
                return decision
            time.sleep(every)

    def pending(self) -> dict[str, tuple[Data, Decision]]:
        """The proposals that wait for a person, by their keys."""
        with self._lock:
            found = {key: (event, _decision(decision)) for key, event, decision in self._history.asked()}
        return {k: (e, d) for k, (e, d) in found.items() if d.until is None or self._clock() < d.until}

    def result(self, text: str, tool: str | None = None, key: str | None = None) -> None:
        """Tell the result of a call that was made."""
        phases = [p for p in self.writer.phases if p.answers is not None]
        if tool is not None:
            phases = [p for p in phases if tool in self.writer.phase(str(p.answers)).tools]
        self._tell({"kind": "text", "phase": phases[0].name if phases else None, "text": text, "tool": tool}, key)

    def note(self, phase: str, text: str, key: str | None = None) -> None:
        """Tell a text that the agent wrote in a phase. Raises ``AgentcError`` (AS1485) for a phase that is none."""
        names = [p.name for p in self.writer.phases]
        if phase not in names:
            known = ", ".join(f"`{n}`" for n in names)
            raise AgentcError([report("AS1485", None, name=phase, known=known, suggestion=nearest(phase, names))])
        self._tell({"kind": "text", "phase": phase, "text": text}, key)

    def user(self, text: str, key: str | None = None) -> None:
        """Tell what the user says: no step of the trace, but a source that values come from."""
        self._tell({"kind": "user", "text": text}, key)

    def end(self) -> Decision:
        """Whether the run may end: denied while a promise is not kept if it ends here."""
        with self._lock:
            self._catch_up()
            open_ = [r for r in self.rules if r.item.role == "behavior" and not r.outcome.verdict.holds]
            enforced = tuple(r.name for r in open_ if self.modes.get(r.name, "enforce") == "enforce")
            logged = tuple(r.name for r in open_ if r.name not in enforced)
            if not enforced:
                return Decision("allow", logged=logged)
            reason = "; ".join(f"`{r.name}` is still open: {r.item.source}" for r in open_ if r.name in enforced)
            return Decision("deny", reason, enforced, logged, self._alternatives())

    def verdicts(self) -> dict[str, Verdict]:
        """The verdict of every rule now."""
        with self._lock:
            self._catch_up()
            return {r.name: r.outcome.verdict for r in self.rules}

    def close(self) -> None:
        """Close the history."""
        with self._lock:
            self._history.close()

    # ------------------------------------------------------------ judging

    def _tell(self, event: Data, key: str | None) -> None:
        key = key or uuid.uuid4().hex
        with self._lock, self._history.exclusive():
            if self._history.find(key) is None:
                self._catch_up()
                self._history.append(key, event, asdict(Decision("allow")))
                self._catch_up()

    def _catch_up(self) -> None:
        """Take what was written since, by this guard or by others."""

        def take(event: Data, decision: Data) -> None:
            if decision["outcome"] != "allow" or "settled" in decision:
                return
            if event["kind"] == "user":
                self._origins.tell("user", event["text"])
                return
            valuation = self._valuation(event)
            if event["kind"] == "text":
                self._origins.tell(event["phase"], event["text"])
                self._origins.tell(event.get("tool"), event["text"])
                if event["phase"] is None:
                    return
            if self._remembers is not None and len(self._trace) >= MAX_STEPS:
                span, name = self._remembers.item.span, self._remembers.name
                raise AgentcError([report("AS1484", span, name=name, limit=MAX_STEPS)])
            self._trace.append(valuation)
            trace = Trace(self._trace)
            forgiven = {*decision["logged"], *decision["rules"]}  # logged, or allowed by a person
            for rule in self.rules:
                rule.take(trace, rule.name in forgiven)
            if self._remembers is None:
                del self._trace[:-1]

        try:
            self._seq = self._history.since(self._seq, take)
        except AgentcError:  # the event is not written; what it has changed here is built again when it is needed
            self._trace, self._seq, self._origins = [], 0, Origins(labelled(self.agent))
            for rule in self.rules:
                rule.reset()
            raise

    def _labels(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Value]:
        return self._origins.labels({f"{tool}.{k}": v for k, v in arguments.items()})

    def _valuation(self, event: Data) -> Valuation:
        found = dict(self._blank)
        if event["kind"] == "text":
            if event["phase"] is not None:
                found[event["phase"]] = True
                found[f"{event['phase']}.text"] = event["text"]
            return found
        tool = event["tool"]
        phase = next((p.name for p in self.writer.phases if tool in p.tools), None)
        if phase is not None:
            found[phase] = True
            found[tool] = True
            for argument in self.writer.tool(tool).arguments:
                if argument.name in event["arguments"]:
                    found[f"{tool}.{argument.name}"] = as_text(argument, event["arguments"][argument.name])
            found.update({k: tuple(v) for k, v in event.get("from", {}).items()})
        return found

    def _judge(self, event: Data) -> Decision:
        wrong = malformed(self.writer, event["tool"], event["arguments"]) or next(
            (why for check in self._checks if (why := check(event["tool"], event["arguments"]))), ""
        )
        if wrong:
            return Decision("deny", wrong, alternatives=self._alternatives())
        trace = Trace([*self._trace, self._valuation(event)])
        violated = []
        for rule in self.rules:
            outcome = rule.try_event(trace)
            if outcome.verdict is Verdict.FALSE:
                violated.append((rule, outcome.values))
        logged = tuple(r.name for r, _ in violated if self.modes.get(r.name) == "log")
        hard = [(r, v) for r, v in violated if r.name not in logged]
        if not hard:
            return Decision("allow", logged=logged)
        reason = "; ".join(_words(r, v) for r, v in hard)
        asks = all(self.modes.get(r.name) == "ask" for r, _ in hard)
        rules = tuple(r.name for r, _ in hard)
        return Decision("ask" if asks else "deny", reason, rules, logged, self._alternatives())

    def _alternatives(self) -> tuple[str, ...]:
        return tuple(t.name for t in self.writer.tools if self._could(t))

    def _could(self, tool: ToolIR) -> bool:
        phase = next((p.name for p in self.writer.phases if tool.name in p.tools), None)
        if phase is None:
            return False
        valuation = {**self._blank, phase: True, tool.name: True}
        names = [f"{phase}.text", *(f"{tool.name}.{a.name}" for a in tool.arguments)]
        free = [*names, *(f"{n}{SUFFIX}" for n in names)]
        enforced = [r for r in self.rules if self.modes.get(r.name, "enforce") == "enforce"]
        return all(r.could_follow(valuation, free) for r in enforced)


def _words(rule: Rule, values: tuple[Value, ...]) -> str:
    bound = ", ".join(f"{n} = {v!r}" for n, v in zip(rule.item.each, values, strict=True)) if values else ""
    return f"`{rule.name}`{f' ({bound})' if bound else ''} forbids it: {rule.item.source}"


def _plain(arguments: Mapping[str, Any]) -> Any:
    """Arguments as a history gives them back."""
    return json.loads(json.dumps(arguments, default=repr))


def _decision(data: Data) -> Decision:
    return Decision(
        data["outcome"], data["reason"], tuple(data["rules"]), tuple(data["logged"]), tuple(data["alternatives"]),
        data.get("until"),
    )  # fmt: skip
