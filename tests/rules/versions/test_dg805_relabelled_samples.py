"""DG805, called directly."""

from __future__ import annotations

from dataguard.core.exhibit import HeatMap
from dataguard.core.finding import Finding, Observation, Severity
from dataguard.rules.versions.dg805_relabelled_samples import relabelled_samples
from dataguard.versions.made_up import made_up_comparison


def test_fires_and_says_which_labels_became_which() -> None:
    (finding,) = relabelled_samples(made_up_comparison(n=20, relabelled=4))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert finding.message == "4 of 20 samples (20.0 %) have another label: 4 'cat' → 'dog'."
    assert {(place.label, place.note) for place in finding.locations} == {("dog", "was cat")}
    (mapped,) = [item for item in finding.exhibits if isinstance(item, HeatMap)]
    assert (mapped.rows, mapped.values) == (("cat", "dog"), ((0.0, 4.0), (0.0, 0.0)))


def test_silent_where_samples_came_and_went() -> None:
    (seen,) = relabelled_samples(made_up_comparison(n=20, removed=2, added=3))
    assert isinstance(seen, Observation)
    assert "18 samples of both versions" in seen.message


def test_edge_the_share_that_may_be_relabelled() -> None:
    compared = made_up_comparison(n=20, relabelled=1)
    (seen,) = relabelled_samples(compared, max_share=0.05)
    assert isinstance(seen, Observation)
    assert seen.message.startswith("1 sample relabelled")
    (found,) = relabelled_samples(compared, max_share=0.049)
    assert isinstance(found, Finding)


def test_edge_nothing_in_common() -> None:
    (seen,) = relabelled_samples(made_up_comparison(n=4, removed=4, added=4))
    assert isinstance(seen, Observation)
