from __future__ import annotations

import gc
from functools import partial

import pytest

from dataguard.core import freezing
from dataguard.core.freezing import count_as_old, frozen, may_freeze


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the garbage collector, which does nothing, and has frozen nothing."""
    made: list[str] = []
    for name in ("freeze", "unfreeze"):
        monkeypatch.setattr(gc, name, partial(made.append, name))
    monkeypatch.setattr(gc, "get_freeze_count", lambda: 0)
    monkeypatch.setattr(freezing, "_theirs", False)
    return made


def test_once_and_until_the_outermost_ends(calls: list[str]) -> None:
    with frozen():
        with frozen():
            count_as_old()
        assert calls == ["freeze"]
        assert not may_freeze()
    assert calls == ["freeze", "unfreeze"]
    assert may_freeze()


def test_an_error_thaws(calls: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), frozen():
        _ = 1 / 0
    assert calls == ["freeze", "unfreeze"]
    assert may_freeze()


def test_what_is_new_counts_as_old(calls: list[str]) -> None:
    count_as_old()
    assert calls == ["freeze", "unfreeze"]


def test_what_the_caller_froze_is_counted_once_and_stays(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    def count() -> int:
        counted.append(1_000_000)
        return counted[-1]

    monkeypatch.setattr(gc, "get_freeze_count", count)
    for _ in range(3):
        with frozen():
            count_as_old()
    assert not may_freeze()
    assert calls == []
    assert len(counted) == 1


def test_what_is_frozen_here_is_not_taken_for_the_callers(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "get_freeze_count", lambda: calls.count("freeze") - calls.count("unfreeze"))
    with frozen():
        assert gc.get_freeze_count()
        assert not may_freeze()
    assert may_freeze()
