from __future__ import annotations

import os
import resource
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataguard.core.atomic import write_atomically
from dataguard.core.errors import OutputError


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("content", ["größe\n", "", b"\x00\xff", "x" * 3_000_000])
def test_a_file_is_written_whole_and_leaves_nothing_else(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert names(tmp_path) == ["report.json"]


def test_text_that_no_encoding_carries_is_escaped(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", "caf\udce9")
    assert (tmp_path / "a").read_text() == r"caf\udce9"


def test_a_new_file_has_usual_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "new", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o604)
    write_atomically(tmp_path / "new", "y")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o604


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/report")
    write_atomically(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/report").read_text() == "x"


def test_a_reader_never_sees_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "report"
    contents = {letter * 200_000 for letter in "ab"}
    write_atomically(path, "a" * 200_000)
    done = threading.Event()

    def write() -> None:
        for number in range(40):
            write_atomically(path, "ba"[number % 2] * 200_000)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(path.read_text())
    writer.join()
    assert seen <= contents


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        write_atomically(pipe, "through")
        assert reader.communicate(timeout=20)[0] == b"through"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_full_device_is_an_error_that_says_so() -> None:
    with pytest.raises(OutputError, match="No space left") as caught:
        write_atomically("/dev/full", "x")
    assert caught.value.where == "/dev/full"
    assert "free some space" in (caught.value.hint or "")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    mounted = tmp_path / "disk"
    mounted.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mounted], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield mounted
    subprocess.run(["umount", mounted], check=True)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tiny_disk: Path) -> None:
    path = tiny_disk / "report.html"
    write_atomically(path, "old")
    with pytest.raises(OutputError, match="No space left on device") as caught:
        write_atomically(path, "x" * 200_000)
    assert caught.value.where == str(path)
    assert path.read_text() == "old"
    assert names(tiny_disk) == ["report.html"]
    write_atomically(path, "new")
    assert path.read_text() == "new"


def test_a_file_larger_than_the_limit_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_atomically(path, "old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(OutputError, match="File too large") as caught:
            write_atomically(path, "x" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "ulimit" in (caught.value.hint or "")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["report.html"]


def test_ctrl_c_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["report.html"]


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("gone/report", "No such file or directory", "create the folder"),
        ("folder", "Is a directory", "name a file"),
        ("file/report", "Not a directory", "not a folder"),
        ("a" * 300, "File name too long", "shorter"),
        ("loop", "symbolic links", None),
    ],
)
def test_what_cannot_be_written_says_why(tmp_path: Path, name: str, message: str, hint: str | None) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError, match=message) as caught:
        write_atomically(tmp_path / name, "x")
    assert caught.value.where == str(tmp_path / name)
    assert (hint is None) == (caught.value.hint is None)
    assert (hint or "") in (caught.value.hint or "")
    assert names(tmp_path) == ["file", "folder", "loop"]


def test_a_folder_without_permission_says_so(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_atomically(tmp_path / "report", "x")
