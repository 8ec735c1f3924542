"""Tensors that are made by their lengths, and filled with a batch before a model gets them."""

from __future__ import annotations

from pathlib import Path

from tests.preprocessing.static.repositories import only, reading, steps_of

_BEGINNING = """
    import cv2, torch
    import numpy as np
    from torch.autograd import Variable
    held = Variable(torch.FloatTensor(1).cuda())
    batch = torch.from_numpy(cv2.imread("a.png").astype(np.float32)[np.newaxis]).permute(0, 3, 1, 2)
    """


def test_the_data_of_a_tensor_is_resized_and_copied_into(tmp_path: Path) -> None:
    script = _BEGINNING + "    held.data.resize_(batch.size()).copy_(batch)\n    model(held, 3)\n"
    path = only(reading(tmp_path, {"demo.py": script}))
    assert (path.role, path.fed, path.pipeline.layout, path.pipeline.dtype) == ("serve", True, "NCHW", "float32")


def test_a_function_fills_a_tensor_that_it_is_given(tmp_path: Path) -> None:
    script = (
        _BEGINNING.replace("held =", "def load(into, data):\n        into.resize_(data.size()).copy_(data)\n    held =")
        + "    load(held, batch)\n    model(held)\n"
    )
    path = only(reading(tmp_path, {"demo.py": script}))
    assert (path.fed, path.pipeline.layout) == (True, "NCHW")


def test_a_tensor_made_of_numbers_is_no_empty_one(tmp_path: Path) -> None:
    script = """
        import cv2, torch
        image = torch.from_numpy(cv2.imread("a.png")).permute(2, 0, 1).float()
        mean = torch.FloatTensor([103, 117, 123]).view(3, 1, 1)
        model((image - mean).unsqueeze(0))
        """
    path = only(reading(tmp_path, {"demo.py": script}))
    assert path.pipeline.affine.offset == (-103.0, -117.0, -123.0)


def test_a_picture_is_written_into_a_corner_of_such_a_tensor(tmp_path: Path) -> None:
    script = """
        import cv2, torch
        image = torch.from_numpy(cv2.resize(cv2.imread("a.png"), (64, 32))).float()
        larger = torch.FloatTensor(128, 128, 3).zero_()
        larger[:32, :64, :] = image
        model(larger.permute(2, 0, 1).unsqueeze(0))
        """
    step = steps_of(only(reading(tmp_path, {"demo.py": script})))[-1]
    assert (step.rule, step.sides, step.fill) == ("by", (0, 96, 0, 64), (0.0,))


def test_a_batch_of_one_loses_its_first_axis_by_its_lengths(tmp_path: Path) -> None:
    script = (
        _BEGINNING + "    one = batch.contiguous().view(3, batch.size(2), batch.size(3))\n    model(one.unsqueeze(0))\n"
    )
    assert only(reading(tmp_path, {"demo.py": script})).pipeline.layout == "NCHW"
