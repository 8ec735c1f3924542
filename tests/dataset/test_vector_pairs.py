from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dataguard.dataset.vector_pairs import vector_pairs

SPLITS = ["train"] * 320 + ["test"] * 80
CONTENTS = [str(index) for index in range(400)]


def classes(seed: int) -> NDArray[np.float32]:
    """Vectors of ten tight classes on surfaces of six dimensions: near one another, and none a copy."""
    generator = np.random.default_rng(seed)
    label = generator.integers(0, 10, 400)
    surface = generator.normal(0, 1, (10, 6, 64))
    place = np.einsum("ni,nij->nj", generator.normal(0, 1, (400, 6)), surface[label])
    made: NDArray[np.float32] = (
        2 * generator.normal(0, 1, (10, 64))[label] + place + generator.normal(0, 0.1, (400, 64))
    ).astype(np.float32)
    return made


def test_clean_classes_have_no_pairs() -> None:
    assert [len(vector_pairs(classes(seed), SPLITS, CONTENTS)) for seed in range(12)] == [0] * 12


def test_finds_copies_across_splits_and_says_how_sure() -> None:
    vectors = classes(1)
    vectors[320:330] = vectors[:10] * 1.7 + np.random.default_rng(0).normal(0, 0.05, (10, 64))
    found = vector_pairs(vectors, SPLITS, CONTENTS)
    assert {(pair.left, pair.right) for pair in found} == {(index, 320 + index) for index in range(10)}
    assert all(pair.chance_pairs <= 0.05 and pair.cosine > 0.98 for pair in found)


def test_equal_content_and_copies_within_a_split_are_left_out() -> None:
    vectors = classes(2)
    vectors[320] = vectors[0]
    vectors[1] = vectors[2]
    assert vector_pairs(vectors, SPLITS, [*CONTENTS[:320], "0", *CONTENTS[321:]]) == ()


def test_too_few_samples_say_nothing() -> None:
    vectors = np.ones((5, 3), np.float32)
    assert vector_pairs(vectors, ["train"] * 3 + ["test"] * 2, list("abcde")) == ()


def test_vectors_that_are_all_equal_make_no_pairs() -> None:
    assert vector_pairs(np.ones((400, 8), np.float32), SPLITS, CONTENTS) == ()
