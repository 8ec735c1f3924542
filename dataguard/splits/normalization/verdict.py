"""What the numbers say about how they were normalized."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Status: TypeAlias = Literal["identified", "equivalent", "undecided"]
Origin: TypeAlias = Literal["splits", "itself", "sample", "outside", "raw"]
Scope: TypeAlias = Literal["feature", "channel", "everything", "sample", ""]
Before: TypeAlias = Literal["logarithm", "nothing", "square root", "square", "reciprocal", ""]
Method: TypeAlias = Literal[
    "standard",
    "centre",
    "scale",
    "whitening",
    "rotation",
    "min-max",
    "max-abs",
    "robust",
    "median",
    "sample",
    "",
]

METHOD_WORDS: dict[str, str] = {
    "standard": "mean 0 and standard deviation 1",
    "centre": "mean 0",
    "scale": "standard deviation 1",
    "whitening": "mean 0, standard deviation 1 and no correlations (whitening)",
    "rotation": "mean 0 and no correlations (principal components)",
    "min-max": "a fixed least and largest value (min-max)",
    "max-abs": "largest magnitude 1 (max-abs)",
    "robust": "median 0 and interquartile range 1 (robust)",
    "median": "median 0 (robust)",
}


COLUMN_METHODS = ("standard", "centre", "scale", "min-max", "max-abs", "robust", "median")
"""Those that keep columns apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """How well one union of splits explains the numbers."""

    splits: tuple[str, ...]
    n: int
    """Samples of it."""
    decades: float
    """−log10 of the chance that it fits so well though the statistics are not its own."""
    ratio: float | None
    """Median over the columns of the residual over what sampling would give; None for order statistics."""
    columns: int
    """Columns that speak for it."""
    fits: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """What a leak has moved: the numbers as they are, against the same ones scaled with training's statistics."""

    largest: float
    """The largest change of any value of a held-out split, in standard deviations of its column in training."""
    column: str
    """Where that is."""
    split: str
    typical: float
    """Root mean square over columns of the change of a value at training's mean, in the same unit."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NormalizationVerdict:
    """Which data the statistics of normalized splits come from, and which statistics they are."""

    status: Status
    """'identified'; 'equivalent' where several candidates are provably the same map; else 'undecided'."""
    origin: Origin
    """'splits': one union of splits for all. 'itself': parts of the data each with statistics of their own.
    'sample': each sample by itself. 'outside': normalized, with statistics of none of these. 'raw': not normalized."""
    fitted_on: tuple[tuple[str, ...], ...]
    """The union; or the parts that were each normalized by themselves; or all equivalent ones, () among them where a
    constant is as good."""
    method: Method
    scope: Scope
    ddof: int | None = None
    """0 or 1; None where it cannot be told or does not apply."""
    range: tuple[float, float] | None = None
    """Of min-max."""
    before: Before = ""
    """What was done before the scaling; '' where the numbers alone do not tell, as of continuous ones."""
    detail: str = ""
    """Of 'sample': what each sample has."""
    reason: str = ""
    """Why it is undecided, or what makes candidates equivalent."""
    training: tuple[str, ...]
    samples: dict[str, int]
    """Of each split."""
    columns: tuple[str, ...]
    scaled: NDArray[np.bool_]
    """Which columns speak for the verdict, shape (columns,)."""
    evidence: tuple[Evidence, ...] = ()
    """Of every candidate, most convincing first."""
    worth: Worth | None = None
    notes: tuple[str, ...] = field(default=())
    """What was left out or is particular about the data."""

    @property
    def leaks(self) -> tuple[str, ...]:
        """Held-out splits whose samples are in the statistics beside training's; () for none, or where not proven."""
        if self.status == "undecided" or self.origin != "splits":
            return ()
        # Of equivalent candidates, whichever it is.
        sure = set(self.fitted_on[0]).intersection(*self.fitted_on)
        if not any(set(one) & set(self.training) for one in self.fitted_on):
            return ()
        return tuple(name for name in self.samples if name in sure and name not in self.training)

    @property
    def by_itself(self) -> tuple[str, ...]:
        """Held-out splits that were normalized with statistics of their own."""
        if self.status != "identified":
            return ()
        if self.origin == "itself":
            blocks = [block for block in self.fitted_on if not set(block) & set(self.training)]
        elif self.origin == "splits" and not set(self.fitted_on[0]) & set(self.training):
            blocks = [self.fitted_on[0]]
        else:
            return ()
        return tuple(name for block in blocks for name in block)

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        what = METHOD_WORDS.get(self.method, self.method)
        if self.ddof is not None:
            what += f", ddof {self.ddof}"
        if self.range is not None:
            what += f", {self.range[0]:g} to {self.range[1]:g}"
        each = {"feature": " in each column", "channel": " in each channel", "everything": " over all values"}
        what += each.get(self.scope, "")
        if self.before not in ("", "nothing"):
            what += f", after a {self.before}"
        if self.origin == "sample":
            return f"Each sample was normalized by itself: {self.detail}."
        if self.status == "undecided":
            return f"Undecided: {self.reason}."
        if self.origin == "outside":
            return "The statistics are those of none of these splits."
        if self.origin == "raw":
            return "The numbers are not normalized."
        sets = [" + ".join(block) if block else "a constant" for block in self.fitted_on]
        if self.status == "equivalent":
            return f"Statistics of {' or '.join(sets)}, which are the same map ({what}): {self.reason}."
        if self.origin == "itself":
            return f"Normalized each by itself: {', '.join(sets)} ({what})."
        return f"Fitted on {sets[0]} ({what})."

    @property
    def before_sentence(self) -> str:
        """What was done before the scaling, in words; '' where no scaling of columns was found."""
        if self.status == "undecided" or self.origin not in ("splits", "itself") or self.method not in COLUMN_METHODS:
            return ""
        if self.before == "nothing":
            return "The numbers were not transformed before: they lie on equal steps, or on a line with the raw ones."
        if self.before:
            return f"A {self.before} was taken before."
        return "Whether a logarithm was taken before cannot be told from the numbers."
