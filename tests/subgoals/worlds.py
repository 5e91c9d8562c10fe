"""A small world for the tests of learning from timed subgoals."""

from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.learn.tgpo import TGPOConfig

TEXT = """
system cart {
  state x : real [m], v : real [m/s]
  input a : real in [-1, 1] [m/s^2]
  disturbance w : real in [-0.01, 0.01] [m/s^2]
  x' = v
  v' = a + w
  step 0.5s by rk4
}

agent Courier {
  env cart(horizon = 12, init = { x in [-0.2, 0.2]; v = 0m/s })
  task there = F[2, 6] (x > 0.5m) & F[8, 11] (x < 0m | x > 4m)
  safe inside = G x < 12m
  train tgpo { steps = 4_000; envs = 16; rollout = 12; pool = 40; hidden = 16; minibatches = 2 }
}
"""


def courier(text=TEXT):
    """The agent of a spec."""
    found = check(Source("courier.agentspec", text))
    assert found.ok, found.diagnostics
    return found.agents[0]


def config(**changed):
    """A short run."""
    settings = {"steps": 4_000, "envs": 16, "rollout": 12, "pool": 40, "hidden": 16, "minibatches": 2}
    return TGPOConfig(**{**settings, **changed})
