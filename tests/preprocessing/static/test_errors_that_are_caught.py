"""Code that tries one thing after the other: what is raised for sure leads to what catches it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized, served

_FINDING = """
    import importlib, re
    def found(name):
        name = re.sub("^np.", "numpy.", name)
        parts = name.split(".")
        for module, rest in [(".".join(parts[:i]), ".".join(parts[i:])) for i in range(len(parts), 0, -1)]:
            try:
                held = importlib.import_module(module)
                return getattr(held, rest)
            except:
                pass
        raise ImportError(name)
    """
_SIZED = """
    import cv2
    class Sized:
        def __init__(self, size):
            self.size = size
        def show(self):
            net(cv2.resize(cv2.imread("a.png"), (self.size, self.size))[None] / 255.0)
    """


def test_a_class_by_its_dotted_name(tmp_path: Path) -> None:
    script = """
        from util import found
        class Dict(dict):
            def __getattr__(self, name):
                return self[name]
        options = Dict(size=96)
        found("pack.sized.Sized")(**options).show()
        """
    files = {"util.py": _FINDING, "pack/__init__.py": "", "pack/sized.py": _SIZED, "main.py": script}
    path = only(reading(tmp_path, files))
    assert (resized(path).height, path.reachable) == (96, True)


@pytest.mark.parametrize(
    ("key", "handler", "side"),
    [
        ("size", "KeyError", 64),
        ("other", "KeyError", 32),
        ("other", "(IndexError, KeyError)", 32),
        ("size", "OSError", 64),
    ],
)
def test_a_key_that_is_not_there(tmp_path: Path, key: str, handler: str, side: int) -> None:
    body = f"""
        options = {{"size": 64}}
        def asked(name, default):
            try:
                value = options[name]
            except {handler}:
                value = default
            return value
        side = asked({key!r}, 32)
        model(torch.from_numpy(cv2.resize(cv2.imread(path), (side, side))[None] / 255.0))
        """
    assert resized(served(tmp_path, body)).height == side


def test_what_is_raised_in_one_of_two_branches_leaves_the_other(tmp_path: Path) -> None:
    body = """
        options = {"size": 64}
        try:
            if something():
                side = options["other"]
            else:
                side = options["size"]
        except KeyError:
            side = 32
        model(torch.from_numpy(cv2.resize(cv2.imread(path), (side, side))[None] / 255.0))
        """
    assert resized(served(tmp_path, body)).height == 64


@pytest.mark.parametrize(
    ("text", "handler", "side"),
    [
        ("default", "except ValueError", 32),
        ("default", "except (TypeError, ValueError)", 32),
        ("64", "except ValueError", 64),
    ],
)
def test_a_text_that_is_no_number(tmp_path: Path, text: str, handler: str, side: int) -> None:
    body = f"""
        def asked(text):
            try:
                size = int(text)
                print(size)
            {handler}:
                size = 32
            return size
        side = asked({text!r})
        model(torch.from_numpy(cv2.resize(cv2.imread(path), (side, side))[None] / 255.0))
        """
    assert resized(served(tmp_path, body)).height == side


def test_a_text_that_is_no_number_where_nothing_catches_that(tmp_path: Path) -> None:
    body = """
        try:
            side = int("default")
        except OSError:
            side = 32
        model(torch.from_numpy(cv2.resize(cv2.imread(path), (side, side))[None] / 255.0))
        """
    assert resized(served(tmp_path, body)).height is None
