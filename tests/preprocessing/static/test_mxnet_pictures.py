"""Pictures that MXNet decodes and resizes, and channels that are changed one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import resized, served, trained


@pytest.mark.parametrize(
    ("more", "order"), [("", "RGB"), (", to_rgb=False", "BGR"), (", 1, 0", "BGR"), (", 0", "GRAY")]
)
def test_mxnet_decodes(tmp_path: Path, more: str, order: str) -> None:
    path = trained(
        tmp_path,
        f"""
        import mxnet as mx
        header, data = mx.recordio.unpack(self.records.read_idx(index))
        sample = mx.image.imdecode(data{more}).asnumpy()
        return transforms.ToTensor()(sample)
        """,
    )
    assert (path.pipeline.decode.library, path.pipeline.order, path.pipeline.layout) == ("opencv", order, "NCHW")


def test_a_header_and_a_picture(tmp_path: Path) -> None:
    path = trained(
        tmp_path, "import mxnet as mx\nheader, img = mx.recordio.unpack_img(self.read(index))\nreturn img / 255"
    )
    assert path.pipeline.order == "BGR"


@pytest.mark.parametrize(
    ("call", "rule", "kernel"),
    [("mx.image.resize_short(img, 112)", "short", "cubic"), ("mx.image.imresize(img, 96, 64)", "exact", "linear")],
)
def test_mxnet_resizes(tmp_path: Path, call: str, rule: str, kernel: str) -> None:
    path = served(tmp_path, f"import mxnet as mx\nimg = mx.image.imread(path)\nimg = {call}.asnumpy()\n"
                            "model(torch.from_numpy(img / 255.)[None])")  # fmt: skip
    step = resized(path)
    assert (step.rule, step.kernel, step.engine) == (rule, kernel, "opencv")


def test_channels_are_changed_one_after_the_other(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        array = np.float32(Image.open(path).convert("RGB")).transpose(2, 0, 1)
        for channel, _ in enumerate(array):
            array[channel] /= 255
            array[channel] -= mean[channel]
            array[channel] /= std[channel]
        model(torch.from_numpy(array).float().unsqueeze_(0))
        """,
    )
    assert path.pipeline.affine.offset == pytest.approx((-2.117904, -2.035714, -1.804444), abs=1e-5)
