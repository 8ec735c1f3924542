"""Where a result first differs, and what is the likeliest cause of it, before anything is run again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dataguard.reproduction.differences import Difference, Kind, shown
from dataguard.reproduction.reproducing import Reproduction
from dataguard.reproduction.verdict import StageVerdict, Verdict

_DECODERS = """
    pillow pillow-simd opencv-python opencv-python-headless opencv-contrib-python opencv-contrib-python-headless
    imageio tensorflow torchvision torchcodec simplejpeg pyturbojpeg scikit-image tifffile pyvips rawpy pillow-heif
    pydicom nvidia-dali nvimgcodec
"""
_RESIZERS = """
    numpy scipy albumentations kornia timm transformers keras torch imgaug
"""
_CALCULATORS = """
    torch torchvision timm transformers tensorflow keras jax jaxlib flax onnxruntime onnxruntime-gpu openvino numpy
    scipy scikit-learn xgboost lightgbm mkl intel-openmp safetensors triton tensorrt
"""
DECODERS = frozenset(_DECODERS.split())
"""Packages that turn files into pixels."""
RESIZERS = DECODERS | frozenset(_RESIZERS.split())
"""Packages that turn pixels into tensors."""
CALCULATORS = frozenset(_CALCULATORS.split())
"""Packages that turn tensors into outputs."""
_MOST = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspect:
    """Something that may have changed the result."""

    what: str
    """As 'pillow 8.4.0 → 13.0.0'."""
    why: str
    """Why it is suspected."""
    difference: Difference | None = None
    """Where it can be undone one by one."""


def stage_words(stage: StageVerdict, reproduction: Reproduction) -> str:
    """What kind of stage it is: 'decoding', 'preprocessing' or 'model'; its name says so, else its place."""
    name = stage.stage.lower()
    if any(word in name for word in ("decod", "pixel", "raw", "image", "loaded")):
        return "decoding"
    if any(word in name for word in ("pre", "input", "tensor", "resiz", "normal", "transform", "batch")):
        return "preprocessing"
    return "model" if stage.stage == reproduction.comparison.output else "preprocessing"


def moved_words(stage: StageVerdict) -> str:
    """By how much a stage moved, in words."""
    parts = []
    if stage.reason:
        parts.append(stage.reason)
    if stage.n_values and stage.n_values_different:
        parts.append(
            f"{stage.share_different:.0%} of values differ"
            if stage.share_different >= 0.005
            else f"{stage.n_values_different:,} of {stage.n_values:,} values differ"
        )
        e0 = f" ({stage.in_e0:.3g} e0)" if stage.tolerance.e0 else ""
        parts.append(f"by up to {shown(stage.largest)}{e0}")
    elif not stage.reason:
        parts.append(f"{stage.n_different} of {stage.n} samples differ")
    return ", ".join(parts)


def suspects(reproduction: Reproduction) -> tuple[Suspect, ...]:
    """What may have changed the result, the likeliest first.

    Weights and data are certain to matter where they changed; then the code; then the packages that the changed stage
    is made by, those first of which a change is known; then what only rounds otherwise, if the result moved by no more
    than rounding.
    """
    first = reproduction.comparison.first_different
    if first is None:
        return ()
    return tuple(list(_suspects(reproduction, first))[:_MOST])


def _suspects(reproduction: Reproduction, first: StageVerdict) -> Iterator[Suspect]:
    kind = stage_words(first, reproduction)
    for change in reproduction.data:
        if change.now:
            yield Suspect(what=f"input {change.path}", why="its content is another than was locked")
    if kind == "model":
        for change in reproduction.weights:
            yield Suspect(what=f"weights {change.path}", why="their SHA-256 is another than was locked")
    for change in reproduction.code:
        yield Suspect(what=f"code {change.path}", why="it is not as it was locked")
    makers = {"decoding": DECODERS, "preprocessing": RESIZERS, "model": CALCULATORS}[kind]
    packages = [item for item in reproduction.differences if item.kind in (Kind.PACKAGE, Kind.FILES) and item.used]
    ranked = sorted(packages, key=lambda item: (not item.known, item.name not in makers, item.name))
    for item in ranked:
        if item.known or item.name in makers:
            yield Suspect(what=str(item), why=item.known or f"the {kind} stage is made by it", difference=item)
    for item in reproduction.differences:
        if item.kind is Kind.LIBRARY and item.used and kind == "decoding":
            yield Suspect(what=str(item), why="it decodes or resizes", difference=item)
    rounding = first.verdict is Verdict.FLOAT_NOISE
    for item in reproduction.differences:
        if item.kind in (Kind.INSTRUCTIONS, Kind.THREADS, Kind.BATCH, Kind.GRAPHICS, Kind.DRIVER, Kind.PROCESSOR) and (
            rounding or kind == "model"
        ):
            yield Suspect(what=str(item), why="it changes the order in which numbers are added", difference=item)
        elif item.kind in (Kind.SETTING, Kind.VARIABLE) and kind == "model":
            yield Suspect(what=str(item), why="it is a setting of the arithmetic", difference=item)
    for item in ranked:
        if not item.known and item.name not in makers:
            yield Suspect(what=str(item), why="the run imports it", difference=item)


def explanation(reproduction: Reproduction) -> str:
    """One sentence: the likeliest cause, the stage, and by how much; '' where nothing differs.

    As 'pillow 8.4.0 → 13.0.0, decoding stage ('decoded'): 47 % of values differ, by up to 41'.
    """
    first = reproduction.comparison.first_changed or reproduction.comparison.first_different
    if first is None:
        return ""
    found = suspects(reproduction)
    cause = f"{found[0].what}, " if found else ""
    return f"{cause}{stage_words(first, reproduction)} stage ({first.stage!r}): {moved_words(first)}"
