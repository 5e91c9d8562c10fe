"""A process that trains every learner at a tiny size and is killed while it does.

    python killable.py FOLDER

``FOLDER`` has recorded experience. Every line of the input is an object ``{"kind", "out", "at"}``: a child of this
process then trains that kind in the folder ``out``, resuming, and kills itself (SIGKILL) at ``at``, ``[place, n]``:

- ``logged``: after the line of update ``n`` has been logged, before its checkpoint
- ``learning``: in the middle of round ``n``
- ``saving``: before the ``n``-th rename of a file; a checkpoint has two, its weights and the file that names them

The answer is one line: ``killed``, ``failed``, or how the run was resumed and its steps. Imports are paid once.
"""

import json
import os
import signal
import sys
from functools import cache
from pathlib import Path

import gymnasium
import torch

import agentc.runtime.learn.train as loop
from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.configuration import TrainingConfig
from agentc.runtime.learn.off_policy_config import (
    BCConfig,
    DQNConfig,
    DTConfig,
    IQLConfig,
    RLPDConfig,
    SACConfig,
    TD3BCConfig,
    TD3Config,
)
from agentc.runtime.learn.vector import SyncVector
from agentc.runtime.training import configuration, environment

CART = """
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
  REWARD
  train TRAIN
}
"""
PAID = CART.replace("REWARD", "cost speed = abs(v)\n  budget speed <= 1\n  reward { there : +1.0; discount = 0.9 }")
CART = CART.replace("REWARD", "")
OFFICE = """
import std.env.office: office

agent Office {
  env office(max_steps = 30)
  prop coffee = tile == coffee
  prop plant  = tile == plant
  task brew = !plant U coffee
  task home = !plant U tile == a
  reward { brew : +1.0; home : +1.0; discount = 0.9 }
  train TRAIN
}
"""
SPECS = {
    "ppo": (PAID, "ppo { steps = 280; envs = 2; rollout = 20; epochs = 2; minibatches = 2; normalize_rewards = true; "
                  "novelty = 0.1; NORMAL }"),
    "ppo history": (PAID, "ppo { steps = 240; envs = 2; rollout = 20; epochs = 1; minibatches = 2; history = 3 }"),
    "ppo projection": (PAID, "ppo { steps = 144; envs = 2; rollout = 12; epochs = 1; minibatches = 1; "
                             "budget_method = projection }"),
    "sac budget": (PAID, "sac { steps = 160; rollout = 20; warmup = 40; batch = 4; layers = 1; n_step = 2 }"),
    "reinforce": (CART.replace("train TRAIN", "reward { there : 1 } train TRAIN"),
                  "reinforce { steps = 280; envs = 2; rollout = 20; baseline = false }"),
    "tgpo": (CART, "tgpo { steps = 384; envs = 4; rollout = 12; pool = 12; minibatches = 2; epochs = 1; "
                   "scored = 8; rolled = 2 }"),
    "npc": (CART, "npc { steps = 8; rollout = 1; batch = 4; NORMAL }"),
    "descent": (CART, "descent { steps = 8; rollout = 1; batch = 4; NORMAL }"),
    "q": (OFFICE, "q { tasks = each; steps = 320; rollout = 40; hierarchy = hrm }"),
    "crm": (OFFICE, "crm { tasks = each; steps = 320; envs = 2; rollout = 20; warmup = 60; batch = 4; layers = 1 }"),
    "dqn counterfactual": (OFFICE, "dqn { steps = 240; rollout = 30; warmup = 40; batch = 4; layers = 1; "
                                   "counterfactual = true; teacher = none }"),
}  # fmt: skip
SMALL = {"rollout": 20, "hidden": 8, "layers": 1, "batch": 8, "warmup": 40, "discount": 0.9, "checkpoint": 0.0}
DATA = {"rollout": 5, "hidden": 8, "layers": 1, "batch": 8, "discount": 0.9, "checkpoint": 0.0, "steps": 40}


def recorded(folder: Path) -> dict[str, tuple[str, TrainingConfig]]:
    """The learners that are trained on environments of Gymnasium, or on what was recorded in them."""
    cart, pendulum = str(folder / "cart"), str(folder / "pendulum")
    return {
        "dqn": ("CartPole-v1", DQNConfig(steps=320, envs=2, **SMALL, n_step=3, replay="failure",
                                         normalize_observations=True, normalize_rewards=True)),
        "sac": ("Pendulum-v1", SACConfig(steps=160, **SMALL, normalize_observations=True)),
        "sac discrete": ("CartPole-v1", SACConfig(steps=160, **SMALL)),
        "td3": ("Pendulum-v1", TD3Config(steps=160, **SMALL)),
        "rlpd": ("Pendulum-v1", RLPDConfig(steps=160, **SMALL, updates=2, critics=3, data=pendulum)),
        "bc": ("CartPole-v1", BCConfig(**DATA, data=cart, weighting="return")),
        "iql": ("CartPole-v1", IQLConfig(**DATA, data=cart)),
        "td3_bc": ("Pendulum-v1", TD3BCConfig(**DATA, data=pendulum)),
        "dt": ("CartPole-v1", DTConfig(**{**DATA, "hidden": 8, "history": 3}, data=cart)),
    }  # fmt: skip


@cache
def compiled(text: str) -> CompiledAgent:
    result = check([Source("killed.agentspec", text)])
    assert result.ok, [d.message for d in result.diagnostics]
    return CompiledAgent.from_ir(result.agents[0])


def composed(kind: str, folder: Path) -> tuple[object, TrainingConfig]:
    """The environments and the settings of a kind."""
    if kind in SPECS:
        text, train = SPECS[kind]
        network = "" if kind in ("q", "dt") else "hidden = 8; checkpoint = 0s; "
        train = train.replace("{", "{ " + (network or "checkpoint = 0s; ")).replace("NORMAL", NORMAL)
        agent = compiled(text.replace("TRAIN", train))
        config = configuration(agent.agent)
        return environment(agent, config), config
    name, config = recorded(folder)[kind]
    envs = getattr(config, "envs", 1)
    return SyncVector([lambda: gymnasium.make(name)] * envs), config


NORMAL = "normalize_observations = true"


def die_at(place: str, n: int) -> list[loop.Callback]:
    """Arrange that this process is killed there; callbacks for the loop."""
    left = [n]

    def step(*_: object, **__: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if place == "logged":
        return [step]
    if place == "saving":
        replace = os.replace
        os.replace = lambda *names: (step(), replace(*names))[1]
    if place == "learning":
        prepare = loop.prepare

        def prepared(env, config, generator):
            env, learner = prepare(env, config, generator)
            learn, calls = learner.learn, config.rollout // max(1, learner.cycle)
            left[0] = (n - 1) * calls + (calls + 1) // 2
            learner.learn = lambda *seen: (step(), learn(*seen))[1]
            return env, learner

        loop.prepare = prepared
    return []


def main() -> None:
    data = Path(sys.argv[1])
    torch.optim.Adam([torch.zeros(1)])  # the first one imports for a second, which no child should pay
    for line in sys.stdin:
        order = json.loads(line)
        env, config = composed(order["kind"], data)
        out, said = Path(order["out"]), Path(order["out"] + ".said")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                callbacks = die_at(*order["at"]) if order["at"] else []
                result = loop.train(env, config, out, resume=True, callbacks=callbacks)
                said.write_text(f"{result.resumed} {result.steps}")
                code = 0
            finally:
                sys.stderr.flush()
                if code:
                    import traceback

                    traceback.print_exc()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if killed else "failed" if status else said.read_text(), flush=True)


if __name__ == "__main__":
    main()
