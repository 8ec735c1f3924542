"""Models of packages that are given pictures as they were opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading

OWN = """
    import dlib
    import numpy as np
    import PIL.Image

    describer = dlib.face_recognition_model_v1("faces.dat")

    def load(file, mode="RGB"):
        image = PIL.Image.open(file)
        if mode:
            image = image.convert(mode)
        return np.array(image)

    def encodings(image, places):
        return [np.array(describer.compute_face_descriptor(image, one, 1)) for one in places]
    """


def test_a_network_of_dlib_takes_whole_levels(tmp_path: Path) -> None:
    script = """
        import sys
        import api

        image = api.load(sys.argv[1])
        print(api.encodings(image, api.found(image)))
        """
    path = only(reading(tmp_path, {"api.py": OWN, "main.py": script}))
    pipeline = path.pipeline
    assert (path.role, path.fed, path.networks) == ("serve", True, ("class:face_recognition_model_v1@dlib",))
    read = pipeline.decode.library, pipeline.order, pipeline.layout, pipeline.dtype
    assert read == ("pillow", "RGB", "HWC", "uint8")
    assert (pipeline.affine.scale, pipeline.affine.offset, pipeline.geometry) == ((1.0,), (0.0,), ())


@pytest.mark.parametrize(
    ("lines", "order"),
    [
        ("import face_recognition\nface_recognition.face_encodings(face_recognition.load_image_file(P))", "RGB"),
        ("import face_recognition as f\nf.face_encodings(f.load_image_file(P, mode='L'))", "GRAY"),
        ("from insightface.app import FaceAnalysis\nFaceAnalysis(name='buffalo_l').get(cv2.imread(P))", "BGR"),
        ("from ultralytics import YOLO\nmodel = YOLO('n.pt')\nfound = model(cv2.imread(P))", "BGR"),
        ("import dlib\nfind = dlib.cnn_face_detection_model_v1('m')\nfind(cv2.imread(P)[:, :, ::-1], 1)", "RGB"),
    ],
)  # fmt: skip
def test_models_of_packages(tmp_path: Path, lines: str, order: str) -> None:
    path = only(reading(tmp_path, {"main.py": f"import sys\nimport cv2\nP = sys.argv[1]\n{lines}\n"}))
    library = "opencv" if "imread" in lines else "pillow"
    assert (path.pipeline.decode.library, path.pipeline.order, path.pipeline.dtype) == (library, order, "uint8")
