"""What a step that is not followed leaves alone: the rest of the path is still told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.comparison import difference
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.static.effects import unfollowed
from dataguard.preprocessing.steps import Random, Resize, is_unread, unread
from dataguard.preprocessing.words import step_words
from tests.preprocessing.static.repositories import only, reading, resized, served

END = "model(torch.from_numpy(img.transpose(2, 0, 1)).float().div(255)[None])\n"


def read(tmp_path: Path, step: str, before: str = "") -> Pipeline:
    """The path of a script that does a step between reading a picture and feeding it."""
    return served(tmp_path, f"import magic\nimg = cv2.imread(path)\n{before}{step}\n{END}").pipeline


def test_what_is_named_for_place_leaves_colours_levels_and_axes_alone(tmp_path: Path) -> None:
    found = read(tmp_path, "img = magic.warp_face(img)")
    assert (found.order, found.layout, found.affine.scale) == ("BGR", "NCHW", (1 / 255,))
    assert found.geometry is None
    assert "warp_face" in found.undetermined["geometry"]


def test_what_is_left_alone_says_that_the_step_was_not_followed(tmp_path: Path) -> None:
    found = read(tmp_path, "img = magic.warp_face(img)")
    assert "warp_face is not followed" in found.provenance["order"].detail


def test_a_resize_to_one_size_ends_what_is_not_known_of_the_steps(tmp_path: Path) -> None:
    found = read(tmp_path, "img = cv2.resize(magic.warp_face(img), (96, 64))")
    assert found.geometry is not None
    before, resize = found.geometry
    assert is_unread(before)
    assert isinstance(resize, Resize)
    assert (resize.height, resize.width, resize.engine) == (64, 96, "opencv")
    assert step_words(before) == "steps that were not followed"


def test_a_resize_by_a_factor_leaves_the_size_open(tmp_path: Path) -> None:
    found = read(tmp_path, "img = cv2.resize(magic.warp_face(img), None, fx=0.5, fy=0.5)")
    assert found.geometry is not None
    before, resize = found.geometry
    assert is_unread(before)
    assert isinstance(resize, Resize)
    assert (resize.rule, resize.height, resize.kernel, resize.engine) == (None, None, "linear", "opencv")


def test_a_picture_that_is_turned_by_an_angle_is_resized_as_it_says(tmp_path: Path) -> None:
    turned = "img = Image.fromarray(img).rotate(angle())\nimg = img.resize((img.width, 32), Image.BICUBIC)\n"
    found = read(tmp_path, "img = np.asarray(img)", turned)
    assert found.geometry is not None
    before, resize = found.geometry
    assert is_unread(before)
    assert isinstance(resize, Resize)
    assert (resize.rule, resize.kernel, resize.engine, resize.antialias) == (None, "cubic", "pillow", "scaled")


def test_what_is_named_for_augmentation_is_a_step_of_chance(tmp_path: Path) -> None:
    found = read(tmp_path, "img = magic.add_noise(img)", "img = cv2.resize(img, (64, 64))\n")
    assert (found.order, found.affine.scale) == ("BGR", (1 / 255,))
    assert found.geometry is not None
    assert [type(one) for one in found.geometry] == [Resize, Random]


def test_a_function_of_a_library_named_for_levels_leaves_the_steps_alone(tmp_path: Path) -> None:
    found = read(tmp_path, "img = magic.standardize(img)", "img = cv2.resize(img, (64, 64))\n")
    assert (found.order, found.affine.scale) == (None, None)
    assert found.geometry is not None
    assert len(found.geometry) == 1


@pytest.mark.parametrize("name", ["prepare_crop", "improve", "transform", "to_gray_and_resize"])
def test_what_may_do_anything_leaves_nothing_known(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, f"img = magic.{name}(img)", "img = cv2.resize(img, (64, 64))\n")
    assert (found.order, found.affine.scale, found.geometry) == (None, None, None)


def test_axes_that_are_written_of_pictures_alone_tell_the_layout_again(tmp_path: Path) -> None:
    assert read(tmp_path, "img = magic.improve(img)").layout == "NCHW"


def test_a_tensor_made_of_levels_that_are_not_known_is_not_taken_for_a_255th(tmp_path: Path) -> None:
    script = """
        import magic
        from torchvision import transforms
        img = magic.warp(cv2.imread(path))
        model(transforms.ToTensor()(img)[None])
        """
    assert served(tmp_path, script).pipeline.affine.scale is None


def test_a_picture_of_pillow_stays_one_of_whole_levels(tmp_path: Path) -> None:
    script = """
        import magic
        from PIL import Image
        from torchvision import transforms
        img = magic.warp(Image.open(path).convert("RGB"))
        model(transforms.ToTensor()(img)[None])
        """
    found = served(tmp_path, script).pipeline
    assert (found.order, found.affine.scale, found.dtype, found.layout) == ("RGB", (1 / 255,), "float32", "NCHW")


def test_ways_that_resize_alike_tell_how(tmp_path: Path) -> None:
    script = """
        import magic
        img = cv2.imread(path)
        if magic.small(path):
            img = cv2.resize(img[10:, 10:], (64, 64))
        else:
            img = cv2.resize(cv2.flip(img, 0), (96, 96))[:64, :64]
        model(torch.from_numpy(img.transpose(2, 0, 1)).float()[None])
        """
    path = served(tmp_path, script)
    resize = resized(path)
    assert (resize.engine, resize.kernel, resize.height) == ("opencv", "linear", None)
    assert is_unread((path.pipeline.geometry or ())[-1])


def test_many_ways_keep_what_all_of_them_share(tmp_path: Path) -> None:
    tests = "\n".join(
        f"if magic.number(path) == {index}:\n    img = cv2.resize(cv2.imread(path), ({32 + index}, 32))"
        for index in range(12)
    )
    script = f"import magic\nimg = cv2.resize(cv2.imread(path), (32, 32))\n{tests}\n{END}"
    found = served(tmp_path, script).pipeline
    assert (found.decode.library, found.order, found.layout) == ("opencv", "BGR", "NCHW")


def test_a_path_with_steps_that_were_not_followed_is_not_said_to_differ() -> None:
    whole = Pipeline(geometry=(Resize(height=64, width=64),))
    part = Pipeline(geometry=(unread("the loop is not followed"), Resize(height=64, width=64)))
    assert all(one.unknown for one in difference(whole, part))


def test_what_is_not_named_at_all_may_do_anything(tmp_path: Path) -> None:
    script = """
        import cv2, torch
        for step in steps:
            img = cv2.imread(path)
            img = step(img)
            model(torch.from_numpy(img).float().permute(2, 0, 1)[None])
        """
    found = only(reading(tmp_path, {"predict.py": script})).pipeline
    assert found.order is None


def test_kinds_that_a_name_says_together_are_not_told_apart() -> None:
    from dataguard.preprocessing.pipeline import Decode
    from dataguard.preprocessing.static.picture import State

    state = State(kind="array", decode=Decode.of("opencv"), channels=("B", "G", "R"))
    assert unfollowed(state, "a.py:1", "what crop_to_tensor does is not known").lost.keys() >= {"geometry", "order"}
