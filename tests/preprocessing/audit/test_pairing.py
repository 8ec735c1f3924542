"""Which paths of a repository are held against which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dataguard.preprocessing.audit.pairing import ComparedPaths, compare_paths
from dataguard.preprocessing.pipeline import Affine, Crop, Decode, Pipeline, Random, Resize
from dataguard.preprocessing.provenance import Origin, Provenance
from dataguard.preprocessing.static.reading import FoundPath
from tests.preprocessing.static.repositories import reading as read
from tests.rules.preprocessing.readings import found, reading

USUAL = Pipeline(
    decode=Decode.of("pillow", "convert RGB"),
    geometry=(Resize(rule="short", side=40, engine="pillow", antialias="scaled"), Crop(height=32, width=32)),
    affine=Affine.normalized([0.5], [0.5]),
    layout="CHW",
    dtype="float32",
)


def compared(*paths: FoundPath) -> ComparedPaths:
    return compare_paths(reading(paths=paths))


def held(result: ComparedPaths) -> list[tuple[str, str]]:
    return [(one.left.entry, one.right.entry) for one in result.pairs]


def aspects(result: ComparedPaths) -> list[tuple[str, str, str]]:
    return [(one.left.role, item.field, item.unknown) for one in result.pairs for item in one.pair.differences]


def test_serving_and_evaluation_are_held_against_training() -> None:
    result = compared(
        found("train", entry="train.py:1"), found("eval", entry="eval.py:1"), found("serve", entry="serve.py:1")
    )
    assert held(result) == [("train.py:1", "eval.py:1"), ("train.py:1", "serve.py:1")]
    assert aspects(result) == []


def test_the_nearest_training_code_is_taken() -> None:
    result = compared(
        found("train", entry="imagenet/main.py:1"),
        found("train", entry="style/train.py:1"),
        found("serve", entry="style/demo/app.py:1"),
        found("serve", entry="serve.py:1"),
    )
    assert held(result) == [
        ("style/train.py:1", "style/demo/app.py:1"),
        ("imagenet/main.py:1", "serve.py:1"),
        ("style/train.py:1", "serve.py:1"),
    ]


def test_every_difference_has_a_file_and_a_line_on_both_sides() -> None:
    known = {"": Provenance(origin=Origin.EXPLICIT, path="lib/load.py", line=8)}
    left = found("train", entry="train.py:4", pipeline=replace(USUAL, provenance=known))
    right = found("serve", entry="serve.py:2", pipeline=replace(USUAL, order="BGR", affine=Affine.of(("divide", 255))))
    (one,) = compared(left, right).pairs
    places = {
        item.aspect: [(o.path, o.line) for o in (item.left_origin, item.right_origin) if o is not None]
        for item in one.pair.differences
    }
    assert places["channel order"] == [("lib/load.py", 8), ("serve.py", 2)]
    assert places["value range"] == [("train.py", 4), ("serve.py", 2)]


def test_what_chance_hides_in_training_is_held_against_evaluation() -> None:
    random = replace(USUAL, geometry=(Random(name="RandomResizedCrop"),))
    other = replace(USUAL, geometry=(Resize(rule="exact", height=32, width=32, engine="opencv"),), order="BGR")
    result = compared(
        found("train", entry="train.py:1", pipeline=random),
        found("val", entry="train.py:9", pipeline=USUAL),
        found("serve", entry="serve.py:1", pipeline=other),
    )
    serving = [one for one in result.pairs if one.right.role == "serve"]
    assert [one.left.role for one in serving] == ["train", "val"]
    # The order is told once, against training; the geometry against evaluation, and is open nowhere.
    assert [item.aspect for item in serving[0].pair.differences] == ["channel order"]
    assert {item.aspect for item in serving[1].pair.differences} == {"kernel", "geometry"}


def test_what_nobody_knows_stays_open_and_is_no_difference() -> None:
    unknown = replace(USUAL, geometry=None, undetermined={"geometry": "the size is an argument"})
    result = compared(found("train", pipeline=USUAL), found("serve", pipeline=unknown))
    assert aspects(result) == [("train", "geometry", "the size is an argument")]
    assert result.differing(result.pairs[0].right) == set()


def test_a_path_that_nothing_leads_to_and_one_that_prepares_are_not_compared() -> None:
    dead = found("serve", entry="old.py:1", pipeline=replace(USUAL, order="BGR"), reachable=False)
    result = compared(found("train", pipeline=USUAL), dead, found("offline", entry="prepare.py:1"))
    assert result.pairs == ()
    assert result.notes == ("1 path that nothing leads to is not compared",)


def test_without_training_one_path_stands_for_all() -> None:
    result = compared(
        found("serve", entry="a.py:1", pipeline=USUAL),
        found("serve", entry="b.py:1", pipeline=replace(USUAL, order="BGR")),
    )
    assert held(result) == [("a.py:1", "b.py:1")]
    assert result.pairs[0].like_for_like
    assert result.notes == ("no training path was found: the others are held against the first path that serves",)
    assert compared(found("serve", pipeline=USUAL)).pairs == ()


def test_a_training_path_that_agrees_is_named() -> None:
    result = compared(
        found("train", entry="new/train.py:1", pipeline=USUAL),
        found("train", entry="old/train.py:1", pipeline=replace(USUAL, order="BGR")),
        found("serve", entry="serve.py:1", pipeline=replace(USUAL, order="BGR")),
    )
    (differing,) = [one for one in result.pairs if one.pair.differences]
    assert differing.left.entry == "new/train.py:1"
    assert differing.agreeing == {"channel order": "old/train.py: train"}


def test_equal_names_are_told_apart() -> None:
    result = compared(
        found("train", entry="a.py:1", name="Dataset", pipeline=USUAL),
        found("serve", entry="b.py:1", name="Dataset", pipeline=replace(USUAL, order="BGR")),
    )
    assert (result.pairs[0].pair.left.name, result.pairs[0].pair.right.name) == ("Dataset (a.py:1)", "Dataset (b.py:1)")


def test_its_own_file_comes_before_its_folder() -> None:
    result = compared(
        found("train", entry="linear.py:1", pipeline=USUAL),
        found("train", entry="pretrain.py:1", pipeline=USUAL),
        found("val", entry="linear.py:40", pipeline=USUAL),
    )
    assert held(result) == [("linear.py:1", "linear.py:40")]


def test_paths_of_another_number_of_channels_feed_two_networks() -> None:
    gray = replace(USUAL, order="GRAY", decode=Decode.of("pillow", "convert L"))
    result = compared(
        found("train", entry="train.py:1", pipeline=USUAL), found("serve", entry="mnist.py:1", pipeline=gray)
    )
    assert result.pairs == ()


def test_where_reading_ends_at_pixels_their_values_are_open() -> None:
    raw = replace(USUAL, affine=Affine(), layout="HWC", dtype="uint8", order="BGR")
    result = compared(found("train", pipeline=USUAL), found("serve", name="app", pipeline=raw))
    known = {item.aspect for item in result.pairs[0].pair.differences if not item.unknown}
    assert known == {"channel order"}
    reasons = {item.unknown for item in result.pairs[0].pair.differences if item.unknown}
    assert reasons == {"app is read up to pixels of 8 bits, and not what becomes of them"}


def test_another_size_of_floats_is_no_difference() -> None:
    result = compared(found("train", pipeline=USUAL), found("serve", pipeline=replace(USUAL, dtype="float64")))
    assert result.pairs[0].pair.differences == ()


def test_separate_folders_of_a_repository_that_trains_in_several_are_distant() -> None:
    result = compared(
        found("train", entry="imagenet/main.py:1", pipeline=USUAL),
        found("train", entry="style/main.py:1", pipeline=USUAL),
        found("serve", entry="upscale/main.py:1", pipeline=replace(USUAL, order="BGR")),
        found("serve", entry="style/serve.py:1", pipeline=USUAL),
    )
    assert [(one.left.entry, one.right.entry, one.distant) for one in result.pairs] == [
        ("imagenet/main.py:1", "upscale/main.py:1", True),
        ("style/main.py:1", "upscale/main.py:1", True),
        ("style/main.py:1", "style/serve.py:1", False),
    ]


def test_each_example_is_a_project_by_itself() -> None:
    swapped = replace(USUAL, order="BGR")
    result = compared(
        found("train", entry="examples/buildings/train.py:1", pipeline=USUAL),
        found("serve", entry="examples/buildings/serve.py:1", pipeline=swapped),
        found("serve", entry="scripts/convert.py:1", pipeline=swapped),
    )
    assert [(one.right.entry, one.distant) for one in result.pairs] == [
        ("examples/buildings/serve.py:1", False),
        ("scripts/convert.py:1", True),
    ]


def test_a_configuration_is_no_side_of_such_a_comparison() -> None:
    result = compared(
        found("train", entry="train.py:1", pipeline=USUAL),
        found("config", entry="config.json", pipeline=replace(USUAL, order="BGR")),
    )
    assert held(result) == []
    assert result.notes == ()


def test_an_evaluation_that_agrees_is_named_too() -> None:
    random = replace(USUAL, geometry=(Random(name="RandomResizedCrop"),))
    larger = replace(USUAL, geometry=(Resize(rule="exact", height=48, width=48, engine="pillow", antialias="scaled"),))
    result = compared(
        found("train", entry="train.py:1", pipeline=random),
        found("val", entry="small.py:9", pipeline=USUAL),
        found("val", entry="large.py:9", pipeline=larger),
        found("serve", entry="serve.py:1", pipeline=larger),
    )
    (differing,) = [one for one in result.pairs if one.left.entry == "small.py:9"]
    assert differing.agreeing["geometry"] == "large.py: val"


def test_one_statement_whose_condition_was_read_once_is_no_difference() -> None:
    known = {"": Provenance(origin=Origin.EXPLICIT, path="data.py", line=89)}
    plain = replace(Affine.of(("divide", 255)), provenance=known)
    conditional = replace(plain, of_content="only where a pixel is above 1")
    paths = [
        found("train", entry="train.py:1", pipeline=replace(USUAL, affine=plain)),
        found("serve", entry="serve.py:1", pipeline=replace(USUAL, affine=conditional)),
    ]
    assert compared(*paths).pairs[0].pair.differences == ()
    elsewhere = replace(plain, provenance={}, of_content="only where a pixel is above 1")
    other = found("serve", entry="serve.py:1", pipeline=replace(USUAL, affine=elsewhere))
    assert len(compared(paths[0], other).pairs[0].pair.differences) == 1


def test_a_network_is_held_against_its_own_training() -> None:
    detector, reader = ("class:Detector@models.py",), ("class:Reader@models.py",)
    result = compared(
        replace(found("train", entry="train_detector.py:1"), networks=detector),
        replace(found("train", entry="train_reader.py:1"), networks=reader),
        replace(found("serve", entry="demo.py:1"), networks=detector),
        replace(found("serve", entry="demo.py:9"), networks=reader),
    )
    assert held(result) == [("train_detector.py:1", "demo.py:1"), ("train_reader.py:1", "demo.py:9")]


def test_a_detector_of_torchvision_is_held_against_its_own_training_alone() -> None:
    detector = ("class:fasterrcnn_resnet50_fpn@torchvision.models.detection",)
    boxes = replace(found("serve", entry="demo.py:1"), networks=detector)
    assert held(compared(found("train", entry="train.py:1"), boxes)) == []
    assert held(compared(replace(found("train", entry="train.py:1"), networks=detector), boxes)) != []


def test_networks_of_two_classes_are_not_compared_and_unknown_ones_are() -> None:
    train = replace(found("train", entry="train.py:1"), networks=("class:Detector@models.py",))
    other = replace(found("serve", entry="demo.py:1"), networks=("class:Reader@reader.py",))
    unknown = found("serve", entry="predict.py:1")
    assert held(compared(train, other, unknown)) == [("train.py:1", "predict.py:1")]


def test_weights_tell_which_training_made_them() -> None:
    result = compared(
        replace(found("train", entry="emotion.py:1"), networks=("weights:trained/emotion/mini.{epoch}",)),
        replace(found("train", entry="gender.py:1"), networks=("weights:trained/gender/mini.{epoch}",)),
        replace(found("serve", entry="demo.py:1"), networks=("weights:trained/emotion/mini.102-0.66",)),
    )
    assert held(result) == [("emotion.py:1", "demo.py:1")]


def test_plain_pixels_that_a_network_is_seen_to_be_fed_are_its_range() -> None:
    plain = replace(USUAL, affine=Affine(), dtype="uint8")
    left = replace(found("train", entry="train.py:1", pipeline=USUAL), networks=("class:Sequential@net.py:5",))
    right = replace(found("serve", entry="demo.py:1", pipeline=plain), networks=left.networks)

    def ranges(path: FoundPath) -> list[str]:
        (one,) = compared(left, path).pairs
        return [item.unknown for item in one.pair.differences if item.aspect in ("value range", "mean and std")]

    assert ranges(right)
    assert all(ranges(right))
    assert ranges(replace(right, fed=True))
    assert not any(ranges(replace(right, fed=True)))


def test_another_way_through_a_script_that_does_as_training_does_is_noted() -> None:
    swapped = replace(USUAL, order="BGR")
    result = compared(
        found("train", entry="train.py:1", pipeline=USUAL),
        found("serve", entry="demo.py:4", name="demo.py: main", pipeline=USUAL),
        found("serve", entry="demo.py:4", name="demo.py: main", pipeline=swapped),
        found("serve", entry="demo.py:9", name="demo.py: other", pipeline=swapped),
    )
    assert [(one.right.name, set(one.otherwise)) for one in result.pairs if one.pair.differences] == [
        ("demo.py: main", {"channel order"}),
        ("demo.py: other", set()),
    ]


def test_a_file_that_feeds_its_own_network_may_do_so_to_see_that_it_runs() -> None:
    training = found("train", entry="train.py:1")
    tried = replace(found("serve", entry="net.py:90"), networks=("class:Net@net.py",))
    served = replace(found("serve", entry="serve.py:1"), networks=("class:Net@net.py",))
    assert [one.distant for one in compared(training, tried, served).pairs] == [True, False]
    known = replace(training, networks=("class:Net@net.py",))
    assert [one.distant for one in compared(known, tried).pairs] == [False]


STORED = """
    import h5py, torch
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    class Kept(Dataset):
        def __init__(self, transform):
            self.images = h5py.File("kept.hdf5", "r")["images"]
            self.transform = transform

        def __getitem__(self, at):
            return self.transform(torch.FloatTensor(self.images[at] / 255.0))

    transform = transforms.Compose([{resize}transforms.Normalize([0.5] * 3, [0.5] * 3)])
    for batch in DataLoader(Kept(transform), batch_size=8):
        loss = net(batch)
        loss.backward()
    """
SERVED = """
    import torch
    from PIL import Image
    from torchvision import transforms

    steps = [transforms.Resize((256, 256)), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)]
    net(transforms.Compose(steps)(Image.open("a.png").convert("RGB"))[None])
    """


@pytest.mark.parametrize(("resize", "told"), [("", False), ("transforms.Resize((128, 128), antialias=True), ", True)])
def test_what_was_done_before_pictures_were_stored_as_numbers_is_open(tmp_path: Path, resize: str, told: bool) -> None:
    files = {"train.py": STORED.format(resize=resize), "serve.py": SERVED}
    (one,) = compare_paths(read(tmp_path, files)).pairs
    sizes = [not item.unknown for item in one.pair.differences if item.aspect == "geometry"]
    assert (bool(sizes), any(sizes)) == (True, told)


@pytest.mark.parametrize(("data", "told"), [("Faces(steps)", False), ("ImageFolder('data', steps)", True)])
def test_an_order_that_is_supposed_of_what_transforms_are_given_is_open(tmp_path: Path, data: str, told: bool) -> None:
    train = f"""
        from faces import Faces
        from torch.utils.data import DataLoader
        from torchvision import transforms
        from torchvision.datasets import ImageFolder

        steps = transforms.Compose([transforms.Resize((112, 112)), transforms.ToTensor()])
        for batch, labels in DataLoader({data}, batch_size=8):
            loss = net(batch)
            loss.backward()
        """
    serve = """
        import cv2, torch

        img = cv2.resize(cv2.imread("a.png"), (112, 112))
        net(torch.from_numpy(img / 255.0).permute(2, 0, 1)[None].float())
        """
    (one,) = compare_paths(read(tmp_path, {"train.py": train, "serve.py": serve})).pairs
    orders = [not item.unknown for item in one.pair.differences if item.aspect == "channel order"]
    assert orders == [told]
