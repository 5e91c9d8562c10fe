"""Modules: what is found, what is brought in, and what is refused."""

import pytest

from agentc.lang.elaborate import Elaborator
from agentc.lang.imports import Library, file_scope
from agentc.lang.lints import unused
from agentc.lang.parser import parse, parse_formula
from agentc.lang.source import Source


class Project:
    """A folder of modules with a standard library of its own."""

    def __init__(self, folder):
        self.root, self.standard = folder / "project", folder / "std"
        self.write("std/patterns", "pattern ordered(a : prop, b : prop) = F (a & F b)\nprop hidden = ordered")
        self.write("std/env/grid", "environment grid(size : int) {\n engine grid()\n}\nconst unit = 1")
        self.root.mkdir(exist_ok=True)

    def write(self, name, text):
        folder = self.standard.parent
        file = folder / (f"{name}.agentspec" if name.startswith("std/") else f"project/{name}.agentspec")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def scope(self, text):
        """The scope of a file with what was reported."""
        self.library = Library(str(self.root), str(self.standard))
        module, found = parse(Source("main", text))
        assert not found
        diagnostics = []
        scope = file_scope(module, self.library, diagnostics)
        return scope, diagnostics

    def codes(self, text):
        return [(d.code, d.span.text) for d in self.scope(text)[1]]


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def show(text, scope):
    elaborator = Elaborator()
    typed = elaborator.formula(parse_formula(Source("formula", text))[0], scope)
    assert not elaborator.diagnostics, elaborator.diagnostics
    return repr(typed)


def test_names(project):
    project.write("lib/props", "prop yes = true\nprop other = yes & !yes\nconst three = 3")
    scope, found = project.scope(
        "import lib.props: other, three as drei\nimport std.patterns: ordered\nprop yes = false"
    )
    assert not found
    assert scope.find("three") is None
    # `yes` in the body of `other` is that of its own module
    shown = show("ordered(other, yes)", scope)
    assert shown == "(F[0,inf] (and (and true (not true)) (F[0,inf] false)))"


def test_modules(project):
    project.write("lib/props", "prop yes = true")
    scope, found = project.scope("import lib.props\nimport lib.props as l")
    assert not found
    assert show("props.yes & l.yes", scope) == "(and true true)"


def test_an_environment_is_known_by_the_name_of_its_module(project):
    scope, found = project.scope("import std.env.grid\nimport std.env.grid as g")
    assert not found
    assert scope.find("grid").kind == scope.find("g").kind == "environment"
    assert scope.find("g").exports.find("unit").kind == "const"


def test_imports_are_not_exported(project):
    project.write("a", "import b: p")
    project.write("b", "prop p = true")
    assert project.codes("import a: p") == [("AS0211", "p")]


def test_constants_of_modules(project):
    project.write("numbers", "const one = 1\nconst two = one + one")
    scope, _ = project.scope("import numbers: two\nimport numbers\nconst one = 7")
    assert [show(f"F[0, {n}] true", scope) for n in ("two", "numbers.two", "one")] == [
        f"(F[0,{n}] true)" for n in (2, 2, 7)
    ]


@pytest.mark.parametrize(
    ("text", "code", "place", "suggestion"),
    [
        ("import std.pattern: ordered", "AS0210", "std.pattern", "std.patterns"),
        ("import std.env.gird", "AS0210", "std.env.gird", "std.env.grid"),
        ("import libb", "AS0210", "libb", "lib"),
        ("import std", "AS0210", "std", None),
        ("import std.patterns: orderd", "AS0211", "orderd", "ordered"),
        ("import loop", "AS0212", "loop", None),
        ("import binary", "AS0214", "binary", None),
    ],
)
def test_refused(project, text, code, place, suggestion):
    project.write("lib", "prop p = true")
    project.write("loop", "import pool")
    project.write("pool", "import loop")
    project.write("binary", b"\xff\xfe\x00")
    _, found = project.scope(text)
    assert code in [d.code for d in found]
    first = next(d for d in found if d.code == code)
    if code != "AS0212":
        assert [d.code for d in found] == [code] and first.span.text == place
    assert suggestion is None or f"`{suggestion}`" in first.help


def test_a_cycle_is_shown(project):
    project.write("a", "import b")
    project.write("b", "import a: x\nprop y = x")
    _, found = project.scope("import a")
    assert [(d.code, d.values["cycle"]) for d in found] == [("AS0212", "a -> b -> a")]


def test_what_a_failed_import_would_bring_is_not_reported_again(project):
    scope, found = project.scope("import nowhere: p, q as r\nimport elsewhere as e")
    assert [d.code for d in found] == ["AS0210", "AS0210"]
    elaborator = Elaborator()
    elaborator.formula(parse_formula(Source("f", "p & G r & e.x(p)"))[0], scope)
    assert not elaborator.diagnostics


def test_never_outside_of_the_root(project, tmp_path):
    (tmp_path / "secret.agentspec").write_text("prop p = true")
    (project.root / "link.agentspec").symlink_to(tmp_path / "secret.agentspec")
    assert project.codes("import link") == [("AS0213", "link")]
    (project.root / "up").symlink_to(tmp_path)
    assert project.codes("import up.secret") == [("AS0213", "up.secret")]


def test_without_a_root_only_the_standard_library(project):
    module, _ = parse(Source("main", "import std.patterns: ordered\nimport lib"))
    found = []
    file_scope(module, Library(None, str(project.standard)), found)
    assert [d.code for d in found] == ["AS0210"]


def test_mistakes_inside_of_a_module_are_shown_where_they_are(project):
    project.write("lib", "prop p = = 3\nprop q = true")
    scope, found = project.scope("import lib: p, q")
    assert found and all(d.span.source.name.endswith("lib.agentspec") for d in found)
    assert show("q", scope) == "true"


def test_the_same_name_twice(project):
    project.write("lib", "prop p = true")
    scope, found = project.scope("import lib: p\nprop p = false\nimport lib: p")
    assert [(d.code, d.span.text) for d in found] == [("AS0201", "p"), ("AS0201", "p")]
    assert found[0].annotations[0].span.text == "p"
    assert show("p", scope) == "true"


def test_a_module_is_read_once(project):
    project.write("lib", "prop p = true")
    scope, _ = project.scope("import lib: p\nimport lib as l")
    assert scope.find("p").node is scope.find("l").exports.find("p").node
    assert list(project.library.sources) == [("lib",)]


def test_unused_imports(project):
    project.write("lib", "prop p = true\nprop q = true")
    scope, _ = project.scope("import lib: p, q\nimport std.patterns\nimport std.env.grid")
    show("p", scope)
    assert [(d.code, d.span.text) for d in unused(scope)] == [
        ("AS0216", "q"), ("AS0216", "std.patterns"), ("AS0216", "std.env.grid")
    ]  # fmt: skip


def test_definitions_of_broken_items_are_silent():
    module, found = parse(Source("main", "prop p = )\nprop q = p"))
    assert found
    diagnostics = []
    scope = file_scope(module, Library(), diagnostics)
    assert not diagnostics
    elaborator = Elaborator()
    elaborator.definition(scope.find("q"))
    assert not elaborator.diagnostics


def test_the_installed_library():
    library = Library()
    assert library.module_scope(("std", "patterns")).find("ordered").kind == "pattern"
    assert "minigrid" in library.environments()
    for name in library.environments():
        library.module_scope(("std", "env", name))
    assert not library.diagnostics


def test_the_patterns_of_the_installed_library():
    scope = Library().module_scope(("std", "patterns"))
    elaborator = Elaborator()
    for name in scope.names():
        elaborator.definition(scope.find(name))
    assert not elaborator.diagnostics


def test_what_a_misspelt_import_means_is_not_reported_again(project):
    scope, found = project.scope("import std.patterns: orderd")
    assert [d.code for d in found] == ["AS0211"]
    elaborator = Elaborator()
    elaborator.formula(parse_formula(Source("f", "ordered(true, false) & orderd(true)"))[0], scope)
    assert not elaborator.diagnostics


@pytest.mark.parametrize(
    ("text", "names", "lenient"),
    [
        ("qrop a = )", ["a"], False),
        ("prop a = )", ["a"], False),
        ("qwop (a)", [], True),
    ],
)
def test_what_a_broken_item_declares(text, names, lenient):
    module, found = parse(Source("main", text))
    assert found
    diagnostics = []
    scope = file_scope(module, Library(), diagnostics)
    assert not diagnostics
    assert ([n for n in scope.names("error") if n in names], scope.incomplete) == (names, lenient)
