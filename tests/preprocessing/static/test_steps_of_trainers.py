"""What a trainer of Lightning asks of models and data modules: loaders by whatever name, steps with their batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized

_DATA = """
    import numpy as np
    import pytorch_lightning as pl
    from PIL import Image
    from torch.utils.data import ConcatDataset, DataLoader, Dataset

    class Pictures(Dataset):
        def __init__(self, size):
            self.size = size
        def __getitem__(self, i):
            image = Image.open(self.paths[i]).convert("RGB").resize((self.size, self.size))
            return {"image": (np.array(image) / 127.5 - 1.0).astype(np.float32)}

    class Joined(ConcatDataset):
        def __getitem__(self, i):
            return self.datasets[i % 2][i]

    class Data(pl.LightningDataModule):
        def __init__(self, train=None, test=None):
            super().__init__()
            self.configs = {}
            if train is not None:
                self.configs["train"] = train
                self.train_dataloader = self._loader_of_training
        def setup(self, stage=None):
            self.sets = {name: Joined([Pictures(**one), Pictures(**one)]) for name, one in self.configs.items()}
        def _loader_of_training(self):
            return DataLoader(self.sets["train"], shuffle=True)
    """
_MODEL = """
    import pytorch_lightning as pl
    class Model(pl.LightningModule):
        def __init__(self, key="image"):
            super().__init__()
            self.key = key
        def training_step(self, batch, index, optimizer_index):
            x = batch[self.key].permute(0, 3, 1, 2)
            return self(x)
    """


@pytest.mark.parametrize(
    "begun",
    [
        "trainer.fit(Model(), Data(train={'size': 96}))",
        "data = Data(train={'size': 96})\n        data.setup()\n        trainer.fit(Model(), data.train_dataloader())",
        "if args.train:\n            trainer.fit(Model(), datamodule=Data(train={'size': 96}))",
    ],
)
def test_a_step_is_given_batches_of_the_loader(tmp_path: Path, begun: str) -> None:
    script = f"""
        import argparse
        import pytorch_lightning as pl
        from data import Data
        from model import Model
        parser = argparse.ArgumentParser()
        parser.add_argument("--train", action="store_true")
        parser = pl.Trainer.add_argparse_args(parser)
        args = parser.parse_args()
        trainer = pl.Trainer.from_argparse_args(args)
        {begun}
        """
    path = only(reading(tmp_path, {"data.py": _DATA, "model.py": _MODEL, "main.py": script}))
    assert (path.role, path.pipeline.layout, resized(path).height, path.fed) == ("train", "NCHW", 96, False)
    assert path.pipeline.affine.scale == (1 / 127.5,)


@pytest.mark.usefixtures("not_followed")
def test_a_model_without_steps_changes_nothing(tmp_path: Path) -> None:
    script = """
        import pytorch_lightning as pl
        from data import Data
        pl.Trainer().fit(model, Data(train={"size": 96}))
        """
    said = only(reading(tmp_path, {"data.py": _DATA, "main.py": script})).pipeline.provenance["layout"].detail
    assert said.startswith("what torch's networks take; channels are last that leave the data set")
