"""Random agents that write: phases, tools and promises as the text of a spec, each from its seed.

The promises are random formulas over phases, calls and their arguments, future and past, with and without intervals.
Many of them leave the agent no way to keep them, or say nothing; :func:`drawn` takes the next seeds until the compiler
takes an agent. What it must be like for that is the compiler's own answer, and nothing is asked of the decoder.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from agentc.compiler.agent import AgentIR
from agentc.compiler.decoder.dialogue import START, dialogue
from agentc.compiler.pipeline import check
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source

PHASES = (
    'text until "\\n" max 10 tokens', 'text until ";" max 8 tokens', 'choice("yes", "no", "not yet")',
    'regex("[a-z]{2,6} [0-9]{1,2}")', 'choice("north", "south", "northeast")',
)  # fmt: skip
ARGUMENTS = ("enum {ann, bob, abe}", "int in [-3, 12]", "bool", "text[0..6]", "real in [0, 50]")
UNARY = ("!", "X ", "WX ", "F ", "G ", "F[1, 3] ", "G[0, 2] ", "F[<= 4] ", "Y ", "O ", "H ", "O[1, 2] ")
BINARY = ("&", "|", "->", "&", "|", "->", "U", "W", "R", "S")


@dataclass(frozen=True)
class Parts:
    """The names of an agent, and the propositions that its promises speak of."""

    phases: tuple[str, ...]
    tools: tuple[str, ...]
    atoms: tuple[str, ...]


def agent_text(seed: int) -> str:
    """The spec of a seed."""
    draw = random.Random(f"agent {seed}")
    lines = ["agent Random {", '  model "m"']
    atoms: list[str] = []
    tools = tuple(f"t{i}" for i in range(draw.choice((0, 1, 2, 2))))
    for tool in tools:
        arguments = [(f"a{i}", draw.choice(ARGUMENTS)) for i in range(draw.choice((1, 1, 2)))]
        lines.append(f"  tool {tool}({', '.join(f'{n} : {kind}' for n, kind in arguments)}) -> text")
        atoms += [tool, *(_about(draw, f"{tool}.{n}", kind) for n, kind in arguments)]
    names = tuple(f"p{i}" for i in range(draw.choice((1, 2, 2, 3))))
    for name in names:
        kind = draw.choice(PHASES)
        lines.append(f"  phase {name} = {kind}")
        atoms.append(name)
        if kind.startswith("choice"):
            atoms.append(f"{name}.text == {kind.removeprefix('choice(').split(', ')[draw.randrange(2)]}")
    if tools:
        lines += [f"  phase act = call({' | '.join(tools)})", "  phase reply = result(act)"]
        atoms += ["act", "reply"]
    for i in range(draw.choice((1, 2, 2, 3))):
        role = draw.choice(("behavior", "behavior", "safe"))
        lines.append(f"  {role} b{i} = {_formula(draw, atoms, draw.choice((2, 3, 4)))}")
    return "\n".join([*lines, "}"]) + "\n"


def _about(draw: random.Random, name: str, kind: str) -> str:
    """A proposition about an argument."""
    if kind.startswith("enum"):
        return f"{name} == {draw.choice(('ann', 'bob', 'abe'))}"
    if kind == "bool":
        return name
    if kind.startswith("text"):
        return f'{name} == "ab"'
    return f"{name} {draw.choice(('>=', '<', '>'))} {draw.choice((0, 3, 10))}"


def _formula(draw: random.Random, atoms: list[str], depth: int) -> str:
    if depth == 0 or draw.random() < 0.1:
        return draw.choice(atoms)
    if draw.random() < 0.5:
        return f"({draw.choice(UNARY)}{_formula(draw, atoms, depth - 1)})"
    a, b = _formula(draw, atoms, depth - 1), _formula(draw, atoms, draw.randrange(depth))
    return f"({a} {draw.choice(BINARY)} {b})"


def agent_of(text: str) -> AgentIR | None:
    """The agent of a spec; None if the compiler does not take it as one that writes and keeps its promises."""
    try:
        result = check(Source("random.agentspec", text), examples=False)
        if not result.ok:
            return None
        (agent,) = result.agents
        return agent if dialogue(agent).won(START) else None
    except AgentcError:
        return None


def drawn(begin: int = 0) -> Iterator[tuple[int, str, AgentIR]]:
    """Seeds from ``begin`` on whose spec is taken, with the spec and its agent."""
    seed = begin
    while True:
        text = agent_text(seed)
        agent = agent_of(text)
        if agent is not None:
            yield seed, text, agent
        seed += 1
