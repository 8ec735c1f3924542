"""What the permuted-label control found, and how it is kept."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)
Codes: TypeAlias = "NDArray[np.int32]"
Kind: TypeAlias = Literal["image", "table", "text", "features", "probabilities"]
LEVEL = 0.05
"""Of the test; and 1 − LEVEL is the power at which a planted relation counts as one that would have been found."""

_ARRAYS = ("codes", "null", "null_gains", "class_scores", "null_class_scores")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelPermutations:
    """How many bits the inputs tell about the labels, out of sample, and the same for permuted labels."""

    kind: Kind
    """What the labels were told from: descriptors of pictures, texts, a table's columns, given features or
    probabilities."""
    sample_ids: tuple[str, ...]
    """The samples looked at, in an order drawn by the hash of the id."""
    paths: tuple[str | None, ...]
    """The picture of each, relative to the root; None where it has none."""
    classes: tuple[str, ...]
    """The classes looked at."""
    codes: Codes
    """Index of each given label in ``classes``, shape (n,), read-only."""
    statistic: str
    """What is compared: what `observed` and `null` are."""
    observed: float
    """Of the labels as they are."""
    null: NDArray[np.float64]
    """Of permuted labels, shape (permutations,), read-only."""
    gain: float
    """Bits a label gained over the class shares, out of sample; at least 0."""
    null_gains: NDArray[np.float64]
    """The same for some of the permutations, shape (measured,), read-only."""
    accuracy: float
    """Share of the labels that are the likeliest class, out of sample."""
    class_scores: NDArray[np.float64]
    """Mean score of a class in its own samples less that in the others, shape (classes,), read-only."""
    null_class_scores: NDArray[np.float64]
    """The same for some of the permutations, shape (measured, classes), read-only."""
    found: Mapping[float, float]
    """By strength of a planted relation (the share of the label entropy that it explains), the share of planted
    relations that the test finds. Empty where it found the real one."""
    origin: Mapping[str, str | int | float]
    """How it was done: model, samples, permutations, seed."""

    @property
    def n(self) -> int:
        """How many samples were looked at."""
        return len(self.codes)

    @property
    def counts(self) -> NDArray[np.intp]:
        """Samples of each class that were looked at, shape (classes,)."""
        return np.bincount(self.codes, minlength=len(self.classes))

    @property
    def entropy(self) -> float:
        """Of the labels, in bits."""
        return entropy_in_bits(self.counts / self.n)

    @property
    def p_value(self) -> float:
        """(b + 1)/(m + 1), with b of the m permutations at least as high as the labels as they are."""
        return share_as_high(self.observed, self.null)

    @property
    def class_p_values(self) -> NDArray[np.float64]:
        """The same for the score of each class, shape (classes,)."""
        beaten = (self.null_class_scores >= self.class_scores).sum(axis=0)
        values: NDArray[np.float64] = (beaten + 1) / (len(self.null_class_scores) + 1)
        return values

    @property
    def detectable(self) -> float | None:
        """The weakest planted relation that is found with a power of 1 − `LEVEL`; None where none is, or none was."""
        return min((strength for strength, share in self.found.items() if share >= 1 - LEVEL), default=None)


def pack(made: LabelPermutations) -> bytes:
    """The record without its paths, to be kept; see `unpack`."""
    header = {
        "kind": made.kind,
        "sample_ids": made.sample_ids,
        "classes": made.classes,
        "statistic": made.statistic,
        "observed": made.observed,
        "gain": made.gain,
        "accuracy": made.accuracy,
        "found": list(made.found.items()),
        "origin": dict(made.origin),
    }
    buffer = io.BytesIO()
    np.savez(
        buffer,
        header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        **{name: getattr(made, name) for name in _ARRAYS},
    )
    return buffer.getvalue()


def unpack(blob: bytes, paths: Mapping[str, str | None]) -> LabelPermutations:
    """The record that `pack` made bytes of, with the path of each sample."""
    with np.load(io.BytesIO(blob), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    header = json.loads(arrays.pop("header").tobytes())
    sample_ids = tuple(header.pop("sample_ids"))
    fields: dict[str, Any] = {**header, **{name: as_read_only(array) for name, array in arrays.items()}}
    fields |= {"classes": tuple(header["classes"]), "found": dict(header["found"])}
    return LabelPermutations(
        sample_ids=sample_ids,
        paths=tuple(paths[name] for name in sample_ids),
        **fields,
    )


def share_as_high(value: float, null: NDArray[np.float64]) -> float:
    """The share of permutations, and of the labels as they are, that are at least as high: a p-value."""
    return (int(np.sum(null >= value)) + 1) / (len(null) + 1)


def least_significant(null: NDArray[np.float64]) -> float:
    """The least gain whose p-value does not exceed `LEVEL`."""
    allowed = int(LEVEL * (len(null) + 1)) - 1
    return float(np.nextafter(np.sort(null)[len(null) - 1 - allowed], np.inf))


def entropy_in_bits(shares: NDArray[np.float64]) -> float:
    """The entropy of shares."""
    present = shares[shares > 0]
    return float(-np.sum(present * np.log2(present)))


def as_read_only(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """An array that cannot be written to, laid out in the order of its axes."""
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array
