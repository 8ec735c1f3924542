"""Files of a repository by their folders and by the ends of their paths."""

from __future__ import annotations

from pathlib import Path

from dataguard.preprocessing.static.tree import Tree
from tests.preprocessing.static.repositories import written


def test_files_by_their_folders_and_by_the_ends_of_their_paths(tmp_path: Path) -> None:
    names = ("a.yaml", "cfg/a.yaml", "cfg/more/a.yaml", "cfg/more/ba.yaml", "cfg/b.py")
    tree = Tree(written(tmp_path, dict.fromkeys(names, "x: 1\n")))
    assert {folder: sorted(tree.within(folder)) for folder in ("", "cfg", "cfg/more", "more")} == {
        "": ["a.yaml"],
        "cfg": ["cfg/a.yaml", "cfg/b.py"],
        "cfg/more": ["cfg/more/a.yaml", "cfg/more/ba.yaml"],
        "more": [],
    }
    # What lies at the top is found by its whole path.
    assert sorted(tree.ending("a.yaml")) == ["cfg/a.yaml", "cfg/more/a.yaml"]
    assert tree.ending("more/a.yaml") == ["cfg/more/a.yaml"]
    assert tree.ending("ore/a.yaml") == []
