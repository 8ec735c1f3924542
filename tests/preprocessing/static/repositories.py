"""Small repositories that tests are written with."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataguard.preprocessing.static.reading import FoundPath, RepositoryReading, read_repository
from dataguard.preprocessing.steps import Random, Resize


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """A folder with these files, their common indentation removed."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


FOLLOWED = True
"""Whether layout and type of every path are read out of its code, or not known at all."""


def reading(folder: Path, files: Mapping[str, str], *, committed: dt.date | None = None) -> RepositoryReading:
    """What is read out of a repository with these files.

    What torch's networks take is NCHW and float32, which most tests expect: where it was taken for what is not
    followed, they would pass whatever else goes wrong.
    """
    found = read_repository(written(folder, files), committed=committed)
    if FOLLOWED:
        said = [one for path in found.paths for one in path.pipeline.provenance.values()]
        assert [one.detail for one in said if one.detail.startswith("what torch's networks take")] == []
    return found


def only(found: RepositoryReading) -> FoundPath:
    """The one path of a repository."""
    assert len(found.paths) == 1, [path.name for path in found.paths]
    return found.paths[0]


def served(folder: Path, body: str, **more: str) -> FoundPath:
    """The one path of a script that feeds ``model`` with what these lines make of ``path``."""
    imports = "import cv2, torch\nimport numpy as np\nfrom PIL import Image, ImageOps\n"
    return only(reading(folder, {"predict.py": imports + textwrap.dedent(body), **more}))


def trained(folder: Path, lines: str) -> FoundPath:
    """The one path of a script that trains ``net`` with what these lines return as a data set's item at ``index``."""
    script = (
        "import random\nimport cv2, torch\nimport numpy as np\nfrom PIL import Image\n"
        "from torch.utils.data import DataLoader, Dataset\nfrom torchvision import transforms\n"
        "import torchvision.transforms.functional as TF\n\n"
        "class Data(Dataset):\n    def __getitem__(self, index):\n"
        f"{textwrap.indent(textwrap.dedent(lines), ' ' * 8)}\n"
        "\nfor x in DataLoader(Data(), shuffle=True):\n    net(x)\n"
    )
    return only(reading(folder, {"train.py": script}))


def steps_of(path: FoundPath) -> tuple[Any, ...]:
    """What a path does to where pixels are, which is known; steps of whatever kinds a test goes on to name."""
    assert path.pipeline.geometry is not None
    return path.pipeline.geometry


def drawn(path: FoundPath) -> Random:
    """The only step of a path, which is by chance."""
    (step,) = steps_of(path)
    assert isinstance(step, Random)
    return step


def resized(path: FoundPath) -> Resize:
    """The last resize of a path."""
    return [step for step in steps_of(path) if isinstance(step, Resize)][-1]


def levels(path: FoundPath) -> tuple[float | None, float | None]:
    """Scale and offset of a path, of its first channel."""
    affine = path.pipeline.affine
    return (affine.scale or (None,))[0], (affine.offset or (None,))[0]
