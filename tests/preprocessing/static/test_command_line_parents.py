"""Parsers of the command line that are made of others."""

from __future__ import annotations

from pathlib import Path

from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import only, reading


def test_options_of_the_parsers_that_one_is_made_of(tmp_path: Path) -> None:
    script = """
        import argparse
        from torch.utils.data import DataLoader
        from torchvision import datasets, transforms

        def options():
            parser = argparse.ArgumentParser("training", add_help=False)
            parser.add_argument("--input-size", default=48, type=int)
            parser.add_argument("--data-set", default="FOLDER", choices=["CIFAR", "FOLDER"])
            return parser

        def build(args):
            prepare = transforms.Compose([transforms.Resize(args.input_size), transforms.ToTensor()])
            if args.data_set == "CIFAR":
                dataset = datasets.CIFAR100("data", train=False, transform=prepare)
            elif args.data_set == "FOLDER":
                dataset = datasets.ImageFolder("data", transform=prepare)
            return dataset

        if __name__ == "__main__":
            parser = argparse.ArgumentParser("training and evaluation", parents=[options()])
            val_loader = DataLoader(build(parser.parse_args()), batch_size=4)
        """
    pipeline = only(reading(tmp_path, {"main.py": script})).pipeline
    assert pipeline.decode.library == "pillow"
    assert [one.side for one in pipeline.geometry or () if isinstance(one, Resize)] == [48]
