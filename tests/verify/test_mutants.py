"""Systematic damage to the certificates of all methods: what is left out or of another type is never accepted."""

import json

import numpy as np
import pytest

from agentc.runtime.verify.checker import check
from agentc.runtime.verify.method import decide
from agentc.runtime.verify.network.method import verify_files
from agentc.runtime.verify.problem import problem_of

from .certificates import induction_mutants, mutants_of, resealed
from .networks import at_most, forward, random_mlp, write_mlp
from .systems import PENDULUM, TANK, problem
from .test_extraction import agent as grid
from .test_induction import STRONGER, SYSTEMS
from .test_model import GRID, agent


def network_certificate(folder):
    weights, biases = random_mlp(np.random.default_rng(0), (2, 8, 8, 1))
    path = write_mlp(folder / "n.onnx", weights, biases)
    values = forward(weights, biases, np.random.default_rng(1).uniform(-1, 1, (50_000, 2)))
    (folder / "p.vnnlib").write_text(at_most(float(values.max() + 0.01 * np.ptp(values))))
    return verify_files(path, folder / "p.vnnlib").certificate


def certificates(folder):
    """By kind and number, the certificates of small proofs, each with the folder of its files."""
    found = [network_certificate(folder)]
    for system, formula, k in SYSTEMS:
        a = agent(system, f"  safe f = {formula}\n  verify f by induction {{ k = {k} }}")
        found.append(decide(problem_of(a, 0)).certificate)
    a = agent(GRID, "  safe f = G (x >= 1 -> O x == 0)\n  verify f by model")
    found.append(decide(problem_of(a, 0)).certificate)
    a = grid("office(slip = 0.2)", "safe f = G (first | !(prev.tile == coffee & tile == office)); verify f by model")
    found.append(decide(problem_of(a, 0)).certificate)
    for item in (problem(TANK, "G level <= 0.7m", "by reach { controller = shut }"),
                 problem(PENDULUM, "G th <= 2", "by reach { controller = swing }")):  # fmt: skip
        found.append(decide(item).certificate)
    return [json.loads(json.dumps(c.data())) for c in found if c is not None]


@pytest.mark.slow
def test_no_damaged_certificate_of_any_method_is_accepted(tmp_path, capsys):
    counts = {}
    for document in certificates(tmp_path):
        assert check(document, tmp_path).accepted, document["kind"]
        more = induction_mutants(document) if document["kind"] == "induction" else ()
        for mutant in [*mutants_of(document), *map(resealed, more)]:
            finding = check(mutant, tmp_path)
            assert not finding.accepted and finding.reason, (document["kind"], mutant.get("argument"))
            counts[document["kind"]] = counts.get(document["kind"], 0) + 1
    for formula, stronger in STRONGER.items():
        system, _, k = next(s for s in SYSTEMS if s[1] == formula)
        a = agent(system, f"  safe f = {formula}\n  verify f by induction {{ k = {k} }}")
        document = json.loads(json.dumps(decide(problem_of(a, 0)).certificate.data()))
        for mutant in list(induction_mutants(document, stronger))[-1:]:
            assert not check(resealed(mutant), tmp_path).accepted
            counts["induction"] += 1
    with capsys.disabled():
        print(f"\nmutated certificates, all rejected: {sum(counts.values())} {counts}")
    assert sum(counts.values()) >= 500 and set(counts) >= {"network", "induction", "model", "reach"}
