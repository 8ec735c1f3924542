from __future__ import annotations

import dataclasses

import numpy as np

from dataguard.batches import sketch
from dataguard.batches.record import record
from dataguard.core.finding import Finding, Inconclusive, Observation, Severity, Skipped
from dataguard.rules.batches.dg208_constant_input import constant_input


def pictures(n: int = 12, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).random((n, channels, 8, 8)).astype(np.float32)


def labels(n: int = 12) -> np.ndarray:
    return np.arange(n) % 3


def test_fires_on_a_sample_of_one_value() -> None:
    x = pictures()
    x[7] = 0.25
    (finding,) = constant_input(record([(x, labels(), [f"s{k}" for k in range(12)])]))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert "0.25 in the first of them (epoch 0, batch 0, place 7)" in finding.message
    assert [place.sample_id for place in finding.locations] == ["s7"]


def test_fires_as_an_error_when_all_samples_are_constant() -> None:
    x = np.repeat(np.arange(12.0), 64).reshape(12, 1, 8, 8)
    (finding,) = constant_input(record([(x, labels())]))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR


def test_fires_on_a_dead_channel() -> None:
    x = pictures()
    x[:, 1] = 0
    (finding,) = constant_input(record([(x[:6], labels(6)), (x[6:], labels(6))]))
    assert isinstance(finding, Finding)
    assert "Channel 1 (always 0) of 3" in finding.message
    assert finding.severity is Severity.ERROR


def test_fires_on_the_same_sample_every_time() -> None:
    buffer = pictures(1)
    (finding,) = constant_input(record([(np.repeat(buffer, 6, axis=0), labels(6))] * 2))
    assert isinstance(finding, Finding)
    assert finding.message == "All 12 samples are the same, byte by byte."


def test_silent_on_varied_pictures_and_on_an_opaque_alpha_channel() -> None:
    x = pictures(channels=4)
    x[:, 3] = 1
    for made in (x, x[:, :3]):
        (outcome,) = constant_input(record([(made, labels())]))
        assert isinstance(outcome, Observation)


def test_silent_on_a_channel_that_is_constant_in_one_batch_only() -> None:
    x = pictures()
    x[:4, 2] = 0.5
    assert isinstance(constant_input(record([(x[:4], labels(4)), (x[4:], labels(8))]))[0], Observation)


def test_edge_numbers_alone_and_texts_are_skipped() -> None:
    assert isinstance(constant_input(record([(np.arange(4.0), [0, 1, 0, 1])]))[0], Skipped)
    assert isinstance(constant_input(record([(["a", "b"], [0, 1])]))[0], Skipped)


def test_edge_pieces_that_are_constant_decide_nothing() -> None:
    x = pictures()
    x[7] = 0
    stream = dataclasses.replace(record([(x, labels())]), moments_method=sketch.MOMENTS_METHOD)
    assert isinstance(constant_input(stream)[0], Inconclusive)


def test_edge_a_dataset_of_one_sample_comes_again_in_every_epoch() -> None:
    assert isinstance(constant_input(record([(pictures(1), [0])], epochs=3))[0], Observation)


def test_edge_one_sample_drawn_again_and_again_is_no_constant_loader() -> None:
    x = np.repeat(pictures(1), 4, axis=0)
    assert isinstance(constant_input(record([(x, labels(4), ["only"] * 4)]))[0], Observation)
