"""Configurations that a README gives an option of several files, and classes that they name by dotted names."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.audit.pairing import compare_paths
from tests.preprocessing.static.repositories import only, reading, resized, steps_of

_SCRIPT = """
    import argparse, importlib
    from omegaconf import OmegaConf

    def made(config):
        if not "target" in config:
            raise KeyError("target")
        module, cls = config["target"].rsplit(".", 1)
        return getattr(importlib.import_module(module), cls)(**config.get("params", dict()))

    parser = argparse.ArgumentParser()
    parser.add_argument("-b", "--base", nargs="*", default=list())
    args, rest = parser.parse_known_args()
    configs = [OmegaConf.load(one) for one in args.base]
    config = OmegaConf.merge(*configs, OmegaConf.from_dotlist(rest))
    other = config.pop("lightning", OmegaConf.create())
    made(config.data).show()
    """
_DATA = """
    import cv2
    class Folder:
        def __init__(self, size, config=None):
            self.size = size
            config = OmegaConf.to_container(config)
            self.channels = config["order"].partition("-")[0] if isinstance(config, dict) else None
        def show(self):
            image = cv2.resize(cv2.imread("a.png"), (self.size, self.size))
            if self.channels == "rgb":
                image = image[..., ::-1]
            net(image.transpose(2, 0, 1)[None] / 255.0)
    """.replace("import cv2\n", "import cv2\n    from omegaconf import OmegaConf\n")
_FILES = {
    "src/data.py": _DATA,
    "main.py": _SCRIPT,
    "cfg/a.yaml": "data:\n  target: src.data.Folder\n  params: {size: 96, config: {order: rgb-planes}}\n",
    "cfg/b.yaml": "data:\n  params: {size: 64}\n",
}


def test_an_option_of_several_files(tmp_path: Path) -> None:
    files = {**_FILES, "README.md": "Run `python main.py --base cfg/a.yaml cfg/b.yaml -t True`."}
    path = only(reading(tmp_path, files))
    assert (resized(path).height, path.pipeline.order, path.reachable) == (64, "RGB", True)


def test_files_that_are_not_there_are_not_taken(tmp_path: Path) -> None:
    files = {**_FILES, "README.md": "Run `python main.py --base your/config.yaml -t True`."}
    assert not any(path.reachable for path in reading(tmp_path, files).paths)


def test_names_of_files_that_are_put_together(tmp_path: Path) -> None:
    script = """
        import argparse, json, os, cv2
        parser = argparse.ArgumentParser()
        parser.add_argument("--name", default="small")
        args = parser.parse_args()
        with open(os.path.join("cfg", "{}_{:02d}.json".format(args.name, 3))) as file:
            config = json.load(file)
        with open("/".join(["cfg", "more.json"])) as file:
            more = json.load(file)
        net(cv2.resize(cv2.imread("a.png"), (config["side"], more["side"]))[None] / 255.0)
        """
    path = only(
        reading(tmp_path, {"run.py": script, "cfg/small_03.json": '{"side": 48}', "cfg/more.json": '{"side": 32}'})
    )
    assert [(step.height, step.width) for step in steps_of(path)] == [(32, 48)]


def test_a_configuration_in_python_that_a_module_is_run_with(tmp_path: Path) -> None:
    config = """
        import ml_collections
        SIZES = {"small": ml_collections.ConfigDict({"size": 48}), "large": ml_collections.ConfigDict({"size": 96})}
        def base():
            config = ml_collections.ConfigDict()
            config.size = None
            return config.lock()
        def get_config(words):
            _, name = words.split(",")
            config = ml_collections.ConfigDict(base().to_dict())
            config.update(SIZES[name])
            return config
        """
    script = """
        import cv2
        from absl import app, flags
        from ml_collections import config_flags
        FLAGS = flags.FLAGS
        CONFIG = config_flags.DEFINE_config_file("config", None, "The configuration.")
        STEM = flags.DEFINE_string("stem", "a", "Of pictures.")
        def main(argv):
            side = FLAGS.config.size
            net(cv2.resize(cv2.imread(STEM.value + ".png"), (side, CONFIG.value.size))[None] / 255.0)
        if __name__ == "__main__":
            app.run(main)
        """
    readme = "```\npython -m pack.main --stem b \\\n  --config=$(pwd)/pack/configs/c.py:b16,large\n```\n"
    files = {"pack/__init__.py": "", "pack/main.py": script, "pack/configs/c.py": config, "README.md": readme}
    path = only(reading(tmp_path, files))
    assert [(step.height, step.width) for step in steps_of(path)] == [(96, 96)]


def test_a_file_beside_the_folder_of_the_script(tmp_path: Path) -> None:
    script = """
        import json, os, cv2
        here = os.path.dirname(os.path.abspath(__file__))
        stem, ending = os.path.splitext(os.path.basename("x/side.json"))
        with open(os.path.join(here, "..", "cfg", stem + ending)) as file:
            side = json.load(file)["side"]
        net(cv2.resize(cv2.imread("a.png"), (side, side))[None] / 255.0)
        """
    files = {"tools/run.py": script, "cfg/side.json": '{"side": 48}', "other/side.json": '{"side": 32}'}
    assert resized(only(reading(tmp_path, files))).height == 48


_SEVERAL = """
    import argparse, cv2, yaml
    from state import options
    parser = argparse.ArgumentParser()
    parser.add_argument("--config")
    args = parser.parse_args()
    with open(args.config) as file:
        options.update(yaml.safe_load(file))
    image = cv2.resize(cv2.imread("a.png"), (options["side"], options["side"]))
    if options.get("scaled"):
        image = image / 255.0
    net(image[None])
    """


def test_every_configuration_of_a_script(tmp_path: Path) -> None:
    files = {
        "train.py": _SEVERAL,
        "state.py": "options = {}\n",
        "cfg/a.yaml": "side: 32\nscaled: true\n",
        "cfg/b.yaml": "side: 64\n",
        "README.md": "python train.py --config cfg/a.yaml\n\npython train.py --config cfg/b.yaml\n\n"
        "python train.py --config=cfg/a.yaml --seed 3\n\npython train.py --config cfg/b.yaml --seed 3\n",
    }
    found = reading(tmp_path, files)
    assert len(found.paths) == 2
    made = {path.setting: (resized(path).height, path.pipeline.affine.scale) for path in found.paths}
    # What the first set is not there for the second.
    assert made == {"": (32, (1 / 255,)), "cfg/b.yaml": (64, (1.0,))}


_CONFIGURED = """
    import argparse
    import yaml
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    args = parser.parse_args()
    with open(args.config) as file:
        options = yaml.safe_load(file)
    """


def test_what_no_script_leads_to_is_of_the_first_configuration(tmp_path: Path) -> None:
    resize = "cv2.resize(cv2.imread(name), (options['side'], options['side']))"
    script = "import cv2\nfrom state import options\n"
    files = {
        "train.py": f"{script}name = 'a.png'\nnet({resize}[None] / 255)\n",
        "serve.py": f"{script}\ndef answer(name):\n    net({resize}[None] / 255)\n",
        "state.py": _CONFIGURED,
        "cfg/a.yaml": "side: 32\n",
        "cfg/b.yaml": "side: 64\n",
        "README.md": "python train.py --config cfg/a.yaml\n\npython train.py --config cfg/b.yaml\n",
    }
    made = {path.name: resized(path).height for path in reading(tmp_path, files).paths}
    assert made == {"train.py": 32, "train.py (cfg/b.yaml)": 64, "serve.py: answer": 32}


@pytest.mark.parametrize(
    ("word", "found"), [("cfg/<name>.yaml", [32, 64]), ("cfg/<any>", [32, 64]), ("runs/<name>", [])]
)
def test_any_configuration_of_a_folder(tmp_path: Path, word: str, found: list[int]) -> None:
    files = {
        "train.py": _SEVERAL,
        "state.py": "options = {}\n",
        "cfg/a.yaml": "side: 32\n",
        "cfg/b.yaml": "side: 64\n",
        "cfg/notes.txt": "side: 96\n",
        "runs/c.yaml": "side: 128\n",
        "README.md": f"CUDA_VISIBLE_DEVICES=<ID> python train.py --config {word} -t\n",
    }
    heights = [resized(path).height for path in reading(tmp_path, files).paths]
    assert sorted(one for one in heights if one is not None) == found


def test_paths_of_two_configurations_are_not_compared(tmp_path: Path) -> None:
    script = _SEVERAL.replace(
        "net(image[None])", "if options['trains']:\n        optimizer.step()\n    net(image[None])"
    )
    files = {
        "train.py": _SEVERAL,
        "demo.py": script,
        "state.py": "options = {}\n",
        "cfg/a.yaml": "side: 32\n",
        "cfg/b.yaml": "side: 64\n",
        "README.md": "python train.py --config cfg/a.yaml\n\npython demo.py --config cfg/a.yaml\n\n"
        "python train.py --config cfg/b.yaml\n",
    }
    compared = compare_paths(reading(tmp_path, files))
    assert [(one.left.role, one.right.role, one.left.setting, one.right.setting) for one in compared.pairs] == [
        ("train", "serve", "", "")
    ]
