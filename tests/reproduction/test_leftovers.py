from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dataguard.reproduction.leftovers import LABEL, end_labelled, is_alive, owner, scratch, sweep


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
