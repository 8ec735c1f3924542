"""Data sets and loaders: what one item of them is, and the path that it took."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.static import kept_parameters, records
from dataguard.preprocessing.static.feeding import changes
from dataguard.preprocessing.static.picture import State, explicit, without
from dataguard.preprocessing.static.values import (
    Bound,
    Choice,
    Ext,
    ExtObj,
    Func,
    Map,
    Obj,
    Picture,
    Seq,
    Unknown,
    Value,
    choice,
)

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine

FILMS = ("moviepy.", "imageio.get_reader", "decord.VideoReader", "skvideo.io.FFmpegReader", "skvideo.io.vreader")
"""Beginnings of names of objects that hold the frames of a video."""
LOADERS = (
    "DataLoader",
    "DataLoaderX",
    "PrefetchLoader",
    "MultiEpochsDataLoader",
    "BackgroundGenerator",
    "CUDAPrefetcher",
)
WRAPPERS = ("Subset", "ConcatDataset", "ChainDataset", "random_split", "cycle", "chain", "islice", "WrapperDataset")
FOLDERS = frozenset(
    [
        "ImageFolder",
        "DatasetFolder",
        "ImageNet",
        "CIFAR10",
        "CIFAR100",
        "STL10",
        "SVHN",
        "Places365",
        "Flowers102",
        "Food101",
        "OxfordIIITPet",
        "CocoDetection",
        "CocoCaptions",
        "VOCDetection",
        "VOCSegmentation",
        "Cityscapes",
        "CelebA",
        "LSUN",
        "FakeData",
        "Caltech101",
        "Caltech256",
        "StanfordCars",
        "FGVCAircraft",
        "DTD",
        "SUN397",
        "LFWPeople",
        "Omniglot",
        "Country211",
        "EuroSAT",
        "GTSRB",
        "PCAM",
    ]
)
GRAY_FOLDERS = frozenset({"MNIST", "FashionMNIST", "KMNIST", "EMNIST", "QMNIST", "USPS"})
_ARRAYS = frozenset({"CIFAR10", "CIFAR100"}) | GRAY_FOLDERS
"""Those whose attribute ``data`` holds all pictures as they are given, channels last."""
IN_MEMORY = frozenset({"CIFAR10", "CIFAR100", "STL10", "SVHN", "FakeData"}) | GRAY_FOLDERS


def is_loader(value: Value) -> bool:
    """Whether something is a library's loader of batches."""
    return isinstance(value, ExtObj) and value.name.rpartition(".")[2] in LOADERS


def is_folder(value: Value) -> bool:
    """Whether something is a library's data set of pictures."""
    if not isinstance(value, ExtObj):
        return False
    last = value.name.rpartition(".")[2]
    return last in FOLDERS | GRAY_FOLDERS and "datasets" in value.name


def item(machine: Machine, source: Value, node: ast.AST | None) -> Value:
    """One item of a data set; None where it is no data set."""
    if isinstance(source, Choice):
        found = [item(machine, one, node) for one in source.options]
        kept = [one for one in found if one is not None]
        return choice(kept, source.why) if kept else None
    if isinstance(source, Obj) and source.cls is not None:
        return _of_object(machine, source, node)
    if isinstance(source, Seq) and source.items and isinstance(source.items[0], Obj | ExtObj | Choice):
        return item(machine, source.items[0], node)
    if not isinstance(source, ExtObj):
        return None
    last = source.name.rpartition(".")[2]
    if last in WRAPPERS and source.args:
        return item(machine, source.args[0], node)
    if is_loader(source):
        return item(machine, dataset_of(source), node)
    if is_folder(source):
        return _of_folder(machine, source, last)
    if "picture" in source.attrs:
        return source.attrs["picture"]
    return None


def dataset_of(loader: ExtObj) -> Value:
    """The data set of a loader."""
    return loader.kwargs.get("dataset", loader.args[0] if loader.args else None)


def as_stored(last: str, place: str) -> State:
    """A picture of torchvision's data set of this name, before its transform."""
    gray = last in GRAY_FOLDERS
    decode = (
        Decode(library="array", order="GRAY" if gray else "RGB", exif=None, alpha=None, gray=None, sixteen_bit=None)
        if last in IN_MEMORY
        else Decode.of("pillow", "convert RGB")
    )
    decode = replace(decode, provenance={"": explicit(place, last)})
    state = State(
        kind="pil",
        decode=decode,
        channels=("Y",) if gray else ("R", "G", "B"),
        layout="HW" if gray else "HWC",
        loaded=place,
        places=(place,),
        said={"order": explicit(place, last)},
    )
    return state if decode.size is None else replace(state, size=decode.size)


_TRANSFORMS = {
    "ImageFolder": 1, "DatasetFolder": 3, "VisionDataset": 2, "Caltech256": 1, "FakeData": 3,
    **dict.fromkeys(("CIFAR10", "CIFAR100", "MNIST", "FashionMNIST", "KMNIST", "SVHN", "LSUN", "USPS", "CocoDetection",
                     "CocoCaptions"), 2),
    **dict.fromkeys(("STL10", "CelebA"), 3), **dict.fromkeys(("VOCDetection", "VOCSegmentation", "Cityscapes"), 4),
}  # fmt: skip
"""Which argument of a data set of torchvision is its transform, in 0.2 to 0.24."""


def _by_position(args: Sequence[Value], last: str) -> Value:
    """The transform that a data set of torchvision is given without its name; None where it is given none."""
    at = _TRANSFORMS.get(last, len(args))
    return args[at] if at < len(args) else None


_LOADERS = {"ImageFolder": 3, "DatasetFolder": 1}
"""Which argument of a data set of folders opens a file, in torchvision 0.2 to 0.24."""


def _opener(source: ExtObj, last: str) -> Value:
    """What a data set of folders is told to open files by; None where it opens them by itself."""
    at = _LOADERS.get(last)
    found = source.kwargs.get("loader")
    return source.args[at] if found is None and at is not None and at < len(source.args) else found


def _of_folder(machine: Machine, source: ExtObj, last: str) -> Value:
    if "item" in source.attrs:
        return source.attrs["item"]
    picture: Value = Picture(as_stored(last, source.place))
    opener = _opener(source, last)
    if opener is not None:
        picture = machine.call(opener, [Unknown("a file of a folder", source.place)], {}, None)
    given = source.attrs.get("transform")
    transform = given if given is not None else source.kwargs.get("transform", source.kwargs.get("transforms"))
    if transform is None and "transform" not in source.attrs:
        transform = _by_position(source.args, last)
    if transform is not None:
        picture = machine.call(transform, [picture], {}, None)
    found = Seq([picture, Unknown("a label")], "tuple")
    machine.put(source.attrs, "item", found)
    return found


def _of_object(machine: Machine, source: Obj, node: ast.AST | None) -> Value:
    if source.cls is None:
        return None
    if "*item" in source.attrs:
        return source.attrs["*item"]
    found = source.cls.find("__getitem__")
    if found is None:
        found = source.cls.find("__iter__")
    if found is not None and isinstance(found[0], Func):
        made = machine.call(
            Bound(found[0], source),
            [Unknown("an index", "", "caller")] if found[0].name == "__getitem__" else [],
            {},
            node,
        )
        if isinstance(made, Seq) and found[0].name == "__iter__":
            made = made.items[0] if made.items else Unknown()
        machine.put(source.attrs, "*item", made)
        return made
    return inherited(machine, source)


_OWN = "*loader"
_LOADER = Ext("torch.utils.data.DataLoader")


def of_class(machine: Machine, made: Obj, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> Value:
    """A loader of a class that inherits from a library's: as its constructor asks for it, with its own attributes."""
    found = made.cls.find("__init__") if made.cls is not None else None
    if found is None or not isinstance(found[0], Func):
        return machine.call(_LOADER, args, kwargs, node)
    machine.call(Bound(found[0], made), args, kwargs, node)
    loader = made.attrs.pop(_OWN, None)
    if not isinstance(loader, ExtObj) or made.cls is None:
        return machine.call(_LOADER, args, kwargs, node)
    for cls in reversed(made.cls.lineage()):
        for name, value in cls.attrs.items():
            if isinstance(value, Func) and not name.startswith("__"):
                loader.attrs[name] = Bound(value, made)
    loader.attrs |= {name: value for name, value in made.attrs.items() if name[:1] != "*"}
    return loader


def inherit(machine: Machine, made: Obj, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> None:
    """Keep what the constructor of a library's data set is given by a class that inherits from it."""
    for name in made.cls.foreign() if made.cls is not None else ():
        last = name.rpartition(".")[2]
        if last in LOADERS:
            machine.put(made.attrs, _OWN, machine.call(_LOADER, args, kwargs, node))
        if "transforms" in name:
            machine.put(made.attrs, "*base", ExtObj(name, args, kwargs, machine.place(node)))
        if name.startswith("torchvision.datasets."):
            _transforming(machine, made, last, args, kwargs, node)
        if last in FOLDERS | GRAY_FOLDERS and "datasets" in name:
            machine.put(made.attrs, "*folder", ExtObj(name, args, kwargs, machine.place(node)))
        elif last == "Subset":
            given = kwargs.get("dataset", args[0] if args else None)
            machine.put(made.attrs, "dataset", given)
            machine.put(made.attrs, "indices", kwargs.get("indices", args[1] if len(args) > 1 else None))
        elif last == "ConcatDataset":
            machine.put(made.attrs, "datasets", kwargs.get("datasets", args[0] if args else None))


def _transforming(
    machine: Machine, made: Obj, last: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None
) -> None:
    """Keep what torchvision's ``VisionDataset`` calls ``transform`` and ``transforms``, which takes labels too."""
    one = kwargs.get("transform", _by_position(args, last))
    both = kwargs.get("transforms", args[1] if last == "VisionDataset" and len(args) > 1 else None)
    if both is None and (one is not None or "target_transform" in kwargs):
        both = ExtObj(PAIR, [one, kwargs.get("target_transform")], {}, machine.place(node))
    machine.put(made.attrs, "transform", one)
    machine.put(made.attrs, "transforms", both)


PAIR = "torchvision.datasets.vision.StandardTransform"
"""What makes one transform of pictures and labels of two, each of its own."""
KEPT = ("data", "train_data", "test_data", "transform", "target_transform")
"""Attributes of torchvision's data sets that hold pictures or transforms."""


def kept(source: Obj | ExtObj, name: str) -> tuple[Value, ...]:
    """What an attribute of torchvision's data set in memory is, which a class may read itself; empty if not known."""
    if isinstance(source, Obj):
        if "*base" in source.attrs and (parameters := kept_parameters.kept(source.attrs["*base"], name)):
            return parameters
        given = source.attrs.get("*folder", source.attrs.get("*given"))
        names = list(source.cls.foreign()) if source.cls is not None else []
    else:
        given, names = source, [source.name]
    if name == "loader":
        opens = any("datasets" in one and one.endswith(("Folder", "ImageNet")) for one in names)
        own = [_opener(given, one.rpartition(".")[2]) for one in names] if isinstance(given, ExtObj) else []
        return (
            (next((one for one in own if one is not None), Ext("torchvision.datasets.default_loader")),)
            if opens
            else ()
        )
    last = [one.rpartition(".")[2] for one in names if "datasets" in one]
    if name.endswith("transform") and isinstance(given, ExtObj):
        held = given.kwargs.get(name)
        for one in last:
            if one in FOLDERS | GRAY_FOLDERS:
                return (_by_position(given.args, one) if held is None and name == "transform" else held,)
        return ()
    found = next((one for one in last if one in _ARRAYS), None)
    if found is None or name not in KEPT or not isinstance(given, ExtObj):
        return ()
    state = as_stored(found, given.place)
    return (Picture(replace(state, kind="array", layout=f"N{state.layout}")),)


def inherited(machine: Machine, source: Obj) -> Value:
    """An item of a subclass of a library's data set that reads as the library does; None where it is no such."""
    given = source.attrs.get("*folder", source.attrs.get("*given"))
    for name in source.cls.foreign() if source.cls is not None else ():
        last = name.rpartition(".")[2]
        if last in FOLDERS | GRAY_FOLDERS and "datasets" in name and isinstance(given, ExtObj):
            kwargs = dict(given.kwargs)
            if "transform" in source.attrs:
                kwargs["transform"] = source.attrs["transform"]
            return _of_folder(machine, ExtObj(name, given.args, kwargs, given.place), last)
        held = source.attrs.get("datasets", source.attrs.get("dataset")) if last in WRAPPERS else None
        if held is not None:
            return item(machine, ExtObj(name, [held], {}, source.place), None)
    return None


def batch(machine: Machine, source: ExtObj, node: ast.AST | None) -> Value:
    """One batch of a loader, or one item of a library's data set; None where it is neither."""
    if is_loader(source):
        if "batch" not in source.attrs:
            machine.put(source.attrs, "batch", _batch(machine, source, node))
        return source.attrs["batch"]
    if "batch" in source.attrs:
        return source.attrs["batch"]
    return item(machine, source, node)


def _batch(machine: Machine, source: ExtObj, node: ast.AST | None) -> Value:
    dataset = dataset_of(source)
    one = item(machine, dataset, node)
    if one is None:
        return Unknown("a batch of a data set that is not followed", source.place)
    collate = source.kwargs.get("collate_fn")
    identity = identity_of(source)
    if source.kwargs.get("batch_size", 1) is None and "batch_sampler" not in source.kwargs and collate is None:
        # The data set gives batches, or items are taken one by one.
        return stamped(one, identity, batched=False)
    if collate is not None and not isinstance(collate, Unknown | Ext):
        made = machine.call(collate, [Seq([one], "list")], {}, node)
        from dataguard.preprocessing.static.arrays import opaque, pictures

        if pictures(made):
            return stamped(made, identity, batched=True)
        if pictures(one) and (isinstance(collate, Obj) or (isinstance(collate, Func) and changes(collate.node))):
            one = opaque(machine, [pictures(one)[0]], "what collate_fn makes of it is not followed", node)
    return stamped(one, identity, batched=True)


def identity_of(source: ExtObj | Obj) -> str:
    """What tells one data set from another, even where the first is gone when the other is made."""
    if "*number" not in source.attrs:
        source.attrs["*number"] = next(_NUMBERS)
    return f"{source.place}#{source.attrs['*number']}"


_NUMBERS = itertools.count()


def batched(value: Value) -> Value:
    """A value whose pictures are batches."""
    return stamped(value, "", batched=True)


def unbatched(value: Value) -> Value:
    """A value of whose batches the pictures are taken one by one."""

    def one_of(state: State) -> State:
        return replace(state, layout=without(state.layout)) if state.layout[:1] == "N" else state

    return _each(value, one_of)


def stamped(value: Value, identity: str, *, batched: bool) -> Value:
    """A value whose pictures say that they came out of a data set, as a batch."""

    def stamp(state: State) -> State:
        layout = f"N{state.layout}" if batched and "N" not in state.layout else state.layout
        return replace(state, layout=layout, through=(*state.through, identity) if identity else state.through)

    return _each(value, stamp)


def _each(value: Value, change: Callable[[State], State], depth: int = 0) -> Value:
    """A value of whose pictures each is changed."""
    if isinstance(value, Picture):
        return Picture(change(value.state))
    if depth > 6:
        return value
    if isinstance(value, Seq):
        return Seq([_each(one, change, depth + 1) for one in value.items], value.kind, value.many)
    if isinstance(value, Map):
        return Map({key: _each(one, change, depth + 1) for key, one in value.items.items()}, open=value.open)
    if isinstance(value, Choice):
        return choice([_each(one, change, depth + 1) for one in value.options], value.why)
    if isinstance(value, Obj) and not records.TENSORS.isdisjoint(value.attrs):
        held = {key: _each(one, change, depth + 1) for key, one in value.attrs.items() if key in records.TENSORS}
        return replace(value, attrs={**value.attrs, **held})
    return value


def hints_of(machine: Machine, dataset: Value) -> list[str]:
    """Words in how a data set is made that tell whether it is for training."""
    found: list[str] = []
    if isinstance(dataset, Obj):
        if dataset.cls is not None:
            found.append(dataset.cls.name)
        given = dataset.attrs.get("*given")
        dataset = given if isinstance(given, ExtObj) else dataset
    if isinstance(dataset, ExtObj):
        words = [*dataset.args, *dataset.kwargs.values()]
        found += [one for one in words if isinstance(one, str) and len(one) < 60]
        for key, value in dataset.kwargs.items():
            if value is True or value is False:
                found.append(f"{key}={value}")
        if dataset.args and isinstance(dataset.args[0], Obj | ExtObj):
            found += hints_of(machine, dataset.args[0])
    return found


def announce(machine: Machine, loader: ExtObj, node: ast.AST | None, words: tuple[str, ...]) -> None:
    """Keep the path that a loader's pictures took."""
    from dataguard.preprocessing.static.arrays import pictures

    made = batch(machine, loader, node)
    hints = [*words, *hints_of(machine, dataset_of(loader))]
    shuffle = loader.kwargs.get("shuffle", loader.args[2] if len(loader.args) > 2 else None)
    if isinstance(shuffle, bool) and (shuffle or "sampler" not in loader.kwargs):
        hints.append(f"shuffle={shuffle}")
    if loader.kwargs.get("drop_last") is True:
        hints.append("drop_last=True")
    found = pictures(made)
    if found:
        place = loader.place
        machine.sink("dataset", found[0], node, hints=hints, identity=identity_of(loader), place=place)


def announced(machine: Machine, source: Obj, made: Value, node: ast.AST | None) -> Value:
    """A batch of a class that gives batches by itself, where what it is made with says what it is for."""
    from dataguard.preprocessing.static.arrays import pictures
    from dataguard.preprocessing.static.roles import agreed

    hints = hints_of(machine, source)
    if not any(agreed(one) for one in hints[1:]) or not pictures(made):
        return made
    identity = identity_of(source)
    made = stamped(made, identity, batched=False)
    machine.sink("dataset", pictures(made)[0], node, hints=hints, identity=identity, place=source.place)
    return made
