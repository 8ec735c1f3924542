"""What a model is fed where gradients are off, and after."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading


@pytest.mark.parametrize(
    ("block", "role"),
    [
        ("with torch.no_grad():\n    average(net)\nnet(image)", "train"),
        ("with torch.no_grad():\n    net(image)", "val"),
        ("with torch.no_grad():\n    net.eval()\nnet(image)", "val"),
        ("net.eval()\nwith torch.no_grad():\n    average(net)\nnet(image)", "val"),
        ("with torch.no_grad():\n    with torch.inference_mode():\n        average(net)\n    net(image)", "val"),
        ("with torch.set_grad_enabled(True):\n    net(image)", "train"),
        ("with torch.set_grad_enabled(False):\n    net(image)", "val"),
        ("with torch.set_grad_enabled(unknown()):\n    net(image)", "train"),
    ],
)
def test_what_is_fed_without_gradients_is_so_while_these_are_off(tmp_path: Path, block: str, role: str) -> None:
    script = f"import cv2, torch\nimage = torch.from_numpy(cv2.imread('a.png')[None] / 255.0)\n{block}\n"
    assert only(reading(tmp_path, {"train.py": script})).role == role
