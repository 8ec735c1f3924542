"""What costs time for no need: what is done over again for each of the others, and attributes that are many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.static.interpreter import Interpreter
from tests.preprocessing.static.repositories import reading


def test_a_path_is_held_against_those_of_its_own_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Any] = []

    def counted(one: Pipeline, other: object) -> Any:
        compared.append(other)
        return original(one, other)

    original = Pipeline.__eq__
    monkeypatch.setattr(Pipeline, "__eq__", counted)
    head = "import cv2, torch\nmodel = torch.load('model.pt')\n"
    fed = "model(torch.from_numpy(cv2.resize(cv2.imread('{0}.png'), ({0}, {0}))).permute(2, 0, 1)[None].float())\n"
    found = reading(tmp_path, {"test.py": head + "".join(fed.format(side) for side in range(100, 112))})
    assert len(found.paths) == 12
    assert len(compared) <= 12


def test_the_interpreter_keeps_its_attributes_in_no_dictionary() -> None:
    assert all("__slots__" in vars(one) for one in Interpreter.__mro__ if one.__module__.startswith("dataguard."))
