"""How the rules about order write their figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dataguard.batches.evidence import EpochOrder, OrderEvidence
from dataguard.batches.significance import SMALLEST, OrderTest
from dataguard.core.exhibit import Listing
from dataguard.core.finding import Inconclusive, Location, Measurement, Observation, Outcome, Skipped

HINT = "name them with loader.label, or give batches of (inputs, labels)"


def p_text(p_value: float) -> str:
    """A p-value in words.

    >>> p_text(0.0312), p_text(0.0)
    ('p = 0.031', 'p < 1e-290')
    """
    return "p < 1e-290" if p_value < SMALLEST * 1e10 else f"p = {p_value:.2g}"


def measured(test: OrderTest, adjusted: float) -> Measurement:
    """A test's statistic with its p-value, which is corrected for all tests of the stream."""
    return Measurement(name=test.name, value=round(test.statistic, 6), p_value=adjusted, n=test.n)


def decided(adjusted: float, alpha: float, n_tests: int) -> Measurement:
    """What a rule decided by: the smallest corrected p-value against alpha."""
    return Measurement(
        name=f"smallest p-value, corrected for all {n_tests} tests of the stream", value=adjusted, threshold=alpha
    )


def listing_of_tests(tests: Mapping[str, OrderTest], adjusted: Mapping[str, float], names: Iterable[str]) -> Listing:
    """Every test with what it rests on, most significant first."""
    chosen = sorted(names, key=lambda name: (adjusted[name], tests[name].p_value))
    return Listing(
        title="Tests of the order",
        columns=("test", "observed", "if shuffled", "p-value", "p-value, corrected", "method", "what it says"),
        rows=tuple(
            (
                tests[name].name,
                round(tests[name].statistic, 4),
                round(tests[name].expected, 4),
                tests[name].p_value,
                adjusted[name],
                tests[name].method
                + (f", {tests[name].permutations:,} permutations" if tests[name].permutations else ""),
                tests[name].effect,
            )
            for name in chosen
        ),
        total=len(chosen),
    )


def condition(p_value: float, evidence: OrderEvidence, orders: Sequence[EpochOrder], of: int) -> str:
    """How unlikely it is, and in which epochs it was found, for the brackets behind a sentence."""
    where = epochs_text(orders, of).strip()
    corrected = f"{p_text(p_value)} if shuffled, corrected for all {evidence.n_tests} tests"
    return f"{where}; {corrected}" if where else corrected


def epochs_text(orders: Sequence[EpochOrder], of: int) -> str:
    """In which of the epochs looked at it was found; '' where there was one.

    >>> epochs_text([], 1)
    ''
    """
    if of < 2:
        return ""
    if len(orders) == of:
        return " in both epochs" if of == 2 and _one_rank(orders) else f" in all {of} passes looked at"
    return " in " + " and ".join(order.where for order in orders)


def _one_rank(orders: Sequence[EpochOrder]) -> bool:
    return len({order.item.rank for order in orders}) == 1


def places(orders: Iterable[EpochOrder], notes: Mapping[int, str] | None = None) -> tuple[Location, ...]:
    """One location an epoch."""
    return tuple(
        Location(note=order.where + (f": {notes[at]}" if notes and at in notes else ""))
        for at, order in enumerate(orders)
    )


def undecided(evidence: OrderEvidence, rule: str, names: Iterable[str]) -> Outcome:
    """Why a rule could make none of its tests."""
    reasons = dict.fromkeys(
        order.undecided[name] for order in evidence.epochs for name in names if name in order.undecided
    )
    if evidence.unlabelled:
        return Skipped(reason=evidence.unlabelled, hint=HINT)
    return Inconclusive(reason="; ".join(reasons) or f"there is nothing that {rule} could test")


def sampler_named(order: EpochOrder, evidence: OrderEvidence) -> Observation:
    """That the samples are drawn by a sampler that someone chose."""
    facts = evidence.stream.loaders[order.item.loader]
    kind = order.sampler
    name = kind.name if kind is not None and kind.deliberate else "weighted sampling"
    said = f" (the loader's sampler is {facts.sampler})" if facts.sampler else ""
    why = f": {kind.evidence}" if kind is not None and kind.deliberate else ""
    return Observation(
        message=f"The samples of {order.where} come by {name}{why}{said}; that is a choice, not a fault.",
        measurements=() if kind is None else tuple(measured(test, test.p_value) for test in kind.tests[:3]),
    )


def quiet(evidence: OrderEvidence, orders: Sequence[EpochOrder], rule: str, alpha: float) -> Observation | None:
    """The smallest p-value of a rule that found nothing."""
    found = [(order.adjusted[name], name, order) for order in orders for name in order.made(rule)]
    if not found:
        return None
    p, name, order = min(found, key=lambda item: item[0])
    what = "The test of the order is not" if len(found) == 1 else f"None of {len(found)} tests of the order is"
    return Observation(
        message=f"{what} significant: the smallest p-value, corrected for all "
        f"{evidence.n_tests} tests of the stream, is {p:.2g} ({order.tests[name].effect}).",
        measurements=(decided(p, alpha, evidence.n_tests),),
    )
