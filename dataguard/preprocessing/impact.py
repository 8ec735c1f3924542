"""What mismatched preprocessing does to a model: each difference by itself, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.errors import ConfigurationError, DataguardError, NothingToCheckError
from dataguard.preprocessing.differing import Difference
from dataguard.preprocessing.pipeline import Decode, Pipeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.95
"""Coverage of the intervals."""
LARGEST_BATCH = 32
PICTURES = 500
"""Pictures that are looked at by default: flips of 1 % are then known to about ±1 %."""
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

Path_ = Callable[[str], "NDArray[Any]"]
Model = Callable[[Any], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pictures:
    """Files of pictures, with their labels where their folders are classes."""

    paths: tuple[str, ...]
    labels: tuple[int, ...] | None
    """The index of each picture's folder in the sorted names, as torchvision's ImageFolder counts; None for none."""
    classes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What one difference does."""

    name: str
    """As 'geometry[0].kernel', or 'all together'."""
    words: str
    """What is changed to what."""
    aspect: str = ""
    """What it is about, as 'kernel'; '' for all together."""
    mean: float | None = None
    """Absolute change of the outputs, on average; None where it could not be measured."""
    largest: float | None = None
    n: int = 0
    """Pictures."""
    flips: int | None = None
    """Pictures whose likeliest class changes; None where outputs are no classes."""
    low: float | None = None
    """Lower end of the interval of the share of flips."""
    high: float | None = None
    accuracy: float | None = None
    """With this difference; None without labels."""
    change: float | None = None
    """Of the accuracy."""
    change_low: float | None = None
    change_high: float | None = None
    failed: str = ""
    """Why it could not be measured, as that the model takes no such array."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Impact:
    """The table of impacts."""

    model: str
    rows: tuple[Row, ...]
    """One a difference, then all together."""
    n: int
    """Pictures."""
    accuracy: float | None
    """With the first path."""
    level: float = LEVEL
    notes: tuple[str, ...] = ()

    def of(self, difference: Difference) -> Row | None:
        """The row of a difference."""
        return next((row for row in self.rows if row.name == difference.field), None)


def pictures_in(folder: Path, *, limit: int = PICTURES, seed: int = 0) -> Pictures:
    """The pictures in a folder, at most `limit` of them, chosen by chance; folders in it are taken for classes.

    Raises:
        ConfigurationError: there is no such folder.
        NothingToCheckError: it holds no picture.
    """
    if not folder.is_dir():
        raise ConfigurationError("no such folder", where=folder)
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise NothingToCheckError("no picture in it", where=folder, hint=f"looked for {', '.join(SUFFIXES)}")
    classes = tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir()))
    chosen = found
    if len(found) > limit:
        chosen = [found[at] for at in sorted(np.random.default_rng(seed).permutation(len(found))[:limit])]
    places = [path.relative_to(folder).parts[0] for path in chosen]
    labelled = len(classes) > 1 and all(place in classes for place in places)
    return Pictures(
        paths=tuple(map(str, chosen)),
        labels=tuple(classes.index(place) for place in places) if labelled else None,
        classes=classes if labelled else (),
    )


def impact(
    left: Path_,
    right: Path_,
    differences: Sequence[Difference],
    model: Model,
    pictures: Pictures,
    *,
    name: str = "",
    progress: Callable[[str, int, int], None] | None = None,
) -> Impact:
    """Run a model on pictures as the first path makes them, with each difference by itself, and as the second does.

    Args:
        left: Makes the model's input of a file, as training does.
        right: The same, as serving does.
        differences: Those whose `changed` path can be executed get a row.
        model: Called with a batch, an array of shape (n, …); returns outputs of shape (n, classes) or (n, …).
        pictures: What to run on.
        name: What the model is called.
        progress: Told how far it is.

    Returns:
        Rows with the change of outputs, the share of flips with Clopper and Pearson's interval, and the change of the
        accuracy with Agresti and Min's interval for paired shares (the score interval's simple relative: half a
        picture more in each cell).

    Raises:
        DataguardError: the model fails on the first path's arrays.
    """
    known = [one for one in differences if not one.unknown]
    steps = 2 + len(known)
    tell = progress or (lambda *_: None)
    tell("running the model", 0, steps)
    before = _outputs(left, model, pictures.paths)
    truth = _usable_labels(pictures, before)
    notes = []
    if pictures.labels is not None and truth is None:
        notes.append(f"no accuracy: {len(pictures.classes)} folders, and outputs of shape {before.shape}")
    rows = []
    for number, one in enumerate(known):
        tell("running the model", 1 + number, steps)
        words = f"{one.left} → {one.right}"
        if one.changed is None:
            failed = "this difference cannot be made by itself"
            rows.append(Row(name=one.field, words=words, aspect=one.aspect, failed=failed))
            continue
        row = _row(one.field, words, of_files(one.changed), model, pictures, before, truth)
        rows.append(replace(row, aspect=one.aspect))
    tell("running the model", steps - 1, steps)
    rows.append(_row("all together", "the second path instead of the first", right, model, pictures, before, truth))
    accuracy = None if truth is None else float((before.argmax(axis=1) == truth).mean())
    return Impact(model=name, rows=tuple(rows), n=len(pictures.paths), accuracy=accuracy, notes=tuple(notes))


def of_files(pipeline: Pipeline) -> Path_:
    """What makes the model's input of a file by a path, also by one that begins with pixels."""
    if pipeline.decode.library != "array":
        return pipeline.run
    return lambda file: pipeline.run(colours_of(file))


def colours_of(file: str) -> NDArray[np.uint8]:
    """A file's pixels in RGB, as Pillow reads them; shape (height, width, 3).

    Raises:
        SourceError: it cannot be decoded.
    """
    from dataguard.preprocessing.decoding import decode

    return decode(file, Decode.of("pillow", "convert RGB"))


def _row(
    name: str,
    words: str,
    path: Path_,
    model: Model,
    pictures: Pictures,
    before: NDArray[np.float64],
    truth: NDArray[np.int64] | None,
) -> Row:
    try:
        after = _outputs(path, model, pictures.paths)
    except DataguardError as error:
        return Row(name=name, words=words, failed=error.message)
    if after.shape != before.shape:
        return Row(name=name, words=words, failed=f"outputs of shape {after.shape} instead of {before.shape}")
    apart = np.abs(after - before)
    n = len(after)
    row: dict[str, Any] = {"mean": float(apart.mean()), "largest": float(apart.max(initial=0.0)), "n": n}
    if before.ndim == 2 and before.shape[1] > 1:
        ours, theirs = before.argmax(axis=1), after.argmax(axis=1)
        flips = int((ours != theirs).sum())
        low, high = clopper_pearson(flips, n)
        row |= {"flips": flips, "low": low, "high": high}
        if truth is not None:
            lost = int(((ours == truth) & (theirs != truth)).sum())
            won = int(((ours != truth) & (theirs == truth)).sum())
            change_low, change_high = paired_interval(won, lost, n)
            row |= {
                "accuracy": float((theirs == truth).mean()),
                "change": (won - lost) / n,
                "change_low": change_low,
                "change_high": change_high,
            }
    return Row(name=name, words=words, **row)


def _outputs(path: Path_, model: Model, files: Sequence[str]) -> NDArray[np.float64]:
    """The model's outputs on all pictures; shape (n, …)."""
    found: list[NDArray[np.float64]] = []
    waiting: list[NDArray[Any]] = []

    def run() -> None:
        if not waiting:
            return
        batch = np.concatenate(waiting)
        answer = np.asarray(model(batch), dtype=np.float64)
        if answer.ndim == 0 or len(answer) != len(batch):
            raise ConfigurationError(
                f"the model gives outputs of shape {answer.shape} for a batch of {len(batch)}",
                where="model",
                hint="let it return one row of outputs a picture",
            )
        found.append(answer)
        waiting.clear()

    for file in files:
        made = np.asarray(path(file))
        # A path that adds the axis of the batch itself gives a batch of one.
        one = made if made.ndim == 4 and len(made) == 1 else made[None]
        if waiting and (waiting[0].shape[1:] != one.shape[1:] or len(waiting) >= LARGEST_BATCH):
            run()
        waiting.append(one)
    run()
    return np.concatenate(found)


def _usable_labels(pictures: Pictures, outputs: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """The labels as indices of outputs: folders that are numbers are these, others are counted in sorted order."""
    if pictures.labels is None or outputs.ndim != 2:
        return None
    if len(pictures.classes) == outputs.shape[1]:
        if all(name.isdecimal() for name in pictures.classes):
            numbers = [int(name) for name in pictures.classes]
            if sorted(numbers) == list(range(len(numbers))):
                return np.array([numbers[label] for label in pictures.labels])
        return np.array(pictures.labels)
    if all(name.isdecimal() and int(name) < outputs.shape[1] for name in pictures.classes):
        return np.array([int(pictures.classes[label]) for label in pictures.labels])
    return None


def clopper_pearson(count: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of a share (Clopper & Pearson 1934).

    >>> low, high = clopper_pearson(0, 100)
    >>> low, round(high, 4)
    (0.0, 0.0362)
    """
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = 0.0 if count == 0 else float(beta.ppf(tail, count, n - count + 1))
    high = 1.0 if count == n else float(beta.ppf(1 - tail, count + 1, n - count))
    return low, high


def paired_interval(won: int, lost: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval of a difference of two shares on the same samples (Agresti & Min 2005: ½ more in each cell).

    Args:
        won: Samples that are right only now.
        lost: Samples that were right only before.
        n: All.
        level: Coverage.

    >>> low, high = paired_interval(2, 12, 100)
    >>> round(low, 3), round(high, 3)
    (-0.17, -0.026)
    """
    from scipy.stats import norm

    total, plus, minus = n + 2, won + 0.5, lost + 0.5
    middle = (plus - minus) / total
    deviation = float(np.sqrt(plus + minus - (plus - minus) ** 2 / total)) / total
    reach = float(norm.ppf(0.5 + level / 2)) * deviation
    return max(-1.0, middle - reach), min(1.0, middle + reach)
