"""Every sample that a rule judged, worst first: what a report is too small to hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedSample:
    """What a rule thinks of one sample's label. The field names are the columns of an exported table."""

    sample_id: str
    """The sample's id in the sample table."""
    path: str | None
    """Its file, relative to the report's ``subject.root``, as `dataguard.core.paths.encode_path` writes it."""
    split: str | None
    """The split that it is in."""
    label: str
    """The label that the dataset gives."""
    suggested_label: str
    """The likeliest class; the given label where nothing speaks against it."""
    score: float
    """How much the rule trusts the given label, 0 (not at all) to 1; what the order goes by."""
    p_wrong: float
    """Probability that the given label is wrong."""
    is_error: bool
    """Whether the rule takes the label for wrong."""
    rule: str
    """The code of the rule that judged."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ranking:
    """All samples that one rule judged, as columns.

    A rule attaches it to its observation. It holds references to what the rule worked on and costs nothing until it is
    read; a report that is read back from JSON has none.
    """

    rule: str
    """The code of the rule."""
    sample_ids: tuple[str, ...]
    """n of them; so of everything below but ``classes``."""
    paths: tuple[str | None, ...]
    """None for a sample without a file."""
    splits: tuple[str, ...]
    """'' for a sample without a split."""
    classes: tuple[str, ...]
    """The names that ``given`` and ``suggested`` index."""
    given: NDArray[np.integer]
    """Index of the given label."""
    suggested: NDArray[np.integer]
    """Index of the likeliest class."""
    score: NDArray[np.floating]
    """How much the rule trusts the given label, 0-1."""
    p_wrong: NDArray[np.floating]
    """Probability that the given label is wrong."""
    is_error: NDArray[np.bool_]
    """Whether the rule takes it for wrong."""
    confidence: NDArray[np.floating]
    """The model's own probability of the given label: what decides where scores are equal, as all are where the rule
    finds no noise."""

    def __len__(self) -> int:
        return len(self.sample_ids)

    def __iter__(self) -> Iterator[JudgedSample]:
        """The samples, worst first; of equal scores the least confident first, and then the smaller id."""
        columns = self.columns()
        for row in zip(*columns.values(), strict=True):
            yield JudgedSample(**dict(zip(columns, row, strict=True)))

    @property
    def n_errors(self) -> int:
        """How many labels the rule takes for wrong."""
        return int(self.is_error.sum())

    def columns(self) -> dict[str, list[Any]]:
        """The fields of `JudgedSample` as columns, worst first: ``pandas.DataFrame(ranking.columns())``."""
        import numpy as np

        by_id = np.array(sorted(range(len(self)), key=self.sample_ids.__getitem__), dtype=np.intp)
        chosen = by_id[np.lexsort((self.confidence[by_id], self.score[by_id]))]
        order: list[int] = chosen.tolist()
        return {
            "sample_id": [self.sample_ids[row] for row in order],
            "path": [self.paths[row] for row in order],
            "split": [self.splits[row] or None for row in order],
            "label": [self.classes[code] for code in self.given[chosen].tolist()],
            "suggested_label": [self.classes[code] for code in self.suggested[chosen].tolist()],
            "score": self.score[chosen].tolist(),
            "p_wrong": self.p_wrong[chosen].tolist(),
            "is_error": self.is_error[chosen].tolist(),
            "rule": [self.rule] * len(order),
        }
