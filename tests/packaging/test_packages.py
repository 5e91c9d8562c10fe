"""What `pyproject.toml` names is what the folders hold."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("lang", "compiler", "runtime", "stdlib", "specs", "benchmarks")


def configuration():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def packages_on_disk():
    found = {"agentc"}
    for room in ROOMS:
        for init in (ROOT / room).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT).parts
            if parts[:2] != ("runtime", "agentc"):  # the facade is the package `agentc` itself
                found.add(".".join(("agentc", *parts)))
    return found


def test_every_sub_package_is_named():
    assert set(configuration()["tool"]["setuptools"]["packages"]) == packages_on_disk()


def test_folders_with_modules_are_packages():
    for room in ROOMS:
        for module in (ROOT / room).rglob("*.py"):
            assert (module.parent / "__init__.py").exists(), f"{module.parent} holds modules but is no package"


def test_links_for_static_tools_lead_to_the_rooms():
    for room in ROOMS:
        assert (ROOT / ".dev" / "agentc" / room).resolve() == ROOT / room


def test_torch_is_pinned_so_that_pip_takes_the_cpu_build():
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text().splitlines()
    assert "torch==2.13.0" in configuration()["project"]["optional-dependencies"]["train"]
