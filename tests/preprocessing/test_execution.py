"""A pipeline gives what a call of its library by hand gives, to the bit."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from dataguard.core.errors import SourceError
from dataguard.preprocessing.errors import UndeterminedError
from dataguard.preprocessing.pipeline import Affine, Decode, Pipeline
from dataguard.preprocessing.probe.stimuli import photograph
from dataguard.preprocessing.steps import Antialias, Crop, Filter, Flip, Kernel, Pad, Random, Resize

PHOTO = photograph(123, 177)
PILLOW: dict[Kernel, Image.Resampling] = {
    "nearest_exact": Image.Resampling.NEAREST,
    "linear": Image.Resampling.BILINEAR,
    "cubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
OPENCV: dict[Kernel, int] = {
    "nearest": cv2.INTER_NEAREST,
    "nearest_exact": cv2.INTER_NEAREST_EXACT,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}


def jpeg(*, orientation: int | None = None, mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(PHOTO).convert(mode)
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    picture.save(buffer, "JPEG", **{"quality": 90, **options})
    return buffer.getvalue()


def resized(**how: Any) -> np.ndarray[Any, Any]:
    step = Resize(rule="exact", height=61, width=50, **how)
    return Pipeline(decode=Decode.of("array"), geometry=(step,)).run(PHOTO)


@pytest.mark.parametrize("kernel", PILLOW)
def test_pillow(kernel: Kernel) -> None:
    antialias: Antialias = "none" if kernel == "nearest_exact" else "scaled"
    by_hand = np.asarray(Image.fromarray(PHOTO).resize((50, 61), PILLOW[kernel]))
    np.testing.assert_array_equal(resized(engine="pillow", kernel=kernel, antialias=antialias), by_hand)


@pytest.mark.parametrize("kernel", PILLOW)
@pytest.mark.parametrize(
    ("height", "width", "bleed", "centering"),
    [(61, 50, 0.0, (0.5, 0.5)), (40, 131, 0.0, (0.0, 0.3)), (200, 173, 0.07, (1.0, 0.5))],
    ids=["shrunk", "not in the middle", "without its edges"],
)
def test_pillows_fit(kernel: Kernel, height: int, width: int, bleed: float, centering: tuple[float, float]) -> None:
    by_hand = ImageOps.fit(Image.fromarray(PHOTO), (width, height), PILLOW[kernel], bleed, centering)
    step = Resize(
        height=height,
        width=width,
        engine="pillow",
        kernel=kernel,
        antialias="none" if kernel == "nearest_exact" else "scaled",
        source="aspect",
        bleed=bleed,
        centering=centering,
    )
    found = Pipeline(decode=Decode.of("array"), geometry=(step,)).run(PHOTO)
    np.testing.assert_array_equal(found, np.asarray(by_hand))


def test_a_box_of_pillow_is_taken_as_it_is() -> None:
    box = (3.25, 10.5, 120.75, 99.0)
    by_hand = Image.fromarray(PHOTO).resize((50, 61), Image.Resampling.BICUBIC, box=box)
    found = resized(engine="pillow", kernel="cubic", antialias="scaled", source="box", box=box)
    np.testing.assert_array_equal(found, np.asarray(by_hand))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"engine": "opencv", "source": "aspect"}, "opencv does not resize a part"),
        ({"engine": "pillow", "antialias": "scaled", "source": "box"}, "the box is undetermined"),
        ({"engine": "pillow", "antialias": "scaled", "source": "box", "box": (0.0, 0.0, 500.0, 9.0)}, "exceed"),
    ],
)
def test_a_part_that_no_library_resizes_is_refused(how: dict[str, Any], words: str) -> None:
    with pytest.raises(UndeterminedError, match=words):
        resized(**how)


@pytest.mark.parametrize("kernel", OPENCV)
def test_opencv(kernel: Kernel) -> None:
    by_hand = cv2.resize(PHOTO, (50, 61), interpolation=OPENCV[kernel])
    np.testing.assert_array_equal(resized(engine="opencv", kernel=kernel), by_hand)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest", "nearest-exact", "area"])
@pytest.mark.parametrize("antialias", [False, True])
def test_torch(mode: str, antialias: bool) -> None:
    torch = pytest.importorskip("torch")
    if antialias and not mode.startswith("bi"):
        pytest.skip("torch antialiases bilinear and bicubic only")
    tensor = torch.from_numpy(PHOTO.copy()).permute(2, 0, 1)[None].float()
    options = {"antialias": antialias, "align_corners": False} if mode.startswith("bi") else {}
    by_hand = torch.nn.functional.interpolate(tensor, (61, 50), mode=mode, **options)[0].permute(1, 2, 0).numpy()
    kernel = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode.replace("-", "_"))
    found = Pipeline(
        decode=Decode.of("array"),
        geometry=(
            Resize(
                height=61,
                width=50,
                engine="torch",
                kernel=kernel,  # type: ignore[arg-type]
                antialias="scaled" if antialias else "none",
                arithmetic="float32",
            ),
        ),
        dtype="float32",
    ).run(PHOTO)
    np.testing.assert_array_equal(found, by_hand)


def test_equal_pairs_are_equal() -> None:
    pytest.importorskip("torch")
    pillow = resized(engine="pillow", kernel="linear", antialias="scaled")
    torch = resized(engine="torch", kernel="linear", antialias="scaled")
    assert np.abs(pillow.astype(int) - torch.astype(int)).max() <= 1
    nearest = resized(engine="pillow", kernel="nearest_exact", antialias="none")
    np.testing.assert_array_equal(nearest, resized(engine="opencv", kernel="nearest_exact"))
    assert (nearest != resized(engine="opencv", kernel="nearest")).any()


@pytest.mark.parametrize("flags", [("IMREAD_COLOR",), ("IMREAD_GRAYSCALE",), ("IMREAD_UNCHANGED",)])
@pytest.mark.parametrize("content", [jpeg(), jpeg(orientation=6), jpeg(mode="L"), jpeg(subsampling=0)])
def test_opencv_decodes_as_by_hand(content: bytes, flags: tuple[str, ...]) -> None:
    by_hand = cv2.imdecode(np.frombuffer(content, np.uint8), int(getattr(cv2, flags[0])))
    assert by_hand is not None
    decode = Decode.of("opencv", *flags)
    found = Pipeline(decode=decode, order=decode.order).run(content)
    np.testing.assert_array_equal(found.squeeze(), by_hand)


@pytest.mark.parametrize("turned", [False, True])
def test_pillow_decodes_as_by_hand(turned: bool) -> None:
    content = jpeg(orientation=6)
    picture: Image.Image = Image.open(io.BytesIO(content))
    if turned:
        picture = ImageOps.exif_transpose(picture)
    flags = ("exif_transpose", "convert RGB") if turned else ("convert RGB",)
    found = Pipeline(decode=Decode.of("pillow", *flags)).run(content)
    np.testing.assert_array_equal(found, np.asarray(picture.convert("RGB")))
    assert found.shape == ((177, 123, 3) if turned else (123, 177, 3))


def test_bgr_is_rgb_turned_round() -> None:
    content = jpeg()
    rgb = Pipeline(decode=Decode.of("pillow", "convert RGB"), order="RGB").run(content)
    bgr = Pipeline(decode=Decode.of("opencv", "IMREAD_COLOR"), order="BGR").run(content)
    np.testing.assert_array_equal(rgb, bgr[:, :, ::-1])


def test_transparency_is_put_on_what_is_said() -> None:
    pixels = np.zeros((4, 4, 4), dtype=np.uint8)
    pixels[:2] = (200, 100, 50, 255)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    white = Decode(library="pillow", flags=("convert RGB",), alpha="on white")
    found = Pipeline(decode=white).run(buffer.getvalue())
    assert found[0, 0].tolist() == [200, 100, 50]
    assert found[3, 3].tolist() == [255, 255, 255]
    dropped = Pipeline(decode=Decode.of("pillow", "convert RGB")).run(buffer.getvalue())
    assert dropped[3, 3].tolist() == [0, 0, 0]


@pytest.mark.parametrize(("policy", "level"), [("high byte", 0x12), ("scaled", 0x12), ("clipped", 255)])
def test_sixteen_bits_become_eight_as_is_said(policy: str, level: int) -> None:
    done, png = cv2.imencode(".png", np.full((5, 6), 0x1234, dtype=np.uint16))
    assert done
    decode = Decode(library="pillow", flags=("convert RGB",), sixteen_bit=policy)  # type: ignore[arg-type]
    assert Pipeline(decode=decode).run(png.tobytes())[0, 0].tolist() == [level] * 3


def test_normalization_is_that_of_the_code_that_wrote_it() -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    centre, spread = np.array(mean, dtype=np.float32), np.array(std, dtype=np.float32)
    by_hand = (PHOTO.astype(np.float32) / np.float32(255) - centre) / spread
    pipeline = Pipeline(decode=Decode.of("array"), affine=Affine.normalized(mean, std), layout="NCHW", dtype="float32")
    np.testing.assert_array_equal(pipeline.run(PHOTO), by_hand.transpose(2, 0, 1)[None])


def test_crop_pad_and_flip() -> None:
    def run(*steps: Any) -> np.ndarray[Any, Any]:
        return Pipeline(decode=Decode.of("array"), geometry=steps).run(PHOTO)

    np.testing.assert_array_equal(run(Crop(height=100, width=100)), PHOTO[11:111, 38:138])
    padded = run(Crop(height=200, width=100, fill=(7.0,)))
    assert padded.shape == (200, 100, 3)
    assert (padded[:38] == 7).all()
    np.testing.assert_array_equal(run(Pad(rule="square", fill=(1.0, 2.0, 3.0)))[27:150], PHOTO)
    np.testing.assert_array_equal(run(Flip(kind="left_right")), PHOTO[:, ::-1])
    np.testing.assert_array_equal(run(Flip(kind="rotate_90")), np.rot90(PHOTO))


def test_a_border_between_two_levels_is_kept() -> None:
    pad = Pad(rule="by", sides=(1, 0, 0, 0), fill=(123.675,))
    found = Pipeline(decode=Decode.of("array"), geometry=(pad,), dtype="float32").run(PHOTO)
    assert found[0, 0, 0] == np.float32(123.675)


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        (Pipeline(order=None, undetermined={"order": "chosen at run time"}), "order is undetermined"),
        (Pipeline(geometry=(Random(name="RandomCrop"),)), "RandomCrop is random"),
        (Pipeline(geometry=(Filter(name="GaussianBlur"),)), "GaussianBlur is not executed here"),
        (Pipeline(geometry=(Resize(height=5, width=5),)), "engine"),
        (Pipeline(geometry=(Resize(height=5, width=5, engine="opencv", kernel="box"),)), "no box kernel"),
        (Pipeline(affine=Affine(of_content="each picture")), "depends on the picture"),
        (Pipeline(affine=Affine(scale=None, undetermined={"scale": "?"})), "scale is undetermined"),
    ],
)
def test_what_is_not_known_cannot_be_run(pipeline: Pipeline, words: str) -> None:
    with pytest.raises(UndeterminedError, match=words):
        pipeline.run(PHOTO)


def test_a_broken_file_is_named(tmp_path: Any) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(jpeg()[:300])
    for decode in (Decode.of("pillow", "convert RGB"), Decode.of("opencv", "IMREAD_UNCHANGED")):
        broken = tmp_path / "no.png"
        broken.write_bytes(b"no picture")
        with pytest.raises(SourceError, match=r"no\.png"):
            Pipeline(decode=decode).run(broken)
    with pytest.raises(SourceError, match="cannot be read"):
        Pipeline().run(tmp_path / "missing.png")
