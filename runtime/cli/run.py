"""``agentc run``: let an agent act: its policy behind its gate, what was planned for it, or its language model.

One mode an entry of ``MODES``: the option that asks for it, and the module and function that do it. Without such an
option, agents that write are run with their models, and others that have a ``deploy`` block with their policies.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.cli.check import checked
from agentc.runtime.cli.specs import parameters, spec_arguments

KINDS = ("vllm", "vllm-0.11", "sglang", "llama.cpp", "none")
"""The servers that are told a grammar; those of :data:`agentc.runtime.llm.served.CONSTRAINTS`."""
if TYPE_CHECKING:
    from agentc.compiler.agent import AgentIR

MODES = {
    # option: (module, function of the parsed options)
    "replay": ("agentc.runtime.cli.run_writer", "replay"),
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
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of everything random.")
@click.option("--model", metavar="NAME", help="Write with this model, or the one of a server (`http://...`).")
@click.option("--constraint", type=click.Choice(KINDS), help="How a server takes a grammar, if it does not say.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds for each request to a server.")
@click.option("--mcp", "servers", multiple=True, metavar="COMMAND", help="Call the tools of the MCP server COMMAND.")
@click.option("--message", metavar="TEXT", help="What the user says, instead of what the environment does.")
@click.option("--episodes", type=click.IntRange(1), default=1, show_default=True, help="How many runs.")
@click.option("--temperature", type=click.FloatRange(0), help="0 takes the likeliest token.")
@click.option("--max-tokens", type=click.IntRange(1), help="The most tokens that an agent writes.")
@click.option("--policy", type=click.Path(path_type=Path, exists=True), help="The folder of the policy to deploy.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), help="Where trained policies are.")
@click.option("--build", type=click.Path(path_type=Path), default=Path("build"), help="Where proofs are.")
@click.option("--replay", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Show a transcript again.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Where plans and transcripts go.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def command(**options: Any) -> int:
    """Run agents: with `--planner`, plan a trajectory, replay it in the simulator, judge it and draw it.

    Exit code 0 if every plan satisfies its formulas, 1 if it is proven that there is none, 3 if none was found.

    An agent with a `deploy` block is run with the policy that was trained for it, if what the block requires holds of
    exactly this agent, policy and proofs; its shield, monitors and fallback stand in, and every intervention is logged.

    An agent that writes is run with its language model under the token decoder, in the world of its environment; each
    run leaves a transcript. Exit code 0 if every promise was kept and every task reached, else 1.
    """
    for option, (module, function) in MODES.items():
        if options[option] is not None:
            code = getattr(import_module(module), function)(options)
            assert isinstance(code, int)
            return code
    result = checked(options["files"], parameters(options["params"]), options["allow_extern"])
    if not result.ok:
        raise AgentcError(result.diagnostics)
    chosen = [a for a in result.agents if not options["names"] or a.name in options["names"]]
    running = [a for a in chosen if a.writer is not None or a.deploy is not None]
    if not running:
        listed = ", ".join(f"`{a.name}`" for a in chosen)
        raise AgentcError([report("AS1384", None, agents=listed or "no agent")])
    from agentc.runtime.cli.application import worst

    return worst(_run(agent, options) for agent in running)


def _run(agent: AgentIR, options: dict[str, Any]) -> int:
    """Run an agent: one that writes behind the gate of its ``deploy``, if it has one."""
    from agentc.runtime.cli.run_deployed import artifacts_of
    from agentc.runtime.cli.run_deployed import run as run_deployed
    from agentc.runtime.cli.run_writer import run as run_writer

    if agent.writer is None:
        return run_deployed(agent, options)
    if agent.deploy is not None:
        from agentc.runtime.deploy.gate import enter

        enter(artifacts_of(agent, options))
    return run_writer(agent, options)
