"""What a script's paths are for, told by its name and by what it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading

_FILM = """
    import cv2, torch

    film = cv2.VideoCapture("a.avi")
    while True:
        _, frame = film.read()
        model(torch.from_numpy(frame[None] / 255.0))
    """
_DATA = """
    import cv2, torch

    class Faces(torch.utils.data.Dataset):
        def __getitem__(self, index):
            return torch.from_numpy(cv2.imread(self.names[index]).transpose(2, 0, 1) / 255.0)
    """


@pytest.mark.parametrize(("name", "role"), [("test_on_video.py", "serve"), ("test_faces.py", "eval")])
def test_a_test_of_a_film_serves(tmp_path: Path, name: str, role: str) -> None:
    assert only(reading(tmp_path, {name: _FILM})).role == role


def test_a_script_that_validates_and_does_not_learn_evaluates(tmp_path: Path) -> None:
    script = """
        import torch, torch.optim
        from data import Faces

        valid_loader = torch.utils.data.DataLoader(Faces(), batch_size=8, shuffle=False)
        for batch in valid_loader:
            model(batch)
        """
    assert only(reading(tmp_path, {"valid.py": script, "data.py": _DATA})).role == "eval"


@pytest.mark.parametrize("made", ["lfw = Loader(Faces(), 8, False)", "public_test = Loader(Faces(), 8)"])
def test_what_does_not_learn_where_something_learns_validates(tmp_path: Path, made: str) -> None:
    script = f"""
        import torch
        from torch.utils.data import DataLoader as Loader
        from data import Faces

        def train():
            optimizer = torch.optim.SGD(model.parameters(), 0.1)
            faces = Loader(Faces(), batch_size=8, shuffle=True)
            {made}
            for batch in faces:
                model(batch).backward()
                optimizer.step()
            for batch in {made.partition(" ")[0]}:
                model(batch)

        if __name__ == "__main__":
            train()
        """
    found = reading(tmp_path, {"main_faces.py": script, "data.py": _DATA})
    assert [path.role for path in found.paths] == ["train", "val"]


def test_a_script_that_aligns_faces_prepares_data(tmp_path: Path) -> None:
    script = """
        from scipy import misc

        for name in names:
            face = misc.imresize(misc.imread(name)[y:y + h, x:x + w], (182, 182), interp="bilinear")
            misc.imsave("aligned/" + name, face)
        """
    path = only(reading(tmp_path, {"align_dataset.py": script}))
    assert (path.role, path.pipeline.dtype) == ("offline", "uint8")


def test_routes_of_a_blueprint_serve(tmp_path: Path) -> None:
    script = """
        import cv2, flask, torch
        import numpy as np

        blueprint = flask.Blueprint("routes", __name__)

        @blueprint.route("/predict", methods=["POST"])
        def predict():
            image = cv2.imdecode(np.frombuffer(flask.request.files["img"].read(), np.uint8), 1)
            return model(torch.from_numpy(cv2.resize(image, (64, 64))[None] / 255.0))
        """
    path = only(reading(tmp_path, {"api/routes.py": script}))
    assert (path.role, path.reachable) == ("serve", True)


def test_a_file_of_the_repositorys_own_name(tmp_path: Path) -> None:
    files = {
        "__init__.py": "",
        "src/faces.py": "def scaled(image):\n    return image / 255.0\n",
        "more/predict.py": """
            import cv2, torch
            import faces

            model(torch.from_numpy(faces.scaled(cv2.imread("a.png"))[None]))
            """,
    }
    assert only(reading(tmp_path / "owner__faces", files)).pipeline.affine.scale == pytest.approx((1 / 255,))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("create_db_faces.py", "np.savez(output, image=np.array(pictures), size=64)"),
        ("make_dataset.py", "pickle.dump({'images': pictures}, open(output, 'wb'))"),
        ("SetPreparation.py", "np.savez(output, image=np.array(pictures), size=64)"),
    ],
)
def test_arrays_of_pictures_that_a_script_writes(tmp_path: Path, name: str, body: str) -> None:
    script = f"""
        import cv2, pickle
        import numpy as np

        def main(output, names):
            pictures = []
            for one in names:
                pictures.append(cv2.resize(cv2.imread(one)[10:90, 20:80], (64, 64)))
            {body}

        if __name__ == "__main__":
            main("faces", ["a.jpg", "b.jpg"])
        """
    found = reading(tmp_path, {name: script}).paths
    assert [one.role for one in found] == ["offline"]


def test_a_script_in_a_folder_of_evaluation(tmp_path: Path) -> None:
    script = "import cv2\nmodel(cv2.imread('a.png') / 255.0)\n"
    assert only(reading(tmp_path, {"standard_evaluation/features.py": script})).role == "eval"


@pytest.mark.parametrize(("step", "role"), [("", "serve"), ("optimizer.step()", "train")])
def test_gradients_that_nothing_learns_from(tmp_path: Path, step: str, role: str) -> None:
    maps = f"""
        def gradients(net, image):
            score = net(image)
            score[0, 3].backward()
            {step or "pass"}
            return image.grad
        """
    script = """
        import cv2, torch
        from maps import gradients
        gradients(net, torch.from_numpy(cv2.imread("a.png")).permute(2, 0, 1).unsqueeze(0).float())
        """
    assert only(reading(tmp_path, {"maps.py": maps, "saliency.py": script})).role == role


@pytest.mark.parametrize(
    ("folder", "offline"),
    [
        ("prepare_training_data", True),
        ("tools/data_preparation", True),
        ("preprocess", True),
        ("data_preparation/tools", False),
        ("preprocessors", False),
    ],
)
def test_a_folder_that_is_named_for_preparing(tmp_path: Path, folder: str, offline: bool) -> None:
    script = """
        import cv2
        for name in names:
            cv2.imwrite("out/" + name, cv2.resize(cv2.imread(name), (64, 64)))
        """
    found = reading(tmp_path, {f"{folder}/faces.py": script})
    assert [path.role for path in found.paths if path.role == "offline"] == ["offline"] * offline
