"""What a run of an agent that writes looks like: phases as they come, and under each where the promises stand."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

WIDTH = 100
"""The most characters of a step, where it is not streamed."""


class RunView:
    """Shows the events of a run. On a terminal the text streams as it is written; elsewhere each step is one line."""

    def __init__(self, streams: bool | None = None) -> None:
        self._streams = sys.stdout.isatty() if streams is None else streams
        self._column = 0

    def __call__(self, event: str, fields: Mapping[str, Any]) -> None:
        """Show one event; kinds that are not known are passed over."""
        match event:
            case "start":
                click.secho(f"user      {fields.get('message', '')}", bold=True)
                self._standing(fields)
            case "text" if self._streams:
                self._piece(str(fields.get("text", "")))
            case "step" | "result":
                if event == "result" or not self._streams:
                    self._line(event, fields)
                self._standing(fields)
            case "cut":
                self._end_line()
                click.secho(f"          cut: {fields.get('reason', '')}", fg="yellow")
            case "error":
                self._end_line()
                for text in fields.get("text", ()):
                    click.secho(f"          error: {text}", fg="red")

    def _piece(self, text: str) -> None:
        click.secho(text, fg="cyan", nl=False)
        self._column = len(text) if "\n" in text else self._column + len(text)
        if text.endswith("\n"):
            self._column = 0

    def _end_line(self) -> None:
        if self._column:
            click.echo()
            self._column = 0

    def _line(self, event: str, fields: Mapping[str, Any]) -> None:
        shown = str(fields.get("text", "")).replace("\n", " / ")
        shown = shown if len(shown) <= WIDTH else f"{shown[: WIDTH - 4]} ..."
        phase = str(fields.get("phase", ""))[:9].ljust(9)
        click.echo(f"{click.style(phase, fg='cyan' if event == 'step' else 'green')} {shown}")

    def _standing(self, fields: Mapping[str, Any]) -> None:
        """The automaton's state, what may follow, and which rules forbid what."""
        self._end_line()
        if "state" not in fields:
            return
        may = ", ".join(fields.get("may", ()))
        forbidden = fields.get("forbidden", {})
        accepted = " (accepted)" if fields.get("accepting") else ""
        said = f"          state {fields['state']}{accepted}: {may or 'nothing'}"
        if isinstance(forbidden, Mapping) and forbidden:
            said += "; not " + ", ".join(f"{name} ({', '.join(rules)})" for name, rules in forbidden.items())
        click.secho(said, dim=True)
