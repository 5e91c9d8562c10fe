"""Finite systems as specs: a slippery grid, and random decision processes."""

import numpy as np

from agentc.compiler.pipeline import check as check_spec
from agentc.lang.source import Source
from agentc.runtime.verify.method import decide
from agentc.runtime.verify.problem import problem_of

GRID = """
system grid {
  state x, y : int in [0, 4]
  input move : enum { up, down, left, right }
  command north when move == up & y < 4 {
    0.9 : y' = y + 1
    0.1 : y' = y
  }
  command south when move == down & y > 0 { y' = y - 1 }
  command west when move == left & x > 0 { x' = x - 1 }
  command east when move == right & x < 4 {
    0.8 : x' = x + 1
    0.2 : x' = x
  }
  init { x = 0; y = 0 }
}
"""


def agent(system, body, horizon=None):
    name = system.split()[1]
    env = f"env {name}(horizon = {horizon})" if horizon else f"env {name}()"
    result = check_spec([Source("a.agentspec", f"{system}\nagent A {{\n  {env}\n{body}\n}}\n")])
    assert result.ok, [d.message for d in result.diagnostics]
    return result.agents[0]


def answer(system, body, horizon=None):
    return decide(problem_of(agent(system, body, horizon), 0))


def random_system(seed, states=5, actions=2):
    """A random decision process as a spec; some states have no choice."""
    rng = np.random.default_rng(seed)
    lines = [f"system chain {{\n  state s : int in [0, {states - 1}]"]
    for a in range(actions):
        for i in range(states):
            if rng.random() < 0.2:
                continue
            fan = int(rng.integers(1, 4))
            targets = rng.choice(states, fan, replace=False)
            parts = rng.multinomial(8, np.ones(fan) / fan)
            branches = [f"    {p / 8} : s' = {t}" for p, t in zip(parts, targets, strict=True) if p]
            lines.append(f"  command c{a}_{i} when s == {i} {{\n" + "\n".join(branches) + "\n  }")
    if len(lines) == 1:
        lines.append("  command idle when s == 0 { s' = 0 }")
    lines.append("  init { s = 0 }\n}")
    return "\n".join(lines)
