"""Datasets that tests share, and a cache that no test shares with the user."""

from __future__ import annotations

import gc
import itertools
import os
import random
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a worker for each core already, and threads of one wait for those of another.
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(_name, "1")

import cv2
import hypothesis
import numpy as np
from numpy.typing import NDArray

from tests.reported import FewReports, few_reports
from tests.uncollected import WHOLE_RUNS, Uncollected

_NUMBERS = itertools.count()

# `make unit` looks at fewer examples of each law than `make test`, unless a test says how many.
hypothesis.settings.register_profile("unit", max_examples=25)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector what stays: thousands of tests, which it would go through again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        # By default it looks through what is new at every 700 objects, which a small test makes.
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the examples of rules and of whole runs as slow: they check datasets and train networks from end to end."""
    for item in items:
        if isinstance(item, pytest.DoctestItem) and item.nodeid.startswith(WHOLE_RUNS):
            item.add_marker(pytest.mark.slow)


def pytest_configure(config: pytest.Config) -> None:
    """Have what was kept freed at the very end, for extension modules complain of what is left."""
    # What is registered first is done last: after pytest has searched for cycles of the tests, among fewer objects.
    config.add_cleanup(gc.unfreeze)
    config.pluginmanager.register(Uncollected(config.rootpath, without_slow=config.option.markexpr == "not slow"))
    if few_reports(config):
        config.pluginmanager.register(FewReports())


@pytest.fixture(autouse=True, scope="session")
def _caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where caches of tests are; what is made for several tests has one there as well."""
    folder = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("DATAGUARD_CACHE_DIR", str(folder / "cache-of-several"))
        yield folder


@pytest.fixture(autouse=True)
def _alone(_caches: Path) -> None:
    """Give each test a cache of its own, and seed the global random streams.

    A rule may be wrong once in 100 shuffled streams, a build may not. One fixture and nothing to be undone, for that
    would take longer than most tests.
    """
    # Named, and made only by what uses it: most tests do not.
    os.environ["DATAGUARD_CACHE_DIR"] = f"{_caches}/cache-{next(_NUMBERS)}"
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        # torch.manual_seed asks for devices each time, which takes longer than most tests.
        torch.default_generator.manual_seed(0)
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(0)


def write_image(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """Write an image by its suffix, RGB or gray, making the folder where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    ok, data = cv2.imencode(path.suffix, stored)
    assert ok
    path.write_bytes(data.tobytes())
    return path


def shape(label: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """A bright disc or stripe somewhere in 16×16 pixels of noise."""
    pixels = rng.normal(60, 12, (16, 16))
    row, column = rng.integers(5, 11, 2)
    if label == "disc":
        y, x = np.ogrid[:16, :16]
        pixels[(y - row) ** 2 + (x - column) ** 2 < 14] += 120
    else:
        pixels[row : row + 2] += 120
    return pixels


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 gray PNGs of 16×16 pixels: two classes that are easy to tell apart, in three splits; nothing is wrong."""
    folder = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    for label in ("disc", "stripe"):
        for number in range(150):
            split = ("train", "train", "train", "val", "test")[number % 5]
            pixels = shape(label, rng)
            image = np.clip(pixels, 0, 255).astype(np.uint8)
            write_image(folder / split / label / f"{number:03d}.png", image)
    return folder
