"""What changed between two versions, as tables, histograms, maps and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataguard.core.exhibit import Exhibit, Gallery, HeatMap, Histogram, Listing, Picture, Series
from dataguard.versions.bins import coarsened, side_by_side
from dataguard.versions.changes import KINDS, Change, Flow
from dataguard.versions.comparison import VersionComparison
from dataguard.versions.drift import ColumnDrift, category_table, name_of
from dataguard.versions.profile import LABEL, Categories, Numbers, SplitProfile

if TYPE_CHECKING:
    from dataguard.splits.drift import ColumnDrift as SplitDrift

SHOWN = 20
_PICTURES = 24
_CLASSES = 40
_BARS = 30


def overview(compared: VersionComparison) -> tuple[Exhibit, ...]:
    """What to see before any finding."""
    changed = compared.changes
    made: list[Exhibit] = [
        Listing(
            title="What changed",
            columns=("samples", "number", "share of the former"),
            rows=tuple(
                (said, n, round(n / changed.n_old, 6) if changed.n_old else None)
                for said, n in (
                    *((kind, changed.counts[kind]) for kind in KINDS),
                    ("unchanged", changed.unchanged),
                    ("of the former version", changed.n_old),
                    ("of this version", changed.n_new),
                )
            ),
            total=len(KINDS) + 3,
        )
    ]
    if changed.any:
        made.append(split_listing(compared))
    made += [found for found in (label_histogram(compared), flow_map("label", changed.relabelled)) if found is not None]
    made += change_listings(compared)
    return tuple(made)


def split_listing(compared: VersionComparison) -> Listing:
    """What happened to each split."""
    columns = ("split", "before", "now", "same", "removed", "added", "modified", "relabelled", "moved in", "moved out")
    return Listing(
        title="Splits",
        columns=columns,
        rows=tuple(
            (
                item.name or "(none)",
                item.old,
                item.new,
                item.same,
                item.removed,
                item.added,
                item.modified,
                item.relabelled,
                item.moved_in,
                item.moved_out,
            )
            for item in compared.changes.splits
        ),
        total=len(compared.changes.splits),
    )


def label_histogram(compared: VersionComparison) -> Histogram | None:
    """Samples of each class before and now; None where there are no classes, or too many for a picture."""
    sides = []
    for version in (compared.old, compared.new):
        labels = [split.label for split in version.profile.splits if split.label is not None]
        sides.append(
            {name: sum(item.counts.get(name, 0) for item in labels) for item in labels for name in item.counts}
        )
    classes = sorted({*sides[0], *sides[1]})
    if not classes or len(classes) > _CLASSES:
        return None
    return Histogram(
        title="Samples per class",
        categories=tuple(classes),
        series=tuple(
            Series(name=name, values=tuple(float(side.get(text, 0)) for text in classes))
            for name, side in zip(titles(compared), sides, strict=True)
        ),
    )


def titles(compared: VersionComparison) -> tuple[str, str]:
    """What to call both versions, different where they are."""
    old, new = compared.old.title, compared.new.title
    return (f"former {old}", f"this {new}") if old != new else ("former", "this")


def flow_map(what: str, flows: Sequence[Flow]) -> HeatMap | None:
    """Which labels became which; None where none did."""
    if not flows:
        return None
    names: dict[str, int] = {}
    for flow in flows:
        for name in (flow.old, flow.new):
            names[name] = names.get(name, 0) + flow.n
    kept = sorted(sorted(names, key=lambda name: (-names[name], name))[:_CLASSES])
    counts = {(flow.old, flow.new): flow.n for flow in flows}
    shown = tuple(name or "(none)" for name in kept)
    return HeatMap(
        title=f"Which {what}s became which",
        rows=shown,
        columns=shown,
        values=tuple(tuple(float(counts.get((row, column), 0)) for column in kept) for row in kept),
        row_axis=f"former {what}",
        column_axis=f"{what} now",
        unit="",
        meaning=f"Samples of the same content that had the {what} of the row and have that of the column.",
        total=len(names),
    )


def change_listings(compared: VersionComparison, kinds: Sequence[str] = KINDS) -> list[Exhibit]:
    """The samples of each kind of change, and pictures of those that are there."""
    made: list[Exhibit] = []
    for kind in kinds:
        changes, total = compared.changes.listed[kind], compared.changes.counts[kind]
        if not total:
            continue
        named = [item for item in changes if item.old_id or item.new_id]
        if named:
            made.append(sample_listing(kind, named, total))
        pictures = gallery(compared, f"{kind.capitalize()} samples", changes, total)
        if pictures is not None and kind != "removed":
            made.append(pictures)
    return made


def sample_listing(kind: str, changes: Sequence[Change], total: int) -> Listing:
    """Samples with what they were and are."""
    return Listing(
        title=f"{kind.capitalize()} samples",
        columns=("before", "now", "label before", "label now", "split before", "split now"),
        rows=tuple(
            (item.old_id, item.new_id, item.old_label, item.new_label, item.old_split or None, item.new_split or None)
            for item in changes[:SHOWN]
        ),
        total=total,
    )


def gallery(compared: VersionComparison, title: str, changes: Sequence[Change], total: int) -> Gallery | None:
    """Pictures of samples as they are now; None where the data are not at hand, or are no files."""
    if not compared.new.root or compared.new.profile.source != "folder":
        return None
    pictures = tuple(
        Picture(
            sample_id=item.new_id,
            path=item.new_id,
            split=item.new_split or None,
            given=item.new_label,
            caption=f"was {item.old_label}" if item.old_label not in (None, item.new_label) else "",
        )
        for item in changes[:_PICTURES]
        if item.new_id is not None
    )
    return Gallery(title=title, pictures=pictures, total=total) if pictures else None


def drift_cells(item: ColumnDrift | SplitDrift) -> tuple[str, float, float, str, float, float]:
    """Test, effect, p-value, what the numbers are of, and the numbers: as every table of drift shows them."""
    return (item.test, round(item.effect, 4), float(f"{item.adjusted:.3g}"), item.said, item.first, item.second)


def drift_listing(title: str, drifts: Sequence[ColumnDrift], names: tuple[str, str]) -> Listing:
    """Every test, the largest effects first."""
    return Listing(
        title=title,
        columns=("split", "column", "test", "effect", "p (Holm)", "of", *names),
        rows=tuple(
            (
                item.split or "(none)",
                item.column,
                *drift_cells(item),
            )
            for item in drifts[:SHOWN]
        ),
        total=len(drifts),
    )


def drift_histogram(
    drift: ColumnDrift, old: SplitProfile, new: SplitProfile, names: tuple[str, str]
) -> Histogram | None:
    """The two distributions of a column that drifted, as shares."""
    one, other = (_column(side, drift.column) for side in (old, new))
    where = f" in split {drift.split!r}" if drift.split else ""
    title = f"Distribution of {name_of(drift)}{where}"
    if isinstance(one, Numbers) and isinstance(other, Numbers) and one.n and other.n:
        bits = max(one.bins.dropped_bits, other.bins.dropped_bits)
        starts, table = side_by_side(one.bins, other.bins)
        while len(starts) > _BARS and bits < 63:
            bits += 1
            starts, table = side_by_side(coarsened(one.bins, bits), coarsened(other.bins, bits))
        categories = tuple(f"{start:.4g}" for start in starts.tolist())
        if len(set(categories)) < len(categories):
            categories = tuple(f"{start:.12g}" for start in starts.tolist())
    elif isinstance(one, Categories) and isinstance(other, Categories) and one.n and other.n:
        kept, table = category_table(one, other)
        order = sorted(range(len(kept)), key=lambda place: -int(table[:, place].sum()))[:_BARS]
        categories, table = tuple(kept[place] for place in order), table[:, order]
    else:
        return None
    return Histogram(
        title=title,
        categories=categories,
        series=tuple(
            Series(name=name, values=tuple(round(n / side.n, 6) for n in row.tolist()))
            for name, side, row in zip(names, (one, other), table, strict=True)
        ),
        unit="share",
    )


def _column(split: SplitProfile, name: str) -> Numbers | Categories | None:
    if name == LABEL:
        return split.truth
    return next((item for item in split.columns if item.name == name), None)
