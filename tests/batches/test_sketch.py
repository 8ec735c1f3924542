"""Sketches of batches and the bound on batches of one label, held against what they stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.batches.sketch import SKETCH_BYTES, SketchBlock, middle
from dataguard.batches.verdicts import single_label_bound

pytest.importorskip("torch", reason="torch is not installed")

import torch


@pytest.mark.parametrize(("counts", "size"), [((5, 5), 3), ((9, 1), 2), ((4, 4, 4), 2), ((6, 2), 4)])
def test_the_expected_number_is_the_hypergeometric_one(counts: tuple[int, ...], size: int) -> None:
    exact = sum(math.comb(n, size) for n in counts) / math.comb(sum(counts), size)
    bound = single_label_bound(counts, {size: 1}, 5)
    assert bound == pytest.approx(math.exp(5 - exact - 5 * math.log(5 / exact)))
    assert single_label_bound(counts, {size: 1000}, 1) == 1.0
    assert single_label_bound(counts, {sum(counts) + 1: 1}, 1) == 1.0
    assert single_label_bound((1, 1), {2: 1}, 1) == 0.0


@settings(max_examples=60, deadline=None)
@given(
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    dtype=st.sampled_from(["float32", "float64", "float16", "uint8", "int64", "bool"]),
    fortran=st.booleans(),
)
def test_a_sketch_depends_on_the_values_alone(shape: list[int], dtype: str, fortran: bool) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 2 if dtype == "bool" else 100, (3, *shape)).astype(dtype)
    array[2] = array[0]
    laid = np.asfortranarray(array) if fortran and array[0].nbytes <= SKETCH_BYTES else array
    block = SketchBlock(laid.dtype, laid.shape, 2)
    block.add(laid)
    block.add(laid[::-1].copy())
    found = block.finish()
    assert found.hashes[0].tolist() == found.hashes[1][::-1].tolist()
    assert found.hashes[0, 0] == found.hashes[0, 2]
    if array[0].nbytes <= SKETCH_BYTES:
        assert (found.hashes[0, 0] == found.hashes[0, 1]) == np.array_equal(array[0], array[1])
    if array[0].size <= 64 and array[0].nbytes <= SKETCH_BYTES:
        flat = array.reshape(3, -1).astype(np.float64)
        assert np.allclose(found.moments.mean[:3], flat.mean(axis=1))
        assert np.array_equal(found.moments.maximum[:3], flat.max(axis=1))


@given(shape=st.lists(st.integers(1, 300), min_size=1, max_size=3).map(tuple), item=st.sampled_from([1, 2, 4, 8]))
def test_a_piece_lies_within_a_sample_and_near_its_middle(shape: tuple[int, ...], item: int) -> None:
    piece, width = SKETCH_BYTES // item, math.prod(shape)
    if width >= piece:
        start = middle(shape, piece)
        assert 0 <= start <= width - piece
        halfway = int(np.ravel_multi_index([side // 2 for side in shape], shape))
        assert start <= halfway < start + piece or start == width - piece


def test_a_sketch_of_scattered_memory_is_taken_on_a_grid() -> None:
    tensor = torch.rand(4, 3, 50, 60).to(memory_format=torch.channels_last)
    array = tensor.numpy()
    assert not array.flags.c_contiguous
    block = SketchBlock(array.dtype, array.shape, 1)
    block.add(array)
    found = block.finish()
    assert len(set(found.hashes[0].tolist())) == 4
    assert (found.moments.maximum <= array.max()).all()
    assert (found.moments.std > 0).all()
