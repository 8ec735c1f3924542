"""Recall and false pairs of the near-duplicate search by transformation, and its speed.

    python benchmarks/near_duplicates.py [accuracy|speed] [--seed 0]

Accuracy: 100 pictures of a set are transformed and added to it; *hash* counts those within the Hamming distance,
*found* those that are reported, *false* what is reported besides. Three sets: photograph-like (non-overlapping crops of
scikit-learn's two photographs, and dead-leaves pictures, whose statistics are those of photographs: Lee, Mumford and
Huang 2001), handwritten digits, and coloured shapes on white.

Speed: of the search over random hashes, beside one sort of the same hashes (the limit of any method that reads them in
order) and comparing all pairs of a part, extrapolated.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_sample_images

from dataguard.core.finding import Skipped
from dataguard.dataset.decode import decoding, image_facts
from dataguard.dataset.hamming import close_pairs
from dataguard.dataset.near_duplicates import NearDuplicates, find_near_duplicates
from dataguard.dataset.perceptual_hash import perceptual_hash
from dataguard.dataset.table import SampleTable

Picture = NDArray[np.uint8]
Transformation = Callable[[Picture, np.random.Generator], Picture]
PLANTED = 100


def dead_leaves(generator: np.random.Generator, height: int = 120, width: int = 160) -> Picture:
    """Ellipses of power-law sizes that cover one another, with a gradient of light and noise."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = generator.integers(0, 256, 3)
    for _ in range(250):
        radius = min(60.0, 3 / (generator.random() ** 0.5 + 1e-3))
        centre = (float(generator.uniform(0, width)), float(generator.uniform(0, height)))
        axes = (2 * radius, 2 * radius * generator.uniform(0.5, 1))
        colour = [int(value) for value in generator.integers(0, 256, 3)]
        cv2.ellipse(picture, (centre, axes, float(generator.uniform(0, 180))), colour, -1, cv2.LINE_AA)
    light = np.linspace(-30, 30, width)[None, :] * generator.uniform(-1, 1)
    light = light + np.linspace(-30, 30, height)[:, None] * generator.uniform(-1, 1)
    smooth = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.7), dtype=np.float64)
    return rounded(smooth + light[..., None] + generator.normal(0, 3, picture.shape))


def photographs(generator: np.random.Generator) -> list[Picture]:
    """48 crops of photographs and 1,500 dead-leaves pictures."""
    crops = [
        np.ascontiguousarray(photograph[top : top + 96, left : left + 96])
        for photograph in load_sample_images().images
        for top in range(0, photograph.shape[0] - 95, 96)
        for left in range(0, photograph.shape[1] - 95, 96)
    ]
    return crops + [dead_leaves(generator) for _ in range(1_500)]


def digits(generator: np.random.Generator) -> list[Picture]:  # noqa: ARG001 - the digits are what they are
    """Scikit-learn's 1,797 handwritten digits, 8×8."""
    return [rounded(picture * (255 / 16)) for picture in load_digits().images]


def shapes(generator: np.random.Generator) -> list[Picture]:
    """1,500 circles, rectangles, ellipses and triangles in the middle of white pictures of 128×128."""
    pictures = []
    for _ in range(1_500):
        picture = np.full((128, 128, 3), 255, np.uint8)
        colour = [int(value) for value in generator.integers(0, 200, 3)]
        x, y = (int(64 + shift) for shift in generator.integers(-4, 5, 2))
        radius = int(generator.integers(30, 50))
        kind = generator.integers(4)
        if kind == 0:
            cv2.circle(picture, (x, y), radius, colour, -1, cv2.LINE_AA)
        elif kind == 1:
            tall = int(radius * 0.7)
            cv2.rectangle(picture, (x - radius, y - tall), (x + radius, y + tall), colour, -1)
        elif kind == 2:
            axes = (2.0 * radius, radius * generator.uniform(0.6, 1.9))
            cv2.ellipse(picture, ((x, y), axes, float(generator.uniform(0, 180))), colour, -1, cv2.LINE_AA)
        else:
            angles = generator.uniform(0, 2 * np.pi) + np.array([0, 2.1, 4.2])
            corners = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
            cv2.fillPoly(picture, [corners.astype(np.int32)], colour, cv2.LINE_AA)
        pictures.append(picture)
    return pictures


def rounded(values: NDArray[Any]) -> Picture:
    """Values as 8-bit levels."""
    picture: Picture = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return picture


def resized(factor: float, interpolation: int) -> Transformation:
    """Resize by a factor."""
    return lambda picture, _: np.asarray(
        cv2.resize(picture, None, fx=factor, fy=factor, interpolation=interpolation), dtype=np.uint8
    )


def toned(curve: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Transformation:
    """A tone curve on values from 0 to 1."""
    return lambda picture, _: rounded(255 * curve(picture / 255))


def same(picture: Picture, _: np.random.Generator) -> Picture:
    """Nothing but another file."""
    return picture


def without_colour(picture: Picture, _: np.random.Generator) -> Picture:
    """Gray."""
    return picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def noisy(picture: Picture, generator: np.random.Generator) -> Picture:
    """Independent noise of 10 levels."""
    return rounded(picture.astype(np.float64) + generator.normal(0, 10, picture.shape))


def gray_half(picture: Picture, generator: np.random.Generator) -> Picture:
    """Gray and half the size."""
    return resized(0.5, cv2.INTER_AREA)(without_colour(picture, generator), generator)


def mirrored(picture: Picture, _: np.random.Generator) -> Picture:
    """Left and right exchanged."""
    return np.ascontiguousarray(picture[:, ::-1])


TRANSFORMATIONS: dict[str, tuple[Transformation, int | None]] = {
    "JPEG 50": (same, 50),
    "JPEG 75": (same, 75),
    "JPEG 95": (same, 95),
    "resize 0.5, JPEG 90": (resized(0.5, cv2.INTER_AREA), 90),
    "resize 0.7, JPEG 90": (resized(0.7, cv2.INTER_LINEAR), 90),
    "resize 1.5, JPEG 90": (resized(1.5, cv2.INTER_CUBIC), 90),
    "resize 2, JPEG 90": (resized(2, cv2.INTER_LINEAR), 90),
    "brightness + 40": (toned(lambda x: x + 40 / 255), None),
    "contrast × 0.6": (toned(lambda x: 0.6 * x), None),
    "gamma 0.6": (toned(lambda x: x**0.6), None),
    "gamma 1.6": (toned(lambda x: x**1.6), None),
    "gray": (without_colour, None),
    "noise 10": (noisy, None),
    "gray, half, JPEG 60": (gray_half, 60),
    "mirrored": (mirrored, None),
    "mirrored, JPEG 75": (mirrored, 75),
}


def encoded(picture: Picture, quality: int | None) -> bytes:
    """PNG, or JPEG of that quality."""
    channels_last = picture[..., ::-1] if picture.ndim == 3 else picture
    flags = [] if quality is None else [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, data = cv2.imencode(".png" if quality is None else ".jpg", np.ascontiguousarray(channels_last), flags)
    return data.tobytes()


def row(root: Path, sample_id: str, data: bytes) -> dict[str, Any]:
    """Write a file and describe it as the scan does."""
    (root / sample_id).parent.mkdir(exist_ok=True)
    (root / sample_id).write_bytes(data)
    facts = {name: value for name, value in asdict(image_facts(data)).items() if value is not None}
    thumbnail = np.frombuffer(facts["thumbnail"], dtype=np.uint8).reshape(32, 32, 3)
    return {
        "sample_id": sample_id,
        "path": sample_id,
        "split": sample_id.partition("/")[0],
        "content_hash": blake3(data).hexdigest(),
        "perceptual_hash": perceptual_hash(thumbnail),
        **facts,
    }


def search(root: Path, rows: list[dict[str, Any]], **options: Any) -> NearDuplicates:
    """The near-duplicates among some files."""
    found = find_near_duplicates(SampleTable.from_rows(rows, root=root), **options)
    assert not isinstance(found, Skipped)
    return found


def ids(found: NearDuplicates) -> set[frozenset[str]]:
    """The pairs by sample id."""
    return {frozenset((pair.left.sample_id, pair.right.sample_id)) for pair in found.pairs}


def accuracy(seed: int) -> None:
    """Print one line a set and transformation."""
    print(
        f"{'set':12}{'transformation':22}{'hash':>6}{'found':>7}{'false':>7}{'bits':>6}{'d':>7}{'s':>7}  least detail"
    )
    for make in (photographs, digits, shapes):
        pictures = make(np.random.default_rng(seed))
        with tempfile.TemporaryDirectory() as folder, decoding():
            root = Path(folder)
            base = [row(root, f"train/{i:05}.png", encoded(picture, None)) for i, picture in enumerate(pictures)]
            report(make.__name__, "nothing planted", root, base, set())
            for name, (transform, quality) in TRANSFORMATIONS.items():
                generator = np.random.default_rng(seed + 1)
                planted, rows = set(), list(base)
                for index in generator.choice(len(pictures), PLANTED, replace=False):
                    sample_id = f"test/{index:05}.{'png' if quality is None else 'jpg'}"
                    data = encoded(transform(pictures[index], generator), quality)
                    rows.append(row(root, sample_id, data))
                    # A copy with equal bytes, as gray digits made gray, is no near-duplicate.
                    if rows[-1]["content_hash"] != base[index]["content_hash"]:
                        planted.add(frozenset((sample_id, base[index]["sample_id"])))
                report(make.__name__, name, root, rows, planted)


def report(
    name: str, transformation: str, root: Path, rows: list[dict[str, Any]], planted: set[frozenset[str]]
) -> None:
    """Print one line."""
    start = time.perf_counter()
    found = search(root, rows)
    seconds = time.perf_counter() - start
    near = search(root, rows, max_chance_pairs=float("inf"), verify=False)
    true = [pair for pair in found.pairs if frozenset((pair.left.sample_id, pair.right.sample_id)) in planted]
    details = [pair.detail for pair in true if pair.detail is not None]
    least = f"{min(details):.2f}" if details else "-"
    print(
        f"{name:12}{transformation:22}{len(ids(near) & planted):6}{len(true):7}{len(found.pairs) - len(true):7}"
        f"{found.max_distance:6}{found.dimension or 0:7.1f}{seconds:7.2f}  {least}",
        flush=True,
    )


def speed(seed: int) -> None:
    """Print the time of the search, of a sort, and of all pairs."""
    for n in (100_000, 1_000_000):
        hashes = np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64)
        start = time.perf_counter()
        found = close_pairs(hashes)
        searching = time.perf_counter() - start
        start = time.perf_counter()
        np.sort(hashes)
        sorting = time.perf_counter() - start
        part = hashes[:4_000]
        start = time.perf_counter()
        for index in range(len(part)):
            np.flatnonzero(np.bitwise_count(part[index] ^ part[index + 1 :]) <= found.max_distance)
        every_pair = (time.perf_counter() - start) * (n / len(part)) ** 2
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{n:>9,} hashes: {searching:7.2f} s, {found.n_compared:,} comparisons, {searching / sorting:,.0f} sorts; "
            f"all pairs would take {every_pair:,.0f} s; peak {peak:,.0f} MB"
        )


def main() -> None:
    """Run what is asked for, or both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=("accuracy", "speed"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.part != "speed":
        accuracy(arguments.seed)
    if arguments.part != "accuracy":
        speed(arguments.seed)


if __name__ == "__main__":
    main()
