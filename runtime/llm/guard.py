"""A guard without a decoder: the same promises, judged on the calls that any agent loop proposes.

Each call is proposed before it is made and answered with allow, deny or ask, with the reason in words and what would be
allowed instead; results are told afterwards. A trace of the guard has one step for each call that was made and for each
result (and for each text that the loop cares to tell).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from agentc.compiler.agent import AgentIR
from agentc.compiler.decoder.contents import as_text, fits
from agentc.compiler.logic.ir import Value
from agentc.compiler.logic.trace import Trace, Valuation
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.writer import ArgumentIR, ToolIR
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.spelling import nearest
from agentc.runtime.llm.history import Data, History
from agentc.runtime.llm.rules import Rule
from agentc.runtime.llm.valuation import unsaid, unwritten

Mode = Literal["enforce", "log", "ask"]


@dataclass(frozen=True)
class Decision:
    """What becomes of a proposal.

    ``rules`` are those that it would violate, ``logged`` those that only log; ``alternatives`` are the tools whose
    calls could be allowed now. ``outcome`` is ``allow``, ``deny`` or ``ask``: then a person decides
    (:meth:`Guard.settle`). A violation that is logged or that a person allows is forgiven: the rule goes on as if it
    had not been.
    """

    outcome: Literal["allow", "deny", "ask"]
    reason: str = ""
    rules: tuple[str, ...] = ()
    logged: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()


class Guard:
    """The promises of an agent (every ``behavior`` and ``safe`` over phases and tools) as a guard.

    Args:
        agent: the agent whose promises are kept.
        modes: for single rules ``log`` (tell, and allow) or ``ask``; all others are enforced.
        history: where events are kept; the file may be shared by several guards, and survives a kill.
        checks: what else a call must pass: from the tool and its arguments to why it is denied, empty if it is not
            (:meth:`agentc.runtime.verify.data.filter.ReachFilter.objection`).

    Raises ``AgentcError``: AS1410 for an agent without phases, AS1440 for a parameter of ``each`` that is not compared
    by ``==`` alone, AS1442 for a mode of a rule that does not exist.
    """

    def __init__(
        self,
        agent: AgentIR,
        modes: Mapping[str, Mode] | None = None,
        history: History | Path | None = None,
        checks: Sequence[Callable[[str, Mapping[str, Any]], str]] = (),
    ) -> None:
        if agent.writer is None or not agent.writer.phases:
            raise AgentcError([report("AS1410", None, agent=agent.name)])
        self.agent, self.writer = agent, agent.writer
        self.rules = [Rule(f) for f in agent.of_role("behavior", "safe")]
        self.modes = dict(modes or {})
        self._checks = tuple(checks)
        names = [r.name for r in self.rules]
        for name in self.modes:
            if name not in names:
                known = ", ".join(f"`{n}`" for n in names)
                suggestion = nearest(name, names)
                raise AgentcError([report("AS1442", None, name=name, known=known, suggestion=suggestion)])
        self._history = history if isinstance(history, History) else History(history)
        self._remembers = any(rule.remembers for rule in self.rules)
        self._trace: list[Valuation] = []
        self._blank = {**unwritten(agent), **unsaid(agent)}
        self._seq = 0
        self._catch_up()

    # ------------------------------------------------------------ events

    def propose(self, tool: str, arguments: Mapping[str, Any], key: str | None = None) -> Decision:
        """Judge a call before it is made; an allowed one counts as made.

        ``key`` names the proposal: the same key is judged once, whatever happens in between. Calls that are still in
        flight count as made, so calls that run in parallel are judged together.
        """
        key = key or uuid.uuid4().hex
        with self._history.exclusive():
            found = self._history.find(key)
            if found is not None:
                return _decision(found[1])
            self._catch_up()
            event: Data = {"kind": "call", "tool": tool, "arguments": dict(arguments)}
            decision = self._judge(event)
            self._history.append(key, event, asdict(decision))
            self._catch_up()
        return decision

    def settle(self, key: str, allowed: bool, who: str = "") -> Decision:
        """Decide a proposal that was answered with ``ask``. Raises ``AgentcError`` (AS1443) if there is none."""
        with self._history.exclusive():
            found = self._history.find(key)
            if found is None or found[1]["outcome"] != "ask":
                raise AgentcError([report("AS1443", None, key=key)])
            self._catch_up()
            outcome: Literal["allow", "deny"] = "allow" if allowed else "deny"
            reason = f"{'allowed' if allowed else 'denied'} by {who or 'a person'}"
            decision = Decision(outcome, reason, tuple(found[1]["rules"]), tuple(found[1]["logged"]))
            self._history.settle(key, {**asdict(decision), "settled": True})
            if allowed:  # it is made now, and not when it was proposed
                self._history.append(f"{key}/settled", found[0], asdict(decision))
            self._catch_up()
        return decision

    def result(self, text: str, tool: str | None = None, key: str | None = None) -> None:
        """Tell the result of a call that was made."""
        phases = [p for p in self.writer.phases if p.answers is not None]
        if tool is not None:
            phases = [p for p in phases if tool in self.writer.phase(str(p.answers)).tools]
        if not phases:
            return
        self._tell({"kind": "text", "phase": phases[0].name, "text": text}, key)

    def note(self, phase: str, text: str, key: str | None = None) -> None:
        """Tell a text that the agent wrote in a phase."""
        self._tell({"kind": "text", "phase": phase, "text": text}, key)

    def end(self) -> Decision:
        """Whether the run may end: denied while a promise is not kept if it ends here."""
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
        self._catch_up()
        return {r.name: r.outcome.verdict for r in self.rules}

    # ------------------------------------------------------------ judging

    def _tell(self, event: Data, key: str | None) -> None:
        key = key or uuid.uuid4().hex
        with self._history.exclusive():
            if self._history.find(key) is None:
                self._catch_up()
                self._history.append(key, event, asdict(Decision("allow")))
                self._catch_up()

    def _catch_up(self) -> None:
        """Take what was written since, by this guard or by others."""

        def take(event: Data, decision: Data) -> None:
            if decision["outcome"] == "allow" and "settled" not in decision:
                self._trace.append(self._valuation(event))
                trace = Trace(self._trace)
                forgiven = {*decision["logged"], *decision["rules"]}  # logged, or allowed by a person
                for rule in self.rules:
                    rule.take(trace, rule.name in forgiven)
                if not self._remembers:
                    del self._trace[:-1]

        self._seq = self._history.since(self._seq, take)

    def _valuation(self, event: Data) -> Valuation:
        found = dict(self._blank)
        if event["kind"] == "text":
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
        return found

    def _judge(self, event: Data) -> Decision:
        wrong = self._malformed(event) or next(
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

    def _malformed(self, event: Data) -> str:
        """Why a call is none that was declared; empty if it is one."""
        try:
            tool = self.writer.tool(event["tool"])
        except KeyError:
            near = nearest(event["tool"], [t.name for t in self.writer.tools])
            return f"no tool is called `{event['tool']}`" + (f"; did you mean `{near}`?" if near else "")
        given = event["arguments"]
        known = {a.name: a for a in tool.arguments}
        for name in given:
            if name not in known:
                return f"`{tool.name}` has no argument `{name}`"
        for name, argument in known.items():
            if name not in given:
                return f"the argument `{name}` of `{tool.name}` is missing"
            reason = _ill_typed(argument, given[name])
            if reason:
                return f"the argument `{name}` of `{tool.name}` {reason}"
        return ""

    def _alternatives(self) -> tuple[str, ...]:
        return tuple(t.name for t in self.writer.tools if self._could(t))

    def _could(self, tool: ToolIR) -> bool:
        phase = next((p.name for p in self.writer.phases if tool.name in p.tools), None)
        if phase is None:
            return False
        valuation = {**self._blank, phase: True, tool.name: True}
        free = [f"{phase}.text", *(f"{tool.name}.{a.name}" for a in tool.arguments)]
        enforced = [r for r in self.rules if self.modes.get(r.name, "enforce") == "enforce"]
        return all(r.could_follow(valuation, free) for r in enforced)


def _words(rule: Rule, values: tuple[Value, ...]) -> str:
    bound = ", ".join(f"{n} = {v!r}" for n, v in zip(rule.item.each, values, strict=True)) if values else ""
    return f"`{rule.name}`{f' ({bound})' if bound else ''} forbids it: {rule.item.source}"


def _ill_typed(argument: ArgumentIR, value: Any) -> str:
    if argument.content is not None:
        return "" if fits(argument, value) else f"is {value!r}, not what its {argument.content.kind} allows"
    kinds: dict[str, tuple[type, ...]] = {
        "bool": (bool,), "int": (int,), "real": (int, float), "enum": (str,), "text": (str,),
    }  # fmt: skip
    wanted = kinds[argument.kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and argument.kind != "bool"):
        return f"is {value!r}, not {'an' if argument.kind[0] in 'aeiou' else 'a'} {argument.kind}"
    if isinstance(value, float) and value != value:
        return "is not a number"
    if argument.members and value not in argument.members:
        return f"is {value!r}, none of {', '.join(argument.members)}"
    size: Any = len(value) if isinstance(value, str) else value
    lo, hi = argument.size or (None, None) if argument.kind == "text" else (argument.lo, argument.hi)
    if argument.kind in ("text", "int", "real") and ((lo is not None and size < lo) or (hi is not None and size > hi)):
        return f"is {value!r}, outside of [{'' if lo is None else lo}, {'' if hi is None else hi}]"
    return ""


def _decision(data: Data) -> Decision:
    return Decision(
        data["outcome"], data["reason"], tuple(data["rules"]), tuple(data["logged"]), tuple(data["alternatives"])
    )
