"""What changed between two manifests, sample by sample: a join of two files, by name and then by content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataguard.core.sql import literal
from dataguard.versions.manifest_file import hashed_key, hashed_label
from dataguard.versions.snapshot import Snapshot, comparable

if TYPE_CHECKING:
    import duckdb

MOST_LISTED = 1_000
"""Samples of each kind of change that are named; all are counted."""
KINDS = ("removed", "added", "modified", "relabelled", "moved", "renamed")
"""A sample can be several: relabelled and moved. Removed and added ones are nothing else."""

_CONDITIONS = {
    "removed": "new_key IS NULL",
    "added": "old_key IS NULL",
    "modified": "old_key IS NOT NULL AND new_key IS NOT NULL AND NOT same_content",
    "relabelled": "old_key IS NOT NULL AND new_key IS NOT NULL AND old_label IS DISTINCT FROM new_label",
    "moved": "old_key IS NOT NULL AND new_key IS NOT NULL AND old_split <> new_split",
    "renamed": "old_key IS NOT NULL AND new_key IS NOT NULL AND old_key <> new_key",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One sample that is not what it was."""

    old_id: str | None
    """Its name in the old version; None where it is new, or where names are kept as hashes."""
    new_id: str | None
    old_label: str | None
    new_label: str | None
    old_split: str
    new_split: str
    modified: bool = False
    """Whether its content changed."""

    @property
    def name(self) -> str:
        """What to call it: its new name, or its old one."""
        return self.new_id or self.old_id or "(a sample without a name)"


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitChange:
    """What happened to one split."""

    name: str
    old: int
    """Samples that it had."""
    new: int
    same: int
    """Samples of both with the same content and label, under whichever name."""
    removed: int
    added: int
    modified: int
    relabelled: int
    moved_in: int
    moved_out: int

    @property
    def changed(self) -> bool:
        """Whether it is another set of samples than it was."""
        return not self.old == self.new == self.same


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """How many samples went from one label, or split, to another."""

    old: str
    new: str
    n: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Everything that changed between two versions, sample by sample."""

    n_old: int
    n_new: int
    unchanged: int
    """Samples of one name, content, label and split in both."""
    counts: dict[str, int]
    """How many samples each of `KINDS` holds for."""
    listed: dict[str, tuple[Change, ...]]
    """The first of them by name, at most `MOST_LISTED`."""
    splits: tuple[SplitChange, ...]
    relabelled: tuple[Flow, ...]
    """By labels, the most frequent first; '' for none."""
    moved: tuple[Flow, ...]
    """By splits."""
    lost_classes: tuple[Flow, ...]
    """Labels of removed samples: `old` is the label, `n` the samples that are gone, and `new` is ''."""
    by: str
    """How samples were recognised, in words."""

    @property
    def any(self) -> bool:
        """Whether the versions differ."""
        return any(self.counts.values())


def changes(old: Snapshot, new: Snapshot) -> Changes:
    """Hold one version against another.

    Samples are recognised by name. What is left on either side is recognised by content: a file that was moved to the
    folder of another class, split or name is relabelled, moved or renamed, and neither lost nor new. Of several copies
    of one content those of the same label and split are matched first. Rows of a table without an id have no name but
    their number, which shifts when a row is inserted: they are recognised by content first, and what is left by the
    recognised row that it follows.

    Args:
        old: The former version.
        new: The later one.

    Raises:
        DataguardError: contents are named by different hashes.
    """
    import duckdb

    comparable(old, new)
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        hashed = "hashed" in (old.profile.manifest.keys, new.profile.manifest.keys)
        hide_labels = "hashed" in (old.profile.manifest.labels, new.profile.manifest.labels)
        rows = [side.profile.manifest.keys == "row" for side in (old, new)]
        for side, snapshot in (("old", old), ("new", new)):
            _load(connection, side, snapshot, hashed=hashed, hide_labels=hide_labels, numbered=all(rows))
        if any(rows):
            # Where one side has names and the other numbers, neither says anything of the other.
            by = "content, and then by place" if all(rows) else "content"
            _set_same_rows_aside(connection)
            _pair_by_content(connection, rows=True)
            if all(rows):
                _pair_between_rows(connection)
        else:
            by = "name, and then by content"
            _set_unchanged_aside(connection)
            _pair_by_content(connection, rows=False)
        _leave_over(connection)
        return _collected(connection, old, new, by=by)


def _load(
    connection: duckdb.DuckDBPyConnection,
    side: str,
    snapshot: Snapshot,
    *,
    hashed: bool,
    hide_labels: bool,
    numbered: bool,
) -> None:
    facts = snapshot.profile.manifest
    source = f"read_parquet({literal(snapshot.manifest)})"
    if facts.keys == "hashed":
        key, name = "key_1 || '-' || key_2", "CAST(NULL AS VARCHAR)"
    elif hashed:
        source = f"(SELECT *, {hashed_key('CAST(sample_id AS VARCHAR)')} FROM {source})"
        key, name = "key_1 || '-' || key_2", "CAST(sample_id AS VARCHAR)"
    else:
        key = name = "CAST(sample_id AS VARCHAR)"
        if numbered:
            key = "CAST(sample_id AS BIGINT)"
    label = "CAST(label AS VARCHAR)"
    if hide_labels and facts.labels == "text":
        label = f"CAST({hashed_label('label')} AS VARCHAR)"
    connection.execute(
        f"CREATE VIEW all_{side} AS SELECT {key} AS key, {name} AS name, content_1, content_2, {label} AS label, "
        f"coalesce(split, '') AS split FROM {source}"
    )


_COLUMNS = "o.key, n.key, o.name, n.name, o.label, n.label, o.split, n.split"
_SAME_CONTENT = "o.content_1 IS NOT DISTINCT FROM n.content_1 AND o.content_2 IS NOT DISTINCT FROM n.content_2"
_PARTS = ("key", "name", "label", "split")
_IDENTICAL = f"{_SAME_CONTENT} AND o.label IS NOT DISTINCT FROM n.label AND o.split = n.split"
_PAIR = ", ".join(f"{side[0]}.{part} AS {side}_{part}" for part in _PARTS for side in ("old", "new"))


def _set_unchanged_aside(connection: duckdb.DuckDBPyConnection) -> None:
    """Go through all samples once; ``pairs``, ``old`` and ``new`` then hold those alone that changed in some way."""
    connection.execute(
        f"CREATE TABLE touched AS SELECT {_PAIR}, o.content_1 AS old_content_1, o.content_2 AS old_content_2, "
        "n.content_1 AS new_content_1, n.content_2 AS new_content_2, "
        f"{_SAME_CONTENT} AS same_content FROM all_old o FULL JOIN all_new n ON o.key = n.key "
        f"WHERE o.key IS NULL OR n.key IS NULL OR NOT ({_IDENTICAL})"
    )
    connection.execute(
        "CREATE TABLE pairs AS SELECT old_key, new_key, old_name, new_name, old_label, new_label, old_split, "
        "new_split, same_content FROM touched WHERE old_key IS NOT NULL AND new_key IS NOT NULL"
    )
    for side, other in (("old", "new"), ("new", "old")):
        kept = ", ".join(f"{side}_{part} AS {part}" for part in (*_PARTS, "content_1", "content_2"))
        connection.execute(f"CREATE TABLE {side} AS SELECT {kept} FROM touched WHERE {other}_key IS NULL")


def _set_same_rows_aside(connection: duckdb.DuckDBPyConnection) -> None:
    """Put rows of the same number, content, label and split into ``same``; the rest are ``old`` and ``new``.

    Of a row that is as it was its number alone is kept: after an insertion at the top that is every row.
    """
    connection.execute(
        f"CREATE TABLE same AS SELECT o.key AS old_key, n.key AS new_key FROM all_old o "
        f"JOIN all_new n ON o.key = n.key AND {_IDENTICAL}"
    )
    for side in ("old", "new"):
        connection.execute(
            f"CREATE TABLE {side} AS SELECT * FROM all_{side} ANTI JOIN same ON all_{side}.key = same.{side}_key"
        )
    connection.execute(f"CREATE TABLE pairs AS SELECT {_PAIR}, true AS same_content FROM old o JOIN new n ON false")


def _drop_paired(connection: duckdb.DuckDBPyConnection, pairs: str = "pairs") -> None:
    for side in ("old", "new"):
        connection.execute(
            f"CREATE TABLE left_{side} AS SELECT {side}.* FROM {side} ANTI JOIN {pairs} "
            f"ON {side}.key = {pairs}.{side}_key"
        )
        connection.execute(f"DROP TABLE {side}")
        connection.execute(f"ALTER TABLE left_{side} RENAME TO {side}")


def _pair_by_content(connection: duckdb.DuckDBPyConnection, *, rows: bool) -> None:
    """Those of equal content, label and split first; then those that lack one of the two, then both."""
    for also in (("label", "split"), ("label",), ("split",), ()):
        if not all(connection.execute(f"SELECT count(*) FROM {side}").fetchall()[0][0] for side in ("old", "new")):
            return
        by = ", ".join(("content_1", "content_2", *also))
        # Few contents occur twice, and numbering all of them takes as long as everything else together.
        copied = (
            "(SELECT content_1, content_2 FROM {side} WHERE content_1 IS NOT NULL GROUP BY ALL HAVING count(*) > 1)"
        )
        ranked = (
            f"(SELECT *, 1 AS place FROM {{side}} ANTI JOIN {copied} USING (content_1, content_2) "
            f"UNION ALL SELECT *, row_number() OVER (PARTITION BY {by} ORDER BY parse_filename(key::VARCHAR), key) "
            f"FROM {{side}} SEMI JOIN {copied} USING (content_1, content_2))"
        )
        on = " AND ".join(f"o.{column} IS NOT DISTINCT FROM n.{column}" for column in also)
        joined = (
            f"{ranked.format(side='old')} o "
            f"JOIN {ranked.format(side='new')} n ON o.content_1 = n.content_1 AND o.content_2 = n.content_2 "
            f"AND o.place = n.place{' AND ' + on if on else ''}"
        )
        if rows and len(also) == 2:
            # A number is no name: these did not change.
            connection.execute(f"INSERT INTO same SELECT o.key, n.key FROM {joined}")
            _drop_paired(connection, "same")
        else:
            connection.execute(f"INSERT INTO pairs SELECT {_COLUMNS}, true FROM {joined}")
            _drop_paired(connection)


def _pair_between_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Rows that changed and have no name: those that follow the same recognised row are the same, in their order.

    Where as many rows follow it as did, they are paired one by one; where some are gone or new among them, only with
    those of their label and split, so that a shift by a row relabels nothing.
    """
    if not all(connection.execute(f"SELECT count(*) FROM {side}").fetchall()[0][0] for side in ("old", "new")):
        return
    connection.execute(
        "CREATE TABLE matches AS SELECT old_key AS o, new_key AS n FROM pairs UNION ALL "
        "SELECT old_key, new_key FROM same UNION ALL SELECT 0, 0"
    )
    for alike in ("", ", label, split"):
        runs = "(SELECT {side}.*, m.o AS run FROM {side} ASOF JOIN matches m ON {side}.key > m.{letter})"
        ranked = (
            f"(SELECT *, row_number() OVER (PARTITION BY run{alike} ORDER BY key) AS place, "
            f"count(*) OVER (PARTITION BY run) AS size FROM {runs})"
        )
        on = "o.label IS NOT DISTINCT FROM n.label AND o.split = n.split" if alike else "o.size = n.size"
        connection.execute(
            f"INSERT INTO pairs SELECT {_COLUMNS}, {_SAME_CONTENT} FROM {ranked.format(side='old', letter='o')} o "
            f"JOIN {ranked.format(side='new', letter='n')} n ON o.run = n.run AND o.place = n.place AND {on}"
        )
        _drop_paired(connection)


def _leave_over(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("INSERT INTO pairs SELECT key, NULL, name, NULL, label, NULL, split, NULL, false FROM old")
    connection.execute("INSERT INTO pairs SELECT NULL, key, NULL, name, NULL, label, NULL, split, false FROM new")


def _collected(connection: duckdb.DuckDBPyConnection, old: Snapshot, new: Snapshot, *, by: str) -> Changes:
    conditions = dict(_CONDITIONS)
    if by.startswith("content"):
        conditions["renamed"] = "false"
    if "hashed" in (old.profile.manifest.keys, new.profile.manifest.keys):
        # Where only one side has names, they are not those that are compared.
        conditions["renamed"] = conditions["renamed"].replace("old_key <> new_key", "old_key IS DISTINCT FROM new_key")
    any_of = " OR ".join(f"({condition})" for condition in conditions.values())
    counted = ", ".join(f"count(*) FILTER ({condition})" for condition in conditions.values())
    *numbers, changed, had = connection.execute(
        f"SELECT {counted}, count(*) FILTER (coalesce({any_of}, false) AND old_key IS NOT NULL), "
        "(SELECT count(*) FROM all_old) FROM pairs"
    ).fetchall()[0]
    listed = {}
    for kind, condition in conditions.items():
        rows = connection.execute(
            "SELECT old_name, new_name, old_label, new_label, old_split, new_split, "
            "old_key IS NOT NULL AND new_key IS NOT NULL AND NOT same_content "
            f"FROM pairs WHERE {condition} ORDER BY coalesce(new_key, old_key) LIMIT {MOST_LISTED}"
        ).fetchall()
        listed[kind] = tuple(
            Change(
                old_id=row[0],
                new_id=row[1],
                old_label=row[2],
                new_label=row[3],
                old_split=row[4] or "",
                new_split=row[5] or "",
                modified=row[6],
            )
            for row in rows
        )
    return Changes(
        n_old=old.profile.n_samples,
        n_new=new.profile.n_samples,
        unchanged=had - changed,
        counts=dict(zip(KINDS, numbers, strict=True)),
        listed=listed,
        splits=_splits(connection),
        relabelled=_flow(connection, "label", conditions["relabelled"]),
        moved=_flow(connection, "split", conditions["moved"]),
        lost_classes=tuple(
            Flow(old=label or "", new="", n=n)
            for label, n in connection.execute(
                "SELECT old_label, count(*) FROM pairs WHERE new_key IS NULL GROUP BY 1 ORDER BY 2 DESC, 1"
            ).fetchall()
        ),
        by=by,
    )


def _flow(connection: duckdb.DuckDBPyConnection, column: str, condition: str) -> tuple[Flow, ...]:
    rows = connection.execute(
        f"SELECT coalesce(old_{column}, ''), coalesce(new_{column}, ''), count(*) FROM pairs WHERE {condition} "
        "GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
    ).fetchall()
    return tuple(Flow(old=a, new=b, n=n) for a, b, n in rows)


def _splits(connection: duckdb.DuckDBPyConnection) -> tuple[SplitChange, ...]:
    both = "old_key IS NOT NULL AND new_key IS NOT NULL"
    stays = f"{both} AND old_split = new_split"
    rows = connection.execute(
        "WITH counts AS ("
        "SELECT name, sum(old) AS old, sum(new) AS new FROM ("
        "SELECT split AS name, count(*) AS old, 0 AS new FROM all_old GROUP BY 1 UNION ALL "
        "SELECT split, 0, count(*) FROM all_new GROUP BY 1) GROUP BY 1), "
        "touched_splits AS (SELECT name, "
        f"count(*) FILTER (old_split = name AND NOT ({stays} AND same_content "
        "AND old_label IS NOT DISTINCT FROM new_label)) AS lost, "
        "count(*) FILTER (new_key IS NULL) AS removed, "
        "count(*) FILTER (old_key IS NULL) AS added, "
        f"count(*) FILTER ({stays} AND NOT same_content) AS modified, "
        f"count(*) FILTER ({stays} AND old_label IS DISTINCT FROM new_label) AS relabelled, "
        f"count(*) FILTER ({both} AND new_split = name AND old_split <> name) AS moved_in, "
        f"count(*) FILTER ({both} AND old_split = name AND new_split <> name) AS moved_out "
        "FROM counts JOIN pairs ON old_split = name OR (new_split = name AND old_split IS DISTINCT FROM name) "
        "GROUP BY 1) "
        "SELECT name, c.old::BIGINT, c.new::BIGINT, (c.old - coalesce(lost, 0))::BIGINT, "
        + ", ".join(
            f"coalesce({column}, 0)"
            for column in ("removed", "added", "modified", "relabelled", "moved_in", "moved_out")
        )
        + " FROM counts c LEFT JOIN touched_splits USING (name) ORDER BY name"
    ).fetchall()
    names = ("name", "old", "new", "same", "removed", "added", "modified", "relabelled", "moved_in", "moved_out")
    return tuple(SplitChange(**dict(zip(names, row, strict=True))) for row in rows)
