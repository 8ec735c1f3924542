from __future__ import annotations

from dataguard.core.finding import Confidence, Finding, Observation, Skipped
from dataguard.environment.bundled import BundledLibrary, DecodingLibraries
from dataguard.rules.environment.dg511_pixel_changing_version import pixel_changing_version
from tests.environment.test_drift import declared, pin, there


def carried(*items: tuple[str, str, str], system: bool = False) -> DecodingLibraries:
    made = tuple(
        BundledLibrary(name=name, version=version, carrier=carrier, file="f") for carrier, name, version in items
    )
    return DecodingLibraries(bundled=() if system else made, system=made if system else ())


TURBO = carried(("pillow", "libjpeg-turbo", "3.1.2"))


def found(outcomes: list[object]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


def test_fires_on_a_pillow_with_another_decoder_than_is_pinned() -> None:
    lock = declared(pin("pillow", "==8.4.0"), pin("requests", "==1.0"))
    (finding,) = found([*pixel_changing_version(there(pillow="11.0.0", requests="2.0"), lock, TURBO)])
    assert "went from libjpeg 9 to libjpeg-turbo" in finding.message
    assert (finding.key, finding.locations[0].path) == (("pillow",), "lock.txt")
    assert finding.measurements[1].value == 41


def test_fires_downward_with_the_change_the_other_way_round() -> None:
    (finding,) = found([*pixel_changing_version(there(pillow="8.4.0"), declared(pin("pillow", "==11.0")), None)])
    assert "went from libjpeg-turbo to libjpeg 9" in finding.message


def test_fires_on_torchvision_antialias() -> None:
    lock = declared(pin("torchvision", "==0.15.2"))
    (finding,) = found([*pixel_changing_version(there(torchvision="0.19.0+cpu"), lock, None)])
    assert "antialias" in finding.message


def test_fires_on_the_other_opencv_distribution() -> None:
    lock = declared(pin("scikit-image", "==0.14.2"))
    (finding,) = found([*pixel_changing_version(there(scikit_image="0.22.0"), lock, None)])
    assert finding.key == ("scikit-image",)


def test_fires_on_a_pillow_that_carries_what_its_version_does_not() -> None:
    odd = carried(("pillow", "libjpeg", "9d"))
    (finding,) = found([*pixel_changing_version(there(pillow="11.0.0"), None, odd)])
    assert (finding.key, finding.confidence) == (("decoder", "pillow"), Confidence.HIGH)
    assert "carries libjpeg 9d, where its wheels carry libjpeg-turbo" in finding.message


def test_fires_on_a_pillow_that_uses_the_system_s_decoder() -> None:
    odd = carried(("system", "libjpeg", "9e"), system=True)
    (finding,) = found([*pixel_changing_version(there(pillow="11.0.0"), None, odd)])
    assert finding.confidence is Confidence.LOW


def test_fires_on_two_decoders_that_differ() -> None:
    both = carried(("pillow", "libjpeg", "9d"), ("cv2", "libjpeg-turbo", "3.1.2"))
    (finding,) = found([*pixel_changing_version(there(pillow="8.4.0"), None, both)])
    assert finding.key == ("decoders",)


def test_silent_where_no_change_lies_between() -> None:
    outcomes = pixel_changing_version(there(pillow="11.1.0"), declared(pin("pillow", "==11.0.0")), TURBO)
    (observation,) = outcomes
    assert isinstance(observation, Observation)
    assert "1 of them in another version" in observation.message


def test_silent_where_two_decoders_are_of_one_family() -> None:
    both = carried(("pillow", "libjpeg-turbo", "3.1"), ("cv2", "libjpeg-turbo", "2.1"))
    assert not found([*pixel_changing_version(there(pillow="11.0.0"), None, both)])


def test_edge_versions_that_are_none_and_packages_without_entries() -> None:
    lock = declared(pin("pillow", "===weird"), pin("requests", "==1"))
    assert not found([*pixel_changing_version(there(pillow="11.0", requests="2"), lock, None)])
    assert not found(
        [*pixel_changing_version(there(pillow="not-a-version"), None, carried(("pillow", "libjpeg", "9d")))]
    )


def test_edge_nothing_to_look_at() -> None:
    (outcome,) = pixel_changing_version(there(), None, None)
    assert isinstance(outcome, Skipped)
