"""Inputs are put together right: which sample a probability belongs to, and that the cache changes nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard.config import Config, DatasetConfig
from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.core.finding import Skipped
from dataguard.core.progress import silent
from dataguard.dataset.class_counts import ClassCounts
from dataguard.dataset.schema import SchemaFailures
from dataguard.inputs import Inputs, open_source
from dataguard.labels.out_of_sample import OutOfSample
from dataguard.labels.permutations import LabelPermutations
from dataguard.labels.target_evidence import TargetEvidence

pytestmark = pytest.mark.slow


def inputs(path: Path, *, use_cache: bool = True, **dataset: Any) -> Inputs:
    config = Config(base=path.parent, dataset=DatasetConfig(path=str(path), **dataset))
    return Inputs(config, open_source(config), use_cache=use_cache, progress=silent)


def evidence(made: Inputs) -> OutOfSample:
    found = made.get(OutOfSample)
    assert isinstance(found, OutOfSample)
    return found


def listing(shapes: Path, folder: Path) -> Path:
    """A table that names the pictures in no order."""
    files = sorted(shapes.rglob("*.png"))
    order = np.random.default_rng(3).permutation(len(files))
    rows = [f"{files[index]},{files[index].parent.name}" for index in order]
    path = folder / "pictures.csv"
    path.write_text("file,kind\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_probabilities_belong_to_the_picture_of_their_row(shapes: Path, tmp_path: Path) -> None:
    found = evidence(inputs(listing(shapes, tmp_path), image="file", label="kind"))
    assert len(found.codes) == 300
    right = np.array(
        [f"/{found.classes[code]}/" in (path or "") for code, path in zip(found.codes, found.paths, strict=True)]
    )
    assert right.all()
    assert np.mean(found.pred_probs.argmax(axis=1) == found.codes) > 0.95


def test_what_is_cached_is_what_was_made(shapes: Path) -> None:
    first, second, uncached = (evidence(inputs(shapes, use_cache=cache)) for cache in (True, True, False))
    for other in (second, uncached):
        for field in dataclasses.fields(OutOfSample):
            one, two = getattr(first, field.name), getattr(other, field.name)
            if isinstance(one, np.ndarray):
                assert one.tobytes() == two.tobytes()
                assert not two.flags.writeable
            else:
                assert one == two


def test_given_probabilities_are_taken_as_they_are(shapes: Path, tmp_path: Path) -> None:
    truth = [path.parent.name for path in sorted(shapes.rglob("*.png"))]
    given = np.where(np.array([[name == "disc", name == "stripe"] for name in truth]), 0.9, 0.1)
    np.save(tmp_path / "p.npy", given)
    config = Config(base=tmp_path, dataset=DatasetConfig(path=str(shapes), pred_probs="p.npy"))
    found = evidence(Inputs(config, open_source(config), use_cache=False, progress=silent))
    np.testing.assert_allclose(found.pred_probs, given, atol=1e-6)
    assert len(str(found.origin["sha256"])) == 64


def test_no_schema_is_a_skip_with_a_way_out(shapes: Path) -> None:
    found = inputs(shapes).get(SchemaFailures)
    assert isinstance(found, Skipped)
    assert "dataset.schema" in found.hint


@pytest.mark.parametrize(("key", "value"), [("label", "x"), ("image", "x"), ("id", "x")])
def test_a_column_of_a_folder_is_a_mistake(shapes: Path, key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"dataset\.{key} names a column"):
        inputs(shapes, use_cache=True, **{key: value})


def test_a_pattern_of_a_table_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,label\n1,b\n")
    with pytest.raises(ConfigurationError, match=r"dataset\.pattern is for folders"):
        inputs(tmp_path / "x.csv", pattern="{label}/*")


def test_a_file_that_is_no_table_says_what_is(tmp_path: Path) -> None:
    (tmp_path / "x.docx").write_text("hello")
    with pytest.raises(SourceError, match=r"not a table[\s\S]*\.parquet"):
        inputs(tmp_path / "x.docx")


def permuted(made: Inputs) -> LabelPermutations:
    found = made.get(LabelPermutations)
    assert isinstance(found, LabelPermutations)
    return found


def test_the_permuted_label_control_of_pictures_is_made_once(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = permuted(inputs(shapes))
    assert first.kind == "image"
    assert first.p_value == 0.005
    assert all(f"/{first.classes[code]}/" in (path or "") for code, path in zip(first.codes, first.paths, strict=True))
    monkeypatch.setattr("dataguard.labels.control.permute_labels", None)
    second = permuted(inputs(shapes))
    assert second.null.tobytes() == first.null.tobytes()
    assert (second.paths, second.origin) == (first.paths, first.origin)


def test_the_permuted_label_control_takes_given_probabilities_and_features(shapes: Path, tmp_path: Path) -> None:
    truth = np.array([path.parent.name == "disc" for path in sorted(shapes.rglob("*.png"))])
    np.save(tmp_path / "p.npy", np.where(np.column_stack([truth, ~truth]), 0.9, 0.1))
    np.save(tmp_path / "f.npy", np.column_stack([truth, np.arange(300) % 7]).astype(np.float32))
    cases: dict[str, dict[str, Any]] = {"probabilities": {"pred_probs": "p.npy"}, "features": {"features": "f.npy"}}
    for kind, given in cases.items():
        config = Config(base=tmp_path, dataset=DatasetConfig(path=str(shapes), **given))
        found = permuted(Inputs(config, open_source(config), use_cache=False, progress=silent))
        assert found.kind == kind
        assert found.p_value == 0.005


def test_the_permuted_label_control_of_a_table_takes_one_sample_a_group(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"{number:.6f},{patient % 2},p{patient}"
        for patient, centre in enumerate(rng.normal(0, 3, 40))
        for number in rng.normal(centre, 1, 5)
    ]
    path = tmp_path / "t.csv"
    path.write_text("value,label,patient\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert permuted(inputs(path, label="label", group="patient")).n == 40
    assert permuted(inputs(path, label="label")).n == 200


def test_no_permuted_label_control_without_labels(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("value\n" + "\n".join(str(number) for number in range(30)) + "\n", encoding="utf-8")
    assert isinstance(inputs(path).get(LabelPermutations), Skipped)


# Texts


def reviews(folder: Path, n: int = 90) -> tuple[Path, list[str]]:
    """A table of texts in two classes; every fifth is of a class that its text contradicts."""
    rng = np.random.default_rng(0)
    words = {"good": ["fine", "lovely", "great", "superb", "nice"], "bad": ["awful", "poor", "dire", "nasty", "grim"]}
    filler = [f"w{number}" for number in range(60)]
    rows, truth = [], []
    for row in range(n):
        label = ("good", "bad")[row % 2]
        truth.append(label)
        text = " ".join([*rng.choice(filler, 6), *rng.choice(words[label], 4)])
        rows.append(f"{text},{'good' if row % 10 == 5 else label}")
    path = folder / "reviews.csv"
    path.write_text("review,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path, truth


def test_the_labels_of_texts_are_judged_by_the_texts(tmp_path: Path) -> None:
    path, truth = reviews(tmp_path)
    found = evidence(inputs(path))
    assert found.origin["model"] == "kernel ridge regression + naive Bayes"
    predicted = [found.classes[code] for code in found.pred_probs.argmax(axis=1)]
    assert np.mean([one == two for one, two in zip(predicted, truth, strict=True)]) > 0.9
    assert found.neighbour_probs is not None
    again = evidence(inputs(path, text="review"))
    assert again.pred_probs.tobytes() == found.pred_probs.tobytes()


def test_a_text_column_of_a_folder_is_a_mistake(shapes: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"dataset\.text names a column"):
        inputs(shapes, text="x")


# The user's own model

MODEL = """
import numpy as np
def embed(images):
    return np.stack([np.asarray(image.convert("L").resize((8, 8)), dtype=float).ravel() for image in images])
def count(texts):
    words = "fine lovely great superb nice awful poor dire nasty grim".split()
    return np.array([[text.split().count(word) for word in words] for text in texts])
def broken(images):
    raise ValueError("no such layer")
"""


def test_an_embedding_judges_pictures(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    config = Config(base=tmp_path, dataset=DatasetConfig(path=str(shapes), embedding="model.py:embed"))
    first, second = (evidence(Inputs(config, open_source(config), use_cache=True, progress=silent)) for _ in range(2))
    assert first.origin["features"] == "embedding of 64 numbers by model.py:embed"
    assert np.mean(first.pred_probs.argmax(axis=1) == first.codes) > 0.95
    assert first.neighbour_probs is not None
    assert first.pred_probs.tobytes() == second.pred_probs.tobytes()


def test_pictures_of_a_table_are_embedded_in_the_order_of_its_rows(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    found = evidence(inputs(listing(shapes, tmp_path), image="file", label="kind", embedding="model.py:embed"))
    assert np.mean(found.pred_probs.argmax(axis=1) == found.codes) > 0.95


def test_an_embedding_judges_texts(tmp_path: Path) -> None:
    path, truth = reviews(tmp_path)
    (tmp_path / "model.py").write_text(MODEL)
    found = evidence(inputs(path, embedding="model.py:count"))
    predicted = [found.classes[code] for code in found.pred_probs.argmax(axis=1)]
    assert np.mean([one == two for one, two in zip(predicted, truth, strict=True)]) > 0.95
    assert found.origin["features"] == "embedding of 10 numbers by model.py:count"


def test_mistakes_about_an_embedding_show_before_the_scan(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"model\.py: no such file"):
        inputs(shapes, embedding="model.py:embed")
    config = Config(base=tmp_path, dataset=DatasetConfig(path=str(shapes), embedding="x:y", features="f.npy"))
    with pytest.raises(ConfigurationError, match=r"dataset\.features and dataset\.embedding"):
        open_source(config)


def test_an_embedding_of_numbers_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "t.csv").write_text("a,label\n" + "\n".join(f"{row / 7},{row % 2}" for row in range(30)) + "\n")
    with pytest.raises(ConfigurationError, match="neither pictures nor texts"):
        evidence(inputs(tmp_path / "t.csv", embedding="model.py:embed"))


# A second estimate beside given probabilities


def test_given_probabilities_of_pictures_get_nearest_neighbours_beside_them(shapes: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", np.full((300, 2), 0.5))
    config = Config(base=tmp_path, dataset=DatasetConfig(path=str(shapes), pred_probs="p.npy"))
    found = evidence(Inputs(config, open_source(config), use_cache=False, progress=silent))
    assert found.neighbour_probs is not None
    assert np.mean(found.neighbour_probs.argmax(axis=1) == found.codes) > 0.9
    assert str(found.origin["second estimate"]).startswith("nearest neighbours by oriented gradients")


def test_given_probabilities_of_texts_and_columns_too(tmp_path: Path) -> None:
    path, _ = reviews(tmp_path)
    np.save(tmp_path / "p.npy", np.full((90, 2), 0.5))
    assert "tf-idf" in str(evidence(inputs(path, pred_probs=str(tmp_path / "p.npy"))).origin["second estimate"])
    (tmp_path / "t.csv").write_text("a,label\n" + "\n".join(f"{row % 2 + row / 900},{row % 2}" for row in range(90)))
    found = evidence(inputs(tmp_path / "t.csv", pred_probs=str(tmp_path / "p.npy")))
    assert found.origin["second estimate"] == "nearest neighbours by 1 from the table's columns"


def test_the_permuted_label_control_of_texts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = {"pet": ["cat", "dog", "fur", "paw", "tail"], "car": ["wheel", "road", "motor", "gear", "brake"]}
    rows = [
        f"{' '.join(rng.permutation(words[label])[:3])} number {row},{label}" for row in range(60) for label in words
    ]
    path = tmp_path / "t.csv"
    path.write_text("said,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    found = permuted(inputs(path, label="label", text="said"))
    assert found.kind == "text"
    assert found.n == 120
    assert found.p_value == 0.005


def test_a_quantity_is_a_target_and_has_no_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=80)
    rows = [f"{a:.5f},{50 + 9 * a + b:.3f}" for a, b in zip(x, rng.normal(size=80), strict=True)]
    path = tmp_path / "y.csv"
    path.write_text("x,price\n" + "\n".join(rows) + "\n", encoding="utf-8")
    made = inputs(path, label="price")
    counts = made.get(ClassCounts)
    assert isinstance(counts, Skipped)
    assert counts.reason == "the label is a regression target"
    found = made.get(TargetEvidence)
    assert isinstance(found, TargetEvidence)
    np.testing.assert_allclose(found.targets, [float(row.partition(",")[2]) for row in rows])
    assert len([note for note in made.notes if "regression target" in note]) == 1
    assert isinstance(inputs(path, label="price", task="classification").get(ClassCounts), ClassCounts)


def test_names_of_classes_are_no_targets(shapes: Path) -> None:
    found = inputs(shapes).get(TargetEvidence)
    assert isinstance(found, Skipped)
    assert 'dataset.task = "regression"' in found.hint
