"""Which tags of tokens are wrong: named entities, parts of speech, any label a token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from dataguard.labels.quality import LabelQuality, assess

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

OUTSIDE = "O"
UNTAGGED = -100
"""The code that PyTorch's losses ignore."""
PREFIXES = frozenset("BILUSEM")
"""Positions in an entity by the schemes in use: BIO (B, I), BILOU (B, I, L, U), BIOES (B, I, E, S), BMES (B, M, E, S).
"""


class TagError(Enum):
    """What kind of disagreement a tag and its suggestion are."""

    MISSED = "missed"
    """Given as outside, and more likely part of an entity."""
    SPURIOUS = "spurious"
    """Given as part of an entity, and more likely outside."""
    TYPE = "type"
    """Given as one type of entity, and more likely of another."""
    BOUNDARY = "boundary"
    """The type is right, and the position in the entity (B-, I-, …) is not."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TokenIssue:
    """One tag that is more likely wrong than right."""

    sequence: int
    position: int
    """Index of the token in its sequence, from 0."""
    given: str
    suggested: str
    posterior: float
    """Probability that the given tag is wrong."""
    kind: TagError


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TokenQuality:
    """What the given tags are worth."""

    quality: LabelQuality
    """Of all judged tokens, one after another: noise rate with interval, transition matrix and so on."""
    tags: tuple[str, ...]
    """What codes and columns stand for."""
    token_scores: tuple[NDArray[np.float64], ...]
    """Probability that each tag is right, an array (tokens,) a sequence: lower is worse. NaN where no tag is given.
    Read-only."""
    sequence_scores: NDArray[np.float64]
    """Score of the worst token, shape (sequences,), read-only; 1 for a sequence without a judged token."""
    expected_errors: NDArray[np.float64]
    """Expected number of wrong tags, shape (sequences,), read-only."""
    suggested: tuple[NDArray[np.int32], ...]
    """Code of the likeliest tag, the given one taken into account; an array (tokens,) a sequence, read-only."""
    issues: tuple[TokenIssue, ...]
    """Every tag more likely wrong than right, worst first."""

    def ranking(self) -> NDArray[np.intp]:
        """Indices of the sequences, worst first: by the worst token, then by the expected number of errors."""
        order: NDArray[np.intp] = np.lexsort((-self.expected_errors, self.sequence_scores))
        return order

    def suggested_tags(self, sequence: int) -> list[str]:
        """The likeliest tags of one sequence."""
        return [self.tags[code] for code in self.suggested[sequence]]


def assess_tokens(
    labels: Sequence[Sequence[int] | Sequence[str]],
    pred_probs: Sequence[ArrayLike],
    *,
    tags: Sequence[str] | None = None,
    level: float = 0.95,
) -> TokenQuality:
    """Estimate how many tags are wrong, and which, from out-of-sample probabilities.

    All tokens together go through `dataguard.labels.quality.assess`: calibration, noise rate and transition matrix of
    the tags. The score of a token is the posterior probability that its tag is right, so that a tag that the model
    often confuses is not held against the annotator. A sequence is as bad as its worst token (the best of the
    aggregates in Wang & Mueller, "Detecting Label Errors in Token Classification Data", 2022); among equals, the one
    with more expected errors is worse.

    Args:
        labels: A sequence of tags for each sequence of tokens: codes 0 … classes − 1, or tags as text. −100 (a code)
            or None means that a token is not tagged, as the pieces of a word after its first; it is not judged.
            Sequences may be empty.
        pred_probs: An array (tokens, classes) for each sequence, rows sum to 1.
        tags: What the columns stand for, in order. Needed where labels are text. With names as 'O', 'B-PER' and
            'I-PER', boundary disagreements are told from errors of type. Codes as text by default.
        level: Coverage of the interval of the noise rate.

    Raises:
        ValueError: lengths or shapes do not fit together, a tag is unknown, or no token is tagged.
    """
    if len(labels) != len(pred_probs):
        raise ValueError(f"labels of {len(labels)} sequences and probabilities of {len(pred_probs)}")
    blocks = [np.asarray(block, dtype=np.float64) for block in pred_probs]
    widths = {block.shape[1] for block in blocks if block.ndim == 2 and block.size}
    if tags is not None:
        widths.add(len(tags))
    if len(widths) != 1:
        raise ValueError(f"probabilities of {sorted(widths)} classes: expected one number, at least 2")
    (classes,) = widths
    names = tuple(str(code) for code in range(classes)) if tags is None else tuple(str(tag) for tag in tags)
    place = None if tags is None else {name: code for code, name in enumerate(names)}
    codes: list[NDArray[np.intp]] = []
    for number, (row, block) in enumerate(zip(labels, blocks, strict=True)):
        codes.append(np.array([_code(tag, place, classes, number) for tag in row], dtype=np.intp))
        if len(row) and block.shape != (len(row), classes):
            raise ValueError(f"sequence {number} has {len(row)} tags and probabilities of shape {block.shape}")
    ends = np.cumsum([len(row) for row in codes])
    flat = np.concatenate([*codes, np.zeros(0, dtype=np.intp)])
    probs = np.concatenate([block.reshape(-1, classes) for block in blocks if block.size])
    known = np.flatnonzero(flat >= 0)
    if not len(known):
        raise ValueError("no token is tagged")
    if not (np.isfinite(probs) & (probs >= 0)).all():
        raise ValueError("probabilities that are negative or not finite; apply the softmax to logits")
    quality = assess(flat[known], probs[known], level=level, calibrated=True)

    score = np.full(len(flat), np.nan)
    score[known] = quality.score
    suggested = probs.argmax(axis=1).astype(np.int32)
    suggested[known] = quality.suggested
    by_sequence = np.split(score, ends[:-1]) if len(ends) else []
    suggestions = np.split(suggested, ends[:-1]) if len(ends) else []
    worst = [float(np.nanmin(row)) if np.isfinite(row).any() else 1.0 for row in by_sequence]
    expected = [float(np.nansum(1 - row)) for row in by_sequence]
    starts = ends - [len(row) for row in codes]
    issues = []
    for index in known[np.argsort(quality.score, kind="stable")]:
        if not score[index] < 0.5 or suggested[index] == flat[index]:
            continue
        sequence = int(np.searchsorted(ends, index, side="right"))
        given, better = names[flat[index]], names[suggested[index]]
        issues.append(
            TokenIssue(
                sequence=sequence,
                position=int(index - starts[sequence]),
                given=given,
                suggested=better,
                posterior=float(1 - score[index]),
                kind=tag_error(given, better),
            )
        )
    return TokenQuality(
        quality=quality,
        tags=names,
        token_scores=tuple(_frozen(row) for row in by_sequence),
        sequence_scores=_frozen(np.array(worst)),
        expected_errors=_frozen(np.array(expected)),
        suggested=tuple(_frozen(row) for row in suggestions),
        issues=tuple(issues),
    )


def tag_error(given: str, suggested: str) -> TagError:
    """What kind of disagreement two different tags are.

    >>> [tag_error(*pair.split()).value for pair in ("O B-PER", "I-LOC O", "B-LOC B-PER", "B-PER I-PER", "NN VB")]
    ['missed', 'spurious', 'type', 'boundary', 'type']
    """
    if given == OUTSIDE:
        return TagError.MISSED
    if suggested == OUTSIDE:
        return TagError.SPURIOUS
    return TagError.BOUNDARY if _entity(given) == _entity(suggested) else TagError.TYPE


def _entity(tag: str) -> str:
    """The type of entity that a tag names: 'PER' of 'B-PER', 'I_PER' or 'PER-B'; other tags name themselves."""
    for mark in ("-", "_"):
        first, _, rest = tag.partition(mark)
        if rest and first in PREFIXES:
            return rest
        rest, _, last = tag.rpartition(mark)
        if rest and last in PREFIXES:
            return rest
    # The bare positions of a scheme with a single type.
    return "" if tag in PREFIXES else tag


def _code(tag: object, place: dict[str, int] | None, classes: int, number: int) -> int:
    if tag is None:
        return -1
    if isinstance(tag, str):
        if place is None:
            raise ValueError(f"sequence {number} has tag {tag!r}; `tags` must say what the columns stand for")
        if tag not in place:
            raise ValueError(f"sequence {number} has tag {tag!r}, which is none of {', '.join(map(repr, place))}")
        return place[tag]
    if isinstance(tag, int | np.integer) and (tag == UNTAGGED or 0 <= tag < classes):
        return -1 if tag == UNTAGGED else int(tag)
    raise ValueError(f"sequence {number} has tag {tag!r}: expected a code from 0 to {classes - 1}, {UNTAGGED} or None")


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.setflags(write=False)
    return array
