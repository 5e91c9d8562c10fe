"""Bundles: the same bytes every time, whole or not there, and a diagnostic for everything that mangles one."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import agentc.compiler.bundle as bundle_module
from agentc.compiler.backends.monitor import MonitorProgram
from agentc.compiler.bundle import IR, MANIFEST, bundle_schema, canonical_json, digest, read_bundle, write_bundle
from agentc.compiler.codec import encode_agent
from agentc.compiler.examples import run_examples
from agentc.compiler.logic.ir import show
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source
from agentc.runtime.cli.application import invoke
from agentc.runtime.compilation import load
from agentc.runtime.compiled import CompiledAgent

from .sample_agents import RICH, SHIPPED, agents, random_agent

ROOT = Path(__file__).resolve().parents[2]
DOORKEY = ROOT / "specs" / "doorkey.agentspec"
SOURCE = Source("a.agentspec", "# a spec\n")


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def written(out, agent, **artifacts):
    return write_bundle(out, agent, [SOURCE], {"note.txt": b"x", **artifacts}, version="0")


def door_key():
    return next(a for a in agents() if a.name == "DoorKey")


# ---------------------------------------------------------------- the same bytes


def test_two_folders_and_two_processes_give_the_same_bytes(tmp_path):
    found = []
    for seed in ("1", "2"):
        folder = tmp_path / f"folder{seed}" / ("deep" * int(seed))
        folder.mkdir(parents=True)
        for spec in (*SHIPPED, RICH):
            shutil.copy(spec, folder)
        done = subprocess.run(
            [sys.executable, "-m", "agentc", "compile"], cwd=folder, capture_output=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert done.returncode == 0, done.stderr
        found.append(tree(folder / "build"))
    assert found[0] == found[1]
    assert len(found[0]) > 3 * len(SHIPPED)
    assert not any(str(tmp_path).encode() in content for content in found[0].values())


@pytest.mark.parametrize("seed", range(20))
def test_bundles_come_back(seed, tmp_path):
    agent = random_agent(seed)
    first, second = written(tmp_path / "a", agent), written(tmp_path / "b", agent)
    assert tree(first) == tree(second)
    read = read_bundle(first)
    assert read.agent == agent
    assert read.text("note.txt") == "x"
    assert read.artifacts[IR] == (first / IR).read_bytes()


def test_sources_of_one_name_keep_apart(tmp_path):
    sources = [Source("a/x.agentspec", "1"), Source("b/x.agentspec", "2")]
    place = write_bundle(tmp_path, door_key(), sources, {}, version="0")
    assert sorted(p.read_text() for p in (place / "sources").iterdir()) == ["1", "2"]
    assert read_bundle(place).agent == door_key()


# ---------------------------------------------------------------- whole or not there


def test_nothing_is_written_with_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.agentspec").write_text(DOORKEY.read_text())
    (tmp_path / "b.agentspec").write_text("agent B { task t = F nothing }\n")
    assert invoke(["compile"]) == 1
    assert "AS0203" in capsys.readouterr().err
    assert not (tmp_path / "build").exists()


def test_an_old_bundle_survives_a_failed_write(tmp_path, monkeypatch):
    place = written(tmp_path, door_key())
    before = tree(tmp_path)
    real, calls = Path.write_bytes, []

    def full(self, data):
        calls.append(self)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(AgentcError) as caught:
        written(tmp_path, door_key(), more=b"y")
    monkeypatch.undo()
    assert [d.code for d in caught.value.diagnostics] == ["AS0808"] and len(calls) == 3
    assert tree(tmp_path) == before
    assert read_bundle(place).agent == door_key()


def test_an_old_bundle_survives_a_move_that_fails(tmp_path, monkeypatch):
    written(tmp_path, door_key())
    before = tree(tmp_path)
    real = Path.rename

    def stuck(self, target):
        if Path(target).name == "DoorKey.agent" and self.name != "0":
            raise OSError(39 if Path(target).exists() else 5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", stuck)
    with pytest.raises(AgentcError, match="AS0808"):
        written(tmp_path, door_key(), more=b"y")
    monkeypatch.undo()
    assert tree(tmp_path) == before


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(AgentcError, match="AS0808"):
        written(tmp_path / "file", door_key())
    (tmp_path / "DoorKey.agent").write_text("mine")
    with pytest.raises(AgentcError, match="AS0808"):
        written(tmp_path, door_key())
    assert tree(tmp_path) == {"file": b"mine", "DoorKey.agent": b"mine"}


def test_a_new_bundle_replaces_the_old_one_whole(tmp_path):
    written(tmp_path, door_key(), old=b"1")
    place = written(tmp_path, door_key(), new=b"2")
    assert "new" in tree(place) and "old" not in tree(place)
    assert [p.name for p in tmp_path.iterdir()] == ["DoorKey.agent"]


def test_processes_that_compile_the_same_agent_at_once(tmp_path):
    program = (
        "import sys; from pathlib import Path\n"
        "from agentc.compiler.bundle import write_bundle; from agentc.compiler.pipeline import check, read\n"
        f"agent = check(read({str(DOORKEY)!r})).agents[0]\n"
        "for i in range(40): write_bundle(Path(sys.argv[1]), agent, [], {'who': sys.argv[2].encode()}, version='0')\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(i)], stderr=subprocess.PIPE)
        for i in range(3)
    ]
    assert [(p.communicate()[1].decode(), p.returncode) for p in running] == [("", 0)] * 3
    assert [p.name for p in tmp_path.iterdir()] == ["DoorKey.agent"]
    assert read_bundle(tmp_path / "DoorKey.agent").agent == door_key()


# ---------------------------------------------------------------- mangled


def refused(place, *codes):
    with pytest.raises(AgentcError) as caught:
        load(place)
    found = [d.code for d in caught.value.diagnostics]
    assert found and all(c.startswith("AS08") for c in found)
    if codes:
        assert found == list(codes)
    return str(caught.value)


def change_manifest(place, change):
    data = json.loads((place / MANIFEST).read_bytes())
    change(data)
    (place / MANIFEST).write_bytes(canonical_json(data))


def put_ir(place, content):
    """Another ir.json, with the digest that belongs to it."""
    (place / IR).write_bytes(content)
    change_manifest(place, lambda m: [e.update(sha256=digest(content)) for e in m["artifacts"] if e["path"] == IR])


@pytest.fixture
def place(tmp_path):
    return written(tmp_path, door_key())


def test_what_is_no_bundle(place, tmp_path):
    refused(tmp_path / "nothing", "AS0801")
    refused(tmp_path, "AS0801")
    refused(place / IR, "AS0801")
    refused(tmp_path / "a\0b", "AS0801")
    refused(tmp_path / ("x" * 5000), "AS0801")
    (place / MANIFEST).unlink()
    (place / MANIFEST).mkdir()
    refused(place, "AS0801")


def test_another_version(place):
    change_manifest(place, lambda m: m.update(schema_version=2))
    refused(place, "AS0803")
    change_manifest(place, lambda m: m.update(schema_version="1"))
    refused(place, "AS0807")


def test_every_file_that_is_deleted_truncated_or_flipped_is_noticed(place):
    contents = tree(place)
    choose = random.Random(0)
    for name, content in contents.items():
        (place / name).unlink()
        refused(place, "AS0801" if name == MANIFEST else "AS0804")
        for _ in range(10):
            (place / name).write_bytes(content[: choose.randrange(len(content))])
            refused(place)
            at = choose.randrange(len(content))
            flipped = content[:at] + bytes([content[at] ^ (1 << choose.randrange(8))]) + content[at + 1 :]
            (place / name).write_bytes(flipped)
            if name == MANIFEST:
                try:
                    load(place)  # the version of the compiler, say, is not what a digest is of
                except AgentcError as error:
                    assert all(d.code.startswith("AS08") for d in error.diagnostics)
            else:
                refused(place, "AS0805")
        (place / name).write_bytes(content)
    load(place)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret", "sources/../../x"])
def test_paths_that_lead_out(place, name, tmp_path):
    (tmp_path / "secret").write_text("s")
    change_manifest(place, lambda m: m["artifacts"].append({"path": name, "sha256": digest(b"s")}))
    refused(place, "AS0806")


@pytest.mark.parametrize("name", ["", ".", "sources", "a\0b", "\ud800", "x" * 5000, "loop", "pipe", "nothing"])
def test_names_of_no_file(place, name):
    (place / "loop").symlink_to("loop")
    os.mkfifo(place / "pipe")
    data = json.loads((place / MANIFEST).read_bytes())
    data["artifacts"].append({"path": name, "sha256": digest(b"")})
    (place / MANIFEST).write_text(json.dumps(data))
    refused(place)


def test_links_that_lead_out(place, tmp_path):
    (tmp_path / "secret").write_text("s")
    (place / "link").symlink_to("../secret")
    change_manifest(place, lambda m: m["artifacts"].append({"path": "link", "sha256": digest(b"s")}))
    refused(place, "AS0806")


def test_sources_and_names_that_do_not_fit(place):
    good = (place / MANIFEST).read_bytes()
    for change in (
        lambda m: m.update(agent="Other"),
        lambda m: m["sources"].append({"path": "note.txt", "sha256": "0"}),
        lambda m: m.update(artifacts=[e for e in m["artifacts"] if e["path"] != IR]),
        lambda m: m.update(artifacts={}),
        lambda m: m.update(more=1),
        lambda m: m.pop("missing"),
    ):
        change_manifest(place, change)
        refused(place)
        (place / MANIFEST).write_bytes(good)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"null", b"[]", b"3", b"\xff\xfe", b'{"nodes": []}', b"NaN", b'{"nodes": [NaN], "agent": {}}',
        b"[" * 100_000, b'{"a":' * 5_000, b"1e999", b"9" * 10_000, b'"\\ud800"',
    ],
    ids=lambda c: repr(c[:30]),
)  # fmt: skip
def test_meanings_that_are_none(place, content):
    put_ir(place, content)
    refused(place)
    (place / MANIFEST).write_bytes(content)
    refused(place)


@pytest.mark.parametrize("number", [b"1e999", b"NaN", b"-Infinity", b"9" * 400, b"9" * 5000, b"[" * 900 + b"]" * 900])
@pytest.mark.parametrize("field", ["discount", "threshold", "horizon", "amount"])
def test_numbers_that_are_none(place, field, number):
    text = canonical_json(encode_agent(door_key()))
    head, _, tail = text.partition(f'"{field}": '.encode())
    assert tail
    put_ir(place, head + f'"{field}": '.encode() + number + tail[len(tail.split(b",")[0].split(b"\n")[0]) :])
    if field == "horizon" and number == b"9" * 400:
        return  # a whole number of any size is one
    refused(place)


def test_artifacts_that_are_no_text_or_no_json(tmp_path):
    read = read_bundle(written(tmp_path, door_key(), bad=b"\xff", deep=b"[" * 100_000))
    for name in ("bad", "no"):
        with pytest.raises(AgentcError, match="AS080"):
            read.text(name)
    for name in ("bad", "no", "deep", "note.txt"):
        with pytest.raises(AgentcError, match="AS080"):
            read.data(name)


# ---------------------------------------------------------------- mutants of the meaning

SCALARS = (
    None, True, False, 0, 1, -1, 2, 3, 7, 0.5, -0.0, 1e308, 10**30, 10**400, "", "a", "p", "F", "G", "U", "not",
    "and", "atom", "last", "prev", "signal", "const", "compare", "in_region", "in_set", "count", "min", "norm",
    "tuple", "index", "box", "bool", "int", "real", "text", "enum", "vector", "task", "safe", "door", "x", "action",
    "<", "==", "formula", "prop", "step", "robustness", "../x", "a.b", [], [0], [0, 1], [1, 2, 3], {}, {"a": 1},
    [[]], "\u2028", "f(",
)  # fmt: skip


def places(data):
    """Every place in a document: the container and the key."""
    found, todo = [], [data]
    while todo:
        at = todo.pop()
        keys = at if isinstance(at, dict) else range(len(at)) if isinstance(at, list) else ()
        found += [(at, key) for key in keys]
        todo += [at[key] for key in keys]
    return found


def mutant(data, choose):
    """The document with one to three changes."""
    data = json.loads(json.dumps(data))
    for _ in range(choose.choice((1, 1, 1, 2, 3))):
        spots = places(data)
        if not spots:
            return data
        at, key = choose.choice(spots)
        other, name = choose.choice(spots)
        match choose.randrange(7):
            case 0 | 1:
                at[key] = choose.choice(SCALARS)
            case 2:
                at[key] = json.loads(json.dumps(other[name]))
            case 3 if isinstance(at[key], int) and not isinstance(at[key], bool):
                at[key] += choose.choice((-3, -2, -1, 1, 2, 3))
            case 4 if isinstance(at, list):
                del at[key]
            case 5 if isinstance(at, list):
                at.insert(key, json.loads(json.dumps(choose.choice((at[key], other[name])))))
            case 6:
                same = [(a, k) for a, k in spots if k == key and a is not at] or [(other, name)]
                a, k = choose.choice(same)
                at[key] = json.loads(json.dumps(a[k]))
    return data


def run_mutants(folder, count, seed, monkeypatch):
    """Whatever is read after a change of the meaning goes through everything behind; returns how much is."""
    import agentc.compiler.automata.ltlf as ltlf

    # mutants of intervals would each take the whole budget of time
    for function in (ltlf.translate, ltlf.translate_typed):
        monkeypatch.setattr(function, "__kwdefaults__", {**function.__kwdefaults__, "max_states": 200})
    choose = random.Random(seed)
    bases = [encode_agent(a) for a in (*agents(), *(random_agent(i) for i in range(20)))]
    accepted = 0
    for _ in range(count):
        data = mutant(choose.choice(bases), choose)
        content = json.dumps(data).encode()
        (folder / IR).write_bytes(content)
        entry = [{"path": IR, "sha256": hashlib.sha256(content).hexdigest()}]
        name = data["agent"].get("name") if isinstance(data.get("agent"), dict) else None
        manifest = {"schema_version": 1, "agentc": "0", "agent": name, "sources": [], "artifacts": entry, "missing": []}
        (folder / MANIFEST).write_text(json.dumps(manifest))
        try:
            read = read_bundle(folder)
        except AgentcError as error:
            assert all(d.code.startswith("AS08") for d in error.diagnostics)
            str(error)
            continue
        accepted += 1
        try:
            follow(read.agent)
        except Exception as error:
            raise AssertionError(json.dumps(data)) from error
    return accepted


def follow(agent):
    """Everything that is done with an agent that was read; what is refused is refused with diagnostics."""
    for item in agent.formulas:
        show(item.formula)
    steps = (lambda: CompiledAgent.from_ir(agent), lambda: run_examples(agent))
    for step in steps:
        try:
            made = step()
        except AgentcError as error:
            assert error.diagnostics
            continue
        if isinstance(made, CompiledAgent):
            for program in made.monitors.values():
                assert MonitorProgram.from_data(json.loads(json.dumps(program.to_data()))) == program


def test_mutants_of_the_meaning(tmp_path, monkeypatch):
    assert run_mutants(tmp_path, 400, 1, monkeypatch) >= 20


@pytest.mark.slow
def test_many_mutants_of_the_meaning(tmp_path, monkeypatch):
    assert run_mutants(tmp_path, 5000, 2, monkeypatch) >= 250


# ---------------------------------------------------------------- the schema


def test_the_published_schema_is_current_and_holds_of_bundles(tmp_path):
    import jsonschema

    published = json.loads((ROOT / "docs" / "reference" / "bundle.schema.json").read_text())
    assert published == json.loads(canonical_json(bundle_schema())), "run `python -m agentc.compiler.bundle`"
    for schema in published["files"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    holds = {name: jsonschema.Draft202012Validator(schema) for name, schema in published["files"].items()}
    for agent in (*agents(), *(random_agent(i) for i in range(5))):
        place = written(tmp_path, agent)
        for name, validator in holds.items():
            validator.validate(json.loads((place / name).read_text()))
    broken = json.loads((place / IR).read_text())
    broken["agent"]["formulas"] = 3
    assert not holds[IR].is_valid(broken)


def test_the_schema_is_written_by_the_module():
    done = subprocess.run([sys.executable, "-m", "agentc.compiler.bundle"], capture_output=True, check=True)
    assert done.stdout == canonical_json(bundle_schema())
    assert bundle_module.SCHEMA_VERSION == 1
