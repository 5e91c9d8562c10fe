"""Agents: every item of a block resolved and checked, in the order in which they can refer to each other.

Names come first (the environment's signals, then the agent's own), so that items may stand in any order.
"""

from __future__ import annotations

from agentc.lang import ast
from agentc.lang.check_context import Context, first_line, head, of_type, text
from agentc.lang.check_environment import bind_environment
from agentc.lang.check_examples import check_example
from agentc.lang.check_llm import (
    check_decode,
    check_model,
    check_phase,
    check_prompt,
    check_tool,
    declare_writer,
)
from agentc.lang.check_reward import check_machine, check_reward
from agentc.lang.check_signal import check_signal
from agentc.lang.check_training import (
    check_deploy,
    check_equality,
    check_expect,
    check_train,
    check_verify,
    is_equality,
)
from agentc.lang.checked import (
    CheckedAgent,
    CheckedDeploy,
    CheckedEnvironment,
    CheckedEquality,
    CheckedExample,
    CheckedExpect,
    CheckedFormula,
    CheckedMachine,
    CheckedOutline,
    CheckedProposition,
    CheckedReward,
    CheckedSignal,
    CheckedTrain,
    CheckedVerify,
    Content,
)
from agentc.lang.diagnostics import Severity
from agentc.lang.english import english
from agentc.lang.imports import declare
from agentc.lang.lints import unused
from agentc.lang.scope import Scope, Symbol, SymbolKind
from agentc.lang.typed import Value
from agentc.lang.types import REAL
from agentc.lang.unfold import unfolded


class AgentChecker:
    """Checks one ``agent`` block, or one ``role`` inside it."""

    def __init__(self, context: Context, item: ast.Agent | ast.Role, outer: Scope) -> None:
        self.context, self.item, self.outer = context, item, outer
        phases = any(isinstance(i, ast.Phase) for i in item.items)
        self.scope = outer.child(trace="phases" if phases else None)
        self.place = f"the {'agent' if isinstance(item, ast.Agent) else 'role'} `{item.name}`"
        self.environment: CheckedEnvironment | None = None
        self.signals: list[CheckedSignal] = []
        self.propositions: list[CheckedProposition] = []
        self.formulas: list[CheckedFormula] = []
        self.machines: list[CheckedMachine] = []
        self.reward: CheckedReward | None = None
        self.train: CheckedTrain | None = None
        self.expects: list[CheckedExpect] = []
        self.equalities: list[CheckedEquality] = []
        self.verifies: list[CheckedVerify] = []
        self.examples: list[CheckedExample] = []
        self.outlines: list[CheckedOutline] = []
        self.deploy: CheckedDeploy | None = None
        self.assumptions = 0

    def check(self) -> CheckedAgent:
        """The checked agent; what could not be understood is missing in it, and was reported."""
        self._singles()
        self._environment()
        for item in self.item.items:
            self._declare(item)
        for item in self.item.items:
            self._check(item)
        if isinstance(self.item, ast.Agent):
            self._whole()
        if not self.context.failed:
            self.context.diagnostics.extend(unused(self.scope))
        docs = [i.text for i in self.item.items if isinstance(i, ast.Doc)]
        return CheckedAgent(
            name=self.item.name,
            doc=docs[0] if docs else None,
            environment=self.environment,
            signals=tuple(self.signals),
            propositions=tuple(self.propositions),
            formulas=tuple(self.formulas),
            reward=self.reward,
            machines=tuple(self.machines),
            train=self.train,
            expects=tuple(self.expects),
            equalities=tuple(self.equalities),
            verifies=tuple(self.verifies),
            examples=tuple(self.examples),
            outlines=tuple(self.outlines),
            deploy=self.deploy,
            parameters=self._parameters(),
            name_span=self.item.name_span,
        )

    # ------------------------------------------------------------ names

    def _singles(self) -> None:
        items = self.item.items
        for word, type_ in (("reward", ast.Reward), ("train", ast.Train), ("model", ast.Model)):
            self.context.single(of_type(items, type_), word, self.place)
        for word in ("env", "init"):
            found = [i for i in items if isinstance(i, ast.Setting) and i.word == word]
            self.context.single(found, word, self.place)
        for word in ("deploy", "decode"):
            blocks = [i for i in items if isinstance(i, ast.Block) and i.word == word]
            self.context.single(blocks, word, self.place)

    def _environment(self) -> None:
        """Bind the environment; what it declares for its agents is checked as the agent's own."""
        settings = [i for i in self.item.items if isinstance(i, ast.Setting) and i.word == "env"]
        if not settings:
            return
        bound = bind_environment(self.context, settings[0].value, self.scope, self.scope)
        self.environment = bound.environment
        inner, scope = self.scope, bound.scope
        if scope is None:
            return
        for item in bound.items:
            if isinstance(item, ast.Phase | ast.Tool):
                self.signals.extend(declare_writer(self.context, item, inner))
            elif isinstance(item, ast.CostItem):
                self._declare(item)
            elif isinstance(item, ast.FormulaItem):
                self._formula(item, scope)
            elif isinstance(item, ast.Proposition):
                self._proposition(item, scope)

    def _declare(self, item: ast.Item) -> None:
        scope = self.scope
        match item:
            case ast.Signal():
                self.signals.extend(check_signal(self.context, item, scope))
            case ast.Phase() | ast.Tool():
                self.signals.extend(declare_writer(self.context, item, scope))
            case ast.CostItem():
                self.context.define(scope, Symbol(item.name, "cost", REAL, item.name_span, item, scope))
            case ast.Role():
                self.context.define(scope, Symbol(item.name, "role", None, item.name_span, item, scope))
            case _:
                self.context.diagnostics.extend(declare(item, scope))

    # ------------------------------------------------------------ items

    def _check(self, item: ast.Item) -> None:
        context, scope = self.context, self.scope
        match item:
            case ast.FormulaItem():
                self._formula(item, scope)
            case ast.Proposition():
                self._proposition(item, scope)
            case ast.Constant() | ast.Pattern() | ast.RegionItem():
                context.elaborator.definition(_symbol(item, scope))
            case ast.Reward():
                reward = check_reward(context, item, scope)
                self.reward = self.reward or reward
            case ast.Machine():
                self.machines.append(check_machine(context, item, scope))
            case ast.Train():
                train = check_train(context, item, scope)
                self.train = self.train or train
            case ast.Expect() if is_equality(item, scope):
                equality = check_equality(context, item, scope)
                self.equalities += [equality] if equality is not None else []
            case ast.Expect():
                expect = check_expect(context, item, scope)
                self.expects += [expect] if expect is not None else []
            case ast.Verify():
                verify = check_verify(context, item, scope)
                self.verifies += [verify] if verify is not None else []
            case ast.Example():
                example = check_example(context, item, scope)
                self.examples += [example] if example is not None else []
            case ast.Phase():
                self.outlines.append(check_phase(context, item, scope))
            case ast.Tool():
                self.outlines.append(check_tool(context, item, scope))
            case ast.Model():
                self.outlines.append(check_model(context, item, scope))
            case ast.Prompt():
                self.outlines.append(check_prompt(context, item))
            case ast.Block(word="decode"):
                self.outlines.append(check_decode(context, item, scope))
            case ast.Block(word="deploy"):
                deploy = check_deploy(context, item, scope, self._controllers())
                self.deploy = self.deploy or deploy
            case ast.CostItem():
                self._cost(item)
            case ast.Budget():
                self._budget(item)
            case ast.Role():
                self._role(item)

    def _proposition(self, item: ast.Proposition, scope: Scope) -> None:
        typed = self.context.elaborator.definition(_symbol(item, scope))
        if typed is not None and typed.type.kind != "error" and not item.parameters:
            source = text(item.body.span)
            self.propositions.append(CheckedProposition(item.name, typed, source, item.name_span))

    def _formula(self, item: ast.FormulaItem, scope: Scope) -> None:
        name = item.name
        if name is None:
            self.assumptions += 1
            name = f"assumption_{self.assumptions}"
        typed = self.context.elaborator.formula(item.body, scope)
        if typed.type.kind == "error" or any(f.name == name for f in self.formulas):
            return
        each = item.body.names if isinstance(item.body, ast.Each) else ()
        self.formulas.append(
            CheckedFormula(
                name=name,
                role=item.role,
                typed=typed,
                source=text(item.body.span),
                reading=english(unfolded(item.body, scope)),
                each=each,
                span=first_line(item.span),
                name_span=item.name_span,
            )
        )

    def _cost(self, item: ast.CostItem) -> None:
        """A cost is a number at each step, or a proposition that costs 1 where it holds."""
        before = self._errors()
        symbol = self.scope.lookup(item.value.id) if isinstance(item.value, ast.Name) else None
        boolean = isinstance(item.value, ast.Compare | ast.Member | ast.Unary | ast.Nary | ast.Binary | ast.Bool)
        arithmetic = isinstance(item.value, ast.Nary | ast.Binary | ast.Unary) and item.value.op in "+-**/"
        if (boolean and not arithmetic) or (symbol is not None and _is_proposition(symbol)):
            typed = self.context.elaborator.proposition(item.value, self.scope)
        else:
            typed = self.context.elaborator.term(item.value, self.scope, REAL)
        if self._errors() == before and typed.type.kind != "error":
            self.outlines.append(CheckedOutline("cost", item.name, {"value": typed}, first_line(item.span)))

    def _errors(self) -> int:
        return sum(d.severity is Severity.ERROR for d in self.context.diagnostics)

    def _budget(self, item: ast.Budget) -> None:
        symbol = self.scope.lookup(item.cost)
        if symbol is None or symbol.kind not in ("cost", "error"):
            self.context.unknown("cost", item.cost, self.scope.names("cost"), item.cost_span)
        limit = self.context.number(item.limit, self.scope, "budget", 0)
        if limit is not None:
            self.outlines.append(CheckedOutline("budget", item.cost, {"limit": limit}, first_line(item.span)))

    def _role(self, item: ast.Role) -> None:
        inner = AgentChecker(self.context, item, self.scope)
        agent = inner.check()
        formulas: dict[str, Content] = {f.name: {"role": f.role, "formula": f.typed} for f in agent.formulas}
        content: dict[str, Content] = {"formulas": formulas}
        if agent.reward is not None:
            content["reward"] = tuple(
                {"kind": t.kind, "name": t.name, "amount": t.amount} for t in agent.reward.terms
            )
        if agent.train is not None:
            content["train"] = {"algorithm": agent.train.algorithm, **{s.name: s.value for s in agent.train.settings}}
        if agent.signals:
            content["signals"] = tuple(s.name for s in agent.signals)
        self.outlines.append(CheckedOutline("role", item.name, content, first_line(item.span)))

    # ------------------------------------------------------------ the whole

    def _whole(self) -> None:
        """What an agent with these items must have beside them."""
        context, items = self.context, self.item.items
        broken = any(isinstance(i, ast.ErrorItem) for i in items)
        has_environment = any(isinstance(i, ast.Setting) and i.word == "env" for i in items)
        needs = next((i for i in items if _needs_environment(i, self.scope)), None)
        if needs is not None and not has_environment and not broken:
            what = f"`{type(needs).__name__.lower()}`"
            context.report("AS0501", self.item.name_span, name=self.item.name, what=what)
        writers = [i for i in items if isinstance(i, ast.Phase | ast.Tool)]
        phase = next((i for i in writers if isinstance(i, ast.Phase)), writers[0] if writers else None)
        if phase is not None and not broken and not any(isinstance(i, ast.Model) for i in items):
            written = next((i for i in writers if isinstance(i, ast.Phase) and not _guarded(i)), None)
            said = next((i for i in items if isinstance(i, ast.Prompt) or _decodes(i)), None)
            if written is not None or said is not None or not isinstance(phase, ast.Phase):
                what = "phases to write" if written is not None else "tools" if said is None else "something to read"
                context.report("AS0550", head(written or said or phase), name=self.item.name, what=what)

    def _controllers(self) -> tuple[str, ...]:
        if self.environment is None or self.environment.system is None:
            return ()
        return tuple(c.name for c in self.environment.system.controllers)

    def _parameters(self) -> dict[str, Value]:
        """The values of the ``param``s that the agent can see."""
        found: dict[str, Value] = {}
        for name in self.scope.names("param"):
            symbol = self.scope.find(name)
            if symbol is not None and isinstance(symbol.node, ast.Constant):
                value = self.context.elaborator.constant(ast.Name(span=symbol.node.name_span, id=name), self.scope)
                if value is not None:
                    found[name] = value
        return dict(sorted(found.items()))


def _needs_environment(item: ast.Item, scope: Scope) -> bool:
    if isinstance(item, ast.Expect):
        return not is_equality(item, scope)
    return isinstance(item, ast.Reward | ast.Train)


def _guarded(phase: ast.Phase) -> bool:
    """Whether a phase is what a guard sees of a loop: calls, and what they return."""
    return all(isinstance(g, ast.CallGenerator | ast.ResultGenerator) for g in phase.generators)


def _decodes(item: ast.Item) -> bool:
    return isinstance(item, ast.Block) and item.word == "decode"


def _is_proposition(symbol: Symbol) -> bool:
    return symbol.kind == "prop" or (symbol.type is not None and symbol.type.kind == "bool")


def _symbol(item: ast.Constant | ast.Pattern | ast.RegionItem | ast.Proposition, scope: Scope) -> Symbol:
    """The symbol that an item declares, or would if its name were not taken already."""
    symbol = scope.find(item.name)
    if symbol is not None and symbol.node is item:
        return symbol
    kind: SymbolKind = "pattern" if isinstance(item, ast.Pattern) else "prop"
    if isinstance(item, ast.RegionItem | ast.Constant):
        kind = "region" if isinstance(item, ast.RegionItem) else "const"
    return Symbol(item.name, kind, None, item.name_span, item, scope)
