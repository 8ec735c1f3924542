"""Data sets that are added to each other, and modules of them that are imported by a name put together."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading

_SETS = """
    import cv2
    from torch.utils.data import DataLoader

    class Pictures(object):
        def __getitem__(self, index):
            return cv2.resize(cv2.imread(self.names[index]), (96, 96)).transpose(2, 0, 1) / 255.0
        def __add__(self, other):
            return merged(self, other)
        def __radd__(self, other):
            return self if other == 0 else self.__add__(other)
    """


@pytest.mark.parametrize("whole", ["sum([Pictures()])", "sum([Pictures(), Pictures()])", "Pictures() + Pictures()"])
def test_sums(tmp_path: Path, whole: str) -> None:
    script = _SETS + f"\n    for x in DataLoader({whole}, shuffle=True):\n        model(x)\n"
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.pipeline.order, path.pipeline.affine.scale) == ("BGR", (1 / 255,))


def test_modules_by_names_that_are_put_together(tmp_path: Path) -> None:
    script = """
        def made(name):
            module = __import__("data." + name, globals(), locals(), [name], 0)
            return module.Pictures()
        from torch.utils.data import DataLoader
        for x in DataLoader(made("small"), shuffle=True):
            model(x)
        """
    files = {"train.py": script, "data/__init__.py": "", "data/small.py": _SETS}
    assert only(reading(tmp_path, files)).pipeline.order == "BGR"
