from __future__ import annotations

import copy
import dataclasses
import pickle
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.core.finding import Confidence, Finding, Location, Measurement, Severity


def finding(**changes: object) -> Finding:
    fields: dict[str, object] = {
        "code": "DG301",
        "name": "duplicate-across-splits",
        "severity": Severity.ERROR,
        "confidence": Confidence.HIGH,
        "message": "3 of 100 samples",
        "remedy": "delete them",
        "key": ("train", "test"),
    }
    return Finding(**(fields | changes))  # type: ignore[arg-type]


def test_a_fingerprint_is_16_digits_and_never_changes() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", finding().fingerprint)
    # A baseline written by an earlier version holds this very text.
    assert finding().fingerprint == "307aef0f522bfb2a"


def test_a_fingerprint_does_not_depend_on_figures_or_order() -> None:
    places = (Location(sample_id="a"), Location(sample_id="b"))
    changed = finding(
        message="9 of 200 samples",
        severity=Severity.WARNING,
        confidence=Confidence.LOW,
        measurements=(Measurement(name="share", value=0.2),),
        locations=places[::-1],
    )
    assert changed.fingerprint == finding(locations=places).fingerprint


def test_a_fingerprint_tells_rules_and_keys_apart() -> None:
    prints = {
        finding(code=code, key=key).fingerprint
        for code in ("DG301", "DG302")
        for key in ((), ("",), ("train",), ("train", "test"), ("test", "train"), ("train\x1ftest",), ("traintest",))
    }
    assert len(prints) == 2 * 7


@settings(max_examples=40)
@given(st.lists(st.text(min_size=1), min_size=2, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_a_places_fingerprint_stays_when_related_samples_are_reordered(ids: list[str], random: object) -> None:
    shuffled = ids[1:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = Location(sample_id=ids[0], related=tuple(ids[1:]), note="first")
    other = Location(sample_id=ids[0], related=tuple(shuffled), note="second")
    assert finding().location_fingerprint(one) == finding().location_fingerprint(other)


def test_a_places_fingerprint_tells_places_and_findings_apart() -> None:
    places = [
        Location(),
        Location(path="a"),
        Location(sample_id="a"),
        Location(split="a"),
        Location(label="a"),
        Location(column="a"),
        Location(related=("a",)),
        Location(related=("a", "b")),
    ]
    prints = {finding(key=key).location_fingerprint(place) for place in places for key in ((), ("x",))}
    assert len(prints) == 2 * len(places)


def test_undecodable_file_names_have_fingerprints() -> None:
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    assert re.fullmatch(r"[0-9a-f]{16}", finding(key=(name,)).fingerprint)
    assert re.fullmatch(r"[0-9a-f]{16}", finding().location_fingerprint(Location(sample_id=name)))


def test_severities_are_ordered_and_have_words() -> None:
    assert Severity.INFO < Severity.WARNING < Severity.ERROR
    assert [severity.word for severity in Severity] == ["info", "warning", "error"]


def test_a_location_is_the_same_after_pickling() -> None:
    values = {field.name: f"{field.name} é" for field in dataclasses.fields(Location)}
    location = Location(**{**values, "line": 3, "related": ("b", "c")})  # type: ignore[arg-type]
    for one in (location, Location()):
        assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301 - what was just written
        assert copy.deepcopy(one) == one
