from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from dataguard.core.finding import Finding, Observation, Severity, Skipped
from dataguard.rules.splits.dg308_declared_statistics_do_not_match import declared_statistics_do_not_match
from tests.rules.splits.normalized_data import evidence, findings

MEAN, STD = np.array([60.0, 120.0, 180.0]), np.array([20.0, 30.0, 25.0])


def pictures(n: int = 300, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(rng.normal(MEAN, STD, (n, 8, 8, 3)))


def judged(mean: Sequence[float], std: Sequence[float], scale: float = 255.0) -> list[Finding]:
    x = pictures()
    declared = list(mean), list(std)
    return findings(
        declared_statistics_do_not_match(evidence({"train": x[:200], "test": x[200:]}, declared=declared, scale=scale))
    )


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        (MEAN[::-1] / 255, STD[::-1] / 255, "with the channels in reversed order"),
        (MEAN, STD, "in another range (they must be divided by 255)"),
        (MEAN / 255, (STD / 255) ** 2, "with the variance in the place of the standard deviation"),
        (STD / 255, MEAN / 255, "with mean and standard deviation swapped"),
        (MEAN[::-1], STD[::-1], "with the channels in reversed order and in another range"),
    ],
)
def test_fires_and_names_the_slip(mean: np.ndarray, std: np.ndarray, words: str) -> None:
    (finding,) = judged(mean.tolist(), std.tolist())
    assert finding.severity is Severity.ERROR
    assert words in finding.message


def test_fires_where_the_values_are_not_divided() -> None:
    (finding,) = judged((MEAN / 255).tolist(), (STD / 255).tolist(), scale=1.0)
    assert "multiplied by 255" in finding.message
    (finding,) = judged([0.3, 0.9, 0.1], [0.1, 0.1, 0.4], scale=1.0)
    assert finding.severity is Severity.ERROR
    assert "whose values reach from" in finding.message


def test_fires_as_information_on_known_constants_that_are_near() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal([100, 105, 95], [60, 60, 60], (300, 8, 8, 3))
    declared = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    (finding,) = findings(
        declared_statistics_do_not_match(evidence({"train": x[:200], "test": x[200:]}, declared=declared, scale=255))
    )
    assert finding.severity is Severity.INFO
    assert "known from ImageNet" in finding.message


def test_fires_on_numbers_of_nobody() -> None:
    (finding,) = judged([0.3, 0.4, 0.6], [0.08, 0.12, 0.1])
    assert finding.severity is Severity.WARNING
    assert finding.message.startswith("The declared statistics are not those of training: ")
    assert finding.measurements[0].threshold == 0.1


@pytest.mark.parametrize("seed", range(10))
def test_silent_on_training_and_on_another_sample_of_it(seed: int) -> None:
    other = pictures(200, seed + 1) / 255
    mean, std = other.mean(axis=(0, 1, 2)).round(4), other.std(axis=(0, 1, 2)).round(4)
    assert judged(mean.tolist(), std.tolist()) == []


def test_edge_nothing_declared_is_skipped() -> None:
    x = pictures()
    (skipped,) = declared_statistics_do_not_match(evidence({"train": x[:200], "test": x[200:]}))
    assert isinstance(skipped, Skipped)


def test_edge_few_samples_excuse_an_error_within_sampling() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (8, 2))
    declared = [0.2, -0.3], [1.2, 0.8]
    outcomes = declared_statistics_do_not_match(evidence({"train": x, "test": x + 1}, declared=declared))
    assert not findings(outcomes)
    (observation,) = outcomes
    assert isinstance(observation, Observation)
    assert float(observation.measurements[0].value) > 0.1


def test_edge_one_number_for_all_channels() -> None:
    (finding,) = judged([0.5], [0.5])
    assert finding.severity in (Severity.WARNING, Severity.INFO, Severity.ERROR)
    assert "(0.5, 0.5, 0.5)" in finding.message
