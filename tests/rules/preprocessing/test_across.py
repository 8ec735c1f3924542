"""Rules about two paths, held over all paths of a repository."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Severity, Skipped
from dataguard.core.rule import Rule
from dataguard.preprocessing.audit.pairing import ComparedPaths, compare_paths
from dataguard.preprocessing.pipeline import Affine, Decode, Random
from dataguard.preprocessing.static.reading import FoundPath, Role
from dataguard.rules import all_rules
from dataguard.rules.preprocessing.across import AcrossPaths
from dataguard.rules.preprocessing.dg402_channel_order_mismatch import channel_order_mismatch
from dataguard.rules.preprocessing.dg405_value_range_mismatch import value_range_mismatch
from dataguard.rules.preprocessing.dg408_geometry_mismatch import geometry_mismatch
from dataguard.rules.preprocessing.dg409_orientation_alpha_gray_policy_mismatch import (
    orientation_alpha_gray_policy_mismatch,
)
from tests.rules.preprocessing.paths import findings, path
from tests.rules.preprocessing.readings import found, reading


def held(rule: Rule[Any], *paths: FoundPath, **options: Any) -> list[Any]:
    return AcrossPaths(rule)(compare_paths(reading(paths=paths)), **options)


TRAIN = found("train", entry="train.py:1", pipeline=path())


def test_it_is_the_same_rule_with_the_paths_of_a_repository_as_its_input() -> None:
    for rule in all_rules():
        if rule.code in ("DG402", "DG406"):
            across = AcrossPaths(rule)
            assert (across.code, across.name, across.page, across.severity) == (
                rule.code,
                rule.name,
                rule.page,
                rule.severity,
            )
            assert [item.type for item in across.inputs] == [ComparedPaths]
            assert across.options == rule.options


def test_one_mistake_against_two_training_paths_is_one_finding() -> None:
    second = found("train", entry="finetune.py:1", pipeline=path())
    served = found("serve", entry="serve.py:4", pipeline=path(order="BGR"))
    (finding,) = held(channel_order_mismatch, TRAIN, second, served)
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert "likewise against finetune.py: train" in finding.message
    assert [place.path for place in finding.locations] == ["serve.py", "train.py", "finetune.py"]


def test_two_paths_that_serve_are_two_findings_with_fingerprints_of_their_own() -> None:
    served = [found("serve", entry=f"{name}.py:4", pipeline=path(order="BGR")) for name in ("app", "demo")]
    first, second = findings(held(channel_order_mismatch, TRAIN, *served))
    assert first.fingerprint != second.fingerprint
    moved = [replace(one, entry=one.entry.replace(":4", ":90")) for one in served]
    again, _ = findings(held(channel_order_mismatch, TRAIN, *moved))
    assert again.fingerprint == first.fingerprint


def test_what_another_training_path_does_too_is_a_warning_of_low_confidence() -> None:
    second = found("train", entry="old.py:1", pipeline=path(order="BGR"))
    served = found("serve", entry="serve.py:4", pipeline=path(order="BGR"))
    (finding,) = findings(held(channel_order_mismatch, TRAIN, second, served))
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.LOW)
    assert "old.py: train does as serve.py: serve does" in finding.message


def test_what_other_options_lead_to_as_well_is_a_warning_of_low_confidence() -> None:
    paths = [
        found("serve", entry="demo.py:1", pipeline=path()),
        found("serve", entry="demo.py:1", pipeline=path(order="BGR")),
    ]
    (finding,) = findings(held(channel_order_mismatch, TRAIN, *paths))
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.LOW)
    assert "with other options it does as" in finding.message


def test_without_training_a_contradiction_is_a_warning() -> None:
    served = [
        found("serve", entry="a.py:1", pipeline=path()),
        found("serve", entry="b.py:1", pipeline=path(affine=Affine.of(("multiply", 1)))),
    ]
    (finding,) = findings(held(value_range_mismatch, *served))
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.LOW)


def test_rare_files_are_one_info_and_a_camera_orientation_is_a_warning() -> None:
    served = found("serve", entry="serve.py:4", pipeline=path(decode=Decode.of("pillow", "exif_transpose")))
    camera, rare = findings(held(orientation_alpha_gray_policy_mismatch, TRAIN, served))
    assert (camera.severity, camera.key[0]) == (Severity.WARNING, "decode.exif")
    assert rare.severity is Severity.INFO
    assert "transparency is kept" in rare.message
    assert "gray pictures are kept in one channel" in rare.message
    assert rare.message.count("Another policy") == 1


def test_what_is_not_known_is_said_once() -> None:
    unknown = path(geometry=None, undetermined={"geometry": "the size is an argument"})
    served = [found("serve", entry=f"{name}.py:4", pipeline=unknown) for name in ("app", "demo")]
    outcomes = held(geometry_mismatch, TRAIN, *served)
    assert [type(one) for one in outcomes] == [Inconclusive]


def test_equal_paths_are_a_pass_with_their_number() -> None:
    served = [found("serve", entry=f"{name}.py:4", pipeline=path()) for name in ("app", "demo")]
    (outcome,) = held(channel_order_mismatch, TRAIN, *served)
    assert isinstance(outcome, Observation)
    assert outcome.message.endswith("2 pairs of paths compared.")


@pytest.mark.parametrize("paths", [(), (TRAIN,)])
def test_nothing_to_compare_is_skipped(paths: tuple[FoundPath, ...]) -> None:
    (outcome,) = held(channel_order_mismatch, *paths)
    assert isinstance(outcome, Skipped)


def test_options_reach_the_rule() -> None:
    rule = next(rule for rule in all_rules() if rule.code == "DG406")
    served = found("serve", entry="serve.py:4", pipeline=path(affine=Affine.normalized([0.45], [0.22])))
    assert findings(held(rule, TRAIN, served))
    assert not findings(held(rule, TRAIN, served, min_mean=1000.0))


def test_another_layout_is_an_info_since_one_network_would_refuse_it() -> None:
    rule = next(rule for rule in all_rules() if rule.code == "DG407")
    (finding,) = findings(held(rule, TRAIN, found("serve", entry="serve.py:4", pipeline=path(layout="HWC"))))
    assert (finding.severity, finding.confidence) == (Severity.INFO, Confidence.LOW)


def test_paths_that_may_be_of_two_projects_are_a_warning() -> None:
    trained = [found("train", entry=f"{name}/train.py:1", pipeline=path()) for name in ("one", "two")]
    served = found("serve", entry="three/serve.py:4", pipeline=path(order="BGR"))
    (finding,) = findings(held(channel_order_mismatch, *trained, served))
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.LOW)


def test_a_slip_of_less_than_a_level_is_an_info() -> None:
    rule = next(rule for rule in all_rules() if rule.code == "DG406")
    slipped = path(affine=Affine.normalized((0.485, 0.456, 0.406), (0.228, 0.224, 0.225)))
    (finding,) = findings(held(rule, TRAIN, found("serve", entry="serve.py:4", pipeline=slipped)))
    assert finding.severity is Severity.INFO
    assert "probably a slip" in finding.message


def test_a_random_step_is_an_error_where_it_serves_and_a_warning_where_it_evaluates() -> None:
    rule = next(rule for rule in all_rules() if rule.code == "DG410")
    random = path(geometry=(Random(name="RandomHorizontalFlip"),))
    roles: tuple[tuple[Role, Severity], ...] = (("serve", Severity.ERROR), ("eval", Severity.WARNING))
    for role, expected in roles:
        (finding,) = findings(held(rule, TRAIN, found(role, entry="b.py:4", pipeline=random)))
        assert finding.severity is expected
