"""A rule: EXAMPLE101."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Location, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.dataset.class_counts import ClassCounts


@rule("EXAMPLE101", "unnamed-class", Severity.WARNING)
def unnamed_class(counts: ClassCounts, *, names: tuple[str, ...] = ("unknown", "other", "misc")) -> Iterator[Outcome]:
    """A class is called as if nobody had decided what it is.

    ## What it does

    Looks for classes that are called like a place to put the rest.

    Options:

    - `names`: What such classes are called.

    ## Why is this bad?

    A model learns to recognize what its annotators could not.

    ## How it decides

    A class is named, in any case, as one of `names`. There is no chance in it, and so no false-alarm rate.

    ## Example

    >>> from dataguard.dataset.table import SampleTable
    >>> rows = [{"sample_id": str(n), "label": ("cat", "Other")[n % 2]} for n in range(8)]
    >>> [finding.message for finding in unnamed_class(ClassCounts.from_table(SampleTable.from_rows(rows)))]
    ["the class 'Other' has no meaning of its own"]

    ## How to fix

    Look at the samples, and give them a class or leave them out.

    ## References

    None.
    """
    for name in counts.classes:
        if name.lower() in names:
            yield unnamed_class.finding(
                f"the class {name!r} has no meaning of its own",
                remedy="Give its samples a class, or leave them out.",
                confidence=Confidence.MEDIUM,
                locations=(Location(label=name),),
                key=(name,),
            )
