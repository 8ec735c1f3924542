"""What a loop leaves behind: a flag set before ``break``, and a list that is filled where the flag says so."""

from __future__ import annotations

from pathlib import Path

from tests.preprocessing.static.repositories import reading

_DATASET = """
    import os
    from PIL import Image
    from torch.utils.data import ConcatDataset, DataLoader, Dataset
    import torchvision.transforms as T

    class Folder(Dataset):
        def __init__(self, root):
            self.to = T.Compose([T.Resize((32, 100)), T.ToTensor()])
        def __getitem__(self, index):
            return self.to(Image.open(self.names[index]).convert("L"))
    """


def test_a_flag_set_before_a_break_is_told_after_the_loop(tmp_path: Path) -> None:
    script = """
        import sys
        from data import *

        def gathered(root, chosen):
            found = []
            for folder, inner, names in os.walk(root):
                flag = False
                for one in chosen:
                    if one in folder:
                        flag = True
                        break
                if flag:
                    found.append(Folder(folder))
            return ConcatDataset(found)

        train_loader = DataLoader(gathered(sys.argv[1], sys.argv[2:]), shuffle=True)
        """
    found = reading(tmp_path, {"train.py": script, "data.py": _DATASET})
    path = next(one for one in found.paths if one.entry.startswith("train.py"))
    assert (path.role, path.pipeline.order, path.pipeline.decode.library) == ("train", "GRAY", "pillow")
    assert path.pipeline.affine.scale is not None


def test_zip_is_as_long_as_what_is_known_of_it(tmp_path: Path) -> None:
    script = """
        from itertools import accumulate
        from data import *
        from torch.utils.data import Subset

        whole = Folder("pictures")
        lengths = [80, 20]
        train, val = [
            Subset(whole, range(end - length, end)) for end, length in zip(unheard.of(lengths), lengths)
        ]
        train_loader = DataLoader(train, shuffle=True)
        """
    found = reading(tmp_path, {"train.py": script, "data.py": _DATASET})
    assert [one.role for one in found.paths if one.entry.startswith("train.py")] == ["train"]
