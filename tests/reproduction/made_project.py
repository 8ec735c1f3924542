"""A project whose inference needs numpy and Pillow alone, so that it starts in a fraction of a second."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dataguard.reproduction.inference import Inference

CODE = """
import os
import numpy as np

rng = np.random.default_rng(0)
WEIGHTS = rng.normal(size=(48, 4)).astype(np.float32)

def pixels(path):
    return np.load(path)

def predict(paths, dtype="float32"):
    decoded = [pixels(path) for path in paths]
    small = np.stack([picture[:4, :4] for picture in decoded]).astype(dtype) / 255
    return {"decoded": decoded, "preprocessed": small, "logits": small.reshape(len(small), -1) @ WEIGHTS.astype(dtype)}

def one(path):
    return {key: value[0] for key, value in predict([path]).items()}

def rows(batch):
    return batch.astype(np.float32) * 2
"""

CONFIG = """
[inference]
entry = "infer.py:predict"
inputs = "data/*.npy"
takes = "paths"
weights = "weights.bin"
"""
"""What ``dataguard.toml`` says of it."""


def make_project(folder: Path, *, n: int = 6, code: str = CODE) -> Inference:
    """Write code and pictures into a folder; what to run in it."""
    (folder / "infer.py").write_text(code, encoding="utf-8")
    (folder / "data").mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    for number in range(n):
        np.save(folder / "data" / f"{number}.npy", rng.integers(0, 256, (5 + number, 6, 3), dtype=np.uint8))
    (folder / "weights.bin").write_bytes(b"weights")
    return Inference(
        base=folder,
        entry="infer.py:predict",
        inputs=("data/*.npy",),
        weights=("weights.bin",),
        takes="paths",
        timeout=60.0,
        memory=None,
    )


def replaced(folder: Path, changes: Mapping[str, str]) -> None:
    """Change the project's code."""
    path = folder / "infer.py"
    text = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def logits(stages: Mapping[str, Any]) -> Any:
    """The output as one array."""
    return np.stack(stages["logits"])
