from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dataguard.dataset import scan as module
from dataguard.dataset.cache import Cache
from dataguard.dataset.scan import chunk, scan
from dataguard.dataset.sources import Picture, Reference
from dataguard.dataset.sources.folder import FolderSource
from dataguard.dataset.table import COLUMNS, SampleTable
from dataguard.dataset.workers import Workers

pytestmark = pytest.mark.slow

DEADLINE = 60


@pytest.fixture
def images(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for number in range(60):
        pixels = np.random.default_rng(number).integers(0, 256, (24, 27, 3), dtype=np.uint8)
        path = root / ("cat", "dog")[number % 2] / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        os.utime(path, times=(time.time() - 60,) * 2)
    (root / "cat" / "text.jpg").write_text("I am no picture")
    (root / "cat" / "gone.jpg").symlink_to("nowhere")
    return root


@pytest.fixture
def start() -> Iterator[Callable[..., Workers]]:
    """Starts processes that have come up, and ends them in the end."""
    made: list[Workers] = []

    def starting(
        count: int, *, root: Path, cache: Path | None = None, pictures: Any = None, threads: int = 1
    ) -> Workers:
        workers = Workers(count, root=root, cache=cache, max_pixels=10**8, pictures=pictures, threads=threads)
        made.append(workers)
        reference = Reference(sample_id="x", path="there is none")
        deadline = time.monotonic() + DEADLINE
        # Asked in turn: all have come up where so many in a row answer.
        while any(workers.samples([reference]) is None for _ in range(workers.places)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return workers

    yield starting
    for workers in made:
        workers.close()


class Deadly:
    """Reads pictures, and brings down the process that reads the one called 'deadly'."""

    def __init__(self, parent: int) -> None:
        self.parent = parent

    def read(self, place: str, *, max_bytes: int) -> Picture:
        assert os.getpid() != self.parent
        if place == "deadly":
            os.kill(os.getpid(), signal.SIGSEGV)
        return Picture(b"no picture", None, None)


def rows(table: SampleTable) -> list[tuple[Any, ...]]:
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    return table.connection.execute(f"SELECT {names} FROM {table.query} ORDER BY sample_id").fetchall()


def test_processes_find_what_threads_find(
    images: Path, tmp_path: Path, start: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    references = list(FolderSource(images).references())
    samples = start(1, root=images).samples(references)
    assert samples is not None
    here = {sample.reference.sample_id: sample for sample in chunk(references, root=images).samples}
    assert [sample.reference for sample in samples] == references
    for sample in samples:
        expected = here[sample.reference.sample_id]
        assert (sample.facts, sample.content, sample.n_bytes) == (expected.facts, expected.content, expected.n_bytes)
        assert (sample.perceptual_hash, sample.decoded) == (expected.perceptual_hash, expected.decoded)
        assert (sample.stamp is None) == (expected.stamp is None)
    plain = scan(FolderSource(images), cache=None, jobs=2)
    monkeypatch.setattr(module, "_FOR_PROCESSES", 1)
    for cache in (None, Cache(tmp_path / "cache"), Cache(tmp_path / "cache")):
        table = scan(FolderSource(images), cache=cache, jobs=2)
        assert table.version_id == plain.version_id
        assert rows(table) == rows(plain)


@pytest.mark.parametrize(
    ("jobs", "enough", "expected"),
    [
        (1, 12, []),
        (2, 12, [(1, 2)]),
        (4, 12, [(1, 4)]),
        (4, 13, []),
        (6, 12, [(2, 3)]),
        (6, 62, [(2, 3)]),
        (6, 63, []),
    ],
)
def test_few_processes_of_some_threads_where_there_is_enough_to_do(
    jobs: int, enough: int, expected: list[tuple[int, int]], images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One process alone wins nothing over as many threads, so it takes five times as much to be worth its start.
    started: list[tuple[int, int]] = []

    class Noting(Workers):
        def __init__(self, count: int, *, threads: int = 1, **given: Any) -> None:
            started.append((count, threads))
            super().__init__(count, threads=threads, **given)

    monkeypatch.setattr(module, "Workers", Noting)
    monkeypatch.setattr(module, "_FOR_PROCESSES", enough)
    assert scan(FolderSource(images), cache=None, jobs=jobs).n_samples == 62
    assert started == expected


def test_they_ask_the_cache(images: Path, tmp_path: Path, start: Callable[..., Workers]) -> None:
    cache = Cache(tmp_path / "cache")
    scan(FolderSource(images), cache=cache)
    samples = start(1, root=images, cache=cache.folder).samples(list(FolderSource(images).references()))
    assert samples is not None
    assert not any(sample.decoded for sample in samples if sample.facts.format == "png")
    assert sum(sample.facts.thumbnail is not None for sample in samples) == 60


def test_a_picture_that_brings_a_process_down_is_a_row(tmp_path: Path, start: Callable[..., Workers]) -> None:
    references = [Reference(sample_id=name, path=name, place=name) for name in ("a", "b", "deadly", "c", "deadly", "d")]
    workers = start(1, root=tmp_path, pictures=Deadly(os.getpid()))
    samples = workers.samples(references)
    assert samples is not None
    assert [sample.reference for sample in samples] == references
    for sample in samples:
        error = sample.facts.decode_error
        if sample.reference.sample_id == "deadly":
            assert error == "reading or decoding it ended the process that did so: SIGSEGV"
            assert sample.content is None
        else:
            assert error == "not an image: the file holds text"
    # Another one has taken its place.
    deadline = time.monotonic() + DEADLINE
    while (again := workers.samples(references[:2])) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert [sample.facts.decode_error for sample in again] == ["not an image: the file holds text"] * 2


@pytest.mark.parametrize(("processes", "threads"), [(2, 1), (1, 3)])
def test_lists_that_are_asked_at_one_time_get_their_own_answers(
    images: Path, start: Callable[..., Workers], processes: int, threads: int
) -> None:
    references = list(FolderSource(images).references())
    workers = start(processes, root=images, threads=threads)
    wrong: list[str] = []

    def ask(offset: int) -> None:
        for position in range(offset, len(references), 4):
            samples = workers.samples(references[position : position + 3])
            if samples is None or [one.reference for one in samples] != references[position : position + 3]:
                wrong.append(references[position].sample_id)
            elif any(one.facts.width not in (27, None) for one in samples):
                wrong.append("width")

    asking = [threading.Thread(target=ask, args=(offset,)) for offset in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(DEADLINE)
    assert wrong == []


def test_what_a_process_read_beside_a_deadly_picture_is_read_again(
    tmp_path: Path, start: Callable[..., Workers]
) -> None:
    workers = start(1, root=tmp_path, pictures=Deadly(os.getpid()), threads=2)
    lists = [[Reference(sample_id=name, path=name, place=name)] * 3 for name in ("a", "deadly", "b", "c")]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(workers.samples, lists))
    for asked, samples in zip(lists, answers, strict=True):
        # None: whoever asked while there was no process is to read them.
        assert samples is None or [one.reference for one in samples] == asked
        for one in samples or ():
            died = one.facts.decode_error == "reading or decoding it ended the process that did so: SIGSEGV"
            assert died == (one.reference.sample_id == "deadly")
    assert answers[1] is not None


def test_what_cannot_be_pickled_is_read_in_threads(images: Path) -> None:
    workers = Workers(2, root=images, cache=None, max_pixels=100, pictures=lambda: None)  # type: ignore[arg-type]
    try:
        assert workers.samples(list(FolderSource(images).references())) is None
    finally:
        workers.close()


def test_closed_ones_answer_nothing(images: Path, start: Callable[..., Workers]) -> None:
    workers = start(1, root=images)
    workers.close()
    assert workers.samples(list(FolderSource(images).references())) is None
