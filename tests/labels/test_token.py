"""Wrong tags are found, and boundaries are told from types."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.labels.token import UNTAGGED, TagError, TokenQuality, assess_tokens, tag_error

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def sentences(n: int = 80, seed: int = 0) -> tuple[list[list[str]], list[NDArray[np.float64]]]:
    """Tags of n sentences of 4 to 12 tokens, and a good model's probabilities."""
    rng = np.random.default_rng(seed)
    labels, probs = [], []
    for _ in range(n):
        codes = rng.choice(5, rng.integers(4, 13), p=[0.6, 0.1, 0.1, 0.1, 0.1])
        logits = 5 * np.eye(5)[codes] + rng.normal(size=(len(codes), 5))
        energies = np.exp(logits)
        labels.append([TAGS[code] for code in codes])
        probs.append(energies / energies.sum(axis=1, keepdims=True))
    return labels, probs


def planted() -> tuple[TokenQuality, dict[tuple[int, int], TagError]]:
    """What becomes of one wrong tag in each of eight sentences."""
    labels, probs = sentences()
    change = {
        "O": ("B-LOC", TagError.SPURIOUS),
        "B-PER": ("I-PER", TagError.BOUNDARY),
        "I-PER": ("I-LOC", TagError.TYPE),
    }
    change |= {"B-LOC": ("O", TagError.MISSED), "I-LOC": ("B-LOC", TagError.BOUNDARY)}
    where = {}
    for sequence in range(0, 80, 10):
        position = sequence // 10 % len(labels[sequence])
        labels[sequence][position], kind = change[labels[sequence][position]]
        where[sequence, position] = kind
    return assess_tokens(labels, probs, tags=TAGS), where


def test_wrong_tags_are_found_with_their_kind() -> None:
    quality, where = planted()
    found = {(issue.sequence, issue.position): issue.kind for issue in quality.issues}
    assert where.items() <= found.items()
    assert len(found) <= len(where) + 2
    posteriors = [issue.posterior for issue in quality.issues]
    assert posteriors == sorted(posteriors, reverse=True)
    for issue in quality.issues:
        assert quality.suggested_tags(issue.sequence)[issue.position] == issue.suggested != issue.given


def test_a_sequence_is_as_bad_as_its_worst_token() -> None:
    quality, where = planted()
    for score, tokens in zip(quality.sequence_scores, quality.token_scores, strict=True):
        assert score == tokens.min()
    assert set(quality.ranking()[:8].tolist()) == {sequence for sequence, _ in where}
    assert quality.expected_errors[0] > 0.5


def test_clean_tags_are_not_accused() -> None:
    labels, probs = sentences()
    quality = assess_tokens(labels, probs, tags=TAGS)
    assert len(quality.issues) <= 2
    assert quality.quality.low == 0


def test_untagged_tokens_and_empty_sequences() -> None:
    labels, probs = sentences()
    codes: list[list[int | None]] = [[TAGS.index(tag) for tag in row] for row in labels]
    codes[0][1], codes[0][2] = UNTAGGED, None
    codes[1] = [None] * len(codes[1])
    codes.insert(2, [])
    probs.insert(2, np.zeros((0, 5)))
    quality = assess_tokens(codes, probs)  # type: ignore[arg-type]
    assert np.isnan(quality.token_scores[0][[1, 2]]).all()
    assert np.isfinite(quality.token_scores[0][[0, 3]]).all()
    assert quality.sequence_scores[1] == quality.sequence_scores[2] == 1
    assert len(quality.token_scores[2]) == 0
    assert quality.suggested[0][1] == probs[0][1].argmax()
    assert len(quality.sequence_scores) == 81
    assert [len(row) for row in quality.token_scores] == [len(row) for row in codes]


@pytest.mark.parametrize(
    ("given", "suggested", "kind"),
    [
        ("B-PER", "I-PER", TagError.BOUNDARY),
        ("B_PER", "E_PER", TagError.BOUNDARY),
        ("PER-B", "PER-I", TagError.BOUNDARY),
        ("B", "I", TagError.BOUNDARY),
        ("B-PER", "B-LOC", TagError.TYPE),
        ("NN-P", "NN-S", TagError.TYPE),
        ("O", "I-PER", TagError.MISSED),
        ("I-PER", "O", TagError.SPURIOUS),
    ],
)
def test_kinds_of_disagreement(given: str, suggested: str, kind: TagError) -> None:
    assert tag_error(given, suggested) is kind


HALF = np.full((2, 2), 0.5)


@pytest.mark.parametrize(
    ("labels", "probs", "tags", "message"),
    [
        ([[0, 1]], [], None, "1 sequences and probabilities of 0"),
        ([[0]], [HALF], None, r"sequence 0 has 1 tags"),
        ([[0, 1], [0, 1]], [HALF, np.full((2, 3), 0.3)], None, r"\[2, 3\] classes"),
        ([[0, 1]], [HALF], ("O", "B", "I"), r"\[2, 3\] classes"),
        ([[0, 2]], [HALF], None, "tag 2"),
        ([["O", "B"]], [HALF], None, "`tags` must say"),
        ([["O", "X"]], [HALF], ("O", "B"), "'X', which is none of 'O', 'B'"),
        ([[None, UNTAGGED]], [HALF], None, "no token is tagged"),
        ([[0, 1]], [-HALF], None, "softmax"),
        ([], [], None, "expected one number"),
    ],
)
def test_what_does_not_fit_is_refused(
    labels: object, probs: object, tags: tuple[str, ...] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        assess_tokens(labels, probs, tags=tags)  # type: ignore[arg-type]
