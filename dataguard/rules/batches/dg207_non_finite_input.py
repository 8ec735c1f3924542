"""DG207 non-finite-input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np

from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Confidence, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.rules.batches.places import is_sketched, sample_locations, share_words


@rule("DG207", "non-finite-input", Severity.ERROR)
def non_finite_input(
    stream: BatchStream,
    *,
    max_share: Annotated[float, Between(low=0, high=1)] = 0.0,
) -> Iterator[Outcome]:
    """The loader feeds NaN or infinite values.

    ## What it does

    Counts NaNs and infinities in every input of every sample as fed, after all preprocessing, and says in which
    samples and batches they are.

    ## Why is this bad?

    One NaN in one sample makes the loss of its batch NaN; the step that follows makes every weight NaN, and all that
    comes after is lost. An infinity does the same as soon as it is subtracted from itself or multiplied by zero, as
    normalization layers do. A single such sample in a million ruins a run within its first epoch.

    ## How it decides

    A sample with a value that is neither finite is counted. The rule fires where the share of such samples is above
    `max_share`. That is a fact and no estimate: a recording that holds none has none in what was recorded. The stream
    of a guarded loader sees 256 bytes of a large sample, so that its silence says less, and the rule says so.

    Options:

    - `max_share`: share of samples that may hold such values. 0 by default, since one is enough to do the harm; raise
      it for models that take NaN for a missing value, such as gradient boosted trees.

    Measured (`benchmarks/batches.py`): no alarm on any of the 600 sound streams (digits, generated pictures, tables;
    each normalization, with and without augmentation), as it must be; one NaN or infinity in one of 500 samples was
    found in 60 of 60.

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.record import record
    >>> x = np.zeros((8, 3)) + np.arange(3.0)
    >>> x[5, 1] = np.nan
    >>> print(non_finite_input(record([(x[:4], [0, 1, 0, 1]), (x[4:], [1, 0, 1, 0])]))[0].message)
    1 of 8 samples (12 %) hold values that are not finite (1 with NaN, 0 with infinities), first in epoch 0, batch 1, \
place 1.

    ## How to fix

    Look at the first sample named: a division by a standard deviation of 0, the logarithm of 0, a missing cell of a
    table, a corrupt file, or half precision that overflows above 65,504. Mend it where it arises, and impute missing
    values on purpose. Replacing NaN by 0 at the end of the pipeline hides the cause.

    ## References

    - Goldberg, *What every computer scientist should know about floating-point arithmetic*, ACM Computing Surveys
      23(1), 1991.
    - [PyTorch: torch.autograd.detect_anomaly](https://docs.pytorch.org/docs/stable/autograd.html#anomaly-detection)
    """
    n = stream.n_samples
    if not n:
        yield Skipped(reason="no sample was fed")
        return
    if all(kind.dtype in ("str", "bytes", "nothing") for kind in stream.array_kinds) and not stream.n_nan.any():
        yield Skipped(reason="the inputs are not numbers")
        return
    bad = np.flatnonzero((stream.n_nan > 0) | (stream.n_inf > 0))
    with_nan, with_inf = int((stream.n_nan > 0).sum()), int((stream.n_inf > 0).sum())
    measurements = (
        Measurement(
            name="samples that hold values that are not finite",
            value=len(bad) / n,
            threshold=max_share,
            n=n,
            unit="share",
        ),
        Measurement(name="samples with NaN", value=with_nan, n=n),
        Measurement(name="samples with infinities", value=with_inf, n=n),
        Measurement(name="NaNs", value=int(stream.n_nan.sum())),
        Measurement(name="infinities", value=int(stream.n_inf.sum())),
    )
    if len(bad) / n > max_share:
        first = int(bad[0])
        place = f"epoch {stream.epochs[first]}, batch {stream.batches[first]}, place {stream.positions[first]}"
        batches = np.unique(stream.batch_of_sample[bad])
        workers = np.unique(stream.batch_worker[batches])
        every = np.unique(stream.batch_worker)
        only = f" All are from worker {workers[0]}." if len(workers) == 1 and workers[0] >= 0 and len(every) > 1 else ""
        yield non_finite_input.finding(
            f"{share_words(len(bad), n)} hold values that are not finite ({with_nan:,} with NaN, {with_inf:,} with "
            f"infinities), first in {place}.{only}",
            remedy="Find the step that makes them in the first sample named, and mend it there: a division by zero, "
            "the logarithm of 0, a missing cell, a corrupt file or half precision that overflows.",
            confidence=Confidence.HIGH,
            measurements=(*measurements, Measurement(name="batches that hold one", value=len(batches))),
            locations=sample_locations(stream, bad),
            key=("non-finite",),
        )
        return
    looked = "the pieces of each sample that the guard looks at" if is_sketched(stream) else "all values"
    yield Observation(
        message=f"{share_words(n - len(bad), n).capitalize()} hold finite values only, by {looked}.",
        measurements=measurements,
    )
