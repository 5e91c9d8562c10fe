"""A feed-forward network as verification sees it: affine layers with an activation each, over the reals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ACTIVATIONS = ("identity", "relu", "tanh", "sigmoid")


@dataclass(frozen=True, eq=False)
class Layer:
    """``activation(weight @ x + bias)``: ``weight`` ``(out, in)``, ``bias`` ``(out,)``, both float64."""

    weight: Floats
    bias: Floats
    activation: str = "identity"


@dataclass(frozen=True, eq=False)
class Network:
    """Layers one after the other; ``source`` is what people call it, ``digest`` of the file it was read from."""

    layers: tuple[Layer, ...]
    source: str = ""
    digest: str = ""

    @property
    def inputs(self) -> int:
        """How many numbers it reads."""
        return int(self.layers[0].weight.shape[1])

    @property
    def outputs(self) -> int:
        """How many numbers it gives."""
        return int(self.layers[-1].weight.shape[0])

    def __call__(self, x: Floats) -> Floats:
        """The outputs ``(batch, outputs)`` for inputs ``(batch, inputs)``, in float64."""
        h = x.T
        for layer in self.layers:
            h = activate(layer.activation, layer.weight @ h + layer.bias[:, None])
        return h.T

    def gradient(self, x: Floats, rows: Floats) -> Floats:
        """The gradient of ``rows[b] . f(x[b])`` at ``x[b]``: ``(batch, inputs)``; at a kink, of one of its sides."""
        h, slopes = x.T, []
        for layer in self.layers:
            z = layer.weight @ h + layer.bias[:, None]
            h = activate(layer.activation, z)
            slopes.append(_slope(layer.activation, z, h))
        g = rows.T
        for layer, slope in zip(reversed(self.layers), reversed(slopes), strict=True):
            g = layer.weight.T @ (g * slope)
        return g.T


def activate(name: str, z: Floats) -> Floats:
    """The activation, element by element."""
    if name == "relu":
        return np.maximum(z, 0.0)
    if name == "tanh":
        return np.tanh(z)
    if name == "sigmoid":
        return 0.5 * (1.0 + np.tanh(0.5 * z))
    return z


def _slope(name: str, z: Floats, value: Floats) -> Any:
    if name == "relu":
        return (z > 0).astype(np.float64)
    if name == "tanh":
        return 1.0 - value * value
    if name == "sigmoid":
        return value * (1.0 - value)
    return 1.0
