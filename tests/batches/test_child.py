"""A loader in a process of its own: whatever it does, this one gets a stream or a clear error."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dataguard.batches.child import record_in_subprocess
from dataguard.batches.kinds import Ending
from dataguard.core.errors import ConfigurationError, DataguardError, NothingToCheckError, SourceError

pytestmark = pytest.mark.slow

LOADERS = """
import os, random, signal, time
import numpy as np

print("noise on standard output")

def batches(n=3):
    return [(np.full((4, 3), number, dtype=np.float32), [0, 1, 2, 3]) for number in range(n)]

loader = batches()

def generator():
    yield from batches()

def shuffled():
    order = list(range(40))
    random.shuffle(order)
    return [(np.zeros((4, 3)), order[start:start + 4]) for start in range(0, 40, 4)]

class Loader:
    def __iter__(self):
        return iter(batches(5))

def empty():
    return []

def failing():
    return open("no-such-file")

def first_fails():
    yield 1 / 0

def hanging():
    yield from batches()
    time.sleep(600)

def dying():
    os.kill(os.getpid(), signal.SIGKILL)

def leaving():
    raise SystemExit("leaving")

def asleep():
    time.sleep(600)

number = 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "loaders.py").write_text(LOADERS)
    return tmp_path


@pytest.mark.parametrize(
    ("target", "n_batches", "epochs"),
    [("loaders:loader", 3, 1), ("loaders.py:generator", 3, 2), ("loaders:Loader", 5, 1)],
)
def test_a_loader_is_recorded_elsewhere(folder: Path, target: str, n_batches: int, epochs: int) -> None:
    stream = record_in_subprocess(target, base=folder, epochs=epochs)
    assert [item.n_batches for item in stream.passes] == [n_batches] * epochs
    assert [item.ending for item in stream.passes] == [Ending.COMPLETE] * epochs
    assert stream.codes.tolist() == [0, 1, 2, 3] * n_batches * epochs
    assert not list(folder.rglob("*.tmp"))


def test_a_seed_covers_the_making_of_the_loader(folder: Path) -> None:
    first, second, other = (
        record_in_subprocess("loaders:shuffled", base=folder, seed=seed).codes.tolist() for seed in (1, 1, 2)
    )
    assert first == second != other


@pytest.mark.parametrize(
    ("target", "kind", "message"),
    [
        ("loaders:empty", NothingToCheckError, "no batches"),
        ("loaders:failing", ConfigurationError, r"(?s)FileNotFoundError.*loaders\.py:\d+: return open"),
        ("loaders:first_fails", ConfigurationError, r"ZeroDivisionError: division by zero at .*loaders\.py:\d+"),
        ("loaders:dying", SourceError, r"(?s)signal SIGKILL.*noise on standard output"),
        ("loaders:leaving", ConfigurationError, "SystemExit: leaving"),
        ("loaders:number", ConfigurationError, "cannot be iterated"),
        ("loaders:loadr", ConfigurationError, "did you mean 'loader'"),
        ("nowhere:loader", ConfigurationError, "no module named 'nowhere'"),
        ("nowhere.py:loader", ConfigurationError, "no such file"),
        ("broken.py:loader", ConfigurationError, r"not valid Python: .* at .*broken\.py:2"),
        ("loaders", ConfigurationError, "cannot tell a loader"),
    ],
)
def test_a_mistake_is_said_without_a_traceback(
    folder: Path, target: str, kind: type[DataguardError], message: str
) -> None:
    (folder / "broken.py").write_text("x = 1\ndef (:\n")
    with pytest.raises(kind, match=message) as raised:
        record_in_subprocess(target, base=folder)
    assert "Traceback" not in str(raised.value)
    assert "dataguard/batches" not in str(raised.value)


@pytest.mark.slow
def test_a_loader_that_hangs_gives_what_came_before(folder: Path) -> None:
    started = time.monotonic()
    stream = record_in_subprocess("loaders:hanging", base=folder, timeout=8)
    assert time.monotonic() - started < 60
    (only,) = stream.passes
    assert (only.ending, only.n_batches) == (Ending.TIMED_OUT, 3)


@pytest.mark.slow
def test_a_loader_that_never_begins_is_ended(folder: Path) -> None:
    with pytest.raises(SourceError, match="no batch within 2 s"):
        record_in_subprocess("loaders:asleep", base=folder, timeout=2)


def test_a_time_limit_is_above_zero(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="above 0"):
        record_in_subprocess("loaders:loader", base=folder, timeout=0)
