"""``agentc explain``: the page of a diagnostic, or what a setting means."""

from __future__ import annotations

import click


@click.command(name="explain")
@click.argument("topic", required=False)
def command(topic: str | None) -> None:
    """Explain a diagnostic (AS0203, or its name) or a setting (train.ppo).

    Without a topic it lists all diagnostics.
    """
    from agentc.lang.explain import explain, index

    if topic is None:
        click.echo(index())
    elif topic.split(".")[0] == "train":
        from agentc.compiler.training_config import describe

        click.echo(describe(topic), nl=False)
    else:
        click.echo(explain(topic))
