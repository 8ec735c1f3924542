"""The pictures that a function is asked about: uint8 RGB, shape (height, width, 3)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERIOD = 48.0
"""Of the gratings, in pixels: long enough to survive a reduction to a twelfth, short enough to place to 0.02 pixels."""


def constant(height: int, width: int, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """One colour."""
    return np.broadcast_to(np.array(colour, dtype=np.uint8), (height, width, 3)).copy()


def along(height: int, width: int, levels: NDArray[np.float64], axis: Literal[0, 1]) -> NDArray[np.uint8]:
    """Gray levels that change along one axis only; `levels` has as many values as that axis pixels."""
    line = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    plane = line[:, None] if axis == 0 else line[None, :]
    return np.ascontiguousarray(np.broadcast_to(plane[:, :, None], (height, width, 3)))


def ramp(size: int) -> NDArray[np.float64]:
    """Levels from 10 to 245; shape (size,)."""
    return 10 + 235 * np.arange(size) / max(1, size - 1)


def grating(size: int, phase: float, period: float = PERIOD) -> NDArray[np.float64]:
    """Levels of a sine wave; shape (size,)."""
    positions = (np.arange(size) + 0.5) / period
    return np.asarray(127.5 + 110 * np.sin(2 * np.pi * positions + phase))


@lru_cache(maxsize=64)
def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Independent pixels over the whole range, so that every weight of a kernel shows; read-only."""
    made = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    made.setflags(write=False)
    return made


@lru_cache(maxsize=64)
def photograph(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A scene with the spectrum of photographs (1/f amplitude), edges and correlated colours; read-only."""
    rng = np.random.default_rng(seed)
    down = np.fft.fftfreq(height)[:, None]
    across = np.fft.rfftfreq(width)[None, :]
    frequency = np.sqrt(down**2 + across**2)
    frequency[0, 0] = 1.0
    planes = []
    for _ in range(3):
        spectrum = np.fft.rfft2(rng.normal(size=(height, width)))
        spectrum /= frequency
        spectrum[0, 0] = 0
        plane = np.fft.irfft2(spectrum, s=(height, width))
        plane /= plane.std() + 1e-12
        planes.append(plane)
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    shared = planes[0] + 1.5 * ((rows / height - 0.6 + 0.2 * np.sin(columns / width * 5)) > 0)
    scene = np.stack([shared, 0.9 * shared + 0.35 * planes[1], 0.8 * shared + 0.45 * planes[2]], axis=2)
    scene -= scene.mean()
    scene *= 48
    scene += 118
    made: NDArray[np.uint8] = np.clip(scene, 0, 255, out=scene).astype(np.uint8)
    made.setflags(write=False)
    return made
