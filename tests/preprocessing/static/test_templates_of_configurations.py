"""Configurations that are copied from a template, that are JSON with remarks, and that are put together of lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized

SCRIPT = """
    import json, os, shutil
    from pathlib import Path
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


@pytest.mark.parametrize(
    "copied", ["copyfile({0!r}, where)", "shutil.copy({0!r}, where)", "shutil.copy2(Path({0!r}), Path(where))"]
)
@pytest.mark.parametrize("template", ["./config.yml.example", "config.yml.sample"])
def test_what_is_copied_from_a_template_is_what_it_holds(tmp_path: Path, copied: str, template: str) -> None:
    read = f"""
    where = os.path.join("./checkpoints", "config.yml")
    if not os.path.exists(where):
        {copied.format(template)}
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
    text = ""
    with open(Path(".") / "options.json") as file:
        for line in file:
            text += line.split("//")[0]
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


_TWICE = """
    shutil.copy("config.yml.sample", "config.yml")
    before = yaml.safe_load(open("config.yml"))
    options = yaml.safe_load(open("config.yml"))
    """


def test_what_was_copied_may_be_read_more_than_once(tmp_path: Path) -> None:
    found = reading(tmp_path, {"predict.py": SCRIPT.format(read=_TWICE), "config.yml.sample": "size: 224"})
    assert resized(only(found)).height == 224


def test_what_one_script_copies_another_does_not_read(tmp_path: Path) -> None:
    files = {
        "a.py": SCRIPT.format(read=_TWICE),
        "b.py": SCRIPT.format(read=_TWICE.replace("config.yml.sample", "other.yml.sample")),
        "c.py": SCRIPT.format(read="options = yaml.safe_load(open('config.yml'))"),
        "config.yml.sample": "size: 224",
        "other.yml.sample": "size: 96",
    }
    paths = {path.entry.partition(":")[0]: resized(path).height for path in reading(tmp_path, files).paths}
    assert paths == {"a.py": 224, "b.py": 96, "c.py": None}


def test_files_that_are_copied_to_each_other_lead_nowhere(tmp_path: Path) -> None:
    read = """
    shutil.copy("one.yml", "two.yml")
    shutil.copy("two.yml", "one.yml")
    options = yaml.safe_load(open("one.yml"))
    """
    assert resized(only(reading(tmp_path, {"predict.py": SCRIPT.format(read=read)}))).height is None
