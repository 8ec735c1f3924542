from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.core.errors import ConfigurationError
from dataguard.environment.index_page import IndexFile, PageError
from dataguard.environment.installed import InstalledEnvironment, installed
from dataguard.reproduction.archives import archives_of
from tests.environment.made_environment import install, make_environment

HASH = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32


class Pages:
    """An index of a few files."""

    def __init__(self, *files: tuple[str, str, str]) -> None:
        self.pages: dict[str, tuple[IndexFile, ...]] = {}
        for name, filename, digest in files:
            version = filename.split("-")[1].removesuffix(".tar.gz")
            file = IndexFile(
                filename=filename, version=version, url=f"https://me:pw@files.example/{filename}", hashes=(digest,)
            )
            self.pages[name] = (*self.pages.get(name, ()), file)

    def ask_for(self, names: tuple[str, ...]) -> None:
        pass

    def all_files(self, name: str) -> tuple[IndexFile, ...]:
        if name not in self.pages:
            raise PageError("no such project")
        return self.pages[name]


@pytest.fixture
def environment(tmp_path: Path) -> InstalledEnvironment:
    site = make_environment(tmp_path / "venv")
    install(site, "demo", "1.0")
    install(site, "torch", "2.13.0+cpu")
    install(site, "mine", "0.1", direct_url='{"url": "file:///home/me/mine", "dir_info": {"editable": true}}')
    return installed(tmp_path / "venv")


def test_the_files_that_fit_this_python_are_taken(environment: InstalledEnvironment, tmp_path: Path) -> None:
    index = Pages(
        ("demo", "demo-1.0-py3-none-any.whl", HASH),
        ("demo", "demo-1.0-cp38-cp38-win_amd64.whl", OTHER),
        ("demo", "demo-2.0-py3-none-any.whl", OTHER),
        ("demo", "demo-1.0.tar.gz", OTHER),
        ("torch", "torch-2.13.0-py3-none-any.whl", OTHER),
    )
    found, notes = archives_of(environment, project=tmp_path, index=index)
    (archive,) = found
    assert (archive.name, archive.file, archive.sha256) == ("demo", "demo-1.0-py3-none-any.whl", "ab" * 32)
    assert archive.url == "https://files.example/demo-1.0-py3-none-any.whl"
    assert notes == (
        "installed from elsewhere than an index, so without an archive's hash: mine 0.1",
        "the index has no file of 1 of 2 packages: torch 2.13.0+cpu",
    )


def test_a_source_archive_is_taken_where_no_wheel_fits(environment: InstalledEnvironment, tmp_path: Path) -> None:
    index = Pages(("demo", "demo-1.0.tar.gz", HASH), ("torch", "torch-2.13.0+cpu-py3-none-any.whl", HASH))
    found, _ = archives_of(environment, project=tmp_path, index=index)
    assert [item.file for item in found] == ["demo-1.0.tar.gz", "torch-2.13.0+cpu-py3-none-any.whl"]


def test_the_hashes_of_the_projects_own_lock_come_first(environment: InstalledEnvironment, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"demo==1.0 --hash={HASH} --hash={OTHER}\ntorch==2.12.0 --hash={HASH}\n")
    found, notes = archives_of(environment, project=tmp_path, offline=True)
    assert [(item.name, item.sha256[:2]) for item in found] == [("demo", "ab"), ("demo", "cd")]
    assert notes[1] == "no index was asked; 1 of 2 packages have no archive's hash"


def test_no_index_is_a_note(environment: InstalledEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise ConfigurationError("pip is not here")

    monkeypatch.setattr("dataguard.reproduction.archives._configured", none)
    found, notes = archives_of(environment, project=tmp_path)
    assert found == ()
    assert notes[-1] == "no index could be asked: pip is not here"
