from __future__ import annotations

import dataclasses
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from dataguard.core.errors import ConfigurationError, DataguardError, SourceError
from dataguard.environment.fingerprint import InstalledPackage
from dataguard.environment.installed import installed
from dataguard.reproduction import process_environment
from dataguard.reproduction.leftovers import owner
from dataguard.reproduction.lock import Archive, Lock
from dataguard.reproduction.made_up import made_up_environment, made_up_lock
from dataguard.reproduction.overlays import Overlays, parse_pins, with_overlays
from dataguard.reproduction.process_environment import environment_from, requirements, sweep_building
from tests.environment.made_environment import install


def a_lock(*archives: Archive, architecture: str | None = None) -> Lock:
    environment = made_up_environment(
        {"numpy": "2.4.6", "pillow": "13.0.0", "dataguard": "0.1", "pip": "25.0", "mine": "1.0"},
        architecture=platform.machine() if architecture is None else architecture,
    )
    python = dataclasses.replace(environment.python, version=platform.python_version())
    packages = tuple(
        dataclasses.replace(item, url="file:…/mine") if item.name == "mine" else item for item in environment.packages
    )
    return dataclasses.replace(
        made_up_lock(environment=dataclasses.replace(environment, python=python, packages=packages)), archives=archives
    )


def archive(name: str) -> Archive:
    return Archive(name=name, version="1", file=f"{name}.whl", sha256="ab" * 32, url="")


def test_hashes_are_demanded_where_every_package_has_one() -> None:
    text, hashed = requirements(a_lock(archive("numpy")))
    assert (text, hashed) == ("numpy==2.4.6\npillow==13.0.0\n", False)
    text, hashed = requirements(a_lock(archive("numpy"), archive("pillow")))
    assert hashed
    assert text.splitlines()[0] == f"numpy==2.4.6 --hash=sha256:{'ab' * 32}"


@pytest.mark.slow
def test_an_environment_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def pip(arguments: Sequence[str]) -> None:
        asked.append(list(arguments))
        site = Path(arguments[1]).parents[1] / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
        install(site, "numpy", "2.4.6")

    monkeypatch.setattr(process_environment, "pip", pip)
    lock = a_lock(archive("numpy"), archive("pillow"))
    folder = environment_from(lock, folder=tmp_path)
    assert (folder / "bin" / "python").exists()
    assert installed(folder).by_name["numpy"].version == "2.4.6"
    assert "--require-hashes" in asked[0]
    assert environment_from(lock, folder=tmp_path) == folder
    assert len(asked) == 1
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert environment_from(a_lock(), folder=tmp_path) != folder
    assert "--require-hashes" not in asked[1]


@pytest.mark.slow
def test_one_that_cannot_be_installed_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pip(arguments: Sequence[str]) -> None:
        raise DataguardError("pip could not install it: no matching distribution")

    monkeypatch.setattr(process_environment, "pip", pip)
    with pytest.raises(DataguardError, match="no matching distribution"):
        environment_from(a_lock(), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_processor_or_python_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="the lock is of riscv64, and this machine is"):
        environment_from(a_lock(architecture="riscv64"), folder=tmp_path)
    lock = a_lock()
    old = dataclasses.replace(lock.environment, python=dataclasses.replace(lock.environment.python, version="3.2.1"))
    with pytest.raises(SourceError, match=r"Python 3\.2 is not installed here"):
        environment_from(dataclasses.replace(lock, environment=old), folder=tmp_path)


def test_what_killed_runs_had_begun_is_removed(tmp_path: Path) -> None:
    (tmp_path / "abc.building-1.1-x").mkdir()
    (tmp_path / f"abc.building-{owner()}-x").mkdir()
    assert sweep_building(tmp_path) == ("abc.building-1.1-x",)
    assert [path.name for path in tmp_path.iterdir()] == [f"abc.building-{owner()}-x"]


# Single packages


def test_a_version_is_installed_once_and_counts_in_the_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, for_image = [], []

    def install_overlay(
        name: str, version: str, target: Path, *, python: Path | None, options: list[str] | None
    ) -> None:
        asked.append((name, version))
        for_image.append(options)
        target.mkdir(parents=True)
        install(target, name, version)

    monkeypatch.setattr("dataguard.reproduction.overlays.install_overlay", install_overlay)
    shelf = Overlays("3.11.2", folder=tmp_path)
    folder = shelf.get("Pillow", "9.5.0")
    assert shelf.get("pillow", "9.5.0") == folder
    assert asked == [("Pillow", "9.5.0")]
    container = Overlays("3.11.2", platforms=["manylinux_2_36_x86_64", "any"], folder=tmp_path).get("pillow", "9.5.0")
    assert container != folder
    assert container.parent.stat().st_mode & 0o005 == 0o005
    assert for_image[0] is None
    assert " ".join(for_image[1] or ()).endswith("--abi none --platform manylinux_2_36_x86_64 --platform any")
    before = made_up_environment()
    after = with_overlays(before, [folder])
    assert {item.name: item.version for item in after.packages} == {"numpy": "2.4.6", "pillow": "9.5.0"}
    assert isinstance(after.packages[1], InstalledPackage)
    assert with_overlays(before, []) is before


def test_pins_are_read() -> None:
    assert parse_pins(["Pillow==9.5.0", " numpy == 2.0 "]) == {"pillow": "9.5.0", "numpy": "2.0"}
    for wrong in ("pillow", "pillow>=9", "pillow==", "-r x==1"):
        with pytest.raises(ConfigurationError, match="NAME==VERSION"):
            parse_pins([wrong])
