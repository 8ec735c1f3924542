"""Configurations that are copied from a template, that are JSON with remarks, and that are put together of lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized

SCRIPT = """
    import json, os, shutil
    from shutil import copyfile
    import cv2, torch, yaml
    {read}
    picture = cv2.resize(cv2.imread(path), (options["size"], options["size"]))
    model(torch.from_numpy(picture).float())
"""
REMARKS = """
    {
        "name": "a // b", // of the run
        "size": 320 // of pictures
    }
"""


@pytest.mark.parametrize("copied", ["copyfile", "shutil.copy"])
@pytest.mark.parametrize("template", ["./config.yml.example", "config.yml.sample"])
def test_what_is_copied_from_a_template_is_what_it_holds(tmp_path: Path, copied: str, template: str) -> None:
    read = f"""
    where = os.path.join("./checkpoints", "config.yml")
    if not os.path.exists(where):
        {copied}("{template}", where)
    options = yaml.safe_load(open(where))
    """
    found = reading(tmp_path, {"predict.py": SCRIPT.format(read=read), template: "size: 224"})
    assert resized(only(found)).height == 224


@pytest.mark.parametrize(
    "read",
    [
        """
    text = ""
    with open("options.json") as file:
        for line in file:
            line = line.split("//")[0] + "\\n"
            text += line
    options = json.loads(text)
    """,
        """
    with open("options.json") as file:
        options = json.loads("".join(line.split("//")[0] for line in file))
    """,
    ],
)
def test_remarks_in_json_are_left_out(tmp_path: Path, read: str) -> None:
    found = reading(tmp_path, {"predict.py": SCRIPT.format(read=read), "options.json": REMARKS})
    assert resized(only(found)).height == 320


def test_a_function_that_goes_through_nested_options_is_followed_to_their_leaves(tmp_path: Path) -> None:
    read = """
    class Lenient(dict):
        def __missing__(self, key):
            return None

    def lenient(given):
        if isinstance(given, dict):
            made = dict()
            for key, inner in given.items():
                made[key] = lenient(inner)
            return Lenient(**made)
        elif isinstance(given, list):
            return [lenient(inner) for inner in given]
        else:
            return given

    options = lenient({"a": {"b": {"c": {"size": 96}}}})["a"]["b"]["c"]
    """
    assert resized(only(reading(tmp_path, {"predict.py": SCRIPT.format(read=read)}))).height == 96
