"""Files become sources, or a report that says why not."""

import pytest

from agentc.lang.source import MAX_MEGABYTES, Source, Span, decode_source, read_source


def test_positions_and_lines():
    source = Source("f", "ab\ncd\n\ne")
    assert [source.position(offset) for offset in (0, 2, 3, 6, 7, 8)] == [
        (1, 1), (1, 3), (2, 1), (3, 1), (4, 1), (4, 2),
    ]  # fmt: skip
    assert [source.line(n) for n in (1, 2, 3, 4)] == ["ab", "cd", "", "e"]
    assert Span(source, 0, 2).to(Span(source, 3, 5)).text == "ab\ncd"


def test_reading(tmp_path):
    path = tmp_path / "a.agentspec"
    path.write_bytes(b"\xef\xbb\xbfprop a = b\r\nprop c = d\r")
    source, diagnostics = read_source(path, "a.agentspec")
    assert diagnostics == () and source is not None
    assert (source.name, source.text) == ("a.agentspec", "prop a = b\nprop c = d\n")


@pytest.mark.parametrize(
    ("data", "code"), [(b"a\xff", "AS0143"), (b"a\n\xc3", "AS0143"), (b"a\0b", "AS0145"), (b"\xff\xfea\0", "AS0143")]
)
def test_bytes_that_are_no_text(data, code):
    source, (diagnostic,) = decode_source(data, "f")
    assert source is None and diagnostic.code == code


def test_what_cannot_be_read(tmp_path):
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(MAX_MEGABYTES * 1_000_000 + 1)
    for path, code in [
        (tmp_path / "missing", "AS0140"), (tmp_path, "AS0141"), ("a\0b", "AS0142"), (large, "AS0144"),
        (tmp_path / ("x" * 5000), "AS0142"), ("/dev/zero", "AS0141"),
    ]:  # fmt: skip
        source, (diagnostic,) = read_source(path)
        assert source is None and diagnostic.code == code
