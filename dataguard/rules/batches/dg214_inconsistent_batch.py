"""DG214 inconsistent-batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.batches.kinds import ArrayKind
from dataguard.batches.stream import BatchStream
from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Finding, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.rules.batches.places import batch_locations, is_sketched, sample_locations, share_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FAR = 16.0
"""How much larger a sample's largest value is where it was not scaled: the middle, on a logarithmic scale, between 1
and the 255 that 8-bit pictures are divided by."""
_EMPTY_FROM = {True: 4.0, False: 2.0}
"""For pictures, whose values are bounded, and for all else: from here to `_FAR` no sample may lie."""
_PICTURES = frozenset({"NCHW", "NHWC", "NHW"})


@rule("DG214", "inconsistent-batch", Severity.ERROR)
def inconsistent_batch(
    stream: BatchStream,
    *,
    rare: Annotated[float, Between(low=0, high=0.5)] = 0.1,
) -> Iterator[Outcome]:
    """Batches, or samples within one, differ in type, shape, layout or preprocessing.

    ## What it does

    Compares type, shape and order of axes of all samples; the number of labels with the number of inputs; the sizes of
    batches; and the scale of each sample with that of the others, to find those that were preprocessed otherwise.

    ## Why is this bad?

    A model takes an array of the wrong layout or type without a word, as long as the shapes fit, and a few samples of
    255 times the scale of the rest dominate the gradients of their batches and the statistics of normalization layers.
    Such faults come from a second source, a rare file format or an `except` branch, hit a few samples only, and are not
    seen in the pictures that one happens to look at.

    ## How it decides

    - Type: samples of more than one type. An error.
    - Layout: samples whose shapes are the same numbers in another order, as 3×32×32 and 32×32×3. An error.
    - Shape: samples of another shape than most, in a share of at most `rare` of the batches. An error. Above that,
      shapes are taken to vary on purpose, as with texts padded to their batch, or training at several sizes.
    - Labels: a batch with another number of labels than of inputs, or without labels where others have some. An error.
    - Size: batches of another size than most, in a share of at most `rare`. A warning. The last batches of a pass, one
      for each worker, may be smaller, and are not counted.
    - Scale: with a the largest absolute value of a sample and m its median over all samples, a sample is not scaled as
      the others are where a/m > 16, while no sample at all lies between 4 and 16 (2 and 16, if they are no pictures).
      The gap tells two ways of preprocessing from one long tail: of a tail that falls as slowly as 1/a, with one sample
      beyond 16, seven are expected between 2 and 16. An error, of medium confidence.
    - Sign: pictures, at least 99 % of them without a negative value, and a sample with one below −m/2, as if it alone
      were standardized. An error, of medium confidence.

    Samples that are darker than the rest are not looked for, since pictures may be dark. The first five are facts.

    Options:

    - `rare`: share of batches up to which another shape or size is an exception and not the design. A convention.

    Measured (`benchmarks/batches.py`): no alarm on 600 sound streams, of which 180 were of tables with long tails. One
    sample of 500 that is not divided by 255 was found in 90 of 90 among pictures and tables in [0, 1] or [−1, 1] and
    standardized pictures, and in 0 of 10 among standardized tables with a long tail, which fills the gap; one
    standardized picture among those in [0, 1] in 10 of 10.

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.record import record
    >>> pictures = np.random.default_rng(0).random((40, 1, 8, 8))
    >>> pictures[33] *= 255
    >>> batches = [(pictures[start : start + 8], np.arange(8) % 2) for start in range(0, 40, 8)]
    >>> print(inconsistent_batch(record(batches))[0].message)
    1 of 40 samples (2.5 %) have values 256 times as large as the others, and none lies between: epoch 0, batch 4, \
place 1.

    ## How to fix

    Look at the samples named, and at the branch of the code that they take: another file format, colour mode or bit
    depth, an early return, a cached version. Assert type, shape and range at the end of the dataset's `__getitem__`.

    ## References

    - Breck, Polyzotis, Roy, Whang, Zinkevich, [*Data validation for machine
      learning*](https://mlsys.org/Conferences/2019/doc/2019/167.pdf), MLSys 2019.
    - [PyTorch: ToTensor](https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.ToTensor.html) (scales
      8-bit pictures, and leaves all other types as they are)
    """
    if not stream.n_samples:
        yield Skipped(reason="no sample was fed")
        return
    findings = [
        finding
        for finding in (
            *_types(stream),
            _shapes(stream, rare),
            _labels(stream),
            _sizes(stream, rare),
            *_scales(stream),
        )
        if finding is not None
    ]
    yield from findings
    if not findings:
        kinds = len(stream.array_kinds)
        main = _main(stream)
        sizes = np.unique(stream.batch_size)
        what = f"are {main}" if kinds == 1 else f"are {main.dtype}, of {kinds:,} shapes"
        yield Observation(
            message=f"All {stream.n_samples:,} samples {what}, in {stream.n_batches:,} batches of "
            + (f"{sizes[0]:,}." if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}."),
            measurements=(
                Measurement(name="types and shapes", value=kinds),
                Measurement(name="batches", value=stream.n_batches),
            ),
        )


def _main(stream: BatchStream) -> ArrayKind:
    """The kind of most samples."""
    return stream.array_kinds[int(np.argmax(np.bincount(stream.kinds, minlength=len(stream.array_kinds))))]


def _types(stream: BatchStream) -> Iterator[Finding]:
    main = _main(stream)
    kinds = stream.array_kinds
    other_type = np.array([kind.dtype != main.dtype for kind in kinds])
    other_layout = np.array(
        [
            kind.shape != main.shape
            and len(set(main.shape)) > 1
            and sorted(kind.shape) == sorted(main.shape)
            # Landscape and portrait pictures are no fault of layout: the short axis of colours has moved.
            and _colour_axis(kind.shape) != _colour_axis(main.shape)
            for kind in kinds
        ]
    )
    for name, odd in (("type", other_type), ("layout", other_layout)):
        rows = np.flatnonzero(odd[stream.kinds])
        if not len(rows):
            continue
        others = list(dict.fromkeys(str(kinds[code]) for code in stream.kinds[rows].tolist()))
        within = int((stream.batch_kinds == -1)[stream.batch_size > 0].sum())
        mixed = f"; {within:,} batches hold both" if within else ""
        yield inconsistent_batch.finding(
            f"{share_words(len(rows), stream.n_samples)} are {' or '.join(others[:3])}, and most are {main}{mixed}.",
            remedy="Bring every sample to one type at the end of the dataset's __getitem__."
            if name == "type"
            else "Bring the axes of every sample into one order at the end of the dataset's __getitem__.",
            confidence=Confidence.HIGH,
            measurements=(
                Measurement(name=f"samples of another {name}", value=len(rows), threshold=0, n=stream.n_samples),
            ),
            locations=sample_locations(stream, rows),
            exhibits=(_kinds_listing(stream),),
            key=(name,),
        )


def _colour_axis(shape: tuple[int, ...]) -> int:
    """Which axis is the shortest one."""
    return int(np.argmin(shape))


def _shapes(stream: BatchStream, rare: float) -> Finding | None:
    main = _main(stream)
    plain = [
        kind.dtype == main.dtype and kind.shape != main.shape and sorted(kind.shape) != sorted(main.shape)
        for kind in stream.array_kinds
    ]
    rows = np.flatnonzero(np.array(plain)[stream.kinds])
    if not len(rows):
        return None
    batches = np.unique(stream.batch_of_sample[rows])
    share = len(batches) / stream.n_batches
    if share > rare:
        return None
    others = Counter("×".join(map(str, stream.array_kinds[code].shape)) for code in stream.kinds[rows].tolist())
    named = ", ".join(f"{name or 'scalar'} ({count:,})" for name, count in others.most_common(3))
    return inconsistent_batch.finding(
        f"{share_words(len(rows), stream.n_samples)} have another shape than {main}, in {len(batches):,} of "
        f"{stream.n_batches:,} batches: {named}.",
        remedy="Look at the samples named, and bring every sample to one shape.",
        confidence=Confidence.HIGH,
        measurements=(Measurement(name="batches of another shape", value=share, threshold=rare, unit="share"),),
        locations=sample_locations(stream, rows),
        exhibits=(_kinds_listing(stream),),
        key=("shape",),
    )


def _labels(stream: BatchStream) -> Finding | None:
    has = stream.batch_labels >= 0
    wrong = np.flatnonzero((has & (stream.batch_labels != stream.batch_size)) | (~has & has.any()))
    if not len(wrong):
        return None
    first = int(wrong[0])
    count = int(stream.batch_labels[first])
    return inconsistent_batch.finding(
        f"{len(wrong):,} of {stream.n_batches:,} batches have another number of labels than of inputs, as batch "
        f"{stream.batch_number[first]} of epoch {stream.batch_epoch[first]}: {stream.batch_size[first]:,} inputs and "
        f"{'no' if count < 0 else format(count, ',')} labels.",
        remedy="Make batches of pairs of input and label, so that none can be without the other.",
        confidence=Confidence.HIGH,
        measurements=(
            Measurement(name="batches whose labels do not match", value=len(wrong), threshold=0, n=stream.n_batches),
        ),
        locations=batch_locations(stream, wrong),
        key=("labels",),
    )


def _sizes(stream: BatchStream, rare: float) -> Finding | None:
    counted = np.bincount(stream.batch_size)
    usual = int(np.argmax(counted))
    odd = stream.batch_size != usual
    for part in stream.batch_slices():
        # Each worker's last batch, and that of a loader without any.
        tail = slice(max(part.start, part.stop - max(stream.facts.num_workers or 0, 1)), part.stop)
        odd[tail] &= stream.batch_size[tail] > usual
    rows = np.flatnonzero(odd)
    if not len(rows) or len(rows) / stream.n_batches > rare:
        return None
    first = int(rows[0])
    return inconsistent_batch.finding(
        f"{len(rows):,} of {stream.n_batches:,} batches have another size than {usual:,}, and are not the last, as "
        f"batch {stream.batch_number[first]} of epoch {stream.batch_epoch[first]} with {stream.batch_size[first]:,}.",
        remedy="Look at what the collate function drops, and at how parts of the data are put one after the other.",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,
        measurements=(
            Measurement(
                name="batches of another size", value=len(rows) / stream.n_batches, threshold=rare, unit="share"
            ),
        ),
        locations=batch_locations(stream, rows),
        key=("size",),
    )


def _scales(stream: BatchStream) -> Iterator[Finding]:
    largest = np.maximum(np.abs(stream.minimum), np.abs(stream.maximum))
    judged = np.flatnonzero(np.isfinite(largest) & (largest > 0))
    if len(judged) < 10 or len({kind.dtype for kind in stream.array_kinds}) > 1:
        return
    picture = all(kind.layout in _PICTURES for kind in stream.array_kinds)
    if not picture and stream.array_kinds[0].dtype.startswith(("int", "uint", "bool")):
        return
    middle = float(np.median(largest[judged]))
    ratio = largest[judged] / middle
    between = (ratio > _EMPTY_FROM[picture]) & (ratio <= _FAR)
    far = judged[ratio > _FAR]
    if len(far) and not between.any():
        yield _odd(
            stream,
            far,
            f"values {float(np.median(largest[far])) / middle:.3g} times as large as the others, and none lies between",
            Measurement(
                name="largest ratio to the median sample's largest value",
                value=float(ratio.max()),
                threshold=_FAR,
                n=len(judged),
            ),
            "scale",
        )
    if not picture or is_sketched(stream):
        return
    negative = judged[stream.minimum[judged] < 0]
    low = negative[stream.minimum[negative] < -middle / 2]
    if len(low) and len(negative) <= 0.01 * len(judged):
        yield _odd(
            stream,
            low,
            f"values down to {stream.minimum[low].min():.3g}, and the others none below 0",
            Measurement(
                name="smallest value", value=float(stream.minimum[low].min()), threshold=-middle / 2, n=len(judged)
            ),
            "sign",
        )


def _odd(stream: BatchStream, rows: NDArray[np.intp], words: str, measurement: Measurement, key: str) -> Finding:
    first = int(rows[0])
    where = f"epoch {stream.epochs[first]}, batch {stream.batches[first]}, place {stream.positions[first]}"
    more = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
    return inconsistent_batch.finding(
        f"{share_words(len(rows), stream.n_samples)} have {words}: {where}{more}.",
        remedy="Look at the samples named and the branch of the code that they take: they are not preprocessed as the "
        "others are.",
        confidence=Confidence.MEDIUM,
        measurements=(
            measurement,
            Measurement(name="samples preprocessed otherwise", value=len(rows), threshold=0, n=stream.n_samples),
        ),
        locations=sample_locations(stream, rows),
        key=(key,),
    )


def _kinds_listing(stream: BatchStream) -> Listing:
    counts = np.bincount(stream.kinds, minlength=len(stream.array_kinds))
    order = np.argsort(-counts, kind="stable")
    return Listing(
        title="Types and shapes",
        columns=("type", "shape", "axes", "samples"),
        rows=tuple(
            (
                stream.array_kinds[code].dtype,
                "×".join(map(str, stream.array_kinds[code].shape)) or "scalar",
                stream.array_kinds[code].layout,
                int(counts[code]),
            )
            for code in order[:50].tolist()
        ),
        total=len(order),
    )
