"""``agentc envs``: the environments that a spec can name, and their signals."""

from __future__ import annotations

import textwrap

import click

from agentc.lang.diagnostics import AgentcError, report


@click.command(name="envs")
@click.argument("name", required=False)
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def command(name: str | None, form: str) -> int:
    """List the environments; with a NAME, its parameters, signals and ids."""
    from agentc.runtime.envs.listing import list_environments

    found = list_environments()
    if name is not None:
        chosen = [e for e in found if e.name == name]
        if not chosen:
            from agentc.lang.spelling import nearest

            names = [e.name for e in found]
            raise AgentcError([report("AS0203", None, kind="environment", name=name, suggestion=nearest(name, names))])
        found = tuple(chosen)
    if form == "json":
        import json
        from dataclasses import asdict

        click.echo(json.dumps([asdict(e) for e in found], indent=2, default=str))
        return 0
    for environment in found:
        state = "" if environment.built else "  [its engine is not built yet]"
        click.echo(f"{environment.usage}{state}")
        click.echo(f"    import {environment.module}")
        if environment.install:
            click.echo(f"    not installed: {environment.install}")
        if environment.vectorised and name is None:
            click.echo(f"    {len(environment.vectorised)} of {len(environment.ids)} ids are stepped many at once")
        if environment.doc:
            click.echo(textwrap.fill(environment.doc, 100, initial_indent="    ", subsequent_indent="    "))
        if name is not None:
            click.echo("    signals:")
            for signal in environment.signals:
                click.echo(f"      {signal.name} : {signal.type}{f'  - {signal.doc}' if signal.doc else ''}")
            if environment.ids:
                listed = f"ids: {', '.join(environment.ids)}"
                click.echo(textwrap.fill(listed, 100, initial_indent="    ", subsequent_indent="         "))
            if environment.vectorised:
                listed = f"stepped many at once: {', '.join(environment.vectorised)}"
                click.echo(textwrap.fill(listed, 100, initial_indent="    ", subsequent_indent="         "))
    return 0
