from __future__ import annotations

from dataclasses import replace

from dataguard.core.finding import Inconclusive, Observation, Severity
from dataguard.preprocessing.pair import DeclaredPair
from dataguard.preprocessing.pipeline import Affine, Decode
from dataguard.rules.preprocessing.dg412_differs_from_pretrained_configuration import (
    differs_from_pretrained_configuration,
)
from tests.rules.preprocessing.paths import CROP, RESIZE, findings, path, unknown_path


def test_fires_once_with_all_fields() -> None:
    served = path(name="serve", order="BGR", geometry=(replace(RESIZE, kernel="cubic", cubic=-0.5), CROP))
    (finding,) = findings(differs_from_pretrained_configuration(DeclaredPair.of(served, path(name="config.json"))))
    assert finding.severity is Severity.ERROR
    assert "serve differs from config.json in 2 fields" in finding.message
    assert "channel order (RGB declared, BGR found)" in finding.message


def test_fires_as_a_warning_where_only_pixels_differ() -> None:
    served = path(geometry=(replace(RESIZE, kernel="cubic", cubic=-0.5), CROP))
    (finding,) = findings(differs_from_pretrained_configuration(DeclaredPair.of(served, path())))
    assert finding.severity is Severity.WARNING


def test_silent_where_it_is_done_as_declared() -> None:
    written = Affine.of(("subtract", (123.675, 116.28, 103.53)), ("divide", (58.395, 57.12, 57.375)))
    (outcome,) = differs_from_pretrained_configuration(DeclaredPair.of(path(affine=written), path()))
    assert isinstance(outcome, Observation)


def test_edge_what_is_not_declared_is_no_difference() -> None:
    silent_on = Decode(
        library=None, exif=None, alpha=None, gray=None, sixteen_bit=None, undetermined={"library": "not declared"}
    )
    (outcome,) = differs_from_pretrained_configuration(DeclaredPair.of(path(), path(decode=silent_on)))
    assert isinstance(outcome, Observation)
    assert "not compared: decode.library" in outcome.message


def test_edge_a_declaration_of_nothing_is_inconclusive() -> None:
    nothing = unknown_path("config", "not declared", None)
    (outcome,) = differs_from_pretrained_configuration(DeclaredPair.of(path(), nothing))
    assert isinstance(outcome, Inconclusive)
