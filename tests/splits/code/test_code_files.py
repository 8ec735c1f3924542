from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.core.errors import SourceError
from dataguard.splits.code import files
from dataguard.splits.code.files import analyse_files, find_code


def made(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}" if name.endswith(".ipynb") else "x = 1\n")


def names(folder: Path, *exclude: str) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_code([folder], exclude)]


def test_scripts_and_notebooks_of_a_folder_in_order(tmp_path: Path) -> None:
    made(tmp_path, "b.py", "a.ipynb", "sub/c.py", "data.csv", "README.md")
    assert names(tmp_path) == ["a.ipynb", "b.py", "sub/c.py"]


def test_other_peoples_code_is_left_out(tmp_path: Path) -> None:
    made(
        tmp_path,
        "a.py",
        ".git/x.py",
        "venv/lib/x.py",
        "node_modules/x.py",
        "a.egg-info/x.py",
        ".ipynb_checkpoints/a.ipynb",
    )
    assert names(tmp_path) == ["a.py"]


def test_what_is_excluded_by_name_or_path(tmp_path: Path) -> None:
    made(tmp_path, "a.py", "old/b.py", "sub/c.py", "sub/c_test.py")
    assert names(tmp_path, "old", "*_test.py") == ["a.py", "sub/c.py"]
    assert names(tmp_path, "sub/*") == ["a.py", "old/b.py"]


def test_a_file_is_taken_once_and_whatever_its_suffix(tmp_path: Path) -> None:
    made(tmp_path, "a.py", "job")
    assert list(find_code([tmp_path / "job", tmp_path / "a.py", tmp_path])) == [tmp_path / "job", tmp_path / "a.py"]


def test_a_missing_path_and_too_many_files_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        list(find_code([tmp_path / "none"]))
    made(tmp_path, "a.py", "b.py")
    monkeypatch.setattr(files, "MAX_FILES", 1)
    with pytest.raises(SourceError, match="more than 1 files"):
        list(find_code([tmp_path]))


def test_files_are_named_from_the_root_and_a_bad_one_is_kept_apart(tmp_path: Path) -> None:
    made(tmp_path, "sub/a.py", "sub/broken.ipynb")
    seen: list[tuple[str, int, int]] = []
    found = analyse_files([tmp_path / "sub"], root=tmp_path, progress=lambda *what: seen.append(what))
    assert [analysis.source.path for analysis in found.analyses] == ["sub/a.py"]
    assert found.unreadable == (("sub/broken.ipynb", "not a notebook: it has no cells"),)
    assert seen == [("reading the code", 0, 2), ("reading the code", 1, 2)]
    (outside,) = analyse_files([tmp_path / "sub" / "a.py"], root=tmp_path / "other").analyses
    assert outside.source.path == (tmp_path / "sub" / "a.py").as_posix()
