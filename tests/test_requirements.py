"""requirements.txt agrees with requirements.in and pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.txt", "requirements-dev.txt")


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def requirements(lines: list[str]) -> set[str]:
    chosen = [line.strip() for line in lines if line.strip() and not line.startswith(("#", "-"))]
    return {str(Requirement(line)) for line in chosen}


def locked(name: str) -> dict[str, tuple[Version, int]]:
    """The version of every package in a lock file, and how many hashes it has."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, tuple[Version, int]] = {}
    for line in text.splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==(\S+)(.*)", line):
            found[canonicalize_name(match[1])] = (Version(match[2]), match[3].count("--hash=sha256:"))
    return found


def test_requirements_in_names_what_pyproject_names() -> None:
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    assert requirements(lines) == requirements(project()["dependencies"])


def test_requirements_dev_in_names_the_dev_extra_without_torch() -> None:
    lines = (ROOT / "requirements-dev.in").read_text(encoding="utf-8").splitlines()
    extra = project()["optional-dependencies"]["dev"]
    assert requirements(lines) == requirements([line for line in extra if not line.startswith("torch")])
    assert [line for line in extra if line.startswith("torch")] == ["torch==2.13.0"]


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_has_hashes(name: str) -> None:
    pins = locked(name)
    assert pins
    assert [package for package, (_, n_hashes) in pins.items() if n_hashes == 0] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_satisfies_every_direct_requirement(name: str) -> None:
    pins = locked(name)
    wanted = [Requirement(line) for line in project()["dependencies"]]
    if "dev" in name:
        extra = project()["optional-dependencies"]["dev"]
        wanted += [Requirement(line) for line in extra if not line.startswith("torch")]
    for requirement in wanted:
        version, _ = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{name} pins {requirement.name}=={version}"


def test_both_locks_agree_on_the_runtime() -> None:
    runtime, development = locked("requirements.txt"), locked("requirements-dev.txt")
    assert {name: pin for name, pin in runtime.items() if development.get(name) != pin} == {}


def test_torch_is_in_no_lock() -> None:
    assert all("torch" not in locked(name) for name in LOCKS)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_place_of_the_machine_that_wrote_it(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"https?://|file://|--(extra-)?index-url|--find-links|--trusted-host", text)
