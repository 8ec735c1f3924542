"""Networks that restore pictures: BasicSR's functions, facexlib's faces, and what is done to pictures to train them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad, Random, Resize
from tests.preprocessing.static.repositories import levels, only, reading, steps_of

DATA = """
    import cv2
    import numpy as np
    import torch
    from basicsr.data import degradations
    from basicsr.data.transforms import augment, paired_random_crop
    from basicsr.utils import FileClient, imfrombytes, img2tensor
    from torchvision.transforms.functional import adjust_brightness, adjust_hue, normalize

    class Degraded(torch.utils.data.Dataset):
        def __init__(self, paths, gray_prob=0.1):
            self.paths, self.gray_prob, self.client = paths, gray_prob, FileClient("disk")

        def __getitem__(self, index):
            clean = imfrombytes(self.client.get(self.paths[index]), float32=True)
            clean, status = augment(clean, hflip=True, rotation=False, return_status=True)
            kernel = degradations.random_mixed_kernels(["iso"], [1.0], 41, [0.1, 10])
            image = cv2.filter2D(clean, -1, kernel)
            image = degradations.random_add_gaussian_noise(image, [0, 20])
            clean, image = {cropped}
            image, clean = img2tensor([image, clean], bgr2rgb=True, float32=True)
            for one in torch.randperm(2):
                if one == 0:
                    image = adjust_brightness(image, torch.tensor(1.0).uniform_(0.5, 1.5).item())
                if one == 1:
                    image = adjust_hue(image, torch.tensor(1.0).uniform_(-0.1, 0.1).item())
            image = torch.clamp((image * 255.0).round(), 0, 255) / 255.
            normalize(image, [0.5] * 3, [0.5] * 3, inplace=True)
            return image, clean

    train_loader = torch.utils.data.DataLoader(Degraded(["a.png"]), batch_size=4, shuffle=True)
    """


@pytest.mark.parametrize(
    ("cropped", "shown"),
    [("paired_random_crop(clean, image, 256, 4, 'a.png')", "64x64"), ("clean, image", "")],
)
def test_a_data_set_of_basicsr(tmp_path: Path, cropped: str, shown: str) -> None:
    path = only(reading(tmp_path, {"train.py": DATA.format(cropped=cropped)}))
    pipeline = path.pipeline
    assert (pipeline.decode.library, pipeline.order, pipeline.layout, pipeline.dtype) == (
        "opencv",
        "RGB",
        "NCHW",
        "float32",
    )
    assert levels(path) == pytest.approx((1 / 127.5, -1.0))
    names = [step.name for step in steps_of(path) if isinstance(step, Random)]
    assert names[:3] == ["flip", "filter2D", "noise"]
    sizes = [dict(step.parameters).get("size", "") for step in steps_of(path) if isinstance(step, Random)]
    assert shown in sizes
    assert not any(isinstance(step, Resize) for step in steps_of(path))


@pytest.mark.parametrize("read", ["picture", "'a.png'"])
def test_faces_that_facexlib_cuts_out(tmp_path: Path, read: str) -> None:
    script = f"""
        import sys
        import cv2, torch
        from basicsr.utils import img2tensor
        from facexlib.utils.face_restoration_helper import FaceRestoreHelper
        from torchvision.transforms.functional import normalize

        helper = FaceRestoreHelper(2, face_size=256)
        picture = cv2.imread(sys.argv[1], cv2.IMREAD_COLOR)
        helper.read_image({read})
        helper.get_face_landmarks_5(eye_dist_threshold=5)
        helper.align_warp_face()
        for face in helper.cropped_faces:
            tensor = img2tensor(face / 255.0, bgr2rgb=True, float32=True)
            normalize(tensor, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), inplace=True)
            model(tensor.unsqueeze(0))
    """
    path = only(reading(tmp_path, {"restore.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.order, path.pipeline.layout) == ("opencv", "RGB", "NCHW")
    assert levels(path) == pytest.approx((1 / 127.5, -1.0))
    warp, border = steps_of(path)
    assert isinstance(warp, Resize)
    assert (warp.height, warp.width, warp.kernel) == (256, 256, "linear")
    assert isinstance(border, Pad)
    assert "matrix" in border.undetermined["position"]
