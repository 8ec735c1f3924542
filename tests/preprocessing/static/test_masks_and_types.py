"""Pictures that are multiplied by masks, types of numbers by their names, and tensors that are evaluated."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading, served


@pytest.mark.parametrize(
    ("product", "known"), [("(1 - mask) * image", (2 / 255, -1.0)), ("image * image", (None, None))]
)
def test_a_picture_times_its_mask(tmp_path: Path, product: str, known: tuple[float | None, float | None]) -> None:
    path = served(
        tmp_path,
        f"""
        image = np.array(Image.open(path).convert("RGB")).astype(np.float32)[None] / 255.0
        image = torch.from_numpy(image.transpose(0, 3, 1, 2))
        mask = np.array(Image.open(other).convert("L")).astype(np.float32)[None, None] / 255.0
        mask[mask < 0.5] = 0
        mask = torch.from_numpy(mask)
        batch = {{"masked": {product}, "mask": mask}}
        for k in batch:
            batch[k] = batch[k] * 2.0 - 1.0
        model(batch["masked"])
        """,
    )
    assert levels(path) == pytest.approx(known)
    assert path.pipeline.order == "RGB"


@pytest.mark.parametrize(("kind", "scale"), [("np.float32", 1.0), ("np.uint8", 1 / 255)])
def test_a_type_by_its_name(tmp_path: Path, kind: str, scale: float) -> None:
    path = served(
        tmp_path,
        f"""
        image = np.array(Image.open(path).convert("RGB")).astype({kind})
        if image.dtype == "uint8":
            image = image / 255.0
        elif image.dtype != "float32":
            image = image / 7.0
        model(torch.from_numpy(image.astype(np.float32))[None])
        """,
    )
    assert levels(path) == pytest.approx((scale, 0.0))


def test_a_tensor_of_a_graph_that_is_evaluated(tmp_path: Path) -> None:
    script = """
        import numpy as np
        import tensorflow as tf
        import vgg
        from PIL import Image
        picture = np.array(Image.open("a.png")).astype(np.float32) - np.array([120.0, 110.0, 100.0])
        with tf.Graph().as_default(), tf.Session() as session:
            image = tf.placeholder("float", shape=(1, 64, 64, 3))
            net = vgg.net(image)
            features = net["relu1"].eval(feed_dict={image: np.array([picture])})
        """
    affine = only(reading(tmp_path, {"style.py": script})).pipeline.affine
    assert affine.offset == (-120.0, -110.0, -100.0)
