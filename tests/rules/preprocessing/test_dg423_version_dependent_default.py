from __future__ import annotations

import pytest

from dataguard.core.finding import Severity
from dataguard.preprocessing.pipeline import Pipeline, Resize
from dataguard.preprocessing.provenance import Origin, Provenance
from dataguard.rules.preprocessing.dg423_version_dependent_default import version_dependent_default
from tests.rules.preprocessing.paths import findings, silent
from tests.rules.preprocessing.readings import fact, found, reading

ORIGIN = {"": Provenance(origin=Origin.DEFAULT, path="serve.py", line=7)}


@pytest.mark.slow
def test_fires_with_the_effect_of_both_ways_where_the_step_is_known() -> None:
    pytest.importorskip("torch")
    said = fact("version-dependent-default", message="antialias is on since torchvision 0.17, which is not pinned")
    step = Resize(
        rule="short",
        side=64,
        engine="torch",
        arithmetic="float32",
        antialias=None,
        undetermined={"antialias": "the version is not pinned"},
        provenance=ORIGIN,
    )
    path = found("serve", "serve.py:7", pipeline=Pipeline(geometry=(step,)))
    (finding,) = findings(version_dependent_default(reading(said, paths=(path,))))
    assert finding.severity is Severity.WARNING
    assert float(finding.measurements[0].value) > 0.5
    assert "levels on average" in finding.message


def test_fires_without_figures_where_the_step_is_not_known() -> None:
    (finding,) = findings(version_dependent_default(reading(fact("version-dependent-default", message="antialias"))))
    assert finding.measurements == ()


def test_silent_where_all_is_pinned() -> None:
    assert silent(version_dependent_default(reading()))


def test_edge_another_default_than_antialiasing_is_not_measured() -> None:
    path = found("serve", "serve.py:7", pipeline=Pipeline(geometry=(Resize(side=8, rule="short", provenance=ORIGIN),)))
    said = fact("version-dependent-default", message="the order of the result changed")
    (finding,) = findings(version_dependent_default(reading(said, paths=(path,))))
    assert finding.measurements == ()


def test_edge_a_pinned_version_makes_it_an_info() -> None:
    said = fact("version-dependent-default", message="the default changed", library="scikit-image")
    for declared, expected in (
        ("==0.14.0, requirements.txt:3", Severity.INFO),
        (">=0.14, requirements.txt:3", Severity.WARNING),
        ("==0.14.*, requirements.txt:3", Severity.WARNING),
        ("0.16 (commit of 2023-11-02)", Severity.WARNING),
        ("", Severity.WARNING),
    ):
        (finding,) = findings(version_dependent_default(reading(said, versions={"scikit-image": declared})))
        assert finding.severity is expected, declared
