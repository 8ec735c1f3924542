from __future__ import annotations

from dataguard.core.finding import Severity, Skipped
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.rules.preprocessing.dg420_bgr_frame_used_as_rgb import bgr_frame_used_as_rgb
from tests.rules.preprocessing.paths import findings, silent
from tests.rules.preprocessing.readings import fact, found, reading

FACT = fact("bgr-used-as-rgb", message="the frame of VideoCapture.read is BGR, and Image.fromarray takes it for RGB")


def test_fires_as_an_error_with_place_and_measured_effect() -> None:
    (finding,) = findings(bgr_frame_used_as_rgb(reading(FACT)))
    assert finding.severity is Severity.ERROR
    assert finding.message.startswith("serve.py:7: the frame of VideoCapture.read is BGR")
    assert [(place.path, place.line) for place in finding.locations] == [("serve.py", 7)]
    assert float(finding.measurements[0].value) > 5


def test_fires_once_a_file_with_all_places() -> None:
    again = fact("bgr-used-as-rgb", line=30, message=FACT.message)
    elsewhere = fact("bgr-used-as-rgb", file="live.py", message=FACT.message)
    first, second = findings(bgr_frame_used_as_rgb(reading(FACT, again, elsewhere)))
    assert [place.line for place in first.locations] == [7, 30]
    assert "and 1 more in this file" in first.message
    assert second.locations[0].path == "live.py"
    assert first.fingerprint != second.fingerprint


def test_fires_as_a_warning_where_training_does_the_same() -> None:
    in_training = fact("bgr-used-as-rgb", file="train.py", line=3)
    paths = (found("train", "train.py:3"), found("serve", "serve.py:7"))
    first, _ = findings(bgr_frame_used_as_rgb(reading(FACT, in_training, paths=paths)))
    assert first.severity is Severity.WARNING
    assert "training does the same" in first.message
    # One path that does it right is enough for a contradiction.
    right = found("eval", "evaluate.py:9")
    first, _ = findings(bgr_frame_used_as_rgb(reading(FACT, in_training, paths=(*paths, right))))
    assert first.severity is Severity.ERROR


def test_fires_as_a_warning_where_training_feeds_such_an_order() -> None:
    swapped, unread = Pipeline(order="BGR"), Pipeline(order=None, undetermined={"order": "it is an argument"})
    paths = (found("train", "train.py:3", pipeline=swapped), found("serve", "app.py:7", pipeline=unread))
    (finding,) = findings(bgr_frame_used_as_rgb(reading(FACT, paths=paths)))
    assert finding.severity is Severity.WARNING
    (finding,) = findings(bgr_frame_used_as_rgb(reading(FACT, paths=paths[1:])))
    assert finding.severity is Severity.ERROR


def test_fires_as_a_warning_where_only_another_network_takes_red_first() -> None:
    trained = found("train", "train.py:3", pipeline=Pipeline(order="BGR"), networks=("class:Recognizer@net.py",))
    finding_faces = found("serve", "faces.py:4", networks=("class:Detector@faces.py",))
    recognized = found("serve", "serve.py:7", networks=("class:Recognizer@net.py",))
    (finding,) = findings(bgr_frame_used_as_rgb(reading(FACT, paths=(trained, finding_faces, recognized))))
    assert finding.severity is Severity.WARNING


def test_silent_where_there_is_no_such_place() -> None:
    assert silent(bgr_frame_used_as_rgb(reading(fact("removed-api"))))


def test_edge_without_code_nothing_was_checked() -> None:
    (outcome,) = bgr_frame_used_as_rgb(reading(files=0))
    assert isinstance(outcome, Skipped)


def test_edge_a_line_that_moves_keeps_its_fingerprint() -> None:
    texts = [("the frame of line 7 is BGR", 7), ("the frame of line 19 is BGR", 19)]
    made = [findings(bgr_frame_used_as_rgb(reading(fact("bgr-used-as-rgb", message=m, line=n))))[0] for m, n in texts]
    assert made[0].fingerprint == made[1].fingerprint
