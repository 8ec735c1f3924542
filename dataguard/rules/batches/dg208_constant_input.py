"""DG208 constant-input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.rules.batches.places import is_sketched, sample_locations, share_words, widths

if TYPE_CHECKING:
    from numpy.typing import NDArray


@rule("DG208", "constant-input", Severity.WARNING)
def constant_input(
    stream: BatchStream,
    *,
    max_share: Annotated[float, Between(low=0, high=1)] = 0.0,
) -> Iterator[Outcome]:
    """Inputs are constant: a sample without variation, a dead channel, or the same sample every time.

    ## What it does

    Looks for three things in what is fed: samples all of whose values are equal, colour channels that hold one value
    throughout the stream, and streams in which every sample is the same.

    ## Why is this bad?

    A sample of one value tells nothing of its label, and teaches the model to answer with that label where it sees
    nothing. A dead channel wastes part of the first layer and is the mark of a broken conversion. If every sample is
    the same, nothing can be learned at all, while the loss falls to that of guessing by class and looks like progress.

    ## How it decides

    - A sample of two values or more is constant where its minimum equals its maximum. The rule fires where the share of
      such samples is above `max_share`; with all of them, it is an error.
    - A channel (of 1, 3 or 4) is dead where its minimum equals its maximum over all batches while another one varies.
      An error. Alpha channels, the last of four, are often 1 throughout and are left out.
    - All samples have one hash, although the first epoch has several and they are not one that was drawn again: an
      error.

    These are facts of the recording, with no estimate in them. The stream of a guarded loader sees pieces of 256 bytes
    of each sample, which may all lie in the background: where such pieces are constant, the rule is inconclusive.

    Options:

    - `max_share`: share of samples that may be constant. 0 by default; raise it where empty pictures belong to the
      data, as tiles without tissue or frames that are black.

    Measured (`benchmarks/batches.py`): no alarm on any of 600 sound streams; one constant sample among 500 was found in
    30 of 30, and a dead channel in 10 of 10.

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.record import record
    >>> x = np.random.default_rng(0).random((8, 1, 8, 8))
    >>> x[6] = 0
    >>> print(constant_input(record([(x, np.arange(8) % 2)]))[0].message)
    1 of 8 samples (12 %) hold one value only, 0 in the first of them (epoch 0, batch 0, place 6).

    ## How to fix

    Look at a constant sample before and after each step: a crop or mask outside the picture, a cast to integers after
    scaling to [0, 1], a window that clips everything, a file that decodes to nothing. If the source holds it so (DG106,
    constant-sample, tells), take it out. Where all samples are the same, look for an index that is not used, or a
    buffer that is returned without a copy.

    ## References

    - Karpathy, [*A recipe for training neural networks*](https://karpathy.github.io/2019/04/25/recipe/), 2019:
      visualize the data right before it enters the network.
    """
    n = stream.n_samples
    wide = widths(stream) > 1
    if not wide.any():
        yield Skipped(reason="no sample holds two numbers or more" if n else "no sample was fed")
        return
    with np.errstate(invalid="ignore"):
        constant = np.flatnonzero(wide & (stream.minimum == stream.maximum))
    judged = int(wide.sum())
    same = _all_the_same(stream)
    dead = _dead_channels(stream)
    measurements = (
        Measurement(name="constant samples", value=len(constant) / judged, threshold=max_share, n=judged, unit="share"),
        Measurement(name="dead channels", value=len(dead), threshold=0),
        Measurement(name="different samples", value=len(np.unique(stream.hashes)), n=n),
    )
    found = False
    if is_sketched(stream) and (len(constant) or same):
        yield Inconclusive(
            reason=f"{share_words(max(len(constant), n if same else 0), n)} look constant by the 256 bytes that the "
            "guard sees of each, which may lie in the background; dataguard.record looks at all values",
            measurements=measurements,
        )
        return
    if same:
        found = True
        yield constant_input.finding(
            f"All {n:,} samples are the same, byte by byte.",
            remedy="Look for an index that the dataset does not use, or a buffer that is returned without a copy.",
            severity=Severity.ERROR,
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=sample_locations(stream, np.arange(min(n, 3))),
            key=("same",),
        )
    if dead:
        found = True
        names = ", ".join(f"{channel} (always {value:g})" for channel, value in dead)
        yield constant_input.finding(
            f"Channel{'' if len(dead) == 1 else 's'} {names} of {_n_channels(stream)} hold one value throughout "
            f"{stream.n_batches:,} batches.",
            remedy="Look at the conversion of colours and the order of axes: a channel is lost there.",
            severity=Severity.ERROR,
            confidence=Confidence.HIGH,
            measurements=measurements,
            key=("channel",),
        )
    if len(constant) / judged > max_share:
        found = True
        first = int(constant[0])
        where = f"epoch {stream.epochs[first]}, batch {stream.batches[first]}, place {stream.positions[first]}"
        yield constant_input.finding(
            f"{share_words(len(constant), judged)} hold one value only, {stream.minimum[first]:g} in the first of them "
            f"({where}).",
            remedy="Look at what the loader does to these samples: a mask, a cast or a crop may leave nothing of them.",
            severity=Severity.ERROR if len(constant) == judged else Severity.WARNING,
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=sample_locations(stream, constant, "constant"),
            key=("sample",),
        )
    if not found:
        yield Observation(
            message=f"{share_words(judged - len(constant), judged).capitalize()} vary, and no channel is dead.",
            measurements=measurements,
        )


def _all_the_same(stream: BatchStream) -> bool:
    """Whether all samples are the same, though the first epoch alone has several, as far as is known."""
    first = stream.sample_slices()[0]
    if first.stop - first.start < 2 or not (stream.hashes == stream.hashes[0]).all():
        return False
    drawn = stream.source_index if stream.source_index is not None else stream.sample_ids
    return drawn is None or len(np.unique(drawn[first])) > 1


def _n_channels(stream: BatchStream) -> int:
    return 0 if stream.channels is None else stream.channels.shape[1]


def _dead_channels(stream: BatchStream) -> list[tuple[int, float]]:
    """Channels that hold one value throughout, with it, where another channel varies."""
    if stream.channels is None or stream.channels.shape[1] < 2:
        return []
    # A batch without the channel has NaN there, which fmin and fmax pass over.
    low: NDArray[np.float64] = np.fmin.reduce(stream.channels[..., 0], axis=0)
    high: NDArray[np.float64] = np.fmax.reduce(stream.channels[..., 1], axis=0)
    dead = low == high
    if len(dead) == 4:
        dead[3] = False
    if dead.all():
        return []
    return [(int(channel), float(low[channel])) for channel in np.flatnonzero(dead)]
