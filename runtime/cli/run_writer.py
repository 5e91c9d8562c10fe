"""``agentc run`` for a language-model agent: phases as they are completed, with where the promises stand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.cli.agents import missing_extra
from agentc.runtime.cli.run_view import RunView

if TYPE_CHECKING:
    from agentc.compiler.agent import AgentIR
    from agentc.runtime.llm.decoder import Decoder
    from agentc.runtime.llm.models import LanguageModel
    from agentc.runtime.llm.run import RunResult
    from agentc.runtime.llm.served import ServedModel
    from agentc.runtime.llm.tools import Function
    from agentc.runtime.llm.world import World


def run(agent: AgentIR, options: Mapping[str, Any]) -> int:
    """Run episodes of an agent with its model in its world; 0 if every promise was kept and every task reached."""
    try:
        from agentc.runtime.llm.decoder import Decoder
        from agentc.runtime.llm.mcp_tools import McpServer
        from agentc.runtime.llm.models import load_model
        from agentc.runtime.llm.served import TIMEOUT, is_served, served_model
        from agentc.runtime.llm.vocabulary import Vocabulary
        from agentc.runtime.llm.world import Silent, WithTools
        from agentc.runtime.llm.worlds.table import world_of
    except ImportError as error:
        raise missing_extra(error) from error
    writer = agent.writer
    assert writer is not None
    text = options["form"] == "text"
    name = options["model"] or writer.model
    if name is None:
        raise AgentcError([report("AS0550", None, name=agent.name, what="phases")])
    model: LanguageModel | ServedModel
    if is_served(name):
        model = served_model(name, options["constraint"], options["timeout"] or TIMEOUT)
        decoder = Decoder(agent, Vocabulary.of_bytes())
    else:
        if text:
            click.echo(f"loading {name} ...", err=True)
        model = load_model(name)
        decoder = Decoder(agent, model.vocabulary)
    with ExitStack() as running:
        functions: dict[str, Function] = {}
        for command in options["servers"]:
            functions.update(running.enter_context(McpServer(command)).functions(writer.tools))
        message = options["message"]
        world = WithTools(world_of(agent), functions) if message is None else Silent(message, functions)
        return _episodes(decoder, model, world, options)


def _episodes(
    decoder: Decoder, model: LanguageModel | ServedModel, world: World, options: Mapping[str, Any]
) -> int:
    from agentc.runtime.llm.run import run_agent, settings_of

    text = options["form"] == "text"
    results = []
    for seed in range(options["seed"], options["seed"] + options["episodes"]):
        settings = settings_of(
            decoder, seed=seed, temperature=options["temperature"], max_tokens=options["max_tokens"]
        )
        folder = Path(options["out"] or Path("runs") / decoder.agent.name)
        path = folder / f"transcript-{seed}.jsonl"
        result = run_agent(decoder, model, world, settings, transcript=path, listen=RunView() if text else None)
        results.append(result)
        if text:
            _summary(result, path)
    if not text:
        click.echo(json.dumps([_data(r) for r in results], indent=2, ensure_ascii=False))
    reached = all(all(r.kept.values()) and all(r.satisfied.values()) for r in results)
    return 0 if reached else 1


def _summary(result: RunResult, path: Path) -> None:
    for kind, verdicts in (("kept", result.kept), ("reached", result.satisfied)):
        for name, holds in verdicts.items():
            click.echo(f"{name}: {kind if holds else f'not {kind}'}")
    click.echo(f"promises: {result.promise}")
    tokens = f"{result.tokens} tokens, {result.forced} of them forced, {result.passes} passes"
    click.echo(f"{tokens}, {result.seconds:.1f} s; {path}", err=True)


def _data(result: RunResult) -> dict[str, Any]:
    return {
        "steps": [
            {"phase": s.phase, "text": s.text, "tool": s.tool, "arguments": dict(s.arguments)} for s in result.steps
        ],
        "kept": dict(result.kept), "satisfied": dict(result.satisfied), "tokens": result.tokens,
        "promise": result.promise,
        "forced": result.forced, "passes": result.passes, "seconds": round(result.seconds, 3),
    }  # fmt: skip


def replay(options: Mapping[str, Any]) -> int:
    """Show a transcript again."""
    from agentc.runtime.llm.transcript import read_transcript

    view = RunView(streams=False)
    for event in read_transcript(options["replay"]):
        if event["event"] == "end":
            for name, holds in {**event.get("kept", {}), **event.get("satisfied", {})}.items():
                click.echo(f"{name}: {'yes' if holds else 'no'}")
            if "promise" in event:
                click.echo(f"promises: {event['promise']}")
        else:
            view(str(event["event"]), event)
    return 0
