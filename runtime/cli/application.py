"""The command `agentc`: its table of commands, and what becomes of an error.

A command's module is imported when the command runs, so that ``agentc check`` never pays for torch. Exit
codes: 0 holds, 1 does not hold, 2 wrong use, 3 unknown; over several items the first of 2, 1, 3, 0 that occurs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

import click

from agentc.lang.diagnostics import AgentcError, report

COMMANDS = {
    # name: (module below agentc.runtime.cli, one line of help)
    "check": ("check", "Check specs: syntax, names, types, examples."),
    "fmt": ("fmt", "Format specs in the one style."),
    "test": ("test", "Run the `example` blocks of specs."),
    "explain": ("explain", "Explain a diagnostic or a setting."),
    "compile": ("compile", "Compile specs to bundles."),
    "train": ("train", "Train the agents of specs."),
    "eval": ("eval", "Decide whether the trained agents meet what their specs expect."),
    "simulate": ("simulate", "Simulate declared systems, judge their formulas, draw their trails."),
    "automaton": ("automaton", "Translate a formula to its minimal automaton."),
    "play": ("play", "Play the game of a spec against its strategy."),
    "envs": ("envs", "List the environments and their signals."),
    "new": ("new", "Start a spec."),
    "report": ("report", "Write the HTML report of a trained agent."),
    "bench": ("bench", "Run a benchmark."),
    "verify": ("verify", "Prove or refute what specs ask to verify."),
    "monitor": ("monitor", "Monitor a recorded trace: verdicts, robustness, witnesses."),
    "run": ("run", "Run agents: plan for declared systems, write with language models."),
    "plan": ("plan", "Compare two versions of a spec by what they mean."),
    "guard": ("guard", "Judge the tool calls of any agent loop by a spec."),
    "lsp": ("pending", "Serve an editor (its backend is not built yet)."),
}

EXIT_ORDER = (2, 1, 3, 0)


def worst(codes: Iterable[int]) -> int:
    """The exit code over several items: the first of 2, 1, 3, 0 that occurs; 0 for none."""
    found = set(codes)
    return next((code for code in EXIT_ORDER if code in found), 0)


class _Commands(click.Group):
    """The table above as a click group that imports a command when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        from importlib import import_module

        module = import_module(f"agentc.runtime.cli.{COMMANDS[name][0]}")
        command = module.command(name) if COMMANDS[name][0] == "pending" else module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from agentc.lang.spelling import nearest

            near = nearest(args[0], COMMANDS)
            hint = f" Did you mean `{near}`?" if near else ""
            raise click.UsageError(f"there is no command `{args[0]}`.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="agentspec-compiler", prog_name="agentc")
def agentc() -> None:
    """Compile, train and check agents that are declared in .agentspec files.

    Without an argument a command takes the .agentspec files of the current folder.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit. No traceback reaches the user: an unexpected error is written to a file."""
    sys.exit(invoke(arguments))


def invoke(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    from agentc.runtime.cli.output import show

    try:
        result: Any = agentc.main(args=arguments, prog_name="agentc", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except AgentcError as error:
        show(error.diagnostics)
        return 1
    except click.UsageError as error:
        error.show()
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        # whoever read us has gone; nothing is left to say, and the interpreter must not try to flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        show([report("AS0999", None, error=f"{type(error).__name__}: {error}", file=_write_crash(error))])
        return 1


def _write_crash(error: BaseException) -> str:
    """Put the traceback into a file of its own and return its path."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="agentc-crash-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write("".join(traceback.format_exception(error)))
    return file.name
