"""Channels that are taken apart along their axis and put together in another order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import drawn, reading, served, steps_of, trained

PICTURE = """
picture = Image.open(path).convert("RGB").resize((512, 512), Image.LANCZOS)
x = torch.from_numpy(np.array(picture).transpose(2, 0, 1)).float().unsqueeze(0)
"""


@pytest.mark.parametrize(
    "apart",
    [
        "x = x.transpose(0, 1)\nr, g, b = torch.chunk(x, 3)\nx = torch.cat((b, g, r)).transpose(0, 1)",
        "r, g, b = torch.chunk(x, 3, dim=1)\nx = torch.cat((b, g, r), 1)",
        "(r, g, b) = x.chunk(3, 1)\nx = torch.cat([b, g, r], dim=1)",
        "r, g, b = torch.split(x, 1, dim=1)\nx = torch.cat([b, g, r], dim=1)",
        "r, g, b = x.unbind(1)\nx = torch.stack([b, g, r], dim=1)",
    ],
)
def test_the_order_is_exchanged(tmp_path: Path, apart: str) -> None:
    path = served(tmp_path, f"{PICTURE}{apart}\nmodel(x)\n")
    assert (path.pipeline.order, path.pipeline.layout, len(steps_of(path))) == ("BGR", "NCHW", 1)


def test_two_pictures_in_an_array_are_a_batch(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
pair = [cv2.imread(path), cv2.imread(path)]
films = torch.from_numpy(np.array(pair).transpose(3, 0, 1, 2).astype(np.float32)).unsqueeze(0)
model(films[:, :, 0])
""",
    )
    assert (path.pipeline.dtype, path.pipeline.layout, steps_of(path)) == ("float32", "NCHW", ())


def test_code_that_resamples_by_itself_leaves_levels_and_order(tmp_path: Path) -> None:
    path = trained(
        tmp_path,
        """
        def imresize_np(image, scale):
            image = torch.from_numpy(image)
            out = torch.FloatTensor(10, 10, 3).zero_()
            for i in range(10):
                out[i, :, 0] = weights[i].mv(i)
            return out.numpy()

        image = cv2.imread(self.files[index])[..., ::-1] / 255.0
        small = imresize_np(image, 1 / 4)
        height, width = small.shape[:2]
        top, left = random.randint(0, height - 24), random.randint(0, width - 24)
        return torch.from_numpy(small[top : top + 24, left : left + 24].transpose(2, 0, 1).copy()).float()
        """,
    )
    assert (path.pipeline.order, path.pipeline.layout) == ("RGB", "NCHW")
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))
    unread, crop = steps_of(path)
    assert "imresize_np resamples" in unread.undetermined["rule"]
    assert dict(crop.parameters)["size"] == "24x24"


@pytest.mark.parametrize(
    ("name", "resizes"),
    [
        ("imresize", True),
        ("resizeImage", True),
        ("_aspect_preserving_resize", True),
        ("bicubic_resize_np", True),
        ("no_resize_needed", False),
        ("get_resize_mat", False),
        ("resize_boxes", False),
        ("resized", False),
    ],
)
def test_names_of_functions_that_resample(tmp_path: Path, name: str, resizes: bool) -> None:
    script = f"""
        import cv2, engine
        def {name}(image):
            return engine.computed(5)
        if __name__ == "__main__":
            model({name}(cv2.imread("a.png") / 255.0))
        """
    assert bool(reading(tmp_path, {"predict.py": script}).paths) is resizes


@pytest.mark.parametrize(
    "taken", ["chunk(chunks=3, dim=1)", "split(split_size=1, dim=1)", "chunk(3, 1)", "split(1, dim=-3)"]
)
def test_channels_that_are_taken_apart_by_keyword(tmp_path: Path, taken: str) -> None:
    path = served(
        tmp_path,
        f"""
        image = torch.from_numpy(cv2.imread(path).transpose(2, 0, 1)[None])
        first, second, third = image.{taken}
        model(torch.cat([third, second, first], 1).float().div(255))
        """,
    )
    assert (path.pipeline.order, path.pipeline.layout, steps_of(path)) == ("RGB", "NCHW", ())


@pytest.mark.parametrize("given", ["x", "input=x"])
def test_levels_that_are_divided_by_their_norm(tmp_path: Path, given: str) -> None:
    path = served(
        tmp_path,
        f"""
        import torch.nn.functional as F
        x = torch.from_numpy(cv2.imread(path)[None].transpose(0, 3, 1, 2)).float()
        if plain:
            x = x / 255
        model(F.normalize({given}))
        """,
    )
    assert (path.pipeline.affine.scale, path.pipeline.affine.of_content) == (None, "divided by its own norm")


def test_an_order_that_is_one_of_several_by_chance(tmp_path: Path) -> None:
    path = trained(
        tmp_path,
        """
        from itertools import permutations
        orders = list(permutations(range(3), 3))
        at = random.randint(0, len(orders) - 1)
        if random.random() < 0.5:
            at = 0
        image = cv2.imread(self.names[index])[..., list(orders[at])]
        return torch.from_numpy(image.transpose(2, 0, 1) / 255.0)
        """,
    )
    assert (path.pipeline.order, drawn(path).name) == ("BGR", "channels")
