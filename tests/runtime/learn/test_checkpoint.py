"""Checkpoints: what is written is read, the bytes are a function of the state, damage is a diagnostic."""

import json
import random

import numpy as np
import pytest
from gymnasium import spaces

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.learn.architecture import architecture_for
from agentc.runtime.learn.checkpoint import FILE_NAME, Checkpoint, _digest, load, save
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.train import train

from .environments import Corridor, vector_of

COUNTERS = {"steps": 10, "updates": 2, "episodes": 3, "generation": 0}


def made(steps=10):
    architecture = architecture_for(Corridor().observation_space, spaces.Discrete(3), hidden=4)
    tensors = {"network/a": np.arange(6, dtype=np.float32).reshape(2, 3), "optimizer/first": np.zeros(0, np.float32)}
    state = {"bit_generator": "PCG64", "state": {"state": str(2**127), "inc": "1"}}
    counters = {**COUNTERS, "steps": steps}
    return Checkpoint("ppo", architecture.to_data(), PPOConfig().to_data(), counters, state, tensors)


def test_what_is_written_is_read(tmp_path):
    path = save(tmp_path, made())
    assert path == tmp_path / FILE_NAME
    for where in (path, tmp_path):
        read = load(where)
        assert read.counters == COUNTERS
        assert read.config == PPOConfig().to_data()
        assert read.randomness["state"]["state"] == str(2**127)
        assert set(read.tensors) == set(made().tensors)
        np.testing.assert_array_equal(read.group("network")["a"], made().tensors["network/a"])


def test_the_same_state_is_the_same_bytes_and_only_the_last_is_kept(tmp_path):
    for name in ("one", "two"):
        save(tmp_path / name, made(5))
        save(tmp_path / name, made(10))
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two
    assert sorted(one) == [FILE_NAME, "weights-000000000010-0.safetensors"]


def test_a_write_that_fails_leaves_the_last_one(tmp_path, monkeypatch):
    from agentc.runtime.learn import checkpoint

    save(tmp_path, made(5))

    def refuse(*_):
        raise OSError(28, "No space left on device")

    real = checkpoint._replace
    for failing_call in (1, 2):
        calls = []

        def replace(path, data, calls=calls, failing_call=failing_call):
            calls.append(path)
            (refuse if len(calls) == failing_call else real)(path, data)

        monkeypatch.setattr(checkpoint, "_replace", replace)
        with pytest.raises(AgentcError) as caught:
            save(tmp_path, made(10))
        assert caught.value.diagnostics[0].code == "AS0843"
        assert "No space left on device" in caught.value.diagnostics[0].message
        assert load(tmp_path).counters["steps"] == 5


def test_where_there_is_none(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "x.json"):
        with pytest.raises(AgentcError) as caught:
            load(path)
        assert caught.value.diagnostics[0].code == "AS0840"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    train(vector_of(2), PPOConfig(steps=64, rollout=16, hidden=4, envs=2), folder)
    return folder


def refused(folder):
    """The code with which a policy of this folder and a resumed run are refused; they must agree."""
    codes = []
    for use in (lambda: Policy.load(folder), lambda: resume(folder)):
        with pytest.raises(AgentcError) as caught:
            use()
        codes.append(caught.value.diagnostics[0].code)
    assert codes[0] == codes[1]
    return codes[0]


def resume(folder):
    train(vector_of(2), PPOConfig(steps=64, rollout=16, hidden=4, envs=2), folder, resume=True)


def copy(trained, folder):
    folder.mkdir(exist_ok=True)
    for file in trained.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_every_mutation_of_the_files_is_found(trained, tmp_path):
    rng = random.Random(0)
    names = [FILE_NAME, next(p.name for p in trained.glob("weights-*"))]
    for k in range(60):
        folder = copy(trained, tmp_path / "mutant")
        target = folder / names[k % 2]
        data = bytearray(target.read_bytes())
        match k % 5:
            case 0:
                at = rng.randrange(len(data))
                data[at] ^= 1 << rng.randrange(7)
            case 1:
                del data[rng.randrange(len(data)) :]
            case 2:
                at = rng.randrange(len(data))
                del data[at : at + rng.randrange(1, 50)]
            case 3:
                at = rng.randrange(len(data))
                data[at:at] = rng.randbytes(rng.randrange(1, 50))
            case 4:
                data = bytearray(rng.randbytes(rng.randrange(200)))
        target.write_bytes(bytes(data))
        try:
            load(folder)
        except AgentcError as error:
            assert {d.code for d in error.diagnostics} == {"AS0841"}
            assert refused(folder) == "AS0841"
        else:  # only white space of the JSON may change and leave the meaning
            assert json.loads((folder / FILE_NAME).read_text()) == json.loads((trained / FILE_NAME).read_text())


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("counters"),
        lambda c: c["counters"].pop("steps"),
        lambda c: c.update(counters=[1]),
        lambda c: c.update(architecture=[]),
        lambda c: c["architecture"].update(hidden=5),
        lambda c: c["architecture"].update(parts=[]),
        lambda c: c["weights"].update(file="none.safetensors"),
        lambda c: c.update(weights=None),
    ],
)
def test_content_that_is_wrong_under_a_right_digest(trained, tmp_path, change):
    folder = copy(trained, tmp_path / "mutant")
    document = json.loads((folder / FILE_NAME).read_text())
    change(document["content"])
    document["sha256"] = _digest(document["content"])
    (folder / FILE_NAME).write_text(json.dumps(document))
    with pytest.raises(AgentcError) as caught:
        Policy.load(folder)
    assert caught.value.diagnostics[0].code == "AS0841"
    with pytest.raises(AgentcError) as caught:
        resume(folder)
    assert caught.value.diagnostics[0].code in ("AS0841", "AS0842")


def test_weights_outside_the_folder_are_not_read(trained, tmp_path):
    folder = copy(trained, tmp_path / "inside")
    weights = next(folder.glob("weights-*"))
    weights.rename(tmp_path / weights.name)
    document = json.loads((folder / FILE_NAME).read_text())
    document["content"]["weights"]["file"] = f"../{weights.name}"
    document["sha256"] = _digest(document["content"])
    (folder / FILE_NAME).write_text(json.dumps(document))
    assert refused(folder) == "AS0841"


def test_another_version_and_other_json(trained, tmp_path):
    for text in ("[]", "{}", "null", '{"format": "agentc-checkpoint", "version": 99}', "[" * 100_000):
        folder = copy(trained, tmp_path / "other")
        (folder / FILE_NAME).write_text(text)
        assert refused(folder) == "AS0841"
