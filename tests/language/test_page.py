"""The page runner is itself tested: it must fail on wrong expectations."""

import pytest

from agentc.lang.diagnostics import Diagnostic, Severity
from agentc.lang.source import Source, Span

from .page import BadPage, Expected, commands, differences, expectations, fences, missing_lines, table


def finding(source, text, code="AS0203", severity=Severity.ERROR):
    at = source.text.index(text)
    return Diagnostic(code, severity, "message", Span(source, at, at + len(text)))


# ---------------------------------------------------------------- fences


def test_fences_with_their_kinds_modes_names_and_lines():
    found = fences("# T\n\n```agentspec evaluated\na\n\nb\n```\ntext\n````file name=x.agentspec\n```\n````\n")
    assert [(f.kind, f.modes, f.name, f.text, f.line) for f in found] == [
        ("agentspec", frozenset({"evaluated"}), None, "a\n\nb\n", 4),
        ("file", frozenset(), "x.agentspec", "```\n", 10),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```agentspec\na\n",
        "```\na\n```\n",
        "```agentspek\na\n```\n",
        "```agentspec evaluate\na\n```\n",
        "```console compile\n```\n",
        "```file\na\n```\n",
        "```python raises\n```\n",
        "```trace raises=AS0203\n```\n",
    ],
)
def test_malformed_pages_are_refused(text):
    with pytest.raises(BadPage):
        fences(text)


# ---------------------------------------------------------------- expectations


def test_markers():
    text = (
        "fine\n"
        'bad  # error: [AS0203] @ "ba\\"d" # warning: [AS0301]\n'
        "  # note: [AS0701]\n"
        "# error: [AS0204]\n"
        "worse\n"
        "# a comment on errors: none\n"
    )
    found = expectations(text, "f")
    assert [(e.line, e.severity, e.code, e.text) for e in found] == [
        (2, "error", "AS0203", 'ba"d'),
        (2, "warning", "AS0301", None),
        (5, "note", "AS0701", None),
        (5, "error", "AS0204", None),
    ]


@pytest.mark.parametrize(
    "line",
    ["x # error: AS0203", "x # error [AS0203]", "x # error: [AS203]", "x # warning: [name]", "# error: [AS0203]"],
)
def test_misspelt_markers_are_refused(line):
    with pytest.raises(BadPage):
        expectations(line + "\n", "f")


# ---------------------------------------------------------------- the comparison must fail

SOURCE = Source("dir/f", "one\ntwo bad\nthree\n")


def test_as_announced():
    assert differences([finding(SOURCE, "bad")], [Expected("f", 2, "error", "AS0203", "bad")]) == []


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], [Expected("f", 2, "error", "AS0203")]),
        ([finding(SOURCE, "bad")], []),
        ([finding(SOURCE, "bad")], [Expected("f", 3, "error", "AS0203")]),
        ([finding(SOURCE, "bad")], [Expected("f", 2, "error", "AS0204")]),
        ([finding(SOURCE, "bad")], [Expected("f", 2, "warning", "AS0203")]),
        ([finding(SOURCE, "bad")], [Expected("g", 2, "error", "AS0203")]),
        ([finding(SOURCE, "bad")], [Expected("f", 2, "error", "AS0203", "two")]),
        ([finding(SOURCE, "bad")] * 2, [Expected("f", 2, "error", "AS0203")]),
        ([finding(SOURCE, "bad")], [Expected("f", 2, "error", "AS0203")] * 2),
        ([finding(SOURCE, "bad", severity=Severity.WARNING)], []),
        ([Diagnostic("AS0203", Severity.ERROR, "m", None)], []),
        ([finding(SOURCE, "bad", severity=Severity.NOTE)] * 2, [Expected("f", 2, "note", "AS0203")]),
        ([], [Expected("f", 2, "note", "AS0203")]),
    ],
)
def test_a_wrong_expectation_fails(found, expected):
    assert differences(found, expected)


def test_notes_that_nobody_announced_are_no_news():
    assert differences([finding(SOURCE, "bad", severity=Severity.NOTE)], []) == []


def test_two_of_one_code_on_one_line_with_pinned_texts():
    source = Source("f", "aa bb\n")
    found = [finding(source, "aa"), finding(source, "bb")]
    wanted = [Expected("f", 1, "error", "AS0203", "bb"), Expected("f", 1, "error", "AS0203", "aa")]
    assert differences(found, wanted) == []


# ---------------------------------------------------------------- tables and consoles


def test_tables():
    (fence,) = fences(
        "```trace\n"
        "t                  0     1\n"
        "a                  true  false\n"
        "x : real [m]       0.5   -1\n"
        "door : {open, shut} open shut\n"
        "----\n"
        "a | x > 0          true  false\n"
        "robustness: F x > 0   0.5  -inf\n"
        "online: G a        true? false\n"
        "```\n"
    )
    rows = table(fence)
    assert [(r.kind, r.text, r.type, r.values) for r in rows] == [
        ("signal", "a", "bool", ("true", "false")),
        ("signal", "x", "real [m]", ("0.5", "-1")),
        ("signal", "door", "{open, shut}", ("open", "shut")),
        ("truth", "a | x > 0", "", ("true", "false")),
        ("robustness", "F x > 0", "", ("0.5", "-inf")),
        ("online", "G a", "", ("true?", "false")),
    ]
    assert rows[0].line == 3


@pytest.mark.parametrize(
    "text", ["", "a true\n", "t 0 1\na true\n", "t 0 2\na true true\nF a true true\n", "t 0 1\na true false\n"]
)
def test_malformed_tables_are_refused(text):
    (fence,) = fences(f"```trace\n{text}```\n")
    with pytest.raises(BadPage):
        table(fence)


def test_consoles():
    (fence,) = fences("```console\n$ agentc check 'a b'\nerror: x\n...\n[exit 1]\n$ agentc envs\n```\n")
    first, second = commands(fence)
    assert (first.arguments, first.output, first.exit_code) == (("check", "a b"), ("error: x",), 1)
    assert (second.arguments, second.output, second.exit_code, second.line) == (("envs",), (), 0, 6)
    for bad in ("$ rm x\n", "output\n"):
        (fence,) = fences(f"```console\n{bad}```\n")
        with pytest.raises(BadPage):
            commands(fence)


def test_output_is_compared_in_order():
    assert missing_lines("a\n b\nc\n", ["a", "c"]) == []
    assert missing_lines("a\nb\n", ["b", "a"]) == ["a"]
    assert missing_lines("a\n", ["a", "a"]) == ["a"]
    assert missing_lines("", ["a"]) == ["a"]
    assert missing_lines("a\nb\n", ["c", "b"]) == ["c"]
    assert missing_lines("error[AS0203]: no x\n", ["error[AS0203]: ..."]) == []
    assert missing_lines("error[AS0203] no x\n", ["error[AS0203]: ..."]) == ["error[AS0203]: ..."]
