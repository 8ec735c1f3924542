"""Shards of WebDataset, whose stages are methods or a list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading, resized

_IMPORTS = """
import torch, webdataset as wds
from torchvision import transforms
from webdataset import WebDataset
steps = [transforms.Resize((64, 64)), transforms.ToTensor()]
prepare = transforms.Compose(steps)
"""
_MADE = {
    "tuples": """
data = wds.WebDataset("{000..100}.tar").shuffle(100).decode("pil").to_tuple("jpg;png", "cls").map_tuple(prepare, None)
for x, y in wds.WebLoader(data.batched(16), batch_size=None, shuffle=True):
""",
    "one name for both": """
data = WebDataset("{000..100}.tar").decode("pilrgb").to_tuple("jpg cls").map_tuple(prepare)
for x, y in torch.utils.data.DataLoader(data, batch_size=8, shuffle=True):
""",
    "a dictionary": """
data = wds.WebDataset("a.tar").decode("pil").rename(image="jpg;png", label="cls").map_dict(image=prepare)
data = data.to_tuple("image", "label").with_epoch(10)
for x, y in torch.utils.data.DataLoader(data, batch_size=8, shuffle=True):
""",
    "a function": """
def made(sample):
    return prepare(sample["jpg"]), sample["cls"]
for x, y in torch.utils.data.DataLoader(wds.WebDataset("a.tar").decode("pil").map(made), batch_size=8, shuffle=True):
""",
    "composed stages": """
data = wds.WebDataset("a.tar").compose(wds.decode("pilrgb"), wds.to_tuple("jpg", "cls"), wds.map_tuple(prepare))
for x, y in wds.WebLoader(data.batched(16).compose(wds.shuffle(5)), batch_size=None, shuffle=True):
""",
    "a function over all samples": """
def made(samples, key="jpg"):
    for sample in samples:
        yield prepare(sample[key]), sample["cls"]
data = wds.WebDataset("a.tar").decode("pil").rename(image="jpg").compose(made).compose(wds.repeatedly)
for x, y in wds.WebLoader(data.batched(16), batch_size=None, shuffle=True):
""",
    "a function with more": """
def made(samples, key, of="cls"):
    for sample in samples:
        yield prepare(sample[key]), sample[of]
data = wds.WebDataset("a.tar").decode("pil").then(made, "jpg", of="txt")
for x, y in wds.WebLoader(data.batched(16), batch_size=None, shuffle=True):
""",
    "a function in a list": """
def made(samples):
    for sample in samples:
        yield prepare(sample["jpg"]), sample["cls"]
data = wds.DataPipeline(wds.SimpleShardList("a.tar"), wds.split_by_node, wds.decode("pil"), made, wds.batched(8))
for x, y in wds.WebLoader(data, batch_size=None, shuffle=True):
""",
    "batches that are taken apart": """
data = wds.WebDataset("a.tar").decode("pil").to_tuple("jpg", "cls").map_tuple(prepare).batched(16).unbatched()
for x, y in wds.WebLoader(data.map(lambda one: (one[0][None][0], one[1])).batched(8), batch_size=None, shuffle=True):
""",
    "a list of stages": """
stages = [wds.SimpleShardList("a.tar"), wds.tarfile_to_samples(), wds.shuffle(10), wds.decode("pilrgb")]
stages.extend([wds.rename(image="jpg;png"), wds.map_dict(image=prepare), wds.to_tuple("image", "txt"), wds.batched(8)])
for x, y in wds.WebLoader(wds.DataPipeline(*stages), batch_size=None, shuffle=True):
""",
}


@pytest.mark.parametrize("made", _MADE.values(), ids=_MADE)
def test_stages_are_followed(tmp_path: Path, made: str) -> None:
    found = only(reading(tmp_path, {"train.py": f"{_IMPORTS}{made}    model(x).backward()\n"}))
    decode = found.pipeline.decode
    assert (found.role, resized(found).width, found.pipeline.layout) == ("train", 64, "NCHW")
    assert (decode.library, decode.flags, found.pipeline.order) == ("pillow", ("convert RGB",), "RGB")
    assert levels(found) == pytest.approx((1 / 255, 0))


@pytest.mark.parametrize(
    ("word", "layout", "dtype", "scale"),
    [
        ("l", "NHW", "float64", 1 / 255),
        ("l8", "NHW", "uint8", 1),
        ("torchl", "NHW", "float32", 1 / 255),
        ("pill", "NHW", "uint8", 1),
        ("rgb", "NHWC", "float64", 1 / 255),
        ("rgb8", "NHWC", "uint8", 1),
        ("torchrgb", "NCHW", "float32", 1 / 255),
        ("torchrgb8", "NCHW", "uint8", 1),
    ],
)
def test_a_word_says_what_pictures_are_decoded_to(
    tmp_path: Path, word: str, layout: str, dtype: str, scale: float
) -> None:
    script = f"""
import torch, webdataset as wds
data = wds.WebDataset("a.tar").decode("{word}").to_tuple("jpg", "cls").batched(8)
for x, y in wds.WebLoader(data, batch_size=None, shuffle=True):
    model(x).backward()
"""
    found = only(reading(tmp_path, {"train.py": script}))
    order = "GRAY" if "C" not in layout else "RGB"
    assert (found.pipeline.layout, found.pipeline.dtype, found.pipeline.order) == (layout, dtype, order)
    assert found.pipeline.decode.flags == ("convert L" if order == "GRAY" else "convert RGB",)
    assert levels(found) == pytest.approx((scale, 0))


def test_a_word_that_is_not_known_decodes_nothing(tmp_path: Path) -> None:
    script = """
import torch, webdataset as wds
data = wds.WebDataset("a.tar").decode("rgba").to_tuple("jpg", "cls").batched(8)
for x, y in wds.WebLoader(data, batch_size=None, shuffle=True):
    model(x).backward()
"""
    assert reading(tmp_path, {"train.py": script}).paths == ()
