"""A small network on pictures, as dataguard runs it: a function of a list of paths, which returns what each stage gave.

It returns a mapping from stages to arrays, the first axis of which is the batch; pictures of several sizes go in a
list. The names are free, and the last stage is the result. Only the result is a must: then a plain array will do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

SIZE = 64
CLASSES = 100


def network() -> Any:
    """Three convolutions and a linear layer."""
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, stride=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 3, stride=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(32, 64, 3, stride=2),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(64 * 7 * 7, CLASSES),
    )
    return layers.eval()


NETWORK = network()
NETWORK.load_state_dict(torch.load(Path(__file__).with_name("weights.pt"), weights_only=True))


def decode(path: str) -> Any:
    """The pixels of a file: uint8, RGB, shape (height, width, 3)."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def resize(pixels: Any) -> Any:
    """The pixels at the size that the network takes."""
    return np.asarray(Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def predict(paths: list[str]) -> dict[str, Any]:
    """Decode, preprocess and classify a batch."""
    decoded = [decode(path) for path in paths]
    small = np.stack([resize(pixels) for pixels in decoded]).astype(np.float32)
    tensors = torch.from_numpy(np.ascontiguousarray((small / 255 - 0.5).transpose(0, 3, 1, 2)))
    with torch.inference_mode():
        logits = NETWORK(tensors)
    return {"decoded": decoded, "preprocessed": tensors, "logits": logits}
