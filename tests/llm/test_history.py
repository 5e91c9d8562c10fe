"""Histories: one interface, and a kill between any two steps loses nothing and judges nothing twice."""

import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.llm.guard import Guard
from agentc.runtime.llm.history import open_history

from .test_guard import desk, random_call


def postgres_programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").is_dir() else []
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path).parent if on_path else None


@pytest.fixture(scope="module")
def postgres():
    """A server of its own, on a socket in a folder of its own; its address."""
    pytest.importorskip("psycopg")
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    whom = []
    if os.geteuid() == 0:  # the server refuses to run as root
        whom = ["runuser", "-u", "postgres", "--"]
        if not shutil.which("runuser") or subprocess.run([*whom, "true"], capture_output=True).returncode:
            pytest.skip("there is no user `postgres`")
        shutil.chown(folder, "postgres")
    data = folder / "data"
    try:
        subprocess.run(
            [*whom, programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"], check=True,
            capture_output=True,
        )  # fmt: skip
        server = subprocess.Popen(
            [*whom, programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 60
        while not (folder / ".s.PGSQL.5432").exists() and time.monotonic() < until:
            time.sleep(0.05)
        url = f"postgresql://postgres@/postgres?host={folder}"
        for _ in range(200):
            try:
                open_history(url).close()
                break
            except AgentcError:
                time.sleep(0.05)
        yield url
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGINT)
        server.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def where(request, tmp_path):
    """A history that is empty."""
    if request.param == "sqlite":
        return tmp_path / "guard.db"
    url = request.getfixturevalue("postgres")
    history = open_history(url)
    with history.exclusive():
        history._base.execute("TRUNCATE agentc_events")
    history.close()
    return url


def test_one_interface(where):
    history = open_history(where)
    with history.exclusive():
        history.append("a", {"n": 1}, {"outcome": "ask"})
        history.append("b", {"n": 2}, {"outcome": "allow"})
    with pytest.raises(ZeroDivisionError), history.exclusive():
        history.append("c", {"n": 3}, {"outcome": "allow"})
        raise ZeroDivisionError
    seen = []
    last = history.since(0, lambda event, decision: seen.append(event["n"]))
    assert seen == [1, 2] and history.find("c") is None
    assert history.since(last, lambda event, decision: seen.append(event["n"])) == last
    assert [key for key, _, _ in history.asked()] == ["a"]
    with history.exclusive():
        history.settle("a", {"outcome": "deny"})
    assert history.find("a") == ({"n": 1}, {"outcome": "deny"}) and history.asked() == []
    history.close()


def test_guards_that_share_a_history(where):
    first, second = Guard(desk(), history=where), Guard(desk(), {"approved": "ask"}, history=where)
    assert first.propose("approve", {"order": 7}).outcome == "allow"
    assert second.propose("pay", {"order": 7, "amount": 500.0}).outcome == "allow"
    assert first.propose("pay", {"order": 7, "amount": 5.0}).rules == ("single",)
    assert second.propose("pay", {"order": 8, "amount": 500.0}, key="k").outcome == "ask"
    assert second.settle("k", True).outcome == "allow"
    assert first.propose("pay", {"order": 8, "amount": 5.0}).rules == ("single",)
    first.close()
    second.close()


class Killed:
    """A history that kills its process at the n-th boundary: before and after each step of each event."""

    def __init__(self, history, at):
        self._history, self._left = history, at

    def boundary(self):
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1

    def __getattr__(self, name):
        found = getattr(self._history, name)

        def method(*arguments):
            self.boundary()
            value = found(*arguments)
            self.boundary()
            return value

        return method if name in ("find", "append", "settle", "since") else found

    def exclusive(self):
        killed, inner = self, self._history.exclusive()

        class Context:
            def __enter__(self):
                killed.boundary()
                inner.__enter__()
                killed.boundary()

            def __exit__(self, *error):
                killed.boundary()
                found = inner.__exit__(*error)
                killed.boundary()
                return found

        return Context()


def work(agent, where, calls, answers, at):
    """Propose all calls in a process of its own, which is killed at a boundary; whether it came through."""
    child = os.fork()
    if child == 0:
        guard = Guard(agent, {"approved": "ask"}, Killed(open_history(where), at))
        with answers.open("a") as file:
            for key, (tool, arguments) in calls:
                decision = guard.propose(tool, arguments, key)
                if decision.outcome == "ask":
                    decision = guard.settle(key, int(key) % 2 == 0)
                file.write(json.dumps([key, decision.outcome]) + "\n")
                file.flush()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def check_kills(where, tmp_path, count, step):
    agent = desk()
    randomness = random.Random("boundaries")
    calls = [(str(i), random_call(randomness)) for i in range(count)]
    reference = Guard(agent, {"approved": "ask"})
    expected = {}
    for key, (tool, arguments) in calls:
        decision = reference.propose(tool, arguments, key)
        expected[key] = (reference.settle(key, int(key) % 2 == 0) if decision.outcome == "ask" else decision).outcome
    assert set(expected.values()) == {"allow", "deny"}
    answers = tmp_path / "answers"
    kills, at = 0, 0
    while not work(agent, where, calls, answers, at):  # each time one boundary later, on what the last one left
        kills, at = kills + 1, at + step
    assert kills > count
    told = [json.loads(line) for line in answers.read_text().splitlines()]
    assert all(expected[key] == outcome for key, outcome in told)
    assert {key for key, _ in told} == set(expected)
    events = []
    history = open_history(where)
    history.since(0, lambda event, decision: events.append((event["tool"], json.dumps(event["arguments"]))))
    settled = sum(history.find(f"{key}/settled") is not None for key in expected)
    assert len(events) == count + settled  # each once
    history.close()
    return kills


def test_a_kill_at_any_boundary(tmp_path):
    assert check_kills(tmp_path / "guard.db", tmp_path, 6, 1) > 20


@pytest.mark.slow
def test_a_kill_at_any_boundary_of_postgres(postgres, tmp_path):
    history = open_history(postgres)
    with history.exclusive():
        history._base.execute("TRUNCATE agentc_events")
    history.close()
    check_kills(postgres, tmp_path, 6, 1)


def test_a_history_that_is_not_there(tmp_path):
    for bad in (tmp_path / "no" / "folder" / "g.db", tmp_path):
        with pytest.raises(AgentcError) as caught:
            open_history(bad)
        assert caught.value.diagnostics[0].code == "AS1482"
    pytest.importorskip("psycopg")
    with pytest.raises(AgentcError) as caught:
        open_history("postgresql://me:secret@127.0.0.1:9/nothing")
    (found,) = caught.value.diagnostics
    assert found.code == "AS1482" and "secret" not in found.message
