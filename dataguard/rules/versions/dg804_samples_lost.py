"""DG804 samples-lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.versions.changes import Flow
from dataguard.versions.comparison import VersionComparison
from dataguard.versions.profile import Profile
from dataguard.versions.showing import sample_listing
from dataguard.versions.words import listed, samples

_NAMED = 3


@rule("DG804", "samples-lost", Severity.WARNING)
def samples_lost(
    compared: VersionComparison, *, max_share: Annotated[float, Between(low=0, high=1)] = 0.0
) -> Iterator[Outcome]:
    """Samples of the former version are gone.

    ## What it does

    Counts the samples of the former version that this one has under no name: neither under their own, nor, by content,
    under another. It says which classes and splits they were of.

    ## Why is this bad?

    Data are lost quietly: a folder that did not synchronise, a download that ended early, an inner join, a filter on a
    column that gained missing values. Training goes on, with the classes that are easiest to lose starved first.

    ## How it decides

    By name and by content hash, so there are no false alarms by chance: a renamed file, one that was moved to the
    folder of another class or split, and a row whose number shifted are not lost. A share above `max_share` is a
    warning. It is an error where a whole class or a whole split is gone, since no model can learn or be measured on it.

    Options:

    - `max_share`: share of the former version's samples that may go without a finding. 0: any loss is worth a look;
      raise it where samples are retired on purpose, as by age.

    ## Example

    >>> from dataguard.versions.made_up import made_up_comparison
    >>> print(samples_lost(made_up_comparison(removed=2))[0].message)
    2 of 10 samples (20.0 %) are gone: 2 of 'cat'.

    ## How to fix

    Look at the list: are they of one folder, class or day? Fetch them again, or mend the step that dropped them. Where
    they were retired on purpose, write a new snapshot, or say so: ignore the rule with that reason.

    ## References

    - Polyzotis et al., *Data Management Challenges in Production Machine Learning*, SIGMOD 2017.
    - Breck et al., *Data Validation for Machine Learning*, MLSys 2019.
    """
    changed = compared.changes
    lost = changed.counts["removed"]
    share = lost / changed.n_old if changed.n_old else 0.0
    figure = Measurement(name="samples lost", value=share, threshold=max_share, n=changed.n_old, unit="share")
    if not lost:
        yield Observation(
            message=f"All {changed.n_old:,} samples of the former version are there.", measurements=(figure,)
        )
        return
    splits = [item.name for item in changed.splits if item.old and not item.new]
    classes = _gone(compared.old.profile, compared.new.profile, changed.lost_classes)
    if share <= max_share and not splits and not classes:
        yield Observation(message=f"{samples(lost)} of {changed.n_old:,} gone.", measurements=(figure,))
        return
    of = ", ".join(f"{flow.n:,} of {flow.old!r}" for flow in changed.lost_classes[:_NAMED] if flow.old)
    more = len([flow for flow in changed.lost_classes if flow.old]) - _NAMED
    said = f": {of}" + (f" and {more:,} more classes" if more > 0 else "") if of else ""
    whole = [f"class {name!r}" for name in classes] + [f"split {name!r}" for name in splits]
    ending = f". Nothing is left of {listed(whole)}" if whole else ""
    verb = "is" if lost == 1 else "are"
    listing = [item for item in changed.listed["removed"] if item.old_id]
    yield samples_lost.finding(
        f"{lost:,} of {changed.n_old:,} samples ({100 * share:.1f} %) {verb} gone{said}{ending}.",
        remedy="Fetch them again, or mend the step that dropped them; where it is meant, write a new snapshot.",
        severity=Severity.ERROR if whole else Severity.WARNING,
        confidence=Confidence.HIGH,
        measurements=(
            figure,
            *(
                Measurement(name=f"samples of {flow.old!r} lost", value=flow.n)
                for flow in changed.lost_classes[:20]
                if flow.old
            ),
        ),
        locations=tuple(
            Location(sample_id=item.old_id, split=item.old_split or None, label=item.old_label, note="gone")
            for item in listing
        ),
        exhibits=(sample_listing("removed", listing, lost),) if listing else (),
        key=("lost",),
    )


def _gone(old: Profile, new: Profile, lost: tuple[Flow, ...]) -> list[str]:
    """The classes that the new version has no sample of."""
    there = {name for split in new.splits if split.label is not None for name in split.label.counts}
    had = {name for split in old.splits if split.label is not None for name in split.label.counts}
    # A version without any labels has not lost one class.
    return [flow.old for flow in lost if flow.old in had - there] if there else []
