"""How DG302 tells of rows and texts of tables that are nearly the same in two splits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Finding, Location, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Rule
from dataguard.core.split_roles import is_training
from dataguard.dataset.most_alike_texts import SHORT
from dataguard.dataset.near_rows import NearRowPair, NearRows, NearRowsBetween
from dataguard.dataset.near_texts import NearTextPair, NearTexts, NearTextsBetween
from dataguard.dataset.nearness import EXPECTED_BY_CHANCE, Gap
from dataguard.rules.splits.copies_worth import worth_of_copies
from dataguard.splits.samples import SplitSamples
from dataguard.splits.worth.record import Worth, describe, measurements

SHOWN = 50
"""Pairs in an exhibit; the locations hold all."""
_LONGEST_TEXT = 400
_LONGEST_CELLS = 6


def row_outcomes(
    rule: Rule[Any], rows: NearRows, *, max_share: float, samples: SplitSamples | None = None
) -> Iterator[Outcome]:
    """A finding for each two splits with rows that are nearly the same, and what was compared."""
    for between in rows.between:
        if between.total > max_share * rows.sizes[between.right]:
            yield _rows_finding(rule, rows, between, max_share, samples)
    yield Observation(
        message=f"rows compared by {len(rows.columns)} columns"
        + (
            f" ({_some(rows.left_out)} left out: constant, or a number or name of its own in every row)"
            if rows.left_out
            else ""
        )
        + ": "
        + "; ".join(_compared(item.left, item.right, item.total, item.n_compared) for item in rows.between),
        measurements=tuple(measurement for item in rows.between for measurement in _row_figures(rows, item, max_share)),
    )


def text_outcomes(
    rule: Rule[Any], texts: NearTexts, *, max_share: float, samples: SplitSamples | None = None
) -> Iterator[Outcome]:
    """A finding for each two splits with texts that are nearly the same, and what was compared."""
    for between in texts.between:
        if between.total > max_share * texts.sizes[between.right]:
            yield _texts_finding(rule, texts, between, max_share, samples)
    yield Observation(
        message=f"texts of the column {texts.column!r} compared by phrases of three words, {texts.n_common:,} phrases "
        f"left out as boilerplate, and texts of fewer than {SHORT} words by words: "
        + "; ".join(_compared(item.left, item.right, item.total, item.n_compared) for item in texts.between),
        measurements=tuple(
            measurement for item in texts.between for measurement in _text_figures(texts, item, max_share)
        ),
    )


def _rows_finding(
    rule: Rule[Any], rows: NearRows, between: NearRowsBetween, max_share: float, samples: SplitSamples | None
) -> Finding:
    changed = sum(pair.n_changed > 0 for pair in between.pairs)
    how = "equal up to rounding, noise or spelling"
    if changed:
        how = f"{how}, {changed:,} of them in all but a few cells" if changed < between.total else "equal in most cells"
    return _finding(
        rule,
        between,
        rows.sizes[between.right],
        what=("row", "rows"),
        how=how,
        confidence=Confidence.MEDIUM if changed else Confidence.HIGH,
        pairs=between.pairs,
        notes=tuple(pair.why for pair in between.pairs),
        figures=_row_figures(rows, between, max_share),
        listing=Listing(
            title=f"Rows of {_name(between.right)} that are nearly a row of {_name(between.left)}, most alike first",
            columns=(_name(between.left), _name(between.right), "in common", "what differs"),
            rows=tuple(
                (_member(pair.left), _member(pair.right), pair.why, _cells(pair)) for pair in between.pairs[:SHOWN]
            ),
            total=between.total,
        ),
        samples=samples,
        key="rows",
    )


def _texts_finding(
    rule: Rule[Any], texts: NearTexts, between: NearTextsBetween, max_share: float, samples: SplitSamples | None
) -> Finding:
    same = sum(pair.similarity >= 1 for pair in between.pairs)
    how = "word for word" if same == between.total else "with a few words changed, left out or added"
    if 0 < same < between.total:
        how += f", {same:,} of them word for word"
    return _finding(
        rule,
        between,
        texts.sizes[between.right],
        what=("text", "texts"),
        how=how,
        confidence=Confidence.HIGH,
        pairs=between.pairs,
        notes=tuple(f"{pair.similarity * 100:.0f} % alike: {pair.difference}" for pair in between.pairs[:SHOWN]),
        figures=_text_figures(texts, between, max_share),
        listing=Listing(
            title=f"Texts of {_name(between.right)} that are nearly a text of {_name(between.left)}, most alike first",
            columns=(_name(between.left), _name(between.right), "alike", "what differs"),
            rows=tuple(
                (
                    f"{_member(pair.left)}: {_cut(pair.left_text)}",
                    f"{_member(pair.right)}: {_cut(pair.right_text)}",
                    f"{pair.similarity * 100:.0f} %",
                    pair.difference,
                )
                for pair in between.pairs[:SHOWN]
            ),
            total=between.total,
        ),
        samples=samples,
        key="texts",
    )


def _finding(
    rule: Rule[Any],
    between: NearRowsBetween | NearTextsBetween,
    n_right: int,
    *,
    what: tuple[str, str],
    how: str,
    confidence: Confidence,
    pairs: Sequence[NearRowPair | NearTextPair],
    notes: Sequence[str],
    figures: tuple[Measurement, ...],
    listing: Listing,
    samples: SplitSamples | None,
    key: str,
) -> Finding:
    left, right = _name(between.left), _name(between.right)
    training = is_training(between.left) or is_training(between.right)
    worth = worth_of_copies(samples, between.left, between.right, {pair.left.sample_id for pair in pairs})
    share = between.total / n_right
    message = (
        f"{between.total:,} of {n_right:,} {what[1]} of {right} ({share * 100:.2f} %) "
        f"{f'is nearly a {what[0]}' if between.total == 1 else f'are nearly {what[1]}'} of {left}: {how}"
        + (f". {describe(worth)}".rstrip(".") if isinstance(worth, Worth) else "")
    )
    return rule.finding(
        message,
        remedy=f"Look at the pairs; delete the copies from {left}, or move them to one split, and measure on {right} "
        "again. Where one thing was recorded several times, split by thing.",
        severity=Severity.ERROR if training else Severity.WARNING,
        confidence=confidence,
        measurements=(
            *figures,
            Measurement(
                name=f"widest 95 % sampling error of an accuracy on {right}",
                value=0.98 / n_right**0.5,
                n=n_right,
                unit="share",
            ),
            *(() if worth is None else measurements(worth)),
        ),
        locations=tuple(
            _location(pair, notes[place] if place < len(notes) else "") for place, pair in enumerate(pairs)
        ),
        exhibits=(listing,),
        key=(between.left, between.right, key),
    )


def _location(pair: NearRowPair | NearTextPair, note: str) -> Location:
    return pair.right.location([pair.left], note=note)


def _row_figures(rows: NearRows, between: NearRowsBetween, max_share: float) -> tuple[Measurement, ...]:
    left, right = _name(between.left), _name(between.right)
    n = rows.sizes[between.right]
    return (
        Measurement(
            name=f"share of {right} that is nearly a row of {left}",
            value=between.total / n,
            threshold=max_share,
            n=n,
            unit="share",
        ),
        Measurement(
            name=f"rows of {right} that equal one of {left} up to rounding and spelling",
            value=between.n_same,
            threshold=f"expected by chance at most {EXPECTED_BY_CHANCE:g}, or too many to be chance",
        ),
        Measurement(name=f"such rows of {right} expected by chance", value=expected_in_words(between.expected_same)),
        *_gap_figures(between.gap, f"rows of {right}", "relative to the usual distance around them"),
    )


def _text_figures(texts: NearTexts, between: NearTextsBetween, max_share: float) -> tuple[Measurement, ...]:
    left, right = _name(between.left), _name(between.right)
    n = texts.sizes[between.right]
    return (
        Measurement(
            name=f"share of {right} that is nearly a text of {left}",
            value=between.total / n if n else 0.0,
            threshold=max_share,
            n=n,
            unit="share",
        ),
        Measurement(name=f"texts of {right} that are word for word one of {left}", value=between.n_same),
        *_gap_figures(between.gap, f"texts of {right}", "weighed share of phrases not in common"),
        *_gap_figures(between.short_gap, f"short texts of {right}", "weighed share of words not in common"),
    )


def expected_in_words(expected: float) -> float | str:
    """How many equal rows chance makes, as a report shows it."""
    return float(f"{expected:.3g}") if math.isfinite(expected) else "not known: too few rows"


def _gap_figures(gap: Gap, what: str, unit: str) -> Iterator[Measurement]:
    if gap.n:
        yield Measurement(
            name=f"distance of {what} below the gap ({unit})", value=float(f"{gap.threshold:.3g}"), n=gap.n
        )
        yield Measurement(
            name=f"pairs of {what} below the gap expected by chance",
            value=float(f"{gap.expected:.2g}"),
            threshold=EXPECTED_BY_CHANCE,
            p_value=gap.p_value,
        )
    if gap.natural is not None:
        yield Measurement(name=f"nearest other distance of {what} ({unit})", value=float(f"{gap.natural:.3g}"))


def _compared(left: str, right: str, total: int, n: int) -> str:
    return f"{total:,} of {n:,} compared of {_name(right)} are nearly one of {_name(left)}"


def _cells(pair: NearRowPair) -> str:
    if not pair.cells:
        return "how the values are written"
    shown = [f"{cell.column}: {cell.left} → {cell.right}" for cell in pair.cells[:_LONGEST_CELLS]]
    more = pair.n_close + pair.n_changed - len(shown)
    return "; ".join(shown) + (f"; {more} more" if more > 0 else "")


def _member(member: Any) -> str:
    return member.sample_id if member.label is None else f"{member.sample_id} ({member.label})"


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST_TEXT else flat[: _LONGEST_TEXT - 1] + "…"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _name(split: str) -> str:
    return split or "the samples without a split"
