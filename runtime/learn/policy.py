"""A trained policy, for evaluation and deployment: weights and architecture from a checkpoint, no learner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import safetensors
import safetensors.numpy
import torch
from gymnasium import Space
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn import checkpoint as checkpoints
from agentc.runtime.learn.acting import draw, enacted
from agentc.runtime.learn.architecture import ActionHead, Architecture, Part, architecture_for
from agentc.runtime.learn.checkpoint import Checkpoint
from agentc.runtime.learn.context.returns import ReturnConditionedEnv
from agentc.runtime.learn.context.window import HistoryEnv
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.optimizer import restore_weights
from agentc.runtime.learn.trajectory import parts
from agentc.runtime.learn.vector import Array, Observation


class Policy:
    """Chooses actions for batches of observations."""

    def __init__(self, network: ActorCritic) -> None:
        self._network = network

    @property
    def architecture(self) -> Architecture:
        """What the network is."""
        return self._network.architecture

    @property
    def network(self) -> ActorCritic:
        """The network itself, for what computes gradients through it."""
        return self._network

    @staticmethod
    def load(path: Path | str) -> Policy:
        """From the checkpoint in a folder. Raises AS0840 where there is none, AS0841 where it is damaged."""
        path = Path(path)
        return Policy.of(checkpoints.load(path), path)

    @staticmethod
    def read(path: Path | str) -> Policy:
        """From a safetensors file that :meth:`export` wrote. Raises AS0840 or AS0841."""
        path = Path(path)
        try:
            data = path.read_bytes()
            size = int.from_bytes(data[:8], "little")
            described = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["architecture"])
            network = ActorCritic(Architecture.from_data(described))
            restore_weights(network, safetensors.numpy.load(data))
        except FileNotFoundError:
            raise AgentcError([report("AS0840", None, path=str(path))]) from None
        except (OSError, KeyError, TypeError, ValueError, AttributeError, RuntimeError, RecursionError) as error:
            raise checkpoints.damaged(path, f"{type(error).__name__}: {error}") from None
        except safetensors.SafetensorError as error:
            raise checkpoints.damaged(path, str(error)) from None
        return Policy(network)

    def export(self, path: Path | str, *, mask: bool = False, scores_only: bool = False) -> Path:
        """Write the policy as one deterministic graph (``.onnx``) or its weights (``.safetensors``).

        ``mask`` adds the input ``mask``; ``scores_only`` leaves out the action, for tools that verify the network.
        See :mod:`agentc.runtime.learn.export`. Raises AS1535 or AS0843.
        """
        from agentc.runtime.learn.export import export

        return export(self._network, Path(path), mask=mask, scores_only=scores_only)

    def predict(self, observation: Any, mask: NDArray[np.bool_] | None = None) -> Any:
        """The likeliest action for one observation, as a Gymnasium environment gives and takes them.

        Discrete actions count from 0.
        """
        batch = {k: np.asarray(a)[None] for k, a in parts(observation).items()}
        action = self.act(batch, None if mask is None else np.asarray(mask, np.bool_)[None], None)[0]
        return int(action) if self.architecture.action.discrete else action

    def value(self, observation: Observation) -> NDArray[np.float32]:
        """What the critic thinks of a batch of observations, ``(batch,)``; the policy must have been saved with one."""
        with torch.inference_mode():
            found: NDArray[np.float32] = self._network.value(self._network.inputs(parts(observation))).numpy()
        return found

    @staticmethod
    def of(saved: Checkpoint, path: Path) -> Policy:
        """From a checkpoint that was read from ``path``."""
        try:
            network = _network(saved.algorithm, Architecture.from_data(saved.architecture))
            network.load_state_dict({k: torch.from_numpy(a) for k, a in saved.group("network").items()})
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise checkpoints.damaged(path, f"{type(error).__name__}: {error}") from None
        return Policy(network)

    def check_spaces(self, observation_space: Space[Any], action_space: Space[Any]) -> None:
        """Raise :class:`AgentcError` (AS0844) if the policy reads or does something else than these spaces hold."""
        mine = self.architecture
        heads = {"squashed": "soft", "deterministic": "deterministic", "values": "values"}
        head = heads.get(mine.action.kind, "policy")
        sequences = any(p.kind == "sequence" for p in mine.parts)
        theirs = architecture_for(observation_space, action_space, head=head, sequences=sequences)
        before, now = {p.key: p for p in mine.parts}, {p.key: p for p in theirs.parts}
        for key in (*before, *now):
            if before.get(key) != now.get(key):
                raise AgentcError(
                    [report("AS0844", None, theirs=_read(key, before.get(key)), ours=_read(key, now.get(key)))]
                )
        if mine.action != theirs.action:
            raise AgentcError([report("AS0844", None, theirs=_done(mine.action), ours=_done(theirs.action))])

    def within(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment as the policy sees it: with the last steps in the observation, where it reads them."""
        steps = [p.shape[0] for p in self.architecture.parts if p.kind == "sequence"]
        mine = self.architecture
        if mine.memory == "decision":
            return ReturnConditionedEnv(env, mine.action, steps[0], mine.target_return, mine.return_scale)
        return HistoryEnv(env, steps[0]) if steps else env

    def act(
        self, observation: Observation, mask: NDArray[np.bool_] | None, randomness: np.random.Generator | None
    ) -> Array:
        """One action per row of a batch: drawn with ``randomness``, or the likeliest where that is None.

        Returns int64 ``(batch,)`` (``(batch, k)`` for several choices) or float32 ``(batch, *shape)`` within the
        bounds of the space.
        """
        with torch.inference_mode():
            inputs = self._network.inputs(parts(observation))
            policy = self._network.policy(inputs, None if mask is None else torch.from_numpy(mask))
            if randomness is None:
                action: Array = policy.mode().numpy()
            else:
                noise = draw(self.architecture.action, (len(inputs[0]),), randomness)
                action = policy.sample(torch.from_numpy(noise)).numpy()
        return enacted(self.architecture.action, action)


def _network(algorithm: str, architecture: Architecture) -> ActorCritic:
    if algorithm == "crm":
        from agentc.runtime.learn.networks.machine_values import MachineNetwork

        return MachineNetwork(architecture)
    return ActorCritic(architecture)


def _read(key: str, part: Part | None) -> str:
    """A part of the observation in words."""
    name = f"`{key}`" if key else "an observation"
    if part is None:
        return f"no {name}" if key else "parts by name"
    return f"{name} of {part.size} values" if part.kind == "onehot" else f"{name} of shape {part.shape}"


def _done(head: ActionHead) -> str:
    """The actions in words."""
    if head.discrete:
        return f"{head.size} actions"
    if head.kind == "multi":
        return f"{head.size} choices among {list(head.choices)}"
    return f"actions of shape {head.shape} from {list(head.low)} to {list(head.high)}"
