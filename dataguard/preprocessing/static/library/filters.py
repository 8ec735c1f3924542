"""What libraries do to levels and not to where pixels are: filters, equalizing, curves."""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.static.library.given import as_state
from dataguard.preprocessing.static.library.registry import Call, function, methods
from dataguard.preprocessing.static.picture import (
    State,
    by_chance,
    cast,
    explicit,
    losing,
    mapped,
    moved,
    stepped,
)
from dataguard.preprocessing.static.values import Func, Picture, Seq, Unknown, Value, is_number
from dataguard.preprocessing.steps import Filter

_FIRST = ("src", "image", "img", "input", "tensor", "src1", "m")
"""Names under which a picture is given."""


def filtered(state: State, name: str, place: str) -> State:
    """A state after a filter: levels are mixed with those around them, and mapped as they were."""
    return stepped(state, Filter(name=name, provenance={"": explicit(place, name)}), place)


def _given(call: Call) -> State | None:
    first = next((call.kwargs[name] for name in _FIRST if name in call.kwargs), None)
    return as_state(call.args[0] if call.args else first, kind="pil" if call.name.startswith("PIL.") else "array")


@function(
    "cv2.GaussianBlur", "cv2.medianBlur", "cv2.blur", "cv2.boxFilter", "cv2.bilateralFilter", "cv2.filter2D",
    "cv2.sepFilter2D", "cv2.fastNlMeansDenoising", "cv2.fastNlMeansDenoisingColored", "cv2.erode", "cv2.dilate",
    "cv2.morphologyEx", "cv2.edgePreservingFilter", "cv2.detailEnhance", "cv2.stylization", "cv2.Sobel",
    "cv2.Laplacian", "cv2.ximgproc.guidedFilter",
    "scipy.ndimage.gaussian_filter", "scipy.ndimage.median_filter", "scipy.ndimage.uniform_filter",
    "scipy.ndimage.convolve", "scipy.ndimage.maximum_filter", "scipy.ndimage.minimum_filter",
    "scipy.ndimage.filters.gaussian_filter", "scipy.ndimage.filters.median_filter", "scipy.ndimage.filters.convolve",
    "scipy.ndimage.grey_dilation", "scipy.ndimage.grey_erosion", "scipy.signal.wiener", "scipy.signal.medfilt",
    "skimage.filters.median", "skimage.morphology.dilation", "skimage.morphology.erosion",
    "kornia.filters.*",
    "torchvision.transforms.functional.gaussian_blur", "torchvision.transforms.functional.adjust_sharpness",
)  # fmt: skip
def _filter(call: Call) -> Value:
    state = _given(call)
    if state is None:
        return call.unknown("no picture")
    name = call.name.rpartition(".")[2]
    if call.by_chance:
        return Picture(by_chance(state, name, call.place, size=state.size))
    return Picture(filtered(state, name, call.place))


@function("skimage.filters.gaussian", "skimage.filters.unsharp_mask", "skimage.restoration.denoise_bilateral",
          "skimage.restoration.denoise_tv_chambolle", "skimage.restoration.denoise_nl_means",
          "skimage.restoration.denoise_wavelet", "skimage.exposure.equalize_hist",
          "skimage.exposure.equalize_adapthist", "skimage.util.random_noise")  # fmt: skip
def _to_fractions(call: Call) -> Value:
    """Functions of scikit-image that give fractions for whole levels, unless they are told to keep the range."""
    state, name, place = _given(call), call.name.rpartition(".")[2], call.place
    if state is None:
        return call.unknown("no picture")
    if state.dtype == "uint8" and call.kwargs.get("preserve_range") is not True:
        state = mapped(state, "divide", 255.0, place)
    state = replace(state, dtype=state.dtype if state.is_float else "float64")
    if name == "random_noise" or call.by_chance:
        return Picture(by_chance(state, "noise" if name == "random_noise" else name, place, size=state.size))
    state = filtered(state, name, place)
    return Picture(_curved(state, name, place) if name.startswith("equalize") else state)


def _curved(state: State, name: str, place: str) -> State:
    return losing(state, place, f"levels go through {name}", "affine")


@function(
    "cv2.equalizeHist", "cv2.illuminationChange", "cv2.threshold", "cv2.adaptiveThreshold",
    "PIL.ImageOps.autocontrast", "PIL.ImageOps.equalize", "PIL.ImageOps.posterize", "PIL.ImageOps.solarize",
    "PIL.ImageChops.add", "PIL.ImageChops.multiply", "PIL.ImageChops.screen",

    "skimage.exposure.adjust_gamma", "skimage.exposure.adjust_log", "skimage.exposure.adjust_sigmoid",
    "skimage.exposure.rescale_intensity", "skimage.exposure.match_histograms",
    "tensorflow.image.adjust_brightness", "tensorflow.image.adjust_contrast", "tensorflow.image.adjust_gamma",
    "tensorflow.image.adjust_hue", "tensorflow.image.adjust_saturation", "tensorflow.image.adjust_jpeg_quality",
    "torchvision.transforms.functional.adjust_brightness", "torchvision.transforms.functional.adjust_contrast",
    "torchvision.transforms.functional.adjust_gamma", "torchvision.transforms.functional.adjust_hue",
    "torchvision.transforms.functional.adjust_saturation", "torchvision.transforms.functional.autocontrast",
    "torchvision.transforms.functional.equalize", "torchvision.transforms.functional.posterize",
    "torchvision.transforms.functional.solarize",
)  # fmt: skip
def _curve(call: Call) -> Value:
    """What maps levels by the picture's own, by no straight line, or by those of another picture."""
    state, name = _given(call), call.name.rpartition(".")[2]
    if state is None:
        return call.unknown("no picture")
    if call.by_chance:
        return Picture(by_chance(state, name, call.place, size=state.size))
    found = Picture(_curved(state, name, call.place))
    # cv2.threshold says first which threshold it took.
    return Seq([call.unknown("the threshold"), found], "tuple") if name == "threshold" else found


@function("cv2.addWeighted", "PIL.Image.blend", "PIL.Image.composite")
def _blended(call: Call) -> Value:
    """Two pictures in shares: where these are one together, levels keep their range."""
    state, name, place = _given(call), call.name.rpartition(".")[2], call.place
    if state is None:
        return call.unknown("no picture")
    if call.by_chance:
        return Picture(by_chance(state, name, place, size=state.size))
    if name == "addWeighted":
        shares = call.get(1, "alpha"), call.get(3, "beta"), call.get(4, "gamma", 0)
        if not all(is_number(one) for one in shares) or (shares[0] + shares[1], shares[2]) != (1, 0):
            return Picture(_curved(state, name, place))
    return Picture(filtered(state, name, place))


@function("cv2.bitwise_not", "PIL.ImageOps.invert", "PIL.ImageChops.invert", "torchvision.transforms.functional.invert")
def _inverted(call: Call) -> Value:
    state = _given(call)
    if state is None:
        return call.unknown("no picture")
    white = 1.0 if state.kind == "tensor" and state.is_float else 255.0
    return Picture(mapped(mapped(state, "multiply", -1.0, call.place), "add", white, call.place))


@function("cv2.convertScaleAbs")
def _scaled(call: Call) -> Value:
    state, place = _given(call), call.place
    if state is None:
        return call.unknown("no picture")
    alpha, beta = (call.get(2, "alpha", 1.0), call.get(3, "beta", 0.0))
    if call.by_chance:
        return Picture(by_chance(state, "levels", place, size=state.size))
    return Picture(cast(mapped(mapped(state, "multiply", alpha, place), "add", beta, place), "uint8", place))


@function("cv2.bitwise_and", "cv2.bitwise_or", "cv2.inpaint", "cv2.seamlessClone", "cv2.UMat")
@function("cv2.rectangle", "cv2.putText", "cv2.circle", "cv2.line", "cv2.ellipse", "cv2.polylines", "cv2.fillPoly",
          "cv2.drawContours")  # fmt: skip
def _kept(call: Call) -> Value:
    """What changes some pixels of the picture it is given, or hides them."""
    state = _given(call)
    return Picture(moved(state, call.place)) if state is not None else call.unknown("no picture")


@methods("pil", "quantize", "effect_spread")
def _of_palette(call: Call) -> Value:
    return Picture(filtered(call.state, call.name, call.place))


@methods("pil", "point")
def _of_points(call: Call) -> Value:
    """A function or a table of levels: a function is asked what it does to all of them."""
    state, table, place = call.state, call.get(0, "lut"), call.place
    if isinstance(table, Unknown) and table.kind == "random":
        return Picture(by_chance(state, "levels", place, size=state.size))
    if isinstance(table, Func):
        found = call.machine.call(table, [Picture(replace(state, kind="array"))], {}, call.node)
        if isinstance(found, Picture):
            return Picture(replace(found.state, kind="pil", dtype=state.dtype))
    return Picture(losing(state, place, "levels go through a table", "affine"))
