"""Which network a path feeds, as far as the code names it: a class of the repository, or a file of weights.

Two paths whose networks are known and have nothing in common are of two models, and say nothing about each other: a
detector's preprocessing is no training of the recognizer that comes after it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

from dataguard.core.syntax import nodes
from dataguard.preprocessing.static.feeding import is_model
from dataguard.preprocessing.static.values import Bound, Cls, ExtObj, Obj, Seq, Unknown, Value

_COMMON = frozenset(
    {
        "net",
        "model",
        "network",
        "cnn",
        "mymodel",
        "mynet",
        "basemodel",
        "classifier",
        "generator",
        "encoder",
        "sequential",
    }
)
"""Names that networks of all kinds have."""
_OF_DETECTORS = "torchvision.models.detection"
_FINISHED = frozenset({_OF_DETECTORS, "dlib", "face_recognition", "insightface.app"})
"""Packages whose networks are none that a repository writes, whatever it calls its own."""
_DETECTORS = re.compile(rf"what {re.escape(_OF_DETECTORS)}\.(?:\w+\.)?(\w+) returns$")
"""Networks that normalize by themselves: what else a repository trains is another, though its class is not known."""
_ELSEWHERE = re.compile(r"what cv2\.dnn\.(readNetFrom(?:Caffe|Darknet)) returns$")
"""Networks of frameworks of which the repository's other models are none."""
_PUBLISHED = re.compile(r"what (clip|open_clip)\.[\w.]+ returns for (\S+)$")
"""Networks by their published names, each of which comes with what prepares pictures for it."""
_WEIGHTS = re.compile(
    r"\.(h5|hdf5|keras|pth?|pth\.tar|ckpt|onnx|pb|tflite|caffemodel|weights|safetensors|pkl)$", re.IGNORECASE
)


def of(value: Value) -> tuple[str, ...]:
    """What names a network, as words 'class:…', 'part:…', 'weights:…', in order and each once.

    A class is 'class:Name@file'; the repository's models that it is made of or inherits from are 'part:Name@file'. A
    file that weights are read from or written to is 'weights:path', without its suffix; what a package calls one of its
    own is 'published:Name@package'.
    """
    return tuple(dict.fromkeys(_words(value)))


def _words(value: Value) -> Iterable[str]:
    if isinstance(value, Obj) and value.cls is not None and is_model(value.cls):
        yield f"class:{value.cls.name}@{value.cls.module.path}"
        yield from _parts(value.cls)
    elif isinstance(value, Bound):
        yield from _words(value.receiver)
    elif isinstance(value, ExtObj):
        if value.name.startswith("keras.models.") and not value.name.endswith(("load_model", ".function")):
            # A network that is put together here is known by the place.
            yield f"class:{value.name.rpartition('.')[2]}@{value.place}"
        for one in (*value.args, *value.kwargs.values()):
            yield from _weights(one)
            if isinstance(one, Obj):
                yield from _words(one)
    elif isinstance(value, Unknown):
        if found := _DETECTORS.match(value.why):
            yield f"class:{found[1]}@{_OF_DETECTORS}"
        elif found := _ELSEWHERE.match(value.why):
            yield f"class:{found[1]}@{value.place}"
        elif found := _PUBLISHED.match(value.why):
            yield f"published:{found[2]}@{found[1]}"
    elif isinstance(value, Seq):
        for one in value.items:
            yield from _words(one) if not isinstance(one, str) else _weights(one)


def _weights(value: Value) -> Iterable[str]:
    if isinstance(value, str) and _WEIGHTS.search(value):
        parts = [one for one in re.split(r"[/\\]+", _WEIGHTS.sub("", value)) if one not in ("", ".", "..")]
        yield f"weights:{'/'.join(parts)}"


def _parts(cls: Cls) -> Iterable[str]:
    yield from (f"part:{one.name}@{one.module.path}" for one in cls.lineage()[1:])
    names = getattr(cls.module, "names", {})
    if cls.named is None:
        inside = nodes(cls.node) if cls.node is not None else []
        cls.named = tuple(dict.fromkeys(one.id for one in inside if isinstance(one, ast.Name)))
    for name in cls.named:
        found = names.get(name)
        if isinstance(found, Cls) and found is not cls and is_model(found):
            yield f"part:{found.name}@{found.module.path}"


def joined(one: Sequence[str], other: Sequence[str]) -> int:
    """How much says that two paths feed one network: 0 for nothing known.

    A class of one file says most, then a class that another file has by the same name, as copies for serving do; a name
    that every network gets says nothing then. Of weights it is the length of what their names begin with.

    >>> joined(["class:Net@a.py"], ["class:Net@a.py"])
    2000
    >>> joined(["class:Lit@t.py", "part:Crnn@m.py"], ["class:Crnn@m.py"])
    2000
    >>> joined(["class:Crnn@train/m.py"], ["class:Crnn@app/m.py"]), joined(["class:Net@a.py"], ["class:Net@b.py"])
    (1000, 0)
    >>> joined(["weights:models/emotion/mini"], ["weights:models/emotion/mini.102-0.66"])
    19
    """
    ours, theirs = _named(one), _named(other)
    for plain, strength in ((lambda name: name, 2000), (_without_file, 1000)):
        mine, its = ({plain(name) for name in side["class"]} - {""} for side in (ours, theirs))
        my_parts, its_parts = ({plain(name) for name in side["part"]} - {""} for side in (ours, theirs))
        if mine & (its | its_parts) or my_parts & its:
            return strength
    return max((_alike(a, b) for a in ours["weights"] for b in theirs["weights"]), default=0)


def apart(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two paths feed networks of two classes, of which neither holds the other, or two published ones.

    >>> apart(["class:Detector@a.py"], ["class:Reader@a.py"]), apart(["class:Detector@a.py"], [])
    (True, False)
    >>> apart(["class:fasterrcnn_resnet50_fpn@torchvision.models.detection"], [])
    True
    >>> apart([], ["class:cnn_face_detection_model_v1@dlib"])
    True
    >>> apart(["published:RN50@clip"], ["published:ViT-B/32@clip"])
    True
    """
    ours, theirs = _named(one), _named(other)
    if ours["published"] and theirs["published"] and not ours["published"] & theirs["published"]:
        return True
    detector = any(name.partition("@")[2] in _FINISHED for name in ours["class"] | theirs["class"])
    return (detector or bool(ours["class"] and theirs["class"])) and not joined(one, other)


def is_of_another_framework(words: Sequence[str]) -> bool:
    """Whether OpenCV reads a network out of a file of Caffe's or of Darknet's.

    >>> is_of_another_framework(["class:readNetFromCaffe@demo.py:7"])
    True
    """
    return any(one.startswith("class:readNetFrom") for one in words)


def _without_file(name: str) -> str:
    bare = name.partition("@")[0]
    return "" if bare.lower() in _COMMON else bare


def _named(words: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"class": set(), "part": set(), "weights": set(), "published": set()}
    for word in words:
        kind, _, name = word.partition(":")
        found[kind].add(name)
    return found


def _alike(one: str, other: str) -> int:
    """The length of what two names of files begin with, but for folders alone that everything lies in."""
    count = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return count if "/" in one[:count] or count >= min(len(one), len(other)) // 2 else 0
