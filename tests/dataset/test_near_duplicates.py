from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from blake3 import blake3
from numpy.typing import NDArray

from dataguard.core.finding import Skipped
from dataguard.dataset import second_looks
from dataguard.dataset.decode import decoding, image_facts
from dataguard.dataset.near_duplicates import find_near_duplicates
from dataguard.dataset.near_pairs import NearDuplicates
from dataguard.dataset.perceptual_hash import perceptual_hash
from dataguard.dataset.table import SampleTable

pytestmark = pytest.mark.slow


Picture = NDArray[np.uint8]


def photograph(seed: int) -> Picture:
    """Overlapping discs of all sizes."""
    generator = np.random.default_rng(seed)
    picture = np.empty((96, 128, 3), np.uint8)
    picture[:] = generator.integers(0, 256, 3)
    for _ in range(120):
        centre = int(generator.integers(0, 128)), int(generator.integers(0, 96))
        colour = [int(value) for value in generator.integers(0, 256, 3)]
        cv2.circle(picture, centre, int(3 / (generator.random() ** 0.5 + 0.06)), colour, -1, cv2.LINE_AA)
    return picture


def encoded(picture: Picture, quality: int | None = None) -> bytes:
    bgr = np.ascontiguousarray(picture[..., ::-1])
    if quality is None:
        return cv2.imencode(".png", bgr)[1].tobytes()
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def row(root: Path, name: str, data: bytes) -> dict[str, Any]:
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    facts = {key: value for key, value in dataclasses.asdict(image_facts(data)).items() if value is not None}
    hashed = perceptual_hash(np.frombuffer(facts["thumbnail"], dtype=np.uint8).reshape(32, 32, 3))
    split = name.partition("/")[0]
    content = blake3(data).hexdigest()
    return {"sample_id": name, "path": name, "split": split, "content_hash": content, "perceptual_hash": hashed} | facts


class Store:
    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def get_blob(self, key: str) -> bytes | None:
        return self.blobs.get(key)

    def put_blob(self, key: str, blob: bytes) -> None:
        self.blobs[key] = blob


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Sixty pictures that have nothing to do with one another."""
    root = tmp_path_factory.mktemp("pictures")
    with decoding():
        return root, [row(root, f"train/{seed:03}.png", encoded(photograph(seed))) for seed in range(60)]


def search(root: Path, rows: list[dict[str, Any]], **options: Any) -> NearDuplicates:
    found = find_near_duplicates(SampleTable.from_rows(rows, root=root, version_id="v1"), **options)
    assert isinstance(found, NearDuplicates)
    return found


def planted(base: tuple[Path, list[dict[str, Any]]], data: bytes, name: str = "test/copy.jpg") -> NearDuplicates:
    root, rows = base
    with decoding():
        return search(root, [*rows, row(root, name, data)])


def names(found: NearDuplicates) -> list[tuple[str, str]]:
    return [(pair.left.sample_id, pair.right.sample_id) for pair in found.pairs]


def test_unrelated_pictures_make_no_pair(base: tuple[Path, list[dict[str, Any]]]) -> None:
    found = search(*base)
    assert found.pairs == ()
    assert found.n_hashed == 60
    assert found.sizes == {"train": 60}
    assert found.max_distance == found.asked_distance == 7


def halved(picture: Picture) -> bytes:
    return encoded(np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)), 80)


def brighter(picture: Picture) -> bytes:
    return encoded(np.clip(picture * 0.7 + 50, 0, 255).astype(np.uint8))


def colourless(picture: Picture) -> bytes:
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.imencode(".png", luma)[1].tobytes()


@pytest.mark.parametrize("change", [lambda picture: encoded(picture, 60), halved, brighter, colourless])
def test_finds_a_copy_that_was_changed(base: tuple[Path, list[dict[str, Any]]], change: Any) -> None:
    found = planted(base, change(photograph(7)))
    assert names(found) == [("test/copy.jpg", "train/007.png")]
    (pair,) = found.pairs
    assert pair.chance_pairs is not None
    assert pair.chance_pairs < 0.01
    assert pair.detail is not None
    assert pair.detail > 0.5
    assert not pair.mirrored
    assert "expected by chance" in pair.why


def test_finds_a_mirrored_copy_unless_told_not_to(base: tuple[Path, list[dict[str, Any]]]) -> None:
    root, rows = base
    with decoding():
        rows = [*rows, row(root, "test/mirrored.jpg", encoded(photograph(9)[:, ::-1], 80))]
    (pair,) = search(root, rows).pairs
    assert pair.mirrored
    assert pair.right.sample_id == "train/009.png"
    assert search(root, rows, mirrored=False).pairs == ()


def test_equal_bytes_are_left_to_exact_duplicates(base: tuple[Path, list[dict[str, Any]]]) -> None:
    found = planted(base, encoded(photograph(7)), "test/equal.png")
    assert found.pairs == ()
    assert found.n_candidates == 1


def test_other_colours_are_another_picture(base: tuple[Path, list[dict[str, Any]]]) -> None:
    picture = photograph(7).astype(np.float64)
    luma = picture @ [0.299, 0.587, 0.114]
    other = np.clip(luma[..., None] - (picture - luma[..., None]), 0, 255).astype(np.uint8)
    found = planted(base, encoded(other), "test/other.png")
    assert (found.n_candidates, found.n_alike) == (1, 0)
    assert found.pairs == ()


def test_copies_within_a_content_and_split_stand_for_one_another(base: tuple[Path, list[dict[str, Any]]]) -> None:
    root, rows = base
    with decoding():
        data = encoded(photograph(7), 70)
        rows = [*rows, *(row(root, f"test/{index}.jpg", data) for index in range(20))]
    found = search(root, rows)
    assert names(found) == [("test/0.jpg", "train/007.png")]
    assert found.n_hashed == 61
    assert found.sizes == {"train": 60, "test": 20}


def test_an_unchanged_dataset_is_not_decoded_again(
    base: tuple[Path, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, rows = base
    with decoding():
        rows = [*rows, row(root, "test/copy.jpg", encoded(photograph(3), 60))]
    store = Store()
    first = search(root, rows, cache=store)
    decoded: list[Path] = []
    monkeypatch.setattr(second_looks, "decoded", decoded.append)
    again = search(root, rows, cache=store)
    assert again == first
    assert len(first.pairs) == 1
    assert decoded == []


def test_a_file_that_has_gone_makes_no_pair(base: tuple[Path, list[dict[str, Any]]]) -> None:
    root, rows = base
    with decoding():
        rows = [*rows, row(root, "test/gone.jpg", encoded(photograph(3), 60))]
    (root / "test/gone.jpg").unlink()
    found = search(root, rows)
    assert (found.n_alike, found.n_looked, len(found.pairs)) == (1, 0, 0)


def test_without_the_second_look_nothing_is_decoded(base: tuple[Path, list[dict[str, Any]]]) -> None:
    root, rows = base
    with decoding():
        rows = [*rows, row(root, "test/copy.jpg", encoded(photograph(3), 60))]
    (root / "test/copy.jpg").unlink()
    found = search(root, rows, verify=False)
    assert len(found.pairs) == 1
    assert found.n_looked == 0


def test_too_few_pictures_for_a_background_still_find_a_copy(base: tuple[Path, list[dict[str, Any]]]) -> None:
    root, rows = base
    with decoding():
        rows = [*rows[:4], row(root, "test/copy.jpg", encoded(photograph(2), 90))]
    found = search(root, rows)
    assert names(found) == [("test/copy.jpg", "train/002.png")]
    assert found.dimension is None
    assert found.pairs[0].chance_pairs is None


@pytest.mark.slow
def test_untouched_digits_have_no_near_duplicates() -> None:
    from sklearn.datasets import load_digits

    with decoding():
        rows = []
        for index, digit in enumerate(load_digits().images):
            data = encoded(np.repeat(np.rint(digit * 255 / 16).astype(np.uint8)[..., None], 3, axis=2))
            thumbnail = image_facts(data).thumbnail
            assert thumbnail is not None
            hashed = perceptual_hash(np.frombuffer(thumbnail, dtype=np.uint8).reshape(32, 32, 3))
            name = f"{index:04}.png"
            rows.append(
                {"sample_id": name, "path": name, "content_hash": name, "perceptual_hash": hashed}
                | {"thumbnail": thumbnail}
            )
    found = search(Path(), rows, verify=False)
    assert found.n_hashed == 1797
    assert found.n_candidates > 0
    assert found.pairs == ()


def test_no_pictures_is_a_skip() -> None:
    found = find_near_duplicates(SampleTable.from_rows([{"sample_id": "1", "content_hash": "a", "row": 1}]))
    assert isinstance(found, Skipped)


def test_finds_a_crop_and_says_how_much_is_missing(base: tuple[Path, list[dict[str, Any]]]) -> None:
    picture = photograph(11)
    cut = np.asarray(cv2.resize(picture[5:91, 6:122], (128, 96), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    found = planted(base, encoded(cut, 90))
    assert names(found) == [("test/copy.jpg", "train/011.png")] or names(found) == [("train/011.png", "test/copy.jpg")]
    assert "cropped by" in found.pairs[0].why
    assert found.pairs[0].window != (1.0, 0.0, 1.0, 0.0)


def test_half_a_picture_is_not_looked_for(base: tuple[Path, list[dict[str, Any]]]) -> None:
    assert planted(base, encoded(np.ascontiguousarray(photograph(11)[:48]))).pairs == ()


def test_a_tiny_scan_is_recognized_in_its_jpeg_of_low_quality(tmp_path: Path) -> None:
    scans = [
        np.asarray(cv2.resize(photograph(seed), (8, 8), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        for seed in range(60)
    ]
    with decoding():
        rows = [row(tmp_path, f"train/{index:02}.png", encoded(scan)) for index, scan in enumerate(scans)]
        assert search(tmp_path, rows).pairs == ()
        found = search(tmp_path, [*rows, row(tmp_path, "test/copy.jpg", encoded(scans[4], 50))])
    (pair,) = found.pairs
    assert {pair.left.sample_id, pair.right.sample_id} == {"test/copy.jpg", "train/04.png"}
    assert pair.detail is None


def test_one_shape_in_two_colours_is_no_pair(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)

    def disc(colour: list[int], radius: int) -> Picture:
        picture = np.full((96, 96, 3), 255, np.uint8)
        cv2.circle(picture, (48, 48), radius, colour, -1, cv2.LINE_AA)
        return picture

    with decoding():
        rows = [
            row(
                tmp_path, f"train/{index:02}.png", encoded(disc(generator.integers(0, 200, 3).tolist(), 20 + index % 9))
            )
            for index in range(40)
        ]
        blue = row(tmp_path, "test/blue.png", encoded(disc([30, 60, 170], 24)))
        green = row(tmp_path, "train/green.png", encoded(disc([20, 150, 110], 24)))
        assert search(tmp_path, [*rows, blue, green]).pairs == ()
