from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.labels.leading import leading


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 200),
    classes=st.integers(2, 12),
    sharp=st.sampled_from([0.3, 2.0, 8.0]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    levels=st.sampled_from([0, 2, 4]),
)
def test_the_likeliest_class_is_the_first_of_the_largest(
    seed: int, n: int, classes: int, sharp: float, dtype: type, levels: int
) -> None:
    rng = np.random.default_rng(seed)
    probs = np.exp(sharp * rng.normal(size=(n, classes)))
    if levels:
        probs = np.ceil(levels * probs / probs.max(axis=1, keepdims=True))
    probs = (probs / probs.sum(axis=1, keepdims=True)).astype(dtype)
    codes = rng.integers(-1, classes, n).astype(np.int32)
    made = leading(probs, codes, jobs=1)
    top = probs.argmax(axis=1)
    np.testing.assert_array_equal(made.top, top)
    np.testing.assert_array_equal(made.given, np.where(codes < 0, top, codes))
    np.testing.assert_array_equal(made.p_top, probs.max(axis=1).astype(np.float32))
    np.testing.assert_array_equal(made.p_given, probs[np.arange(n), made.given].astype(np.float32))


def test_a_row_that_is_no_distribution_is_named() -> None:
    probs = np.full((10, 2), 0.5, dtype=np.float32)
    probs[3] = 0.9, 0.9
    with pytest.raises(ValueError, match="in 1 of 10 rows: 3"):
        leading(probs, np.zeros(10, dtype=np.int32))
