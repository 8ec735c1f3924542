"""Modules that are imported by names that are put together, and configuration files that READMEs give commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import reading, resized

REGISTRY = """
    class Registry:
        def __init__(self):
            self._map = {}
        def register(self):
            def keep(cls):
                self._map[cls.__name__] = cls
                return cls
            return keep
        def get(self, name):
            return self._map[name]
    REGISTRY = Registry()
    """
DATA = """
    import importlib, os
    from project.registry import REGISTRY
    names = [os.path.splitext(one)[0] for one in os.listdir(os.path.dirname(os.path.abspath(__file__)))]
    modules = [importlib.import_module({written}) for name in names]
    def build(options):
        return REGISTRY.get(options["type"])(options)
    """
FOLDER = """
    import cv2, torch
    from project.registry import REGISTRY
    @REGISTRY.register()
    class Folder(torch.utils.data.Dataset):
        def __init__(self, options):
            self.side = options["side"]
        def __getitem__(self, index):
            return cv2.resize(cv2.imread(self.paths[index]), (self.side, self.side)).transpose(2, 0, 1) / 255.0
    """
TRAIN = """
    import argparse, torch, yaml
    from project.data import build
    if __name__ == "__main__":
        parser = argparse.ArgumentParser()
        parser.add_argument("{flag}", type=str{more})
        args = parser.parse_args()
        with open(args.{name}) as file:
            options = yaml.safe_load(file)
        train_loader = torch.utils.data.DataLoader(build(options["train"]), batch_size=4, shuffle=True)
    """


@pytest.mark.parametrize("written", ['f"project.data.{name}"', '"project.data." + name', '"project.data.%s" % name',
                                     '"project.data.{}".format(name)'])  # fmt: skip
@pytest.mark.parametrize(("flag", "more", "name"), [("-opt", ", required=True", "opt"), ("--options", "", "options")])
def test_classes_that_are_registered_by_modules_of_a_folder(
    tmp_path: Path, written: str, flag: str, more: str, name: str
) -> None:
    found = reading(
        tmp_path,
        {
            "project/registry.py": REGISTRY,
            "project/data/__init__.py": DATA.format(written=written),
            "project/data/folder.py": FOLDER,
            "project/__init__.py": "",
            "train.py": TRAIN.format(flag=flag, more=more, name=name),
            "options/a.yml": "train:\n  type: Folder\n  side: 96\n",
            "docs/run.md": f"python -m torch.distributed.launch train.py {flag} options/a.yml\n",
        },
    )
    (path,) = [one for one in found.paths if one.reachable]
    assert (path.role, resized(path).height) == ("train", 96)


CLICK = """
    import click, cv2, torch
    from omegaconf import OmegaConf

    @click.group()
    def main():
        pass

    @main.command()
    @click.option("-c", "--config-path", type=click.File(), required=True, help="a file")
    @click.option("-i", "--image-path", required=True)
    def single(config_path, image_path):
        config = OmegaConf.load(config_path)
        image = cv2.resize(cv2.imread(image_path), (config.SIZE, config.SIZE))
        model(torch.from_numpy(image.transpose(2, 0, 1)).float().unsqueeze(0))

    if __name__ == "__main__":
        main()
    """


@pytest.mark.parametrize("command", ["--config-path configs/a.yaml", "-c configs/a.yaml --image-path x.jpg"])
def test_the_configuration_that_a_readme_gives_a_command_of_click(tmp_path: Path, command: str) -> None:
    files = {"demo.py": CLICK, "configs/a.yaml": "SIZE: 48\n", "README.md": f"python demo.py single {command}\n"}
    (path,) = reading(tmp_path, files).paths
    assert resized(path).height == 48
