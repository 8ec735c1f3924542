"""What a function does wrong when it is asked is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from dataguard.preprocessing.probe.asking import ProbeError, as_array, form_of, open_asker
from dataguard.preprocessing.probe.identify import identify


def small(pixels: Any) -> Any:
    return cv2.resize(pixels, (96, 96))


def raising(pixels: Any) -> Any:
    raise RuntimeError("no such model")


BAD: dict[str, tuple[Callable[[Any], Any], str]] = {
    "None": (lambda p: None, "returned None"),
    "list": (lambda p: [small(p), small(p)], "a list of 2 arrays"),
    "empty": (lambda p: (), "an empty tuple"),
    "text": (lambda p: "done", "returned str, which is no array"),
    "batch": (lambda p: np.stack([small(p), small(p)]), r"a batch of 2: \(2, 96, 96, 3\)"),
    "dictionary": (lambda p: {"a": small(p), "b": 1}, "a dictionary with the keys 'a', 'b'"),
    "raises": (raising, "raised RuntimeError: no such model"),
    "constant": (lambda p: np.ones((96, 96, 3), dtype=np.float32), "does not depend on the picture"),
    "vector": (lambda p: small(p).reshape(-1)[:1000], "fewer than two dimensions"),
    "integers": (lambda p: small(p).astype(np.int64), "dtype int64"),
    "order": (lambda p: small(p)[:, :, [1, 0, 2]], "the order GRB"),
    "mixture": (lambda p: cv2.cvtColor(small(p), cv2.COLOR_RGB2YCrCb), "mixtures"),
    "size by colour": (lambda p: small(p)[: 96 if p.mean() < 200 else 80], "depends on the colour"),
    "nested lists": (lambda p: small(p).tolist(), "nested lists of numbers"),
    "not finite": (lambda p: small(p) * np.float32("nan"), "100% of the answer to a photograph is NaN"),
    "ragged": (lambda p: [[1, 2], [3]], "no array"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_answers_are_named(kind: str) -> None:
    function, message = BAD[kind]
    with pytest.raises(ProbeError, match=message):
        identify(function, takes="array")


def test_a_function_that_takes_nothing_says_what_each_way_led_to() -> None:
    with pytest.raises(ProbeError, match="neither") as caught:
        open_asker(raising)
    assert (caught.value.hint or "").count("no such model") == 4


def test_pictures_and_tensors_and_dictionaries_are_arrays() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(as_array(Image.fromarray(pixels)), pixels)
    np.testing.assert_array_equal(as_array({"pixel_values": [pixels]}), pixels)
    torch = pytest.importorskip("torch")
    np.testing.assert_array_equal(as_array(torch.from_numpy(pixels).requires_grad_(False)), pixels)
    assert as_array(torch.zeros(2, 2, dtype=torch.bfloat16)).dtype == np.float32


class OnDevice:
    """A tensor that lies elsewhere."""

    device = "cpu"

    def __init__(self, values: Any) -> None:
        self.values = values

    def detach(self) -> OnDevice:
        return self

    def cpu(self) -> Any:
        torch = pytest.importorskip("torch")
        return torch.from_numpy(self.values)

    def numpy(self) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


def test_a_tensor_on_another_device_is_fetched() -> None:
    values = np.ones((2, 2), dtype=np.float32)
    np.testing.assert_array_equal(as_array(OnDevice(values)), values)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Image.fromarray, "it returns a Pillow picture, of which the pixels are taken"),
        (lambda x: {"pixel_values": x, "size": 96}, "it returns a dictionary, of which 'pixel_values' is taken"),
        (lambda x: (x, 1.0), "it returns a tuple of 2, of which the first array is taken"),
    ],
    ids=["picture", "dictionary", "tuple"],
)
def test_what_is_no_array_is_taken_and_noted(made: Callable[[Any], Any], words: str) -> None:
    assert words in identify(lambda p: made(small(p)), takes="array").notes
    assert not any("it returns" in note for note in identify(small, takes="array").notes)


def test_the_device_of_a_tensor_is_noted() -> None:
    elsewhere = OnDevice(np.ones((2, 2), dtype=np.float32))
    elsewhere.device = "cuda:0"
    assert form_of(elsewhere) == "a tensor on cuda:0, which is copied to the CPU"


def test_a_tensor_without_values_is_named() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ProbeError, match="on the device 'meta', which has a shape and no values"):
        identify(lambda p: torch.zeros(3, 96, 96, device="meta"), takes="array")


def warped(pixels: Any) -> Any:
    """Waves: no resize, crop or border makes them."""
    height, width = 96, 96
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    wave = 20 * np.sin(rows / 7 + columns / 9)
    small_one = cv2.resize(pixels, (width, height))
    return cv2.remap(small_one, columns + wave, rows + wave, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)


def a_few_rows(pixels: Any) -> Any:
    return cv2.resize(pixels, (96, 3))


@pytest.mark.parametrize("places", [pytest.param(warped, marks=pytest.mark.slow), a_few_rows])
def test_what_becomes_of_levels_is_known_where_the_places_are_not(places: Callable[[Any], Any]) -> None:
    mean, std = (np.array(one, np.float32) for one in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    found = identify(
        lambda p: ((places(p)[:, :, ::-1] / np.float32(255) - mean) / std).transpose(2, 0, 1), takes="array"
    )
    path = found.pipeline
    assert (path.order, path.layout, path.dtype) == ("BGR", "CHW", "float32")
    assert path.affine.mean_std()[0] == pytest.approx(mean, abs=1e-6)
    if path.geometry is None:
        assert path.undetermined["geometry"] in found.notes[0]
        assert found.fidelity == "not comparable: something is undetermined"
    else:
        assert "the steps found do not reproduce its answers" in found.notes


def test_how_files_are_read_is_not_claimed_where_it_was_not_found() -> None:
    found = identify(lambda path: np.asarray(Image.open(path).convert("RGB").resize((96, 3))), takes="path")
    assert found.pipeline.decode.library is None
    assert "fewer than 4 rows" in found.pipeline.decode.undetermined["library"]


def test_changing_what_is_given_is_noted() -> None:
    def function(pixels: Any) -> Any:
        made = small(pixels)
        pixels[0, 0] = 255 - pixels[0, 0]
        return made

    found = identify(function, takes="array")
    assert found.mutates
    assert "it changes the array that it is given" in found.notes


def test_dependence_on_the_batch() -> None:
    def alone(pixels: Any) -> Any:
        return small(pixels).astype(np.float32) / 255

    def batch(pictures: Any) -> Any:
        return np.stack([alone(picture) for picture in pictures])

    def by_largest(pictures: Any) -> Any:
        whole = batch(pictures)
        return whole / whole.max()

    assert identify(alone, takes="array", batch=batch).of_neighbours is False
    found = identify(alone, takes="array", batch=by_largest)
    assert found.of_neighbours is True
    assert any("batch" in note for note in found.notes)
    assert identify(alone, takes="array").of_neighbours is None


def test_a_batch_of_another_length_is_named() -> None:
    with pytest.raises(ProbeError, match="of a batch of 3 pictures"):
        identify(small, takes="array", batch=lambda pictures: np.stack([small(p) for p in pictures[:2]]))
