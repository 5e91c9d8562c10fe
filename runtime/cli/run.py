"""``agentc run``: let an agent act, by what was planned for it.

One mode an entry of ``MODES``: the option that asks for it, and the module and function that do it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from agentc.lang.diagnostics import report
from agentc.runtime.cli.output import show
from agentc.runtime.cli.specs import spec_arguments

MODES = {
    # option: (module, function of the parsed options)
    "planner": ("agentc.runtime.cli.run_planner", "run"),
}


@click.command(name="run")
@spec_arguments
@click.option("--agent", "names", multiple=True, metavar="NAME", help="This agent only.")
@click.option("--planner", type=click.Choice(("auto", "gradient", "milp")), help="Plan for a declared system.")
@click.option("--formula", "formulas", multiple=True, metavar="NAME", help="Plan for this formula only.")
@click.option("--horizon", type=click.IntRange(1), help="Steps of the plan, instead of the environment's horizon.")
@click.option("--start", multiple=True, metavar="STATE=VALUE", help="Where a state begins, in SI units.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=60.0, show_default=True, help="Budget.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the gradients' restarts.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("plans"), show_default=True)
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def command(**options: Any) -> int:
    """Run agents: with `--planner`, plan a trajectory, replay it in the simulator, judge it and draw it.

    Exit code 0 if every plan satisfies its formulas, 1 if it is proven that there is none, 3 if none was found.
    """
    for option, (module, function) in MODES.items():
        if options[option] is not None:
            code = getattr(import_module(module), function)(options)
            assert isinstance(code, int)
            return code
    show([report("AS0790", None, command="run", backend="deployment")])
    return 3
