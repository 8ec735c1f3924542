"""Folders of pictures that Keras reads: what its functions are told, by name and by position."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized, steps_of


@pytest.mark.parametrize(
    ("given", "order", "layout", "crops"),
    [
        ("", "RGB", "NHWC", False),
        (", color_mode='grayscale'", "GRAY", "NHWC", False),
        (", color_mode='rgba'", "RGBA", "NHWC", False),
        (", batch_size=None", "RGB", "HWC", False),
        (", crop_to_aspect_ratio=True", "RGB", "NHWC", True),
    ],
)
def test_a_data_set_of_a_folder(tmp_path: Path, given: str, order: str, layout: str, crops: bool) -> None:
    script = f"""
        from keras.preprocessing import image_dataset_from_directory
        train = image_dataset_from_directory("train", image_size=(64, 64){given})
        model.fit(train)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.pipeline.order, path.pipeline.layout, len(steps_of(path))) == (order, layout, 1 + crops)
    assert (resized(path).height, resized(path).width) == (64, 64)


def test_pictures_of_a_folder_without_labels(tmp_path: Path) -> None:
    script = """
        from keras.preprocessing import image_dataset_from_directory
        images = image_dataset_from_directory("test", label_mode=None, image_size=(64, 64))
        images = images.map(lambda x: x / 255.0)
        for x in images:
            model.predict(x)
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))


def test_a_size_that_stands_behind_the_columns_of_a_table(tmp_path: Path) -> None:
    script = """
        from keras.preprocessing.image import ImageDataGenerator
        made = ImageDataGenerator(rescale=1 / 255.0)
        train = made.flow_from_dataframe(table, "train", "name", "label", None, (96, 128))
        other = made.flow_from_dataframe(table, "other", "name", "label")
        """
    sizes = {(resized(path).height, resized(path).width) for path in reading(tmp_path, {"train.py": script}).paths}
    assert sizes == {(96, 128), (256, 256)}
