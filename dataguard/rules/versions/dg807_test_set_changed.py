"""DG807 test-set-changed."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.core.split_roles import split_order
from dataguard.versions.changes import Change, SplitChange
from dataguard.versions.comparison import VersionComparison
from dataguard.versions.showing import split_listing
from dataguard.versions.words import joined

_TRAINING, _VALIDATION, _TEST = 0, 1, 2


@rule("DG807", "test-set-changed", Severity.ERROR)
def test_set_changed(compared: VersionComparison) -> Iterator[Outcome]:
    """An evaluation split holds other samples, contents or labels than it did.

    ## What it does

    Holds every evaluation split of both versions against each other, sample by sample: added, removed, modified,
    relabelled, moved in from another split and out to one. It says how many samples are the same in both.

    ## Why is this bad?

    An evaluation set that moves makes every number incomparable: a model that scores a point more on the new set may be
    the worse one on the old. A sample that moved from training to the test set is worse still: models that were trained
    on the former version have seen it.

    ## How it decides

    By name and content hash, so there are no false alarms by chance. A split is unchanged where each of its samples is
    in both versions with one content, label and split, whatever it is called. Names of splits say what they are for: a
    changed test split (test, testing, eval, evaluation, holdout) is an error; a changed validation split, or one of
    another name that is not trained on, a warning, since models were selected on it.

    A score of n samples of which m are the same is comparable on those m alone; of the others, the finding says how far
    apart two scores of one model can be at most: (removed + added) / n.

    ## Example

    >>> from dataguard.versions.made_up import made_up_comparison
    >>> compared = made_up_comparison(removed=1, split="test")
    >>> print(test_set_changed(compared)[0].message)
    Split 'test' is not the former one: 1 removed; 9 of its 9 samples are the same, of 10 before.

    ## How to fix

    Freeze the test set: put new samples into training, or into a second test set of another name. Where it must change
    (wrong labels, withdrawn samples), give it a new version and measure every model again that it is to be compared
    with.

    ## References

    - Recht et al., *Do ImageNet Classifiers Generalize to ImageNet?*, ICML 2019 (11 to 14 points between two test sets
      drawn alike).
    - Dwork et al., *The reusable holdout*, Science 349, 2015.
    """
    evaluation = [item for item in compared.changes.splits if item.old and split_order(item.name)[0] != _TRAINING]
    if not evaluation:
        yield Skipped(reason="the former version has no evaluation split", hint="name it test")
        return
    for split in evaluation:
        figure = Measurement(
            name=f"samples of {split.name!r} that are the same", value=split.same, threshold=split.old, n=split.new
        )
        if not split.changed:
            yield Observation(
                message=f"Split {split.name!r} is the former one: {split.old:,} samples, all the same.",
                measurements=(figure,),
            )
            continue
        yield _finding(compared, split, figure)


def _finding(compared: VersionComparison, split: SplitChange, figure: Measurement) -> Outcome:
    parts = [
        (split.removed, "removed"),
        (split.added, "added"),
        (split.modified, "modified"),
        (split.relabelled, "relabelled"),
        (split.moved_in, "moved in from another split"),
        (split.moved_out, "moved out to another split"),
    ]
    seen = [
        item
        for item in compared.changes.listed["moved"]
        if item.new_split == split.name and split_order(item.old_split)[0] == _TRAINING
    ]
    trained = sum(
        flow.n for flow in compared.changes.moved if flow.new == split.name and split_order(flow.old)[0] == _TRAINING
    )
    leak = f" {trained:,} of them {'was' if trained == 1 else 'were'} trained on before." if trained else ""
    places = [
        (kind, item)
        for kind in ("removed", "added", "modified", "relabelled", "moved")
        for item in compared.changes.listed[kind]
        if split.name in (item.old_split, item.new_split)
    ]
    return test_set_changed.finding(
        f"Split {split.name!r} is not the former one: {joined(parts)}; {split.same:,} of its {split.new:,} samples are "
        f"the same, of {split.old:,} before.{leak}",
        remedy="Freeze it: put new samples elsewhere; where it must change, measure all models that are compared anew.",
        severity=Severity.ERROR if split_order(split.name)[0] == _TEST else Severity.WARNING,
        confidence=Confidence.HIGH,
        measurements=(
            figure,
            *(Measurement(name=f"samples {said}", value=n, threshold=0) for n, said in parts if n),
            *(
                (Measurement(name="samples that were trained on before", value=trained, threshold=0),)
                if trained
                else ()
            ),
        ),
        locations=tuple(_location(kind, item, item in seen) for kind, item in places),
        exhibits=(split_listing(compared),),
        key=(split.name,),
    )


def _location(kind: str, item: Change, trained: bool) -> Location:
    note = (
        f"moved from {item.old_split or 'no split'!r} to {item.new_split or 'no split'!r}" if kind == "moved" else kind
    )
    return Location(
        sample_id=item.name,
        split=(item.old_split if kind == "removed" else item.new_split) or None,
        label=item.old_label if kind == "removed" else item.new_label,
        note=f"{note}, trained on before" if trained and kind == "moved" else note,
    )
