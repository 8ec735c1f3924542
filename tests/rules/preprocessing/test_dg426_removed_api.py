from __future__ import annotations

from dataguard.core.finding import Severity
from dataguard.rules.preprocessing.dg426_removed_api import removed_api
from tests.rules.preprocessing.paths import findings, silent
from tests.rules.preprocessing.readings import fact, reading

GONE = fact("removed-api", message="Image.ANTIALIAS is gone since Pillow 10", library="pillow", removed="10.0")


def test_fires_as_a_warning_without_a_pin_and_as_an_error_against_one() -> None:
    (unpinned,) = findings(removed_api(reading(GONE)))
    (pinned,) = findings(removed_api(reading(GONE, versions={"pillow": "==10.0.1, requirements.txt:3"})))
    assert (unpinned.severity, pinned.severity) == (Severity.WARNING, Severity.ERROR)
    assert "==10.0.1, requirements.txt:3" in pinned.message


def test_silent_where_a_version_is_pinned_that_still_has_it() -> None:
    assert silent(removed_api(reading(GONE, versions={"pillow": "==9.5.0, requirements.txt:3"})))


def test_edge_a_range_or_an_odd_version_is_no_pin() -> None:
    for said in (">=8.0, requirements.txt:3", "9.5 (commit of 2023-06-01)", "==banana, setup.py:2", ""):
        (finding,) = findings(removed_api(reading(GONE, versions={"pillow": said})))
        assert finding.severity is Severity.WARNING
