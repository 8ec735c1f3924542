from __future__ import annotations

from typing import Any

from dataguard.core.finding import Severity
from dataguard.rules.preprocessing.dg424_lossy_offline_step import lossy_offline_step
from tests.rules.preprocessing.paths import findings, silent
from tests.rules.preprocessing.readings import fact, reading


def levels(**detail: Any) -> float:
    (finding,) = findings(lossy_offline_step(reading(fact("lossy-offline-step", **detail))))
    return float(finding.measurements[0].value)


def test_fires_as_a_warning_with_the_loss_of_that_quality() -> None:
    (finding,) = findings(lossy_offline_step(reading(fact("lossy-offline-step", library="opencv"))))
    assert finding.severity is Severity.WARNING
    assert "as JPEG of quality 95" in str(finding.measurements[2].value)
    assert levels(quality=30) > levels(library="pillow") > levels(library="opencv") > 0


def test_silent_where_nothing_is_written() -> None:
    assert silent(lossy_offline_step(reading()))


def test_edge_an_unknown_quality_or_form_has_no_figures() -> None:
    details: tuple[dict[str, Any], ...] = ({}, {"quality": 0}, {"quality": 90, "format": "webp"})
    for detail in details:
        (finding,) = findings(lossy_offline_step(reading(fact("lossy-offline-step", **detail))))
        assert finding.measurements == ()
