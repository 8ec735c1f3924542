"""How exactly a declaration that was read makes the pixels that its library makes of it.

    python benchmarks/readers.py [torchvision] [timm] [open_clip] [transformers] [albumentations] [onnx] [ultralytics]

Each line builds the library's own transform from a configuration, reads the same configuration, runs both on three
generated photographs (301×402, 255×180, 500×333), and prints the largest difference in levels of 0 to 255. Libraries
that are not installed are left out.

With torchvision 0.28, timm 1.0.31, open_clip 3.3.0, transformers 5.23.0, albumentations 2.0.8, onnxruntime 1.31.1,
Pillow 13.0.0, OpenCV 5.0.0 and torch 2.13.0:

    suite           exact   within 1e-4 levels   other
    torchvision        22                    1       1   Grayscale after a resize: 2 levels
    timm               12                    0       0
    open_clip          10                    0       0
    transformers       70                   66       2   Chameleon's LANCZOS from a file: undetermined, and says why
    albumentations      6                    1       0
    onnx                2                    0       0

Asked what they do (`--asked torchvision timm transformers`) and compared with what is declared, 24 of 24 cases of
torchvision, 12 of 12 of timm and 136 of 138 of transformers agree. None is a mismatch: the other two (Chameleon's
LANCZOS) are declared in a way that depends on the version.

What is not exact to the bit differs in the last bits of floats: torchvision resizes floats of 0 to 1 and not levels,
transformers on Pillow rescales in double precision, albumentations in a table.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataguard.preprocessing.comparison import difference
from dataguard.preprocessing.errors import UndeterminedError
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.probe.identify import Identified, identify
from dataguard.preprocessing.probe.stimuli import photograph
from dataguard.preprocessing.readers import read

Call = Callable[[NDArray[np.uint8]], Any]
Case = tuple[str, Pipeline, Call]
KEPT: list[Any] = []
"""What must not be collected as garbage."""

PHOTOGRAPHS = (photograph(301, 402, 1), photograph(255, 180, 2), photograph(500, 333, 3))


def without_operators() -> None:
    """Let torchvision's transforms be imported where its compiled operators do not fit the torch that is installed."""
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        made: Any = torch.library
        library = made.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        KEPT.append(library)


def picture(pixels: NDArray[np.uint8]) -> Any:
    """As Pillow has it."""
    from PIL import Image

    return Image.fromarray(pixels)


def on_pictures(made: Any) -> Call:
    """A transform of pictures of Pillow, on pixels."""
    return lambda pixels: made(picture(pixels))


def torchvision() -> Iterator[Case]:
    """Transforms v1 and v2, presets of weights."""
    import torch
    import torchvision.transforms as first
    from torchvision.models import ResNet50_Weights, ViT_B_16_Weights
    from torchvision.models.segmentation import FCN_ResNet50_Weights
    from torchvision.transforms import v2 as second

    for weights in (
        ResNet50_Weights.IMAGENET1K_V1,
        ResNet50_Weights.IMAGENET1K_V2,
        ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1,
        FCN_ResNet50_Weights.DEFAULT,
    ):
        made = weights.transforms()
        yield f"{type(weights).__name__}.{weights.name}", read(weights)[0], on_pictures(made)
        yield "  the object", read(made)[0], on_pictures(made)
    modes = first.InterpolationMode
    norm = first.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    floats = first.ConvertImageDtype(torch.float32)
    cases = {
        "Resize, CenterCrop, Normalize": [first.Resize(256), first.CenterCrop(224), first.ToTensor(), norm],
        "Resize to (200, 300) bicubic": [first.Resize((200, 300), modes.BICUBIC), first.ToTensor()],
        "Resize with max_size": [first.Resize(200, max_size=230), first.ToTensor()],
        "CenterCrop of small pictures": [first.CenterCrop(400), first.ToTensor(), norm],
        "CenterCrop, odd": [first.CenterCrop((333, 401)), first.ToTensor(), norm],
        "tensor, antialias": [first.PILToTensor(), first.Resize(128, antialias=True), floats, norm],
        "tensor, no antialias": [first.PILToTensor(), first.Resize(128, antialias=False), floats, norm],
        "floats, antialias": [first.ToTensor(), first.Resize(128, antialias=True), norm],
        "floats, nearest": [first.ToTensor(), first.Resize(128, modes.NEAREST), norm],
        "Pad after Normalize": [first.Resize(128), first.ToTensor(), norm, first.Pad(3)],
        "Pad with a colour": [first.Pad((1, 2, 3, 4), fill=(10, 20, 30)), first.Resize(128), first.ToTensor()],
        "Pad by reflection": [first.Pad((1, 2, 3, 4), padding_mode="reflect"), first.ToTensor()],
        "Grayscale": [first.Resize(128), first.Grayscale(), first.ToTensor()],
        "v2, tensor": [
            second.ToImage(),
            second.Resize(232),
            second.CenterCrop(224),
            second.ToDtype(torch.float32, scale=True),
            second.Normalize([0.5] * 3, [0.5] * 3),
        ],
        "v2, LANCZOS": [second.ToImage(), second.Resize(100, modes.LANCZOS), second.CenterCrop(50)],
        "v2, max_size alone": [second.Resize(None, max_size=200), second.PILToTensor()],
    }
    for name, steps in cases.items():
        chain = (second if name.startswith("v2") else first).Compose(steps)
        yield name, read(chain)[0], on_pictures(chain)


def timm() -> Iterator[Case]:
    """Configurations in every crop mode."""
    from timm.data import create_transform, resolve_data_config

    usual = {"input_size": [3, 224, 224], "interpolation": "bicubic", "mean": [0.485, 0.456, 0.406]}
    for change in (
        {"crop_pct": 0.9, "std": [0.5] * 3},
        {"crop_pct": 0.95, "crop_mode": "squash", "interpolation": "bilinear"},
        {"crop_pct": 1.0, "crop_mode": "border"},
        {"input_size": [3, 160, 160], "test_input_size": [3, 192, 192], "test_crop_pct": 1.0},
        {"input_size": [3, 224, 288], "crop_pct": 0.9},
    ):
        config = usual | change
        for path, test in zip(read({"pretrained_cfg": config}), (False, True), strict=False):
            made = create_transform(**resolve_data_config({}, pretrained_cfg=config, use_test_size=test))
            yield f"{path.name} {change}", path, on_pictures(made)
            yield "  the object", read(made)[0], on_pictures(made)


def open_clip() -> Iterator[Case]:
    """Configurations in every resize mode."""
    library: Any = importlib.import_module("open_clip.transform")

    for config in (
        {},
        {"resize_mode": "longest", "size": 200, "fill_color": 127},
        {"resize_mode": "squash", "interpolation": "bilinear"},
        {"size": [224, 336]},
        {"mean": [0.5] * 3, "std": [0.5] * 3},
    ):
        made = library.image_transform_v2(library.PreprocessCfg(**config), is_train=False)
        path = read({"preprocess_cfg": config})[0]
        yield f"{config}", path, on_pictures(made)
        yield "  the object", read(made)[0], on_pictures(made)


def transformers() -> Iterator[Case]:
    """Every class whose defaults are known, and some settings, on both backends."""
    import transformers as library

    library.logging.set_verbosity_error()
    from dataguard.preprocessing.readers.huggingface import CLASSES

    settings: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in CLASSES]
    settings += [
        ("ViT", {"size": {"shortest_edge": 200}, "do_normalize": False}),
        ("CLIP", {"size": {"shortest_edge": 200}, "crop_size": {"height": 255, "width": 333}, "resample": 2}),
        ("CLIP", {"do_resize": False, "crop_size": 233}),
        ("ConvNext", {"size": {"shortest_edge": 224}}),
        ("CLIP", {"size": 224}),
        ("ViT", {"size": 224}),
    ]
    for name, setting in settings:
        for ending, backend in (("", "torchvision"), ("Pil", "Pillow")):
            kind = getattr(library, f"{name}ImageProcessor{ending}", None)
            if kind is None:
                continue
            made = kind(**setting)

            def call(x: NDArray[np.uint8], made: Any = made) -> Any:
                return made(picture(x), return_tensors="np")["pixel_values"]

            yield f"{name} on {backend} {setting or ''}", read(made)[0], call
            for label, data in (
                ("  preprocessor_config.json", json.loads(made.to_json_string())),
                ("  with nothing but its class", {**setting, "image_processor_type": f"{name}ImageProcessor"}),
            ):
                yield label, next(path for path in read(data) if backend in path.name), call


def albumentations() -> Iterator[Case]:
    """What `to_dict` writes."""
    import cv2

    library: Any = importlib.import_module("albumentations")

    for name, steps in {
        "Resize, Normalize": [library.Resize(200, 300), library.Normalize(), library.ToTensorV2()],
        "SmallestMaxSize, CenterCrop": [library.SmallestMaxSize(256), library.CenterCrop(224, 224)],
        "LongestMaxSize, PadIfNeeded": [
            library.LongestMaxSize(224, interpolation=cv2.INTER_AREA),
            library.PadIfNeeded(224, 224, fill=114),
            library.Normalize(mean=[0.5] * 3, std=[0.5] * 3),
        ],
        "PadIfNeeded by reflection, divisor": [
            library.PadIfNeeded(None, None, pad_height_divisor=32, pad_width_divisor=32, border_mode=4)
        ],
        "cubic, ToFloat": [library.Resize(99, 98, interpolation=cv2.INTER_CUBIC), library.ToFloat(255)],
        "Crop, flips": [library.Crop(3, 5, 103, 155), library.HorizontalFlip(p=1), library.Transpose(p=1)],
        "CenterCrop with padding": [library.CenterCrop(400, 401, pad_if_needed=True, fill=7)],
    }.items():
        made = library.Compose(steps)

        def call(x: NDArray[np.uint8], made: Any = made) -> Any:
            return made(image=np.array(x))["image"]

        yield name, read(json.loads(json.dumps(made.to_dict())))[0], call


def onnx() -> Iterator[Case]:
    """Graph heads that are exported by hand, through onnxruntime."""
    library: Any = importlib.import_module("onnx")
    onnxruntime: Any = importlib.import_module("onnxruntime")
    TensorProto, helper, numpy_helper = library.TensorProto, library.helper, library.numpy_helper  # noqa: N806

    def model(nodes: list[Any], constants: dict[str, Any], shape: list[Any], **props: str) -> Any:
        given = helper.make_tensor_value_info("pixels", TensorProto.UINT8, shape)
        result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
        graph = helper.make_graph(nodes, "g", [given], [result], weights)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        helper.set_model_props(made, props)
        return made

    mean = np.array([123.675, 116.28, 103.53], np.float32)
    cast = helper.make_node("Cast", ["pixels"], ["f"], to=TensorProto.FLOAT)
    chain = [
        cast,
        helper.make_node("Transpose", ["f"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["t", "mean"], ["s"]),
        helper.make_node("Mul", ["s", "scale"], ["m"]),
        helper.make_node("Relu", ["m"], ["y"]),
    ]
    constants = {"mean": mean.reshape(1, 3, 1, 1), "scale": np.float32(1 / 58)}
    relu = model(chain, constants, [1, "h", "w", 3], **{"Image.BitmapPixelFormat": "Rgb8"})
    swapped = [
        cast,
        helper.make_node("Gather", ["f", "order"], ["g"], axis=3),
        helper.make_node("Div", ["g", "d"], ["q"]),
        helper.make_node("Relu", ["q"], ["y"]),
    ]
    bgr = model(swapped, {"order": np.array([2, 1, 0]), "d": mean}, [1, "h", "w", 3],
                **{"Image.BitmapPixelFormat": "Rgb8"})  # fmt: skip
    for name, made in (("Cast, Transpose, Sub, Mul", relu), ("Cast, Gather, Div", bgr)):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.onnx"
            library.save(made, file)
            # Sizes are up to the caller, who leaves them as they are here.
            path = replace(read(file)[0], geometry=(), undetermined={})
            session = onnxruntime.InferenceSession(str(file))

        def call(x: NDArray[np.uint8], session: Any = session) -> Any:
            return session.run(None, {"pixels": np.asarray(x)[None]})[0]

        yield name, path, call


def ultralytics() -> Iterator[Case]:
    """``LetterBox`` and what follows it."""
    letterbox: Any = importlib.import_module("ultralytics.data.augment").LetterBox

    for square in (False, True):
        made = letterbox((320, 320), auto=not square, stride=32)

        def call(x: NDArray[np.uint8], made: Any = made) -> Any:
            boxed = made(image=np.ascontiguousarray(x[:, :, ::-1]))[:, :, ::-1].transpose(2, 0, 1)
            return np.ascontiguousarray(boxed)[None].astype(np.float32) / 255

        yield f"LetterBox, {'square' if square else 'to the stride'}", read(made)[0], call


SUITES: dict[str, Callable[[], Iterator[Case]]] = {
    "torchvision": torchvision,
    "timm": timm,
    "open_clip": open_clip,
    "transformers": transformers,
    "albumentations": albumentations,
    "onnx": onnx,
    "ultralytics": ultralytics,
}


def compare(path: Pipeline, call: Callable[[NDArray[np.uint8]], Any]) -> str:
    """'exact', the largest difference in levels, or what is wrong."""
    largest, exact = 0.0, True
    for pixels in PHOTOGRAPHS:
        wanted = np.asarray(call(pixels))
        try:
            found = path.run(pixels)
        except UndeterminedError as error:
            return f"undetermined: {error.hint or error.message}"
        if wanted.shape != found.shape or wanted.dtype != found.dtype:
            return f"{found.dtype} {found.shape} instead of {wanted.dtype} {wanted.shape}"
        if path.name.startswith("onnx"):
            found = np.maximum(found, 0)
        exact &= bool(np.array_equal(wanted, found))
        scale = max(abs(one) for one in path.affine.scale or (1.0,))
        largest = max(largest, float(np.abs(wanted.astype(np.float64) - found).max()) / scale)
    return "exact" if exact else f"{largest:.1e}"


def agreement(path: Pipeline, call: Call, known: dict[int, Identified]) -> str:
    """'agrees', or what differs between a declaration and what is found by asking the library's own transform.

    It is given pixels, so how files are read is left out.
    """
    if id(call) not in known:
        KEPT.append(call)
        known[id(call)] = identify(call, takes="array")
    found = known[id(call)]
    rest = [one for one in difference(path, found.pipeline) if one.aspect not in ("decoder", "policy")]
    differing = [f"{one.aspect}: {one.words}" for one in rest if not one.unknown]
    if differing:
        return "; ".join(differing)
    if rest:
        return f"undetermined: {rest[0].unknown}"
    return f"agrees, {found.fidelity}, {found.seconds:.1f} s"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", default=list(SUITES))
    parser.add_argument("--different", action="store_true", help="leave out what is exact")
    parser.add_argument("--asked", action="store_true", help="ask the transforms, and compare with what is declared")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if importlib.util.find_spec("torchvision") is not None:
        without_operators()
    for suite in arguments.suites:
        if importlib.util.find_spec(suite) is None:
            print(f"{suite}: not installed")
            continue
        counts = {"exact": 0, "within 1e-4 levels": 0, "other": 0}
        if arguments.asked:
            answers: dict[int, Identified] = {}
            agreeing = asked = 0
            for name, path, call in SUITES[suite]():
                found = agreement(path, call, answers)
                asked, agreeing = asked + 1, agreeing + found.startswith("agrees")
                if not found.startswith("agrees") or not arguments.different:
                    print(f"{suite:14} {name[:72]:74} {found}", flush=True)
            print(f"{suite}: {agreeing} of {asked} agree, {len(answers)} transforms asked", flush=True)
            continue
        for name, path, call in SUITES[suite]():
            found = compare(path, call)
            close = found[0].isdigit() and "e-" in found and float(found) < 1e-4
            counts["exact" if found == "exact" else "within 1e-4 levels" if close else "other"] += 1
            if found != "exact" or not arguments.different:
                print(f"{suite:14} {name[:72]:74} {found}")
        print(f"{suite}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))


if __name__ == "__main__":
    main()
