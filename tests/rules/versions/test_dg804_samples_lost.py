"""DG804, called directly."""

from __future__ import annotations

from dataguard.core.finding import Finding, Observation, Severity
from dataguard.rules.versions.dg804_samples_lost import samples_lost
from dataguard.versions.made_up import made_up_comparison


def test_fires_on_any_loss_and_names_the_samples() -> None:
    (finding,) = samples_lost(made_up_comparison(n=20, removed=3))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert finding.message == "3 of 20 samples (15.0 %) are gone: 3 of 'cat'."
    assert [place.sample_id for place in finding.locations] == ["0000.png", "0001.png", "0002.png"]


def test_fires_as_an_error_where_a_whole_class_is_gone() -> None:
    (finding,) = samples_lost(made_up_comparison(n=20, removed=10), max_share=0.9)
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.message.endswith("Nothing is left of class 'cat'.")


def test_silent_where_samples_were_only_added_or_relabelled() -> None:
    (seen,) = samples_lost(made_up_comparison(added=5, relabelled=2))
    assert isinstance(seen, Observation)
    assert seen.message == "All 10 samples of the former version are there."


def test_edge_the_share_that_may_go() -> None:
    compared = made_up_comparison(n=20, removed=2)
    (seen,) = samples_lost(compared, max_share=0.1)
    assert isinstance(seen, Observation)
    (found,) = samples_lost(compared, max_share=0.099)
    assert isinstance(found, Finding)


def test_edge_everything_is_gone() -> None:
    (finding,) = samples_lost(made_up_comparison(n=4, removed=4, added=4))
    assert isinstance(finding, Finding)
    assert finding.message.startswith("4 of 4 samples (100.0 %) are gone")
