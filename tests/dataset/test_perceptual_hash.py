from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn
from sklearn.datasets import load_sample_images

from dataguard.dataset.decode import decoding, image_facts
from dataguard.dataset.perceptual_hash import perceptual_hash, perceptual_hashes, picture_coefficients


def thumbnail(pixels: NDArray[np.uint8], extension: str = ".png") -> NDArray[np.uint8]:
    _, encoded = cv2.imencode(extension, np.ascontiguousarray(pixels[..., ::-1]))
    with decoding():
        facts = image_facts(encoded.tobytes())
    assert facts.thumbnail is not None
    return np.frombuffer(facts.thumbnail, dtype=np.uint8).reshape(32, 32, 3)


def photographs() -> list[NDArray[np.uint8]]:
    crops: list[NDArray[np.uint8]] = [
        np.asarray(image)[top : top + 200, left : left + 300]
        for image in load_sample_images().images
        for top in (0, 200)
        for left in (0, 150, 300)
    ]
    return crops


def distance(one: int | None, other: int | None) -> int:
    assert one is not None
    assert other is not None
    return (one ^ other).bit_count()


def test_it_is_the_sign_of_the_low_frequencies_about_their_median() -> None:
    for photograph in photographs()[:3]:
        small = thumbnail(photograph)
        gray = small.astype(float) @ [0.299, 0.587, 0.114]
        block = dctn(gray, norm="ortho")[:8, :8].ravel()
        bits = "0" + "".join("1" if value > np.median(block[1:]) else "0" for value in block[1:])
        assert perceptual_hash(small) == int(bits, 2)


def test_copies_are_near_and_other_pictures_are_far() -> None:
    hashes = []
    for photograph in photographs():
        original = perceptual_hash(thumbnail(photograph))
        smaller = cv2.resize(photograph, (150, 100), interpolation=cv2.INTER_AREA)
        assert distance(original, perceptual_hash(thumbnail(np.asarray(smaller)))) <= 4
        assert distance(original, perceptual_hash(thumbnail(photograph, ".jpg"))) <= 4
        hashes.append(original)
    assert min(distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]) > 7


def test_flat_pictures_have_none() -> None:
    generator = np.random.default_rng(0)
    for value in (0, 128, 255):
        flat = np.full((32, 32, 3), value, dtype=np.uint8)
        assert perceptual_hash(flat) is None
    barely = np.full((32, 32, 3), 100, dtype=np.uint8) + generator.integers(0, 2, (32, 32, 1), dtype=np.uint8)
    assert perceptual_hash(barely) is None


def test_many_at_a_time_are_the_same_as_one_by_one() -> None:
    some = np.stack([thumbnail(photograph) for photograph in photographs()] + [np.zeros((32, 32, 3), dtype=np.uint8)])
    hashes, textured = perceptual_hashes(some)
    alone = [perceptual_hash(small) for small in some]
    assert [int(value) if valid else None for value, valid in zip(hashes, textured, strict=True)] == alone
    assert perceptual_hashes(some[:0])[0].shape == (0,)


def test_coefficients_of_pictures_are_those_of_their_luma() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (300, 32, 32, 3), dtype=np.uint8)
    luma = (pictures.astype(float) @ [0.299, 0.587, 0.114])[:, None]
    expected = np.stack([dctn(gray[0], norm="ortho")[:8, :8].ravel() for gray in luma])
    assert np.abs(picture_coefficients(pictures) - expected).max() < 0.01
