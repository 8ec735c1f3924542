"""What a path is for, and what a reader would call it."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from dataguard.core.syntax import nodes
from dataguard.preprocessing.static.machine import Sink

_TRAIN = re.compile(
    r"(?<![a-z])(train|trn|tr|finetune|pretrain|fit|training)(?![a-z])|train(ing|er)?_?|pretrain|finetun"
)
_VAL = re.compile(r"(?<![a-z])(val|valid|dev|validation)(?![a-z])|valid(ation)?|(?<![a-z])val_|_val(?![a-z])")
_TEST = re.compile(r"(?<![a-z])(test|eval|evaluate|evaluation|query|gallery|infer_set)(?![a-z])|test|eval")
_SERVE = re.compile(
    r"demo|infer|predict|detect|serve|serving|server|app|webcam|live|hubconf|gradio|streamlit|api|handler|deploy|export|onnx|"
    r"tflite|visuali[sz]e|video|stylize|recognize|classify_image|caption|run|camera|process|generate|enhance"
)
_SHOWS = re.compile(r"(^|_)(demo|infer|inference|deploy|serve)(_|\.|$)")
"""Scripts that serve, whatever they call the pictures that they are given."""
_SERVES = re.compile(r"(?<![a-z])(infer|inference|demo|serve|serving|recogni[sz]e)(?![a-z])")
"""Functions of a script for several tasks that serve."""
_EVAL_FILE = re.compile(
    r"(^|[/_\-.])(eval\w*|test\w*|val\w*|validat\w*|benchmark\w*|bench|knn|metric\w*|get_map\w*|\w*miou\w*)([/_\-.]|$)"
)
_OFFLINE = re.compile(
    r"prepar(e|ing|ation)|preproc|convert|(create|make)_?(dataset|lmdb|data|db)|extract_?(sub|patch|face|frame)|crop_|"
    r"build_?data|align_|_align(ed)?([_.]|$)|gen(erate)?_(\w*_?data|patch|lmdb|record)|gen(data|patch|lmdb|record)|to_?(tf_?records?|lmdb|h5)"
)

_OFFLINE_FOLDER = re.compile(r"(?<![a-z])(prepar(e|ing|ation)|pre_?process(ing)?)(?![a-z])")
"""Whole words of folders: others hold what prepares pictures while they are fed, as 'preprocessors' does."""


class _Script:
    """A pattern that scripts are searched for, each once however many paths begin in it."""

    def __init__(self, pattern: bytes) -> None:
        self.search = lru_cache(maxsize=64)(re.compile(pattern).search)


_SCORES = _Script(rb"(?i:evaluat)\w*\(|run_eval|AverageMeter|\bmAP\b|confusion_matrix")
_TRAINS = _Script(rb"(?i:train\w*\(|trainer|optimi[sz]er|optim\.|backward|\.fit\()")
_LEARNS = _Script(rb"(?i:optim|\.step\(|train_on_batch|apply_gradients|\.fit\()")
_STEPS = _Script(
    rb"(?i:\.step\(|\.backward\(|train_on_batch|apply_gradients|\.fit(_generator)?\(|optim\.\w+\(|optimizers?\.?\w*\(|optimi[sz]er\s*=)"
)
"""Of a script that learns, and does not only import what others learn with."""
_WRITES = _Script(rb"imwrite|\.save\(|save_\w+\(")


_SHOWN = re.compile(
    r"video|webcam|camera|(?<![a-z])cam(?![a-z])|demo|live|real_?time|"
    r"test_(on_)?(an?_|one_|single_|any_)?(image|img|picture|photo|frame)s?([._]|$)"
)
"""Of a script that is called a test: it shows what a model finds in one film or picture after the other."""


def role_of(sink: Sink, trains: bool, script_text: bytes = b"", mode: str = "") -> str:
    """What a picture that arrived is for: 'train', 'val', 'eval', 'serve' or 'offline'.

    Args:
        sink: Where it arrived.
        trains: The function that feeds the model computes gradients.
        script_text: Of the script: one that is called a test and scores its results evaluates, one that writes them
            down serves.
        mode: How models are fed with what a data set gives: 'train', 'val', or '' where that is not known.
    """
    script = sink.stack[0][1] if sink.stack else sink.place
    name = script.rpartition("/")[2].lower()
    functions = " ".join(one[0] for one in sink.stack if one[0]).lower()
    if sink.kind == "file":
        return "offline"
    if sink.kind == "dataset":
        order = [one for one in sink.hints if one.startswith(("shuffle=", "drop_last="))]
        named = [one for one in sink.hints if one not in order]
        learns = _STEPS.search(script_text) is not None
        for words in (
            " ".join(named[:1]).lower(),
            mode if mode == "val" and (learns or _TRAIN.search(name)) else "",
            " ".join(named[1:]).lower(),
            "val" if "shuffle=False" in order and learns else "",
            mode if learns or _TRAIN.search(name) else "",
            functions,
            " ".join(order).lower(),
            name,
        ):
            found = _of_words(words)
            if found == "eval" and learns and not _EVAL_FILE.search(name):
                return "val"
            if found == "val" and not learns and _EVAL_FILE.search(name) and not _TRAIN.search(name):
                return "eval"
            if found == "eval" and _EVAL_FILE.search(name) and not re.search(r"eval|val|bench|knn|metric|^test_", name):
                return "serve" if _WRITES.search(script_text) and not _SCORES.search(script_text) else "eval"
            if found == "eval" and _SHOWS.search(name) and not re.search(r"eval|query|gallery", words):
                return "serve"
            if found == "val" and "=false" in words and _EVAL_FILE.search(name):
                return "eval"
            if found:
                return "val" if found == "eval" and _TRAIN.search(name) else found
        return "eval" if _EVAL_FILE.search(name) else "serve" if _SERVE.search(name) else "train"
    if trains and _SERVE.search(name) and script_text and not _LEARNS.search(script_text):
        # Gradients without anything that learns from them: they are shown, as Grad-CAM does.
        trains = False
    if trains or (sink.training is True and not _EVAL_FILE.search(name) and not _SERVE.search(name)):
        return "train"
    if _EVAL_FILE.search(name):
        if _SHOWN.search(name) and not _SCORES.search(script_text):
            return "serve"
        called_so = re.search(r"eval|val|bench|knn|metric|^test_|get_map|miou", name) or re.search(
            r"eval|metric|map", functions
        )
        scored = _SCORES.search(script_text) or ("#" in sink.identity and not _WRITES.search(script_text))
        return "eval" if called_so or scored else "serve"
    if re.match(r"run\w*\.py$|cli\.py$", name) and (told := _of_words(functions)):
        return told
    if _SERVE.search(name):
        return "serve"
    if re.search(r"main|train", name) and _SERVES.search(functions) and not re.search(r"train|val|test", functions):
        return "serve"
    predicted = any(one.startswith("predict") for one in sink.hints[:1])
    if predicted and "main" in name and "train" not in name and _TRAINS.search(script_text):
        return "eval"
    if re.search(r"train|finetune", name) or ("main" in name and _TRAINS.search(script_text)):
        if re.search(r"val|test|eval", functions):
            return "val"
        return "val" if sink.training is False or predicted else "train"
    if re.search(r"eval|valid", functions) or re.search(r"evaluat|benchmark", script.rpartition("/")[0].lower()):
        return "eval"
    return "serve"


def agreed(words: str) -> str:
    """The role that each of several names says, 'test_set test_loader'; '' where they say none, or not the same.

    >>> agreed("test_set test_loader"), agreed("train_loader val_loader")
    ('eval', '')
    """
    found = {_of_words(one.lower()) for one in words.split()}
    return found.pop() if len(found) == 1 else ""


def _of_words(words: str) -> str:
    if "train=true" in words or "is_train=true" in words or "training=true" in words or "shuffle=true" in words:
        return "train"
    if "train=false" in words or "training=false" in words:
        return "val"
    found = [
        (match.start(), role)
        for role, pattern in (("train", _TRAIN), ("val", _VAL), ("eval", _TEST))
        if (match := pattern.search(words))
    ]
    if found:
        return min(found)[1]
    if "drop_last=true" in words:
        return "train"
    return ""


def learns(*texts: bytes) -> bool:
    """Whether one of several files learns from gradients, as far as they are at hand: others show what they find."""
    return not all(texts) or any(_LEARNS.search(one) for one in texts)


def computes_gradients(node: ast.AST) -> bool:
    """Whether a function calls ``backward`` or an optimizer's step."""
    for one in nodes(node):
        if isinstance(one, ast.Attribute) and one.attr in (
            "backward",
            "optimize_parameters",
            "train_on_batch",
            "apply_gradients",
            "minimize",
            "manual_backward",
        ):
            return True
    return False


def is_offline(path: str) -> bool:
    """Whether a script is named as one that prepares data, or the folder that it is in.

    >>> is_offline("tools/data_preparation/faces.py"), is_offline("data_preparation/tools/faces.py")
    (True, False)
    """
    folders, _, name = path.lower().rpartition("/")
    return _OFFLINE.search(name) is not None or _OFFLINE_FOLDER.search(folders.rpartition("/")[2]) is not None


def called(sink: Sink) -> str:
    """As a reader would call a path: 'train.py: Dataset.__getitem__'."""
    script = sink.stack[0][1] if sink.stack else sink.place.rpartition(":")[0]
    function = next((one[0] for one in sink.stack if one[0]), "")
    if sink.kind == "dataset":
        word = next((one for one in sink.hints if one and "=" not in one), function)
        return f"{script}: {word}" if word else script
    named = f"{script}: {function}" if function else script
    return f"{named} (its end is not seen)" if sink.kind == "last" else named
