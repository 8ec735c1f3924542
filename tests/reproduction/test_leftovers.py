from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dataguard.reproduction.leftovers import LABEL, _remove, end_labelled, is_alive, owner, scratch, sweep


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def dead_owner() -> str:
    """A process that has ended."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    return f"{gone.pid}.1"


def test_this_process_is_alive_and_one_of_another_start_is_not() -> None:
    assert is_alive(owner())
    assert not is_alive(f"{os.getpid()}.1")
    assert not is_alive(dead_owner())


def test_a_scratch_folder_is_removed_whatever_is_in_it(tmp_path: Path) -> None:
    with scratch() as folder:
        (folder / "locked").mkdir()
        (folder / "locked" / "file").write_text("x")
        (folder / "locked").chmod(0o500)
        (folder / "link").symlink_to("/")
        assert sweep() == ()
        assert folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    gone = tmp_path / f"dataguard-run-{dead_owner()}-0123456789abcdef"
    others = [
        tmp_path / "dataguard-run-notes",
        tmp_path / f"dataguard-run-{owner()}-0123456789abcdef",
        tmp_path / "something",
    ]
    for folder in (gone, *others):
        folder.mkdir()
    link = tmp_path / f"dataguard-run-{dead_owner()}-fedcba9876543210"
    link.symlink_to(others[2])
    assert sweep() == (gone.name,)
    assert not gone.exists()
    assert all(folder.exists() for folder in (*others, link))


def test_processes_are_ended_by_their_label() -> None:
    label = "dataguard-run-1.1-0000000000000000"
    code = "print('up', flush=True); import time; time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, LABEL: label}, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert end_labelled(label) == 1
        assert process.wait() == -9
    assert end_labelled(label) == 0


def sleeping(label: str) -> subprocess.Popen[bytes]:
    """A process of a run that has started."""
    code = "print('up', flush=True); import time; time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, LABEL: label}, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_what_a_run_started_ends_with_it() -> None:
    with scratch() as folder:
        process = sleeping(folder.name)
    with process:
        assert process.wait() == -9


def test_what_a_killed_run_started_is_ended_by_the_next(tmp_path: Path) -> None:
    gone = tmp_path / f"dataguard-run-{dead_owner()}-0123456789abcdef"
    gone.mkdir()
    with sleeping(gone.name) as process:
        assert sweep() == (gone.name,)
        assert process.wait() == -9


def test_folders_of_other_users_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / f"dataguard-run-{dead_owner()}-0123456789abcdef"
    folder.mkdir()
    somebody = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: somebody)
    assert sweep() == ()
    assert folder.exists()


def test_read_only_folders_are_removed_without_root() -> None:
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    root = os.getuid() == 0
    folder = place / "run"
    (folder / "locked").mkdir(parents=True)
    (folder / "locked" / "file").write_text("x")
    (folder / "locked").chmod(0o500)
    if root:
        for path in (place, folder, folder / "locked", folder / "locked" / "file"):
            os.chown(path, 65534, 65534)
        os.seteuid(65534)
    try:
        _remove(folder)
        assert not folder.exists()
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(place, ignore_errors=True)
