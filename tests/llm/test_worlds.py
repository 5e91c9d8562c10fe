"""Worlds that run offline: what solves their tasks, what breaks their rules, and how customers change their minds."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("llguidance")

from agentc.runtime.envs.registry import installed
from agentc.runtime.llm.decoder import Step
from agentc.runtime.llm.worlds.airline import AirlineDesk
from agentc.runtime.llm.worlds.customer import Change, Customer, Wish
from agentc.runtime.llm.worlds.form_page import FormPage
from agentc.runtime.llm.worlds.retail import LIMIT, RetailDesk
from agentc.runtime.llm.worlds.service_desk import NO_RECORD

NOTHING = Step("", "")
ROOT = Path(__file__).parents[2]
DESKS = (RetailDesk, AirlineDesk)


def serve(desk) -> int:
    """What a good clerk does; how often the customer changed his mind."""
    state = desk.state
    for _ in range(4):
        wish = state.customer.wish
        desk.look_up(wish.record)
        if wish is state.customer.settled and wish.change is None:
            desk.hand_over()
            break
        if wish.left == "say" and wish is not state.customer.settled:
            desk.say("Anything else?")
            continue
        desk.ask_approval()
        desk.confirm(wish.kind)
        if state.agreed:
            desk.tools[wish.change.tool](**wish.change.arguments)
            break
    desk.finish()
    return state.customer.at


@pytest.mark.parametrize("make", DESKS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_every_task_can_be_solved_within_the_rules(make, split):
    desk = make(split)
    kinds, minds, handed = set(), set(), set()
    for seed in range(150):
        desk.reset(seed)
        assert not desk.solved or desk.state.customer.settled.change is not None  # doing nothing solves none
        assert not desk.solved
        minds.add(serve(desk))
        assert desk.solved and desk.ended and desk.signals(NOTHING)["breaches"] == 0
        kinds.add(desk.state.customer.settled.kind)
        handed.add(desk.state.handed_over)
    assert len(kinds) == 4 and minds == {0, 1} and handed == {True, False}


@pytest.mark.parametrize("make", DESKS)
def test_a_change_without_the_customers_word_is_a_breach(make):
    desk = make()
    seen = 0
    for seed in range(60):
        desk.reset(seed)
        wish = desk.state.customer.settled
        if wish.change is None or desk.state.customer.wishes[0] is not wish:
            continue
        desk.look_up(wish.record)
        desk.ask_approval()
        desk.confirm(wish.kind)
        desk.say("One moment.")  # whatever comes between takes the word back
        desk.tools[wish.change.tool](**wish.change.arguments)
        assert desk.solved and desk.signals(NOTHING)["breaches"] == 1
        seen += 1
    assert seen > 10


def test_the_limit_on_repayments():
    desk = RetailDesk()
    outcomes = set()
    for seed in range(200):
        desk.reset(seed)
        wish = desk.state.customer.wish
        if wish.kind != "repayment" or wish.change is None or len(desk.state.customer.wishes) > 1:
            continue
        amount = wish.change.arguments["amount"]
        before = desk.snapshot()
        for approval in (False, True):
            desk.restore(before)
            desk.look_up(wish.record)
            if approval:
                assert desk.ask_approval() in ("approved", "declined")
            desk.confirm("repayment")
            desk.repay(amount)
            assert desk.state.breaches == (amount > LIMIT and not approval)
            outcomes.add((amount > LIMIT, approval))
    assert len(outcomes) == 4


def test_the_airline_keeps_its_window():
    desk = AirlineDesk()
    found = set()
    for seed in range(120):
        desk.reset(seed)
        for record, booking in desk.state.database.items():
            if booking.flown:
                continue
            desk.look_up(record)
            assert desk.signals(NOTHING)["cancellable"] is booking.cancellable
            desk.state.agreed, desk.state.breaches = "cancellation", 0
            desk.cancel()
            assert desk.state.breaches == (not booking.cancellable)
            early = booking.hours <= 24
            found.add((early, booking.cabin == "business", booking.insured, booking.cancellable))
    assert {f[:3] for f in found} == {(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)}
    assert all(f[3] == any(f[:3]) for f in found)


@pytest.mark.parametrize("make", DESKS)
def test_tools_refuse_what_makes_no_sense(make):
    desk = make()
    desk.reset(0)
    for tool in ("ask_approval", "cancel"):
        arguments = {"reason": "mistake"} if (tool, make) == ("cancel", RetailDesk) else {}
        assert desk.tools[tool](**arguments) == NO_RECORD
    assert desk.look_up("Z0").startswith("error:") and desk.signals(NOTHING)["changes"] == 0


def test_a_customer_changes_his_mind_once():
    first = Wish("Cancel W1.", "cancellation", "W1", Change("cancel", "W1"))
    last = Wish("No, send W1 to Vale.", "address", "W1", Change("readdress", "W1"))
    customer = Customer((first, last), {"which order": "W1."})
    assert customer.hear("Which order is it?") == "W1." and customer.hear("Hello") == first.words
    assert customer.asked("address", "W1")[0] is False and customer.wish is first  # not what he wants yet
    agreed, answer = customer.asked("cancellation", "W1")
    assert not agreed and last.words in answer and customer.wish is last
    assert customer.asked("cancellation", "W1")[0] is False
    assert customer.asked("address", "W2")[0] is False
    assert customer.asked("address", "W1") == (True, "Yes, please.")


def test_a_form_is_filled_in():
    page = FormPage()
    for seed in range(40):
        page.reset(seed)
        wanted = dict(page.state.wanted)
        assert page.send().startswith("not accepted")
        for name, value in wanted.items():
            assert page.fill(name, value) == f"{name} is {value}"
        signals = page.signals(NOTHING)
        assert (signals["missing"], signals["wrong"], signals["stray"]) == (0, 0, 0)
        stray = next((f.name for f in page.state.fields if f.name not in wanted and f.kind == "box"), None)
        if stray is not None:
            page.fill(stray, "yes")
            assert page.signals(NOTHING)["stray"] == 1
            page.clear(stray)
        assert page.send() == "accepted" and page.solved and page.send().startswith("error")
    assert "should be" in FormPage().fill("name", "ada") and FormPage().fill("nowhere", "x").startswith("error")


@pytest.mark.skipif(not installed("textworld"), reason="textworld is not installed")
def test_text_games_are_won_by_their_walkthrough():
    from agentc.runtime.llm.worlds.text_adventure import NO_EFFECT, TextAdventure

    game = TextAdventure(rooms=2, things=3, length=3)
    for seed in (0, 1):
        game.reset(seed)
        walkthrough = game.walkthrough()
        assert len(walkthrough) == 3 and game.signals(NOTHING)["to_go"] == 3
        assert game.do("fly away") == NO_EFFECT and game.signals(NOTHING)["refused"] is True
        for i, command in enumerate(walkthrough):
            assert command in game.commands() and f"{command}" in game.look()
            game.do(command)
            signals = game.signals(NOTHING)
            assert signals["onward"] is True and signals["to_go"] == 2 - i
        assert game.solved and game.ended
        assert f"the player is in {game.signals(NOTHING)['room']}" in str(game.signals(NOTHING)["facts"])


def test_the_guide_is_true(tmp_path):
    from language.page import read
    from language.run import run_page

    problems = run_page(read(ROOT / "docs" / "guide" / "offline_worlds.md"), tmp_path)
    assert not problems, problems
