from __future__ import annotations

import functools
import gc
import weakref
from pathlib import Path

import pytest

from dataguard.core import freezing, python_files
from dataguard.core.errors import SourceError
from dataguard.core.python_files import PythonFiles, uncollected


def test_a_file_is_read_and_parsed_once(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 1\n")
    files = PythonFiles()
    first = files.read(path, name="a.py")
    path.write_text("y = 2\n")
    assert files.read(path, name="a.py") is first
    assert files.read(path, name="a.py").tree is first.tree
    assert files.text(path, name="a.py") == "x = 1\n"
    assert files.read(path, name="b.py").path == "b.py"


def test_bytes_at_hand_are_not_read_again(tmp_path: Path) -> None:
    files = PythonFiles()
    assert files.read(tmp_path / "none.py", name="none.py", data=b"x = 1\n").lines == ("x = 1", "")
    with pytest.raises(SourceError, match="cannot be read"):
        files.read(tmp_path / "other.py")
    assert files.text(tmp_path / "other.py") is None


def test_no_more_is_kept_than_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_files, "MOST_KEPT", 10)
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("x = 123\n")
    files = PythonFiles()
    assert files.read(tmp_path / "a.py") is files.read(tmp_path / "a.py")
    assert files.read(tmp_path / "b.py") is not files.read(tmp_path / "b.py")


def test_cycles_are_searched_for_again_afterwards() -> None:
    assert gc.isenabled()
    frozen = gc.get_freeze_count()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_what_was_made_meanwhile_is_collected_with_what_is_old() -> None:
    class Node:
        other: Node

    with uncollected():
        one, other = Node(), Node()
        one.other, other.other = other, one
        gone = weakref.ref(one)
        del one, other
    assert gc.get_count()[0] < gc.get_threshold()[0]
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("few", "frozen", "called"), [(0, 0, ["freeze", "unfreeze"]), (0, 1, []), (10**9, 0, [])], ids=str
)
def test_many_count_as_old_unless_the_caller_froze_its_own(
    few: int, frozen: int, called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(python_files, "FEW", few)
    monkeypatch.setattr(gc, "get_freeze_count", lambda: frozen)
    monkeypatch.setattr(freezing, "_theirs", False)
    for name in ("freeze", "unfreeze"):
        monkeypatch.setattr(gc, name, functools.partial(calls.append, name))
    with uncollected():
        made: list[list[int]] = [[] for _ in range(1000)]
    assert calls == called
    assert len(made) == 1000
