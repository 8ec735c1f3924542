"""Where a library's pixels changed from one version to another, or differ from what one expects of it.

Data for whoever compares two environments or two preprocessing paths. Every entry names its source; effects in levels
of 0 to 255 are measured on generated photographs where nothing else is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(
    r"\s*v?(?:(\d{1,9})!)?(\d{1,9}(?:\.\d{1,9}){0,19})[-_.]?(?:(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d{0,9}))?"
    r"(?:[-_.]?(post|rev|r)[-_.]?(\d{0,9}))?(?:[-_.]?dev[-_.]?(\d{0,9}))?(?:\+.*)?\s*\Z",
    re.IGNORECASE,
)
_PHASES = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}
_OPERATORS = re.compile(r"\s*(<=|>=|==|<|>)\s*([^\s,]+)\s*\Z")
_FINAL = 3

VersionKey = tuple[int, tuple[int, ...], tuple[int, ...]]


def version_key(version: str) -> VersionKey:
    """A key by which versions sort as PEP 440 orders them; the local part, as '+cpu', does not count.

    Raises:
        ValueError: it is no version.

    >>> version_key("0.9") < version_key("0.10rc1") < version_key("0.10.0+cpu") == version_key("0.10")
    True
    """
    match = _VERSION.match(version)
    if match is None:
        raise ValueError(f"not a version: {version!r}")
    epoch, release, phase, number, post, post_number, dev = match.groups()
    parts = [int(part) for part in release.split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    is_dev = dev is not None
    if phase is None and post is None and is_dev:
        rank: tuple[int, ...] = (-1, 0)
    elif phase is not None:
        rank = (_PHASES[phase.lower()], int(number or 0))
    else:
        rank = (_FINAL, 0)
    after = int(post_number or 0) + 1 if post is not None else 0
    # A development version comes before what it develops to.
    return int(epoch or 0), tuple(parts), (*rank, after, int(dev or 0) if is_dev else 1 << 30)


def matches(version: str, specifier: str) -> bool:
    """Whether a version is in a range, as '>=0.10, <0.17'; an empty one has no version in it.

    Raises:
        ValueError: not a version, or not a range.

    >>> matches("0.15.2+cu118", ">=0.10,<0.17")
    True
    """
    if not specifier.strip():
        return False
    key = version_key(version)
    for part in specifier.split(","):
        found = _OPERATORS.match(part)
        if found is None:
            raise ValueError(f"not a range of versions: {specifier!r}")
        limit = version_key(found[2])
        holds = {"<": key < limit, "<=": key <= limit, ">": key > limit, ">=": key >= limit, "==": key == limit}
        if not holds[found[1]]:
            return False
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class BehaviourChange:
    """One thing that a library does in one way in some versions, and in another in others."""

    library: str
    """As the package index spells it, in lower case: 'pillow', 'opencv-python'."""
    what: str
    """What it is about."""
    before_versions: str
    """A range: '<9.0'."""
    before: str
    """What those versions do."""
    after_versions: str = ""
    """A range; '' where no version does otherwise: then it is merely not what one expects."""
    after: str = ""
    effect: str = ""
    """How much it moves pixels, where that is known."""
    largest_levels: float | None = None
    """The largest difference of a level that was seen."""
    source: str
    """Where this is said, or how it was measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Behaviour:
    """What a version of a library does."""

    what: str
    does: str
    change: BehaviourChange


CHANGES: tuple[BehaviourChange, ...] = (
    BehaviourChange(
        library="pillow",
        what="the decoder of JPEG in wheels for Linux and macOS",
        before_versions="<9.0",
        before="libjpeg 9",
        after_versions=">=9.0",
        after="libjpeg-turbo",
        effect="at most 41 levels on files with 4:2:0 chroma",
        largest_levels=41,
        source="https://pillow.readthedocs.io/en/stable/releasenotes/9.0.0.html",
    ),
    BehaviourChange(
        library="pillow",
        what="the default kernel of Image.resize",
        before_versions="<7.0",
        before="NEAREST",
        after_versions=">=7.0",
        after="BICUBIC",
        source="https://pillow.readthedocs.io/en/stable/releasenotes/7.0.0.html",
    ),
    BehaviourChange(
        library="pillow",
        what="Image.thumbnail",
        before_versions="<7.0",
        before="one resize",
        after_versions=">=7.0",
        after="two: reduced by a whole factor first (reducing_gap=2.0), JPEG while it is decoded",
        source="https://pillow.readthedocs.io/en/stable/releasenotes/7.0.0.html",
    ),
    BehaviourChange(
        library="pillow",
        what="Image.resize by BILINEAR and BICUBIC when shrinking",
        before_versions="<2.7",
        before="a fixed number of source pixels, so that it aliases",
        after_versions=">=2.7",
        after="kernels as wide as the scale",
        source="https://pillow.readthedocs.io/en/stable/releasenotes/2.7.0.html",
    ),
    BehaviourChange(
        library="torchvision",
        what="antialias of Resize on tensors",
        before_versions="<0.17",
        before="off unless asked for (no such option before 0.10)",
        after_versions=">=0.17",
        after="on",
        effect="as between the two kernels; ResNet-18 on ImageNet 68.93 to 69.75 % with it",
        source="https://github.com/pytorch/vision/releases/tag/v0.17.0",
    ),
    BehaviourChange(
        library="torchvision",
        what="Resize by LANCZOS on tensors",
        before_versions="<0.27",
        before="refused; transformers takes BICUBIC instead",
        after_versions=">=0.27",
        after="LANCZOS on the CPU",
        source="transformers 5.23, image_processing_backends.py (TorchvisionBackend.resize)",
    ),
    BehaviourChange(
        library="scikit-image",
        what="anti_aliasing of transform.resize and rescale",
        before_versions="<0.15",
        before="off unless asked for",
        after_versions=">=0.15",
        after="on",
        source="https://github.com/scikit-image/scikit-image/blob/main/doc/source/release_notes/release_0.15.rst",
    ),
    BehaviourChange(
        library="scikit-image",
        what="the default border of transform.resize and rescale",
        before_versions="<0.15",
        before="constant",
        after_versions=">=0.15",
        after="reflect",
        source="https://github.com/scikit-image/scikit-image/blob/main/doc/source/release_notes/release_0.15.rst",
    ),
    BehaviourChange(
        library="opencv-python",
        what="resize by INTER_NEAREST_EXACT",
        before_versions="<5.0",
        before="the source pixel that 4.x takes",
        after_versions=">=5.0",
        after="another one, for some sizes",
        effect="at most 81 levels on a photograph, 255 on noise",
        largest_levels=255,
        source="measured: wheels of 4.12.0, 4.13.0 and 4.14.0 against 5.0.0 on the same pictures",
    ),
    BehaviourChange(
        library="opencv-python",
        what="resize of 8-bit pictures by INTER_CUBIC",
        before_versions="<=4.12.0.88",
        before="rounding of 4.12",
        after_versions=">=4.13",
        after="rounding of 4.13",
        effect="1 level, on 2 pixels of 100,000",
        largest_levels=1,
        source="measured: wheels of 4.12.0 and 4.13.0 on the same pictures",
    ),
    BehaviourChange(
        library="transformers",
        what="which implementation AutoImageProcessor takes for a processor that was saved as a slow one",
        before_versions="<5.0",
        before="the one on Pillow, except for Qwen2-VL in the last 4.x",
        after_versions=">=5.0",
        after="the one on torchvision, where that is installed",
        effect="equal levels for bilinear and bicubic, other kernels differ; see the kernel that is configured",
        source="https://github.com/huggingface/transformers/pull/39591; image_processing_auto.py of 4.57.0 and 5.0.0",
    ),
    BehaviourChange(
        library="transformers",
        what="transparency where do_convert_rgb is set",
        before_versions="<=5.10.0",
        before="dropped",
        after_versions=">=5.23",
        after="put on white",
        effect="the colour below transparent pixels, up to 255 levels",
        largest_levels=255,
        source="image_transforms.py (convert_to_rgb) of 5.10.0 and 5.23.0",
    ),
    BehaviourChange(
        library="timm",
        what="the kernel for evaluation at sizes that are not square",
        before_versions="<1.0.31",
        before="bilinear, whatever is configured",
        after_versions=">=1.0.31",
        after="as configured",
        effect="at most 20 levels on a photograph at 224 × 288",
        largest_levels=20.5,
        source="data/transforms_factory.py (transforms_imagenet_eval) of 1.0.30 and 1.0.31",
    ),
    BehaviourChange(
        library="timm",
        what="the default kernel",
        before_versions=">=0.4",
        before="bicubic in resolve_data_config, bilinear in create_transform called without it",
        source="timm 1.0.31, data/config.py and data/transforms_factory.py",
    ),
    BehaviourChange(
        library="albumentations",
        what="the default border of PadIfNeeded",
        before_versions="<2.0",
        before="BORDER_REFLECT_101",
        after_versions=">=2.0",
        after="BORDER_CONSTANT",
        source="augmentations/geometric of 1.4.24 and 2.0.8",
    ),
    BehaviourChange(
        library="albumentations",
        what="the size of RandomResizedCrop",
        before_versions="<2.0",
        before="height and width; in the last 1.x size too",
        after_versions=">=2.0",
        after="size alone",
        source="augmentations/crops/transforms.py of 1.4.24, which takes both, and 2.0.8",
    ),
    BehaviourChange(
        library="keras",
        what="the default kernel",
        before_versions=">=2.0",
        before="nearest in load_img and flow_from_directory, bilinear in image_dataset_from_directory",
        source="keras/src/utils/image_utils.py and image_dataset_utils.py",
    ),
)
"""In the order of the libraries' importance to pixels; one entry a fact."""

_ALIASES = {
    "pil": "pillow",
    "cv2": "opencv-python",
    "opencv": "opencv-python",
    "opencv-python-headless": "opencv-python",
    "opencv-contrib-python": "opencv-python",
    "opencv-contrib-python-headless": "opencv-python",
    "skimage": "scikit-image",
}


def canonical(library: str) -> str:
    """The name that `CHANGES` uses for a library.

    >>> canonical("opencv_python_headless")
    'opencv-python'
    """
    name = re.sub(r"[-_.]+", "-", library.strip().lower())
    return _ALIASES.get(name, name)


def behaviour_at(library: str, version: str) -> tuple[Behaviour, ...]:
    """What a version of a library does, of what is in `CHANGES`; nothing for a library without an entry.

    Raises:
        ValueError: it is no version.

    >>> [one.does for one in behaviour_at("torchvision", "0.16.2+cpu")][0]
    'off unless asked for (no such option before 0.10)'
    """
    found = []
    for change in CHANGES:
        if change.library != canonical(library):
            continue
        if matches(version, change.before_versions):
            found.append(Behaviour(what=change.what, does=change.before, change=change))
        elif matches(version, change.after_versions):
            found.append(Behaviour(what=change.what, does=change.after, change=change))
    return tuple(found)


def changes_between(library: str, old: str, new: str) -> tuple[BehaviourChange, ...]:
    """What changes from one version to another, upward or downward.

    A change whose versions are not known exactly, as 'by 5.23 at the latest', counts where the two lie on its sides.

    Raises:
        ValueError: one is no version.

    >>> [change.what for change in changes_between("pillow", "8.4.0", "11.0.0")]
    ['the decoder of JPEG in wheels for Linux and macOS']
    """
    older, newer = sorted((old, new), key=version_key)
    return tuple(
        change
        for change in CHANGES
        if change.library == canonical(library)
        and matches(older, change.before_versions)
        and matches(newer, change.after_versions)
    )
