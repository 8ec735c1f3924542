"""Two versions of a dataset held against one another, and a log of serving held against training."""

from __future__ import annotations

from dataclasses import dataclass, field

from dataguard.versions.changes import Changes, changes
from dataguard.versions.drift import ColumnDrift, drifts
from dataguard.versions.profile import SplitProfile
from dataguard.versions.snapshot import Snapshot
from dataguard.versions.stated import Statements


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VersionComparison:
    """A dataset version beside a former one."""

    old: Snapshot
    new: Snapshot
    changes: Changes
    drifts: tuple[ColumnDrift, ...]
    """Of every split of both, corrected together, the largest effects first."""
    statements: Statements = field(default_factory=Statements)
    """What is said beside the new version's data, and whether it holds."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ServingComparison:
    """What a model is fed with in service, beside what it was trained on."""

    training: SplitProfile
    serving: SplitProfile
    place: str
    """The log."""
    drifts: tuple[ColumnDrift, ...]
    only_training: tuple[str, ...]
    """Columns that serving lacks."""
    only_serving: tuple[str, ...]


def compare(old: Snapshot, new: Snapshot, statements: Statements | None = None) -> VersionComparison:
    """Hold a version against a former one.

    Raises:
        DataguardError: they cannot be compared.
    """
    pairs = []
    for split in new.profile.splits:
        before = old.profile.split(split.name)
        if before is not None:
            pairs.append((split.name, before, split))
    return VersionComparison(
        old=old,
        new=new,
        changes=changes(old, new),
        drifts=drifts(pairs) if old.profile.version_id != new.profile.version_id else (),
        statements=statements or Statements(),
    )


def compare_serving(training: SplitProfile, serving: SplitProfile, *, place: str) -> ServingComparison:
    """Hold a log of serving against the training split. Labels are not compared: a log has none, or predictions."""
    names = [{item.name for item in side.columns} for side in (training, serving)]
    return ServingComparison(
        training=training,
        serving=serving,
        place=place,
        drifts=drifts([("serving", training, serving)], label=False),
        only_training=tuple(sorted(names[0] - names[1])),
        only_serving=tuple(sorted(names[1] - names[0])),
    )
