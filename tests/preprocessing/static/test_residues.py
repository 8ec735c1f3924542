"""Paths whose end is not seen, and code that nothing is seen to lead to: what is known of them is told, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.audit.pairing import compare_paths
from dataguard.preprocessing.audit.table import path_table
from tests.preprocessing.static.repositories import only, reading, resized

OPENED = """
    import cv2, torch, engine
    import numpy as np
    def main():
        image = cv2.imread("a.jpg")
        image = cv2.resize(image, (64, 48))
"""


def test_a_path_ends_where_the_picture_was_last_seen(tmp_path: Path) -> None:
    script = (
        OPENED + "        blob = np.float32(image.transpose(2, 0, 1)[None]) / 255\n        engine.queue.append(blob)\n"
    )
    path = only(reading(tmp_path, {"predict.py": script + "    if __name__ == '__main__':\n        main()\n"}))
    assert (path.name, path.ended, path.reachable) == ("predict.py: main (its end is not seen)", False, True)
    assert (path.pipeline.order, path.pipeline.layout, resized(path).height) == ("BGR", "NCHW", 48)


def test_what_may_still_be_done_to_it_is_not_known(tmp_path: Path) -> None:
    script = OPENED + "        blob = image[None]\n        engine.queue.append(blob)\n"
    path = only(reading(tmp_path, {"predict.py": script + "    main()\n"}))
    assert (path.pipeline.affine.scale, path.pipeline.dtype) == (None, None)
    assert "last seen, predict.py:7" in path.pipeline.undetermined["dtype"]


def test_a_script_whose_pictures_arrive_has_no_other_ends(tmp_path: Path) -> None:
    script = OPENED + (
        "        other = cv2.imread('b.jpg')[None] / 255\n        engine.queue.append(other)\n"
        "        model(torch.from_numpy(image.transpose(2, 0, 1)[None]).float())\n"
    )
    assert len(reading(tmp_path, {"predict.py": script + "    main()\n"}).paths) == 1


@pytest.mark.parametrize("name", ["mask", "gt_depth", "result", "overlay"])
def test_what_is_named_as_no_input_is_no_path(tmp_path: Path, name: str) -> None:
    script = OPENED + f"        {name} = image[None] / 255\n        engine.queue.append({name})\n"
    assert not reading(tmp_path, {"predict.py": script + "    main()\n"}).paths


def test_a_picture_that_nothing_was_done_to_is_no_path(tmp_path: Path) -> None:
    assert not reading(tmp_path, {"predict.py": OPENED + "        engine.show(image)\n    main()\n"}).paths


def test_a_function_within_a_function_that_nobody_is_seen_to_call(tmp_path: Path) -> None:
    script = """
        import engine, torch
        from torchvision import transforms
        def build(size=32):
            normalize = transforms.Normalize([0.5] * 3, [0.5] * 3)
            def prepared(image):
                return normalize(transforms.ToTensor()(image.convert("RGB").resize((size, size))))[None]
            return engine.dataset(prepared)
        if __name__ == "__main__":
            build()
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.pipeline.affine.scale, resized(path).width, path.reachable) == ((1 / 127.5,), 32, False)


def test_a_branch_that_opens_a_picture_is_followed_though_its_default_is_empty(tmp_path: Path) -> None:
    script = """
        import cv2, torch
        path = ""
        def main():
            if path:
                image = cv2.resize(cv2.imread(path), (64, 64))
                model(torch.from_numpy(image.transpose(2, 0, 1)[None]).float().div(255))
        main()
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert (path.pipeline.decode.library, resized(path).height) == ("opencv", 64)


def test_what_such_a_branch_returns_is_not_what_the_function_returns(tmp_path: Path) -> None:
    script = """
        import cv2, torch
        fast = False
        def load(name):
            if fast:
                return cv2.imread(name, 0)
            return cv2.resize(cv2.imread(name), (64, 64))
        model(torch.from_numpy(load("a.jpg").transpose(2, 0, 1)[None]).float().div(255))
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert (path.pipeline.order, resized(path).height) == ("BGR", 64)


def test_a_path_whose_end_is_not_seen_is_told_and_compared_with_no_other(tmp_path: Path) -> None:
    lost = (
        OPENED + "        blob = image.transpose(2, 0, 1)[None] / 255\n        engine.queue.append(blob)\n    main()\n"
    )
    train = """
        import cv2, torch
        image = cv2.resize(cv2.imread("a.jpg", 0), (32, 32))
        loss = model(torch.from_numpy(image[None, None]).float()).sum()
        loss.backward()
        """
    found = reading(tmp_path, {"predict.py": lost, "train.py": train})
    assert {(path.role, path.ended) for path in found.paths} == {("train", True), ("serve", False)}
    compared = compare_paths(found)
    assert not compared.pairs
    table = path_table(found, compared)
    assert table is not None
    assert [row.name for row in table.rows] == ["train", "(serve, end not seen)"]
