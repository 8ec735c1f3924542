"""Two paths and where they differ: what the rules about preprocessing look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.preprocessing.differing import Aspect, Difference, Effect
from dataguard.preprocessing.pipeline import Pipeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.preprocessing.impact import Impact


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """One picture as two paths see it: uint8, RGB, shape (height, width, 3)."""

    name: str
    """Of the picture."""
    left: NDArray[np.uint8]
    right: NDArray[np.uint8]
    amplified: NDArray[np.uint8] | None
    """Their difference times `factor`; None where the sizes differ."""
    factor: float
    mean: float
    """Levels on average."""
    largest: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PipelinePair:
    """The path of training and that of serving."""

    left: Pipeline
    """Training's."""
    right: Pipeline
    """Serving's."""
    differences: tuple[Difference, ...]
    impact: Impact | None = None
    """What the differences do to a model; None where none was given."""
    observed: Effect | None = None
    """How far apart the running functions are on the same pictures; None where one of them cannot be asked."""
    views: tuple[View, ...] = ()
    notes: tuple[str, ...] = ()
    """How each path was found, and how closely it gives what the function does."""
    faithful: bool = True
    """Whether both paths give what their functions do to within a level, or come from a declaration."""

    @classmethod
    def of(cls, left: Pipeline, right: Pipeline) -> PipelinePair:
        """Two paths, compared."""
        from dataguard.preprocessing.comparison import difference

        return cls(left=left, right=right, differences=difference(left, right))

    def about(self, *aspects: Aspect) -> list[Difference]:
        """The differences of some aspects that are known."""
        return [one for one in self.differences if one.aspect in aspects and not one.unknown]

    def unknown(self, *aspects: Aspect) -> list[Difference]:
        """What of some aspects cannot be compared."""
        return [one for one in self.differences if one.aspect in aspects and one.unknown]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DeclaredPair:
    """What a configuration of published weights declares, and what is done."""

    pipeline: Pipeline
    declared: Pipeline
    differences: tuple[Difference, ...]
    """From the declared one to the other."""
    notes: tuple[str, ...] = ()
    """How the path was found, and how closely it gives what the function does."""
    faithful: bool = True

    @classmethod
    def of(cls, pipeline: Pipeline, declared: Pipeline) -> DeclaredPair:
        """A path, compared with what is declared."""
        from dataguard.preprocessing.comparison import difference

        return cls(pipeline=pipeline, declared=declared, differences=difference(declared, pipeline))


def view(name: str, left: NDArray[Any], right: NDArray[Any]) -> View:
    """A view of two pictures in levels, RGB or gray, shape (height, width, channels)."""
    shown = [_colour(pixels) for pixels in (left, right)]
    if left.shape != right.shape:
        return View(name=name, left=shown[0], right=shown[1], amplified=None, factor=1.0, mean=np.inf, largest=np.inf)
    apart = np.abs(left.astype(np.float64) - right.astype(np.float64))
    largest = float(apart.max(initial=0.0))
    # The largest per cent may saturate, so that the rest is seen.
    high = float(np.quantile(apart, 0.99)) if apart.size else 0.0
    factor = float(np.clip(2.0 ** np.floor(np.log2(255 / max(high, 1.0))), 1.0, 64.0))
    return View(
        name=name,
        left=shown[0],
        right=shown[1],
        amplified=_colour(apart * factor),
        factor=factor,
        mean=float(apart.mean()) if apart.size else 0.0,
        largest=largest,
    )


def _colour(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.clip(np.rint(np.nan_to_num(pixels)), 0, 255).astype(np.uint8)
    return np.repeat(levels[:, :, :1], 3, axis=2) if levels.shape[2] < 3 else levels[:, :, :3]


def worst(differences: Iterable[Difference]) -> Difference | None:
    """The difference that takes the pixels farthest apart on average."""
    measured = [one for one in differences if one.effect is not None]
    return max(measured, key=lambda one: one.effect.mean if one.effect else 0.0, default=None)
