"""Which of the usual ways to write x = a·level + b gives the very bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.preprocessing.execution import mapped
from dataguard.preprocessing.normalizations import CIFAR10, CLIP, IMAGENET, Statistics
from dataguard.preprocessing.pipeline import Affine

if TYPE_CHECKING:
    from numpy.typing import NDArray

KNOWN: tuple[Statistics, ...] = (
    IMAGENET,
    ((0.5,), (0.5,)),
    CLIP,
    ((0.0,), (1.0,)),
    CIFAR10,
    ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    ((0.1307,), (0.3081,)),
    ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
)
"""Mean and standard deviation of levels divided by 255, as published: ImageNet, Inception, CLIP, none, CIFAR-10 (both
in use), MNIST, CIFAR-100."""

OF_LEVELS: tuple[Statistics, ...] = (
    ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    ((123.68, 116.779, 103.939), (1.0,)),
    ((123.675, 116.28, 103.53), (1.0,)),
    ((127.5,), (127.5,)),
    ((128.0,), (128.0,)),
    ((127.5,), (128.0,)),
    ((0.0,), (1.0,)),
)
"""The same of levels as they are: ImageNet as mmcv writes it, Caffe, Caffe as mmcv writes it, [−1, 1] and two that miss
it."""

_NEAR = {"float16": 4e-3, "float32": 2e-5, "float64": 1e-6}


def named(affine: Affine, dtype: str) -> Affine:
    """The map with the published values that it has within rounding, or as it is."""
    near = _NEAR.get(dtype)
    if near is None or affine.scale is None or affine.offset is None:
        return affine
    for written in _forms(affine, near):
        return Affine(scale=written.scale, offset=written.offset)
    return affine


def _whole(affine: Affine, count: int) -> Affine:
    """The same with a value for each channel."""
    pairs = [affine.channel(channel) for channel in range(count)]
    return replace(affine, scale=tuple(a for a, _ in pairs), offset=tuple(b for _, b in pairs))


def exactly_written(
    affine: Affine, dtype: str, levels: Sequence[NDArray[Any]], answers: Sequence[NDArray[Any]]
) -> Affine | None:
    """The way to write the map that gives the answers to the bit; None where none does.

    Args:
        affine: As measured.
        dtype: Of the answers.
        levels: What is mapped, shape (height, width, channels).
        answers: What came out, of the same shapes, in `dtype`.
    """
    near = _NEAR.get(dtype)
    if near is None:
        return None
    plain = [Affine(scale=one.scale, offset=one.offset) for one in _forms(affine, near)]
    for one in (*_forms(affine, near), *plain, affine):
        pairs = zip(levels, answers, strict=True)
        if all(np.array_equal(mapped(made, one, dtype), answer) for made, answer in pairs):
            return one
    return None


def _forms(affine: Affine, near: float) -> Iterator[Affine]:
    """Ways to write a map, with published values and with rounded ones."""
    count = max(len(affine.scale or ()), len(affine.offset or ()))
    for mean, std in _values(KNOWN, count):
        whole = tuple(255 * one for one in mean), tuple(255 * one for one in std)
        for form in (
            (("divide", 255.0), ("subtract", mean), ("divide", std)),
            (("multiply", 1 / 255), ("subtract", mean), ("divide", std)),
            (("subtract", whole[0]), ("divide", whole[1])),
            (("subtract", whole[0]), ("multiply", tuple(1 / one for one in whole[1]))),
            (("divide", 255.0), ("subtract", mean), ("multiply", tuple(1 / one for one in std))),
            (
                ("multiply", tuple(1 / one for one in whole[1])),
                ("add", tuple(-m / s for m, s in zip(mean, std, strict=True))),
            ),
            (("divide", 127.5), ("subtract", 1.0)),
            (("multiply", 1 / 127.5), ("subtract", 1.0)),
            (("divide", 255.0), ("multiply", 2.0), ("subtract", 1.0)),
            (("divide", 255.0),),
            (("multiply", 1 / 255),),
        ):
            made = Affine.of(*form)
            if _alike(made, affine, count, near):
                yield _whole(made, count)
    for mean, std in _values(OF_LEVELS, count):
        for made in (Affine.of(("subtract", mean), ("divide", std)), Affine.of(("subtract", mean))):
            if _alike(made, affine, count, near):
                yield _whole(made, count)


def _values(
    table: Sequence[tuple[tuple[float, ...], tuple[float, ...]]], count: int
) -> Iterator[tuple[tuple[float, ...], tuple[float, ...]]]:
    for mean, std in table:
        means, stds = (one * count if len(one) == 1 else one for one in (mean, std))
        if len(means) == len(stds) == count:
            yield means, stds
            if len(set(means)) > 1:
                # Channels in the other order: with the values in theirs, or left as they were.
                yield means[::-1], stds[::-1]


def _alike(one: Affine, other: Affine, count: int, near: float) -> bool:
    pairs = [(one.channel(channel), other.channel(channel)) for channel in range(count)]
    return all(abs(a - c) <= near * abs(c) and abs(b - d) <= near * max(1.0, abs(d)) for (a, b), (c, d) in pairs)
