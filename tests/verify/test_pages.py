"""The page of a verification: every answer with a picture of what it rests on, and nothing from elsewhere."""

import json
from html.parser import HTMLParser

import pytest

from agentc.runtime.cli.application import invoke
from agentc.runtime.report.charts import Band, band_chart
from agentc.runtime.report.verified import proof_sections, story_rows

from .systems import agent_of
from .test_model import GRID

SPEC = """
system point {
  state x, y : real [m]
  input u : real in [-1, 1] [m/s]
  x' = u
  y' = 0.5m/s
  step 0.1s by rk4
  init { x in [0, 0.1]; y in [0, 0.1] }
  controller still { u = 0m/s }
}

agent A {
  env point(horizon = 10)
  region wall = box(lo = (1, 0), hi = (1.2, 1))
  safe clear = G !((x, y) in wall)
  task there = F[1s, 1s] y >= 2m
  verify clear by reach { controller = still }
  verify there by reach { controller = still }
}
""" + GRID + """
agent B {
  env grid()
  safe never = G !(x == 2 & y == 1)
  safe order = G (x >= 1 -> O x == 0)
  verify never by bmc
  verify order by model
}
"""


class Tags(HTMLParser):
    """What a page refers to, and whether its elements are closed."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.outside = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.outside += [v for k, v in attrs if k in ("src", "href") and v and not v.startswith(("data:", "#"))]
        if tag not in ("meta", "img", "br", "line", "rect", "circle", "ellipse", "path", "text"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    import os

    folder = tmp_path_factory.mktemp("pages")
    before = os.getcwd()
    os.chdir(folder)
    try:
        (folder / "a.agentspec").write_text(SPEC)
        code = invoke(["verify", "a.agentspec", "--format", "json", "--jobs", "2"])
    finally:
        os.chdir(before)
    return folder / "build", code


def test_each_agent_has_its_answers_as_data_and_as_a_page(pages):
    folder, code = pages
    assert code == 1
    for agent, words in (("A", ["proved", "falsified"]), ("B", ["falsified", "proved"])):
        rows = json.loads((folder / f"{agent}.agent" / "verification.json").read_text())
        assert [r["word"].split()[0] for r in rows] == words and [r["index"] for r in rows] == [0, 1]
        page = (folder / f"{agent}.agent" / "verification.html").read_text("utf-8")
        tags = Tags()
        tags.feed(page)
        assert not tags.outside and "script" not in tags.seen and not tags.open
        assert page.count('class="proof"') == 2 and "<svg" in page


def test_a_tube_is_drawn_over_the_regions_and_over_time(pages):
    rows = json.loads((pages[0] / "A.agent" / "verification.json").read_text())
    agent = agent_of_spec()
    proved, falsified = proof_sections(agent, rows)
    captions = [c for c, _ in proved.pictures]
    assert captions[0].endswith("over the regions") and "reachable x" in captions and proved.mark == "good"
    assert proved.pictures[0][1].count("<rect") >= 11 + 1  # a box a sample, and the wall
    assert any("violates" in c for c, _ in falsified.pictures) and falsified.frames[-1].mark == "bad"
    assert any(line.startswith("assuming") for line in proved.lines)


def agent_of_spec():
    from agentc.compiler.pipeline import check
    from agentc.lang.source import Source

    return check([Source("a.agentspec", SPEC)]).agents[0]


def test_a_violation_of_a_finite_system_is_a_filmstrip(pages):
    page = (pages[0] / "B.agent" / "verification.html").read_text("utf-8")
    assert '<ol class="film">' in page and "step 3" in page and "x = 2" in page


def test_a_band_chart_has_a_polygon_within_its_axes():
    drawn = band_chart([Band("x", ((0.0, -1.0, 1.0), (1.0, 0.0, 2.0)))], x_label="time [s]", y_label="x")
    assert drawn.count("<polygon") == 1 and "time [s]" in drawn
    corners = drawn.split('points="')[1].split('"')[0].split()
    assert len(corners) == 4 and all(0 <= float(c.split(",")[1]) <= 260 for c in corners)
    assert "no data" in band_chart([Band("x", ((0.0, float("nan"), 1.0),))], x_label="t", y_label="x")


def test_rows_that_are_damaged_are_left_out_or_said():
    agent = agent_of("system s {\n  state x : real [m]\n  x' = 0m/s\n  step 1s\n  init { x = 0m }\n}",
                     "  task f = G x <= 1m\n  verify f by reach")  # fmt: skip
    assert proof_sections(agent, [{}, {"item": 3}]) == ()
    (odd,) = proof_sections(agent, [{"item": "A: f", "verdict": "error", "diagnostics": ["AS1313: no"], "index": 9}])
    assert odd.word == "error" and odd.sentence == "AS1313: no"
    (empty,) = proof_sections(agent, [{"item": "A: f", "word": "unknown", "evidence": {"tube": [], "trace": []}}])
    assert not empty.pictures
    assert story_rows([]) == ()
