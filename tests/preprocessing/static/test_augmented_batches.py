"""Batches on their way through loops of training: parts of them, flips by a list, modules that augment."""

from __future__ import annotations

from pathlib import Path

from dataguard.preprocessing.steps import Random
from tests.preprocessing.static.repositories import only, reading, steps_of

_SCRIPT = """
    import click, io
    import numpy as np
    import pyspng
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    class Folder(Dataset):
        def __init__(self, path, mirror=False):
            self.flips = np.zeros(count, dtype=np.uint8)
        def __getitem__(self, i):
            with open(self.names[i], "rb") as f:
                if self.names[i].endswith(".png"):
                    image = pyspng.load(f.read())
                else:
                    image = np.array(Image.open(f))
            if image.ndim == 2:
                image = image[:, :, np.newaxis]
            image = image.transpose(2, 0, 1)
            if self.flips[i]:
                image = image[:, :, ::-1]
            return image.copy(), 0

    class AugmentPipe(torch.nn.Module):
        def forward(self, images):
            matrix = self.matrix(images)
            images = images.reshape([images.shape[0], 3, -1])
            images = matrix @ images
            return images.reshape([8, 3, 64, 64])

    class Network(torch.nn.Module):
        def forward(self, x):
            return self.layers(x)

    def train(data, batch, **rest):
        loader = iter(DataLoader(Folder(data), batch_size=batch, shuffle=True))
        network, augment = Network(), AugmentPipe()
        latents = [one for one in make_latents().split(4)]
        phases = ["first", "second"]
        while True:
            images, _ = next(loader)
            images = (images.to(torch.float32) / 127.5 - 1).split(4)
            for phase, latent in zip(phases, latents):
                for part, _ in zip(images, latents):
                    if phase == "second":
                        network(augment(part))

    @click.command()
    @click.option("--data", required=True)
    @click.option("--batch", type=int, default=16)
    def main(**options):
        train(**options)

    if __name__ == "__main__":
        main()
    """


def test_parts_of_a_batch_that_are_augmented(tmp_path: Path) -> None:
    path = only(reading(tmp_path, {"train.py": _SCRIPT}))
    assert (path.role, path.pipeline.layout, path.pipeline.dtype) == ("train", "NCHW", "float32")
    assert (path.pipeline.affine.scale, path.pipeline.affine.offset) == ((1 / 127.5,), (-1.0,))
    assert path.pipeline.decode.library == "pillow"
    assert [step.name for step in steps_of(path) if isinstance(step, Random)] == ["flip", "AugmentPipe"]
