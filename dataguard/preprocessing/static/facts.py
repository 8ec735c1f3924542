"""What single places in the code do wrong, told from the paths that go through them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dataguard.core.syntax import nodes
from dataguard.preprocessing.readers import open_clip
from dataguard.preprocessing.readers.torchvision import IMAGENET_MEAN
from dataguard.preprocessing.static.machine import Sink
from dataguard.preprocessing.static.picture import State
from dataguard.preprocessing.static.reading import CodeFact
from dataguard.preprocessing.static.tree import Module
from dataguard.preprocessing.steps import Random

MEANS: Mapping[str, tuple[float, float, float]] = {
    "ImageNet": IMAGENET_MEAN,
    "CLIP": open_clip.MEAN,
    "COCO": (0.47026115, 0.44719302, 0.40789654),
}
"""Published means of red, green and blue, of levels divided by 255; Caffe's 123.68, 116.779, 103.939 are ImageNet's."""

NEAR = 0.006
"""Farther than any way in which these are rounded (104/255 = 0.408 for 0.406), nearer than any two of them are."""

REMOVED: Mapping[str, tuple[str, str, str]] = {
    "Image.ANTIALIAS": ("pillow", "10.0.0", "Image.LANCZOS"),
    "misc.imread": ("scipy", "1.2.0", "imageio.imread"),
    "misc.imsave": ("scipy", "1.2.0", "imageio.imwrite"),
    "misc.imresize": ("scipy", "1.3.0", "PIL.Image.Image.resize"),
    "transforms.Scale": ("torchvision", "0.12", "transforms.Resize"),
    "transforms.RandomSizedCrop": ("torchvision", "0.12", "transforms.RandomResizedCrop"),
}
"""API, the library and version that removed it, and what stands in for it (Pillow 10.0.0, SciPy 1.2.0 and 1.3.0,
torchvision 0.12 release notes)."""


def of_state(state: State, role: str) -> Iterator[CodeFact]:
    """What is wrong with one path."""
    for kind, place in state.notes:
        if kind == "bgr-as-rgb":
            yield _fact(
                "bgr-used-as-rgb",
                place,
                "a picture of OpenCV, whose channels are blue, green, red, is taken for red, green, blue",
                loaded=state.loaded,
            )
    yield from _constants(state)
    yield from _divided_twice(state)
    if role in ("serve", "eval"):
        for step in state.steps:
            said = step.origin_of("")
            if isinstance(step, Random) and step.name == "noise":
                continue  # what a model that takes it away is shown with
            if isinstance(step, Random) and said is not None and said.path is not None:
                yield _fact(
                    "augmentation-in-serving",
                    f"{said.path}:{said.line}",
                    f"{step.name}, which chance decides, is part of a path that is no training",
                    step=step.name,
                    role=role,
                )


def _constants(state: State) -> Iterator[CodeFact]:
    """Means in the wrong order or the wrong range."""
    said = state.said.get("affine.offset")
    if said is None or said.path is None or state.channels is None:
        return
    if state.decode.library is None and "affine" in state.lost:
        return  # Of levels that a caller gives, and changes in a way that is up to the caller.
    place = f"{said.path}:{said.line}"
    scale, floating = 1.0, True
    for operation, values in state.written:
        if operation == "divide":
            scale /= values[0]
        elif operation == "multiply":
            scale *= values[0]
        if operation != "subtract" or not floating:
            continue
        floating = False
        mean = values
        largest = 255.0 * abs(scale)
        if max(mean) > 2 and largest <= 2.0:
            yield _fact(
                "mean-std-in-wrong-range", place, "a mean of levels of 0 to 255 is subtracted from levels of 0 to 1",
                mean=_shown(mean), largest=largest,
            )  # fmt: skip
        elif 0.05 < max(mean) <= 1.0 and largest > 100 and len(mean) == 3:
            yield _fact(
                "mean-std-in-wrong-range", place, "a mean of levels of 0 to 1 is subtracted from levels of 0 to 255",
                mean=_shown(mean), largest=largest,
            )  # fmt: skip
        elif largest > 0:
            yield from _exchanged(state.channels, mean, 1.0 if largest <= 2 else largest, place)
    apart = sum(operation == "subtract" for operation, _ in state.written) != 1
    if apart and state.scale is not None and state.offset is not None and 0.0 not in state.scale:
        # Each channel by itself: what was subtracted is told from what all come to.
        factors = state.scale * 3 if len(state.scale) == 1 else state.scale
        if len(factors) == len(state.offset):
            mean = tuple(-offset / factor for offset, factor in zip(state.offset, factors, strict=True))
            yield from _exchanged(state.channels, mean, 255.0, place)


def _exchanged(channels: Sequence[str], mean: Sequence[float], largest: float, place: str) -> Iterator[CodeFact]:
    """A published mean, of levels up to the largest, whose red is subtracted from blue."""
    if len(mean) != 3 or set(channels) != {"R", "G", "B"}:
        return
    named = {name: value / largest for name, value in zip(channels, mean, strict=True)}
    colours = (named["R"], named["G"], named["B"])
    for name, known in MEANS.items():
        if _near(colours, known[::-1]) and not _near(colours, known):
            yield _fact(
                "mean-std-in-wrong-channel-order", place, f"{name}'s mean is subtracted with red and blue exchanged",
                mean=_shown(mean), order="".join(channels), constants=name,
            )  # fmt: skip
            break


def _divided_twice(state: State) -> Iterator[CodeFact]:
    """Levels that are divided by 255 when they are of 0 to 1 already, or normalized."""
    said = state.said.get("affine.scale")
    last = next((one for one in reversed(state.written) if one[0] in ("divide", "multiply")), None)
    if said is None or said.path is None or last is None or "affine" in state.lost or state.scale is None:
        return
    factor = last[1][0] if last[0] == "divide" else 1 / last[1][0]
    before = max(abs(one) for one in state.scale) * factor * 255.0
    if len(last[1]) == 1 and factor in (255.0, 256.0) and before <= _NORMALIZED:
        yield _fact(
            "mean-std-in-wrong-range", f"{said.path}:{said.line}",
            f"values that span {before:.2g} are divided by {factor:g}, as levels of 0 to 255 are",
            largest=before,
        )  # fmt: skip


_NORMALIZED = 8.0
"""More than any values span that were divided by 255 and normalized: 4.5 with ImageNet's deviations."""


def _near(found: Sequence[float], known: Sequence[float]) -> bool:
    return all(abs(a - b) <= NEAR for a, b in zip(found, known, strict=True))


def _shown(values: Sequence[float]) -> str:
    return ", ".join(f"{one:g}" for one in values)


def missing_eval(sink: Sink, state: State, role: str, evaluated: bool) -> CodeFact | None:
    """A tensor that reaches a model in a script that never puts it into evaluation."""
    if evaluated or role not in ("serve", "eval") or sink.kind != "model" or state.kind != "tensor":
        return None
    return _fact(
        "missing-eval-mode",
        sink.place,
        "the model is fed without eval() before: dropout and batch statistics stay on",
        root=sink.root,
    )


def lossy(state: State, place: str) -> CodeFact:
    """A picture that was changed and is written as JPEG, to be read again."""
    return _fact(
        "lossy-offline-step",
        place,
        "a picture that was changed is written as JPEG and decoded again later",
        loaded=state.loaded,
    )


def removed_apis(
    modules: Iterable[tuple[Module, bytes]], versions: Mapping[str, tuple[int, ...]]
) -> Iterator[CodeFact]:
    """Uses of what newer libraries have not, unless the repository means an older one."""
    for module, data in modules:
        if not _may_name_removed(data) or module.source is None:
            continue
        imported = _imported(module.source.tree)
        for node in nodes(module.source.tree):
            if not isinstance(node, ast.Attribute | ast.Name):
                continue
            name = _dotted(node, imported)
            for api, (library, version, instead) in REMOVED.items():
                if name is None or not (name == api or name.endswith("." + api)):
                    continue
                if api.startswith("misc.") and not name.startswith("scipy."):
                    continue
                if api.startswith("transforms.") and not name.startswith("torchvision."):
                    continue
                held = versions.get(library)
                if held is not None and held < tuple(int(one) for one in version.split(".")):
                    continue
                line = module.line(node.lineno)
                yield _fact(
                    "removed-api", f"{module.path}:{line}", f"{api} was removed in {library} {version}",
                    api=api, library=library, removed=version, instead=instead,
                )  # fmt: skip


def _may_name_removed(data: bytes) -> bool:
    """Whether a file may use one of `REMOVED`: no name of it is reached without these words."""
    if any(word in data for word in (b"ANTIALIAS", b"imresize", b"transforms.Scale", b"RandomSizedCrop")):
        return True
    return b"misc" in data and (b"imread" in data or b"imsave" in data)


def _imported(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                found[one.asname or one.name.split(".")[0]] = one.name if one.asname else one.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for one in node.names:
                found[one.asname or one.name] = f"{node.module}.{one.name}"
    return found


def _dotted(node: ast.AST, imported: Mapping[str, str]) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in imported:
        return None
    return ".".join([imported[node.id], *reversed(parts)])


def _fact(kind: Any, place: str, message: str, **detail: str | float) -> CodeFact:
    file, _, line = place.rpartition(":")
    number = int(line) if line.isdigit() else 1
    return CodeFact(kind=kind, file=file, line=number, end_line=number, message=message, detail=detail)
