"""Pictures that are encoded into memory and decoded again, and functions that only others lead to pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import only, reading, served

FEED = "model(torch.from_numpy(np.asarray(image)).permute(2, 0, 1).unsqueeze(0).float())"


def seen(path: FoundPath) -> tuple[str | None, str | None, int]:
    """Who decodes the file, the order of channels at the model, and how many resizes there are."""
    pipeline = path.pipeline
    return pipeline.decode.library, pipeline.order, sum(isinstance(one, Resize) for one in pipeline.geometry or ())


@pytest.mark.parametrize(
    ("reader", "order"),
    [
        ("Image.open(buffer)", "RGB"),
        ("skimage.io.imread(buffer)", "RGB"),
        ("cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_COLOR)", "BGR"),
    ],
)
def test_a_picture_saved_into_a_buffer_stays_what_it_was(tmp_path: Path, reader: str, order: str) -> None:
    body = f"""
        import io, skimage.io
        image = Image.open("a.png").convert("RGB").resize((64, 64), Image.BILINEAR)
        buffer = io.BytesIO()
        image.save(buffer, format="JPEG")
        buffer.seek(0)
        image = {reader}
        {FEED}
        """
    assert seen(served(tmp_path, body)) == ("pillow", order, 1)


def test_what_opencv_encodes_is_blue_first(tmp_path: Path) -> None:
    body = f"""
        import io
        image = cv2.resize(cv2.imread("a.png"), (64, 64))
        done, data = cv2.imencode(".jpg", image)
        image = Image.open(io.BytesIO(data.tobytes()))
        {FEED}
        """
    assert seen(served(tmp_path, body)) == ("opencv", "RGB", 1)


def test_bytes_that_nothing_was_written_into_are_a_file(tmp_path: Path) -> None:
    body = f"""
        import io
        image = Image.open(io.BytesIO(request.content)).convert("RGB").resize((64, 64))
        {FEED}
        """
    assert seen(served(tmp_path, body)) == ("pillow", "RGB", 1)


def test_a_flag_that_is_not_of_colour_begins_anew(tmp_path: Path) -> None:
    body = """
        done, data = cv2.imencode(".jpg", cv2.resize(cv2.imread("a.png"), (64, 64)))
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        model(torch.from_numpy(image)[None, None].float())
        """
    assert served(tmp_path, body).pipeline.order == "GRAY"


def test_a_function_that_leads_to_pictures_through_others_is_where_a_path_starts(tmp_path: Path) -> None:
    package = {
        "net/__init__.py": "",
        "net/pictures.py": """
            import numpy as np
            from PIL import Image
            def load(name):
                return Image.open(name)
            def prepare(image):
                return np.asarray(image.convert("RGB").resize((32, 32), Image.BICUBIC)) / 255.0
            """,
        "net/predicting.py": """
            import torch
            from PIL import Image
            from net.pictures import load, prepare
            def predict(name, model):
                image = prepare(load(name))
                return model(torch.from_numpy(image).permute(2, 0, 1)[None].float())
            """,
    }
    path = only(reading(tmp_path, package))
    assert (path.name, path.pipeline.decode.library) == ("net/predicting.py: predict", "pillow")
    assert path.pipeline.affine.scale == (1 / 255,)
