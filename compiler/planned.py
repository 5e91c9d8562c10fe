"""What the language can say and no backend does yet, as data: names known to ``check``, so that it can say so.

A backend that is built takes its row out of here: an algorithm then has its schema in
:mod:`agentc.compiler.training_config`, a method is named in :mod:`agentc.compiler.verify_config`.
"""

from __future__ import annotations

ALGORITHMS: dict[str, str] = {
    "cql": "conservative Q-learning from recorded data",
    "grpo": "group-relative policy optimisation of a language model",
    "rloo": "leave-one-out policy gradient of a language model",
    "dpo": "direct preference optimisation of a language model",
    "sft": "supervised fine-tuning of a language model",
    "mappo": "proximal policy optimisation with a central critic for several roles",
}
"""Training algorithms to come, each with what it is."""

BACKENDS: dict[str, str] = {
    "role": "multi-agent",
}
"""The backend that each construct waits for."""
