from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.batches.record import record
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Finding, Observation, Severity, Skipped
from dataguard.rules.batches.dg207_non_finite_input import non_finite_input


def fed(x: object, *, size: int = 4) -> BatchStream:
    n = len(x)  # type: ignore[arg-type]
    return record([(x[at : at + size], np.arange(at, min(at + size, n)) % 2) for at in range(0, n, size)])  # type: ignore[index]


def test_fires_on_one_nan_and_says_where() -> None:
    x = np.ones((12, 3))
    x[9, 2] = np.nan
    (finding,) = non_finite_input(fed(x))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert "1 of 12 samples" in finding.message
    assert "epoch 0, batch 2, place 1" in finding.message
    assert [place.note for place in finding.locations] == ["epoch 0, batch 2, place 1"]


def test_fires_on_infinities_in_any_input() -> None:
    batch = {"image": np.zeros((4, 2, 8, 8)), "age": np.array([1.0, -np.inf, 3.0, np.inf]), "label": [0, 1, 0, 1]}
    (finding,) = non_finite_input(record([batch]))
    assert isinstance(finding, Finding)
    by_name = {item.name: item.value for item in finding.measurements}
    assert by_name["samples with infinities"] == 2
    assert by_name["samples with NaN"] == 0


def test_fires_and_names_the_worker_that_makes_them() -> None:
    x = np.ones((16, 3))
    x[4:8] = np.nan
    stream = dataclasses.replace(fed(x), batch_worker=np.array([0, 1, 0, 1], dtype=np.int32))
    (finding,) = non_finite_input(stream)
    assert isinstance(finding, Finding)
    assert "All are from worker 1" in finding.message


def test_silent_on_finite_values_however_large() -> None:
    (outcome,) = non_finite_input(fed(np.array([[1e308, -1e308], [0.0, -0.0], [5e-324, 1.0], [2.0, 3.0]])))
    assert isinstance(outcome, Observation)
    assert "by all values" in outcome.message


def test_edge_max_share_allows_some() -> None:
    x = np.ones((100, 2))
    x[:5] = np.nan
    assert isinstance(non_finite_input(fed(x), max_share=0.05)[0], Observation)
    assert isinstance(non_finite_input(fed(x), max_share=0.04)[0], Finding)


@pytest.mark.parametrize("loader", [[(["a text", "another"], [0, 1])], [(["a"], [0])]])
def test_edge_text_is_skipped(loader: object) -> None:
    assert isinstance(non_finite_input(record(loader))[0], Skipped)


def test_edge_whole_numbers_are_finite() -> None:
    assert isinstance(non_finite_input(fed(np.arange(24).reshape(8, 3)))[0], Observation)


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 19)))
def test_edge_every_bad_sample_is_counted_and_no_other(rows: set[int]) -> None:
    x = np.ones((20, 3))
    x[sorted(rows), 0] = np.nan
    (outcome,) = non_finite_input(fed(x))
    assert outcome.measurements[0].value == len(rows) / 20  # type: ignore[union-attr]
    assert isinstance(outcome, Finding) == bool(rows)
