"""DG209 input-out-of-range."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.batches.stream import BatchStream
from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.rules.batches.places import is_sketched, widths

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of the red, green and blue of ImageNet's training pictures, in [0, 1]: torchvision's figures."""
_SLACK = 0.02
"""What resizing with a cubic kernel, JPEG's rounding or half precision may add to the ends of a range."""
_PICTURES = frozenset({"NCHW", "NHWC", "NHW"})
_RAW_INTEGERS = frozenset({"uint8", "uint16", "int16"})
"""Types that pictures are stored in. Wider integers are taken for indices, as tokens and masks."""


@rule("DG209", "input-out-of-range", Severity.WARNING)
def input_out_of_range(
    stream: BatchStream,
    *,
    scale: Annotated[float, Between(low=1)] = 16.0,
) -> Iterator[Outcome]:
    """Inputs are not normalized, or are so twice: their range is far from every convention.

    ## What it does

    Compares the range, mean and deviation of what is fed with the known conventions: [0, 1], [−1, 1], ImageNet's mean
    and deviation, standardized values, and raw levels of 0 to 255. It says which of them fits.

    ## Why is this bad?

    Initial weights and learning rates are made for inputs of about unit size. Inputs of 0 to 255 make activations and
    gradients two orders of magnitude larger: training diverges, or crawls until the first layer has shrunk. A
    pretrained network that expects ImageNet's normalization loses much of what it knows on any other range. Scaling
    twice leaves pictures that are nearly black.

    ## How it decides

    By the smallest and largest value, and the mean and deviation over all samples:

    | Convention | Range | Verdict |
    | --- | --- | --- |
    | [0, 1] | all values in it | silent |
    | [−1, 1] | all values in it, some negative | silent |
    | ImageNet | each channel between (0 − m)/s and (1 − m)/s | silent |
    | standardized | mean within ±0.5, deviation from 0.5 to 2 | silent |
    | 0 to 255 | pictures, none negative, the median sample's largest value from `scale` to 255 | warning |
    | ImageNet's mean and deviation on 0 to 255 | undone once, all values in 0 to 255 and not in 0 to 1 | warning |
    | ImageNet's mean and deviation twice | undone twice, all values in [0, 1] and over half of it | warning |
    | none | the median sample's root mean square above `scale` | warning |
    | divided by 255 twice | pictures, the median sample's largest absolute value below 1/`scale` | warning |
    | none of these | between | silent, with the figures shown |

    Further, a warning where the root mean squares of two colour channels differ by more than a factor of `scale`.
    Medians over samples keep a single odd sample from deciding; DG214, inconsistent-batch, looks for that one. Text,
    token ids, masks (integers of 32 bits or more) and Booleans are skipped.

    Options:

    - `scale`: what counts as far. The known conventions have root mean squares of 1 to 2.6, raw levels of up to 255,
      and twice-scaled pictures 1/255. 16 is the middle between 1 and 256 on a logarithmic scale.

    A finding is of medium confidence, since a model may normalize in its own first layer, which the loader cannot show.

    Measured (`benchmarks/batches.py`): on 600 sound streams no alarm, and the convention named rightly in all 200
    without augmentation (standardized pictures may fit ImageNet's too); planted faults found in 90 of 90 (raw levels as
    integers and floats, raw tables, each wrong scaling).

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.record import record
    >>> pictures = np.random.default_rng(0).integers(0, 256, (16, 3, 8, 8)).astype(np.float32)
    >>> print(input_out_of_range(record([(pictures, np.arange(16) % 2)]))[0].message)
    Inputs range from 0 to 255 (mean 130, deviation 74.4): raw levels of 0 to 255, not normalized.

    ## How to fix

    Scale once, at one place: divide by 255, then subtract the mean and divide by the deviation of the training data, or
    those that a pretrained model was trained with. If the model normalizes by itself, as Keras' EfficientNet does, or
    the step follows on the GPU, ignore the rule with that reason.

    ## References

    - LeCun, Bottou, Orr, Müller, *Efficient BackProp*, 1998, section 4.3 (normalizing the inputs).
    - [torchvision: models and pre-trained weights](https://docs.pytorch.org/vision/stable/models.html) (ImageNet's mean
      and deviation)
    - [Keras applications](https://keras.io/api/applications/) (which models preprocess by themselves)
    """
    chosen = _judged(stream)
    if isinstance(chosen, Skipped):
        yield chosen
        return
    rows, picture = chosen
    figures = _Figures.of(stream, rows)
    known = _convention(figures, scale, picture=picture)
    described = (
        f"range from {figures.low:.3g} to {figures.high:.3g} (mean {figures.mean:.3g}, deviation {figures.std:.3g})"
    )
    measurements = (
        Measurement(name="smallest value", value=figures.low, n=len(rows)),
        Measurement(name="largest value", value=figures.high, n=len(rows)),
        Measurement(name="mean", value=figures.mean, n=len(rows)),
        Measurement(name="standard deviation", value=figures.std, n=len(rows)),
        Measurement(name="root mean square of the median sample", value=figures.size, threshold=scale, n=len(rows)),
        Measurement(name="convention", value=known.name),
    )
    exhibits = _table(figures)
    ratio = _channel_ratio(figures)
    if known.fault:
        yield input_out_of_range.finding(
            f"Inputs {described}: {known.words}.",
            remedy=known.remedy,
            confidence=Confidence.MEDIUM,
            measurements=measurements,
            exhibits=exhibits,
            key=("range",),
        )
    if ratio > scale:
        yield input_out_of_range.finding(
            f"Channels differ in size by a factor of {ratio:.3g}: root mean squares of "
            + ", ".join(f"{value:.3g}" for value in figures.channel_sizes)
            + ".",
            remedy="Scale every channel by its own mean and deviation, or look at which of them a step left out.",
            confidence=Confidence.MEDIUM,
            measurements=(Measurement(name="largest ratio of two channels", value=ratio, threshold=scale),),
            exhibits=exhibits,
            key=("channels",),
        )
    if not known.fault and not ratio > scale:
        pieces = " By pieces of each sample." if is_sketched(stream) else ""
        yield Observation(
            message=f"Inputs {described}: {known.words}.{pieces}", measurements=measurements, exhibits=exhibits
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    name: str
    words: str
    fault: bool = False
    remedy: str = ""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Figures:
    """What is measured of the values as a whole."""

    low: float
    high: float
    mean: float
    std: float
    size: float
    """Median over samples of the root mean square."""
    largest: float
    """Median over samples of the largest absolute value."""
    highest: float
    """Median over samples of the largest value."""
    channels: NDArray[np.float64] | None
    """Minimum, maximum, mean and deviation of each channel over all batches, shape (c, 4)."""

    @classmethod
    def of(cls, stream: BatchStream, rows: NDArray[np.intp]) -> _Figures:
        low, high = stream.minimum[rows], stream.maximum[rows]
        mean, std = stream.mean[rows], stream.std[rows]
        centre = float(mean.mean())
        return cls(
            low=float(low.min()),
            high=float(high.max()),
            mean=centre,
            std=math.sqrt(float(np.mean(std**2 + (mean - centre) ** 2))),
            size=float(np.median(np.hypot(mean, std))),
            largest=float(np.median(np.maximum(np.abs(low), np.abs(high)))),
            highest=float(np.median(high)),
            channels=None if stream.channels is None else _pooled(stream.channels, stream.batch_size),
        )

    @property
    def channel_sizes(self) -> tuple[float, ...]:
        """Root mean square of each channel."""
        if self.channels is None:
            return ()
        return tuple(np.hypot(self.channels[:, 2], self.channels[:, 3]).tolist())


def _judged(stream: BatchStream) -> tuple[NDArray[np.intp], bool] | Skipped:
    """Samples that have a range, and whether they are pictures."""
    if not stream.n_samples:
        return Skipped(reason="no sample was fed")
    kinds = [stream.array_kinds[code] for code in np.unique(stream.kinds)]
    picture = all(kind.layout in _PICTURES for kind in kinds)
    for kind in kinds:
        if kind.dtype in ("str", "bytes", "nothing"):
            return Skipped(reason="the inputs are not numbers")
        whole = kind.dtype.startswith(("int", "uint", "bool"))
        if whole and not (picture and kind.dtype in _RAW_INTEGERS):
            return Skipped(reason=f"the inputs are whole numbers ({kind}), which may be indices, as of tokens")
    rows = np.flatnonzero(np.isfinite(stream.mean) & (widths(stream) > 0))
    return (rows, picture) if len(rows) else Skipped(reason="no sample holds a finite value")


def _pooled(channels: NDArray[np.float64], sizes: NDArray[np.integer]) -> NDArray[np.float64] | None:
    whole = channels[np.isfinite(channels).all(axis=(1, 2))]
    weights = sizes[np.isfinite(channels).all(axis=(1, 2))].astype(np.float64)
    if not len(whole) or not weights.sum():
        return None
    weights = (weights / weights.sum())[:, None]
    mean = (whole[..., 2] * weights).sum(axis=0)
    square = ((whole[..., 3] ** 2 + (whole[..., 2] - mean) ** 2) * weights).sum(axis=0)
    return np.stack([whole[..., 0].min(axis=0), whole[..., 1].max(axis=0), mean, np.sqrt(square)], axis=1)


def _convention(figures: _Figures, scale: float, *, picture: bool) -> _Known:
    low, high = figures.low, figures.high
    if picture and figures.largest < 1 / scale:
        return _Known(
            name="divided twice",
            words=f"smaller than 1/{scale:g} nearly everywhere, as pictures that were divided by 255 twice",
            fault=True,
            remedy="Look for a second division by 255: torchvision's ToTensor already makes one of integers.",
        )
    if low >= -_SLACK and high <= 1 + _SLACK:
        return _Known(name="[0, 1]", words="this fits [0, 1]")
    if low >= -1 - _SLACK and high <= 1 + _SLACK:
        return _Known(name="[-1, 1]", words="this fits [−1, 1]")
    if _undone(figures, times=1, low=0.0, high=1.0):
        return _Known(name="ImageNet", words="this fits pictures normalized by ImageNet's mean and deviation")
    if abs(figures.mean) <= 0.5 and 0.5 <= figures.std <= 2:
        return _Known(name="standardized", words="this fits standardized values")
    if _undone(figures, times=2, low=0.0, high=1.0, span=0.5):
        return _Known(
            name="ImageNet twice",
            words="this fits pictures normalized by ImageNet's mean and deviation twice",
            fault=True,
            remedy="Normalize once: look for it in the dataset, the collate function and the model.",
        )
    if _undone(figures, times=1, low=0.0, high=255.0, span=0.5):
        return _Known(
            name="ImageNet on 0 to 255",
            words="this fits ImageNet's mean and deviation applied to raw levels of 0 to 255",
            fault=True,
            remedy="Divide by 255 before the mean is subtracted: ImageNet's figures are of pictures in [0, 1].",
        )
    if picture and low >= 0 and scale < figures.highest and high <= 255 + 255 * _SLACK:
        return _Known(
            name="0 to 255",
            words="raw levels of 0 to 255, not normalized",
            fault=True,
            remedy="Scale the pictures to [0, 1], or by the mean and deviation that the model expects.",
        )
    if figures.size > scale:
        return _Known(
            name="none",
            words=f"no known convention, and {figures.size:.3g} times the size of standardized values",
            fault=True,
            remedy="Standardize each feature or channel by the mean and deviation of the training data.",
        )
    return _Known(name="none", words="no known convention, and not far from unit size")


def _undone(figures: _Figures, *, times: int, low: float, high: float, span: float = 0.0) -> bool:
    """Whether undoing ImageNet's normalization puts the three channels into a range, and over a share of it."""
    if figures.channels is None or len(figures.channels) != 3:
        return False
    mean, std = np.array(IMAGENET_MEAN)[:, None], np.array(IMAGENET_STD)[:, None]
    ends = figures.channels[:, :2]
    for _ in range(times):
        ends = ends * std + mean
    slack = _SLACK * (high - low)
    inside = ends.min() >= low - slack and ends.max() <= high + slack
    return bool(inside and ends.max() - ends.min() >= span * (high - low))


def _channel_ratio(figures: _Figures) -> float:
    """The largest over the smallest size of two colour channels; 1 where there are no two that vary."""
    if figures.channels is None:
        return 1.0
    sizes = [size for size, row in zip(figures.channel_sizes, figures.channels, strict=True) if row[0] < row[1]]
    return max(sizes) / min(sizes) if len(sizes) > 1 else 1.0


def _table(figures: _Figures) -> tuple[Listing, ...]:
    if figures.channels is None:
        return ()
    rows = tuple(
        (number, *(float(f"{value:.5g}") for value in row)) for number, row in enumerate(figures.channels.tolist())
    )
    return (
        Listing(
            title="Values of each channel",
            columns=("channel", "smallest", "largest", "mean", "standard deviation"),
            rows=rows,
            total=len(rows),
        ),
    )
