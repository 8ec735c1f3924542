"""Pictures that are mixed with others, or of which parts are cut out: their levels mean what they meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import served

TENSOR = "x = torch.from_numpy(cv2.imread(path).transpose(2, 0, 1)).float().div(255).unsqueeze(0)\n"
SHUFFLED = "lam = np.random.beta(1, 1) if alpha > 0 else 1\nindex = torch.randperm(x.size(0))\n"


@pytest.mark.parametrize(
    "mixed",
    [
        "x = lam * x + (1 - lam) * x[index, :]\n",
        "x = (1.0 - lam) * x[index] + x * lam\n",
        "b = rand_bbox(x.size(), lam)\nx[:, :, b[0]:b[1], b[2]:b[3]] = x[index, :, b[0]:b[1], b[2]:b[3]]\n",
        "y = np.random.randint(10)\nx[:, :, y:y + 8, 3:9] = 0\n",
    ],
)
def test_a_mixture_of_pictures_of_one_kind_is_of_that_kind(tmp_path: Path, mixed: str) -> None:
    found = served(tmp_path, f"{TENSOR}{SHUFFLED}{mixed}model(x)\n").pipeline
    assert (found.affine.scale, found.affine.offset) == ((1 / 255,), (0.0,))
    assert (found.layout, found.dtype, found.geometry) == ("NCHW", "float32", ())


@pytest.mark.parametrize(
    "mixed",
    [
        "x = lam * x + (2 - lam) * x[index, :]\n",
        "x = lam * x + (1 - other) * x[index, :]\n",
        "x = lam * x + (1 - lam) * x.mul(3)\n",
    ],
)
def test_a_sum_of_other_shares_or_of_other_levels_is_not_known(tmp_path: Path, mixed: str) -> None:
    found = served(tmp_path, f"{TENSOR}lam = read_share()\nindex = torch.randperm(9)\n{mixed}model(x)\n").pipeline
    assert found.affine.scale is None


MASK = """
    mask = np.ones((32, 32), np.float32)
    top = np.clip(np.random.randint(32) - 8, 0, 32)
    mask[top:top + 16, 3:9] = 0.0
    mask = torch.from_numpy(mask)
    x = x * mask.expand_as(x)
    model(x)
"""


def test_holes_that_are_multiplied_into_a_picture_leave_the_other_levels(tmp_path: Path) -> None:
    import textwrap

    found = served(tmp_path, TENSOR + textwrap.dedent(MASK)).pipeline
    assert (found.affine.scale, found.affine.offset, found.layout) == ((1 / 255,), (0.0,), "NCHW")


def test_what_a_new_array_does_to_a_picture_otherwise_is_not_known(tmp_path: Path) -> None:
    found = served(tmp_path, f"{TENSOR}mean = np.zeros((3, 32, 32))\nmodel(x - mean)\n").pipeline
    assert found.affine.scale is None
    assert found.order == "BGR"


@pytest.mark.parametrize("held", ["torch.FloatTensor(8, 3, 28, 28)", "torch.FloatTensor(len(labels), 3, 28, 28)",
                                  "torch.zeros(8, 3, 28, 28).cuda()", "torch.FloatTensor(8)"])  # fmt: skip
def test_a_tensor_that_is_made_as_large_as_a_picture_is_filled_with_it(tmp_path: Path, held: str) -> None:
    found = served(tmp_path, f"held = {held}\n{TENSOR}held.resize_as_(x).copy_(x)\nmodel(held)\n").pipeline
    assert (found.layout, found.affine.scale, found.order) == ("NCHW", (1 / 255,), "BGR")


def test_a_mixture_with_what_is_not_known_keeps_the_size(tmp_path: Path) -> None:
    code = """
        x = cv2.resize(cv2.imread(path), (48, 48)).astype("float32")
        gray = x.dot([0.299, 0.587, 0.114])
        share = 1 - np.random.random()
        x = share * x + (1 - share) * gray[:, :, None]
        model(x[None])
    """
    found = served(tmp_path, code).pipeline
    assert isinstance((found.geometry or [None])[0], Resize)
    assert found.decode.order == "BGR"


@pytest.mark.parametrize(
    ("mixed", "known"),
    [
        ("x = x.lerp(x.mean(1, keepdim=True), random.uniform(-0.4, 0.4))\n", True),
        ("x = torch.lerp(x, x[index], lam)\n", True),
        ("x.lerp_(x[index], 0.5)\n", True),
        ("x = x.lerp(x.mul(3), 0.5)\n", False),
    ],
)
def test_what_lies_between_two(tmp_path: Path, mixed: str, known: bool) -> None:
    found = served(tmp_path, f"import random\n{TENSOR}{SHUFFLED}{mixed}model(x)\n").pipeline
    assert (found.affine.scale == (1 / 255,), found.layout, found.dtype) == (known, "NCHW", "float32")


def test_noise_of_a_step_that_chance_chooses(tmp_path: Path) -> None:
    noised = """
t = torch.randint(low=0, high=1000, size=(4,))
t = torch.cat([t, 1000 - t - 1], dim=0)[:8]
kept = (1 - betas()).cumprod(dim=0).index_select(0, t).view(-1, 1, 1, 1)
x = x * kept.sqrt() + torch.randn_like(x) * (1.0 - kept).sqrt()
model(x, t)
"""
    found = served(tmp_path, TENSOR + noised).pipeline
    assert (found.affine.scale, found.layout, found.dtype) == ((1 / 255,), "NCHW", "float32")


@pytest.mark.parametrize(
    ("first", "second", "known"),
    [(0.5, 0.5, True), (0.6, 0.4, True), (0.6, 0.6, False), (1.5, -0.5, False), (2, -1, False)],
)
def test_shares_that_are_written_out(tmp_path: Path, first: float, second: float, known: bool) -> None:
    found = served(tmp_path, f"{TENSOR}{SHUFFLED}x = {first} * x + {second} * x[index]\nmodel(x)\n").pipeline
    assert found.affine.scale == (pytest.approx((1 / 255,)) if known else None)
