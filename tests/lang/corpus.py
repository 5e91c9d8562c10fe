"""The spec files that tests of the front end run over: those that ship, and one that holds every construct."""

from pathlib import Path

import agentc.specs
import agentc.stdlib

EVERYTHING = Path(__file__).with_name("everything.agentspec")


def shipped() -> list[Path]:
    """All spec files of the package, in a fixed order."""
    rooms = [Path(agentc.specs.__file__).parent, Path(agentc.stdlib.__file__).parent]
    return sorted(path for room in rooms for path in room.rglob("*.agentspec"))


def texts() -> dict[str, str]:
    """Name and text of every file of the corpus."""
    return {path.stem: path.read_text("utf-8") for path in [*shipped(), EVERYTHING]}
