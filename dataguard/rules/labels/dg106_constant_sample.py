"""DG106 constant-sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated

from dataguard.core.exhibit import Gallery, Picture
from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.dataset.constant_samples import ConstantSample, count_pictures, find_constant_samples
from dataguard.dataset.table import SampleTable

_SHOWN = 24


@rule("DG106", "constant-sample", Severity.WARNING)
def constant_sample(
    table: SampleTable, *, max_share: Annotated[float, Between(low=0, high=1)] = 0.01
) -> Iterator[Outcome]:
    """A picture is one colour all over: all zeros, all white, a blank.

    ## What it does

    Finds pictures in which every pixel has the same colour. Alpha is left out: a picture whose colour channels are
    constant is one colour whatever its transparency says.

    ## Why is this bad?

    There is nothing in it to learn from, and it has a label all the same, so it teaches the model that "nothing" is
    that class. The cause tends to be worse than the picture: a failed download, a wrong crop, a 16-bit image cut to
    8 bits, a mask saved for the image, a decoder that returned zeros. Standardized by its own statistics, it is a
    division by zero.

    ## How it decides

    From the sums that the scan keeps: N pixels of a channel with sum S and sum of squares Q satisfy N·Q ≥ S² (Cauchy
    and Schwarz), with equality exactly where all are equal. All are integers, computed in 128 bits, so the test is
    exact: one pixel that is off by one level makes a picture not constant. There is no false alarm about the fact, and
    confidence is high. A picture that is *nearly* constant (a covered lens with its noise) is not found.

    One such picture is a warning. A share above `max_share` of all decoded pictures is an error: at that rate a step of
    the preparation fails, and not one file.

    Options:

    - `max_share`: the share of constant pictures that is still a warning. 1 % is a convention.

    A pure table has no pixel sums, so the rule is skipped there; a constraint on a table's values belongs in a schema
    (DG802, schema-violation).

    Measured (`tests/rules/labels/test_dg106_constant_sample.py`): exact against numpy on generated pictures of all
    modes, one-level changes of one pixel and sums near the 64-bit limit among them.

    ## Example

    >>> from dataguard.dataset.table import SampleTable
    >>> black = {"channel_sums": [0, 0, 0], "channel_square_sums": [0, 0, 0]}
    >>> size = {"width": 8, "height": 8, "mode": "RGB", "split": "train", "label": "cat"}
    >>> table = SampleTable.from_rows([{"sample_id": "cat/1.png", "path": "cat/1.png", **size, **black}])
    >>> print(constant_sample(table)[0].message)
    1 of 1 pictures (100 %) is one colour all over, above 1 %: black (1).

    ## How to fix

    Open the file. If it is a failed download or export, fetch it again; if the preparation blanked it, mend that step
    and make the dataset anew, because pictures that it only damaged do not show up here. Otherwise delete it. Where
    blanks are a class of their own, ignore the rule with that reason.

    ## References

    - Slavv, *37 Reasons why your Neural Network is not working*, 2017 (1: check your input data).
    """
    n_pictures = count_pictures(table)
    if n_pictures == 0:
        yield Skipped(reason="no sample has pixels", hint="the values of a table are checked by a schema (DG802)")
        return
    found = find_constant_samples(table)
    share = len(found) / n_pictures
    measurement = Measurement(
        name="share of constant pictures", value=share, threshold=max_share, n=n_pictures, unit="share"
    )
    if found:
        colors = Counter(sample.color_name for sample in found).most_common()
        named = ", ".join(f"{color} ({n:,})" for color, n in colors[:3])
        more = f" and {len(colors) - 3:,} other colours" if len(colors) > 3 else ""
        excess = f", above {100 * max_share:.3g} %" if share > max_share else ""
        yield constant_sample.finding(
            f"{len(found):,} of {n_pictures:,} pictures ({100 * share:.3g} %) {'is' if len(found) == 1 else 'are'} one "
            f"colour all over{excess}: {named}{more}.{_one_class(found)}",
            remedy="Open the files: fetch again what failed to download, mend the step that blanked them, delete the "
            "rest.",
            severity=Severity.ERROR if share > max_share else Severity.WARNING,
            confidence=Confidence.HIGH,
            measurements=(measurement, Measurement(name="constant pictures", value=len(found), threshold=0)),
            locations=tuple(
                Location(
                    path=sample.path,
                    sample_id=sample.sample_id,
                    split=sample.split,
                    label=sample.label,
                    note=sample.color_name,
                )
                for sample in found
            ),
            exhibits=(_gallery(found),),
        )
    yield Observation(
        message=f"{len(found):,} of {n_pictures:,} pictures are one colour all over.", measurements=(measurement,)
    )


def _one_class(found: tuple[ConstantSample, ...]) -> str:
    labels = {sample.label for sample in found}
    if len(found) < 2 or len(labels) > 1 or None in labels:
        return ""
    return f" All are of class {labels.pop()!r}."


def _gallery(found: tuple[ConstantSample, ...]) -> Gallery:
    return Gallery(
        title="Pictures of one colour",
        pictures=tuple(
            Picture(
                sample_id=sample.sample_id,
                path=sample.path,
                split=sample.split,
                given=sample.label,
                caption=f"{sample.color_name}, {sample.width}×{sample.height}",
            )
            for sample in found[:_SHOWN]
        ),
        total=len(found),
    )
