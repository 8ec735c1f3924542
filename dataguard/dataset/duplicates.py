"""Samples of equal content: which there are, which splits they join, and whether chance can explain them."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from dataguard.core.exhibit import Picture
from dataguard.core.finding import Location
from dataguard.dataset.class_counts import split_order
from dataguard.dataset.memory import HASHES_SHARE, memory_share
from dataguard.dataset.table import SampleTable, fetch_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_LISTED_GROUPS = 20_000
"""Groups that are listed by name; the totals count all of them."""
MAX_LISTED_PER_CELL = 1_000
"""Copies of one content with one split and one label that are listed by name."""
_BEGINNING = 12
"""Characters of a hash that an engine other than DuckDB looks at first: 48 bits."""
MAX_RELATED = 10
"""Copies of a sample that are named beside it."""
COPIES_P_VALUE = 1e-3
"""Below this p-value equal rows are no coincidence. The profile and each pair of splits are tested, so that a dataset
with three splits is misjudged in at most 0.4 % of runs."""


class Origin(Enum):
    """Where samples of equal content come from, as far as the data tell."""

    COPIED = "copied"
    """Chance does not make so many of them, or not in these places."""
    CHANCE = "chance"
    """Independent draws from a discrete distribution explain them, or oversampling at random, which is the same."""
    UNDECIDED = "undecided"
    """There are too few of them to tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A sample, as far as comparing it with others takes."""

    sample_id: str
    split: str = ""
    """'' where it has none."""
    label: str | None = None
    path: str | None = None
    """Its picture relative to the root; None where it is only a row."""

    def picture(self) -> Picture:
        """The sample to look at."""
        return Picture(sample_id=self.sample_id, path=self.path, split=self.split or None, given=self.label)

    def location(self, related: Sequence[Member], note: str = "") -> Location:
        """The sample as a place, with the samples that it is compared with."""
        return Location(
            path=self.path,
            sample_id=self.sample_id,
            split=self.split or None,
            label=self.label,
            related=tuple(member.sample_id for member in related[:MAX_RELATED]),
            note=note,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DuplicateGroup:
    """Samples with one content."""

    content_hash: str
    members: tuple[Member, ...]
    """At least two, ordered by `split_order`, then by id."""

    @property
    def labels(self) -> Counter[str]:
        """How often each label is given to this content."""
        return Counter(member.label for member in self.members if member.label is not None)

    def in_split(self, split: str) -> tuple[Member, ...]:
        """The members in one split."""
        return tuple(member for member in self.members if member.split == split)


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """What two splits share."""

    left: str
    right: str
    n_left: int
    """Samples in the left split."""
    n_right: int
    shared_right: int
    """Samples of the right split with a copy in the left one."""
    n_groups: int
    """Contents that are in both."""
    expected_groups: float
    """How many contents a random assignment of these samples to the two splits would put in both."""
    p_value: float
    """Probability that a random assignment puts at least ``n_groups`` in both."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """How many contents occur once, twice, three times, and what that says of independence.

    With φₖ contents occurring k times, under independent draws from any discrete distribution the expectations of
    k!·φₖ are moments of a positive measure (Good 1953), so that by Cauchy–Schwarz
    E φₖ₊₁ ≥ k/(k + 1)·(E φₖ)²/E φₖ₋₁. Where pairs come by chance, triples do too; rows that were written twice make
    pairs and no triples.
    """

    occurrences: tuple[int, int, int, int, int]
    """φ₁ to φ₅."""

    def least_expected(self, k: int) -> float:
        """The least φₖ₊₁ that independent draws lead one to expect, for k from 2 to 4.

        φₖ is taken at two standard deviations below what was seen, φₖ₋₁ at two above.
        """
        fewer, here = self.occurrences[k - 2], self.occurrences[k - 1]
        return k / (k + 1) * max(0.0, here - 2 * math.sqrt(here)) ** 2 / (fewer + 2 * math.sqrt(fewer) + 1)

    @property
    def p_value(self) -> float:
        """Probability of as few contents one more time than the next, under independent draws (Poisson, Bonferroni)."""
        from scipy import stats

        tails = [stats.poisson.cdf(self.occurrences[k], self.least_expected(k)) for k in (2, 3, 4)]
        return float(min(1.0, 3 * min(tails)))

    @property
    def decides(self) -> bool:
        """Whether there are enough contents for the test: none instead of the triples seen or expected would fail."""
        return max(self.occurrences[2], self.least_expected(2)) >= -math.log(COPIES_P_VALUE / 3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicates:
    """Samples of equal content in a dataset.

    Samples that cannot be decoded are left out, as are pictures of one colour: all empty files are equal, and so
    are all black pictures, and neither says that one was copied from the other.
    """

    sizes: Mapping[str, int]
    """Compared samples by split, ordered by `split_order`."""
    pictures: bool
    """Whether the samples are pictures, of which two are not equal by chance."""
    patterns: Mapping[tuple[int, ...], int]
    """How many contents occur so often in each split (in the order of ``sizes``), contents that occur once included."""
    groups: tuple[DuplicateGroup, ...]
    """Contents with several samples: with conflicting labels or several splits first, at most `MAX_LISTED_GROUPS`."""
    n_conflicts: int = 0
    """Contents with more than one label."""
    n_conflict_samples: int = 0
    """Labelled samples of these."""
    least_wrong: int = 0
    """Labels that must be wrong if each content has one right label: all but the most frequent."""
    n_labelled: int = 0
    """Compared samples with a label."""
    n_unreadable: int = 0
    """Samples left out because they cannot be read or decoded."""
    n_textureless: int = 0
    """Samples left out because they are pictures without texture."""

    @classmethod
    def from_groups(
        cls, groups: Iterable[DuplicateGroup], *, sizes: Mapping[str, int], pictures: bool = True, n_labelled: int = 0
    ) -> Duplicates:
        """Duplicates from groups that are already known.

        Args:
            groups: Every content with at least two samples.
            sizes: Compared samples by split.
            pictures: Whether the samples are pictures.
            n_labelled: Samples with a label; all of them where it is 0.
        """
        listed = tuple(groups)
        splits = sorted(sizes, key=split_order)
        patterns: Counter[tuple[int, ...]] = Counter()
        for group in listed:
            patterns[tuple(len(group.in_split(split)) for split in splits)] += 1
        for index, split in enumerate(splits):
            in_groups = sum(pattern[index] * n for pattern, n in patterns.items() if sum(pattern) > 1)
            if alone := sizes[split] - in_groups:
                patterns[tuple(int(position == index) for position in range(len(splits)))] += alone
        conflicts = [group.labels for group in listed if len(group.labels) > 1]
        return cls(
            sizes={split: sizes[split] for split in splits},
            pictures=pictures,
            patterns=dict(patterns),
            groups=listed,
            n_conflicts=len(conflicts),
            n_conflict_samples=sum(labels.total() for labels in conflicts),
            least_wrong=sum(labels.total() - max(labels.values()) for labels in conflicts),
            n_labelled=n_labelled or sum(sizes.values()),
        )

    @classmethod
    def from_table(cls, table: SampleTable) -> Duplicates:
        """Duplicates in a sample table.

        Every total is an aggregate of DuckDB's, and only groups of two samples and more are ever listed.

        >>> rows = [{"sample_id": name, "split": "train", "content_hash": name[0], "row": 1} for name in ("a1", "a2")]
        >>> Duplicates.from_table(SampleTable.from_rows(rows)).n_groups
        1
        """
        import narwhals.stable.v2 as nw

        column = nw.col
        frame = table.stored.with_columns(split=column("split").fill_null(""))
        readable = column("decode_error").is_null() & ~column("content_hash").is_null()
        # A picture has a size, and no perceptual hash only where it has no texture.
        flat = ~column("width").is_null() & column("perceptual_hash").is_null()
        compared = frame.filter(readable & ~flat)
        flags = frame.select(
            unreadable=(~readable).cast(nw.Int64),
            textureless=(readable & flat).cast(nw.Int64),
            pictures=(~column("path").is_null()).cast(nw.Int64),
        )
        totals = fetch_rows(flags.select(*(column(name).sum() for name in ("unreadable", "textureless", "pictures"))))[
            0
        ]
        counted = fetch_rows(
            compared.group_by("split")
            .agg(n=nw.len(), labelled=column("label").count())
            .sort("split")
            .select("split", "n", "labelled")
        )
        sizes = {str(split): int(n) for split, n, _ in counted}
        splits = sorted(sizes, key=split_order)
        kept = _candidates(compared, table)
        conflicts = _conflicts(kept)
        return cls(
            sizes={split: sizes[split] for split in splits},
            pictures=bool(totals[2]),
            patterns=_patterns(kept, {split: sizes[split] for split in splits}),
            groups=_listed(kept),
            n_conflicts=conflicts[0],
            n_conflict_samples=conflicts[1],
            least_wrong=conflicts[2],
            n_labelled=sum(int(labelled) for _, _, labelled in counted),
            n_unreadable=int(totals[0] or 0),
            n_textureless=int(totals[1] or 0),
        )

    @property
    def n_samples(self) -> int:
        """How many samples were compared."""
        return sum(self.sizes.values())

    @property
    def n_groups(self) -> int:
        """Contents with more than one sample."""
        return sum(n for pattern, n in self.patterns.items() if sum(pattern) > 1)

    @property
    def n_copies(self) -> int:
        """Samples of these contents."""
        return sum(sum(pattern) * n for pattern, n in self.patterns.items() if sum(pattern) > 1)

    @property
    def profile(self) -> Profile:
        """How many contents occur once, twice, up to five times."""
        occurrences: Counter[int] = Counter()
        for pattern, n in self.patterns.items():
            occurrences[sum(pattern)] += n
        return Profile(occurrences=(occurrences[1], occurrences[2], occurrences[3], occurrences[4], occurrences[5]))

    @property
    def overlaps(self) -> Iterator[Overlap]:
        """What each pair of splits shares, pairs that share nothing included."""
        for (i, left), (j, right) in itertools.combinations(enumerate(self.sizes), 2):
            pairs = [((pattern[i], pattern[j]), n) for pattern, n in self.patterns.items()]
            shared = [(counts, n) for counts, n in pairs if min(counts) > 0]
            n_groups = sum(n for _, n in shared)
            group_sizes: Counter[int] = Counter()
            for counts, n in pairs:
                if sum(counts) > 1:
                    group_sizes[sum(counts)] += n
            expected, p_value = _chance(group_sizes, n_groups, self.sizes[left], self.sizes[right])
            yield Overlap(
                left=left,
                right=right,
                n_left=self.sizes[left],
                n_right=self.sizes[right],
                shared_right=sum(counts[1] * n for counts, n in shared),
                n_groups=n_groups,
                expected_groups=expected,
                p_value=p_value,
            )

    def origin(self, overlap: Overlap | None = None) -> Origin:
        """Whether equal samples are copies, or whether chance explains them.

        Args:
            overlap: The pair of splits in question; its excess over a random assignment counts as well.
        """
        if self.pictures:
            return Origin.COPIED
        profile = self.profile
        if profile.p_value < COPIES_P_VALUE or (overlap is not None and overlap.p_value < COPIES_P_VALUE):
            return Origin.COPIED
        return Origin.CHANCE if profile.decides else Origin.UNDECIDED


def _candidates(compared: Any, table: SampleTable) -> Any:
    """The samples that may share their content with another: those whose hashes are alike in 64 bits or 48.

    It takes a fraction of the memory and time that whole hashes take, which then need be compared of these alone. So
    much of two hashes agrees by chance in one of 2.8·10¹⁴ pairs, or fewer, which costs nothing but that comparison.
    """
    import narwhals.stable.v2 as nw

    columns = ("sample_id", "split", "label", "path", "content_hash")
    # Asked for three times, and found once.
    if table.elsewhere is not None:
        content = nw.col("content_hash")
        of_bytes = compared.collect_schema()["content_hash"] == nw.Binary
        begun = compared.select(*columns, beginning=content if of_bytes else content.str.slice(0, _BEGINNING))
        alike = begun.group_by("beginning").agg(n=nw.len()).filter(nw.col("n") > 1).select("beginning")
        found = begun.join(alike, on="beginning", how="semi").select(*columns)
        native = found.to_native()
        return nw.from_native(native.persist()) if hasattr(native, "persist") else found
    rows = compared.select(*columns).to_native().sql_query()
    connection = table.connection
    connection.register("repeated", {"hashed": _repeated(rows, table)})
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE candidates AS "
        f"FROM ({rows}) WHERE hash(content_hash) IN (SELECT hashed FROM repeated)"
    )
    connection.unregister("repeated")
    return nw.from_native(connection.sql("FROM candidates"))


def _repeated(rows: str, table: SampleTable) -> NDArray[np.uint64]:
    """The 64-bit hashes that several contents of rows have; numpy puts them in order faster than DuckDB groups them."""
    import numpy as np

    at_a_time = memory_share(HASHES_SHARE) // np.dtype(np.uint64).itemsize
    parts = max(1, math.ceil(table.n_samples / at_a_time))
    found = []
    for part in range(parts):
        fetched = table.connection.execute(
            f"SELECT hashed FROM (SELECT hash(content_hash) AS hashed FROM ({rows})) WHERE hashed % {parts} = {part}"
        ).fetchnumpy()
        hashed = np.sort(np.asarray(fetched["hashed"], dtype=np.uint64))
        found.append(np.unique(hashed[1:][hashed[1:] == hashed[:-1]]))
    return np.concatenate(found)


def _patterns(kept: Any, sizes: Mapping[str, int]) -> dict[tuple[int, ...], int]:
    """How many contents occur (n₁, n₂, …) times in the splits, those outside of `kept` once each."""
    import narwhals.stable.v2 as nw

    splits = list(sizes)
    if not splits:
        return {}
    names = [f"n{index}" for index in range(len(splits))]
    # Spark adds up no truth values, and Dask aggregates nothing but columns.
    flags = kept.select(
        "content_hash",
        **{name: (nw.col("split") == split).cast(nw.Int64) for name, split in zip(names, splits, strict=True)},
    )
    by_content = flags.group_by("content_hash").agg(*(nw.col(name).sum() for name in names))
    rows = fetch_rows(by_content.group_by(*names).agg(contents=nw.len()).sort(*names).select(*names, "contents"))
    patterns = {tuple(int(value) for value in row[:-1]): int(row[-1]) for row in rows}
    for index, split in enumerate(splits):
        once = tuple(int(index == other) for other in range(len(splits)))
        alone = sizes[split] - sum(pattern[index] * n for pattern, n in patterns.items() if pattern != once)
        if alone:
            patterns[once] = alone
    return dict(sorted(patterns.items()))


def _conflicts(kept: Any) -> tuple[int, int, int]:
    """Contents with several labels, their labelled samples, and those beyond each content's most frequent label."""
    import narwhals.stable.v2 as nw

    by_label = kept.filter(~nw.col("label").is_null()).group_by("content_hash", "label").agg(n=nw.len())
    by_content = by_label.group_by("content_hash").agg(labels=nw.len(), total=nw.col("n").sum(), most=nw.col("n").max())
    conflicting = by_content.filter(nw.col("labels") > 1)
    row = fetch_rows(conflicting.select(groups=nw.len(), total=nw.col("total").sum(), most=nw.col("most").sum()))[0]
    total, most = int(row[1] or 0), int(row[2] or 0)
    return int(row[0]), total, total - most


def _listed(kept: Any) -> tuple[DuplicateGroup, ...]:
    """The groups by name: those with several labels or splits first."""
    import narwhals.stable.v2 as nw

    column = nw.col
    grouped = kept.group_by("content_hash").agg(
        n=nw.len(),
        first_label=column("label").min(),
        last_label=column("label").max(),
        first_split=column("split").min(),
        last_split=column("split").max(),
    )
    several = (column("first_label") != column("last_label")) | (column("first_split") != column("last_split"))
    chosen = (
        grouped.filter(column("n") > 1)
        .select("content_hash", several=several.fill_null(value=False))
        .sort("several", "content_hash", descending=[True, False])
        .head(MAX_LISTED_GROUPS)
    )
    members = kept.select("content_hash", "sample_id", "split", "label", "path").join(
        chosen, on="content_hash", how="inner"
    )
    if members.implementation.is_dask():
        # Dask numbers no rows within groups: what is left of them is small enough for one machine.
        members = members.collect(backend="pyarrow").lazy(backend="duckdb")
    numbered = members.with_columns(
        number=column("sample_id").cum_count().over("content_hash", "split", "label", order_by="sample_id")
    ).filter(column("number") <= MAX_LISTED_PER_CELL)
    rows = fetch_rows(
        numbered.sort("several", "content_hash", "sample_id", descending=[True, False, False]).select(
            "content_hash", "sample_id", "split", "label", "path"
        )
    )
    groups = []
    for content_hash, group in itertools.groupby(rows, key=lambda row: row[0]):
        found = [Member(sample_id=row[1], split=row[2], label=row[3], path=row[4]) for row in group]
        found.sort(key=lambda member: (split_order(member.split), member.sample_id))
        named = content_hash.hex() if isinstance(content_hash, bytes) else content_hash
        groups.append(DuplicateGroup(content_hash=named, members=tuple(found)))
    return tuple(groups)


def _chance(group_sizes: Mapping[int, int], observed: int, n_left: int, n_right: int) -> tuple[float, float]:
    """Expected number of groups in both splits, and P(at least as many), if samples were assigned at random.

    A group of m samples lies in one split alone with probability C(n_left, m)/C(n, m) + C(n_right, m)/C(n, m). The
    groups are taken as independent: that they compete for the same places matters at the order of 1/n. The sum of
    independent binomials is convolved where it has up to 2,000 groups, and normal with a continuity correction
    beyond.
    """
    import numpy as np
    from scipy import special, stats

    n = n_left + n_right
    sizes = np.array(sorted(group_sizes), dtype=np.float64)
    groups = np.array([group_sizes[int(size)] for size in sizes], dtype=np.int64)

    def alone(places: int) -> Any:
        with np.errstate(invalid="ignore"):
            log_share = (
                special.gammaln(places + 1)
                - special.gammaln(np.maximum(places - sizes, 0) + 1)
                - special.gammaln(n + 1)
                + special.gammaln(n - sizes + 1)
            )
        return np.where(sizes <= places, np.exp(log_share), 0.0)

    both = np.clip(1 - alone(n_left) - alone(n_right), 0, 1)
    expected = float(groups @ both)
    if observed == 0:
        return expected, 1.0
    if groups.sum() <= 2_000:
        distribution = np.ones(1)
        for count, probability in zip(groups, both, strict=True):
            distribution = np.convolve(distribution, stats.binom.pmf(np.arange(count + 1), count, probability))
        return expected, float(min(1.0, distribution[observed:].sum()))
    deviation = math.sqrt(float(groups @ (both * (1 - both))))
    if deviation == 0:
        return expected, 1.0
    return expected, float(stats.norm.sf((observed - 0.5 - expected) / deviation))
