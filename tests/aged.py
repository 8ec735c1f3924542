"""Files that were written a while ago: what has only just been written is trusted by nothing that remembers."""

from __future__ import annotations

import os
import time
from pathlib import Path

import cv2
import numpy as np


def aged(path: Path, seconds: float = 60) -> None:
    """Have a file be written so many seconds ago."""
    os.utime(path, times=(time.time() - seconds,) * 2)


def aged_pictures(root: Path, n: int) -> Path:
    """Pictures of noise in two splits and classes."""
    generator = np.random.default_rng(0)
    for number in range(n):
        path = root / ("train", "test")[number % 4 == 0] / ("cat", "dog")[number % 2] / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", generator.integers(0, 256, (20, 20, 3), dtype=np.uint8))[1].tobytes())
        aged(path)
    return root
