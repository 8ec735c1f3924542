"""What the user's own vectors add to the near duplicates of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from dataguard.core.finding import Skipped
from dataguard.dataset.duplicates import Member
from dataguard.dataset.near_pairs import NearDuplicatePair, NearDuplicates
from dataguard.inputs.near_pictures import with_vectors
from dataguard.inputs.rows import Rows

N_TRAIN, N_TEST = 200, 40
NAMES = tuple(
    [f"train/{index:03}.png" for index in range(N_TRAIN)] + [f"test/{index:03}.png" for index in range(N_TEST)]
)
ROWS = Rows(
    sample_ids=NAMES,
    splits=tuple(name.partition("/")[0] for name in NAMES),
    paths=NAMES,
    labels=np.array(["cat"] * len(NAMES), dtype=object),
    contents=NAMES,
)


@pytest.fixture
def vectors() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Two test pictures have the vectors of two training pictures, nearly."""
    generator = np.random.default_rng(0)
    made = generator.normal(0, 1, (len(NAMES), 32)).astype(np.float32)
    made[N_TRAIN : N_TRAIN + 2] = made[:2] + generator.normal(0, 0.01, (2, 32))
    return made


def by_pixels(*pairs: NearDuplicatePair) -> NearDuplicates:
    return NearDuplicates.from_pairs(pairs, sizes={"train": N_TRAIN, "test": N_TEST})


def test_adds_pairs_that_vectors_alone_find(vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    found = with_vectors(by_pixels(), vectors, ROWS, described="vectors in v.npy", seed=0)
    assert isinstance(found, NearDuplicates)
    assert {(pair.left.sample_id, pair.right.sample_id) for pair in found.pairs} == {
        ("train/000.png", "test/000.png"),
        ("train/001.png", "test/001.png"),
    }
    assert all(pair.residual is None and "by the given vectors" in pair.why for pair in found.pairs)
    assert (found.vectors, found.n_by_vectors) == ("vectors in v.npy", 2)


def test_a_pair_that_both_find_is_one_pair(vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    known = NearDuplicatePair(
        left=Member(sample_id="test/000.png", split="test", path="test/000.png"),
        right=Member(sample_id="train/000.png", split="train", path="train/000.png"),
        distance=1,
        residual=0.01,
        chance_pairs=1e-9,
    )
    found = with_vectors(by_pixels(known), vectors, ROWS, described="vectors", seed=0)
    assert isinstance(found, NearDuplicates)
    assert len(found.pairs) == 2
    assert found.pairs[0].residual == 0.01
    assert found.pairs[0].cosine is not None
    assert "cosine" in found.pairs[0].why


def test_serves_where_pixels_say_nothing(vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    found = with_vectors(Skipped(reason="no hash"), vectors, ROWS, described="vectors", seed=0)
    assert isinstance(found, NearDuplicates)
    assert dict(found.sizes) == {"train": N_TRAIN, "test": N_TEST}
    assert len(found.pairs) == 2
