from __future__ import annotations

import datetime as dt

from dataguard.core.acceptance import Acceptances, IgnoreUse
from dataguard.core.baseline import BaselineEntry, GoneEntry
from dataguard.core.finding import Finding, Observation, Outcome, Severity, Skipped
from dataguard.rules.dataguard.dg901_unused_ignore import unused_ignore

ENTRY = BaselineEntry(
    fingerprint="0123456789abcdef",
    code="DG301",
    name="duplicate-across-splits",
    severity=Severity.ERROR,
    message="3 samples are copied.",
    places={"a": 2, "b": 1},
)


def use(**changes: object) -> IgnoreUse:
    fields: dict[str, object] = {"selector": "DG102", "reason": "rare classes are meant", "rules": ("DG102",)}
    return IgnoreUse(**(fields | changes))  # type: ignore[arg-type]


def findings(outcomes: list[Outcome]) -> list[Finding]:
    return [outcome for outcome in outcomes if isinstance(outcome, Finding)]


def test_fires_on_an_ignore_that_hides_nothing() -> None:
    (finding,) = findings(unused_ignore(Acceptances(ignores=(use(),), origin="dataguard.toml")))
    assert finding.severity is Severity.WARNING
    assert finding.message == 'The ignore of DG102 ("rare classes are meant") hides nothing: DG102 found nothing.'
    (place,) = finding.locations
    assert (place.path, place.note) == ("dataguard.toml", "ignore.DG102")


def test_fires_on_an_ignore_that_has_expired() -> None:
    old = use(reason="until it is mended", until=dt.date(2026, 1, 31), expired=True, n_hidden=0)
    (finding,) = findings(unused_ignore(Acceptances(ignores=(old,))))
    assert finding.message == (
        'The ignore of DG102 ended on 2026-01-31 ("until it is mended"): what it hid counts again.'
    )
    assert finding.locations == ()


def test_fires_on_what_is_gone_of_a_baseline() -> None:
    gone = (GoneEntry(entry=ENTRY, n_gone=3, whole=True), GoneEntry(entry=ENTRY, n_gone=1, whole=False))
    (finding,) = findings(unused_ignore(Acceptances(baseline="b.json", n_entries=4, gone=gone)))
    assert finding.severity is Severity.INFO
    assert (
        finding.message == "The baseline b.json has what is gone: 1 of its 4 findings (DG301) and places of 1 finding."
    )
    assert [place.note.split(": ")[1] for place in finding.locations] == ["gone", "1 of 3 places gone"]


def test_silent_where_every_ignore_hides_something() -> None:
    outcomes = unused_ignore(Acceptances(ignores=(use(n_hidden=2),), baseline="b.json", n_entries=4))
    assert findings(outcomes) == []
    (observation,) = outcomes
    assert isinstance(observation, Observation)
    assert observation.message == "1 ignore hides 2 findings; the baseline has 4 findings."


def test_silent_where_nobody_knows() -> None:
    unknown = (
        use(undecided=("DG102",)),  # skipped, inconclusive or crashed
        use(rules=()),  # no rule of this run
    )
    assert findings(unused_ignore(Acceptances(ignores=unknown))) == []


def test_silent_where_ignored_rules_are_not_run() -> None:
    assert findings(unused_ignore(Acceptances(ignores=(use(),)), run_ignored=False)) == []


def test_edge_nothing_is_accepted() -> None:
    (outcome,) = unused_ignore(Acceptances())
    assert isinstance(outcome, Skipped)


def test_edge_ignores_and_gone_findings_have_fingerprints_of_their_own() -> None:
    several = Acceptances(
        ignores=(use(), use(selector="DG1"), use(expired=True, until=dt.date(2026, 1, 1))),
        baseline="b.json",
        n_entries=1,
        gone=(GoneEntry(entry=ENTRY, n_gone=3, whole=True),),
    )
    found = findings(unused_ignore(several))
    assert len({finding.fingerprint for finding in found}) == len(found) == 4
