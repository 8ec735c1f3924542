"""One column of a proposed schema: its type, its nulls, and the checks that its values justify."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.dataset.proposed_schema.bounds import FEWEST_VALUES, TailBound, upper_bound
from dataguard.dataset.proposed_schema.closed_sets import closed_set
from dataguard.dataset.proposed_schema.id_patterns import id_pattern

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MOST_UNSEEN_SHARE = 0.01
"""What never occurred is forbidden where a share of it above this would have shown itself."""

CERTAINTY = 0.95
"""With this probability."""

MOST_WHOLE_CATEGORIES = 20
"""Different whole numbers that may be codes; beyond, they are quantities, which a range fits."""

ID_NAMES = frozenset({"id", "uuid", "guid"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One thing that a proposed schema says, and why."""

    value: Any
    """As YAML holds it."""
    reason: str
    """What the data show for it, in one line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposedColumn:
    """What is proposed for one column."""

    name: str
    claims: Mapping[str, Claim]
    """pandera's keys of a column, as ``dtype`` and ``nullable``, in the order they are written."""
    checks: Mapping[str, Claim] = field(default_factory=dict)
    """pandera's checks by name, in the order they are written."""
    notes: tuple[str, ...] = ()
    """What is not claimed, and why."""


def propose_column(series: pd.Series[Any], name: str, *, chance: float, is_id: bool = False) -> ProposedColumn:
    """What one column justifies.

    Args:
        series: The column, as `TableSource.columns` reads it.
        name: Its name.
        chance: That one of its statistical checks fails on as many fresh rows; each has this chance.
        is_id: Whether its owner says that it names the rows.
    """
    import pandas as pd

    n, present = len(series), series.dropna()
    nulls = n - len(present)
    claims: dict[str, Claim] = {}
    checks: dict[str, Claim] = {}
    notes: list[str] = []
    if not len(present):
        note = f"all {n:,} values are null, so that nothing is known of its type"
        return ProposedColumn(name=name, claims={"nullable": Claim(value=True, reason=note)})
    nullable = _nullable(n, nulls, is_id)
    claims |= _type(series, present, nullable=nullable.value)
    claims["nullable"] = nullable
    kind = series.dtype
    if pd.api.types.is_bool_dtype(kind):
        pass
    elif isinstance(kind, pd.CategoricalDtype):
        checks |= _categories(present, chance, notes)
    elif pd.api.types.is_integer_dtype(kind):
        unique = _unique_numbers(present, name, is_id, chance)
        if unique is not None:
            claims["unique"] = unique
            if present.min() >= 0:
                checks["ge"] = Claim(value=0, reason="no id is negative; ids may run on, so that there is no upper end")
        else:
            few = present.nunique() <= MOST_WHOLE_CATEGORIES
            checks |= (_categories(present, chance, [] if few else notes) if few else {}) or _range(
                present.to_numpy(dtype="float64"), chance, notes, whole=True
            )
    elif pd.api.types.is_float_dtype(kind):
        checks |= _range(present.to_numpy(dtype="float64"), chance, notes, whole=False)
    elif pd.api.types.infer_dtype(present, skipna=True) == "string":
        named, found = _text(present, name, is_id, chance, notes)
        claims |= named
        checks |= found
    elif pd.api.types.is_datetime64_any_dtype(kind):
        notes.append("no range of times: the next data will be later")
    elif pd.api.types.is_object_dtype(kind):
        kinds = sorted({type(value).__name__ for value in present})
        notes.append(f"no check of values: it holds {', '.join(kinds[:5])}")
    return ProposedColumn(name=name, claims=claims, checks=checks, notes=tuple(notes))


def largest_unseen_share(n: int) -> float:
    """The share that something may have that never occurred in n rows, at `CERTAINTY`: about 3 / n."""
    return 1 - (1 - CERTAINTY) ** (1 / n) if n else 1.0


def _nullable(n: int, nulls: int, is_id: bool) -> Claim:
    if nulls:
        return Claim(value=True, reason=f"{nulls:,} of {n:,} values are null")
    if is_id:
        return Claim(value=False, reason="it is the id column")
    share = largest_unseen_share(n)
    if share <= MOST_UNSEEN_SHARE:
        return Claim(
            value=False, reason=f"no null in {n:,} rows, so nulls are rarer than {share:.2g} ({CERTAINTY:.0%})"
        )
    return Claim(
        value=True,
        reason=f"no null, but in {n:,} rows only: a share of up to {share:.2g} would not show ({CERTAINTY:.0%})",
    )


def _type(series: pd.Series[Any], present: pd.Series[Any], *, nullable: bool) -> dict[str, Claim]:
    import pandas as pd

    kind, n = series.dtype, len(series)
    text = str(kind)
    if pd.api.types.is_object_dtype(kind) and pd.api.types.infer_dtype(present, skipna=True) == "string":
        # Before its version 3, pandas keeps text in object columns, and pandera calls these str.
        text = "str" if int(pd.__version__.partition(".")[0]) < 3 else "object"
    if pd.api.types.is_integer_dtype(kind) or pd.api.types.is_bool_dtype(kind):
        if nullable:
            # Whether a null occurs today decides between int64 and Int64; a schema must hold on both days.
            if not pd.api.types.is_extension_array_dtype(kind):
                text = {"bool": "boolean"}.get(text) or text.replace("int", "Int").replace("uI", "UI")
            why = f"{kind} in all {n:,} rows; read as {text}, which may hold nulls"
            return {"dtype": Claim(value=text, reason=why), "coerce": Claim(value=True, reason="for the nulls")}
        return {"dtype": Claim(value=text, reason=f"whole numbers or truth values in all {n:,} rows")}
    if pd.api.types.is_float_dtype(kind):
        values = present.to_numpy(dtype="float64")
        fractions = int((values != np.floor(values)).sum())
        claims = {"dtype": Claim(value=text, reason=f"{fractions:,} of {n:,} values have a fraction")}
        # A file whose values are all whole is read as integers; with few fractions that may happen by chance.
        if fractions < 20:
            claims["coerce"] = Claim(value=True, reason="so few fractions that the next file may have none")
        return claims
    return {"dtype": Claim(value=text, reason=f"the type of all {len(present):,} values that are there")}


def _categories(present: pd.Series[Any], chance: float, notes: list[str]) -> dict[str, Claim]:
    counts = present.value_counts()
    counts = counts[counts > 0]
    found = closed_set(int(count) for count in counts)
    if not found.is_closed(chance):
        notes.append(
            f"no list of values: {found.n_values:,} in {found.n_rows:,} rows, the rarest {found.least:,} times; "
            f"chance that the next row holds another {found.unseen_share:.2g} (Good-Turing), "
            f"surprises of one half by the other {found.surprises:.2g}, allowed {chance:.2g}"
        )
        return {}
    values = sorted(value.item() if isinstance(value, np.generic) else value for value in counts.index)
    reason = (
        f"{found.n_values:,} in {found.n_rows:,} rows, the rarest {found.least:,} times: the chance of another is "
        f"{found.unseen_share:.2g} (Good-Turing), surprises of one half by the other {found.surprises:.2g}"
    )
    return {"isin": Claim(value=values, reason=reason)}


def _range(
    values: NDArray[np.float64], chance: float, notes: list[str], *, whole: bool, what: str = "value"
) -> dict[str, Claim]:
    finite = values[np.isfinite(values)]
    if len(finite) < FEWEST_VALUES:
        notes.append(
            f"no range: {len(finite):,} finite {what}s are too few to foretell the next ({FEWEST_VALUES} needed)"
        )
        return {}
    least, largest = float(finite.min()), float(finite.max())
    if whole and max(-least, largest) > _EXACT:
        notes.append("no range: numbers this large are rather names than quantities")
        return {}
    low, high = upper_bound(-finite, chance=chance), upper_bound(finite, chance=chance)
    assert low is not None  # noqa: S101 - there are enough values
    assert high is not None  # noqa: S101
    step = _step(high.value + low.value, whole=whole)
    checks: dict[str, Claim] = {}
    if not np.isneginf(values).any():
        bound = -low.value if low.kind == "end" else min(least, -_outward(low.value, step))
        said = _said(f"least {what}", least, low, len(finite), chance)
        if bound < 0 <= least:
            said += "; none is negative: write 0 if none can be"
        checks["ge"] = Claim(value=_number(bound, whole), reason=said)
    if not np.isposinf(values).any():
        bound = high.value if high.kind == "end" else max(largest, _outward(high.value, step))
        said = _said(f"largest {what}", largest, high, len(finite), chance)
        checks["le"] = Claim(value=_number(bound, whole), reason=said)
    return checks


_EXACT = 2.0**53
"""Whole numbers up to this are exact as doubles."""

_WORDS = {"light": "the tail is no heavier than an exponential one", "heavy": "the tail may be a power law"}


def _said(what: str, seen: float, bound: TailBound, n: int, chance: float) -> str:
    if bound.kind == "end":
        return f"the {what}, {seen:g}, is held by {bound.tail:,} of {n:,}: a natural end"
    return (
        f"the {what} of {n:,} is {seen:g}; {_WORDS[bound.kind]}, estimated from {bound.tail:,} values; "
        f"as many fresh values go beyond with a chance of {chance:.2g}"
    )


def _step(width: float, *, whole: bool) -> float:
    """A round number of about a hundredth of the range, that bounds are rounded outward to."""
    step = 10.0 ** (math.floor(math.log10(width)) - 2) if 0 < width < math.inf else 0.0
    return max(step, 1.0) if whole else step


def _outward(bound: float, step: float) -> float:
    if not step or not math.isfinite(bound / step):
        return bound
    rounded = math.ceil(bound / step) * step
    return float(f"{rounded:.12g}")


def _number(value: float, whole: bool) -> float | int:
    return int(value) if whole and math.isfinite(value) else value


def _text(
    present: pd.Series[Any], name: str, is_id: bool, chance: float, notes: list[str]
) -> tuple[dict[str, Claim], dict[str, Claim]]:
    n = len(present)
    values = [str(value) for value in present]
    enough = largest_unseen_share(n) <= MOST_UNSEEN_SHARE
    counts = Counter(values)
    pattern = id_pattern(values, chance=chance) if enough else None
    unique: dict[str, Claim] = {}
    if len(counts) == n > 1:
        pairs = None if pattern is None else math.log(n / 2) + math.log(n) - pattern.log_capacity
        unique = _unique(n, name, is_id, pairs, chance, may_be_random=True)
    checks: dict[str, Claim] = {}
    if not unique:
        checks = _categories(present, chance, notes)
    if "isin" in checks:
        return {}, checks
    if pattern is not None:
        checks["str_matches"] = Claim(
            value=pattern.regex, reason=f"{pattern.words}; another form is rarer than {largest_unseen_share(n):.2g}"
        )
        return unique, checks
    suffix = _suffixes(values, chance) if enough else None
    if suffix is not None:
        checks["str_matches"] = suffix
    lengths = np.array([len(value) for value in values], dtype="float64")
    found = _range(lengths, chance, notes, whole=True, what="length")
    limits = {"max_value": found["le"].value} if "le" in found else {}
    reasons = [found["le"].reason] if limits else []
    if enough and lengths.min() >= 1:
        limits, reasons = {"min_value": 1} | limits, [f"no empty text in {n:,} rows", *reasons]
    if limits:
        checks["str_length"] = Claim(value=limits, reason="; ".join(reasons))
    return unique, checks


def _suffixes(values: list[str], chance: float) -> Claim | None:
    """The suffixes of file names, where they are all that there are."""
    found = [_SUFFIX.search(value) for value in values]
    if not all(found):
        return None
    counts = Counter(match.group(1) for match in found if match)
    seen = closed_set(counts.values())
    if not seen.is_closed(chance) or len(counts) > MOST_WHOLE_CATEGORIES:
        return None
    regex = rf"^(?:.|\n)*\.(?:{'|'.join(sorted(counts))})$"
    return Claim(value=regex, reason=f"every value ends so, the rarest suffix {seen.least:,} times of {seen.n_rows:,}")


_SUFFIX = re.compile(r"[^/.]\.([A-Za-z][A-Za-z0-9]{0,5})$")


def _unique_numbers(present: pd.Series[Any], name: str, is_id: bool, chance: float) -> Claim | None:
    n = len(present)
    if n < 2 or present.nunique() < n:
        return None
    spread = int(present.max()) - int(present.min()) + 1
    found = _unique(n, name, is_id, math.log(n / 2) + math.log(n) - math.log(spread), chance, may_be_random=False)
    return found.get("unique")


def _unique(
    n: int, name: str, is_id: bool, log_pairs: float | None, chance: float, *, may_be_random: bool
) -> dict[str, Claim]:
    """Whether distinct values are so by design: by the pairs of equal ones that chance would have given (birthdays)."""
    if is_id or name.lower() in ID_NAMES:
        why = "it is the id column" if is_id else "its name says that it is an id"
        return {"unique": Claim(value=True, reason=f"{why}, and all {n:,} values differ")}
    if log_pairs is None:
        return {}
    pairs = math.exp(min(log_pairs, 700))
    if pairs >= -math.log(chance):
        reason = f"all {n:,} values differ, where chance would have made {pairs:,.3g} pairs of equal ones"
    elif may_be_random and pairs <= chance:
        reason = f"all {n:,} values differ, of so many possible ones that chance makes {pairs:.2g} pairs"
    else:
        return {}
    return {"unique": Claim(value=True, reason=reason)}
