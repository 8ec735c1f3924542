"""What words alone tell of preprocessing: the baseline of ``benchmarks/audit.py``, without syntax, imports or order.

It is told more than an audit is: which files hold a labelled pipeline. In their text each field is what its words say
most often, and what is usual where there is none; nothing is left undetermined but sizes and constants without numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOADERS: Mapping[str, str] = {
    "opencv": r"cv2\.(?:imread|imdecode|VideoCapture)",
    "pillow": r"Image\.open|ImageFolder|default_loader|load_img",
    "scikit-image": r"(?:skimage\.)?\bio\.imread|skimage\.io",
    "tensorflow": r"tf\.(?:io|image)\.(?:decode|read)\w*",
}
ENGINES: Mapping[str, str] = {
    "opencv": r"cv2\.resize",
    "torch": r"F\.interpolate|functional\.interpolate",
    "scikit-image": r"transform\.resize|\btransform\.rescale",
    "tensorflow": r"tf\.image\.resize\w*",
    "pillow": r"transforms\.(?:Resize|Scale|RandomResizedCrop)|\.resize\(|\bT\.Resize",
}
KERNELS: Mapping[str, str] = {
    "cubic": r"(?i)\bINTER_CUBIC|BICUBIC|['\"]bicubic",
    "linear": r"(?i)\bINTER_LINEAR|BILINEAR|['\"]bilinear",
    "area": r"INTER_AREA|['\"]area",
    "nearest": r"(?i)INTER_NEAREST|\.NEAREST|['\"]nearest",
    "lanczos": r"(?i)LANCZOS|ANTIALIAS",
}
USUAL = {"opencv": "linear", "pillow": "linear", "torch": "nearest", "scikit-image": "linear", "tensorflow": "linear"}
_SWAP = r"COLOR_BGR2RGB|COLOR_RGB2BGR|::\s*-1\]|\[2,\s*1,\s*0\]"
_NUMBERS = r"[\[(]\s*((?:[\d.]+(?:\s*/\s*255\.?0?)?\s*,?\s*)+)[\])]"
_MEAN = re.compile(rf"(?i)\b\w*mean\w*\s*=\s*(?:np\.array\()?{_NUMBERS}|Normalize\(\s*{_NUMBERS}")
_STD = re.compile(rf"(?i)\b\w*std\w*\s*=\s*(?:np\.array\()?{_NUMBERS}|Normalize\(\s*{_NUMBERS}\s*,\s*{_NUMBERS}")
_SIZE = re.compile(r"(?i)(?:resize|size)\w*[(=\s]*(?:\w+\s*,\s*)?[(\[]\s*(\d+)\s*,\s*(\d+)\s*[)\]]")
_SIDE = re.compile(r"(?i)(?:Resize|size|width)\w*\s*[(=,]+\s*(?:default\s*=\s*)?(\d{2,4})\b")
_CROP = re.compile(r"CenterCrop\(\s*(\d+)")


def by_words(root: Path, label: Mapping[str, Any], n_sizes: int) -> dict[str, Any]:
    """What the words in the files of a labelled pipeline say of each field; a field that is not there is undetermined.

    Args:
        root: The repository.
        label: The pipeline; of it only the names of its files are used.
        n_sizes: How many sizes a size is given for.
    """
    files = dict.fromkeys(step["file"] for step in label["steps"])
    text = "\n".join((root / file).read_text("utf-8", "replace") for file in files if (root / file).is_file())
    loader = _most(LOADERS, text) or "pillow"
    engine = _most(ENGINES, text)
    found: dict[str, Any] = {
        "loader": loader,
        "order": _order(loader, text),
        "resize": engine or "none",
        "interpolation": _most(KERNELS, text) or USUAL[engine or loader],
        "antialias": "scaled" if engine == "pillow" else "none",
        "crop": _crop(text),
        "pad": ("pad",) if re.search(r"(?i)\bpad\w*\(|letterbox|copyMakeBorder", text) else "none",
        "layout": "NHWC" if "keras" in text or "tensorflow" in text else "NCHW",
        "dtype": "float32",
        "exif": "applied" if loader == "opencv" or "exif_transpose" in text else "ignored",
        "role": _role(" ".join(files)),
    }
    size = _size(text)
    if size is not None:
        found["size"] = (size,) * n_sizes
    affine = _affine(text)
    if affine is not None:
        found["affine"] = affine
    return found


def _most(words: Mapping[str, str], text: str) -> str | None:
    counts = {name: len(re.findall(pattern, text)) for name, pattern in words.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else None


def _order(loader: str, text: str) -> str:
    if re.search(r"convert\(\s*['\"]L['\"]|IMREAD_GRAYSCALE|Grayscale\(", text):
        return "GRAY"
    return "BGR" if loader == "opencv" and not re.search(_SWAP, text) else "RGB"


def _crop(text: str) -> Any:
    if re.search(r"Random\w*Crop|random_crop", text):
        return "random"
    middle = _CROP.search(text)
    return (int(middle[1]),) if middle else "none"


def _size(text: str) -> tuple[int, int] | None:
    both = _SIZE.search(text)
    if both:
        return int(both[2]), int(both[1])
    side = _SIDE.search(text)
    return (int(side[1]), int(side[1])) if side else None


def _affine(text: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    mean, std = _MEAN.search(text), _STD.search(text)
    by_255 = bool(re.search(r"ToTensor|to_tensor|/=?\s*255|rescale\s*=|img_as_float", text))
    middle = _values(mean)
    spread = _values(std) or (1.0,) * len(middle)
    if not middle:
        if re.search(r"/\s*127\.5|127\.5", text):
            return (1 / 127.5,), (-1.0,)
        return ((1 / 255,), (0.0,)) if by_255 else None
    if len(middle) != len(spread) or 0.0 in spread:
        return None
    factor = 255.0 if max(middle) <= 1.0 else 1.0
    return tuple(1 / (factor * one) for one in spread), tuple(-m / s for m, s in zip(middle, spread, strict=True))


def _values(match: re.Match[str] | None) -> tuple[float, ...]:
    if match is None:
        return ()
    inner = next((group for group in reversed(match.groups()) if group), "")
    found = []
    for word in filter(None, re.split(r"[,\s]+", re.sub(r"\s*/\s*", "/", inner))):
        number, _, by = word.partition("/")
        try:
            found.append(float(number) / (float(by) if by else 1.0))
        except ValueError:
            return ()
    return tuple(found)


def _role(files: str) -> str:
    for word, role in (("train", "train"), ("test", "eval"), ("val", "val"), ("eval", "eval"), ("demo", "serve")):
        if word in files:
            return role
    return "train" if "data" in files else "serve"
