"""Lowering: from the checked tree to the IR, once, for every backend.

An elaborated expression has the IR's own vocabulary, so its lowering is one fold, with a memo: what was one
object in the tree (a proposition used twice) is visited once. Everything is iterative.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from agentc.compiler import agent as target
from agentc.compiler.agent import Literalish
from agentc.compiler.imported import automaton_of_file
from agentc.compiler.logic.ir import (
    AUTOMATON,
    CONNECTIVES,
    FALSE,
    FUTURE,
    PAST,
    TRUE,
    Formula,
    Node,
    Term,
    Value,
    and_,
    formula,
    postorder,
    prop,
    show,
    signals,
    term,
)
from agentc.compiler.logic.rewrite import simplify
from agentc.compiler.planned import ALGORITHMS, BACKENDS
from agentc.compiler.settings import Given, check_against
from agentc.compiler.training_config import TRAINERS
from agentc.compiler.turns import beginning, within
from agentc.compiler.verify_config import METHODS, SHIELD
from agentc.compiler.writer import ArgumentIR, GeneratorIR, PhaseIR, PromptIR, ToolIR, WriterIR
from agentc.lang import checked
from agentc.lang.checked_system import CheckedEquation, CheckedInitial, CheckedMode, CheckedSystem, Variable
from agentc.lang.typed import Typed

_FORMULAS = frozenset(("true", "false", "first", "last", "atom", *CONNECTIVES, *FUTURE, *PAST))


class Lowering:
    """The fold from elaborated expressions to nodes.

    ``opaque`` names the propositions that stay Boolean signals of their own names, as the examples want it;
    ``turn`` is true where a turn of a language-model agent begins, for intervals of turns; ``definitions`` define
    signals from others, and stand in their place; ``renamed`` has other names for signals: what a system calls
    ``v`` is ``action.v`` in the agent's formulas.
    """

    def __init__(
        self,
        opaque: Collection[str] = (),
        turn: Formula | None = None,
        definitions: Mapping[str, Typed] | None = None,
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        self._opaque, self._turn, self._definitions = frozenset(opaque), turn, definitions or {}
        self._renamed = renamed or {}
        self._made: dict[Typed, Node] = {}

    def node(self, root: Typed) -> Node:
        """The node of an expression."""
        made = self._made
        stack = [root]
        while stack:
            at = stack[-1]
            if at in made:
                stack.pop()
                continue
            if at.proposition is not None and at.proposition in self._opaque:
                made[at] = prop(at.proposition)
                stack.pop()
                continue
            below = at.args
            if at.op in ("signal", "prev") and at.value in self._definitions:
                below = (self._definitions[str(at.value)],)
            open_ = [a for a in below if a not in made]
            if open_:
                stack.extend(reversed(open_))
                continue
            made[at] = self._combine(at, [made[a] for a in below])
            stack.pop()
        return made[root]

    def _combine(self, at: Typed, args: list[Node]) -> Node:
        if at.op in ("signal", "prev") and args:
            return args[0] if at.op == "signal" else _one_step_ago(args[0], str(at.value))
        if at.op == AUTOMATON:
            return automaton_of_file(at, args).predicate
        if at.op in ("signal", "prev") and at.value in self._renamed:
            return term(at.op, args, self._renamed[str(at.value)])
        if at.op not in _FORMULAS:
            return term(at.op, args, at.value, at.interval)
        if at.op == "atom":
            return args[0] if isinstance(args[0], Formula) else _atom(args[0])
        if at.value == "turns":
            assert at.interval is not None and at.interval[1] is not None and self._turn is not None
            formulas = tuple(a for a in args if isinstance(a, Formula))
            return within(at.op, formulas, at.interval[1], self._turn)
        if at.op == "and" and len(args) == 1:
            return args[0]  # a proposition that only renames another one
        node = formula(at.op, args, at.interval)
        if at.via and any(a is TRUE or a is FALSE for a in args):
            return simplify(node)  # what a pattern's parameter left at its default leaves behind
        return node

    def formula(self, root: Typed) -> Formula:
        """The formula of an expression that is one."""
        node = self.node(root)
        assert isinstance(node, Formula), f"{root.op} is no formula"
        return node

    def term(self, root: Typed) -> Term:
        """The term of an expression that is one."""
        node = self.node(root)
        assert isinstance(node, Term), f"{root.op} is no term"
        return node


def _atom(predicate: Node) -> Formula:
    """The atom of a predicate. The previous value of a Boolean is its value one step ago: false at step 0."""
    if predicate.op == "prev":
        return formula("Y", (prop(str(predicate.value)),))
    return formula("atom", (predicate,))


def _one_step_ago(definition: Node, name: str) -> Node:
    """``prev`` of a defined signal: of a proposition ``Y``, of a term the same term of the previous values.

    Where the definition itself looks back, the signal stays one, and the runtime computes it.
    """
    if isinstance(definition, Formula):
        return formula("Y", (definition,))
    if any(isinstance(n, Formula) or n.op in ("prev", "in_seen") for n in postorder(definition)):
        return term("prev", value=name)
    made: dict[Node, Node] = {}
    for node in postorder(definition):
        op = "prev" if node.op == "signal" else node.op
        made[node] = term(op, [made[a] for a in node.args], node.value, node.interval)
    return made[definition]


def lower(spec: checked.CheckedSpec) -> tuple[target.AgentIR, ...]:
    """The agents of a checked file. The file must be free of errors."""
    return tuple(lower_agent(agent) for agent in spec.agents)


def lower_agent(agent: checked.CheckedAgent) -> target.AgentIR:
    """The meaning of one checked agent."""
    turn = _turn(agent)
    definitions = {s.name: s.definition for s in all_signals(agent) if s.definition is not None}
    fold = Lowering((), turn, definitions, _inputs(agent))
    environment = None
    system = None
    if agent.environment is not None:
        environment = _environment(agent.environment, fold)
        if agent.environment.system is not None:
            own = {s.name: s.definition for s in agent.environment.signals if s.definition is not None}
            system = lower_system(agent.environment.system, Lowering((), None, own))
    return target.AgentIR(
        name=agent.name,
        doc=agent.doc,
        environment=environment,
        signals=tuple(_signal(s, fold) for s in agent.signals),
        propositions=tuple(
            target.PropositionIR(p.name, fold.formula(p.typed), p.source) for p in agent.propositions
        ),
        formulas=tuple(
            target.FormulaIR(f.name, f.role, fold.formula(f.typed), f.source, f.reading, f.each, f.span)
            for f in agent.formulas
        ),
        reward=None if agent.reward is None else _reward(agent.reward, agent.machines, fold),
        train=None if agent.train is None else _train(agent.train),
        expects=tuple(
            target.ExpectIR(e.kind, e.op, e.threshold, e.subject, e.confidence, e.source) for e in agent.expects
        ),
        verifies=tuple(_verify(v, fold) for v in agent.verifies),
        examples=tuple(_example(e, agent, turn, definitions) for e in agent.examples),
        writer=_writer(agent, fold),
        outlines=tuple(_outline(o, fold) for o in agent.outlines if o.construct in BACKENDS),
        costs=_costs(agent, fold),
        system=system,
        parameters=dict(agent.parameters),
        machines=tuple(_machine(m, fold) for m in agent.machines),
        equalities=tuple(target.EqualityIR(e.left, e.right, e.source, e.span) for e in agent.equalities),
        deploy=None if agent.deploy is None else _deploy(agent.deploy),
    )


def _inputs(agent: checked.CheckedAgent) -> dict[str, str]:
    """The inputs of the agent's system by the names that they have in formulas."""
    system = agent.environment.system if agent.environment is not None else None
    return {v.name: f"action.{v.name}" for v in system.of_kind("input")} if system is not None else {}


def _turn(agent: checked.CheckedAgent) -> Formula:
    """Where a turn begins: at a phase that the agent writes, behind one that the environment wrote."""
    written: list[str] = []
    results: list[str] = []
    for outline in agent.outlines:
        if outline.construct == "phase":
            generators = outline.content["generators"]
            assert isinstance(generators, tuple)
            answered = any(isinstance(g, Mapping) and g.get("generator") == "result" for g in generators)
            (results if answered else written).append(outline.name)
    return beginning(written, results)


def _signal(signal: checked.CheckedSignal, fold: Lowering) -> target.SignalIR:
    type_ = signal.type
    return target.SignalIR(
        name=signal.name,
        kind=type_.kind,  # type: ignore[arg-type]  # the checker lets no other kind be a signal's
        members=type_.members,
        lo=type_.lo,
        hi=type_.hi,
        size=type_.size,
        unit=signal.unit,
        definition=None if signal.definition is None else fold.node(signal.definition),  # type: ignore[arg-type]
        extern=signal.extern,
        doc=signal.doc,
        phase=signal.phase,
    )


def _environment(environment: checked.CheckedEnvironment, fold: Lowering) -> target.EnvironmentIR:
    arguments = _content(environment.arguments, fold)
    assert isinstance(arguments, Mapping)
    return target.EnvironmentIR(
        name=environment.name,
        engine=environment.engine,
        arguments=arguments,
        signals=tuple(_signal(s, fold) for s in environment.signals),
        step=environment.step,
        horizon=environment.horizon,
        controls=environment.controls,
    )


def _reward(
    reward: checked.CheckedReward, machines: tuple[checked.CheckedMachine, ...], fold: Lowering
) -> target.RewardIR:
    terms = []
    machine = None if reward.machine is None else _machine(reward.machine, fold)
    for item in reward.terms:
        if item.kind == "machine":
            named = next(m for m in machines if m.name == item.name)
            machine = _machine(named, fold, item.amount)
            continue
        body = None if item.typed is None else fold.formula(item.typed)
        terms.append(target.RewardTermIR(item.kind, item.amount, item.name, body, item.ends, item.clip, item.span))
    discount = {} if reward.discount is None else {"discount": reward.discount}
    return target.RewardIR(terms=tuple(terms), shape=reward.shape, machine=machine, **discount)


def _machine(machine: checked.CheckedMachine, fold: Lowering, scale: float = 1.0) -> target.MachineIR:
    return target.MachineIR(
        tuple(
            target.MachineStateIR(
                state.name,
                state.accepting,
                tuple(
                    target.MachineEdgeIR(fold.formula(e.guard), e.target, scale * e.reward) for e in state.edges
                ),
            )
            for state in machine.states
        ),
        machine.name,
    )


def given(settings: tuple[checked.CheckedSetting, ...]) -> dict[str, Given]:
    """Settings as the schemas read them."""
    return {s.name: Given(s.value, s.is_duration, s.key_span, s.value_span) for s in settings}


def _raw(settings: tuple[checked.CheckedSetting, ...]) -> Mapping[str, Literalish]:
    fold = Lowering()
    return {s.name: _content(s.value, fold) for s in settings}


def _train(train: checked.CheckedTrain) -> target.TrainIR:
    schema = TRAINERS.get(train.algorithm)
    if schema is None:
        assert train.algorithm in ALGORITHMS, train.algorithm
        return target.TrainIR(train.algorithm, _raw(train.settings), train.until)
    values, _ = check_against(schema, given(train.settings))
    return target.TrainIR(train.algorithm, dict(values), train.until)


def _verify(verify: checked.CheckedVerify, fold: Lowering) -> target.VerifyIR:
    settings: Mapping[str, Literalish] = _raw(verify.settings)
    if verify.method is not None:
        settings = dict(check_against(METHODS[verify.method], given(verify.settings))[0])
    body = fold.formula(verify.typed)
    total = None if verify.total is None else fold.term(verify.total)
    return target.VerifyIR(body, verify.source, verify.name, verify.bound, verify.method, settings, total, verify.span)


def _deploy(deploy: checked.CheckedDeploy) -> target.DeployIR:
    return target.DeployIR(
        tuple(target.RequireIR(r.what, r.formula, r.unchecked, r.span) for r in deploy.requires),
        tuple(
            target.ShieldIR(s.formula, s.method, dict(check_against(SHIELD, given(s.settings))[0]), s.span)
            for s in deploy.shields
        ),
        deploy.monitors,
        deploy.fallback,
        deploy.span,
    )


_WRITTEN = ("model", "phase", "tool", "prompt", "decode")
"""The constructs that say what a language-model agent writes."""


def _writer(agent: checked.CheckedAgent, fold: Lowering) -> WriterIR | None:
    """The part of an agent that a language model writes; None if it has no phase."""
    of: dict[str, list[checked.CheckedOutline]] = {construct: [] for construct in _WRITTEN}
    for outline in agent.outlines:
        if outline.construct in of:
            of[outline.construct].append(outline)
    if not any(of.values()):
        return None
    model = of["model"][0] if of["model"] else None
    settings = {} if model is None else _content(model.content["settings"], fold)
    decode = {k: _content(v, fold) for o in of["decode"] for k, v in o.content.items()}
    assert isinstance(settings, Mapping)
    return WriterIR(
        model=None if model is None else model.name,
        phases=tuple(_phase(o, fold) for o in of["phase"]),
        tools=tuple(_tool(o, fold) for o in of["tool"]),
        texts=tuple(_prompt(o) for o in of["prompt"]),
        settings=settings,
        decode=decode,
    )


def _prompt(outline: checked.CheckedOutline) -> PromptIR:
    file = outline.content["file"]
    return PromptIR(outline.name, str(outline.content["text"]), None if file is None else str(file), outline.span)


def _phase(outline: checked.CheckedOutline, fold: Lowering) -> PhaseIR:
    where = outline.content.get("where")
    generators = outline.content["generators"]
    assert isinstance(generators, tuple)
    made = []
    for item in generators:
        assert isinstance(item, Mapping)
        made.append(_generator(item))
    body = fold.formula(where) if isinstance(where, Typed) else None
    return PhaseIR(outline.name, tuple(made), body, outline.span)


def _generator(item: Mapping[str, checked.Content]) -> GeneratorIR:
    names = item.get("tools", (item["phase"],) if "phase" in item else ())
    return GeneratorIR(
        kind=item["generator"],  # type: ignore[arg-type]  # the checker lets no other pass
        names=tuple(map(str, names)),  # type: ignore[arg-type]
        texts=tuple(map(str, item.get("texts", ()))),  # type: ignore[arg-type]
        until=item.get("until"),  # type: ignore[arg-type]
        max_tokens=item.get("max_tokens"),  # type: ignore[arg-type]
    )


def _tool(outline: checked.CheckedOutline, fold: Lowering) -> ToolIR:
    parameters, returns, settings = (outline.content[k] for k in ("parameters", "returns", "settings"))
    assert isinstance(parameters, Mapping) and isinstance(settings, Mapping)
    plain = _content(settings, fold)
    assert isinstance(plain, Mapping)
    return ToolIR(
        outline.name,
        tuple(_argument(name, of) for name, of in parameters.items()),
        None if returns is None else _argument("", returns),
        plain,
        outline.span,
    )


def _argument(name: str, content: checked.Content) -> ArgumentIR:
    """A parameter from its type as data (``check_system.type_content``)."""
    assert isinstance(content, Mapping)
    written = content.get("content")
    return ArgumentIR(
        name=name,
        kind=content["type"],  # type: ignore[arg-type]
        members=content.get("members", ()),  # type: ignore[arg-type]
        lo=content.get("lo"),  # type: ignore[arg-type]
        hi=content.get("hi"),  # type: ignore[arg-type]
        size=content.get("size"),  # type: ignore[arg-type]
        default=content.get("default"),  # type: ignore[arg-type]
        content=_generator(written) if isinstance(written, Mapping) else None,
    )


def _costs(agent: checked.CheckedAgent, fold: Lowering) -> tuple[target.CostIR, ...]:
    """The costs, each with the least of its budgets."""
    limits: dict[str, float] = {}
    for outline in agent.outlines:
        if outline.construct == "budget":
            limit = outline.content["limit"]
            assert isinstance(limit, int | float)
            limits[outline.name] = min(float(limit), limits.get(outline.name, float(limit)))
    found = []
    for outline in agent.outlines:
        if outline.construct == "cost":
            value = outline.content["value"]
            assert isinstance(value, Typed)
            node = fold.node(value)
            assert isinstance(node, Formula | Term)
            found.append(target.CostIR(outline.name, node, limits.get(outline.name), outline.span))
    return tuple(found)


def _outline(outline: checked.CheckedOutline, fold: Lowering) -> target.OutlineIR:
    content = _content(outline.content, fold)
    assert isinstance(content, Mapping)
    construct = outline.construct
    return target.OutlineIR(construct, outline.name, BACKENDS[construct], content)  # type: ignore[arg-type]


def _content(value: checked.Content, fold: Lowering) -> Literalish:
    if isinstance(value, Typed):
        return show(fold.node(value))
    if isinstance(value, Mapping):
        return {key: _content(item, fold) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_content(item, fold) for item in value)
    return value


# ---------------------------------------------------------------- systems


def lower_system(system: CheckedSystem, fold: Lowering) -> target.SystemIR:
    """The meaning of a checked system."""
    return target.SystemIR(
        name=system.name,
        variables=tuple(_variable(v) for v in system.variables),
        equations=_equations(system.equations, fold),
        modes=tuple(_mode(m, fold) for m in system.modes),
        commands=tuple(
            target.CommandIR(
                c.name,
                TRUE if c.guard is None else fold.formula(c.guard),
                tuple(target.BranchIR(b.probability or 0.0, _equations(b.updates, fold)) for b in c.branches),
                c.span,
            )
            for c in system.commands
        ),
        outputs=system.outputs,
        step=system.step,
        integrator=system.integrator,
        initial=_initial(system.initial, fold),
        controllers=tuple(target.ControllerIR(c.name, _equations(c.laws, fold)) for c in system.controllers),
    )


def _variable(variable: Variable) -> target.VariableIR:
    type_ = variable.type
    return target.VariableIR(
        variable.name,
        variable.kind,  # type: ignore[arg-type]  # outputs are no variables of their own
        type_.kind,  # type: ignore[arg-type]  # the checker lets no other kind be a variable's
        type_.members,
        type_.lo,
        type_.hi,
        variable.unit,
    )


def _equations(equations: tuple[CheckedEquation, ...], fold: Lowering) -> tuple[target.EquationIR, ...]:
    return tuple(target.EquationIR(e.target, fold.node(e.value), e.span) for e in equations)  # type: ignore[arg-type]


def _mode(mode: CheckedMode, fold: Lowering) -> target.ModeIR:
    return target.ModeIR(
        mode.name,
        _equations(mode.equations, fold),
        and_(*(fold.formula(i) for i in mode.invariants)) if mode.invariants else None,
        tuple(
            target.TransitionIR(fold.formula(j.guard), j.target, _equations(j.resets, fold)) for j in mode.jumps
        ),
    )


def _initial(initial: CheckedInitial, fold: Lowering) -> target.InitialIR:
    total = sum(c.weight for c in initial.components)
    return target.InitialIR(
        tuple(
            target.ComponentIR(
                component.weight / total,
                tuple(target.StartIR(s.variable, s.kind, s.values) for s in component.starts),  # type: ignore[arg-type]
                and_(*(fold.formula(c) for c in component.constraints)) if component.constraints else None,
            )
            for component in initial.components
        )
    )


# ---------------------------------------------------------------- examples


def _example(
    example: checked.CheckedExample,
    agent: checked.CheckedAgent,
    turn: Formula | None,
    definitions: Mapping[str, Typed],
) -> target.ExampleIR:
    """The example with carried-over values filled in.

    A proposition that a step speaks of is a Boolean of its own. One that the formula uses and no step speaks of
    is computed where the steps set its signals (of Booleans one is enough: the others are false), else it is a Boolean
    of its own too, and false.
    """
    subject = agent.formula(example.subject)
    assert subject is not None, example.subject
    spoken = {lit.name for step in example.steps for lit in step if lit.kind == "proposition"}
    assigned = {lit.name for step in example.steps for lit in step if lit.kind == "signal"}
    booleans = {s.name for s in all_signals(agent) if s.type.kind == "bool"}
    propositions = {p.name: p for p in agent.propositions}
    definitions = {name: d for name, d in definitions.items() if name not in assigned | spoken}
    renamed = _inputs(agent)
    opaque = list(dict.fromkeys(p for p in _propositions(subject.typed) if p in propositions))
    inner = Lowering(spoken & set(propositions), turn, definitions, renamed)
    told = assigned | spoken
    opaque = [p for p in opaque if p in spoken or not _computable(propositions[p].typed, inner, told, booleans)]
    body = Lowering(opaque, turn, definitions, renamed).formula(subject.typed)
    read = [name for name in signals(body) if name in booleans]
    absent = {s.name for s in all_signals(agent) if s.name.split(".")[0] == "action" and not s.phase}
    return target.ExampleIR(
        title=example.title,
        subject=example.subject,
        satisfies=example.satisfies,
        formula=body,
        valuations=_valuations(example, (*opaque, *sorted(spoken), *read), absent),
        opaque=tuple(opaque),
        span=example.span,
    )


def all_signals(agent: checked.CheckedAgent) -> tuple[checked.CheckedSignal, ...]:
    """The signals of an agent's environment and its own."""
    return (*(agent.environment.signals if agent.environment else ()), *agent.signals)


def _valuations(
    example: checked.CheckedExample, named: tuple[str, ...], absent: Collection[str]
) -> tuple[dict[str, Value], ...]:
    """The steps in full; ``absent`` are the signals that have no value at step 0."""
    carried: dict[str, Value] = {}
    steps: list[dict[str, Value]] = []
    for step in example.steps:
        now: dict[str, Value] = {name: False for name in named if steps or name not in absent}
        for literal in step:
            if literal.kind == "signal":
                carried[literal.name] = literal.value
            else:
                now[literal.name] = literal.value
        steps.append({**now, **carried})
    return tuple(steps)


def _propositions(root: Typed) -> list[str]:
    """Names of the propositions in an expression, in order of occurrence."""
    found: list[str] = []
    seen = {root}
    stack = [root]
    while stack:
        at = stack.pop()
        if at.proposition is not None:
            found.append(at.proposition)
        for arg in reversed(at.args):
            if arg not in seen:
                seen.add(arg)
                stack.append(arg)
    return found


def _computable(root: Typed, fold: Lowering, told: Collection[str], booleans: Collection[str]) -> bool:
    """Whether the steps set every signal that an expression reads: one at least, and Booleans that they leave out."""
    read = signals(fold.node(root))
    return any(name in told for name in read) and all(name in told or name in booleans for name in read)
