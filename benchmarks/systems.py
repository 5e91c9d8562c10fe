"""``agentc bench systems``: declared systems against what others wrote by hand.

The cart-pole of the standard library, stepped by its expression graph, beside Gymnasium's own vectorised cart-pole; the
reachable states of a slippery grid beside Storm's explorer, which is C++; a million states; ten thousand trajectories.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from agentc.benchmarks.rows import Row, compared, interleaved
from agentc.compiler.agent import SystemIR
from agentc.compiler.pipeline import check
from agentc.compiler.systems.simulate import Simulator
from agentc.compiler.systems.transitions import explore
from agentc.lang.source import Source

ENVS, STEPS = 1024, 200


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """The rows; ``data`` is not needed."""
    return [_cart_pole(rounds), _spec(rounds), _trajectories(rounds), _gradient(rounds), _grid(rounds), _million()]


def library(module: str, name: str, arguments: str) -> SystemIR:
    """A system of the standard library."""
    text = f"import std.systems.{module}: {name}\nagent A {{ env {name}({arguments}) }}"
    system = check(Source("bench.agentspec", text)).agents[0].system
    assert system is not None
    return system


def _timed(function: Callable[[], Any]) -> Callable[[], float]:
    def measure() -> float:
        start = time.process_time()
        function()
        return time.process_time() - start

    return measure


def _cart_pole(rounds: int) -> Row:
    from agentc.runtime.envs.declared_batch import DeclaredBatch

    batch = DeclaredBatch(library("pendulums", "cart_pole", "horizon = 500"), 500, ENVS)
    for i in range(ENVS):
        batch.reset(i, np.random.default_rng(i))
    force = np.random.default_rng(0).uniform(-1, 1, (ENVS, 1)).astype(np.float32)

    def ours() -> None:
        for _ in range(STEPS):
            batch.step(force)
            batch.observation()
        for i in range(ENVS):
            batch.place(i, batch.situation(i)._replace(state=(0.0, 0.0, 0.0, 0.0), steps=0))

    measures = [_timed(ours)]
    case = f"cart-pole, {ENVS} environments, a step of one"
    try:
        from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
    except ImportError:
        found = interleaved(measures, rounds)
        return compared(case, _each(found[0]), None, peer_name="gymnasium", unit="us", note="gymnasium has none")
    peer = CartPoleVectorEnv(num_envs=ENVS)
    peer.reset(seed=0)
    actions = np.random.default_rng(0).integers(2, size=ENVS)

    def theirs() -> None:
        for _ in range(STEPS):
            peer.step(actions)

    found = interleaved([*measures, _timed(theirs)], rounds)
    return compared(case, _each(found[0]), _each(found[1]), peer_name="Gymnasium's vector", unit="us")


def _each(seconds: list[float]) -> list[float]:
    return [1e6 * s / STEPS / ENVS for s in seconds]


SPEC = """import std.systems.unicycle: unicycle
agent Driver {
  env unicycle(horizon = 80, init = { x in [0, 0.5]; y in [-0.5, 0.5]; theta in [-0.3, 0.3] })
  task arrive = F (x, y) in circle(center = (3, 0), radius = 0.6)
  safe clear = G (x, y) not in box(lo = (1.4, 0.2), hi = (1.8, 3))
  reward { arrive : 1; clear : -1 }
}"""


def _spec(rounds: int) -> Row:
    from agentc.runtime.compiled import CompiledAgent
    from agentc.runtime.envs.declared import declared_environment
    from agentc.runtime.spec_vector import SpecVectorEnv

    agent = check(Source("bench.agentspec", SPEC)).agents[0]
    compiled = CompiledAgent.from_ir(agent)
    rows = SpecVectorEnv(compiled, ENVS)
    copies = SpecVectorEnv(compiled, 64, make=lambda: declared_environment(agent))

    def stepped(vector: SpecVectorEnv) -> Callable[[], float]:
        actions = np.random.default_rng(0).uniform([0, -1], [1, 1], (vector.num_envs, 2)).astype(np.float32)
        vector.reset(0)

        def measure() -> float:
            start = time.process_time()
            for _ in range(20):
                vector.step(actions)
            return 1e6 * (time.process_time() - start) / 20 / vector.num_envs

        return measure

    mine, theirs = interleaved([stepped(rows), stepped(copies)], rounds)
    case = f"unicycle under a spec, {ENVS} rows at once, a step of one"
    return compared(case, mine, theirs, peer_name="64 copies in a loop", unit="us")


def _unicycle() -> SystemIR:
    init = "{ x in [0, 1]; y in [0, 1]; theta in [-1, 1] }"
    return library("unicycle", "unicycle", f"horizon = 100, init = {init}")


def _trajectories(rounds: int) -> Row:
    simulator = Simulator(_unicycle())
    measure = _timed(lambda: simulator.run(np.random.default_rng(0), 10_000, 100, "stop"))
    (found,) = interleaved([measure], rounds)
    return compared("unicycle, 10,000 trajectories of 100 steps, numpy", found, None, peer_name="-", unit="s")


def _gradient(rounds: int) -> Row:
    case = "the same in torch, with the gradient by all inputs"
    try:
        import torch
    except ImportError:
        return compared(case, [float("nan")], None, peer_name="-", unit="s", note="torch is not installed")
    from agentc.runtime.simulate import TorchSimulator

    simulator = TorchSimulator(_unicycle())
    start = simulator.start(np.random.default_rng(0), 10_000)
    inputs = torch.full((10_000, 100, 2), 0.5, dtype=torch.float64, requires_grad=True)
    noise = torch.zeros((10_000, 100, 1), dtype=torch.float64)

    def once() -> None:
        inputs.grad = None
        simulator.run(start, inputs, noise, 100).states.sum().backward()  # type: ignore[no-untyped-call]

    (found,) = interleaved([_timed(once)], rounds)
    return compared(case, found, None, peer_name="-", unit="s")


PRISM = """mdp
module grid
  x : [0..{most}] init 0;
  y : [0..{most}] init 0;
  [up] true -> 0.8:(y'=min(y+1,{most})) + 0.1:(x'=max(x-1,0)) + 0.1:(x'=min(x+1,{most}));
  [right] true -> 0.8:(x'=min(x+1,{most})) + 0.1:(y'=min(y+1,{most})) + 0.1:(y'=max(y-1,0));
  [down] true -> 0.8:(y'=max(y-1,0)) + 0.1:(x'=min(x+1,{most})) + 0.1:(x'=max(x-1,0));
  [left] true -> 0.8:(x'=max(x-1,0)) + 0.1:(y'=max(y-1,0)) + 0.1:(y'=min(y+1,{most}));
endmodule
"""


def _grid(rounds: int) -> Row:
    size = 300
    system = library("grid_world", "grid_world", f"horizon = 9, width = {size}, height = {size}")
    case = f"explicit model of a slippery grid, {size * size:,} states, 4 actions"
    try:
        import stormpy
    except ImportError:
        (found,) = interleaved([_timed(lambda: explore(system))], min(rounds, 3))
        return compared(case, found, None, peer_name="storm", unit="s", note="stormpy is not installed")
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grid.prism"
        path.write_text(PRISM.format(most=size - 1))
        program = stormpy.parse_prism_program(str(path))
        both = [_timed(lambda: explore(system)), _timed(lambda: stormpy.build_model(program))]
        mine, theirs = interleaved(both, min(rounds, 3))
    return compared(case, mine, theirs, peer_name="storm", unit="s")


def _million() -> Row:
    system = library("grid_world", "grid_world", "horizon = 9, width = 1000, height = 1000")
    start = time.process_time()
    count = len(explore(system))
    seconds = time.process_time() - start
    case = "the same of 1,000,000 states"
    assert count == 1_000_000
    return Row(case, seconds, None, "-", None, "s", "at most 10 s", seconds <= 10)
