"""``agentc new``: a spec that checks, to be changed."""

from __future__ import annotations

from pathlib import Path

import click

from agentc.lang.diagnostics import AgentcError, report

TEMPLATES = {
    "minigrid": '''\
import std.env.minigrid

agent {name} {{
  """Reach the goal."""
  env minigrid("MiniGrid-Empty-6x6-v0", max_steps = 100)

  prop at_goal = tile == goal

  task reach = F at_goal

  reward {{
    reach : +1.0
    step  : -0.001
    shape reach
  }}

  train ppo {{ steps = 50_000; envs = 16; seed = 0 }}
  expect satisfaction(reach) >= 0.95 with confidence 0.95

  example "it arrives"      satisfies reach {{ -; at_goal }}
  example "it never arrives" violates reach {{ -; - }}
}}
''',
    "cartpole": '''\
import std.env.classic: cartpole

agent {name} {{
  """Keep the pole upright."""
  env cartpole()

  safe upright = G abs(theta) <= 0.2rad

  reward {{
    upright : -1.0
    step    : +1.0
  }}

  train ppo {{ steps = 100_000; envs = 8; seed = 0 }}
  expect satisfaction(upright) >= 0.9 with confidence 0.95
}}
''',
    "office": '''\
import std.env.office: office

agent {name} {{
  """Bring coffee to the office, and step on no plant."""
  env office(max_steps = 200)

  prop at_coffee = tile == coffee
  prop at_office = tile == office

  task deliver = F (at_coffee & F at_office)
  safe tidy    = G tile != plant

  reward {{
    deliver : +1.0
    tidy    : -1.0
    step    : -0.001
    shape deliver
  }}

  train ppo {{ steps = 100_000; envs = 16; seed = 0 }}
  expect satisfaction(deliver) >= 0.9 with confidence 0.95
}}
''',
}


@click.command(name="new")
@click.argument("name")
@click.option("--env", "family", type=click.Choice(sorted(TEMPLATES)), default="minigrid", show_default=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The file to write (default: NAME.agentspec).")
def command(name: str, family: str, out: Path | None) -> int:
    """Write NAME.agentspec with an agent NAME that checks as it stands. Never overwrites."""
    if not name.isidentifier():
        raise AgentcError([report("AS0962", None, name=name)])
    path = out or Path(f"{name.lower()}.agentspec")
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(TEMPLATES[family].format(name=name))
    except FileExistsError as error:
        raise AgentcError([report("AS0963", None, path=str(path))]) from error
    except OSError as error:
        raise AgentcError([report("AS0808", None, path=str(path), reason=error.strerror or str(error))]) from error
    click.echo(f"wrote {path}; next: agentc check {path}")
    return 0
