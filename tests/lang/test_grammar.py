"""The grammar is LALR(1) without conflicts, and the prebuilt table says what lark says."""

import os
import subprocess
import sys
from itertools import pairwise

import pytest
from lark import Token as LarkToken
from lark import Tree

from agentc.lang.lalr import Many, Stack
from agentc.lang.layout import SEPARATOR, separate
from agentc.lang.lexer import tokenize
from agentc.lang.parse_table import build_lark, make_table
from agentc.lang.source import Source
from agentc.lang.table import TABLE_PATH, load_table
from agentc.lang.words import BLOCK_ITEMS, INNER_ITEMS, RESERVED, TOP_ITEMS

from .corpus import texts


@pytest.fixture(scope="module")
def lark():
    return build_lark(strict=True)


def test_strict_lark_accepts_the_grammar(lark):
    assert len(lark.rules) > 300  # strict raised nothing: no conflict of productions, no collision of terminals


def test_table_is_current():
    assert TABLE_PATH.read_bytes() == make_table()


@pytest.mark.parametrize("seed", ["1", "2"])
def test_bytes_do_not_depend_on_the_hash_seed(seed):
    code = "import sys; from agentc.lang.parse_table import make_table; sys.stdout.buffer.write(make_table())"
    run = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True)
    assert run.stdout == TABLE_PATH.read_bytes()


def test_no_terminal_is_anonymous():
    assert not [name for name in load_table()._symbols if name.startswith("__ANON")]


def test_parsing_imports_neither_lark_nor_interegular():
    code = (
        "import sys; from agentc.lang.parser import parse; from agentc.lang.source import Source; "
        "parse(Source('f', 'agent A { prop p = q }')); "
        "print([m for m in ('lark', 'interegular', 'difflib', 'numpy', 'torch', 'pickle') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_words_agree_with_the_grammar():
    table = load_table()
    keywords = set(table.keywords)
    assert keywords >= TOP_ITEMS | BLOCK_ITEMS | INNER_ITEMS
    hard = {word for word, kind in table.keywords.items() if kind not in table.soft}
    temporal = {word for word in RESERVED if word not in keywords}
    assert hard | temporal == RESERVED
    for word in temporal:
        assert tokenize(Source("f", word)).tokens[0].kind in ("UNARY_TEMPORAL", "BINARY_TEMPORAL")


LEXER_TEXTS = [
    "a==b!=c<=d>=e<f>g->h<->i|j&k!l*m**n/o+p-q=r:s,t..u.v(w)[x]{y};z^",
    "G F X WX Y WY O H U W R M S T Ga Fb alwaysx always until untilx xor and or not in",
    "1 1.5 1e3 1.5e-3 300_000 5s 0.1s 50m/s 9.81m/s^2 1e3s 2e 3E 1..80 1.5..2 7m^-1 1_0.0_1",
    "x' `y`' `z` x '".replace(" '", ""),
    '"a" "a\\"b" """doc "quoted" ""x""" """""" "\\\\"',
    "# only a comment",
    "a # b\n\t c \r\n d",
]


@pytest.mark.parametrize("text", [*LEXER_TEXTS, *texts().values()])
def test_tokens_are_those_of_larks_basic_lexer(lark, text):
    ours = [(token.kind, token.text, token.start, token.stop) for token in tokenize(Source("f", text)).tokens]
    theirs = [(token.type, str(token), token.start_pos, token.end_pos) for token in lark.lex(text)]
    assert ours == theirs


class Outline:
    """A builder that makes what lark's tree builder makes."""

    source = None

    def action(self, name):
        return lambda children, start, stop: (name, *children)


@pytest.mark.parametrize("name", sorted(texts()))
def test_trees_are_those_of_lark(lark, name):
    text = texts()[name]
    table = load_table()
    lexed = tokenize(Source("f", text))
    tokens = separate(lexed.tokens, text, lexed.broken, table.soft)
    stack = Stack(table, Outline(), "start")
    interactive = lark.parse_interactive("", start="start")
    for token in tokens:
        assert stack.feed(token)
        interactive.feed_token(LarkToken(token.kind, token.text, token.start))
    end = tokens[-1]._replace(kind="$END", text="")
    assert stack.feed(end)
    assert _plain(stack.values[-1]) == _outline(interactive.feed_eof())


def _outline(root):
    """A lark tree as nested tuples, built without recursion."""
    done = {}
    pending = [root]
    while pending:
        node = pending[-1]
        children = [child for child in node.children if isinstance(child, Tree) and id(child) not in done]
        if children:
            pending += children
            continue
        pending.pop()
        done[id(node)] = (
            str(node.data),
            *(done[id(c)] if isinstance(c, Tree) else None if c is None else (c.type, str(c)) for c in node.children),
        )
    return done[id(root)]


def _plain(value):
    if value is None:
        return None
    if hasattr(value, "kind"):
        return value.kind, value.text
    assert not isinstance(value, Many)
    return (value[0], *(_plain(child) for child in value[1:]))


def test_separators_in_the_corpus_are_never_doubled():
    for text in texts().values():
        lexed = tokenize(Source("f", text))
        kinds = [token.kind for token in separate(lexed.tokens, text, [], load_table().soft)]
        assert (SEPARATOR, SEPARATOR) not in set(pairwise(kinds))
        assert kinds[0] != SEPARATOR and kinds[-1] != SEPARATOR
