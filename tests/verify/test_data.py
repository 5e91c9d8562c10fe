"""The method `data`: no run of a true system leaves its sets, poor data are refused, certificates are checked."""

import copy
import csv
import json

import numpy as np
import pytest

from agentc.compiler.agent import VariableIR
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.certificate import seal
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.data.features import monomials, parsed
from agentc.runtime.verify.data.filter import Backup, ReachFilter
from agentc.runtime.verify.data.models import tight_models, zonotope_models
from agentc.runtime.verify.data.recorded import read_transitions, transitions_of
from agentc.runtime.verify.data.residual import lipschitz_models
from agentc.runtime.verify.data.tube import box, hull, step, with_inputs
from agentc.runtime.verify.method import decide

from .systems import problem

CART = """
system cart {
  state p : real [m], v : real [m/s]
  input u : real in [-1, 1] [m/s^2]
  p' = p + v * 0.1s
  v' = v + u * 0.1s
  step 0.1s by difference
  init { p in [0, 0.1]; v in [0, 0.1] }
  controller brake { u = -1 * v / 1s }
}
"""
NOISE = 0.01


def simulated(f, rng, runs, steps, n, m, noise, start=2.0, held=None, middle=0.0):
    """Trajectories of ``x+ = f(x, u) + w``: some with noise at its bounds, for those are the hardest to enclose."""
    found = []
    for r in range(runs):
        states, inputs = [middle + rng.uniform(-start, start, n)], []
        for t in range(steps):
            u = rng.uniform(-1, 1, m) if held is None else held[t]
            w = rng.choice([-noise, noise], n) if r % 2 else rng.uniform(-noise, noise, n)
            states.append(f(states[-1], u) + w)
            inputs.append(u)
        found.append((np.array(states), np.array(inputs).reshape(steps, m)))
    return found


def write(path, runs, names, inputs):
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["run", *names, *(f"action.{i}" for i in inputs)])
        for r, (states, held) in enumerate(runs):
            for t, state in enumerate(states):
                given = held[t - 1] if t else np.zeros(len(inputs))
                rows.writerow([r, *map(float, state), *map(float, given)])


def cart(x, u):
    return np.array([x[0] + 0.1 * x[1], x[1] + 0.1 * u[0]])


def escapes(models, residual, f, rng, plan, width, noise, rollouts=40):
    """How many states of rollouts lie outside of the hulls of the sets."""
    n, outside = len(noise), 0
    low, high = np.full((1, n), -width), np.full((1, n), width)
    states, tube = box(low, high), []
    for action in plan:
        states, inputs = with_inputs(states, action[None], action[None])
        states = step(models, states, inputs) if residual is None else residual.step(models, states, inputs)
        tube.append(hull(states))
    for k in range(rollouts):
        x = rng.choice([-width, width], n) if k % 2 else rng.uniform(-width, width, n)
        for action, (lo, hi) in zip(plan, tube, strict=True):
            w = rng.choice([-1, 1], n) * noise if k % 3 else rng.uniform(-1, 1, n) * noise
            x = f(x, action) + w
            outside += int(((x < lo[0]) | (x > hi[0])).any())
    return outside


@pytest.mark.parametrize("make", [tight_models, zonotope_models])
def test_no_rollout_of_a_random_linear_system_leaves_its_sets(make):
    assert rollouts_within(make, 8, 40) == 320


@pytest.mark.slow
@pytest.mark.parametrize("make", [tight_models, zonotope_models])
def test_no_rollout_of_many_random_linear_systems_leaves_its_sets(make):
    assert rollouts_within(make, 150, 100) == 15_000


def rollouts_within(make, systems, rollouts):
    """How many rollouts of so many systems stayed in the sets: all of them, or an assertion fails."""
    for seed in range(systems):
        rng = np.random.default_rng([seed, 5])
        n, m = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        a, b = rng.normal(0, 0.5, (n, n)), rng.normal(0, 0.5, (n, m))

        def f(x, u, a=a, b=b):
            return a @ x + b @ u

        data = transitions_of(simulated(f, rng, 6, 8, n, m, NOISE))
        names = [f"x{i}" for i in range(n)] + [f"u{i}" for i in range(m)]
        models = make(monomials(names, 1, False), data, np.full(n, NOISE))
        plan = rng.uniform(-1, 1, (6, m))
        assert escapes(models, None, f, rng, plan, 0.3, np.full(n, NOISE), rollouts) == 0, seed
    return systems * rollouts


@pytest.mark.parametrize("make", [tight_models, zonotope_models])
def test_no_rollout_of_a_polynomial_or_of_a_unicycle_leaves_its_sets(make):
    for seed in range(4):
        rng = np.random.default_rng([seed, 6])
        k = rng.uniform(-0.3, 0.3, 3)

        def bend(x, u, k=k):
            return np.array([0.8 * x[0] + k[0] * x[0] * x[1] + 0.2 * u[0], 0.7 * x[1] + k[1] * x[0] ** 2 + k[2]])

        data = transitions_of(simulated(bend, rng, 12, 6, 2, 1, NOISE, 1.0))
        models = make(monomials(["x", "y", "u"], 2, True), data, np.full(2, NOISE))
        assert escapes(models, None, bend, rng, rng.uniform(-1, 1, (4, 1)), 0.1, np.full(2, NOISE)) == 0

        def roll(x, u):
            return np.array([x[0] + 0.2 * u[0] * np.cos(x[2]), x[1] + 0.2 * u[0] * np.sin(x[2]), x[2] + 0.2 * u[1]])

        data = transitions_of(simulated(roll, rng, 12, 6, 3, 2, NOISE))
        features = parsed("x y t v w v*cos(t) v*sin(t)", ["x", "y", "t", "v", "w"])
        models = make(features, data, np.full(3, NOISE))
        assert escapes(models, None, roll, rng, rng.uniform(-1, 1, (5, 2)), 0.1, np.full(3, NOISE)) == 0


def test_no_rollout_of_a_lipschitz_system_leaves_its_sets():
    for seed in range(4):
        rng = np.random.default_rng([seed, 7])

        def f(x, u):
            return np.array([0.5 * np.sin(x[0]) + 0.3 * u[0]])

        data = transitions_of(simulated(f, rng, 40, 5, 1, 1, NOISE, 1.0))
        models, residual = lipschitz_models(monomials(["x", "u"], 1, True), data, np.array([NOISE]), 0.6)
        plan = rng.uniform(-1, 1, (6, 1))
        assert escapes(models, residual, f, rng, plan, 0.1, np.array([NOISE])) == 0
        # a smaller constant than the true one is no longer an assumption that holds: the sets are smaller
        wide = box(np.array([[-0.5]]), np.array([[0.5]]))
        states, inputs = with_inputs(wide, plan[:1], plan[:1])
        lo, hi = residual.bounds(np.array([-0.5, plan[0, 0]]), np.array([0.5, plan[0, 0]]))
        assert (lo <= hi).all() and len(states) == 1 and len(inputs) == 1


def test_of_many_transitions_some_are_looked_at(monkeypatch):
    """What they leave out makes the bounds looser and never wrong."""
    from agentc.runtime.verify.data import models as of_models
    from agentc.runtime.verify.data.method import explanation

    rng = np.random.default_rng(21)
    data = transitions_of(simulated(cart, rng, 4, 30, 2, 1, NOISE))
    features, found = monomials(["p", "v", "u"], 1, False), []
    for most in (2000, 40):
        monkeypatch.setattr(of_models, "MOST", most)
        found.append(explanation(tight_models(features, data, np.full(2, NOISE)), [0.5, 0.5, 0.5]))
    (lo, hi), (low, high) = found
    assert (high - low >= hi - lo - 1e-9).all() and ((high - low) > (hi - lo)).any()
    assert (low <= cart([0.5, 0.5], [0.5])).all() and (high >= cart([0.5, 0.5], [0.5])).all()


def test_linear_programs_are_never_much_looser_and_mostly_much_tighter():
    """On one prediction at the middle of the data; the process noise alone has the width 2 * NOISE."""
    from agentc.runtime.verify.data.method import explanation

    for seed in range(5):
        rng = np.random.default_rng([seed, 8])
        data = transitions_of(simulated(cart, rng, 6, 30, 2, 1, NOISE))
        features = monomials(["p", "v", "u"], 1, False)
        width = {}
        for make in (tight_models, zonotope_models):
            lo, hi = explanation(make(features, data, np.full(2, NOISE)), [0.5, 0.5, 0.5])
            assert (lo <= cart([0.5, 0.5], [0.5]) - NOISE).all() and (hi >= cart([0.5, 0.5], [0.5]) + NOISE).all()
            width[make] = hi - lo
        assert (width[tight_models] < 0.9 * width[zonotope_models]).all()
        assert (width[tight_models] > 2 * NOISE).all()


# ---------------------------------------------------------------- answers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(3)
    write(made / "runs.csv", simulated(cart, rng, 4, 30, 2, 1, NOISE), ["p", "v"], ["u"])
    plan = np.array([[1.0]] * 8 + [[-1.0]] * 8)
    write(made / "near.csv", simulated(cart, rng, 1, 16, 2, 1, NOISE, 0.05, plan, 0.05), ["p", "v"], ["u"])
    (made / "plan.csv").write_text("action.u\n" + "".join(f"{u[0]}\n" for u in plan))
    return made


def ask(folder, formula, how="", role="safe", horizon=16):
    given = f'by data {{ trajectories = "runs.csv"; noise = 0.0101; {how} }}'
    return problem(CART, formula, given, role, horizon, folder)


def test_a_plan_is_proved_or_as_far_as_it_is(folder):
    proved = decide(ask(folder, "G p <= 2m", 'plan = "plan.csv"'))
    assert proved.word == "proved" and proved.certificate is not None
    assert any("noise" in a for a in proved.assumptions) and any("not used" in a for a in proved.assumptions)
    part = decide(ask(folder, "G p <= 0.5m", 'plan = "plan.csv"'))
    assert part.verdict is Verdict.UNKNOWN and 3 <= part.evidence["safe actions"] <= 12
    # the number of safe actions is one at which the true system may still be within, and one more may not be shown
    hulls = part.evidence["tube"]
    assert hulls[part.evidence["safe actions"]][1][0] <= 0.5 < hulls[part.evidence["safe actions"] + 1][1][0]


@pytest.mark.parametrize("how", ["controller = brake", "controller = brake; bounds = zonotope", "model = affine; "
                                 "controller = brake; split = 3"])  # fmt: skip
def test_a_controller_is_proved(folder, how):
    answer = decide(ask(folder, "(G p <= 1m) & F[0.3s, 1s] v <= 0.12m/s", how, role="task"))
    assert answer.word == "proved", answer.sentence


def test_all_inputs(folder):
    assert decide(ask(folder, "G p <= 4m")).word == "proved"
    assert decide(ask(folder, "G p <= 0.4m")).verdict is Verdict.UNKNOWN


def test_a_recorded_run_falsifies(folder):
    given = 'by data { trajectories = "near.csv"; noise = 0.0101 }'
    answer = decide(problem(CART, "G p <= 0.3m", given, "safe", 16, folder))
    assert answer.verdict is Verdict.FALSIFIED and answer.evidence["trace"][-1]["p"] > 0.3


def test_an_agent_without_a_system_begins_where_it_assumes(folder):
    from agentc.compiler.pipeline import check as checked
    from agentc.lang.source import Source
    from agentc.runtime.verify.problem import problem_of

    def answer(assumed):
        text = f"""
agent Robot {{
  signal p : real in [-10, 10]
  signal v : real in [-10, 10]
  assume begin = {assumed}
  safe clear = G p <= 2
  verify clear by data {{ trajectories = "runs.csv"; plan = "plan.csv"; noise = 0.0101 }}
}}"""
        result = checked([Source("a.agentspec", text)])
        assert result.ok, [d.message for d in result.diagnostics]
        return decide(problem_of(result.agents[0], 0, folder))

    assert answer("p in [0, 0.1] & v >= 0 & v <= 0.1").word == "proved"
    assert answer("p in [0, 0.1] & v >= 0").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("p,v,action.u\n0,0,0\n1,1,0\n0,1,0\n1,0.5,0\n", "AS1350"),
        ("p,v\n0,0\n", "AS1351"),
        ("p,v,action.u\n0,nan,0\n1,1,1\n", "AS1351"),
        ("p,v,action.u\n0,0,0\n", "AS1351"),
    ],
)
def test_bad_recordings_are_refused(tmp_path, content, code):
    (tmp_path / "runs.csv").write_text(content)
    with pytest.raises(AgentcError) as error:
        decide(ask(tmp_path, "G p <= 1m"))
    assert error.value.diagnostics[0].code == code


def test_npz_and_csv_are_the_same(folder):
    made = read_transitions(folder / "runs.csv", ["p", "v"], ["u"])
    with open(folder / "runs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    np.savez(folder / "runs.npz", **{k: np.array([float(r[k]) for r in rows]) for k in rows[0]})
    again = read_transitions(folder / "runs.npz", ["p", "v"], ["u"])
    assert np.array_equal(made.before, again.before) and np.array_equal(made.after, again.after) and len(made) == 120


# ---------------------------------------------------------------- certificates


def resealed(document):
    body = {k: v for k, v in document.items() if k != "seal"}
    return {**body, "seal": seal(body)}


def changed(document, *path_and_value):
    *path, value = path_and_value
    made = copy.deepcopy(document)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value(inner[path[-1]]) if callable(value) else value
    return made


def mutants(document):
    """Certificates that are wrong, each in one place."""
    argument = document["argument"]
    if argument["by"] == "zonotope":
        for t in range(0, len(argument["inverse"]), 6):
            for k in range(len(argument["inverse"][t])):
                yield changed(document, "argument", "inverse", t, k, lambda v: v + 0.01)
        yield changed(document, "argument", "inverse", lambda rows: rows[:-1])
        yield changed(document, "argument", "by", "tight")
    else:
        for i, row in enumerate(argument["weights"]):
            for j, pair in enumerate(row):
                for k, (places, weights) in enumerate(pair):
                    for at in range(len(weights)):
                        yield changed(document, "argument", "weights", i, j, k, 1, at, lambda v: v + 0.01)
                        yield changed(document, "argument", "weights", i, j, k, 1, at, lambda v: -v)
                        yield changed(document, "argument", "weights", i, j, k, 0, at, lambda t: (t + 1) % 120)
                    yield changed(document, "argument", "weights", i, j, k, [places[1:], weights[1:]])
        for j in range(len(argument["scale"])):
            yield changed(document, "argument", "scale", j, lambda v: 2 * v)
        yield changed(document, "argument", "mean", 0, 0.5) if "1" not in document["claim"]["features"] else (
            changed(document, "argument", "mean", 1, lambda v: v + 0.5)
        )
        yield changed(document, "argument", "by", "zonotope")
    for i, edges in enumerate(argument["starts"][0]):
        yield changed(document, "argument", "starts", 0, i, 0, edges[0] + 0.01)
        yield changed(document, "argument", "starts", 0, i, len(edges) - 1, edges[-1] - 0.01)
    yield changed(document, "argument", "starts", [])
    yield changed(document, "claim", "steps", lambda n: n - 1)
    yield changed(document, "claim", "noise", 0, 0.0001)
    yield changed(document, "claim", "transitions", 7)
    yield changed(document, "claim", "features", ["p"])
    yield changed(document, "claim", "holds", "everything")
    yield changed(document, "subject", "item", 1)
    yield changed(document, "subject", "files", "trajectories", "digest", "sha256:" + "0" * 64)
    yield changed(document, "subject", "files", "trajectories", "path", "near.csv")
    yield changed(document, "subject", "files", {})
    yield changed(document, "subject", "folder", "elsewhere")
    text = json.dumps(document["subject"]["agent"])
    yield changed(document, "subject", "agent", json.loads(text.replace("2.0", "0.05")))


def test_a_lipschitz_proof_is_checked(tmp_path):
    rng = np.random.default_rng(4)

    def f(x, u):
        return np.array([0.5 * np.sin(x[0]) + 0.3 * u[0]])

    write(tmp_path / "runs.csv", simulated(f, rng, 40, 5, 1, 1, NOISE, 1.0), ["x"], ["u"])
    (tmp_path / "plan.csv").write_text("action.u\n" + "0.5\n" * 6)
    system = """
system bend {
  state x : real [m]
  input u : real in [-1, 1] [m]
  x' = u
  step 1s by difference
  init { x in [-0.1, 0.1] }
}
"""
    how = 'by data { trajectories = "runs.csv"; plan = "plan.csv"; noise = 0.0101; model = lipschitz; lipschitz = 0.6 }'
    question = problem(system, "G x <= 0.9m", how, "safe", 6, tmp_path)
    answer = decide(question)
    assert answer.word == "proved", answer.sentence
    assert any("at most 0.6 times" in a for a in answer.assumptions)
    document = answer.certificate.data()
    for mutant in (
        changed(document, "argument", "fit", 0, 1, lambda v: v + 30.0), changed(document, "argument", "fit", []),
        changed(document, "argument", "by", "tight"), changed(document, "argument", "starts", 0, 0, [-0.05, 0.1]),
    ):  # fmt: skip
        assert not check(resealed(mutant), tmp_path).accepted
    limit = decide(problem(system, "G x <= 0.3m", how, "safe", 6, tmp_path))
    assert limit.verdict is Verdict.UNKNOWN


def test_mutated_certificates_are_rejected(folder):
    count = 0
    for how in ('plan = "plan.csv"', 'plan = "plan.csv"; bounds = zonotope', "controller = brake; model = affine"):
        document = decide(ask(folder, "G p <= 2m", how)).certificate.data()
        assert check(document, folder).accepted
        for mutant in mutants(document):
            finding = check(resealed(mutant), folder)
            assert not finding.accepted and finding.reason, count
            count += 1
    assert count >= 250


def test_the_checker_follows_the_recordings_that_are_there(folder, tmp_path):
    document = decide(ask(folder, "G p <= 2m", 'plan = "plan.csv"')).certificate.data()
    for name in ("runs.csv", "plan.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert check(document, tmp_path).accepted
    (tmp_path / "plan.csv").write_text((tmp_path / "plan.csv").read_text().replace("-1.0", "1.0"))
    assert "another file" in check(document, tmp_path).reason


def test_the_command_writes_a_certificate_that_is_checked_where_it_lies(folder, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from agentc.runtime.cli.verify import command

    for name in ("runs.csv", "plan.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "cart.agentspec").write_text(f"""{CART}
agent A {{
  env cart(horizon = 16)
  safe clear = G p <= 2m
  verify clear by data {{ trajectories = "runs.csv"; plan = "plan.csv"; noise = 0.0101 }}
}}""")
    monkeypatch.chdir(tmp_path.parent)
    said = CliRunner().invoke(command, [str(tmp_path / "cart.agentspec"), "-o", str(tmp_path / "out")])
    assert "proved" in said.output and "unchecked" not in said.output, said.output
    (found,) = (tmp_path / "out").rglob("certificates/*.json")
    assert check(json.loads(found.read_text()), found.parent).accepted
    assert not check(json.loads(found.read_text()), tmp_path).accepted  # from there the recordings are not found


# ---------------------------------------------------------------- the filter


def wall_filter(tail=40, resolution=0.0):
    rng = np.random.default_rng(11)
    data = transitions_of(simulated(cart, rng, 10, 30, 2, 1, 0.002))
    models = tight_models(monomials(["p", "v", "u"], 1, False), data, np.full(2, 0.002))
    states = [VariableIR("p", "state", "real"), VariableIR("v", "state", "real")]
    agent = ask(".", "G p <= 1m").agent
    brake = Backup(np.array([[0.0, -2.0]]), np.array([0.0]))
    return ReachFilter(models, states, agent.formulas[0].formula, [-1.0], [1.0], brake, tail, None, None, resolution)


def pusher():
    """An agent that writes, and whose tool is the cart's input."""
    from agentc.compiler.pipeline import check as checked
    from agentc.lang.source import Source

    text = """
agent Pusher {
  model "m"
  tool push(u : real in [-1, 1]) -> text
  tool finish()
  phase action = call(push | finish)
  phase reply  = result(action)
  behavior ends = F finish
}"""
    result = checked([Source("p.agentspec", text)])
    assert result.ok, [d.message for d in result.diagnostics]
    return result.agents[0]


def test_nothing_that_is_filtered_ever_hits_the_wall():
    shield, rng = wall_filter(), np.random.default_rng(12)
    hits = refused = 0
    for _ in range(6):
        x = np.array([rng.uniform(-1, 0.5), rng.uniform(-0.5, 0.5)])
        if not shield.recoverable(x, 40):
            continue
        for t in range(40):
            action, place = shield.choose(x, [rng.uniform(0.2, 1, 1)], 39 - t)
            refused += place is None
            x = cart(x, action) + rng.choice([-0.002, 0.002], 2)
            hits += bool(x[0] > 1)
    assert hits == 0 and refused > 20 and shield.refused == refused


def test_the_filter_is_a_shield_a_check_of_a_guard_and_a_wrapper():
    from agentc.runtime.learn.slots import Shield
    from agentc.runtime.llm.guard import Guard

    shield = wall_filter()
    assert isinstance(shield, Shield)
    near = {"p": np.array([0.95, -0.5]), "v": np.array([0.6, 0.0])}
    wanted = np.array([[1.0], [1.0]], np.float32)
    taken = shield.apply(near, wanted)
    assert taken.dtype == np.float32 and taken[0, 0] == -1.0 and taken[1, 0] == 1.0
    place = [0.95, 0.6]
    denies = shield.objection("push", ["u"], lambda: place)
    assert "not proved" in denies("push", {"u": 1.0}) and denies("look", {}) == ""
    guard = Guard(pusher(), checks=[denies])
    decision = guard.propose("push", {"u": 1.0})
    assert decision.outcome == "deny" and "not proved" in decision.reason
    place[:] = [-0.5, 0.0]
    assert denies("push", {"u": 1.0}) == "" and guard.propose("push", {"u": 1.0}).outcome == "allow"
    assert shield.judge([0.0, 0.0], [[1.0]] * 30, 20).admitted in range(5, 30)
    assert shield.judge([0.0, 0.0], [[2.0]], 20).admitted == 0  # out of the input's range


def test_a_wrapped_environment_takes_what_the_filter_lets_through():
    import gymnasium

    from agentc.runtime.verify.data.filter import filtered

    class Cart(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,))
        action_space = gymnasium.spaces.Box(-1, 1, (1,))

        def reset(self, *, seed=None, options=None):
            self.x = np.array([0.0, 0.0])
            return self.x, {}

        def step(self, action):
            self.x = cart(self.x, np.asarray(action, float))
            return self.x, 0.0, bool(self.x[0] > 1), False, {}

    env = filtered(Cart(), wall_filter())
    env.reset()
    rows = [env.step(np.array([1.0])) for _ in range(60)]
    assert not any(r[2] for r in rows) and any(r[4]["refused"] for r in rows) and not rows[0][4]["refused"]


def test_a_spec_env_takes_what_the_filter_lets_through():
    from agentc.runtime.spec_env import SpecEnv
    from agentc.runtime.verify.data.filter import filtered

    agent = ask(".", "G p <= 1m", horizon=60).agent
    for shield in (None, wall_filter(60, 2.0**-24)):  # the environment speaks in float32
        env = SpecEnv.make(agent) if shield is None else filtered(SpecEnv.make(agent), shield)
        env.reset(seed=0)
        ended, said = False, {}
        while not ended:
            _, _, terminated, truncated, said = env.step(np.array([1.0], np.float32))
            ended = terminated or truncated
        assert said["agentc"]["violated"]["f"] == (shield is None)
        assert shield is None or shield.refused
