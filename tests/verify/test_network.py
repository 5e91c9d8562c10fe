"""The method `network`: what is proved holds on dense samples, what is falsified replays, bad input has its code."""

import json
from pathlib import Path

import numpy as np
import pytest

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.network.method import run_onnx, verify_files
from agentc.runtime.verify.network.mlp import Layer, Network
from agentc.runtime.verify.network.onnx_reader import read_onnx
from agentc.runtime.verify.network.vnnlib import parse_vnnlib
from agentc.runtime.verify.network.zonotope import bound, relaxation

from .networks import at_most, forward, random_mlp, write_mlp

ACAS = Path(__file__).resolve().parents[3] / "shared" / "bench" / "network"


@pytest.mark.parametrize("activation", ["Relu", "Tanh", "Sigmoid"])
@pytest.mark.parametrize("form", ["matmul", "gemm", "shifted"])
def test_a_file_is_read_as_onnxruntime_runs_it(tmp_path, activation, form):
    randomness = np.random.default_rng(len(activation))
    weights, biases = random_mlp(randomness, (3, 8, 8, 2))
    shift = [0.5, -1.25, 3.0] if form == "shifted" else None
    path = write_mlp(tmp_path / "n.onnx", weights, biases, activation, gemm=form == "gemm", shift=shift)
    reading = read_onnx(path)
    for x in randomness.uniform(-2, 2, (20, 3)).astype(np.float32).astype(np.float64):
        ours = reading.network(x[None])[0]
        assert np.allclose(ours, run_onnx(reading, x), atol=1e-5)
        assert np.allclose(ours, forward(weights, biases, x[None], activation, shift)[0], atol=1e-12)


@pytest.mark.parametrize("activation", ["Relu", "Tanh", "Sigmoid"])
def test_verdicts_against_dense_samples(tmp_path, activation):
    """The truth is bracketed by sampling: above the greatest sample by a margin it is proved, below it falsified."""
    for seed in range(6):
        randomness = np.random.default_rng([seed, len(activation)])
        weights, biases = random_mlp(randomness, (2, 7, 7, 1))
        path = write_mlp(tmp_path / f"{seed}.onnx", weights, biases, activation)
        axis = np.linspace(-1, 1, 301)
        values = forward(weights, biases, np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2), activation)
        top, spread = float(values.max()), float(np.ptp(values))
        for limit, wanted in ((top + 0.02 * spread, Verdict.PROVED), (top - 0.02 * spread, Verdict.FALSIFIED)):
            (tmp_path / "p.vnnlib").write_text(at_most(limit))
            answer = verify_files(path, tmp_path / "p.vnnlib")
            assert answer.verdict is wanted, (seed, answer)
            if wanted is Verdict.PROVED:
                assert answer.checked and answer.assumptions
            else:
                x = np.array(answer.evidence["input"])
                assert run_onnx(read_onnx(path), x)[0] >= limit and (np.abs(x) <= 1).all()


def test_bounds_enclose_samples():
    for seed in range(20):
        randomness = np.random.default_rng(seed)
        weights, biases = random_mlp(randomness, (3, 6, 6, 2))
        activation = ("relu", "tanh", "sigmoid")[seed % 3]
        layers = [Layer(w, b, activation if k < 2 else "identity") for k, (w, b) in enumerate(zip(weights, biases))]
        network = Network(tuple(layers))
        middle, half = randomness.normal(0, 1, (5, 3)), randomness.exponential(0.5, (5, 3))
        rows, limits = randomness.normal(0, 1, (4, 2)), randomness.normal(0, 1, 4)
        least = bound(network, middle - half, middle + half, rows, limits).least
        for _ in range(200):
            x = randomness.uniform(middle - half, middle + half)
            assert (rows @ network(x).T - limits[:, None] >= least - 1e-9).all()


def test_the_weakest_neuron_is_the_one_whose_relaxation_loses_most():
    """Of two neurons that are unstable, the one with the larger weight behind it."""
    from agentc.runtime.verify.network.zonotope import weakest

    first = Layer(np.eye(2), np.array([0.0, 0.1]), "relu")
    network = Network((first, Layer(np.array([[1.0, 30.0]]), np.zeros(1))))
    layer, neuron, share = weakest(network, -np.ones(2), np.ones(2), np.ones(1))
    assert (layer, neuron) == (1, 2) and share > 0.9
    assert weakest(network, np.full(2, 0.5), np.ones(2), np.ones(1)) is None


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_relaxations_enclose_the_activation(activation):
    from agentc.runtime.verify.network.mlp import activate

    randomness = np.random.default_rng(3)
    lo = randomness.normal(0, 3, 500)
    hi = lo + randomness.exponential(2, 500)
    slope, low, high = relaxation(activation, lo, hi)
    for share in np.linspace(0, 1, 41):
        z = lo + share * (hi - lo)
        assert (slope * z + low <= activate(activation, z) + 1e-12).all()
        assert (activate(activation, z) <= slope * z + high + 1e-12).all()


def test_a_property_that_cannot_fail_is_vacuous(tmp_path):
    path = write_mlp(tmp_path / "n.onnx", *random_mlp(np.random.default_rng(0), (2, 4, 1)))
    (tmp_path / "p.vnnlib").write_text(at_most(5.0) + "(assert (<= X_0 -2.0))\n")
    answer = verify_files(path, tmp_path / "p.vnnlib")
    assert answer.verdict is Verdict.VACUOUS and answer.certificate is None


def test_a_violation_of_every_output_is_found(tmp_path):
    path = write_mlp(tmp_path / "n.onnx", *random_mlp(np.random.default_rng(0), (1, 3, 1)))
    text = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (<= X_0 1.0))(assert (>= X_0 1.0))"
    (tmp_path / "p.vnnlib").write_text(text)
    assert verify_files(path, tmp_path / "p.vnnlib").verdict is Verdict.FALSIFIED


def test_no_time_is_unknown_with_how_far_it_got(tmp_path):
    weights, biases = random_mlp(np.random.default_rng(5), (6, 40, 40, 40, 1))
    path = write_mlp(tmp_path / "n.onnx", weights, biases)
    values = forward(weights, biases, np.random.default_rng(1).uniform(-1, 1, (50_000, 6)))
    (tmp_path / "p.vnnlib").write_text(at_most(float(values.max() + 0.3 * np.ptp(values)), 6))
    answer = verify_files(path, tmp_path / "p.vnnlib", seconds=0.02)
    assert answer.verdict is Verdict.UNKNOWN and 0 <= answer.evidence["share"] < 1
    ((lo, hi),) = answer.evidence["open"]
    assert (np.array(lo) >= -1).all() and (np.array(hi) <= 1).all() and "open is X_0 in [" in answer.sentence
    weak = answer.evidence["weakest"]
    assert 1 <= weak["layer"] <= 3 and 1 <= weak["neuron"] <= 40 and 0 < weak["share"] <= 1


@pytest.mark.parametrize(
    "text",
    [
        "(assert (<= X_0 1))",
        "(declare-const X_0 Real",
        "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (< Y_0 1))",
        "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (<= X_0 1))(assert (<= Y_0 nan))",
        "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (<= X_0 Y_0))",
        "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (<= Y_0 (* Y_0 Y_0)))",
        "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(assert (<= X_0 X_1))",
        "(set-logic QF_LRA)",
        "\x00",
    ],
)
def test_what_is_no_property_is_refused(text):
    with pytest.raises(AgentcError) as error:
        parse_vnnlib(text)
    assert [d.code for d in error.value.diagnostics] == ["AS1315"]


def test_decimals_are_rounded_outward():
    text = "(declare-const X_0 Real)(declare-const Y_0 Real)"
    text += "(assert (>= X_0 0.1))(assert (<= X_0 0.3))(assert (<= Y_0 0.7))"
    (case,) = parse_vnnlib(text).cases
    lo, hi = case.box()
    from fractions import Fraction

    assert Fraction(lo[0]) <= Fraction(1, 10) and Fraction(hi[0]) >= Fraction(3, 10)
    assert Fraction(case.linear()[1][0]) >= Fraction(7, 10)


def test_float32_is_covered_by_splitting_further(tmp_path):
    """Of some thousand parts all are closed for every float32 evaluation, in any order of summation."""
    weights, biases = random_mlp(np.random.default_rng(3), (3, 16, 16, 1))
    path = write_mlp(tmp_path / "n.onnx", weights, biases)
    values = forward(weights, biases, np.random.default_rng(1).uniform(-1, 1, (100_000, 3)))
    (tmp_path / "p.vnnlib").write_text(at_most(float(values.max() + 0.005 * np.ptp(values)), 3))
    answer = verify_files(path, tmp_path / "p.vnnlib")
    assert answer.word == "proved" and answer.evidence["float32"], answer
    assert "float32" in answer.assumptions[0]


def test_a_bound_that_float32_can_cross_is_proved_for_exact_numbers_only(tmp_path):
    """The bound is above the greatest value by less than a rounding."""
    weights, biases = [np.full((1, 2), 0.5)], [np.array([1000.0])]
    path = write_mlp(tmp_path / "n.onnx", weights, biases)
    (tmp_path / "p.vnnlib").write_text(at_most(1001.00001))
    answer = verify_files(path, tmp_path / "p.vnnlib")
    assert answer.word == "proved" and not answer.evidence["float32"]
    assert "in real arithmetic" in answer.assumptions[0]


def outside_weights(path, place):
    """The model at ``path`` with its weights in another file."""
    import onnx

    model = onnx.load(path)
    onnx.save_model(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = place
    path.write_bytes(model.SerializeToString())


def test_weights_beside_the_model_are_read_and_part_of_its_digest(tmp_path):
    path = write_mlp(tmp_path / "n.onnx", *random_mlp(np.random.default_rng(0), (2, 4, 1)))
    before = read_onnx(path).network(np.ones((1, 2)))
    outside_weights(path, "w.bin")
    reading = read_onnx(path)
    assert (reading.network(np.ones((1, 2))) == before).all()
    assert np.allclose(run_onnx(reading, np.ones(2)), before[0], atol=1e-6)
    (tmp_path / "p.vnnlib").write_text(at_most(100.0))
    document = verify_files(path, tmp_path / "p.vnnlib").certificate.data()
    assert check(document, tmp_path).accepted
    data = bytearray((tmp_path / "w.bin").read_bytes())
    data[3] ^= 1
    (tmp_path / "w.bin").write_bytes(bytes(data))
    assert "not the one" in check(document, tmp_path).reason


@pytest.mark.parametrize("place", ["../w.bin", "/etc/hostname", "sub/../../w.bin", "missing.bin"])
def test_weights_elsewhere_are_refused(tmp_path, place):
    path = write_mlp(tmp_path / "n.onnx", *random_mlp(np.random.default_rng(0), (2, 4, 1)))
    outside_weights(path, place)
    with pytest.raises(AgentcError) as error:
        read_onnx(path)
    assert [d.code for d in error.value.diagnostics] == ["AS1311" if place == "missing.bin" else "AS1313"]


@pytest.mark.parametrize("head", ["policy", "deterministic"])
@pytest.mark.parametrize("normalize", [False, True])
def test_an_exported_policy_is_read(tmp_path, head, normalize):
    """Squashing, scaling to the bounds, clipping, and the second output are understood."""
    torch = pytest.importorskip("torch")
    from gymnasium import spaces

    from agentc.runtime.learn.architecture import architecture_for
    from agentc.runtime.learn.networks.actor_critic import ActorCritic
    from agentc.runtime.learn.policy import Policy

    space = spaces.Box(-10, 10, (3,), np.float32)
    bounds = spaces.Box(np.array([-2, 0], np.float32), np.array([1, 5], np.float32))
    network = ActorCritic(architecture_for(space, bounds, hidden=8, head=head, normalize=normalize),
                          torch.Generator().manual_seed(0))  # fmt: skip
    with torch.no_grad():
        network.actor[-1].weight.mul_(60.0)
    path = Policy(network).export(tmp_path / "policy.onnx")
    reading = read_onnx(path)
    found = []
    for x in np.random.default_rng(0).uniform(-9, 9, (40, 3)).astype(np.float32).astype(np.float64):
        ours = reading.network(x[None])[0]
        assert np.allclose(ours, run_onnx(reading, x), atol=1e-4)
        found.append(ours)
    found = np.array(found)
    assert (found >= [-2, 0]).all() and (found <= [1, 5]).all() and np.ptp(found, axis=0).min() > 0.1
    limit = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const X_2 Real)(declare-const Y_0 Real)"
    limit += "(declare-const Y_1 Real)" + "".join(f"(assert (<= X_{i} 9.0))(assert (>= X_{i} -9.0))" for i in range(3))
    (tmp_path / "p.vnnlib").write_text(limit + "(assert (>= Y_0 3.0))")
    assert verify_files(path, tmp_path / "p.vnnlib").word == "proved"


# ---------------------------------------------------------------- certificates


@pytest.fixture(scope="module")
def proof(tmp_path_factory):
    """Some proofs with their folder; each has a tree with splits."""
    folder = tmp_path_factory.mktemp("proofs")
    found = []
    for seed in range(3):
        weights, biases = random_mlp(np.random.default_rng(seed), (2, 8, 8, 2))
        write_mlp(folder / f"{seed}.onnx", weights, biases, ("Relu", "Tanh", "Sigmoid")[seed])
        axis = np.linspace(-1, 1, 201)
        values = forward(weights, biases, np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2),
                         ("Relu", "Tanh", "Sigmoid")[seed])  # fmt: skip
        top, spread = values.max(axis=0), np.ptp(values, axis=0)
        first, second = top + 0.01 * spread
        text = at_most(0.0, 2, 2).replace(
            "(assert (>= Y_0 0.0))", f"(assert (or (>= Y_0 {first}) (and (>= Y_1 {second}) (>= Y_0 -99))))"
        )
        (folder / f"{seed}.vnnlib").write_text(text)
        answer = verify_files(folder / f"{seed}.onnx", folder / f"{seed}.vnnlib")
        assert answer.verdict is Verdict.PROVED and answer.checked
        document = json.loads(json.dumps(answer.certificate.data()))
        assert len(document["argument"]["trees"][0]) > 3
        low = text.replace(f"{first}", f"{top[0] - 0.01 * spread[0]}")
        found.append((document, low))
    return folder, found


def resealed(document):
    from agentc.runtime.verify.certificate import seal

    body = {key: value for key, value in document.items() if key != "seal"}
    return {**body, "seal": seal(body)}


def test_the_certificates_are_accepted(proof):
    folder, found = proof
    for document, _ in found:
        assert check(document, folder).accepted


def mutants(document, false_property):
    """Certificates that claim something else or whose argument does not close; each is sealed anew."""
    tree = document["argument"]["trees"][0]

    def with_tree(nodes):
        return {**document, "argument": {"trees": [nodes]}}

    for at in range(len(tree)):
        yield with_tree(tree[:at])  # a part without leaves
        yield with_tree([*tree[:at], *tree[at + 1 :]])  # a node is missing
        yield with_tree([*tree[:at], 0, *tree[at:]])  # a split without its halves
        yield with_tree([*tree[:at], -99, *tree[at + 1 :]])  # a row that is not there
        yield with_tree([*tree[:at], 2, *tree[at + 1 :]])  # an input that is not there
        if tree[at] < 0:
            yield with_tree([*tree[:at], -1 - 2 - ((-1 - tree[at]) % 2), *tree[at + 1 :]])  # another digit
            yield with_tree([*tree[:at], str(tree[at]), *tree[at + 1 :]])
    yield with_tree([-1])  # no split at all
    yield with_tree([])
    yield with_tree([*tree, -1])
    yield {**document, "argument": {"trees": []}}
    yield {**document, "argument": {"trees": [tree, tree]}}
    yield {**document, "argument": {}}
    yield {**document, "subject": {**document["subject"], "property": false_property}}  # what is claimed is false
    yield {**document, "subject": {**document["subject"], "digest": "sha256:" + "0" * 64}}
    yield {**document, "subject": {**document["subject"], "network": "missing.onnx"}}
    wider = document["subject"]["property"].replace("X_0 1.0", "X_0 40.0")
    yield {**document, "subject": {**document["subject"], "property": wider}}
    yield {**document, "claim": {"holds": "everything", "outcome": "unsat"}}
    yield {**document, "kind": "belief"}
    yield {**document, "agentc certificate": 2}


def test_mutated_certificates_are_rejected(proof):
    folder, found = proof
    count = 0
    for document, false_property in found:
        for mutant in mutants(document, false_property):
            finding = check(resealed(mutant), folder)
            assert not finding.accepted and finding.reason, mutant["argument"]
            count += 1
        text = json.dumps(document)
        for at in range(40, len(text) - 90, max(1, len(text) // 60)):  # one damaged character, the seal left as it was
            damaged = text[:at] + ("7" if text[at] != "7" else "3") + text[at + 1 :]
            try:
                mutant = json.loads(damaged)
            except ValueError:
                continue
            assert not check(mutant, folder).accepted
            count += 1
    assert count >= 200


def test_a_certificate_of_another_network_is_rejected(proof):
    folder, found = proof
    document = found[0][0]
    other = {**document, "subject": {**document["subject"], "network": "1.onnx"}}
    assert "not the one" in check(resealed(other), folder).reason


@pytest.mark.parametrize("document", [None, [], 3, "x", {}, {"agentc certificate": 1}, {"agentc certificate": []}])
def test_what_is_no_certificate_is_rejected(document):
    assert not check(document).accepted


def test_the_checker_imports_no_prover():
    import ast

    import agentc.runtime.verify.checker as checker

    allowed = {"numpy", "onnx", "__future__", "agentc.runtime.verify.checker"}
    for path in Path(checker.__file__).parent.glob("*.py"):
        lines = path.read_text("utf-8").splitlines()
        assert len(lines) <= 360, f"{path.name} is too long to be read in one go"
        for node in ast.walk(ast.parse("\n".join(lines))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                import sys

                known = name in allowed or name.split(".")[0] in sys.stdlib_module_names or name.startswith(
                    ("agentc.compiler.", "agentc.lang.", "agentc.runtime.verify.checker.")
                )
                assert known, f"{path.name} imports {name}"


# ---------------------------------------------------------------- the yardstick


@pytest.mark.skipif(not ACAS.is_dir(), reason="the networks are not there")
@pytest.mark.parametrize(
    ("network", "prop", "wanted"),
    [("1_1", 1, "proved"), ("1_1", 4, "proved"), ("2_9", 1, "proved"), ("2_9", 3, "proved"), ("2_9", 2, "falsified"),
     ("2_9", 8, "falsified")],
)  # fmt: skip
def test_acas_xu(network, prop, wanted):
    answer = verify_files(ACAS / f"ACASXU_run2a_{network}_batch_2000.onnx", ACAS / f"prop_{prop}.vnnlib", 116)
    assert answer.word == wanted
    assert wanted == "falsified" or answer.evidence["float32"]
