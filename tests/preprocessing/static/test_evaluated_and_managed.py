"""``eval`` of a known text, ``with`` a generator, and arrays that are written into."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Pad, Resize
from tests.preprocessing.static.repositories import only, reading, served

DATASET = """
    import cv2
    from torch.utils.data import Dataset
    class Faces(Dataset):
        def __init__(self, root, transform=None):
            self.root, self.transform = root, transform
        def __getitem__(self, index):
            picture = cv2.imread(self.root)
            return self.transform(cv2.resize(picture, (64, 64)))
"""
TRAIN = """
    import torch, datasets
    from easydict import EasyDict
    import torchvision.transforms as T
    config = EasyDict()
    config.NAME = 'faces'
    train_set = eval({text})(config.ROOT, T.Compose([T.ToTensor()]))
    loader = torch.utils.data.DataLoader(train_set, shuffle=True)
    for pictures in loader:
        net(pictures)
"""


def _evaluated(folder: Path, text: str) -> list[FoundPath]:
    files = {
        "datasets/__init__.py": "from .faces import Faces as faces\n",
        "datasets/faces.py": DATASET,
        "train.py": TRAIN.format(text=text),
    }
    return [path for path in reading(folder, files).paths if path.reachable]


def test_a_class_that_eval_looks_up_by_a_configured_name_is_followed(tmp_path: Path) -> None:
    (path,) = _evaluated(tmp_path, "'datasets.' + config.NAME")
    assert (path.role, path.pipeline.decode.library, path.pipeline.order) == ("train", "opencv", "BGR")
    assert path.pipeline.affine.scale == (1 / 255,)


@pytest.mark.parametrize("text", ["'datasets.' + config.OTHER", "'datasets.'", "'(' * 600"])
@pytest.mark.usefixtures("not_followed")
def test_an_eval_of_what_is_not_known_names_no_decoder(tmp_path: Path, text: str) -> None:
    assert all(path.pipeline.decode.library is None for path in _evaluated(tmp_path, text))


def test_eval_runs_nothing(tmp_path: Path) -> None:
    made = tmp_path / "made"
    reading(tmp_path, {"train.py": f"import cv2\nx = cv2.imread(p)\neval(\"open(r'{made}', 'w')\")\n"})
    assert not made.exists()


def test_with_binds_what_a_context_manager_yields(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        from contextlib import contextmanager
        @contextmanager
        def camera(number):
            made = cv2.VideoCapture(number)
            try:
                yield made
            finally:
                made.release()
        def frames():
            with camera(0) as source:
                while True:
                    there, frame = source.read()
                    yield frame
        for frame in frames():
            frame = cv2.resize(frame, (64, 64))
            model(torch.from_numpy(frame.transpose(2, 0, 1)).float().div(255).unsqueeze(0))
        """,
    )
    assert (path.pipeline.decode.library, path.pipeline.order) == ("opencv", "BGR")


@pytest.mark.parametrize(
    ("made", "dtype"),
    [("np.empty((8, n, n, 3))", "float64"), ("np.zeros((8, n, n, 3), np.uint8)", "uint8"),
     ("np.zeros((8, n, n, 3), dtype='float32')", "float32")],
)  # fmt: skip
def test_a_batch_that_is_written_into_has_its_own_type_and_no_border(tmp_path: Path, made: str, dtype: str) -> None:
    path = served(
        tmp_path,
        f"n = read_size()\nfaces = {made}\nfor i, path in enumerate(paths):\n"
        "    faces[i % 8] = cv2.resize(cv2.imread(path), (n, n))\n    model(faces)\n",
    )
    assert path.pipeline.dtype == dtype
    assert path.pipeline.layout == "NHWC"
    assert [type(step) for step in path.pipeline.geometry or ()] == [Resize]


def test_what_is_written_into_a_corner_still_has_a_border(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "canvas = np.zeros((4, 64, 64, 3), dtype=np.float32)\npicture = cv2.resize(cv2.imread(path), (48, 32))\n"
        "canvas[0, :32, :48] = picture / 255.\nmodel.predict(canvas)\n",
    )
    assert [type(step) for step in path.pipeline.geometry or ()] == [Resize, Pad]
    assert path.pipeline.dtype == "float32"


def test_one_file_is_one_path(tmp_path: Path) -> None:
    files = {"predict.py": "import cv2\nx = cv2.imread(p)\nmodel.predict(eval('x')[None] / 255.)\n"}
    assert only(reading(tmp_path, files)).pipeline.decode.library == "opencv"


@pytest.mark.parametrize("asked", ["eval(config.name)", "getattr(data, config.name)"])
def test_one_of_the_data_sets_that_a_module_knows(tmp_path: Path, asked: str) -> None:
    script = f"""
        import data
        from data import Cars, Faces
        from torch.utils.data import DataLoader

        for x in DataLoader({asked}("folder"), shuffle=True):
            net(x)
        """
    sets = """
        import torch
        import cv2
        from torch.utils.data import Dataset

        class Base(Dataset):
            def __init__(self, folder):
                self.paths = open(folder).read().split()

            def __len__(self):
                return len(self.paths)

            def __getitem__(self, index):
                img = cv2.imread(self.paths[index])[:, :, ::-1].copy()
                return torch.from_numpy(img).permute(2, 0, 1).float() / self.largest

        class Cars(Base):
            largest = 255

        class Faces(Base):
            largest = 127.5
        """
    path = only(reading(tmp_path, {"train.py": script, "data.py": sets}))
    assert (path.role, path.pipeline.order, path.pipeline.layout) == ("train", "RGB", "NCHW")
    assert path.pipeline.affine.scale is None
