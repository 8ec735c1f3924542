"""What a README runs a script with, where the script cannot do without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized, steps_of

_PYTHON = """
    import argparse
    import cv2
    from mmcv import Config
    import data

    class Pictures:
        def __init__(self, a=0, b=0, c=0, d=0, e=0, size=(8, 8), mean=0.0):
            self.size, self.mean = size, mean
        def __call__(self, path):
            return cv2.resize(cv2.imread(path), self.size)[None] - self.mean

    def build(cfg):
        given = {}
        for key in cfg:
            if key == "type":
                continue
            given[key] = cfg[key]
        return globals()[cfg.type](**given)

    if __name__ == "__main__":
        parser = argparse.ArgumentParser()
        parser.add_argument("config", help="a file")
        parser.add_argument("checkpoint", nargs="?", default=None)
        args = parser.parse_args()
        cfg = Config.fromfile(args.config)
        model(build(cfg.data.test)("a.png"))
    """
_CONFIG = """
    data = dict(test=dict(type='Pictures', a=1, b=2, c=3, d=4, e=5, size=(64, 32), mean=117.0))
    """


@pytest.mark.parametrize("text", [
    "Run it:\n```\npython predict.py ${CONFIG}\nGPU=0 python ./predict.py configs/a.py models/last.pth\n```\n",
    "`python -m torch.distributed.launch --nproc_per_node=4 predict.py configs/a.py`",
    "python predict.py \\\n    configs/a.py",
    "python predict.py \\  \n    configs/a.py",
])  # fmt: skip
def test_a_configuration_in_python(tmp_path: Path, text: str) -> None:
    path = only(reading(tmp_path, {"predict.py": _PYTHON, "configs/a.py": _CONFIG, "readme.md": text}))
    assert (steps_of(path)[0].width, path.pipeline.affine.offset) == (64, (-117.0,))


def test_a_configuration_that_builds_on_another(tmp_path: Path) -> None:
    more = "_base_ = ['./a.py']\nother = 3\n"
    files = {"predict.py": _PYTHON, "configs/a.py": _CONFIG, "configs/b.py": more}
    path = only(reading(tmp_path, {**files, "README.md": "python predict.py configs/b.py"}))
    assert steps_of(path)[0].width == 64


@pytest.mark.parametrize(
    "text", ["python predict.py <config>", "python train.py configs/a.py", "predict.py is a script"]
)
def test_what_stands_for_a_value_is_none(tmp_path: Path, text: str) -> None:
    found = reading(tmp_path, {"predict.py": _PYTHON, "configs/a.py": _CONFIG, "README.md": text})
    assert all(path.pipeline.geometry is None for path in found.paths)


_OPTIONS = """
    import argparse
    import cv2, yaml
    parser = argparse.ArgumentParser()
    parser.add_argument("--cfg", {more})
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--other", default=8, type=int)
    args = parser.parse_args()
    with open(args.cfg) as file:
        mean = yaml.safe_load(file)["mean"]
    model(cv2.resize(cv2.imread("a.png"), (args.size, args.other))[None] - mean)
    """


@pytest.mark.parametrize("more", ["required=True", "help='a file'"])
def test_required_options(tmp_path: Path, more: str) -> None:
    files = {"demo.py": _OPTIONS.format(more=more), "a.yaml": "mean: 100.0\n"}
    text = "    $ python demo.py --cfg=a.yaml --other 16 --size 64\n"
    path = only(reading(tmp_path, {**files, "README.md": text}))
    step = steps_of(path)[0]
    assert (step.width, step.height, path.pipeline.affine.offset) == (64, 8, (-100.0,))


_SELECTING = """
    import argparse
    import cv2
    import yaml

    def small(params):
        model(cv2.resize(cv2.imread("a.png"), (params["size"], params["size"]))[None] / 255.0)

    def large(params):
        model(cv2.resize(cv2.imread("a.png"), (2 * params["size"], 2 * params["size"]))[None] / 127.5)

    def main(sel, fname):
        with open(fname, "r") as file:
            params = yaml.load(file, Loader=yaml.FullLoader)
        if sel == "small":
            return small(params)
        elif sel == "large":
            return large(params)

    class Job:
        def __init__(self, sel, fname):
            self.sel, self.fname = sel, fname
        def __call__(self):
            return main(self.sel, self.fname)

    parser = argparse.ArgumentParser()
    parser.add_argument("--fname", type=str, default="configs.yaml")
    parser.add_argument("--sel", type=str, choices=["small", "large"])
    args = parser.parse_args()
    {run}
    """


@pytest.mark.parametrize("run", [
    "main(args.sel, args.fname)",
    "import submitit\n    executor = submitit.AutoExecutor(folder='x')\n    executor.submit(Job(args.sel, args.fname))",
])  # fmt: skip
def test_options_below_a_command_say_which_of_several_is_meant(tmp_path: Path, run: str) -> None:
    readme = "Run:\n```\npython main.py\n  --sel large\n  --fname configs/a.yaml\n```\n"
    files = {"main.py": _SELECTING.format(run=run), "configs/a.yaml": "size: 48\n", "README.md": readme}
    found = reading(tmp_path, files)
    heights = [steps_of(path)[0].height for path in found.paths]
    assert 96 in heights


@pytest.mark.parametrize(
    ("given", "side"),
    [("-f runs/large.py", 96), ("--exp_file runs/large.py", 96), ("-f runs/missing.py", None), ("", None)],
)
def test_a_file_of_the_repository_is_taken_for_an_option_that_is_none(tmp_path: Path, given: str, side: int) -> None:
    script = """
    import argparse, importlib, os, sys
    import cv2
    parser = argparse.ArgumentParser()
    parser.add_argument("-f", "--exp_file", default=None, type=str)
    args = parser.parse_args()
    sys.path.append(os.path.dirname(args.exp_file))
    run = importlib.import_module(os.path.basename(args.exp_file).split(".")[0]).Run()
    model(cv2.resize(cv2.imread("a.png"), (run.side, run.side))[None] / 255.0)
    """
    files = {
        "demo.py": script,
        "runs/large.py": "class Run:\n    side = 96\n",
        "README.md": f"python demo.py {given}\n",
    }
    step = steps_of(only(reading(tmp_path, files)))[0]
    assert step.height == side


_CHOSEN = """
    import argparse
    import cv2
    parser = argparse.ArgumentParser()
    parser.add_argument({declared})
    args = parser.parse_args()
    net(cv2.resize(cv2.imread("a.png"), (args.side, args.side))[None] / 255.0)
    """


@pytest.mark.parametrize(
    ("declared", "command", "side"),
    [
        ('"--side", type=int, choices=[64, 96]', "--side 96", 96),
        ('"--side", type=int, choices=[64, 96]', "--side 48", None),
        ('"--side", type=int, required=True, choices=[64, 96]', "--side=96", 96),
        ('"--side", type=int, required=True, choices=[64, 96]', "--side 48", None),
        ('"side", type=int, choices=[64, 96]', "96", 96),
        ('"side", type=float, choices=[64.0, 96.0]', "96", 96),
        ('"--side", type=int, default="96"', "", 96),
        ('"--side", type=int, required=True', "--side 96", 96),
    ],
)
def test_choices_and_defaults_are_of_the_type_of_the_option(
    tmp_path: Path, declared: str, command: str, side: int | None
) -> None:
    files = {"run.py": _CHOSEN.format(declared=declared), "README.md": f"`python run.py {command}`"}
    assert resized(only(reading(tmp_path, files))).height == side


def test_a_readme_of_one_endless_command_is_searched_once(tmp_path: Path) -> None:
    text = "python " * 30_000 + "\npython run.py\n" + "  --more\n" * 20_000 + "\n`python run.py --side 96`\n"
    files = {"run.py": _CHOSEN.format(declared='"--side", type=int, required=True'), "README.md": text}
    assert resized(only(reading(tmp_path, files))).height == 96


@pytest.mark.parametrize(("text", "widths"), [
    ("python tool/predict.py tool/configs/a.py", [64]),
    # A script of that name stands in such a folder: the command is one of the repository's own folder.
    ("python other/predict.py other/configs/a.py", []),
])  # fmt: skip
def test_a_command_for_the_folder_above_the_repository(tmp_path: Path, text: str, widths: list[int]) -> None:
    files = {"predict.py": _PYTHON, "other/predict.py": "pass\n", "configs/a.py": _CONFIG, "README.md": text}
    assert [steps_of(path)[0].width for path in reading(tmp_path, files).paths] == widths
