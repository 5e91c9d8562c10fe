import json
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentc.lang.catalog import CATALOG
from agentc.lang.diagnostics import Annotation, Diagnostic, Edit, Fix, Severity, report
from agentc.lang.render import exit_code, render_json, render_sarif, render_text, summary
from agentc.lang.snippet import _cells, apply
from agentc.lang.source import Source, Span


def span(source, text, nth=0):
    at = -1
    for _ in range(nth + 1):
        at = source.text.index(text, at + 1)
    return Span(source, at, at + len(text))


def finding(where, **more):
    return report("AS0203", where, kind="signal", name="carying", **more)


DOOR = Source("door.agentspec", "agent D {\n  prop has_key = carying == key\n  task a = F has_key\n}\n")


def test_one_span_with_help_and_fix():
    text = render_text([finding(span(DOOR, "carying"), suggestion="carrying")])
    assert text == (
        "error[AS0203]: no signal is named `carying`\n"
        " --> door.agentspec:2:18\n"
        "  |\n"
        "2 |   prop has_key = carying == key\n"
        "  |                  ^^^^^^^\n"
        "  |\n"
        "  = help: did you mean `carrying`?\n"
        "  |\n"
        "2 -   prop has_key = carying == key\n"
        "2 +   prop has_key = carrying == key\n"
    )


def test_annotations_on_the_same_line_other_lines_and_other_files():
    other = Source("std/env/minigrid.agentspec", "\n" * 11 + "signal carrying : enum {key}\n")
    notes = [
        Annotation(span(DOOR, "key", 1), "compared with this"),
        Annotation(span(DOOR, "has_key"), "in this proposition"),
        Annotation(span(DOOR, "has_key", 1), "used here"),
        Annotation(span(other, "carrying"), "declared here"),
    ]
    assert render_text([finding(span(DOOR, "carying"), annotations=notes)]) == (
        "error[AS0203]: no signal is named `carying`\n"
        "  --> door.agentspec:2:18\n"
        "   |\n"
        " 2 |   prop has_key = carying == key\n"
        "   |        -------   ^^^^^^^    --- compared with this\n"
        "   |        |\n"
        "   |        in this proposition\n"
        " 3 |   task a = F has_key\n"
        "   |              ------- used here\n"
        "  ::: std/env/minigrid.agentspec:12:8\n"
        "   |\n"
        "12 | signal carrying : enum {key}\n"
        "   |        -------- declared here\n"
    )


def test_labels_that_do_not_fit_hang_rightmost_first():
    line = Source("a", "aa bb cc dd")
    notes = [Annotation(span(line, word), word.upper()) for word in ("aa", "bb", "cc")]
    assert render_text([finding(span(line, "dd"), annotations=notes)]).splitlines()[3:] == [
        "1 | aa bb cc dd",
        "  | -- -- -- ^^",
        "  | |  |  |",
        "  | |  |  CC",
        "  | |  BB",
        "  | AA",
    ]


def test_two_labels_at_one_place_are_both_shown():
    line = Source("a", "aa bb")
    notes = [Annotation(span(line, "aa"), "one"), Annotation(span(line, "aa"), "two")]
    text = render_text([finding(span(line, "bb"), annotations=notes)])
    assert "one" in text and "two" in text


def test_lines_in_between_are_elided():
    text = Source("a", "one\ntwo\nthree\nfour\nfive\n")
    near = render_text([finding(span(text, "one"), annotations=[Annotation(span(text, "three"), "x")])])
    assert "2 | two" in near
    far = render_text([finding(span(text, "one"), annotations=[Annotation(span(text, "five"), "x")])])
    assert "...\n5 | five" in far and "two" not in far


def test_multi_line_spans_have_a_bar():
    source = Source("a", "x = G (\n  a\n  & b\n  & c\n  & d\n)\ny\n")
    where = Span(source, source.text.index("G"), source.text.index(")") + 1)
    assert render_text([finding(where)]) == (
        "error[AS0203]: no signal is named `carying`\n"
        " --> a:1:5\n"
        "  |\n"
        "1 |   x = G (\n"
        "  |  _____^\n"
        "2 | |   a\n"
        "...\n"
        "6 | | )\n"
        "  | |_^\n"
    )


def test_nested_multi_line_spans():
    source = Source("a", "agent A {\n  G (\n a\n )\n}\n")
    inner = Span(source, source.text.index("G"), source.text.index(")") + 1)
    outer = Span(source, 0, source.text.index("}") + 1)
    rows = render_text([finding(inner, annotations=[Annotation(outer, "whole")])]).splitlines()
    assert rows[3:] == [
        "1 |     agent A {",
        "  |  ___-",
        "2 | |     G (",
        "  | |  ___^",
        "3 | | |  a",
        "4 | | |  )",
        "  | | |__^",
        "5 | |   }",
        "  | |___- whole",
    ]


def test_a_span_that_ends_with_its_newline_stays_on_its_line():
    source = Source("a", "one\ntwo\n")
    assert render_text([finding(Span(source, 0, 4))]).splitlines()[3:] == ["1 | one", "  | ^^^"]


@pytest.mark.parametrize(
    ("text", "word", "shown", "under"),
    [
        ("\tbad", "bad", "    bad", "    ^^^"),
        ("a\tbad", "bad", "a    bad", "     ^^^"),
        ("日本 bad", "bad", "日本 bad", "     ^^^"),
        ("日本", "本", "日本", "  ^^"),
        ("e\u0301e\u0301 bad", "bad", "e\u0301e\u0301 bad", "   ^^^"),
        ("ze\u0301 bad", "e\u0301", "ze\u0301 bad", " ^"),
        ("ze\u0301", "\u0301", "ze\u0301", "  ^"),
        ("👩\u200d🚀 bad", "bad", "👩\u200d🚀 bad", "     ^^^"),
        ("\x1b[31m bad", "bad", "␛[31m bad", "      ^^^"),
        ("\x7fbad", "bad", "␡bad", " ^^^"),
        ("\u202ebad", "bad", "\ufffdbad", " ^^^"),
        ("\ud800bad", "bad", "\ufffdbad", " ^^^"),
        ("x\r", "x", "x", "^"),
    ],
)
def test_carets_stand_under_what_is_shown(text, word, shown, under):
    source = Source("a", text + "\nnext\n")
    rows = render_text([finding(span(source, word))]).splitlines()
    assert rows[3:5] == [f"1 | {shown}", f"  | {under}"]


def test_cells_agree_with_the_unicode_tables():
    for char in map(chr, range(0x20, 0x3000)):
        shown, cells = _cells(char)
        if shown == char and unicodedata.east_asian_width(char) in "WF" and not unicodedata.combining(char):
            assert cells[1] == 2
        assert cells[1] in (0, 1, 2)


@pytest.mark.parametrize("text", ["", "a", "a\n", "\n\n", "a\r\n", "日"])
def test_zero_width_and_end_of_file(text):
    source = Source("a", text)
    for at in range(len(text) + 1):
        out = render_text([finding(Span(source, at, at))])
        line, column = source.position(at)
        assert f"a:{line}:{column}\n" in out
        assert out.count("^") == 1


@pytest.mark.parametrize("start, stop", [(-3, 2), (2, 99), (50, 60), (3, 1)])
def test_a_span_outside_its_source_is_clamped(start, stop):
    source = Source("a", "abc\ndef")
    for render in (render_text, render_json, render_sarif):
        assert "carying" in render([finding(Span(source, start, stop))])


def test_long_lines_are_cropped_around_the_primary_span():
    source = Source("a", "a" * 50 + "b " * 3000 + "carying" + " c" * 3000)
    far = Annotation(Span(source, 0, 3), "far away")
    out = render_text([finding(span(source, "carying"), suggestion="carrying", annotations=[far])])
    assert max(map(len, out.splitlines())) < 170
    rows = out.splitlines()
    at = rows[3].index("carying")
    assert rows[4][at : at + 7] == "^^^^^^^" and rows[4].count("^") == 7
    assert "  = note: a:1:1: far away" in rows  # what the cropped line does not show is said
    assert any(row.startswith("1 + ... ") and "carrying" in row for row in rows)


@pytest.mark.parametrize("where", [(0, 5000), (10, 11), (300, 301), (4990, 5000), (5000, 5000), (2000, 2105)])
def test_cropped_lines_show_the_start_of_their_span(where):
    text = "".join(chr(ord("a") + i % 26) for i in range(5000))
    rows = render_text([finding(Span(Source("a", text), *where))]).splitlines()
    at = rows[4].index("^")
    shown = rows[3][at] if at < len(rows[3]) else ""
    assert shown == text[where[0] : where[0] + 1]


def test_no_span_no_place():
    assert render_text([finding(None)]) == "error[AS0203]: no signal is named `carying`\n"
    helped = report("AS0950", None, query="AS9999")
    assert render_text([helped]) == (
        "error[AS0950]: no diagnostic is called `AS9999`\n  = help: `agentc explain` alone lists them all\n"
    )


def test_none_at_all():
    assert render_text([]) == ""
    assert json.loads(render_json([]))["diagnostics"] == []
    assert exit_code([]) == 0
    assert summary([]) == ""


def test_a_fix_that_adds_lines_shows_only_these():
    source = Source("a", "agent A {\n  x\n")
    fix = Fix("close the block", (Edit(Span(source, 13, 13), "\n}"),))
    rows = render_text([finding(Span(source, 8, 9), fix=fix)]).splitlines()
    assert rows[-3:] == ["  = help: close the block", "  |", "3 + }"]


def test_a_fix_in_two_places_and_in_another_file():
    other = Source("b", "foo\n")
    fix = Fix("rename", (Edit(span(DOOR, "D"), "E"), Edit(span(DOOR, "ask"), "Ask"), Edit(span(other, "foo"), "bar")))
    rows = render_text([finding(span(DOOR, "D"), fix=fix)]).splitlines()
    assert [row for row in rows if row[0].isdigit() and row[2] in "+-"] == [
        "1 - agent D {",
        "1 + agent E {",
        "3 -   task a = F has_key",
        "3 +   tAsk a = F has_key",
        "1 - foo",
        "1 + bar",
    ]
    assert " ::: b:1:1" in rows


def test_edits_are_applied_once():
    source = Source("a", "abcdef")
    edits = [Edit(Span(source, 1, 3), "X"), Edit(Span(source, 2, 4), "Y"), Edit(Span(source, 6, 6), "!")]
    assert apply(edits, source.text) == "aXdef!"


def test_messages_cannot_talk_to_the_terminal():
    out = render_text([report("AS0203", None, kind="signal", name="\x1b[2J\u202ex")])
    assert "\x1b" not in out and "\u202e" not in out
    out = render_text([finding(Span(Source("\x1b]0;x\x07", "a"), 0, 1))])
    assert "\x1b" not in out and "\x07" not in out


def test_colour_changes_nothing_but_the_colours():
    import re

    notes = [Annotation(span(DOOR, "key"), "here"), Annotation(Span(DOOR, 0, len(DOOR.text)), "whole")]
    found = [finding(span(DOOR, "carying"), suggestion="carrying", annotations=notes)]
    coloured = render_text(found, color=True)
    assert "\x1b[1;31m^^^^^^^\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_text(found)
    warning = Diagnostic("AS0203", Severity.WARNING, "m", span(DOOR, "key"))
    assert "\x1b[1;33m^^^\x1b[0m" in render_text([warning], color=True)


def test_thousands_of_findings():
    source = Source("a", "x " * 20_000)
    found = [finding(Span(source, 2 * i, 2 * i + 1)) for i in range(5000)]
    out = render_text(found)
    assert out.count("error[AS0203]") == 5000
    assert len(json.loads(render_json(found))["diagnostics"]) == 5000
    assert len(json.loads(render_sarif(found))["runs"][0]["results"]) == 5000


def test_many_annotations_are_cut():
    source = Source("a", "\n".join(f"line {i}" for i in range(100)))
    notes = [Annotation(span(source, f"line {i}"), f"note {i}") for i in range(10, 99)]
    out = render_text([finding(span(source, "line 0"), annotations=notes)])
    assert "note 17" in out and "note 18" not in out
    assert "   = note: 81 more places are not shown" in out.splitlines()
    assert len(json.loads(render_json([finding(None, annotations=notes)]))["diagnostics"][0]["annotations"]) == 89


def test_summary_and_exit_code():
    error, warning = finding(None), Diagnostic("AS0203", Severity.WARNING, "m", None)
    note = Diagnostic("AS0203", Severity.NOTE, "m", None)
    assert summary([error, warning, error]) == "2 errors, 1 warning"
    assert exit_code([warning, note]) == 0
    assert exit_code([warning, error]) == 1


TEXTS = st.text(st.sampled_from("ab \t\n\r#\u0301\u200d日👩\x1b\x00\ud800\u2028\u202e"), max_size=300)


@st.composite
def findings(draw):
    """A finding with marks and edits anywhere, in one source or two."""
    sources = [Source("one", draw(TEXTS) * draw(st.sampled_from([1, 1, 1, 9]))), Source("two", draw(TEXTS))]

    def anywhere():
        source = draw(st.sampled_from(sources))
        size = len(source.text)
        start = draw(st.integers(0, size))
        return Span(source, start, draw(st.integers(start, size)))

    notes = [Annotation(anywhere(), "x" + draw(TEXTS)) for _ in range(draw(st.integers(0, 5)))]
    edits = tuple(Edit(anywhere(), draw(TEXTS)) for _ in range(draw(st.integers(0, 3))))
    fix = Fix("x" + draw(TEXTS), edits) if edits else None
    return finding(anywhere(), annotations=notes, fix=fix)


@settings(max_examples=300, deadline=None)
@given(st.lists(findings(), max_size=3))
def test_rendering_never_fails_and_obeys_no_terminal(found):
    out = render_text(found)
    out.encode("utf-8")
    assert not set(out) & set("\x00\x1b\r\t\u202e\u2028\ud800")
    assert out.count("error[AS0203]") == len(found)
    json.loads(render_json(found))
    check_sarif(json.loads(render_sarif(found)))


# ---------------------------------------------------------------- JSON


def test_json_shape():
    found = finding(
        span(DOOR, "carying"), suggestion="carrying", annotations=[Annotation(span(DOOR, "D"), "in this agent")]
    )
    data = json.loads(render_json([found]))
    assert data == {
        "version": 1,
        "summary": {"error": 1, "warning": 0, "note": 0},
        "diagnostics": [
            {
                "code": "AS0203",
                "name": "unknown-name",
                "severity": "error",
                "message": "no signal is named `carying`",
                "file": "door.agentspec",
                "start": {"line": 2, "column": 18},
                "end": {"line": 2, "column": 25},
                "values": {"kind": "signal", "name": "carying"},
                "annotations": [
                    {
                        "message": "in this agent",
                        "file": "door.agentspec",
                        "start": {"line": 1, "column": 7},
                        "end": {"line": 1, "column": 8},
                    }
                ],
                "help": "did you mean `carrying`?",
                "fix": {
                    "message": "replace with `carrying`",
                    "edits": [
                        {
                            "file": "door.agentspec",
                            "start": {"line": 2, "column": 18},
                            "end": {"line": 2, "column": 25},
                            "replacement": "carrying",
                        }
                    ],
                },
            }
        ],
    }


def test_json_of_awkward_values():
    values = {"a": float("inf"), "b": float("nan"), "c": (1, [2.5]), "d": Severity.ERROR, "e": "\ud800"}
    found = Diagnostic("AS0203", Severity.ERROR, "m", None, values=values)
    text = render_json([found])
    text.encode("utf-8")

    def refuse(constant):
        raise AssertionError(constant)

    data = json.loads(text, parse_constant=refuse)["diagnostics"][0]
    assert data["values"] == {"a": "inf", "b": "nan", "c": [1, [2.5]], "d": "Severity.ERROR", "e": "\ud800"}
    assert data["file"] is None and data["start"] is None


def test_json_is_imported_only_where_it_is_written():
    code = "import sys, agentc.lang.render; sys.exit('json' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---------------------------------------------------------------- SARIF


def check_sarif(log):
    """The parts of the SARIF 2.1.0 schema that we use, by hand."""
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    driver = run["tool"]["driver"]
    assert driver["name"] == "agentc"
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(ids) == len(set(ids))
    for rule in driver["rules"]:
        assert set(rule) <= {"id", "name", "shortDescription", "defaultConfiguration", "help"}
        assert rule["name"].isidentifier() and rule["name"][0].isupper()
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")
        assert rule.get("help") is None or set(rule["help"]) == {"text", "markdown"}
    for result in run["results"]:
        assert set(result) <= {
            "ruleId", "ruleIndex", "level", "message", "locations", "relatedLocations", "fixes", "properties",
        }  # fmt: skip
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        for location in result.get("locations", []) + result.get("relatedLocations", []):
            check_location(location["physicalLocation"])
        related = [location["id"] for location in result.get("relatedLocations", [])]
        assert len(related) == len(set(related)) and all(i >= 0 for i in related)
        assert all(location["message"]["text"] for location in result.get("relatedLocations", []))
        for fix in result.get("fixes", []):
            assert fix["description"]["text"] and fix["artifactChanges"]
            for change in fix["artifactChanges"]:
                assert set(change["artifactLocation"]) == {"uri"} and change["replacements"]
                for replacement in change["replacements"]:
                    check_region(replacement["deletedRegion"])
                    assert isinstance(replacement["insertedContent"]["text"], str)


def check_location(physical):
    assert set(physical) == {"artifactLocation", "region"}
    uri = physical["artifactLocation"]["uri"]
    assert uri.isascii() and not set(uri) & set(' "<>\\^`{|}')
    check_region(physical["region"])


def check_region(region):
    assert set(region) == {"startLine", "startColumn", "endLine", "endColumn"}
    assert all(value >= 1 for value in region.values())
    start, end = (region["startLine"], region["startColumn"]), (region["endLine"], region["endColumn"])
    assert start <= end


def test_sarif_structure():
    other = Source("über <b>.agentspec", "x\n")
    notes = [Annotation(span(other, "x"), "declared here"), Annotation(Span(DOOR, 0, len(DOOR.text)), "all of it")]
    found = [
        finding(span(DOOR, "carying"), suggestion="carrying", annotations=notes),
        finding(None),
        report("AS0950", None, query="AS9999"),
    ]
    log = json.loads(render_sarif(found))
    check_sarif(log)
    first = log["runs"][0]["results"][0]
    assert first["message"]["text"] == "no signal is named `carying` (did you mean `carrying`?)"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "door.agentspec"},
        "region": {"startLine": 2, "startColumn": 18, "endLine": 2, "endColumn": 25},
    }
    assert (
        first["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "%C3%BCber%20%3Cb%3E.agentspec"
    )
    replacement = first["fixes"][0]["artifactChanges"][0]["replacements"][0]
    assert replacement["insertedContent"] == {"text": "carrying"}
    rules = {rule["id"]: rule for rule in log["runs"][0]["tool"]["driver"]["rules"]}
    assert "AS0203" in rules["AS0203"]["help"]["markdown"]
    check_sarif(json.loads(render_sarif([])))


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("a/b.agentspec", "a/b.agentspec"),
        ("/tmp/a b.agentspec", "file:///tmp/a%20b.agentspec"),
        ("C:\\specs\\a.agentspec", "file:///C:/specs/a.agentspec"),
        ("<formula>", "%3Cformula%3E"),
        ("x:y", "./x:y"),
        ("100%.agentspec", "100%25.agentspec"),
    ],
)
def test_file_names_as_uris(name, uri):
    found = finding(Span(Source(name, "a"), 0, 1))
    result = json.loads(render_sarif([found]))["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_every_rule_has_what_sarif_wants():
    found = [Diagnostic(code, entry.severity, "m", None) for code, entry in CATALOG.items()]
    log = json.loads(render_sarif(found))
    check_sarif(log)
    assert all("help" in rule for rule in log["runs"][0]["tool"]["driver"]["rules"])
