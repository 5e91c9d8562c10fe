"""Whether the robustness of a formula can be infinite, so that as a reward it needs a ``clip``.

For each formula of the core: can its robustness be ``+inf``, can it be ``-inf``, at some step of some trace? What
is said to be finite is finite on every trace whose sums and products do not overflow.
"""

from __future__ import annotations

from collections.abc import Mapping

from agentc.compiler.logic.ir import ALWAYS, Formula, Node, Term, postorder
from agentc.compiler.logic.rewrite import desugar, formula_nodes

_PARTIAL = ("prev", "div", "pow", "sqrt", "log", "exp")
"""Operators that may have no value; an atom without one has robustness ``-inf``."""


def can_be_infinite(f: Formula, kinds: Mapping[str, str]) -> bool:
    """Whether the robustness of ``f`` may be infinite; ``kinds`` are the kinds of the signals' types."""
    core = desugar(f)
    above: dict[Formula, bool] = {}
    below: dict[Formula, bool] = {}
    for node in formula_nodes(core):
        x = node.args
        late = (node.interval or ALWAYS)[0] > 0  # then the window can lie beyond the trace
        match node.op:
            case "true" | "false":
                above[node], below[node] = node.op == "true", node.op == "false"
            case "atom":
                above[node], below[node] = _atom(node.predicate, kinds)
            case "not":
                above[node], below[node] = below[x[0]], above[x[0]]
            case "and":
                above[node], below[node] = all(above[a] for a in x), any(below[a] for a in x)
            case "or":
                above[node], below[node] = any(above[a] for a in x), all(below[a] for a in x)
            case "U" | "S":  # a window that begins at this step has the value of the second argument there
                above[node], below[node] = above[x[1]], late or below[x[1]]
            case "R" | "T":
                above[node], below[node] = late or above[x[1]], below[x[1]]
            case op:
                raise ValueError(f"no core operator is named {op!r}")
    return above[core] or below[core]


def _atom(predicate: Term, kinds: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether the margin of an atom can be ``+inf`` and ``-inf``."""
    if predicate.op not in ("compare", "in_range", "in_region", "in_set"):
        return True, True
    if any(_symbolic(a, kinds) for a in predicate.args):
        return True, True
    return False, any(_may_lack_value(n) for n in postorder(predicate))


def _symbolic(node: Node, kinds: Mapping[str, str]) -> bool:
    """Whether what is compared is no number: an enum member, a text, a Boolean."""
    if node.op == "const":
        return isinstance(node.value, bool | str)
    return node.op in ("signal", "prev") and kinds.get(str(node.value), "real") in ("bool", "enum", "text", "vector")


def _may_lack_value(node: Node) -> bool:
    return node.op in _PARTIAL or (node.op == "signal" and str(node.value).split(".")[0] == "action")
