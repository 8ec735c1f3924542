"""TFLite, ONNX, OpenVINO, Triton, Keras: model files, made byte by byte."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard.preprocessing.errors import DeclarationError, UndeterminedError
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.probe.stimuli import photograph
from dataguard.preprocessing.readers import read
from dataguard.preprocessing.readers.triton import parsed
from dataguard.preprocessing.steps import Crop, Pad, Resize

PHOTO = photograph(40, 50)


# --- FlatBuffers, written from the end as far as these files need it: children follow their parents


class Table(list[Any]):
    """Fields by index: None, bytes (a scalar), Table, Vector or Text."""


class Vector(list[Any]):
    """Of tables."""


class Numbers:
    def __init__(self, form: str, *values: Any) -> None:
        self.content = struct.pack(f"<I{len(values)}{form}", len(values), *values)


class Raw:
    def __init__(self, content: bytes) -> None:
        self.content = struct.pack("<I", len(content)) + content


def flatbuffer(root: Table, identifier: bytes) -> bytes:
    out = bytearray(b"\0\0\0\0" + identifier)

    def align() -> None:
        out.extend(b"\0" * (-len(out) % 8))

    def place(thing: Any) -> int:
        align()
        if isinstance(thing, Numbers | Raw):
            at = len(out)
            out.extend(thing.content + b"\0")
            return at
        if isinstance(thing, Vector):
            at = len(out)
            out.extend(struct.pack("<I", len(thing)) + b"\0" * 4 * len(thing))
            for index, one in enumerate(thing):
                slot = at + 4 + 4 * index
                struct.pack_into("<I", out, slot, place(one) - slot)
            return at
        slots, size = [], 4
        for value in thing:
            slots.append(0 if value is None else size)
            size += 0 if value is None else 8
        out.extend(struct.pack(f"<HH{len(slots)}H", 4 + 2 * len(slots), size, *slots))
        table = len(out) - 4 - 2 * len(slots)
        align()
        at = len(out)
        out.extend(struct.pack("<i", at - table) + b"\0" * size)
        for value, slot in zip(thing, slots, strict=True):
            if isinstance(value, bytes):
                out[at + slot : at + slot + len(value)] = value
            elif value is not None:
                struct.pack_into("<I", out, at + slot, place(value) - at - slot)
        return at

    struct.pack_into("<I", out, 0, place(root))
    return bytes(out)


def tflite(
    *,
    shape: tuple[int, ...] = (1, 8, 10, 3),
    kind: int = 0,
    mean: tuple[float, ...] = (127.5,),
    std: tuple[float, ...] = (127.5,),
    quantization: tuple[float, int] | None = None,
    metadata: bool = True,
    buffer: int = 1,
) -> bytes:
    image = Table([b"\x01"])
    content = Table([b"\x02", image])
    unit = Table([b"\x01", Table([Numbers("f", *mean), Numbers("f", *std)])])
    described = Table([Raw(b"image"), None, None, content, Vector([unit])])
    meta = flatbuffer(Table([None, None, None, Vector([Table([None, None, Vector([described])])])]), b"M001")
    quantized = None
    if quantization is not None:
        quantized = Table([None, None, Numbers("f", quantization[0]), Numbers("q", quantization[1])])
    tensor = Table([Numbers("i", *shape), bytes([kind]), None, Raw(b"input"), quantized])
    graph = Table([Vector([tensor]), Numbers("i", 0)])
    entry = Table([Raw(b"TFLITE_METADATA"), struct.pack("<I", buffer)])
    root = Table([struct.pack("<I", 3), None, Vector([graph]), None, Vector([Table([]), Table([Raw(meta)])]), None,
                  Vector([entry]) if metadata else None])  # fmt: skip
    return flatbuffer(root, b"TFL3")


def read_bytes(content: bytes, folder: Path, name: str = "model.bin") -> Pipeline:
    (folder / name).write_bytes(content)
    return read(folder / name)[0]


def test_the_metadata_of_tflite(tmp_path: Path) -> None:
    path = read_bytes(tflite(), tmp_path)
    assert (path.name, path.layout, path.dtype, path.order) == ("input", "NHWC", "float32", "RGB")
    assert path.affine.scale == (1 / 127.5,)
    assert path.affine.offset == (-1.0,)
    (resize,) = path.geometry or ()
    assert isinstance(resize, Resize)
    assert (resize.height, resize.width, resize.rule, resize.kernel) == (8, 10, None, None)
    assert "not how a picture is brought to it" in resize.undetermined["kernel"]
    with pytest.raises(UndeterminedError):
        path.run(PHOTO)


def test_quantization_comes_after_normalization(tmp_path: Path) -> None:
    path = read_bytes(tflite(kind=9, quantization=(1 / 128, -1)), tmp_path)
    assert path.dtype == "int8"
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    executed = Pipeline(affine=path.affine, dtype="int8").run(levels)
    scale = np.float64(np.float32(1 / 128))
    expected = np.clip(np.rint((levels.astype(np.float64) - 127.5) / 127.5 / scale - 1), -128, 127)
    np.testing.assert_array_equal(executed, expected)


def test_a_tflite_model_without_metadata(tmp_path: Path) -> None:
    path = read_bytes(tflite(metadata=False), tmp_path)
    assert path.affine.scale is None
    assert "NormalizationOptions" in path.affine.undetermined["scale"]
    assert path.order is None
    assert "no metadata" in path.undetermined["order"]


def test_broken_models_of_tflite(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="buffer 9"):
        read_bytes(tflite(buffer=9), tmp_path)
    with pytest.raises(DeclarationError, match="std"):
        read_bytes(tflite(std=(0.0,)), tmp_path)
    whole = tflite()
    for end in range(8, len(whole), 7):
        try:
            read_bytes(whole[:end], tmp_path)
        except DeclarationError:
            continue
    for at in range(0, len(whole), 3):
        try:
            read_bytes(whole[:at] + b"\xff\xff" + whole[at + 2 :], tmp_path)
        except DeclarationError:
            continue


# --- Protocol Buffers


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(key: int, value: int) -> bytes:
    return varint(key << 3) + varint(value & (2**64 - 1))


def chunk(key: int, *content: bytes | str) -> bytes:
    whole = b"".join(one.encode() if isinstance(one, str) else one for one in content)
    return varint(key << 3 | 2) + varint(len(whole)) + whole


def constant(name: str, values: Any, shape: tuple[int, ...] | None = None) -> bytes:
    array = np.asarray(values)
    kinds = {"float32": 1, "int64": 7}
    dims = b"".join(number(1, side) for side in shape or array.shape)
    return chunk(5, dims, number(2, kinds[array.dtype.name]), chunk(8, name), chunk(9, array.tobytes()))


def node(kind: str, inputs: str, output: str, **attributes: Any) -> bytes:
    made = b"".join(chunk(1, name) for name in inputs.split()) + chunk(2, output) + chunk(4, kind)
    for name, value in attributes.items():
        inner = chunk(1, name)
        if isinstance(value, str):
            inner += chunk(4, value)
        elif isinstance(value, list):
            inner += b"".join(number(8, one) for one in value)
        else:
            inner += number(3, value)
        made += chunk(5, inner)
    return chunk(1, made)


def onnx(*nodes: bytes, constants: tuple[bytes, ...] = (), shape: tuple[int, ...] = (1, -1, -1, 3), kind: int = 2,
         **props: str) -> bytes:  # fmt: skip
    dims = b"".join(chunk(1, number(1, side) if side > 0 else chunk(2, "n")) for side in shape)
    given = chunk(11, chunk(1, "x"), chunk(2, chunk(1, number(1, kind), chunk(2, dims))))
    graph = chunk(7, *nodes, *constants, given)
    metadata = b"".join(chunk(14, chunk(1, key.replace("_", ".", 1)), chunk(2, value)) for key, value in props.items())
    return number(1, 9) + graph + metadata


MEAN = np.array([123.675, 116.28, 103.53], np.float32)


def test_the_head_of_an_onnx_graph(tmp_path: Path) -> None:
    content = onnx(
        node("Cast", "x", "a", to=1),
        node("Transpose", "a", "b", perm=[0, 3, 1, 2]),
        node("Sub", "b m", "c"),
        node("Div", "c s", "d"),
        node("Conv", "d w", "y"),
        constants=(constant("m", MEAN.reshape(1, 3, 1, 1)), constant("s", np.float32(58))),
        Image_BitmapPixelFormat="Rgb8",
    )
    path = read_bytes(content, tmp_path)
    assert (path.layout, path.dtype, path.order) == ("NCHW", "float32", "RGB")
    assert path.affine.scale == pytest.approx((1 / 58,) * 3)
    assert path.affine.offset == pytest.approx(tuple(-MEAN.astype(float) / 58))
    assert path.geometry is None
    assert "any size" in path.undetermined["geometry"]


def test_a_gather_that_reverses_channels(tmp_path: Path) -> None:
    content = onnx(
        node("Gather", "x o", "a", axis=3),
        node("Relu", "a", "y"),
        constants=(constant("o", np.array([2, 1, 0])),),
        Image_BitmapPixelFormat="Bgr8",
    )
    path = read_bytes(content, tmp_path)
    assert (path.decode.order, path.order, path.dtype) == ("BGR", "RGB", "uint8")


def test_a_resize_in_the_graph(tmp_path: Path) -> None:
    content = onnx(
        node("Cast", "x", "a", to=1),
        node("Resize", "a r r z", "b", mode="cubic", antialias=1, coordinate_transformation_mode="align_corners"),
        node("Conv", "b", "y"),
        constants=(constant("z", np.array([1, 20, 30, 3])),),
    )
    (resize,) = read_bytes(content, tmp_path).geometry or ()
    assert isinstance(resize, Resize)
    assert (resize.height, resize.width, resize.kernel, resize.cubic) == (20, 30, "cubic", -0.75)
    assert (resize.antialias, resize.align, resize.engine) == ("scaled", "align_corners", None)


def test_what_an_onnx_model_does_not_say(tmp_path: Path) -> None:
    path = read_bytes(onnx(node("Conv", "x w", "y"), shape=(1, 3, 8, 10), kind=1), tmp_path)
    assert (path.layout, path.dtype, path.order) == ("NCHW", "float32", None)
    assert path.affine.scale is None
    (resize,) = path.geometry or ()
    assert isinstance(resize, Resize)
    assert (resize.height, resize.width) == (8, 10)
    ranged = read_bytes(
        onnx(node("Conv", "x w", "y"), shape=(1, 3, 8, 10), kind=1, Image_NominalPixelRange="Normalized_0_1"), tmp_path
    )
    assert ranged.affine.scale == (1 / 255,)


def test_an_input_that_is_used_twice_ends_the_head(tmp_path: Path) -> None:
    content = onnx(node("Mul", "x m", "a"), node("Add", "x m", "b"), constants=(constant("m", np.float32(2)),), kind=1)
    assert read_bytes(content, tmp_path).affine.scale is None


def test_the_metadata_that_ultralytics_writes(tmp_path: Path) -> None:
    content = onnx(node("Conv", "x w", "y"), shape=(1, 3, 64, 64), kind=1, imgsz="[64, 64]", stride="32")
    (tmp_path / "yolo.onnx").write_bytes(content)
    graph, exported = read(tmp_path / "yolo.onnx")
    assert graph.name == "onnx, x"
    assert exported.run(PHOTO[:, :, ::-1]).shape == (1, 3, 64, 64)


def test_broken_models_of_onnx(tmp_path: Path) -> None:
    whole = onnx(node("Sub", "x m", "a"), constants=(constant("m", MEAN),))
    for at in range(2, len(whole), 2):
        for change in (whole[:at], whole[:at] + b"\xff" * 9 + whole[at + 9 :]):
            try:
                read_bytes(change, tmp_path)
            except DeclarationError:
                continue
    huge = constant("m", MEAN, shape=(2**40, 2**40, 2**40))
    assert read_bytes(onnx(node("Sub", "x m", "a"), constants=(huge,)), tmp_path).affine.scale == (1.0,)


# --- OpenVINO


def openvino(**info: str) -> bytes:
    inner = "".join(f'<{key} value="{value}"/>' for key, value in info.items())
    return f"""<?xml version="1.0"?><net name="m" version="11"><layers><layer id="0" type="Parameter">
    <data shape="1,3,32,40" element_type="f32"/></layer></layers><rt_info><model_info>{inner}</model_info></rt_info>
    </net>""".encode()


def test_what_model_api_wrote_into_an_ir(tmp_path: Path) -> None:
    content = openvino(
        mean_values="123.675 116.28 103.53",
        scale_values="[58.395, 57.12, 57.375]",
        reverse_input_channels="YES",
        resize_type="fit_to_window_letterbox",
        pad_value="114",
    )
    path = read_bytes(content, tmp_path)
    assert (path.layout, path.decode.order, path.order) == ("NCHW", "BGR", "RGB")
    assert path.affine.mean_std(1.0)[0] == pytest.approx((123.675, 116.28, 103.53))
    assert [type(step) for step in path.geometry or ()] == [Resize, Pad]
    assert path.run(PHOTO).shape == (1, 3, 32, 40)
    bare = read_bytes(openvino(), tmp_path)
    assert bare.affine.scale is None
    with pytest.raises(DeclarationError, match="scale_values"):
        read_bytes(openvino(scale_values="0"), tmp_path)


# --- Triton


def test_triton_says_layout_and_type_only(tmp_path: Path) -> None:
    text = """
    name: "resnet" # of a kind
    max_batch_size: 8
    input [
      { name: 'x', data_type: TYPE_FP16, format: FORMAT_NHWC, dims: [ 224, 200, 3 ] },
      { name: "ids" data_type: TYPE_INT64 dims: [ 1 ] }
    ]
    instance_group { count: 1 kind: KIND_GPU }
    """
    path = read_bytes(text.encode(), tmp_path, "config.pbtxt")
    assert (path.layout, path.dtype, path.order) == ("NHWC", "float16", None)
    (resize,) = path.geometry or ()
    assert isinstance(resize, Resize)
    assert (resize.height, resize.width) == (224, 200)
    assert path.affine.scale is None
    assert len(read(tmp_path)) == 1


@pytest.mark.parametrize("text", ["a: [", "a {", "a: }", "1: 2", 'a: "b', "{" * 5000, "a {" * 5000])
def test_texts_that_are_no_messages(text: str) -> None:
    with pytest.raises(DeclarationError):
        parsed(text)


# --- Keras


def layer(kind: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": config}


def test_layers_at_the_head_of_a_keras_model(tmp_path: Path) -> None:
    layers = [
        layer("InputLayer"),
        layer("Rescaling", scale=1 / 127.5, offset=-1.0),
        layer("RandomFlip"),
        layer("CenterCrop", height=30, width=40),
        layer("Normalization", mean=[[0.1, 0.2, 0.3]], variance=[[0.25, 0.25, 0.25]], axis=[-1]),
        layer("Conv2D", filters=3),
        layer("Rescaling", scale=7),
    ]
    config = {"class_name": "Functional", "config": {"name": "net", "layers": layers}}
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    (path,) = read(tmp_path / "net.keras")
    assert path.geometry is not None
    assert isinstance(path.geometry[0], Crop)
    expected = (PHOTO[5:35, 5:45] / 127.5 - 1 - np.array([0.1, 0.2, 0.3])) / 0.5
    np.testing.assert_allclose(path.run(PHOTO)[0], expected, atol=1e-5)


def test_a_keras_model_without_layers_of_preprocessing_does_not_say_what_it_is_given() -> None:
    config = {"class_name": "Model", "config": {"layers": [layer("InputLayer"), layer("Conv2D", filters=3)]}}
    (path,) = read(config)
    assert (path.order, path.geometry, path.affine.scale) == (None, None, None)
    assert (path.layout, path.dtype) == ("NHWC", "float32")


def test_a_normalization_whose_values_are_among_the_weights(tmp_path: Path) -> None:
    config = {"class_name": "Sequential", "config": {"layers": [layer("Normalization", mean=None)]}}
    (path,) = read(config)
    assert "weights" in path.affine.undetermined["scale"]


def test_the_modes_of_preprocess_input() -> None:
    def preprocess_input(x: Any) -> Any:
        return x

    expected = {"resnet50": "caffe", "mobilenet_v2": "tf", "densenet": "torch", "efficientnet": "none"}
    mapped = {}
    for module, mode in expected.items():
        preprocess_input.__module__ = f"keras.src.applications.{module}"
        (path,) = read(preprocess_input)
        assert path.geometry is None
        mapped[mode] = path
    assert (mapped["caffe"].order, mapped["tf"].order) == ("BGR", "RGB")
    # ImageNet's mean, blue first, and no scaling.
    assert mapped["caffe"].affine.scale == (1.0,) * 3
    assert mapped["caffe"].affine.offset == (-103.939, -116.779, -123.68)
    assert mapped["tf"].affine.channel(0) == (1 / 127.5, -1.0)
    assert mapped["torch"].affine.mean_std()[1] == pytest.approx((0.229, 0.224, 0.225))
    assert mapped["none"].affine.channel(0) == (1.0, 0.0)
    preprocess_input.__module__ = "keras.applications.unheard_of"
    with pytest.raises(DeclarationError, match="unheard_of"):
        read(preprocess_input)
