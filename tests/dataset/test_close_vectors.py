from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.dataset.close_vectors import nearest


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 300), k=st.integers(1, 9), seed=st.integers(0, 100))
def test_equals_sorting_all_distances(n: int, k: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(0, 1, (n, 5)).astype(np.float32)
    own = np.arange(n)
    found = nearest(vectors, vectors, k=k, own=own)
    distances = np.linalg.norm(vectors[:, None].astype(np.float64) - vectors[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    expected = np.sort(distances, axis=1)[:, :k]
    expected = np.pad(expected, ((0, 0), (0, k - expected.shape[1])), constant_values=np.inf)
    np.testing.assert_allclose(found.distance, expected, rtol=1e-3, atol=2e-3)
    assert not (found.index == own[:, None]).any()
    np.testing.assert_array_equal(found.index < 0, np.isinf(expected))


def test_nothing_beyond_the_radius() -> None:
    vectors = np.array([[0.0], [1.0], [5.0]], dtype=np.float32)
    found = nearest(vectors, vectors, k=2, radius=2, own=np.arange(3))
    assert found.index.tolist() == [[1, -1], [0, -1], [-1, -1]]


@pytest.mark.parametrize("jobs", [1, 3])
def test_clusters_find_what_is_close(jobs: int) -> None:
    generator = np.random.default_rng(0)
    vectors = (generator.normal(0, 1, (6_000, 12)) * np.linspace(4, 1, 12)).astype(np.float32)
    vectors[:200] = vectors[3_000:3_200] + generator.normal(0, 0.1, (200, 12))
    asked = np.arange(200)
    found = nearest(vectors[asked], vectors, k=3, own=asked, exact=1_000, jobs=jobs)
    assert (found.index[:, 0] == asked + 3_000).mean() >= 0.99


def test_no_vectors_no_neighbours() -> None:
    empty = np.zeros((0, 4), dtype=np.float32)
    assert nearest(np.ones((2, 4), np.float32), empty, k=1).index.tolist() == [[-1], [-1]]
