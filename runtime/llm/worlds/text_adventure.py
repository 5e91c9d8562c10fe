"""Text games that are generated on the spot: a few rooms, things in them, and a quest (TextWorld).

Source: Côté et al., *TextWorld: A Learning Environment for Text-based Games*, 2018, arXiv 1806.11532. The package
``textworld`` (MIT) draws the game, keeps its facts and knows the commands that win it. Deviations: the game is played
on its logical state and not on a program compiled from it, so nothing is compiled; the text is written here from the
facts. That does without the interpreter ``jericho`` (GPL), which the package would import: ``textworld`` is installed
without its dependencies, and an empty module stands in for the interpreter while it is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from agentc.compiler.logic.ir import Value
from agentc.runtime.llm.decoder import Step
from agentc.runtime.llm.tools import Function

NO_EFFECT = "That does nothing here."
IDLE = ("look", "inventory", "examine")
"""Commands that change nothing; looking is a tool of its own."""
SAID = {
    "at": "{0} is in {1}", "in": "{0} is in {1}", "on": "{0} is on {1}", "open": "{0} is open",
    "closed": "{0} is closed", "locked": "{0} is locked", "eaten": "{0} is eaten", "cooked": "{0} is cooked",
}  # fmt: skip
"""How the facts are said that a quest can change; the others are the map's."""


@lru_cache(maxsize=1)
def _package() -> Any:
    """The package ``textworld``, imported without its interpreter of compiled games. Raises ``ImportError``."""
    stands_in = importlib.util.find_spec("jericho") is None
    if stands_in:
        empty: Any = types.ModuleType("jericho")
        empty.UnsupportedGameWarning = empty.TruncatedInputActionWarning = UserWarning
        sys.modules["jericho"] = empty
    try:
        return importlib.import_module("textworld")
    finally:
        if stands_in:
            del sys.modules["jericho"]


@lru_cache(maxsize=64)
def _game(rooms: int, things: int, length: int, seed: int) -> Any:
    """The game of a seed (about half a second)."""
    options = _package().GameOptions()
    options.seeds, options.nb_rooms, options.nb_objects, options.quest_length = seed, rooms, things, length
    return importlib.import_module("textworld.generator").make_game(options)


@dataclass
class GameState:
    """Where a game stands: the game, its progress, the commands given, and what the last of them did."""

    game: Any
    progress: Any
    commands: int = 0
    refused: bool = False
    onward: bool = False
    ended: bool = False


class TextAdventure:
    """One game an episode: ``rooms``, ``things`` and a quest of ``length`` commands, drawn by the seed.

    Games of the split ``test`` have other seeds than those of ``train``. Raises ``ImportError`` where the package
    ``textworld`` is missing.
    """

    def __init__(self, split: str = "train", rooms: int = 3, things: int = 4, length: int = 4) -> None:
        self._size = (rooms, things, length)
        self._first = 0 if split == "train" else 1_000_000
        _package()
        self.state = self._start(0)

    def _start(self, seed: int) -> GameState:
        game = _game(*self._size, self._first + seed % 1_000_000)
        return GameState(game, importlib.import_module("textworld.generator.game").GameProgression(game))

    def reset(self, seed: int) -> str:
        """The quest in words, and what is seen."""
        self.state = self._start(seed)
        return f"{self.state.game.objective}\n{self.look()}"

    @property
    def tools(self) -> Mapping[str, Function]:
        """``do``, ``look`` and ``finish``."""
        return {"do": self.do, "look": self.look, "finish": self.finish}

    def do(self, command: str) -> str:
        """Give a command; what is seen afterwards."""
        state = self.state
        state.commands += 1
        actions = {text: action for text, action in self._actions() if text == command}
        before = self._to_go()
        state.refused, state.onward = command not in actions, False
        if state.refused:
            return NO_EFFECT
        state.progress.update(actions[command])
        state.onward = 0 <= self._to_go() < before
        return "You have won." if state.progress.completed else self.look()

    def look(self) -> str:
        """The room, what is in it, the ways out, what is carried, and the commands that do something."""
        place = self._room()
        facts = self._facts()
        here = [a for name, (a, *rest) in facts if name == "at" and rest == [place] and a != "P"]
        inside = {x: [a for n, (a, *r) in facts if n in ("in", "on") and r == [x]] for x in here}
        how = {a: n for n, (a, *_) in facts if n in ("open", "closed", "locked")}
        seen = []
        for x in here:
            more = [how[x]] if x in how else []
            more += [f"with {', '.join(inside[x])}"] if inside[x] and how.get(x, "open") == "open" else []
            seen.append(f"{x} ({', '.join(more)})" if more else x)
        carried = [a for n, (a, *r) in facts if n == "in" and r == ["I"]]
        return (
            f"You are in the {place}. You see: {', '.join(seen) or 'nothing'}. "
            f"You carry: {', '.join(carried) or 'nothing'}. You can: {', '.join(self.commands())}."
        )

    def finish(self) -> str:
        """End the game."""
        self.state.ended = True
        return "goodbye"

    # ------------------------------------------------------------ what is true

    def signals(self, step: Step) -> Mapping[str, Value]:
        """Where the player is, what is carried, every fact that can change, and how far the quest is."""
        state = self.state
        facts = self._facts()
        return {
            "room": self._room(), "facts": "; ".join(sorted(_in_words(n, a) for n, a in facts if n in SAID)),
            "carried": sum(n == "in" and a[-1] == "I" for n, a in facts), "commands": state.commands,
            "refused": state.refused, "onward": state.onward, "to_go": self._to_go(),
            "lost": bool(state.progress.failed), "solved": self.solved,
        }  # fmt: skip

    @property
    def ended(self) -> bool:
        """Whether the game is won or lost, or was ended."""
        return self.state.ended or bool(self.state.progress.done)

    @property
    def solved(self) -> bool:
        """Whether the game is won."""
        return bool(self.state.progress.completed)

    def walkthrough(self) -> tuple[str, ...]:
        """The commands of an expert that win the game from here; empty if there are none."""
        policy = self.state.progress.winning_policy
        return tuple(self._written(policy)) if policy else ()

    def commands(self) -> tuple[str, ...]:
        """The commands that do something here, in the order of the alphabet."""
        return tuple(sorted({text for text, _ in self._actions()}))

    def snapshot(self) -> GameState:
        """A copy of the state."""
        return replace(self.state, progress=self.state.progress.copy())

    def restore(self, snapshot: GameState) -> None:
        """Go back to a snapshot."""
        self.state = replace(snapshot, progress=snapshot.progress.copy())

    # ------------------------------------------------------------ out of the package

    def _actions(self) -> list[tuple[str, Any]]:
        valid = self.state.progress.valid_actions
        pairs = zip(self._written(valid), valid, strict=True)
        return [(text, action) for text, action in pairs if text.split(" ")[0] not in IDLE]

    def _written(self, actions: Any) -> list[str]:
        writer = importlib.import_module("textworld.generator.inform7").Inform7Game(self.state.game)
        return [str(text) for text in writer.gen_commands_from_actions(actions)]

    def _to_go(self) -> int:
        """How many commands the expert still needs; -1 if the game cannot be won any more."""
        if self.state.progress.completed:
            return 0
        policy = self.state.progress.winning_policy
        return len(policy) if policy else -1

    def _facts(self) -> list[tuple[str, list[str]]]:
        infos = self.state.game.infos
        found = []
        for fact in self.state.progress.state.facts:
            names = [infos[v.name].name or v.name if v.name in infos else v.name for v in fact.arguments]
            found.append((fact.name, [str(n) for n in names]))
        return sorted(found)

    def _room(self) -> str:
        return next((a[1] for name, a in self._facts() if name == "at" and a[0] == "P"), "")


def _in_words(name: str, arguments: list[str]) -> str:
    if name == "in" and arguments[-1] == "I":
        return f"the player carries {arguments[0]}"
    said = SAID[name].format(*arguments)
    return said.replace("P is", "the player is", 1) if arguments[0] == "P" else said
