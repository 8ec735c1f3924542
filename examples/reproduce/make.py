"""Make the pictures and the weights of this example: 32 JPEGs of shapes and noise, and a network of seeded weights."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

PICTURES = 32
CLASSES = 100


def make_pictures(folder: Path, n: int = PICTURES) -> None:
    """Write JPEGs of several sizes with edges, gradients and noise, the same ones every time."""
    from PIL import Image

    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n):
        high, wide = 96 + 4 * (number % 9), 128 + 6 * (number % 7)
        y, x = np.mgrid[0:high, 0:wide]
        colours = rng.integers(0, 256, (3, 3)).astype(np.float64)
        pixels = colours[0] * (x / wide)[:, :, None] + colours[1] * (y / high)[:, :, None]
        disc = (x - wide * rng.uniform(0.3, 0.7)) ** 2 + (y - high * rng.uniform(0.3, 0.7)) ** 2 < (high / 4) ** 2
        pixels[disc] = colours[2]
        pixels += rng.normal(0, 12, pixels.shape)
        picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        picture.save(folder / f"{number:03}.jpg", quality=85)


def make_weights(path: Path) -> None:
    """Write weights that are drawn from seed 0."""
    import torch

    torch.manual_seed(0)
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
    for layer in layers:
        # So that what goes in still tells at the end.
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    torch.save(layers.state_dict(), path)


def main() -> None:
    """Make both in the folder that is named, or in this one."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    make_pictures(folder / "images")
    make_weights(folder / "weights.pt")


if __name__ == "__main__":
    main()
