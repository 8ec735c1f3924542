"""How well preprocessing is read out of repositories: against labels made by hand.

    python benchmarks/audit.py FOLDER LABELS [--only NAME]

FOLDER holds one checkout a repository, called ``owner__name``; LABELS is a list of repositories and their pipelines.
For every labelled pipeline the found path with the most lines in common is taken, and each field is right, wrong, or
undetermined. A path that was not found leaves all its fields undetermined. The same is asked of the words alone in the
files that a labelled pipeline lies in (``audit_baseline.py``), which are told to it:

                        right  wrong  undetermined  of determinable  precision
    read                  592     10            13            96.3%      98.3%
    by words              491     99            25            79.8%      83.2%

The last line is the speed of reading alone, in processor time: some 30,000 lines a second on a quiet machine; 17,000 to
29,000 where others share its caches.

These 18 repositories were looked at while the reading was made. Others were labelled before anything was read out of
them, and what they showed was mended afterwards, so that each round is of what was never looked at:

    repositories        right  wrong  undetermined  of determinable  precision   after mending
    14                    397      8           165            69.6%      98.0%   93.7%  100.0%
    6                     109     10            62            60.2%      91.6%   93.9%   98.8%
    5                      88      9            26            71.5%      90.7%   82.1%   98.1%

Then by families, several rounds of 3 to 7 each, of which what a round showed was mended before the next:

    classification, 36    896     22           385            68.8%      97.6%
    detection, text, 20   629     31           161            76.6%      95.3%
    segmentation, 20      403     10           122            75.3%      97.6%
    faces and poses, 25   633     16           185            75.9%      97.5%

The same 98 repositories as in the last rounds of these families, read by the version from before these rounds: 69.6 %
and 96.8 %; with what it did not know costing less of a path (``audit_ablation.py``): 77.0 % and 97.0 %.

And once more, in rounds of 3 to 5 (of which the detectors' last two were kin of some that had been read):

    classification, 24    558     10           118            81.3%      98.2%
    detection, text, 15   456     15            98            80.1%      96.8%
    segmentation, 23      328     10           159            66.0%      97.0%

And again, ten, seven and nine rounds of 3 to 5, with the layout and the type that torch's networks take said since the
middle of them; below, the last three rounds of each:

    classification, 41    946     14           224            79.9%      98.5%
    detection, text, 27   824     19           145            83.4%      97.7%
    segmentation, 35      757     30           214            75.6%      96.2%
    the last, 36          874     21            85            89.2%      97.7%

Rounds lie between 36 and 99 %: each repository that nobody has looked at has something of its own. The 230 of the
rounds before these are read at 97.7 % and 99.5 % after all mends.

The last rounds, of 103 more repositories; their labels are kept, in ``audit_labels.json``, and so these can be measured
again (check each out at its commit, as FOLDER/OWNER__NAME). The names of those above were not kept; some of these may
have been among them:

    classification, 24    797      2            91            89.6%      99.7%
    detection, text, 32  1277     14            96            92.1%      98.9%
    segmentation, 20      556      4            34            93.6%      99.3%
    Keras, TensorFlow, 16 535      6            50            90.5%      98.9%
    one of each kind, 12  435      5            17            95.2%      98.9%
    all, after mending   3578      7            97            97.2%      99.8%

The twelve are of the kinds of the 18, one of each, read once at the end, and nothing was mended among them. One of them
is among the sixteen as well.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

from audit_baseline import by_words  # type: ignore[import-not-found]

from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.static.reading import FoundPath, read_repository
from dataguard.preprocessing.static.values import SIZES
from dataguard.preprocessing.steps import Crop, Pad, Random, Resize, is_unread

FIELDS = (
    "loader",
    "order",
    "resize",
    "interpolation",
    "antialias",
    "size",
    "crop",
    "pad",
    "affine",
    "layout",
    "dtype",
    "exif",
    "role",
)
ROLES = {"demo": "serve", "gallery": "serve", "prep": "offline"}
CROPS = ("RandomCrop", "random_crop")
"""Crops by chance, which labels say apart from the size that is resized to before."""
UNKNOWN = object()
SKIP = object()
TOLERANCE = 2e-4
"""Of a scale and an offset, relative; labels are rounded to 6 digits."""


def main() -> None:
    """Print the score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    score: dict[str, Counter[str]] = {name: Counter() for name in FIELDS}
    baseline: dict[str, Counter[str]] = {name: Counter() for name in FIELDS}
    wrong: list[str] = []
    lines, seconds, missing, extra = 0, 0.0, [], 0
    for label in json.loads(options.labels.read_text(encoding="utf-8")):
        root = options.folder / label["repo"].replace("/", "__")
        if options.only not in label["repo"] or not root.is_dir():
            continue
        started = time.process_time()
        reading = read_repository(root, committed=dt.date.fromisoformat(label["commit_date"]))
        seconds += time.process_time() - started
        lines += reading.lines
        used = set()
        for pipeline in label["pipelines"]:
            path = matched(pipeline, reading.paths)
            where = f"{label['repo']} {pipeline['id']}"
            if path is None:
                missing.append(where)
            else:
                used.add(id(path))
            words = by_words(root, pipeline, len(SIZES))
            for name in FIELDS:
                said, _ = compared(name, pipeline, words.get(name, UNKNOWN))
                baseline[name][said] += 1
                verdict, text = judged(name, pipeline, path)
                score[name][verdict] += 1
                if verdict in ("wrong", "undetermined") and path is not None:
                    wrong.append(f"{verdict:12} {where:45} {name:14} {text}  [{path.name} {path.entry}]")
        extra += sum(1 for one in reading.paths if id(one) not in used and one.reachable)
    report(score, wrong)
    print("\nby words alone, in the files that hold it")
    report(baseline, [])
    print(f"\nnot found: {', '.join(missing) or 'none'}; reachable paths beside the labelled ones: {extra}")
    print(f"{lines:,} lines in {seconds:.2f} s: {lines / max(seconds, 1e-9):,.0f} lines/s")


def report(score: dict[str, Counter[str]], wrong: list[str]) -> None:
    """Print a table and the list of what is not right."""
    print(*sorted(wrong), sep="\n")
    print(f"\n{'field':15}{'right':>7}{'wrong':>7}{'undetermined':>14}{'of determinable':>17}{'precision':>11}")
    total: Counter[str] = Counter()
    for name, counts in score.items():
        if name != "role":
            total += counts
        print(f"{name:15}{row(counts)}")
    print(f"{'all but role':15}{row(total)}")


def row(counts: Counter[str]) -> str:
    """One line of the table."""
    right, bad, open_ = counts["right"], counts["wrong"], counts["undetermined"]
    share = right / max(1, right + bad + open_)
    precision = right / max(1, right + bad)
    return f"{right:7}{bad:7}{open_:14}{share:17.1%}{precision:11.1%}"


def matched(label: dict[str, Any], paths: tuple[FoundPath, ...]) -> FoundPath | None:
    """The found path with the most lines in common with a labelled one."""
    wanted = {(step["file"], step["line"]) for step in label["steps"]}
    role = ROLES.get(label["role"], label["role"])

    def likeness(path: FoundPath) -> tuple[float, float]:
        lines = {split(one) for one in (*path.evidence, path.entry)}
        shared = sum(any((file, line + by) in lines for by in (0, -1, 1)) for file, line in wanted)
        begins = label["entry"].startswith(split(path.entry)[0])
        return 2 * shared / max(1, len(wanted)) + 0.35 * (path.role == role) + 0.5 * begins, shared

    found = [(likeness(path), path) for path in paths]
    found = [one for one in found if one[0][1] > 0]
    return max(found, key=lambda one: one[0])[1] if found else None


def split(place: str) -> tuple[str, int]:
    """A place as file and line."""
    file, _, line = place.rpartition(":")
    return file, int(line) if line.isdigit() else 0


def judged(name: str, label: dict[str, Any], path: FoundPath | None) -> tuple[str, str]:
    """'right', 'wrong', 'undetermined' or 'not labelled', and what was found and wanted."""
    if path is None:
        return ("not labelled" if wanted_of(name, label) is SKIP else "undetermined"), ""
    return compared(name, label, path.role if name == "role" else found_of(name, path.pipeline))


def compared(name: str, label: dict[str, Any], found: Any) -> tuple[str, str]:
    """The same of a value that was found."""
    wanted = wanted_of(name, label)
    if wanted is SKIP or found is SKIP:
        return "not labelled", ""
    text = f"found {found if found is not UNKNOWN else '-'}, labelled {wanted}"
    if found is UNKNOWN:
        return "undetermined", text
    return ("right" if agree(found, wanted) else "wrong"), text


def agree(found: Any, wanted: Any) -> bool:
    """Whether two values are the same; a set of values holds all that are."""
    if isinstance(wanted, frozenset):
        return found in wanted
    if isinstance(wanted, tuple) and isinstance(found, tuple) and len(wanted) == 2 and isinstance(wanted[0], tuple):
        return all(close(a, b) for a, b in zip(found, wanted, strict=True))
    if isinstance(found, tuple) and isinstance(wanted, tuple) and found and isinstance(found[0], tuple):
        return all(abs(a - b) <= 1 for x, y in zip(found, wanted, strict=True) for a, b in zip(x, y, strict=True))
    return bool(found == wanted)


def close(found: tuple[float, ...], wanted: tuple[float, ...]) -> bool:
    """Whether values of channels are the same up to the rounding of labels; one value stands for all channels."""
    length = max(len(found), len(wanted))
    a, b = (one * length if len(one) == 1 else one for one in (found, wanted))
    return len(a) == len(b) and all(
        abs(x - y) <= TOLERANCE * max(abs(x), abs(y)) + 2e-6 for x, y in zip(a, b, strict=True)
    )


def wanted_of(name: str, label: dict[str, Any]) -> Any:
    """What a label says about a field, in the words of `Pipeline`; SKIP where it says nothing that can be judged."""
    summary, unknown = label["summary"], label.get("unknown") or {}
    if name == "role":
        return ROLES.get(label["role"], label["role"])
    key = {"order": "channel_order", "resize": "resize_lib"}.get(name, name)
    if key in unknown:
        return SKIP
    if name == "affine":
        affine = label["affine"]
        if affine is None or {"mean", "scale"} & unknown.keys():
            return SKIP
        return tuple(affine["a"]), tuple(affine["b"])
    value = summary.get(key)
    text = str(value).lower()
    if name == "loader":
        if value is None:
            return SKIP
        families = (("skimage", "scikit-image"), ("pil", "pillow"), ("cv2", "opencv"), ("tf", "tensorflow"))
        return next((found for word, found in families if word in text), SKIP)
    if name == "resize":
        if value is None:
            return "none"
        engines = (
            ("cv2", "opencv"),
            ("pil", "pillow"),
            ("torch", "torch"),
            ("skimage", "scikit-image"),
            ("tf", "tensorflow"),
        )
        return next((found for word, found in engines if word in text), SKIP)
    if name == "interpolation":
        if value is None:
            return SKIP
        words = (
            ("random", "random"),
            ("cubic", "cubic"),
            ("linear", "linear"),
            ("area", "area"),
            ("nearest", frozenset({"nearest", "nearest_exact"})),
            ("lanczos", "lanczos"),
        )
        return next((found for word, found in words if word in text), SKIP)
    if name == "antialias":
        smooths = "gaussian" if "skimage" in str(summary.get("resize_lib")).lower() else "scaled"
        return {"true": smooths, "false": "none", "area": "none"}.get(text, SKIP)
    if name == "exif":
        return SKIP if value is None else "applied" if "applied" in text else "ignored" if "ignored" in text else SKIP
    if name == "dtype":
        return SKIP if value is None else text.split("->")[-1].split()[0]
    if name == "size":
        return size_wanted(value)
    if name == "crop":
        if value is None:
            return "none"
        return (
            "random" if "random" in text else (int(found[0]),) if (found := re.findall(r"center (\d+)", text)) else SKIP
        )
    if name == "pad":
        return "none" if value is None else SKIP if not re.search(r"\d", text) else ("pad",)
    return value if value is not None else SKIP


def size_wanted(value: Any) -> Any:
    """A labelled size as the sizes that pictures of `SIZES` get."""
    if isinstance(value, list):
        return (tuple(value),) * len(SIZES)
    text = str(value).lower()
    short = re.match(r"(?:short|min) side (\d+)(?:.*?(?:max side|long <=)\s*(\d+))?$", text)
    if short:
        step = Resize(rule="short", side=int(short[1]), longest=int(short[2]) if short[2] else None)
        return tuple(step.target(*size) for size in SIZES)
    if text.startswith("original size"):
        return tuple(SIZES)
    if "0.5*w" in text:
        return tuple(Resize(rule="scale", factor=0.5).target(*size) for size in SIZES)
    return SKIP


def found_of(name: str, pipeline: Pipeline) -> Any:
    """What was found of a field."""
    if name == "loader":
        return pipeline.decode.library or UNKNOWN
    if name == "exif":
        return SKIP if pipeline.decode.flags == ("video",) else pipeline.decode.exif or UNKNOWN
    if name == "order":
        return pipeline.order or UNKNOWN
    if name in ("layout", "dtype"):
        value = getattr(pipeline, name)
        value = {"CHW": "NCHW", "HWC": "NHWC", "HW": "NHWC"}.get(value, value) if name == "layout" else value
        return value or UNKNOWN
    if name == "affine":
        affine = pipeline.affine
        return UNKNOWN if affine.scale is None or affine.offset is None else (affine.scale, affine.offset)
    if pipeline.geometry is None:
        return UNKNOWN
    resizes = [step for step in pipeline.geometry if isinstance(step, Resize)]
    open_ = any(is_unread(step) for step in pipeline.geometry)
    chance = [step for step in pipeline.geometry if isinstance(step, Random)]
    sized = [step for step in chance if "interpolation" in dict(step.parameters)]
    if name == "resize":
        if resizes:
            return resizes[-1].engine or UNKNOWN
        return dict(sized[-1].parameters).get("engine", UNKNOWN) if sized else UNKNOWN if open_ else "none"
    if name == "interpolation":
        if resizes:
            return resizes[-1].kernel or (
                "random" if "chance" in resizes[-1].undetermined.get("kernel", "") else UNKNOWN
            )
        word = dict(sized[-1].parameters)["interpolation"] if sized else ""
        return {"bilinear": "linear", "bicubic": "cubic", "": UNKNOWN}.get(word, word)
    if name == "antialias":
        if resizes:
            return resizes[-1].antialias or UNKNOWN
        engine = dict(sized[-1].parameters).get("engine") if sized else None
        return {"pillow": "scaled", "opencv": "none"}.get(engine or "", UNKNOWN)
    if name == "crop":
        crops = [step for step in pipeline.geometry if isinstance(step, Crop)]
        if any("crop" in step.name.lower() or step.name in ("placement", "affine") for step in chance):
            return "random"
        return "none" if not crops else (crops[-1].height,) if crops[-1].height is not None else UNKNOWN
    if name == "pad":
        padded = any(
            isinstance(step, Pad) or (isinstance(step, Random) and step.name in ("pad", "affine", "placement"))
            for step in pipeline.geometry
        )
        return ("pad",) if padded else UNKNOWN if open_ else "none"
    return size_found(pipeline)


def size_found(pipeline: Pipeline) -> Any:
    """The sizes that pictures of `SIZES` get; before a crop from the middle, as labels say it."""
    own = pipeline.decode.size
    sizes: list[tuple[int, int]] | None = [own] * len(SIZES) if own is not None else list(SIZES)
    last: Any = None
    resized = False
    for step in pipeline.geometry or ():
        if isinstance(step, Random):
            shown = dict(step.parameters).get("size")
            if shown is not None:
                height, width = (int(one) for one in shown.split("x"))
                if resized and sizes is not None and (step.name == "crop" or step.name in CROPS):
                    continue
                sizes = [(height, width)] * len(SIZES)
            elif step.name.endswith("_range"):
                continue  # Keras's generator keeps the size
            elif re.search(r"(?i)crop|resiz|(?<!gray)scale|(?<!random)affine|placement|pad|zoom|shift", step.name):
                sizes = None
        elif isinstance(step, Resize):
            resized = True
            if isinstance(last, Crop) and last.rule == "center" and last.height and last.width and sizes is not None:
                # A crop before a resize is none from the middle of what was resized.
                sizes, last = [(last.height, last.width)] * len(SIZES), None
            if step.height is not None and step.width is not None and step.rule in (None, "exact"):
                sizes = [(step.height, step.width)] * len(SIZES)
            elif step.rule is None or sizes is None:
                sizes = None  # until a resize to one size, which does not depend on what was before
            else:
                try:
                    sizes = [step.target(*one) for one in sizes]
                except ValueError:  # one of its lengths is not known
                    return UNKNOWN
        elif is_unread(step):
            sizes = None
        elif isinstance(step, Crop) and step.rule == "offset" and step.height and step.width:
            sizes = [(step.height, step.width)] * len(SIZES)
        elif isinstance(step, Pad | Crop) and step.rule in ("to", "square", "center") and sizes is not None:
            last = step
    if sizes is not None and isinstance(last, Pad) and last.rule == "to" and last.height and last.width:
        sizes = [(last.height, last.width)] * len(SIZES)
    return UNKNOWN if sizes is None else tuple(sizes)


if __name__ == "__main__":
    main()
