"""Certificates of reachable sets: accepted as made, rejected when anything in them is changed; the checker's sets."""

import base64
import copy
import json
import zlib

import numpy as np
import pytest

from agentc.compiler.codec import encode_agent
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.systems.dynamics import Dynamics
from agentc.compiler.systems.integrators import runge_kutta
from agentc.runtime.verify.certificate import seal
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.checker.flow import Form, add, curve, mul, step
from agentc.runtime.verify.checker.future import holds
from agentc.runtime.verify.method import decide

from .networks import random_mlp, write_mlp
from .systems import PENDULUM, TANK, agent_of, problem
from .test_reach import points
from .test_truth import VARIABLES, random_formula

FORMULA = "G th <= 1.25rad & F[0s, 0.3s] th <= 1.15rad"
DECAY = """
system decay {
  state x : real
  disturbance w : real in [-0.1, 0.1]
  x' = 0.5 * x + w
  step 1s by difference
  init { x in [-1, 1] }
}
"""


def document_of(p):
    answer = decide(p)
    assert answer.word == "proved" and answer.checked, answer.sentence
    return json.loads(json.dumps(answer.certificate.data()))


def networked(folder):
    weights, biases = random_mlp(np.random.default_rng(2), (2, 10, 10, 1))
    write_mlp(folder / "n.onnx", weights, biases, "Tanh")
    return problem(PENDULUM, "G th <= 3rad", 'by reach { controller = "n.onnx" }', folder=folder, horizon=4)


@pytest.fixture(scope="module")
def proofs(tmp_path_factory):
    """The folder, and certificates: split and disturbed, of a network, of a difference equation, of free inputs."""
    folder = tmp_path_factory.mktemp("tubes")
    asked = [
        problem(PENDULUM, FORMULA, "by reach { controller = swing; split = 2 }", horizon=6),
        networked(folder),
        problem(DECAY, "G abs(x) <= 1.01", "by reach", horizon=5),
        problem(TANK, "G level <= 2m", "by reach", horizon=5),
    ]
    return folder, [document_of(p) for p in asked]


def resealed(document):
    body = {key: value for key, value in document.items() if key != "seal"}
    return {**body, "seal": seal(body)}


def test_they_are_accepted_and_say_what_they_show(proofs):
    folder, found = proofs
    facts = [check(resealed(document), folder).facts for document in found]
    assert [f["parts"] for f in facts] == [4, 1, 1, 1] and [f["periods"] for f in facts] == [6, 4, 5, 5]
    assert [f["float32"] for f in facts] == [False, True, False, False]


def test_the_network_is_found_above_the_certificate(proofs):
    folder, found = proofs
    below = folder / "build" / "certificates"
    below.mkdir(parents=True, exist_ok=True)
    assert check(found[1], below).accepted


def test_a_trained_policy_is_what_the_certificate_names(tmp_path):
    from dataclasses import replace

    weights, biases = random_mlp(np.random.default_rng(2), (2, 10, 10, 1))
    write_mlp(tmp_path / "policy.onnx", weights, biases, "Tanh")
    p = problem(PENDULUM, "G th <= 3rad", "by reach { controller = trained }", horizon=4)
    document = document_of(replace(p, policy=tmp_path / "policy.onnx"))
    (tmp_path / "certificates").mkdir()
    assert document["subject"]["network"] == "policy.onnx" and check(document, tmp_path / "certificates").accepted


def array(start, key, count, periods, n, width):
    shape = {"centres": (n,), "own": (n,), "columns": (n, width - n), "kept": (width - n,)}[key]
    raw = zlib.decompress(base64.b64decode(start[key]))
    return np.frombuffer(raw, "<i2" if key == "kept" else "<f4").reshape((count, periods, *shape)).copy()


def text(values, kind):
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).astype(kind).tobytes())).decode()


def with_start(document, **changed):
    made = copy.deepcopy(document)
    made["argument"]["starts"][0].update(changed)
    return made


def set_mutants(document, count, periods, n, *, rows):
    """Certificates in which a set of some part and period is another one."""
    start = document["argument"]["starts"][0]
    width = start["generators"]
    arrays = {key: array(start, key, count, periods, n, width) for key in ("centres", "own", "columns", "kept")}

    def changed(key, change):
        values = arrays[key].copy()
        change(values)
        return with_start(document, **{key: text(values, "<i2" if key == "kept" else "<f4")})

    for part, t in rows:
        reach = np.abs(arrays["columns"][part, t]).sum(axis=1) + arrays["own"][part, t]
        wide = int(reach.argmax())
        most = int(np.abs(arrays["columns"][part, t, wide]).argmax())
        loose = int((arrays["own"][part, t] / (1 + np.abs(arrays["centres"][part, t]))).argmax())
        yield changed("centres", lambda a: a.__setitem__((part, t, wide), a[part, t, wide] + 0.5 * reach[wide]))
        yield changed("centres", lambda a: a.__setitem__((part, t, wide), np.nan))
        yield changed("columns", lambda a: a.__setitem__((part, t, wide, most), 0.8 * a[part, t, wide, most]))
        yield changed("columns", lambda a: a.__setitem__((part, t, wide, most), -a[part, t, wide, most]))
        yield changed("columns", lambda a: a.__setitem__((part, t), 0.9 * a[part, t]))
        yield changed("own", lambda a: a.__setitem__((part, t, loose), 0.5 * a[part, t, loose]))
        yield changed("own", lambda a: a.__setitem__((part, t, loose), -a[part, t, loose]))
        yield changed("kept", lambda a: a.__setitem__((part, t, 0), -1))
        yield changed("kept", lambda a: a.__setitem__((part, t, 1), a[part, t, 0]))
        yield changed("kept", lambda a: a.__setitem__((part, t, 0), 3000))


def other_mutants(document, agents):
    """Certificates about something else, or whose parts don't fit."""
    start, subject = document["argument"]["starts"][0], document["subject"]
    for agent in agents:
        yield {**document, "subject": {**subject, "agent": encode_agent(agent)}}
    for item in (1, -1, "0", None):
        yield {**document, "subject": {**subject, "item": item}}
    yield {**document, "subject": {**subject, "network": "other.onnx"}}
    yield {**document, "subject": {**subject, "extra": 1}}
    for claim in ({"holds": "everything"}, {"periods": 5}, {"periods": 7}, {"periods": True}, {"more": 1}):
        yield {**document, "claim": {**document["claim"], **claim}}
    yield {**document, "argument": {"starts": []}}
    yield {**document, "argument": {"starts": [start, start]}}
    for key in start:
        lacking = copy.deepcopy(document)
        del lacking["argument"]["starts"][0][key]
        yield lacking
    for key in ("centres", "own", "columns", "kept"):
        yield with_start(document, **{key: start[key][:-8]})
        yield with_start(document, **{key: start["tree"]})
    for width in (start["generators"] - 1, start["generators"] + 1, 3, "40"):
        yield with_start(document, generators=width)
    for order in (1, 0, 1000, "4"):
        yield with_start(document, order=order)
    yield with_start(document, substeps=0)


def tree_mutants(document):
    tree = document["argument"]["starts"][0]["tree"]
    for at in range(len(tree)):
        yield with_start(document, tree=tree[:at])
        yield with_start(document, tree=[*tree[:at], 0, *tree[at:]])
        yield with_start(document, tree=[*tree[:at], [0, 1.1], *tree[at:]])
        if tree[at] != 0:
            side, value = tree[at]
            yield with_start(document, tree=[*tree[:at], [side, 100.0], *tree[at + 1 :]])
            yield with_start(document, tree=[*tree[:at], [7, value], *tree[at + 1 :]])
            yield with_start(document, tree=[*tree[:at], [side, value + 0.05], *tree[at + 1 :]])
            yield with_start(document, tree=[*tree[:at], [1 - side, 0.15], *tree[at + 1 :]])


def others(how="by reach { controller = swing; split = 2 }"):
    """Agents that differ from the proved one in one place."""
    for old, new in (
        ("th in [1, 1.2]", "th in [1, 1.21]"), ("om in [0, 0.2]", "om in [-0.01, 0.2]"), ("-0.01, 0.01", "-0.5, 0.5"),
        ("2 * sin", "9 * sin"), ("1.5 * th", "-9 * th"), ("0.05s", "0.06s"), ("[-20, 20]", "[-2, 2]"),
        ("th' = om", "th' = 2 * om"),
    ):  # fmt: skip
        changed = PENDULUM.replace(old, new)
        assert changed != PENDULUM
        yield agent_of(changed, f"  task f = {FORMULA}\n  verify f {how}", 6)
    for formula in ("G th <= 1.1rad", "F[0s, 0.3s] th <= 0.5rad", "G th >= 1.15rad", "O th >= 1rad"):
        yield agent_of(PENDULUM, f"  task f = {formula}\n  verify f {how}", 6)
    yield agent_of(PENDULUM, f"  task f = {FORMULA}\n  verify f {how}", 9)
    yield agent_of(PENDULUM, f"  task f = {FORMULA}\n  verify f by reach", 6)
    yield agent_of(PENDULUM, f"  task f = {FORMULA}\n  verify P >= 0.5 [f] by falsify", 6)


def rejected(mutants, folder):
    count = 0
    for mutant in mutants:
        finding = check(resealed(mutant), folder)
        assert not finding.accepted and finding.reason, mutant["argument"]["starts"][0].get("tree")
        count += 1
    return count


def test_mutated_sets_are_rejected(proofs):
    folder, found = proofs
    assert rejected(set_mutants(found[0], 4, 6, 2, rows=[(2, 3)]), folder) == 10


def test_other_agents_and_damaged_parts_are_rejected(proofs):
    folder, found = proofs
    assert rejected(other_mutants(found[0], list(others())), folder) >= 40


@pytest.mark.slow
def test_all_mutants_are_rejected(proofs):
    """Well above a hundred, each sealed anew."""
    folder, found = proofs
    count = rejected(tree_mutants(found[0]), folder)
    count += rejected(set_mutants(found[0], 4, 6, 2, rows=[(p, t) for p in range(4) for t in range(6)]), folder)
    count += rejected(set_mutants(found[1], 1, 4, 2, rows=[(0, t) for t in range(4)]), folder)
    count += rejected(other_mutants(found[1], []), folder)
    assert count >= 300


def test_a_changed_network_is_rejected(proofs, tmp_path):
    _, found = proofs
    weights, biases = random_mlp(np.random.default_rng(3), (2, 10, 10, 1))
    write_mlp(tmp_path / "n.onnx", weights, biases, "Tanh")
    assert "not the one" in check(found[1], tmp_path).reason
    content = (tmp_path / "n.onnx").read_bytes()
    from agentc.runtime.verify.certificate import digest

    other = {**found[1], "subject": {**found[1]["subject"], "digest": digest(content)}}
    assert "does not lie in the next set" in check(resealed(other), tmp_path).reason


# ---------------------------------------------------------------- the checker's own arithmetic


def random_forms(rng, count, size=40, generators=3):
    return [Form(rng.normal(0, 2, size), rng.normal(0, 0.4, (size, generators)), rng.exponential(0.1, size))
            for _ in range(count)]  # fmt: skip


TRUTH = {"sin": np.sin, "cos": np.cos, "exp": np.exp, "inverse": lambda x: 1 / x, "sqrt": np.sqrt, "log": np.log}


@pytest.mark.parametrize("op", ["add", "mul", "square", *TRUTH])
def test_forms_enclose(op):
    rng = np.random.default_rng(11)
    for _ in range(30):
        a, b = random_forms(rng, 2)
        if op in ("inverse", "sqrt", "log"):
            a = Form(a.radius * 1.05 + np.abs(a.c), a.g, a.r)
        made = {"add": lambda: add(a, b), "mul": lambda: mul(a, b), "square": lambda: mul(a, a)}.get(
            op, lambda: curve(op, a)
        )()
        flat = None if op in ("add", "mul", "square") else curve(op, a.plain()).bounds
        for _ in range(20):
            (x, y), e = points(rng, (a, b))
            true = x + y if op == "add" else x * y if op == "mul" else x * x if op == "square" else TRUTH[op](x)
            assert (np.abs(true - made.c - (made.g * e).sum(axis=1)) <= made.r + 1e-12).all()
            assert flat is None or ((flat[0] <= true) & (true <= flat[1])).all()


def test_a_step_encloses_solutions_at_every_time():
    """Of a system with every function that equations may have."""
    odd = """
system odd {
  state x, y : real
  x' = (sin(x * y) + exp(-x) / (2 + cos(y)) + sqrt(2 + x) - y ** 3) / 1s
  y' = (tan(0.5 * x) - x * x + 1 / (3 + y)) / 1s
  step 0.1s by rk45
  init { x in [0.4, 0.6]; y in [0.1, 0.3] }
}
"""
    dynamics = Dynamics(agent_of(odd, "").system)
    rng = np.random.default_rng(3)
    g = np.eye(2) * 0.1
    states = [Form(np.array([c]), g[i : i + 1], np.zeros(1)) for i, c in enumerate((0.5, 0.2))]
    ends, during = step(dynamics.rates[0], ["x", "y"], states, {}, {}, lambda _: np.zeros((2, 1)), 0.1, 4)
    e = rng.uniform(-1, 1, (500, 2))
    x = np.array([[0.5], [0.2]]) + 0.1 * e.T
    rate = dynamics.rate(0, {})
    for k in range(10):
        for i, form in enumerate(during):  # s is the generator of time
            off = x[i] - form.c[0] - e @ form.g[0, :2] - form.g[0, 2] * (2 * k / 10 - 1)
            assert (np.abs(off) <= form.r[0] + 1e-9).all()
        x = runge_kutta("rk45", rate, x, 0.01)
    for i, form in enumerate(ends):
        assert (np.abs(x[i] - form.c[0] - e @ form.g[0]) <= form.r[0] + 1e-9).all()
        assert form.radius[0] < 1.2 * np.ptp(x[i]) / 2


@pytest.mark.parametrize("seed", range(4))
def test_formulas_are_read_as_the_reference_reads_them(seed):
    """On samples alone the checker's truth is the reference's; what it is sure of with spans is true of the samples."""
    from agentc.compiler.logic.ir import Formula, postorder

    rng = np.random.default_rng([seed, 9])
    for _ in range(20):
        f = random_formula(rng, 3)
        n, count = int(rng.choice([0, 1, 4])), 8
        data = rng.normal(0, 0.7, (count, n + 1, 2))
        names = [v.name for v in VARIABLES]
        traces = [Trace([dict(zip(names, map(float, row), strict=True)) for row in rows]) for rows in data]
        truths, spans = {}, {}
        for atom in (a for a in postorder(f) if isinstance(a, Formula) and a.op == "atom"):
            table = np.zeros((2, 2 * n + 1, count), bool)
            for k, rows in enumerate(data):
                at = [evaluate(atom, Trace([dict(zip(names, map(float, r), strict=True))])) for r in rows]
                table[0, ::2, k], table[1, ::2, k] = at, np.logical_not(at)
            truths[atom] = table
            spans[atom] = table.copy()
            spans[atom][:, 1::2] = rng.random((2, n, count)) < 0.5
        true = np.array([evaluate(f, t) for t in traces])
        assert (holds(f, truths, n, True, count) == true).all(), f
        assert (~holds(f, spans, n, False, count) | true).all(), f


@pytest.mark.parametrize("operator", ["Tanh", "Sigmoid"])
def test_the_runtime_computes_functions_as_well_as_is_granted(operator, tmp_path):
    """Bounds grant a float32 tanh or sigmoid an error of 8 units; onnxruntime's are within it."""
    import onnxruntime
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in "xy"]
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"])], "one", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.linspace(-20, 20, 400_001).astype(np.float32)
    true = x.astype(float)
    true = np.tanh(true) if operator == "Tanh" else 1 / (1 + np.exp(-true))
    assert np.abs(session.run(None, {"x": x})[0] - true).max() <= 8 * 2.0**-24


def summed_in_any_order(rng, weights, biases, x, activation, kind=np.float32):
    """An evaluation whose sums are made one term after the other, in a random order."""
    h = x.astype(kind)
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        terms = np.concatenate([w.astype(kind) * h, b.astype(kind)[:, None]], axis=1)
        total = np.zeros(len(terms), kind)
        for at in rng.permutation(terms.shape[1]):
            total = total + terms[:, at]
        last = k == len(weights) - 1
        h = total if last else np.maximum(total, 0) if activation == "Relu" else np.tanh(total)
    return h.astype(float)


@pytest.mark.parametrize("activation", ["Relu", "Tanh"])
def test_float32_in_any_order_is_enclosed_by_prover_and_checker(activation, tmp_path):
    """And not by the bounds of exact arithmetic, or nothing would be shown."""
    from agentc.runtime.verify.checker.network import zonotopes
    from agentc.runtime.verify.network.onnx_reader import read_onnx
    from agentc.runtime.verify.reach import forms
    from agentc.runtime.verify.reach.through import through

    rng = np.random.default_rng(6)
    weights, biases = random_mlp(rng, (3, 200, 60, 2))
    path = write_mlp(tmp_path / "n.onnx", weights, biases, activation)
    network, outputs = read_onnx(path).network, zonotopes(path.read_bytes())
    escaped = 0
    for _ in range(40):
        x = rng.normal(0, 1, 3)
        found = summed_in_any_order(rng, weights, biases, x, activation)
        inputs = [forms.Form(np.array([v]), np.zeros((1, 1)), np.zeros(1)) for v in x]
        for y, form, exact in zip(found, through(network, inputs).outputs, through(network, inputs, 0.0).outputs,
                                  strict=True):  # fmt: skip
            assert form.range.lo[0] <= y <= form.range.hi[0]
            escaped += not exact.range.lo[0] <= y <= exact.range.hi[0]
        c, g, e = outputs(x[None], np.zeros((1, 1, 3)))
        assert (np.abs(found - c[0]) <= np.abs(g[0]).sum(axis=0) + e[0]).all()
    assert escaped > 20


@pytest.mark.parametrize("activation", ["Relu", "Tanh"])
def test_a_file_of_float64_is_followed_with_the_rounding_of_float64(activation, tmp_path):
    """Whose evaluations are enclosed, and those of float32 are not; the file runs as it is."""
    from agentc.runtime.verify.checker.network import zonotopes
    from agentc.runtime.verify.network.method import run_onnx
    from agentc.runtime.verify.network.onnx_reader import read_onnx
    from agentc.runtime.verify.reach import forms
    from agentc.runtime.verify.reach.through import U64, through

    rng = np.random.default_rng(7)
    weights, biases = random_mlp(rng, (3, 200, 60, 2))
    path = write_mlp(tmp_path / "n.onnx", weights, biases, activation, kind=np.float64)
    reading, outputs = read_onnx(path), zonotopes(path.read_bytes())
    assert reading.double
    escaped = 0
    for _ in range(40):
        x = rng.normal(0, 1, 3)
        inputs = [forms.Form(np.array([v]), np.zeros((1, 1)), np.zeros(1)) for v in x]
        found = through(reading.network, inputs, U64).outputs
        c, g, e = outputs(x[None], np.zeros((1, 1, 3)))
        slack = np.abs(g[0]).sum(axis=0) + e[0]
        for y in (run_onnx(reading, x), summed_in_any_order(rng, weights, biases, x, activation, np.float64)):
            assert (np.abs(y - c[0]) <= slack).all()
            assert all(f.range.lo[0] <= v <= f.range.hi[0] for f, v in zip(found, y, strict=True))
        rough = summed_in_any_order(rng, weights, biases, x, activation)
        escaped += bool((np.abs(rough - c[0]) > slack).any())
    assert escaped > 20
