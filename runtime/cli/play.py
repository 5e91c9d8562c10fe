"""``agentc play``: the game of a spec, step by step against its strategy or its counter-strategy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.cli.check import checked
from agentc.runtime.cli.output import show
from agentc.runtime.cli.specs import parameters, spec_arguments

if TYPE_CHECKING:
    from agentc.compiler.agent import AgentIR
    from agentc.compiler.logic.ir import Value
    from agentc.compiler.play import Play
    from agentc.lang.scope import Scope

ENDS = ("settles", "agent")


@click.command(name="play")
@spec_arguments
@click.option("--agent", "name", help="The agent to play, where there are several.")
@click.option("--ends", type=click.Choice(ENDS), default="settles", show_default=True,
              help="Who ends the trace: nobody in particular, or the agent when it likes.")  # fmt: skip
@click.option("--moves", help="Moves instead of a dialogue, as steps of an example: `bell; -; bell & floor == 2`.")
def command(
    files: tuple[str, ...], params: tuple[str, ...], allow_extern: tuple[str, ...], name: str | None, ends: str,
    moves: str | None,
) -> int:  # fmt: skip
    """Play the game of a spec: what the agent controls against all that types and assumptions allow.

    If the spec is realizable, the agent's winning strategy plays and you are the environment; else the environment's
    counter-strategy plays and you are the agent. A move is a step of an example: `bell & floor == 2`, or `-`. Booleans
    that it does not mention are false, other signals keep their values. Exit code 3 if there is no solution to play.
    """
    from agentc.compiler.arithmetic import Arithmetic
    from agentc.compiler.logic.alphabet import deciding
    from agentc.compiler.play import Play
    from agentc.compiler.realizability import findings, realizability

    result = checked(files, parameters(params), allow_extern)
    if not result.ok:
        raise AgentcError(result.diagnostics)
    agent = _chosen(result.agents, name)
    scope = next(s.scopes[agent.name] for s in result.specs if agent.name in s.scopes)
    with deciding(Arithmetic()):
        found = realizability(agent, "agent" if ends == "agent" else "settles")
    if found.solution is None or found.answer is None:
        show(findings(found))
        return 3
    play = Play(agent, found.solution)
    if found.answer:
        click.echo(f"{agent.name} is realizable: its strategy plays, you are the environment.")
    else:
        click.echo(f"{agent.name} is unrealizable: the environment plays, you are the agent.")
    _run(play, _given(moves) if moves is not None else _asked(play), scope, stop_on_error=moves is not None)
    if play.valuations:
        for formula, word in play.verdicts():
            click.echo(f"{formula}: {word}")
    return 0


def _chosen(agents: tuple[AgentIR, ...], name: str | None) -> AgentIR:
    known = [a.name for a in agents]
    if name is None and len(agents) == 1:
        return agents[0]
    if name is None:
        raise click.UsageError(f"choose one with --agent: {', '.join(known) or 'there is none'}")
    found = next((a for a in agents if a.name == name), None)
    if found is None:
        from agentc.lang.spelling import nearest

        raise AgentcError([report("AS0203", None, kind="agent", name=name, suggestion=nearest(name, known))])
    return found


def _given(moves: str) -> Iterator[str]:
    yield from (move.strip() for move in moves.split(";"))


def _asked(play: Play) -> Iterator[str]:
    """Moves from the terminal, until its end or an empty line."""
    side = "agent" if play.you_are_agent else "environment"
    if sys.stdin.isatty():
        click.echo("An empty line ends the play.")
    while True:
        click.echo(f"{side}> ", nl=False)
        line = sys.stdin.readline()
        if not line.strip():
            click.echo("")
            return
        yield line.strip()


def _run(play: Play, moves: Iterator[str], scope: Scope, *, stop_on_error: bool) -> None:
    """Let both sides move until no move is left, or the agent's strategy ends the trace."""
    computer = "environment" if play.you_are_agent else "agent"
    you = "agent" if play.you_are_agent else "environment"
    offered = -1
    while not play.over:
        if offered != len(play.valuations):
            at = len(play.valuations)
            shown = play.offer()
            if shown:
                click.echo(f"step {at}  {computer}: {shown}")
            offered = len(play.valuations)
        move = next(moves, None)
        if move is None:
            return
        at = len(play.valuations)
        try:
            answer = play.move(_values(move, scope))
        except AgentcError as error:
            if stop_on_error:
                raise
            show(error.diagnostics)
            continue
        click.echo(f"step {at}  {you}: {play.shown(at)}")
        if answer:
            click.echo(f"step {at}  {computer}: {answer}")
    click.echo(f"the agent ends the trace after step {len(play.valuations) - 1}")


def _values(move: str, scope: Scope) -> dict[str, Value]:
    """The values that a move sets. Raises ``AgentcError``."""
    if move in ("", "-"):
        return {}
    from agentc.lang.check_examples import read_step

    return {literal.name: literal.value for literal in read_step(move, scope)}
