"""Small repositories to audit."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

TRAIN = """
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import models, transforms

MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]

transform = transforms.Compose([
    transforms.Resize(256),
    transforms.CenterCrop(224),
    transforms.ToTensor(),
    transforms.Normalize(MEAN, STD),
])


class Pictures(Dataset):
    def __init__(self, files, labels):
        self.files = files
        self.labels = labels

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        picture = Image.open(self.files[index]).convert("RGB")
        return transform(picture), self.labels[index]


def main():
    model = models.resnet18(num_classes=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(Pictures(["a.jpg"], [0]), batch_size=1, shuffle=True)
    model.train()
    for pictures, labels in loader:
        loss = torch.nn.functional.cross_entropy(model(pictures), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
"""

SERVE = """
import cv2
import numpy as np
import torch
from torchvision import models

MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)


def preprocess(path):
    image = cv2.imread(path)
    image = cv2.resize(image, (224, 224), interpolation=cv2.INTER_LINEAR)
    image = image.astype(np.float32) / 255.0
    image = (image - MEAN) / STD
    return torch.from_numpy(image.transpose(2, 0, 1)).unsqueeze(0)


def predict(path):
    model = models.resnet18(num_classes=2)
    model.load_state_dict(torch.load("model.pt"))
    model.eval()
    with torch.no_grad():
        return model(preprocess(path)).argmax(1)


if __name__ == "__main__":
    import sys

    print(predict(sys.argv[1]))
"""

SWAPPED = SERVE.replace(
    "    image = cv2.imread(path)\n", "    image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)\n"
)
"""The same, with the channels exchanged."""

SAME = """
import torch
from PIL import Image
from torchvision import models

from train import transform


def predict(path):
    model = models.resnet18(num_classes=2)
    model.load_state_dict(torch.load("model.pt"))
    model.eval()
    picture = transform(Image.open(path).convert("RGB")).unsqueeze(0)
    with torch.no_grad():
        return model(picture).argmax(1)


if __name__ == "__main__":
    print(predict("a.jpg"))
"""
"""What training does, by another route."""


def make_repository(folder: Path, serve: str = SERVE) -> Path:
    """Training with Pillow, and what serves it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.py").write_text(TRAIN)
    (folder / "serve.py").write_text(serve)
    (folder / "requirements.txt").write_text(
        "torch==2.4.0\ntorchvision==0.19.0\npillow==10.4.0\nopencv-python\nnumpy==1.26.4\n"
    )
    return folder


def line_of(text: str, part: str) -> int:
    """The number of the line that has a text in it."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


class Touch:
    """What writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch {self.path}",)


def make_hostile(folder: Path, ran: Path) -> Path:
    """A repository of which every part would write `ran` if it were run, imported or loaded."""
    make_repository(folder)
    touch = f"open({str(ran)!r}, 'w').close()\n"
    for name in (
        "__init__.py",
        "conftest.py",
        "sitecustomize.py",
        "usercustomize.py",
        "setup.py",
        "hubconf.py",
    ):
        (folder / name).write_text(touch)
    for name in ("train.py", "serve.py"):
        (folder / name).write_text(touch + (folder / name).read_text())
    # Modules that shadow what an analysis might import from the current folder.
    for name in ("yaml", "random", "argparse", "rich", "scipy", "pandas"):
        (folder / f"{name}.py").write_text(touch)
    (folder / "config.yaml").write_text(
        f'size: !!python/object/apply:os.system ["touch {ran}"]\nmean: [0.5, 0.5, 0.5]\n'
    )
    # Files that readers of configurations open.
    (folder / "net_config.py").write_text(
        f"{touch}test_pipeline = [dict(type='Resize', scale=(64, 64), keep_ratio=False)]\nx = [{touch.strip()}]\n"
    )
    (folder / "args.yaml").write_text(f'imgsz: 64\ntask: detect\nx: !!python/object/apply:os.system ["touch {ran}"]\n')
    (folder / "net.json").write_text(
        json.dumps({"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": touch}]}})
    )
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": "setup.Evil", "auto_map": {"AutoImageProcessor": "setup.Evil"}})
    )
    (folder / "pipe.py").write_text(
        f"import nvidia.dali.fn as fn\n{touch}@pipeline_def\ndef pipe():\n"
        f"    return fn.readers.file(file_root={touch.strip()})\n"
    )
    (folder / "deep.yaml").write_text("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setup"\nbackend-path = ["."]\n'
    )
    (folder / "dataguard.toml").write_text(
        '[loader]\ntarget = "setup.py:loader"\n[preprocessing]\ntrain = "setup.py:f"\n'
    )
    cell: dict[str, Any] = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": [touch, f"!touch {ran}"],
    }
    (folder / "demo.ipynb").write_text(
        json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    (folder / "model.pt").write_bytes(pickle.dumps(Touch(ran)))
    (folder / "data.pkl").write_bytes(pickle.dumps(Touch(ran)))
    (folder / "evil.pth").write_text(f"import os; os.system('touch {ran}')\n")
    return folder


def archived(folder: Path, archive: Path) -> Path:
    """A folder as a zip."""
    with zipfile.ZipFile(archive, "w") as made:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                made.write(path, path.relative_to(folder).as_posix())
    return archive
