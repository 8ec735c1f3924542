"""How sure the comparison of two preprocessing paths is: pairs that are one path written twice, and planted mismatches.

Run it with ``python benchmarks/probe_pairs.py`` (two minutes); ``--probe 25`` compares running functions as well, each
found out by asking it (a second a function).

Measured (seeds 0, 1, 3, 7, 11 and 25; Pillow 13, OpenCV 5.0, torch 2.13, two cores):

    equal pairs with a finding     0 of 1,500 (95 % interval of the share: at most 0.25 %), 0.06 s a pair
    equal functions with a finding 1 of 65, asked (seeds 3 and 7): Pillow's and torch's bicubic, whose pixels differed
                                   in more than one level; such rounding is allowed for since, and 0 of 6 remain;
                                   afterwards 0 of 25 (seed 25)
                                   (seed 61, later: 0 of 500; asked 0 of 12)
    AREA is LINEAR at half only    250 of 250
    planted mismatches named       3,250 of 3,250, 13 kinds of 250 each, and nothing else named in any
    planted in functions, asked    11 of 11 kinds, and nothing else named in any

Not among the equal pairs, as they are not equal: Pillow's and torch's nearest neighbour (ties in float32: up to 112
levels in some columns of some sizes), and bicubic kernels of floats, which overshoot where 8 bits are clipped (0.3
levels on average, up to 26).
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dataguard.config import PreprocessingConfig
from dataguard.inputs.preprocessing import compared
from dataguard.preprocessing.comparison import difference
from dataguard.preprocessing.differing import Difference
from dataguard.preprocessing.pipeline import Affine, Crop, Decode, Flip, Pad, Pipeline, Random, Resize
from dataguard.preprocessing.probe.stimuli import photograph
from dataguard.preprocessing.steps import letterbox

Rng = np.random.Generator
STATISTICS = (
    ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
)
SIDES = (96, 128, 160, 192, 224, 256)
KERNELS: tuple[tuple[dict[str, Any], ...], ...] = (
    (
        {"engine": "pillow", "kernel": "linear", "antialias": "scaled"},
        {"engine": "torch", "kernel": "linear", "antialias": "scaled"},
        {"engine": "torch", "kernel": "linear", "antialias": "scaled", "arithmetic": "rounded"},
    ),
    (
        {"engine": "opencv", "kernel": "linear"},
        {"engine": "torch", "kernel": "linear", "arithmetic": "rounded"},
        {"engine": "opencv", "kernel": "linear", "arithmetic": "float32"},
        {"engine": "torch", "kernel": "linear", "arithmetic": "float32"},
    ),
    (
        {"engine": "opencv", "kernel": "cubic", "cubic": -0.75},
        {"engine": "torch", "kernel": "cubic", "cubic": -0.75, "arithmetic": "rounded"},
    ),
    (
        {"engine": "pillow", "kernel": "cubic", "antialias": "scaled", "cubic": -0.5},
        {"engine": "torch", "kernel": "cubic", "antialias": "scaled", "cubic": -0.5},
    ),
    (
        {"engine": "pillow", "kernel": "nearest_exact"},
        {"engine": "opencv", "kernel": "nearest_exact"},
    ),
    ({"engine": "opencv", "kernel": "area"},),
    ({"engine": "pillow", "kernel": "lanczos", "antialias": "scaled"},),
)
"""Kernels that are one, by group: within a group every pair gives the same pixels to within one level."""


def written(rng: Rng, mean: tuple[float, ...], std: tuple[float, ...]) -> Affine:
    """One normalization in one of the ways it is written in."""
    way = rng.integers(5)
    many, deviations = np.array(mean), np.array(std)
    if way == 0:
        return Affine.normalized(mean, std)
    if way == 1:
        return Affine.of(("subtract", (255 * many).tolist()), ("divide", (255 * deviations).tolist()))
    if way == 2:
        return Affine.of(("multiply", 1 / 255), ("subtract", mean), ("multiply", (1 / deviations).tolist()))
    if way == 3:
        return Affine.of(("multiply", (1 / (255 * deviations)).tolist()), ("add", (-many / deviations).tolist()))
    return Affine(scale=tuple(1 / (255 * deviations)), offset=tuple(-many / deviations))


def steps(rng: Rng, side: int, family: str, kernel: dict[str, Any]) -> tuple[Any, ...]:
    """A family of geometry in one of the ways it is written in."""
    larger = round(side * 1.15)
    made: tuple[Any, ...]
    if family == "letterbox":
        fit = letterbox(side, side, rounding="half_even")
        first = replace(fit[0], **kernel)
        if rng.random() < 0.5:
            first = replace(first, rule="long", side=side, height=None, width=None)
        pad = fit[1] if rng.random() < 0.5 else replace(fit[1], rule="square", height=None, width=None)
        made = (first, pad)
    elif family == "short":
        first = Resize(rule="short", side=larger, **kernel)
        if rng.random() < 0.5:
            first = replace(first, rule="cover", side=None, height=larger, width=larger)
        made = (first, Crop(height=side, width=side))
    elif family == "square":
        made = (Crop(rule="square"), Resize(height=side, width=side, **kernel))
    elif family == "exact crop":
        crop = Crop(height=side, width=side)
        if rng.random() < 0.5:
            crop = Crop(rule="offset", height=side, width=side, top=(larger - side) // 2, left=(larger - side) // 2)
        made = (Resize(height=larger, width=larger, **kernel), crop)
    else:
        made = (Resize(height=side, width=side, **kernel),)
    idle = (
        (),
        (Pad(rule="by", sides=(0, 0, 0, 0)),),
        (Flip(kind="left_right"), Flip(kind="left_right")),
        (Crop(rule="fraction", fraction=1.0),),
        (Resize(rule="scale", factor=1.0, engine="opencv"),),
    )
    return (*idle[rng.integers(len(idle))], *made) if rng.random() < 0.4 else made


FAMILIES = ("letterbox", "short", "square", "exact crop", "exact")


def equal_pair(rng: Rng) -> tuple[Pipeline, Pipeline]:
    """One path, written twice."""
    side = int(rng.choice(SIDES))
    family = str(rng.choice(FAMILIES))
    group = KERNELS[rng.integers(len(KERNELS))]
    mean, std = STATISTICS[rng.integers(len(STATISTICS))]
    order = rng.choice(["RGB", "BGR"])
    layout = str(rng.choice(["CHW", "HWC"]))
    decoders = [Decode.of("opencv", "IMREAD_COLOR"), Decode.of("opencv", "IMREAD_COLOR_RGB")]
    if rng.random() < 0.4:
        decoders = [Decode.of("array")] * 2
    found = []
    for _ in range(2):
        kernel = group[rng.integers(len(group))]
        found.append(
            Pipeline(
                decode=decoders[rng.integers(2)],
                order=order,
                geometry=steps(rng, side, family, kernel),
                affine=written(rng, mean, std),
                layout=("N" if rng.random() < 0.5 else "") + layout,  # type: ignore[arg-type]
                dtype="float32",
            )
        )
    return found[0], found[1]


def base_path(rng: Rng) -> Pipeline:
    """A path to plant a mismatch in."""
    side = int(rng.choice(SIDES))
    mean, std = STATISTICS[rng.integers(2)]
    kernel = KERNELS[rng.integers(4)][0]
    return Pipeline(
        decode=Decode.of("opencv", "IMREAD_COLOR"),
        geometry=(Resize(rule="short", side=round(side * 1.15), **kernel), Crop(height=side, width=side)),
        affine=Affine.normalized(mean, std),
        layout="CHW",
        dtype="float32",
    )


def _parts(path: Pipeline) -> tuple[Resize, Crop]:
    resize, crop = path.geometry or ()
    if not isinstance(resize, Resize) or not isinstance(crop, Crop):
        raise TypeError("not a base path")
    return resize, crop


def _other_kernel(rng: Rng, path: Pipeline) -> Pipeline:
    resize, crop = _parts(path)
    kernels = [group[0] for group in KERNELS[:5]]
    others = [one for one in kernels if (one["engine"], one["kernel"]) != (resize.engine, resize.kernel)]
    plain: dict[str, Any] = {"antialias": "none", "cubic": None, "arithmetic": "uint8"}
    return replace(path, geometry=(replace(resize, **{**plain, **others[rng.integers(len(others))]}), crop))


def _other_geometry(rng: Rng, path: Pipeline) -> Pipeline:
    resize, crop = _parts(path)
    side, size = resize.side or 0, crop.height or 0
    choices = (
        (replace(resize, side=side + 16), crop),
        (resize, replace(crop, rule="offset", top=0, left=0)),
        (resize, replace(crop, height=size - 32, width=size - 32)),
        (replace(resize, rule="exact", height=side, width=side, side=None), crop),
    )
    return replace(path, geometry=choices[rng.integers(len(choices))])


def _gray_decoders(rng: Rng, path: Pipeline) -> tuple[Pipeline, Pipeline]:
    gray = replace(path, order="GRAY", affine=Affine.normalized([0.5], [0.25]))
    one = Decode.of("pillow", "convert L", "exif_transpose")
    two = Decode.of("opencv", "IMREAD_GRAYSCALE")
    del rng
    return replace(gray, decode=one), replace(gray, decode=replace(two, sixteen_bit=one.sixteen_bit, alpha=one.alpha))


Plant = Callable[[Rng, Pipeline], Pipeline]
PLANTED: dict[str, tuple[str, Plant]] = {
    "channels in the other order": ("channel order", lambda _, path: replace(path, order="BGR")),
    "another kernel": ("kernel", _other_kernel),
    "crop before resize": (
        "step order",
        lambda _, path: replace(path, geometry=tuple(reversed(path.geometry or ()))),
    ),
    "no division by 255": (
        "value range",
        lambda _, path: replace(path, affine=Affine.of(*path.affine.written[1:])),
    ),
    "0 to 1 for -1 to 1": (
        "value range",
        lambda _, path: replace(path, affine=Affine.of(("divide", 255))),
    ),
    "other statistics": (
        "mean and std",
        lambda rng, path: replace(path, affine=Affine.normalized(*STATISTICS[2 + int(rng.integers(2))])),
    ),
    "channels last": ("layout or dtype", lambda _, path: replace(path, layout="HWC")),
    "half precision": ("layout or dtype", lambda _, path: replace(path, dtype="float16")),
    "another size, crop or aspect": ("geometry", _other_geometry),
    "orientation ignored": (
        "policy",
        lambda _, path: replace(path, decode=Decode.of("opencv", "IMREAD_COLOR", "IMREAD_IGNORE_ORIENTATION")),
    ),
    "augmentation left on": (
        "random",
        lambda _, path: replace(path, geometry=(*(path.geometry or ()), Random(name="ColorJitter"))),
    ),
    "normalized twice": (
        "normalized twice",
        lambda _, path: replace(path, affine=Affine.of(*path.affine.written, *path.affine.written[1:])),
    ),
}


def planted_pair(rng: Rng, kind: str) -> tuple[Pipeline, Pipeline]:
    """A path, and the same with one mismatch."""
    path = base_path(rng)
    if kind == "0 to 1 for -1 to 1":
        path = replace(path, affine=Affine.normalized([0.5], [0.5]))
    if kind == "gray decoders":
        return _gray_decoders(rng, path)
    return path, PLANTED[kind][1](rng, path)


def halves(rng: Rng) -> bool:
    """Whether OpenCV's AREA and LINEAR are one for pictures of exactly twice the size, and are not for others."""
    side = int(rng.choice(SIDES))
    one, two = (
        Pipeline(geometry=(Resize(height=side, width=side, engine="opencv", kernel=kernel),))
        for kernel in ("linear", "area")
    )
    seed = int(rng.integers(1000))
    same = difference(one, two, pictures=[photograph(2 * side, 2 * side, seed)])
    other = difference(one, two, pictures=[photograph(3 * side, 3 * side, seed)])
    return not same and bool(other)


def asked(pairs: Iterator[tuple[Pipeline, Pipeline]]) -> Iterator[tuple[Difference, ...]]:
    """What is found where both paths are functions that are asked."""
    for one, two in pairs:
        functions = [path.run for path in (one, two)]
        takes = "array" if one.decode.library == "array" else "path"
        settings = PreprocessingConfig(train="one", serve="two", takes=takes)
        yield compared(functions[0], functions[1], settings, base=Path()).differences


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--planted", type=int, default=40, help="of each kind")
    parser.add_argument("--probe", type=int, default=0, help="pairs of running functions")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    started = time.perf_counter()
    false = []
    for _ in range(arguments.pairs):
        one, two = equal_pair(rng)
        if found := difference(one, two):
            false.append((one, two, found))
    seconds = time.perf_counter() - started
    each = seconds / max(1, arguments.pairs)
    print(f"equal pairs with a finding   {len(false)} of {arguments.pairs}  ({each:.3f} s a pair)")
    for one, two, found in false[:5]:
        print("   ", [item.words for item in found], one.geometry, two.geometry)
    right = sum(halves(rng) for _ in range(arguments.planted))
    print(f"AREA is LINEAR at half only  {right} of {arguments.planted}")
    print(f"{'planted':32} {'aspect':18} {'named':>9} {'alone':>9}")
    for kind in (*PLANTED, "gray decoders"):
        wanted = "decoder" if kind == "gray decoders" else PLANTED[kind][0]
        named = alone = 0
        for _ in range(arguments.planted):
            aspects = {item.aspect for item in difference(*planted_pair(rng, kind))}
            named += wanted in aspects
            alone += aspects == {wanted}
        print(f"{kind:32} {wanted:18} {named:4} / {arguments.planted:2} {alone:4} / {arguments.planted:2}")
    if arguments.probe:
        count: Counter[str] = Counter()
        false_asked = 0
        for found in asked(equal_pair(rng) for _ in range(arguments.probe)):
            known = [item for item in found if not item.unknown]
            false_asked += bool(known)
            count.update(item.words for item in known)
        print(f"equal functions with a finding {false_asked} of {arguments.probe}", dict(count))
        for kind, (wanted, _) in PLANTED.items():
            if kind == "augmentation left on":
                continue
            (found,) = asked(iter([planted_pair(rng, kind)]))
            print(f"  asked: {kind:32} {wanted:18} {sorted({item.aspect for item in found if not item.unknown})}")


if __name__ == "__main__":
    main()
