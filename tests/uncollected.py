"""Files that pytest need not import, for none of their tests would be run: this takes longer than most tests."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from _pytest.doctest import DoctestModule

WHOLE_RUNS = ("dataguard/rules/", "dataguard/engine/")
"""The examples of rules and of whole runs are slow: they check datasets and train networks from end to end."""

_SLOW = re.compile(rb"^pytestmark = (?:\[\s*)?pytest\.mark\.slow(?![\w.(])", re.MULTILINE)


def is_slow_module(text: bytes) -> bool:
    """Whether every test of a module is marked as slow, by the line that says so: first in a list, or alone."""
    return _SLOW.search(text) is not None


def has_examples(text: bytes) -> bool:
    """Whether a module may hold a doctest."""
    return b">>>" in text


class Uncollected:
    """A plug-in, for hooks of a conftest.py do not see what is outside its folder.

    Args:
        root: What the names of `WHOLE_RUNS` begin at.
        without_slow: Whether ``-m "not slow"`` is what was asked for.
    """

    def __init__(self, root: Path, *, without_slow: bool) -> None:
        self._root = root
        self._without_slow = without_slow

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> Generator[None, list[Any], list[Any]]:
        """Leave out modules of slow tests, where these are not asked for, and doctests of modules without any."""
        found = yield
        # Of a file that was named, pytest says what is not run.
        if not found or file_path.suffix != ".py" or parent.session.isinitpath(file_path):
            return found
        text = file_path.read_bytes()
        if self._without_slow and is_slow_module(text):
            return []
        if has_examples(text) and not (self._without_slow and self.is_whole_run(file_path)):
            return found
        return [collector for collector in found if not isinstance(collector, DoctestModule)]

    def is_whole_run(self, path: Path) -> bool:
        """Whether the examples of a file are marked as slow."""
        return path.is_relative_to(self._root) and path.relative_to(self._root).as_posix().startswith(WHOLE_RUNS)
