"""Pairs of versions that cannot be installed, or cannot be run, together; the well-known ones, each with its source.

What is said of metadata was looked up in those of the wheels by a resolver, for the release that an entry begins or
ends with. What is said of NumPy 2 was tried: the release before the one that is named does not import under NumPy
2.0.2, and the named one does; of torch the source says it.

Only what a project's own lines say is held against the table. Where a line leaves the version open, the newest is what
an installer takes: it counts for pairs that installers know nothing of, and not for those that they would step around.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from dataguard.environment.requirement import Requirement

_TORCHVISION = "https://github.com/pytorch/pytorch/wiki/PyTorch-Versions"
_TORCHAUDIO = "https://docs.pytorch.org/audio/main/installation.html#compatibility-matrix"
_TORCHTEXT = "https://github.com/pytorch/text#installation"
_NUMPY_2 = "https://github.com/numpy/numpy/issues/26191"


@dataclass(frozen=True, kw_only=True, slots=True)
class Clash:
    """Versions of one distribution that do not go with versions of another."""

    name: str
    versions: str
    """PEP 440; '' for every version."""
    other: str
    other_versions: str
    reason: str
    """Why, in words."""
    source: str
    """Where that is written."""
    enforced: bool
    """Their metadata say so: an installer refuses the pair. Otherwise it installs, and fails or misbehaves."""


def _matrix(name: str, source: str, rows: Mapping[str, str]) -> Iterator[Clash]:
    """One entry for each release that demands one release of torch."""
    for version, torch in rows.items():
        yield Clash(
            name=name,
            versions=f"=={version}.*",
            other="torch",
            other_versions=f"!={torch}.*",
            reason=f"{name} {version} is built for torch {torch}",
            source=source,
            enforced=True,
        )


def _numpy_2(name: str, before: str, *, enforced: bool = False) -> Clash:
    return Clash(
        name=name,
        versions=f"<{before}",
        other="numpy",
        other_versions=">=2",
        reason=f"{name} before {before} is compiled for NumPy 1",
        source=_NUMPY_2,
        enforced=enforced,
    )


def _h5py_3(versions: str, *, enforced: bool) -> Clash:
    return Clash(
        name="tensorflow",
        versions=versions,
        other="h5py",
        other_versions=">=3",
        reason="loading weights with TensorFlow before 2.4 fails with h5py 3 ('str' object has no attribute 'decode')",
        source="https://github.com/matterport/Mask_RCNN/issues/2594",
        enforced=enforced,
    )


def _protobuf_4(versions: str, *, enforced: bool) -> Clash:
    return Clash(
        name="tensorflow",
        versions=versions,
        other="protobuf",
        other_versions=">=4",
        reason="TensorFlow before 2.12 carries code that protobuf 4 refuses (Descriptors cannot be created directly)",
        source="https://github.com/tensorflow/tensorflow/issues/56266",
        enforced=enforced,
    )


CLASHES: tuple[Clash, ...] = (
    *_matrix(
        "torchvision",
        _TORCHVISION,
        {
            "0.24": "2.9", "0.23": "2.8", "0.22": "2.7", "0.21": "2.6", "0.20": "2.5", "0.19": "2.4", "0.18": "2.3",
            "0.17": "2.2", "0.16": "2.1", "0.15": "2.0", "0.14": "1.13", "0.13": "1.12", "0.12": "1.11", "0.11": "1.10",
            "0.10": "1.9", "0.9": "1.8", "0.8": "1.7", "0.7": "1.6", "0.6": "1.5", "0.5": "1.4", "0.4.2": "1.3.1",
            "0.4.1": "1.3.0", "0.4.0": "1.2",
        },
    ),
    *_matrix(
        "torchaudio",
        _TORCHAUDIO,
        {
            "2.8": "2.8", "2.7": "2.7", "2.6": "2.6", "2.5": "2.5", "2.4": "2.4", "2.3": "2.3", "2.2": "2.2",
            "2.1": "2.1", "2.0": "2.0", "0.13": "1.13", "0.12": "1.12", "0.11": "1.11", "0.10": "1.10", "0.9": "1.9",
            "0.8": "1.8", "0.7": "1.7", "0.6": "1.6", "0.5": "1.5", "0.4": "1.4",
        },
    ),
    *_matrix(
        "torchtext",
        _TORCHTEXT,
        {
            "0.17": "2.2", "0.16": "2.1", "0.15": "2.0", "0.14": "1.13", "0.13": "1.12", "0.12": "1.11", "0.11": "1.10",
            "0.10": "1.9", "0.9": "1.8",
        },
    ),
    _numpy_2("torch", "2.3"),
    _numpy_2("pandas", "2.2.2"),
    _numpy_2("scipy", "1.13", enforced=True),
    _numpy_2("scikit-learn", "1.4.2"),
    _numpy_2("scikit-image", "0.23"),
    _numpy_2("matplotlib", "3.8.4"),
    _numpy_2("opencv-python", "4.10"),
    _numpy_2("opencv-python-headless", "4.10"),
    _numpy_2("opencv-contrib-python", "4.10"),
    _numpy_2("numba", "0.60", enforced=True),
    _numpy_2("onnxruntime", "1.19"),
    _numpy_2("tensorflow", "2.18", enforced=True),
    Clash(
        name="tensorflow", versions=">=2.16", other="keras", other_versions="<3",
        reason="TensorFlow 2.16 and later require Keras 3", enforced=True,
        source="https://github.com/tensorflow/tensorflow/releases/tag/v2.16.1",
    ),
    Clash(
        name="tensorflow", versions=">=2.6,<2.16", other="keras", other_versions=">=3",
        reason="TensorFlow before 2.16 requires the Keras 2 of its own number", enforced=True,
        source="https://github.com/tensorflow/tensorflow/releases/tag/v2.16.1",
    ),
    Clash(
        name="tensorflow", versions=">=2.3", other="keras", other_versions="<2.4",
        reason="Keras before 2.4 uses internals that TensorFlow 2.3 no longer has", enforced=False,
        source="https://github.com/tensorflow/tensorflow/issues/38589",
    ),
    # These were out before protobuf 4 was; the releases after them demand an older one.
    *(_protobuf_4(versions, enforced=False) for versions in ("<2.6", "==2.7.0", "==2.8.0", "==2.9.0")),
    _protobuf_4("<2.12", enforced=True),
    _h5py_3("<2.2", enforced=False),
    _h5py_3(">=2.2,<2.4", enforced=True),
    Clash(
        name="torchvision", versions="<0.5", other="pillow", other_versions=">=7",
        reason="torchvision before 0.5 imports PILLOW_VERSION, which Pillow 7 removed",
        source="https://github.com/pytorch/vision/issues/1712", enforced=False,
    ),
    Clash(
        name="basicsr", versions="<=1.4.2", other="torchvision", other_versions=">=0.17",
        reason="basicsr up to 1.4.2, its last, imports torchvision.transforms.functional_tensor, which 0.17 removed",
        source="https://github.com/XPixelGroup/BasicSR/issues/663", enforced=False,
    ),
    Clash(
        name="imgaug", versions="<=0.4.0", other="numpy", other_versions=">=1.24",
        reason="imgaug 0.4.0, its last, uses np.bool, which NumPy 1.24 removed",
        source="https://github.com/aleju/imgaug/issues/829", enforced=False,
    ),
    Clash(
        name="librosa", versions="<0.10", other="numpy", other_versions=">=1.24",
        reason="librosa before 0.10 uses np.complex, which NumPy 1.24 removed",
        source="https://github.com/librosa/librosa/issues/1917", enforced=False,
    ),
)  # fmt: skip
"""The pairs that are known."""

_SAME = {
    "tensorflow-cpu": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "tensorflow-macos": "tensorflow",
    "tensorflow-intel": "tensorflow",
    "pytorch": "torch",
}
LAST = {"basicsr": "1.4.2", "imgaug": "0.4.0"}
"""Projects that have ended, with their last release: what an open range gets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Two lines that do not go together."""

    clash: Clash
    first: Requirement
    second: Requirement
    certain: bool
    """Every version that the two lines allow is in the table; otherwise only the newest is."""


def find_clashes(requirements: tuple[Requirement, ...]) -> Iterator[Found]:
    """The lines of one installation that do not go together.

    >>> torch = Requirement(name="torch", written="torch==1.13.1", path="r.txt", line=1, specifier="==1.13.1")
    >>> vision = Requirement(name="torchvision", written="", path="r.txt", line=2, specifier="==0.4.0")
    >>> [found.clash.reason for found in find_clashes((torch, vision))]
    ['torchvision 0.4.0 is built for torch 1.2']

    Args:
        requirements: What is installed together.
    """
    by_name: dict[str, list[Requirement]] = {}
    for item in requirements:
        by_name.setdefault(_SAME.get(item.name, item.name), []).append(item)
    for clash in CLASHES:
        for first in by_name.get(clash.name, ()):
            for second in by_name.get(clash.other, ()):
                if first.marker and second.marker and first.marker != second.marker:
                    continue
                certain = _within(first, clash.versions) and _within(second, clash.other_versions)
                if certain or (
                    not clash.enforced
                    and _gets(first, clash.name, clash.versions)
                    and _gets(second, clash.other, clash.other_versions)
                ):
                    yield Found(clash=clash, first=first, second=second, certain=certain)


def disjoint(first: Requirement, second: Requirement) -> bool:
    """Whether no version fits two lines about the same distribution.

    >>> old = Requirement(name="numpy", written="", path="r.txt", line=1, specifier="==1.20")
    >>> new = Requirement(name="numpy", written="", path="r.txt", line=2, specifier=">=1.21")
    >>> disjoint(old, new), disjoint(new, new)
    (True, False)
    """
    for one, other in ((first, second), (second, first)):
        if one.version is not None:
            return not other.allows(one.version)
    low, high = _bounds(f"{first.specifier},{second.specifier}".strip(","))
    return low is not None and high is not None and low > high


def _gets(item: Requirement, name: str, versions: str) -> bool:
    """Whether a line gets one of these versions: it allows no other, or the newest that it allows is one."""
    if _within(item, versions):
        return True
    if item.url is not None:
        return False
    last = LAST.get(name)
    if last is not None:
        return item.allows(last) and _contains(versions, last)
    _, high = _bounds(item.specifier)
    _, wanted_high = _bounds(versions)
    return high is None and wanted_high is None and "!=" not in versions


def _within(item: Requirement, versions: str) -> bool:
    """Whether every version that a line allows is one of these."""
    if item.version is not None:
        return _contains(versions, item.version)
    if item.url is not None or not item.specifier:
        return False
    prefix = re.fullmatch(r"==(\d+(?:\.\d+)*)\.\*", item.specifier)
    if prefix is not None:
        # The first and a late version of the series stand for all of it.
        return _contains(versions, prefix[1]) and _contains(versions, f"{prefix[1]}.999")
    if "!=" in versions or ".*" in versions:
        return False
    low, high = _bounds(item.specifier)
    wanted_low, wanted_high = _bounds(versions)
    if wanted_low is not None and (low is None or low < wanted_low):
        return False
    if wanted_high is None or (high is not None and high < wanted_high):
        return True
    open_end = f"<{high}" in item.specifier.split(",")
    return high is not None and high == wanted_high and (open_end or _contains(versions, str(high)))


@cache
def _bounds(specifier: str) -> tuple[Version | None, Version | None]:
    """The least and the greatest version that a specifier names, None where there is no bound."""
    low: Version | None = None
    high: Version | None = None
    try:
        parts = list(SpecifierSet(specifier))
    except InvalidSpecifier:
        return None, None
    for part in parts:
        try:
            version = Version(part.version.removesuffix(".*"))
        except InvalidVersion:
            continue
        if part.operator in (">=", ">", "~=", "==", "==="):
            low = version if low is None else max(low, version)
        if part.operator in ("<=", "<", "==", "==="):
            high = version if high is None else min(high, version)
        if part.operator == "~=" or (part.operator == "==" and part.version.endswith(".*")):
            release = list(version.release if part.operator == "==" else version.release[:-1])
            release[-1] += 1
            end = Version(".".join(map(str, release)))
            high = end if high is None or part.operator == "==" else min(high, end)
    return low, high


def _contains(versions: str, version: str) -> bool:
    try:
        return SpecifierSet(versions).contains(Version(version), prereleases=True)
    except (InvalidVersion, InvalidSpecifier):
        return False
