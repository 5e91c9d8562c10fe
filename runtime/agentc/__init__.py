"""Declarative agents with proofs: the public names of agentc.

Everything here is loaded when it is first used, so that ``import agentc`` costs nothing and the parts that need
no learner work without one. The list is a promise: a test compares it with the reference page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentc.compiler.automata.dfa import DFA
    from agentc.compiler.automata.ltlf import translate
    from agentc.compiler.backends.base import Backend, backends, register
    from agentc.compiler.logic.finality import verdict
    from agentc.compiler.logic.semantics import evaluate, robustness
    from agentc.compiler.logic.trace import Trace
    from agentc.compiler.logic.verdict import Verdict
    from agentc.compiler.pipeline import check, compile_formula
    from agentc.lang.diagnostics import AgentcError, Diagnostic
    from agentc.runtime.compilation import compile, load
    from agentc.runtime.envs.listing import list_environments as environments
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.monitor import Monitor
    from agentc.runtime.spec_env import SpecEnv, wrap
    from agentc.runtime.spec_vector import SpecVectorEnv

_HOMES = {
    "AgentcError": "agentc.lang.diagnostics:AgentcError",
    "Backend": "agentc.compiler.backends.base:Backend",
    "DFA": "agentc.compiler.automata.dfa:DFA",
    "Diagnostic": "agentc.lang.diagnostics:Diagnostic",
    "Monitor": "agentc.runtime.monitor:Monitor",
    "Policy": "agentc.runtime.learn.policy:Policy",
    "SpecEnv": "agentc.runtime.spec_env:SpecEnv",
    "SpecVectorEnv": "agentc.runtime.spec_vector:SpecVectorEnv",
    "Trace": "agentc.compiler.logic.trace:Trace",
    "Verdict": "agentc.compiler.logic.verdict:Verdict",
    "backends": "agentc.compiler.backends.base:backends",
    "check": "agentc.compiler.pipeline:check",
    "compile": "agentc.runtime.compilation:compile",
    "compile_formula": "agentc.compiler.pipeline:compile_formula",
    "environments": "agentc.runtime.envs.listing:list_environments",
    "evaluate": "agentc.compiler.logic.semantics:evaluate",
    "load": "agentc.runtime.compilation:load",
    "register": "agentc.compiler.backends.base:register",
    "robustness": "agentc.compiler.logic.semantics:robustness",
    "translate": "agentc.compiler.automata.ltlf:translate",
    "verdict": "agentc.compiler.logic.finality:verdict",
    "wrap": "agentc.runtime.spec_env:wrap",
}

__all__ = [
    "DFA",
    "AgentcError",
    "Backend",
    "Diagnostic",
    "Monitor",
    "Policy",
    "SpecEnv",
    "SpecVectorEnv",
    "Trace",
    "Verdict",
    "backends",
    "check",
    "compile",
    "compile_formula",
    "environments",
    "evaluate",
    "load",
    "register",
    "robustness",
    "translate",
    "verdict",
    "wrap",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'agentc' has no attribute {name!r}")
    from importlib import import_module

    module, _, attribute = home.partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
