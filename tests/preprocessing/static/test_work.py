"""How much work a reading is: it grows with the code, and no faster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dataguard.preprocessing.static import joining, looping, networks, roles
from tests.preprocessing.static.repositories import reading


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[object]:
    """Calls of a function of a module, by what they were given first."""
    calls: list[object] = []
    function = getattr(module, name)

    def counting(*arguments: Any) -> Any:
        calls.append(arguments[0])
        return function(*arguments)

    monkeypatch.setattr(module, name, counting)
    return calls


def registered(n: int) -> str:
    """A script that registers functions one after the other, in a branch of which nobody knows whether it is taken."""
    head = """
import cv2
import os

NAMES = []

def register(function):
    if os.environ.get("ALL"):
        NAMES.append(function.__name__)
    return function

"""
    functions = "".join(f"@register\ndef made_{number}():\n    return {number}\n\n" for number in range(n))
    return head + functions + "net = cv2.dnn.readNet('n.onnx')\nnet.setInput(cv2.imread('a.png') / 255.0)\n"


def test_lists_that_grow_in_branches_are_not_looked_through_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = [counted(monkeypatch, joining, name) for name in ("join", "same")]
    work = []
    for n in (20, 80):
        for calls in compared:
            calls.clear()
        assert reading(tmp_path / str(n), {"serve.py": registered(n)}).paths
        work.append(sum(map(len, compared)))
    assert work[1] <= 5 * work[0]


def test_a_network_is_looked_through_once_however_often_it_is_fed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks = counted(monkeypatch, networks, "nodes")
    script = """
        import cv2, torch
        from torch import nn

        class Block(nn.Module):
            pass

        class Net(nn.Module):
            def __init__(self):
                self.block = Block()

        net = Net()
        def tensor(name):
            return torch.from_numpy(cv2.imread(name) / 255.0).permute(2, 0, 1)[None]
        """ + "".join(f"\n        net(tensor('{number}.png'))" for number in range(12))
    found = reading(tmp_path, {"serve.py": script})
    assert any("part:Block@serve.py" in path.networks for path in found.paths)
    assert 0 < len(walks) <= 2


def test_a_script_is_searched_once_for_what_tells_its_role() -> None:
    text = b"optimizer.step()" * 100
    before = roles._STEPS.search.cache_info().misses
    for _ in range(5):
        assert roles._STEPS.search(text)
    assert roles._STEPS.search.cache_info().misses == before + 1


def test_a_loop_is_looked_through_once_however_often_its_function_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks = counted(monkeypatch, looping, "nodes")
    script = """
        import cv2, torch

        def halved(image):
            scale = 1.0
            while image.shape[0] * scale > 500:
                scale *= 0.5
            return cv2.resize(image, None, fx=scale, fy=scale)

        net = torch.jit.load('n.pt')
        """ + "".join(f"\n        net(torch.from_numpy(halved(cv2.imread('{n}.png')))[None] / 255)" for n in range(9))
    assert reading(tmp_path, {"serve.py": script}).paths
    assert len(walks) == 1
