from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.core.edits import edited, write_edited
from dataguard.core.finding import Edit


def change(root: Path, name: str, content: bytes, *edits: Edit) -> tuple[bytes, list[str]]:
    """What a file becomes, and why what was not changed was not."""
    (root / name).write_bytes(content)
    files, refused = edited(edits, root)
    list(write_edited(files, root))
    return (root / name).read_bytes(), [item.reason for item in refused]


def edit(line: int, old: str, new: str, path: str = "r.txt") -> Edit:
    return Edit(path=path, line=line, old=old, new=new)


def test_only_the_named_place_changes(tmp_path: Path) -> None:
    content = "\ufeff# é\r\nnumpy  >= 1.20   # why\r\nnumpy-stl\r\n".encode()
    after, refused = change(tmp_path, "r.txt", content, edit(2, "numpy >= 1.20", "numpy==1.26.4"))
    assert after == "\ufeff# é\r\nnumpy==1.26.4   # why\r\nnumpy-stl\r\n".encode()
    assert refused == []


def test_a_line_that_goes_on_is_one_requirement(tmp_path: Path) -> None:
    after, _ = change(
        tmp_path, "r.txt", b"torch[extra] \\\n  >=2\nsix\n", edit(1, "torch[extra] >=2", "torch[extra]==2.1")
    )
    assert after == b"torch[extra]==2.1\nsix\n"


def test_several_changes_keep_each_others_lines(tmp_path: Path) -> None:
    hashed = "b==2 \\\n    --hash=sha256:00"
    after, refused = change(
        tmp_path, "r.txt", b"a\nb==2\nc\n", edit(1, "a", "a==1"), edit(2, "b==2", hashed), edit(3, "c", "c==3"),
        edit(3, "c", "c==3"), edit(1, "", "d==4"),
    )  # fmt: skip
    assert after.decode() == f"a==1\n{hashed}\nc==3\nd==4\n"
    assert refused == []


@pytest.mark.parametrize("old", ["numpy>=2", "num", "torch"])
def test_what_does_not_stand_there_is_not_changed(tmp_path: Path, old: str) -> None:
    after, refused = change(tmp_path, "r.txt", b"numpy>=1\ntorch\n", edit(1, old, "x"))
    assert after == b"numpy>=1\ntorch\n"
    assert len(refused) == 1
    assert "line 1" in refused[0]


def test_what_stands_there_twice_is_not_changed(tmp_path: Path) -> None:
    after, refused = change(
        tmp_path, "Dockerfile", b"RUN pip install six && echo six\n", edit(1, "six", "six==1", "Dockerfile")
    )
    assert (after, len(refused)) == (b"RUN pip install six && echo six\n", 1)


def test_another_encoding_is_left_alone(tmp_path: Path) -> None:
    content = "numpy\n".encode("utf-16")
    after, refused = change(tmp_path, "r.txt", content, edit(1, "numpy", "numpy==1"))
    assert (after, refused) == (content, ["it is not in UTF-8"])


def test_nothing_outside_the_root_is_touched(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "r.txt").write_text("numpy\n")
    (root / "link.txt").symlink_to(tmp_path / "r.txt")
    files, refused = edited([edit(1, "numpy", "x", "../r.txt"), edit(1, "numpy", "x", "link.txt")], root)
    assert files == ()
    assert [item.reason for item in refused] == ["it lies outside of the project"] * 2


def test_a_new_file_and_a_line_at_an_end_without_a_break(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("a")
    files, _ = edited([edit(1, "", "3.11", ".python-version"), edit(1, "", "b==1")], tmp_path)
    assert list(write_edited(files, tmp_path)) == [".python-version", "r.txt"]
    assert (tmp_path / ".python-version").read_text() == "3.11\n"
    assert (tmp_path / "r.txt").read_text() == "a\nb==1\n"


@pytest.mark.skipif(shutil.which("git") is None, reason="git applies the diff")
@pytest.mark.parametrize("content", ["a\nb>=1\nc", "a\r\nb>=1\r\nc\r\n", "b>=1\n", "x\n" * 20 + "b>=1\n" + "y\n" * 20])
def test_git_applies_the_diff(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.txt").write_bytes(content.encode())
    line = content.split("\n").index(next(row for row in content.split("\n") if row.startswith("b"))) + 1
    files, _ = edited([edit(line, "b>=1", "b==1"), edit(1, "", "new", "n.txt"), edit(1, "", "d==1")], tmp_path)
    patch = "".join(file.diff for file in files).encode()
    subprocess.run(["git", "apply", "-"], input=patch, cwd=tmp_path, check=True, capture_output=True)
    for file in files:
        assert (tmp_path / file.path).read_bytes().decode() == file.after


@given(st.lists(st.sampled_from(["a", "bb>=1", "c-d", "# x", "", "e[f]"]), max_size=8), st.data())
def test_other_lines_never_change(lines: list[str], data: st.DataObject) -> None:
    import tempfile

    at = data.draw(st.integers(0, max(0, len(lines) - 1)))
    old = lines[at] if lines and lines[at] not in ("", "# x") else "absent"
    with tempfile.TemporaryDirectory() as folder:
        after, refused = change(Path(folder), "r.txt", "\n".join(lines).encode(), edit(at + 1, old, "NEW"))
    changed = after.decode().split("\n")
    expected = list(lines) or [""]
    if not refused:
        expected[at] = "NEW"
    assert changed == expected
    assert bool(refused) == (old == "absent")
