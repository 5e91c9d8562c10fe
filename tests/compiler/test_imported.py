"""`hoa("file")` in specs: where files are looked for, what is wrong in them, what becomes of them."""

import os
import random

import pytest

import agentc
from agentc.compiler.bundle import digest, read_bundle
from agentc.compiler.pipeline import check, compile_formula, read
from agentc.lang.diagnostics import AgentcError, Severity
from agentc.lang.source import Source

ORDER = """HOA: v1
Start: 0
AP: 2 "coffee" "tile == office"
Acceptance: 1 Inf(0)
/* finite words */
--BODY--
State: 0 [0] 1 [!0] 0
State: 1 [1] 2 [!1] 1
State: 2 {0} [t] 2
--END--
"""
SPEC = """import std.env.office: office
agent Clerk {
  env office()
  prop coffee = tile == coffee
  task order = hoa("automata/order.hoa") & G !(tile == plant)
  reward { order : 2.0; shape order }
}
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "automata").mkdir()
    (tmp_path / "automata" / "order.hoa").write_text(ORDER)
    (tmp_path / "clerk.agentspec").write_text(SPEC)
    return tmp_path


def codes(text, root):
    return [d.code for d in check(Source("s", text), root=root).diagnostics if d.severity is Severity.ERROR]


def test_the_bundle_holds_the_file_and_pays_for_it(project):
    (agent,) = agentc.compile(project / "clerk.agentspec", out=project / "build")
    bundle = read_bundle(project / "build" / "Clerk.agent")
    (entry,) = [s for s in bundle.manifest.sources if s.path == "sources/order.hoa"]
    assert entry.sha256 == digest(ORDER.encode())
    assert bundle.agent.formulas == agent.agent.formulas
    machine = agent.reward_machine

    def letter(tile):
        from agentc.compiler.logic.semantics import evaluate
        from agentc.compiler.logic.trace import Trace

        return {a: evaluate(a, Trace([{"tile": tile}])) for a in machine.atoms}

    state = machine.start(letter("empty"))
    paid = []
    for tile in ("office", "coffee", "empty", "office"):
        state, outcome = machine.step(state, letter(tile))
        paid.append((outcome.reward, outcome.terminated))
    assert [p for p, _ in paid] == [0.0, 0.0, 0.0, 0.0]  # a plant may yet come
    _, outcome = machine.step(state, letter("empty"), terminated=True)
    assert outcome.reward == 2.0


def test_files_are_looked_for_under_the_project(project):
    assert codes(SPEC, str(project)) == []
    assert codes(SPEC, None) == ["AS1620"]
    assert codes(SPEC, str(project / "automata")) == ["AS1620"]
    for path in ("automata", "/etc/hostname", "../x.hoa", "", "a\\x00b", "bytes.hoa", "away.hoa"):
        (project / "bytes.hoa").write_bytes(b"\xff\xfe\x00")
        if not (project / "away.hoa").is_symlink():
            os.symlink("/etc/hostname", project / "away.hoa")
        assert codes(SPEC.replace("automata/order.hoa", path), str(project)) == ["AS1620"], path
    with pytest.raises(AgentcError, match="AS1620"):
        compile_formula('hoa("order.hoa")')


def test_two_edges_that_share_a_letter_are_said_with_their_line(project):
    (project / "automata" / "order.hoa").write_text(ORDER.replace("[1] 2 [!1] 1", "[1] 2\n[t] 1"))
    result = check(read(str(project / "clerk.agentspec")), root=str(project))
    (found,) = [d for d in result.diagnostics if d.severity is Severity.ERROR]
    assert found.code == "AS1621" and "line 9" in found.message and "not deterministic" in found.message


def test_no_damaged_file_ends_in_a_traceback(project):
    rng = random.Random(81)
    seen = set()
    for _ in range(120):
        at = rng.randrange(len(ORDER))
        piece = rng.choice(["", "0", "[", "&", "State: 1", "!", '"', "99", "{", "Inf", "\x00"])
        (project / "automata" / "order.hoa").write_text(ORDER[:at] + piece + ORDER[at + rng.randint(0, 4) :])
        seen.update(codes(SPEC, str(project)))
    assert {"AS1621", "AS1623", "AS1624"} <= seen


def test_a_proposition_that_is_not_there_is_said_with_the_nearest(project):
    text = 'agent A {\n  signal cofee : bool\n  signal tile : enum {office, plant}\n  prop here = tile == office\n'
    result = check(Source("s", text + '  task t = hoa("automata/order.hoa")\n}\n'), root=str(project))
    (found,) = [d for d in result.diagnostics if d.code == "AS1624"]
    assert "`coffee`" in found.message and "`here`; the nearest name is `cofee`" in found.help
