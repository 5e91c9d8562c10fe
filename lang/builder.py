"""What the parser makes of a production: the nodes of the syntax tree.

Each action of the grammar is a method with the same name. It gets the children that lark's tree would have
(tokens, nodes, lists of them, None for an absent optional part) and the offsets where the production begins and
ends, so nodes are made from the leaves up and nothing here recurses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agentc.lang import ast
from agentc.lang.builder_expressions import ExpressionBuilder
from agentc.lang.diagnostics import report
from agentc.lang.lexer import Token
from agentc.lang.literals import dedent
from agentc.lang.source import Span

Children = list[Any]

_COMMON = "const param prop region pattern doc error".split()
_AGENT = (
    "env signal task safe behavior assume cost budget reward machine phase tool model prompt train expect verify "
    "deploy decode example"
).split()
_SYSTEM = ("state input output disturbance equation init step mode command controller signal assume cost").split()
BELONGS = {
    "file": frozenset([*_COMMON, "import", "environment", "system", "agent", "recipe"]),
    "agent": frozenset([*_COMMON, *_AGENT, "role"]),
    "role": frozenset([*_COMMON, *_AGENT]),
    "environment": frozenset([*_COMMON, *"engine signal input assume step init tool phase cost".split()]),
    "system": frozenset(
        [*_COMMON, *_SYSTEM],
    ),
}
"""Which items belong in which block."""

_WORDS: dict[type[ast.Node], str] = {
    ast.Import: "import", ast.Pattern: "pattern", ast.Proposition: "prop", ast.RegionItem: "region",
    ast.Environment: "environment", ast.System: "system", ast.Agent: "agent", ast.Role: "role",
    ast.Signal: "signal", ast.StepSize: "step", ast.Equation: "equation", ast.Mode: "mode",
    ast.Command: "command", ast.Controller: "controller", ast.CostItem: "cost", ast.Budget: "budget",
    ast.Reward: "reward", ast.Machine: "machine", ast.Phase: "phase", ast.Tool: "tool", ast.Model: "model",
    ast.Prompt: "prompt", ast.Train: "train", ast.Recipe: "recipe", ast.Expect: "expect", ast.Verify: "verify",
    ast.Example: "example", ast.Doc: "doc", ast.ErrorItem: "error",
}  # fmt: skip


def item_word(item: ast.Item) -> str:
    """The word that an item begins with (``equation``, ``doc`` and ``error`` for those that have none)."""
    match item:
        case ast.Setting() | ast.Block():
            return item.word
        case ast.Constant():
            return "param" if item.is_param else "const"
        case ast.Variables():
            return item.kind
        case ast.FormulaItem():
            return item.role
    return _WORDS[type(item)]


class Builder(ExpressionBuilder):
    """Makes the items of a file; expressions and types are inherited from their own builder."""

    def action(self, name: str) -> Callable[[Children, int, int], Any]:
        """The method for an action of the grammar (a few are words that Python reserves)."""
        method: Callable[[Children, int, int], Any] = getattr(self, "do_" + name)
        return method

    # ------------------------------------------------------------ files and blocks

    def do_start(self, c: Children, start: int, stop: int) -> ast.Module:
        self.check_belongs("file", c)
        return ast.Module(tuple(c), span=Span(self.source, 0, len(self.source.text)))

    def do_block(self, c: Children, start: int, stop: int) -> Children:
        return c

    do_machine = do_edges = do_resets = do_generators = do_names = do_block

    def do_error(self, c: Children, start: int, stop: int) -> ast.ErrorItem:
        names, self.error_names = self.error_names, ()
        return ast.ErrorItem(names, span=Span(self.source, start, stop))

    def do_doc(self, c: Children, start: int, stop: int) -> ast.Doc:
        return ast.Doc(dedent(c[0].text[3:-3]), span=self.span(start, stop))

    def check_belongs(self, block: str, items: Sequence[ast.Item]) -> None:
        """Report the items that have no place in this kind of block."""
        allowed = BELONGS[block]
        for item in items:
            word = item_word(item)
            if word in allowed:
                continue
            places = [f"`{name}`" for name in ("agent", "environment", "system") if word in BELONGS[name]]
            where = " or ".join(places) if places else "the top of the file"
            first = item.span.text.split(None, 1)[0] if item.span.text else word
            span = Span(self.source, item.span.start, item.span.start + len(first))
            inside = "the top of a file" if block == "file" else f"`{block}`"
            shown = "an equation" if word == "equation" else f"`{word}`"
            self.diagnostics.append(report("AS0125", span, word=shown, block=inside, where=where))

    def do_agent(self, c: Children, start: int, stop: int) -> ast.Agent:
        self.check_belongs("agent", c[1])
        return ast.Agent(self.text(c[0]), tuple(c[1]), span=self.span(start, stop), name_span=self.at(c[0]))

    def do_role(self, c: Children, start: int, stop: int) -> ast.Role:
        self.check_belongs("role", c[1])
        return ast.Role(self.text(c[0]), tuple(c[1]), span=self.span(start, stop), name_span=self.at(c[0]))

    def do_environment(self, c: Children, start: int, stop: int) -> ast.Environment:
        self.check_belongs("environment", c[2])
        return ast.Environment(
            self.text(c[0]), c[1] or (), tuple(c[2]), span=self.span(start, stop), name_span=self.at(c[0])
        )

    def do_system(self, c: Children, start: int, stop: int) -> ast.System:
        self.check_belongs("system", c[2])
        return ast.System(
            self.text(c[0]), c[1] or (), tuple(c[2]), span=self.span(start, stop), name_span=self.at(c[0])
        )

    # ------------------------------------------------------------ definitions

    def do_import_module(self, c: Children, start: int, stop: int) -> ast.Import:
        path, path_span = c[0]
        alias, alias_span = (self.text(c[1]), self.at(c[1])) if c[1] else (None, None)
        return ast.Import(path, alias, span=self.span(start, stop), path_span=path_span, alias_span=alias_span)

    def do_import_names(self, c: Children, start: int, stop: int) -> ast.Import:
        path, path_span = c[0]
        return ast.Import(path, None, tuple(c[1:]), span=self.span(start, stop), path_span=path_span)

    def do_imported(self, c: Children, start: int, stop: int) -> ast.ImportedName:
        alias, alias_span = (self.text(c[1]), self.at(c[1])) if c[1] else (None, None)
        return ast.ImportedName(
            self.text(c[0]), alias, span=self.span(start, stop), name_span=self.at(c[0]), alias_span=alias_span
        )

    def do_const(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Constant(self.text(c[0]), c[1], c[2], False, span=self.span(start, stop), name_span=self.at(c[0]))

    def do_param(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Constant(self.text(c[0]), c[1], c[2], True, span=self.span(start, stop), name_span=self.at(c[0]))

    def do_pattern(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Pattern(self.text(c[0]), c[1], c[2], span=self.span(start, stop), name_span=self.at(c[0]))

    def do_prop(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Proposition(self.text(c[0]), c[1] or (), c[2], span=self.span(start, stop), name_span=self.at(c[0]))

    def do_region(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.RegionItem(self.text(c[0]), c[1] or (), c[2], span=self.span(start, stop), name_span=self.at(c[0]))

    def do_signal(self, c: Children, start: int, stop: int) -> ast.Signal:
        declaration, value, doc = c
        extern = None
        if isinstance(value, str):
            extern, value = value, None
        return ast.Signal(
            declaration.names,
            declaration.type,
            value,
            extern,
            None if doc is None else dedent(doc.text[3:-3]),
            span=self.span(start, stop),
            name_spans=declaration.name_spans,
        )

    def do_extern(self, c: Children, start: int, stop: int) -> str:
        return self.string_value(c[0])

    # ------------------------------------------------------------ environments and systems

    def setting(self, word: str, value: ast.Expr, start: int, stop: int) -> ast.Setting:
        word_span = self.span(start, start + len(word))
        return ast.Setting(word, value, span=self.span(start, stop), word_span=word_span)

    def do_engine(self, c: Children, start: int, stop: int) -> ast.Item:
        return self.setting("engine", c[0], start, stop)

    def do_env(self, c: Children, start: int, stop: int) -> ast.Item:
        return self.setting("env", c[0], start, stop)

    def do_init(self, c: Children, start: int, stop: int) -> ast.Item:
        return self.setting("init", c[0], start, stop)

    def do_invariant(self, c: Children, start: int, stop: int) -> ast.Item:
        return self.setting("invariant", c[0], start, stop)

    def do_discount(self, c: Children, start: int, stop: int) -> ast.Item:
        return self.setting("discount", c[0], start, stop)

    def do_require(self, c: Children, start: int, stop: int) -> ast.Item:
        return self.setting("require", c[0], start, stop)

    def do_fallback(self, c: Children, start: int, stop: int) -> ast.Item:
        return self.setting("fallback", c[0], start, stop)

    def do_shape(self, c: Children, start: int, stop: int) -> ast.Item:
        return self.setting("shape", self.name_of(c[0]), start, stop)

    def do_monitor(self, c: Children, start: int, stop: int) -> ast.Item:
        return self.setting("monitor", self.name_of(c[0]), start, stop)

    def do_decode_setting(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Setting(self.text(c[0]), c[1], span=self.span(start, stop), word_span=self.at(c[0]))

    def do_variables(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Variables(c[0].text, tuple(c[1:]), span=self.span(start, stop))

    def do_equation(self, c: Children, start: int, stop: int) -> ast.Item:
        primed: Token = c[0]
        target = primed.text[:-1].strip("`")
        target_span = self.span(primed.start, max(primed.start, primed.stop - 1))
        return ast.Equation(target, c[1], span=self.span(start, stop), target_span=target_span)

    def do_step_size(self, c: Children, start: int, stop: int) -> ast.Item:
        integrator, integrator_span = (self.text(c[1]), self.at(c[1])) if c[1] else (None, None)
        return ast.StepSize(c[0], integrator, span=self.span(start, stop), integrator_span=integrator_span)

    def do_mode(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Mode(self.text(c[0]), tuple(c[1:]), span=self.span(start, stop), name_span=self.at(c[0]))

    def do_jump(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Edge(
            c[0], self.text(c[1]), None, tuple(c[2] or ()), span=self.span(start, stop), target_span=self.at(c[1])
        )

    def do_edge(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Edge(c[0], self.text(c[1]), c[2], span=self.span(start, stop), target_span=self.at(c[1]))

    def do_command(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Command(self.text(c[0]), c[1], tuple(c[2:]), span=self.span(start, stop), name_span=self.at(c[0]))

    def do_sure_branch(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Branch(None, tuple(c), span=self.span(start, stop))

    def do_branch(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Branch(c[0], tuple(c[1:]), span=self.span(start, stop))

    def do_empty_branch(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Branch(c[0], (), span=self.span(start, stop))

    def do_controller(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Controller(self.text(c[0]), c[1], span=self.span(start, stop), name_span=self.at(c[0]))

    # ------------------------------------------------------------ formulas, rewards

    def do_formula_item(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.FormulaItem(c[0].text, self.text(c[1]), c[2], span=self.span(start, stop), name_span=self.at(c[1]))

    def do_named_assumption(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.FormulaItem("assume", self.text(c[0]), c[1], span=self.span(start, stop), name_span=self.at(c[0]))

    def do_assumption(self, c: Children, start: int, stop: int) -> ast.Item:
        span = self.span(start, stop)
        return ast.FormulaItem("assume", None, c[0], span=span, name_span=span)

    def do_cost(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.CostItem(self.text(c[0]), c[1], span=self.span(start, stop), name_span=self.at(c[0]))

    def do_budget(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Budget(self.text(c[0]), c[1], span=self.span(start, stop), cost_span=self.at(c[0]))

    def do_reward(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Reward(tuple(c), span=self.span(start, stop))

    def do_reward_term(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.RewardTerm(c[0], c[1], c[2].text if c[2] else None, span=self.span(start, stop))

    def do_anonymous_machine(self, c: Children, start: int, stop: int) -> ast.Item:
        span = self.span(start, stop)
        return ast.Machine(None, tuple(c[0]), span=span, name_span=span)

    def do_named_machine(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Machine(self.text(c[0]), tuple(c[1]), span=self.span(start, stop), name_span=self.at(c[0]))

    def do_machine_state(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.MachineState(
            self.text(c[0]), c[1] is not None, tuple(c[2] or ()), span=self.span(start, stop), name_span=self.at(c[0])
        )

    # ------------------------------------------------------------ language-model agents

    def do_phase(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Phase(self.text(c[0]), tuple(c[1]), c[2], span=self.span(start, stop), name_span=self.at(c[0]))

    def do_text_generator(self, c: Children, start: int, stop: int) -> ast.TextGenerator:
        until = None if c[0] is None else self.string_value(c[0])
        return ast.TextGenerator(until, self.whole(c[1]), span=self.span(start, stop))

    def do_call_generator(self, c: Children, start: int, stop: int) -> ast.CallGenerator:
        tools = tuple(self.text(token) for token in c)
        return ast.CallGenerator(tools, span=self.span(start, stop), tool_spans=tuple(self.at(token) for token in c))

    def do_result_generator(self, c: Children, start: int, stop: int) -> ast.ResultGenerator:
        return ast.ResultGenerator(self.text(c[0]), span=self.span(start, stop), phase_span=self.at(c[0]))

    def do_content_generator(self, c: Children, start: int, stop: int) -> ast.ContentGenerator:
        function = self.name_of(c[0])
        call = ast.Call(function, tuple(c[1] or ()), span=self.span(start, stop))
        return ast.ContentGenerator(call, self.whole(c[2]), span=self.span(start, stop))

    def do_tool(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Tool(self.text(c[0]), c[1], c[2], c[3], span=self.span(start, stop), name_span=self.at(c[0]))

    def do_model(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Model(self.string_value(c[0]), c[1], span=self.span(start, stop), name_span=self.at(c[0]))

    def do_prompt(self, c: Children, start: int, stop: int) -> ast.Item:
        token: Token = c[1]
        long = token.kind == "LONG_STRING"
        value = dedent(self.string_value(token, 3)) if long else self.string_value(token)
        text = ast.String(value, long, span=self.at(token))
        name, name_span = (self.text(c[0]), self.at(c[0])) if c[0] else (None, self.span(start, stop))
        return ast.Prompt(name, text, span=self.span(start, stop), name_span=name_span)

    def do_prompt_file(self, c: Children, start: int, stop: int) -> ast.Item:
        token: Token = c[1]
        path = ast.String(self.string_value(token), False, span=self.at(token))
        name, name_span = (self.text(c[0]), self.at(c[0])) if c[0] else (None, self.span(start, stop))
        return ast.Prompt(name, path, True, span=self.span(start, stop), name_span=name_span)

    # ------------------------------------------------------------ training, acceptance, deployment

    def do_train(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Train(self.text(c[0]), c[1], c[2], span=self.span(start, stop), algorithm_span=self.at(c[0]))

    def do_recipe(self, c: Children, start: int, stop: int) -> ast.Item:
        spans = {"name_span": self.at(c[0]), "algorithm_span": self.at(c[1])}
        return ast.Recipe(self.text(c[0]), self.text(c[1]), c[2], span=self.span(start, stop), **spans)

    def do_expect(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Expect(c[0], c[1], span=self.span(start, stop))

    def do_verify(self, c: Children, start: int, stop: int) -> ast.Item:
        subject, bound, measure = c[0], None, "P"
        match subject:
            case ast.Compare((op,), (ast.Name("P" | "E" as named), ast.Index(base=limit, index=inner))):
                subject, bound, measure = inner, (op, limit), named
        method, method_span = (self.text(c[1]), self.at(c[1])) if c[1] else (None, None)
        return ast.Verify(
            subject, bound, method, c[2], "E" if measure == "E" else "P",
            span=self.span(start, stop), method_span=method_span,
        )  # fmt: skip

    def do_deploy(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Block("deploy", tuple(c), span=self.span(start, stop))

    def do_decode(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.Block("decode", tuple(c), span=self.span(start, stop))

    def do_shield(self, c: Children, start: int, stop: int) -> ast.Item:
        method, method_span = (self.text(c[1]), self.at(c[1])) if c[1] else (None, None)
        return ast.Shield(
            self.text(c[0]), method, c[2], span=self.span(start, stop), formula_span=self.at(c[0]),
            method_span=method_span,
        )  # fmt: skip

    def do_example(self, c: Children, start: int, stop: int) -> ast.Item:
        title, verdict, formula, *steps = c
        return ast.Example(
            self.string_value(title),
            verdict.text == "satisfies",
            self.text(formula),
            tuple(steps),
            span=self.span(start, stop),
            title_span=self.at(title),
            formula_span=self.at(formula),
        )

    def do_example_step(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.ExampleStep(c[0], span=self.span(start, stop))

    def do_empty_step(self, c: Children, start: int, stop: int) -> ast.Item:
        return ast.ExampleStep(None, span=self.span(start, stop))
