"""Keras's sequences of batches, what is fed to parts of its models, and the options of files of sections."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, reading, resized

_SEQUENCE = """
    import os
    import numpy as np
    import pandas as pd
    from keras.utils import Sequence
    from PIL import Image

    class Batches(Sequence):
        def __init__(self, table, side):
            self.names, self.side = pd.read_csv(table)["name"].values, side

        def __getitem__(self, index):
            return (np.asarray([self.opened(name) for name in self.names[index * 8:(index + 1) * 8]]) - 0.5) / 0.5

        def opened(self, name):
            return np.asarray(Image.open(name).convert("RGB").resize((self.side, self.side))) / 255.0
    """
_MODEL = """
    from keras.layers import Conv2D, Input
    from keras.models import Model

    def build():
        taken = Input((None, None, 3))
        return Model(inputs=taken, outputs=Conv2D(8, 3)(taken))
    """


@pytest.mark.parametrize(("call", "role"), [
    ("fit_generator(Batches('a.csv', 64), steps_per_epoch=3)", "train"),
    ("predict_generator(Batches('a.csv', 64), verbose=1)", "eval"),
    ("evaluate_generator(Batches('a.csv', 64))", "eval"),
])  # fmt: skip
def test_a_sequence_is_fed_by_what_asks_for_generators(tmp_path: Path, call: str, role: str) -> None:
    script = f"from batches import Batches\nfrom model import build\n\nbuild().{call}\n"
    files = {"batches.py": _SEQUENCE, "model.py": _MODEL}
    (path,) = reading(tmp_path, {**files, f"{'train' if role == 'train' else 'test'}.py": script}).paths
    assert (path.role, path.pipeline.layout, path.pipeline.dtype) == (role, "NHWC", "float32")
    assert levels(path) == pytest.approx((2 / 255, -1.0))
    assert resized(path).height == 64


def test_a_function_of_a_part_of_a_model_that_is_called_with_rows_of_a_table(tmp_path: Path) -> None:
    script = """
        import numpy as np
        import pandas as pd
        from keras import backend as K
        from batches import Batches
        from model import build

        def shown(row, batches, model):
            features = K.function([model.layers[0].input], [model.layers[-1].output])
            return features([np.array([batches.opened(row["name"])])])

        table, model = pd.read_csv("a.csv"), build()
        table.apply(lambda row: shown(row, Batches("a.csv", 64), model), axis=1)
        """
    files = {"batches.py": _SEQUENCE, "model.py": _MODEL, "show.py": script}
    (path,) = (one for one in reading(tmp_path, files).paths if one.name.startswith("show.py"))
    assert (path.pipeline.layout, path.pipeline.dtype) == ("NHWC", "float32")
    assert levels(path) == pytest.approx((1 / 255, 0.0))
    assert not any(one.startswith("class:") for one in path.networks)


_OPTIONS = """
    ; of the run
    [DEFAULT]
    folder=./pictures
    [TRAIN]
    ; of the pictures
    Side = 224
    gray: no
    """


@pytest.mark.parametrize("asked", [
    "options['TRAIN'].getint('side')",
    "options.getint('TRAIN', 'Side')",
    "int(options['TRAIN']['side'])",
    "int(options.get('TRAIN', 'side'))",
    "options.getint('TRAIN', 'height', fallback=224)",
    "options['TRAIN'].getint('height', 224)",
    "96 if options['TRAIN'].getboolean('gray') else 224",
    "len(options['TRAIN']['folder']) + 214",
])  # fmt: skip
@pytest.mark.parametrize("file", ["run.ini", "sample_run.ini", "run.example.ini"])
def test_options_of_a_file_of_sections(tmp_path: Path, asked: str, file: str) -> None:
    script = f"""
        import configparser, cv2
        options = configparser.ConfigParser()
        options.read("./run.ini")
        side = {asked}
        model(cv2.resize(cv2.imread(path), (side, side))[None])
        """
    files = {"predict.py": script, file: _OPTIONS, "README.md": f"Copy `{file}` to run.ini and change it."}
    (path,) = reading(tmp_path, files).paths
    assert resized(path).height == 224


@pytest.mark.parametrize("content", ["[TRAIN]\nsize = 224\n", "side = 224\n", "[TRAIN]\nside = many\n"])
def test_options_that_no_file_tells(tmp_path: Path, content: str) -> None:
    script = """
        import configparser, cv2
        options = configparser.ConfigParser()
        options.read(["./run.ini", "./other.ini"])
        side = options["TRAIN"].getint("side")
        model(cv2.resize(cv2.imread(path), (side, side))[None])
        """
    (path,) = reading(tmp_path, {"predict.py": script, "run.ini": content}).paths
    assert resized(path).height is None
