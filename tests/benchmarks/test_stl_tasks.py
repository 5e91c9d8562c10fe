"""The suite of tasks: the frozen files are what the generator writes, and a planner can do one of them."""

import pytest

from agentc.benchmarks import stl_tasks
from agentc.compiler.pipeline import check
from agentc.lang.parser import parse
from agentc.lang.printer import format_module
from agentc.lang.source import Source


@pytest.mark.parametrize("name", stl_tasks.SEEDS)
def test_a_frozen_task_is_what_the_generator_writes(name):
    kind, _, shape = name.partition("_")
    text = stl_tasks.frozen(name)
    assert text == stl_tasks.text(kind, shape, stl_tasks.SEEDS[name])
    source = Source(name, text)
    assert format_module(parse(source).module, source) == text


def test_there_are_twelve_of_four_classes_and_one_of_them_is_long():
    assert len(stl_tasks.SEEDS) == 12
    lengths = [stl_tasks.problem(stl_tasks.frozen(name)).last for name in stl_tasks.SEEDS]
    assert [last == 1000 for last in lengths] == [name.startswith("long") for name in stl_tasks.SEEDS]


def test_another_seed_is_another_task():
    texts = {stl_tasks.text("linear", "gate", seed) for seed in range(4)}
    assert len(texts) == 4
    assert all(check(Source("gate", text)).ok for text in texts)


def test_a_planner_can_do_one():
    witness = stl_tasks.witnessed(stl_tasks.frozen("unicycle_sequence"))
    assert witness is not None and witness.satisfied and witness.robustness > 0.0


@pytest.mark.slow
@pytest.mark.parametrize("name", stl_tasks.SEEDS)
def test_a_planner_can_do_each(name):
    witness = stl_tasks.witnessed(stl_tasks.frozen(name))
    assert witness is not None and witness.satisfied
