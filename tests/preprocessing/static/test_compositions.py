"""Compositions of transforms that no picture is seen to go through."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import reading


@pytest.mark.parametrize(
    ("name", "step", "paths"),
    [
        ("transform", "ScaleDown((36, 100))", 1),
        ("target_transform", "ScaleDown((36, 100))", 0),
        ("coarse", "ScaleMask((36, 100))", 0),
    ],
)
def test_those_of_labels_are_no_paths(tmp_path: Path, name: str, step: str, paths: int) -> None:
    cls = step.partition("(")[0]
    script = f"""
        from PIL import Image
        from torchvision import transforms

        class {cls}:
            def __init__(self, size):
                self.size = size

            def __call__(self, picture):
                return picture.resize((self.size[1], self.size[0]), Image.NEAREST)

        {name} = transforms.Compose([{step}, transforms.ToTensor()])
        train(elsewhere({name}))
        """
    assert len(reading(tmp_path, {"train.py": script}).paths) == paths


@pytest.mark.parametrize(("last", "paths"), [("transforms.ToPILImage()", 0), ("transforms.CenterCrop(64)", 1)])
def test_what_makes_pictures_to_look_at_is_no_path(tmp_path: Path, last: str, paths: int) -> None:
    script = f"""
        from torchvision import transforms

        class Restore:
            def __init__(self, mean, std):
                self.mean, self.std = mean, std

            def __call__(self, tensor):
                for t, m, s in zip(tensor, self.mean, self.std):
                    t.mul_(s).add_(m)
                return tensor

        restore = transforms.Compose([Restore([0.5] * 3, [0.2] * 3), {last}])
        show(elsewhere(restore))
        """
    assert len(reading(tmp_path, {"show.py": script}).paths) == paths
