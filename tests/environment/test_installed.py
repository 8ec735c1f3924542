from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from dataguard.core.errors import SourceError
from dataguard.environment.installed import environment_of, find_environment, installed, without_password
from tests.environment.made_environment import SITE, install, make_environment


def test_what_is_installed_here_is_what_python_says() -> None:
    mine = {(item.key, item.version) for item in installed().by_name.values()}
    theirs = {
        (item.metadata["Name"].lower().replace("_", "-").replace(".", "-"), item.version)
        for item in importlib.metadata.distributions()
    }
    assert mine >= {item for item in theirs if item[0] in {"numpy", "pillow", "pytest", "scikit-learn"}}
    assert len(mine) >= len(theirs) - 2


def test_names_versions_installers_and_origins(tmp_path: Path) -> None:
    site = make_environment(tmp_path)
    install(site, "Ruamel.YAML", "0.18", installer="uv")
    commit = "a" * 40
    install(
        site,
        "forked",
        "1.0",
        direct_url='{"url": "https://me:secret@git.example/x.git?token=1", "vcs_info": {"vcs": "git", "commit_id": "'
        + commit
        + '"}}',
    )
    install(site, "mine", "0.1", direct_url='{"url": "file:///home/me/mine", "dir_info": {"editable": true}}')
    environment = installed(tmp_path)
    assert environment.python == "3.11.4"
    by_name = environment.by_name
    assert (by_name["ruamel-yaml"].version, by_name["ruamel-yaml"].installer) == ("0.18", "uv")
    assert by_name["forked"].url == f"https://git.example/x.git@{commit}"
    assert by_name["mine"].editable
    assert not by_name["forked"].editable


def test_the_project_stands_for_the_environment_in_it(tmp_path: Path) -> None:
    install(make_environment(tmp_path / ".venv"), "demo", "1.0")
    assert find_environment(tmp_path) == tmp_path / ".venv"
    assert environment_of(tmp_path).named
    assert list(environment_of(tmp_path).by_name) == ["demo"]
    assert installed(tmp_path / ".venv" / SITE).by_name["demo"].version == "1.0"


def test_the_active_environment_is_a_guess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(make_environment(tmp_path / "active"), "demo", "2.0")
    (tmp_path / "project").mkdir()
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "active"))
    environment = environment_of(tmp_path / "project")
    assert not environment.named
    assert environment.by_name["demo"].version == "2.0"


def test_the_first_folder_shadows_the_second(tmp_path: Path) -> None:
    root = tmp_path / "env"
    install(make_environment(root), "demo", "1.0")
    second = root / "lib" / "python3.9" / "site-packages"
    second.mkdir(parents=True)
    install(second, "demo", "0.9")
    environment = installed(root)
    assert [item.version for item in environment.distributions] == ["1.0", "0.9"]
    assert [item.version for item in environment.shadowed] == ["0.9"]


def test_broken_metadata_are_told_and_do_not_stop_it(tmp_path: Path) -> None:
    site = make_environment(tmp_path)
    install(site, "good", "1.0")
    (site / "empty-1.0.dist-info").mkdir()
    odd = install(site, "odd", "1.0", direct_url="{" * 100_000)
    (odd / "INSTALLER").write_bytes(b"\xff\xfe\x00")
    (site / "old.egg-info").write_bytes(b"Name: old\nVersion: 3\n")
    (site / "binary.egg-info").write_bytes(bytes(range(256)) * 50)
    environment = installed(tmp_path)
    assert set(environment.by_name) == {"good", "odd", "old"}
    assert [Path(path).name for path in environment.unreadable] == ["binary.egg-info", "empty-1.0.dist-info"]


def test_a_folder_that_is_no_environment_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no Python environment") as error:
        installed(tmp_path)
    assert error.value.hint
    with pytest.raises(SourceError, match="no such folder"):
        installed(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@host/path", "https://host/path"),
        ("https://host/path?token=abc", "https://host/path"),
        ("git+ssh://git@host/x.git", "git+ssh://host/x.git"),
        ("file:///srv/x", "file:///srv/x"),
        ("../local", "../local"),
    ],
)
def test_passwords_and_tokens_are_left_out(url: str, shown: str) -> None:
    assert without_password(url) == shown
