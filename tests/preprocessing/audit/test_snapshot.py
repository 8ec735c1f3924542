"""Revisions and archives are read without running anything of them, and written nowhere but below their folder."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest

from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.preprocessing.audit import snapshot
from dataguard.preprocessing.audit.snapshot import opened

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *arguments: str) -> str:
    """Git as a user has it, with an identity."""
    identity = {f"GIT_{who}_{what}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    dates = {"GIT_AUTHOR_DATE": "2024-02-10T12:00:00Z", "GIT_COMMITTER_DATE": "2024-02-10T12:00:00Z"}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env={**os.environ, **identity, **dates, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits, of which the second changes a file and removes another."""
    folder = tmp_path / "repository"
    (folder / "app").mkdir(parents=True)
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    (folder / "app" / "serve.py").write_text("first\n")
    (folder / "old.py").write_text("old\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "tag", "v1")
    (folder / "app" / "serve.py").write_text("second\n")
    (folder / "old.py").unlink()
    git(folder, "commit", "-q", "-a", "-m", "second")
    return folder


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_a_folder_is_read_where_it_lies(tmp_path: Path) -> None:
    with opened(tmp_path) as found:
        assert (found.folder, found.shown, found.revision) == (tmp_path, tmp_path, "")


@needs_git
def test_a_revision_is_what_was_committed(repository: Path) -> None:
    (repository / "untracked.py").write_text("new\n")
    with opened(repository, rev="v1") as found:
        assert files(found.folder) == {"app/serve.py": "first\n", "old.py": "old\n"}
        assert (found.revision, found.date) == (git(repository, "rev-parse", "v1"), dt.date(2024, 2, 10))
        folder = found.folder
    assert not folder.exists()
    with opened(repository, rev="main") as found:
        assert files(found.folder) == {"app/serve.py": "second\n"}


@needs_git
def test_a_subfolder_of_a_repository_is_that_subfolder(repository: Path) -> None:
    with opened(repository / "app", rev="HEAD~1") as found:
        assert files(found.folder) == {"serve.py": "first\n"}


@needs_git
def test_neither_filters_nor_hooks_nor_attributes_nor_remotes_of_the_repository_act(repository: Path) -> None:
    ran = repository.parent / "ran"
    (repository / ".gitattributes").write_text("*.py filter=evil export-subst\nold.py export-ignore\n")
    git(repository, "add", ".gitattributes")
    git(repository, "commit", "-q", "-m", "attributes")
    for name, value in {
        "filter.evil.smudge": f"touch {ran}",
        "filter.evil.clean": f"touch {ran}",
        "filter.evil.required": "true",
        "core.fsmonitor": f"touch {ran}",
        "core.sshCommand": f"touch {ran}",
        "core.pager": f"touch {ran}",
        "remote.origin.url": f"ext::sh -c touch% {ran}",
        "remote.origin.promisor": "true",
        "extensions.partialClone": "origin",
        "protocol.ext.allow": "always",
    }.items():
        git(repository, "config", name, value)
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    # An object that is missing would be fetched from the promisor.
    blob = git(repository, "rev-parse", "v1:old.py")
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with opened(repository, rev="v1") as found:
        assert files(found.folder) == {"app/serve.py": "first\n"}
        assert "old.py" in found.notes[0]
    with opened(repository, rev="main") as found:
        assert files(found.folder)["app/serve.py"] == "second\n"
    assert not ran.exists()


@needs_git
def test_links_are_not_followed(repository: Path) -> None:
    (repository / "link.py").symlink_to("/etc/passwd")
    git(repository, "add", "link.py")
    git(repository, "commit", "-q", "-m", "link")
    with opened(repository, rev="main") as found:
        assert "link.py" not in files(found.folder)
        assert "link.py" in found.notes[0]


@needs_git
@pytest.mark.parametrize("rev", ["nowhere", "--output=x", "", "v1\nv1", "HEAD:old.py"])
def test_what_is_no_revision_is_an_error(repository: Path, rev: str) -> None:
    with pytest.raises((SourceError, ConfigurationError)), opened(repository, rev=rev):
        pass
    assert not (repository / "x").exists()


@needs_git
def test_a_folder_without_git_has_no_revisions(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="--rev needs the folder of a git repository"), opened(tmp_path, rev="HEAD"):
        pass


def test_an_archive_is_unpacked_below_its_own_folder_only(tmp_path: Path) -> None:
    archive = tmp_path / "model-1.0-py3-none-any.whl"
    link = zipfile.ZipInfo("link.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("model/serve.py", "serve\n")
        made.writestr("../outside.py", "evil\n")
        made.writestr("/etc/outside.py", "evil\n")
        made.writestr("C:\\outside.py", "evil\n")
        made.writestr("a/../../outside.py", "evil\n")
        made.writestr(link, "/etc/passwd")
    with opened(archive) as found:
        assert files(found.folder.parent) == {"repository/model/serve.py": "serve\n"}
        assert "left out" in found.notes[0]
        assert found.shown == archive
    assert sorted(path.name for path in tmp_path.iterdir()) == [archive.name]


def test_an_archive_that_expands_too_far_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MOST_OF_A_FILE", 1000)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("bomb.py", "0" * 1_000_000)
        made.writestr("small.py", "1\n")
    with opened(archive) as found:
        assert files(found.folder) == {"small.py": "1\n"}
        assert "bomb.py" in found.notes[0]


def test_a_damaged_member_is_left_out_and_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("one.py", "first\n")
        made.writestr("two.py", "second\n")
    archive.write_bytes(archive.read_bytes().replace(b"first", b"wrong"))
    with opened(archive) as found:
        assert files(found.folder) == {"two.py": "second\n"}
    for name, content in (("b.zip", b"no archive"), ("c.tar", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match="neither a folder nor an archive"), opened(tmp_path / name):
            pass


def test_nothing_there_and_a_revision_of_an_archive_are_mistakes(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder or archive"), opened(tmp_path / "none"):
        pass
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w"):
        pass
    with pytest.raises(ConfigurationError, match="an archive has no revisions"), opened(archive, rev="v1"):
        pass
