"""Policies with a memory as graphs: the window of the last steps is an input and an output.

A policy with ``history`` reads a window of the last steps (:mod:`agentc.runtime.learn.context`). In its graph each part
``NAME`` of the observation that it remembers is the present one, float32 ``(batch, numbers)``; ``NAME.window`` is the
window as the step before left it, and the output ``NAME.window.next`` the window to give at the next step. An episode
begins with zeros. A window's rows are steps, oldest first, and the last column of a row is 1 where the step was there.

That is the whole state, of a recurrent unit as well: the unit reads the window from its oldest step, so that its state
does not follow from its state of the step before.

A decision transformer (``train dt``) has one part, ``observation``: the parts in the order of their names, each
flattened, as one vector. It is told besides what the step before was paid, ``reward`` float32 ``(batch,)``; the return
to go, counted from the one that the policy asks for, is in the window, and so are the actions that the graph chose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import nn

from agentc.runtime.learn.architecture import Architecture, Part
from agentc.runtime.learn.export_nodes import Nodes, array
from agentc.runtime.learn.networks.decision import TOKENS, Block, DecisionTransformer
from agentc.runtime.learn.networks.sequences import Attending, Recurrent


@dataclass(frozen=True, slots=True)
class Window:
    """A window in a graph: what it is called, its shape, and the node that holds it with the present step in it."""

    name: str
    shape: tuple[int, ...]
    now: str

    @property
    def next(self) -> str:
        """The output that is the next step's input."""
        return f"{self.name}.next"


def remembered(graph: Nodes, part: Part, architecture: Architecture) -> Window:
    """The inputs of a part that is read as a sequence, and its window with the present step in the last row."""
    types, name = graph.onnx.TensorProto, part.key or "observation"
    steps, width = part.shape
    decision = architecture.memory == "decision"
    told = 2 + architecture.action.size if decision else 1
    graph.input(name, types.FLOAT, ["batch", width - told])
    graph.input(f"{name}.window", types.FLOAT, ["batch", steps, width])
    before = graph.sliced(f"{name}.window", 1, 1, steps)
    one = graph.constant(np.ones(1, np.float32))
    present = graph.node("Unsqueeze", [name, graph.whole(1)])
    count = graph.node("Shape", [present])
    ones = graph.node("Expand", [one, graph.node("Concat", [graph.sliced(count, 0, 0, 2), graph.whole(1)], axis=0)])
    row = [present, ones]
    if decision:
        graph.input("reward", types.FLOAT, ["batch"])
        last = graph.sliced(f"{name}.window", 1, steps - 1, steps)
        paid = graph.node("Reshape", ["reward", graph.whole(-1, 1, 1)])
        paid = graph.node("Div", [paid, graph.constant(np.float32(architecture.return_scale))])
        left = graph.node("Sub", [graph.sliced(last, 2, 0, 1), paid])
        begun = graph.node("Greater", [graph.sliced(last, 2, width - 1, width), graph.constant(np.float32(0.5))])
        asked = graph.constant(np.float32(architecture.target_return / architecture.return_scale))
        head = graph.node("Where", [begun, left, asked])
        size = graph.node("Concat", [graph.sliced(count, 0, 0, 2), graph.whole(architecture.action.size)], axis=0)
        none = graph.node("Expand", [graph.constant(np.zeros(1, np.float32)), size])
        row = [head, present, none, ones]
    return Window(
        f"{name}.window", part.shape, graph.node("Concat", [before, graph.node("Concat", row, axis=2)], axis=1)
    )


def read(graph: Nodes, encoder: nn.Module, window: Window) -> str:
    """What the policy makes of a window, ``(batch, size)``."""
    if isinstance(encoder, Recurrent):
        return _recurrent(graph, encoder, window)
    if isinstance(encoder, Attending):
        return _attending(graph, encoder, window)
    if isinstance(encoder, DecisionTransformer):
        return _decision(graph, encoder, window)
    return graph.node("Flatten", [window.now], axis=1)


def with_action(graph: Nodes, window: Window, action: str, architecture: Architecture) -> None:
    """The output of a window: as it is, or with the action that was chosen in its last row."""
    if architecture.memory != "decision":
        graph.node("Identity", [window.now], name=window.next)
        return
    head, (steps, width) = architecture.action, window.shape
    if head.discrete:
        done = graph.one_hot(action, head.size)
    else:
        done = graph.node("Reshape", [action, graph.whole(-1, head.size)])
    last = graph.sliced(window.now, 1, steps - 1, steps)
    start = width - 1 - head.size
    row = [graph.sliced(last, 2, 0, start), graph.node("Unsqueeze", [done, graph.whole(1)])]
    row.append(graph.sliced(last, 2, width - 1, width))
    filled = graph.node("Concat", row, axis=2)
    graph.node("Concat", [graph.sliced(window.now, 1, 0, steps - 1), filled], name=window.next, axis=1)


def _there(graph: Nodes, window: Window) -> str:
    """Which steps were there, bool ``(batch, steps)``."""
    width = window.shape[1]
    flags = graph.node("Squeeze", [graph.sliced(window.now, 2, width - 1, width), graph.whole(2)])
    return graph.node("Greater", [flags, graph.constant(np.float32(0.5))])


def _recurrent(graph: Nodes, encoder: Recurrent, window: Window) -> str:
    """The gated unit, step by step: torch's ``GRUCell``, whose gates are beside each other."""
    unit, size = encoder.unit, encoder.size
    steps, width = window.shape
    by_input, by_state = (graph.constant(array(w)) for w in (unit.weight_ih, unit.weight_hh))
    input_bias, state_bias = (graph.constant(array(b)) for b in (unit.bias_ih, unit.bias_hh))
    one = graph.constant(np.float32(1))
    batch = graph.sliced(graph.node("Shape", [window.now]), 0, 0, 1)
    zero = graph.constant(np.zeros(1, np.float32))
    state = graph.node("Expand", [zero, graph.node("Concat", [batch, graph.whole(size)], axis=0)])
    for t in range(steps):
        row = graph.node("Squeeze", [graph.sliced(window.now, 1, t, t + 1), graph.whole(1)])
        x, there = graph.sliced(row, 1, 0, width - 1), graph.sliced(row, 1, width - 1, width)
        given = graph.split(graph.node("Gemm", [x, by_input, input_bias], transB=1), (size,) * 3)
        held = graph.split(graph.node("Gemm", [state, by_state, state_bias], transB=1), (size,) * 3)
        reset, update = (graph.node("Sigmoid", [graph.node("Add", [given[k], held[k]])]) for k in (0, 1))
        new = graph.node("Tanh", [graph.node("Add", [given[2], graph.node("Mul", [reset, held[2]])])])
        kept = graph.node("Mul", [update, graph.node("Sub", [state, new])])
        moved = graph.node("Add", [new, kept])
        past = graph.node("Mul", [graph.node("Sub", [one, there]), state])
        state = graph.node("Add", [graph.node("Mul", [there, moved]), past])
    return state


def _heads(graph: Nodes, x: str, count: int, heads: int, width: int) -> str:
    """From ``(batch, count, heads * width)`` to ``(batch, heads, count, width)``."""
    return graph.node("Transpose", [graph.node("Reshape", [x, graph.whole(0, count, heads, width)])], perm=[0, 2, 1, 3])


def _gathered(graph: Nodes, query: str, key: str, value: str, seen: str, width: int) -> str:
    """Attention; ``seen`` broadcasts to ``(batch, heads, queries, keys)``."""
    scores = graph.node("MatMul", [query, graph.node("Transpose", [key], perm=[0, 1, 3, 2])])
    scores = graph.node("Div", [scores, graph.constant(np.float32(math.sqrt(width)))])
    scores = graph.node("Where", [seen, scores, graph.constant(np.float32(-np.inf))])
    return graph.node("MatMul", [graph.node("Softmax", [scores], axis=-1), value])


def _attending(graph: Nodes, encoder: Attending, window: Window) -> str:
    steps, columns = window.shape
    width = encoder.size // encoder.heads
    embedded = graph.linear(encoder.embed, graph.sliced(window.now, 2, 0, columns - 1))
    embedded = graph.node("Add", [embedded, graph.constant(array(encoder.positions))])
    normed = graph.norm(encoder.norm, embedded)
    last = graph.sliced(normed, 1, steps - 1, steps)
    query = _heads(graph, graph.linear(encoder.query, last), 1, encoder.heads, width)
    key = _heads(graph, graph.linear(encoder.key, normed), steps, encoder.heads, width)
    value = _heads(graph, graph.linear(encoder.value, normed), steps, encoder.heads, width)
    seen = graph.node("Unsqueeze", [_there(graph, window), graph.whole(1, 2)])
    found = _gathered(graph, query, key, value, seen, width)
    found = graph.node("Reshape", [found, graph.whole(0, encoder.size)])
    own = graph.node("Squeeze", [graph.sliced(embedded, 1, steps - 1, steps), graph.whole(1)])
    made = graph.node("Add", [own, graph.linear(encoder.mix, found)])
    return graph.node("Add", [made, _feed(graph, encoder.feed, graph.norm(encoder.after, made))])


def _feed(graph: Nodes, layers: nn.Sequential, x: str) -> str:
    """Two linear layers with an activation between them; GELU by its definition, which the opset lacks."""
    first, activation, second = layers
    assert isinstance(first, nn.Linear) and isinstance(second, nn.Linear)
    x = graph.linear(first, x)
    if isinstance(activation, nn.GELU):
        scaled = graph.node("Erf", [graph.node("Div", [x, graph.constant(np.float32(math.sqrt(2)))])])
        half = graph.node("Mul", [x, graph.constant(np.float32(0.5))])
        x = graph.node("Mul", [half, graph.node("Add", [scaled, graph.constant(np.float32(1))])])
    else:
        x = graph.node("Relu", [x])
    return graph.linear(second, x)


def _decision(graph: Nodes, encoder: DecisionTransformer, window: Window) -> str:
    steps, columns = window.shape
    split, tokens = 1 + encoder.seen_size, TOKENS * steps
    size = encoder.steps.shape[1]
    each = [
        graph.linear(encoder.returns, graph.sliced(window.now, 2, 0, 1)),
        graph.linear(encoder.seen, graph.sliced(window.now, 2, 1, split)),
        graph.linear(encoder.action, graph.sliced(window.now, 2, split, columns - 1)),
    ]
    beside = graph.node("Concat", [graph.node("Unsqueeze", [x, graph.whole(2)]) for x in each], axis=2)
    placed = graph.node("Add", [beside, graph.constant(array(encoder.steps)[:, None])])
    x = graph.norm(encoder.norm, graph.node("Reshape", [placed, graph.whole(0, tokens, size)]))
    # Which step a token is of, so that a step that is not there is attended to by itself alone.
    there = graph.node("Gather", [_there(graph, window), graph.whole(*np.repeat(np.arange(steps), TOKENS))], axis=1)
    there = graph.node("Unsqueeze", [there, graph.whole(1)])
    seen = graph.node("And", [graph.constant(encoder.causal.numpy()), there])
    seen = graph.node("Or", [seen, graph.constant(np.eye(tokens, dtype=np.bool_))])
    seen = graph.node("Unsqueeze", [seen, graph.whole(1)])
    for block in encoder.blocks:
        assert isinstance(block, Block)
        x = _block(graph, block, x, seen, tokens, size)
    at = tokens - TOKENS + 1  # the observation's token of the last step
    return graph.node("Squeeze", [graph.sliced(graph.norm(encoder.last, x), 1, at, at + 1), graph.whole(1)])


def _block(graph: Nodes, block: Block, x: str, seen: str, tokens: int, size: int) -> str:
    width = size // block.heads
    beside = graph.linear(block.qkv, graph.norm(block.before, x))
    query, key, value = (
        _heads(graph, graph.sliced(beside, 2, k * size, (k + 1) * size), tokens, block.heads, width) for k in range(3)
    )
    found = _gathered(graph, query, key, value, seen, width)
    found = graph.node("Reshape", [graph.node("Transpose", [found], perm=[0, 2, 1, 3]), graph.whole(0, tokens, size)])
    x = graph.node("Add", [x, graph.linear(block.mix, found)])
    return graph.node("Add", [x, _feed(graph, block.feed, graph.norm(block.between, x))])
