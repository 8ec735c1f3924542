"""Networks' sizes in Darknet's files, which ports parse by code of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized

_PARSING = """
    def parse_model_cfg(path):
        file = open(path, "r")
        lines = [x.strip() for x in file.read().split("\\n") if x and not x.startswith("#")]
        found = []
        for line in lines:
            if line.startswith("["):
                found.append({})
                found[-1]["type"] = line[1:-1].rstrip()
            else:
                key, value = line.split("=")
                found[-1][key.rstrip()] = value.strip()
        return found
    """
_CFG = "[net]\n# Testing\nbatch=1\nwidth=416\nheight = 288\n\n[convolutional]\nfilters=32\n"


@pytest.mark.parametrize(("text", "height"), [(_CFG, 288), ("[lines]\nheight=288\nwidth=416\n", None)])
def test_size_of_a_network_that_is_parsed(tmp_path: Path, text: str, height: int | None) -> None:
    script = """
        import cv2
        from parsing import parse_model_cfg

        net_info = parse_model_cfg("cfg/yolov3.cfg")[0]
        image = cv2.resize(cv2.imread("a.png"), (int(net_info["width"]), int(net_info["height"])))
        model.predict(image / 255.0)
        """
    path = only(reading(tmp_path, {"predict.py": script, "parsing.py": _PARSING, "cfg/yolov3.cfg": text}))
    assert resized(path).height == height
