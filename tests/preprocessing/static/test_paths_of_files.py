"""Configurations that are found by the folder of the script that reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized


@pytest.mark.parametrize(
    "path",
    [
        "os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'configs', 'small.yaml')",
        "Path(__file__).resolve().parents[1] / 'configs/small.yaml'",
        "str(Path(os.path.relpath(Path(__file__).resolve().parents[1], Path.cwd())) / 'configs' / 'small.yaml')",
        "os.path.join(os.getcwd(), 'configs/small.yaml')",
        "os.path.splitext('./configs/small.txt')[0] + '.yaml'",
    ],
)
def test_files_beside_scripts(tmp_path: Path, path: str) -> None:
    script = f"""
        import os
        import cv2, yaml
        from pathlib import Path
        def checked(file):
            file = str(file)
            if os.path.isfile(file) or not file:
                return file
            return download(file)
        def read(path):
            if isinstance(path, str):
                with open(path, errors="ignore") as f:
                    return yaml.safe_load(f)
        config = read(checked({path}))
        x = cv2.resize(cv2.imread(name), (config["width"], config["height"]))
        model(x.transpose(2, 0, 1)[None] / 255.0)
        """
    files = {"tools/predict.py": script, "configs/small.yaml": "{height: 96, width: 128}",
             "other/small.yaml": "{height: 32, width: 32}"}  # fmt: skip
    step = resized(only(reading(tmp_path, files)))
    assert (step.height, step.width) == (96, 128)


def test_files_that_may_not_be_there(tmp_path: Path) -> None:
    script = """
        import os
        import cv2
        size = 96 if os.path.exists("elsewhere.yaml") else 128
        model(cv2.resize(cv2.imread(name), (size, size)).transpose(2, 0, 1)[None] / 255.0)
        """
    step = resized(only(reading(tmp_path, {"predict.py": script})))
    assert step.height is None
