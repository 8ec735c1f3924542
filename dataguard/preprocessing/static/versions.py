"""Which versions of libraries a repository means: by its own pins, or else by the date of its commit."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from dataguard.preprocessing.static.tree import Tree

_NAMES = {
    "pillow": "pillow",
    "pil": "pillow",
    "torchvision": "torchvision",
    "torch": "torch",
    "opencv-python": "opencv",
    "opencv-python-headless": "opencv",
    "opencv-contrib-python": "opencv",
    "opencv": "opencv",
    "scikit-image": "scikit-image",
    "skimage": "scikit-image",
    "tensorflow": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "keras": "keras",
    "timm": "timm",
    "transformers": "transformers",
    "albumentations": "albumentations",
    "scipy": "scipy",
    "numpy": "numpy",
    "imageio": "imageio",
    "pytorch": "torch",
    "open-clip-torch": "open_clip",
    "mmcv": "mmcv",
    "mmcv-full": "mmcv",
}

RELEASES: Mapping[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "torchvision": (("2017-02-01", (0, 1)), ("2019-05-22", (0, 3)), ("2020-07-28", (0, 7)), ("2021-06-15", (0, 10)),
                    ("2022-03-10", (0, 12)), ("2022-10-28", (0, 14)), ("2023-03-15", (0, 15)), ("2023-10-04", (0, 16)),
                    ("2024-01-30", (0, 17)), ("2024-07-24", (0, 19)), ("2025-01-29", (0, 21)), ("2025-08-06", (0, 23))),
    "pillow": (("2016-01-01", (3, 1)), ("2018-01-01", (5, 0)), ("2019-07-01", (6, 1)), ("2020-01-02", (7, 0)),
               ("2021-01-02", (8, 1)), ("2022-01-02", (9, 0)), ("2023-07-01", (10, 0)), ("2024-10-15", (11, 0))),
    "scikit-image": (("2016-03-08", (0, 12)), ("2018-05-28", (0, 14)), ("2019-04-05", (0, 15)), ("2021-02-15", (0, 18)),
                     ("2022-02-26", (0, 19)), ("2023-06-07", (0, 21))),
    "transformers": (("2020-11-30", (4, 0)), ("2025-10-03", (4, 57)), ("2026-01-26", (5, 0))),
    "scipy": (("2016-07-25", (0, 18)), ("2018-05-05", (1, 1)), ("2018-12-17", (1, 2)), ("2019-05-17", (1, 3))),
}  # fmt: skip
"""First release of a version line, by date (project release pages); what lies between differs in nothing used here."""

_PIN = re.compile(
    r"""(?im)^[\s\-"'\[,]*([A-Za-z][\w.\-]*?)(?:\[[\w,\-]+\])?\s*((?:===?|>=|<=|~=|!=|<|>|=)\s*[\d][\w.*]*(?:\s*,\s*(?:===?|>=|<=|~=|!=|<|>)\s*[\d][\w.*]*)*)"""
)
_QUOTED = re.compile(
    r"""["']([A-Za-z][\w.\-]*?)(?:\[[\w,\-]+\])?\s*((?:===?|>=|<=|~=|<|>)\s*\d[\w.*]*(?:\s*,\s*(?:===?|>=|<=|~=|!=|<|>)\s*\d[\w.*]*)*)\s*[;"']"""
)


def pins(tree: Tree) -> dict[str, tuple[str, str]]:
    """Version constraints by library, each with its 'file:line'; exact ones win, and files near the top."""
    found: dict[str, tuple[str, str, tuple[int, int]]] = {}
    for path in sorted(tree.sizes, key=lambda one: (one.count("/"), one)):
        name = PurePosixPath(path).name.lower()
        if path.count("/") > 2 or not _declares(name):
            continue
        text = tree.text(path)
        if text is None or len(text) > 400_000:
            continue
        pattern = _QUOTED if name in ("setup.py", "pyproject.toml") else _PIN
        for match in pattern.finditer(text):
            library = _NAMES.get(match[1].lower().replace("_", "-"))
            if library is None:
                continue
            constraint = match[2].replace(" ", "")
            if constraint.startswith("=") and not constraint.startswith("=="):
                constraint = "=" + constraint
            rank = (0 if constraint.startswith("==") else 1, path.count("/"))
            line = text.count("\n", 0, match.start(1)) + 1
            if library not in found or rank < found[library][2]:
                found[library] = (constraint, f"{path}:{line}", rank)
    return {library: (constraint, place) for library, (constraint, place, _) in found.items()}


def _declares(name: str) -> bool:
    return (name.startswith("requirements") and name.endswith((".txt", ".in"))) or name in (
        "setup.py",
        "pyproject.toml",
        "setup.cfg",
        "environment.yml",
        "environment.yaml",
        "conda.yml",
        "conda.yaml",
        "pipfile",
        "cog.yaml",
    )


def known(found: Mapping[str, tuple[str, str]], committed: dt.date | None) -> dict[str, tuple[int, ...]]:
    """The version of every library that a default may depend on.

    It is the one pinned; else the newest that is allowed, where a bound is given and no date; else the newest at the
    date of the commit.
    """
    versions: dict[str, tuple[int, ...]] = {}
    for library, (constraint, _) in found.items():
        exact = re.match(r"^===?(\d[\d.]*)", constraint)
        if exact:
            versions[library] = _parts(exact[1])
            continue
        compatible = re.match(r"^~=(\d[\d.]*)", constraint)
        if compatible:
            versions[library] = _parts(compatible[1])
            continue
        below = re.search(r"<=?(\d[\d.]*)", constraint)
        if below is not None and library not in versions and committed is None:
            upper = _parts(below[1])
            line = [version for _, version in RELEASES.get(library, ()) if version < upper]
            if line:
                versions[library] = line[-1]
    if committed is not None:
        for library, releases in RELEASES.items():
            before = [version for date, version in releases if date <= committed.isoformat()]
            if library not in versions and before:
                versions[library] = before[-1]
    return versions


def said(
    found: Mapping[str, tuple[str, str]], versions: Mapping[str, tuple[int, ...]], committed: dt.date | None
) -> dict[str, str]:
    """The same in words, by library."""
    words = {library: f"{constraint}, {place}" for library, (constraint, place) in found.items()}
    for library, version in versions.items():
        if library not in words and committed is not None:
            words[library] = f"{'.'.join(map(str, version))} (commit of {committed.isoformat()})"
    return dict(sorted(words.items()))


def _parts(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in text.strip(".").split(".") if one.isdigit())


def date_of_commit(root_log: str) -> dt.date | None:
    """The date of the last line of git's own log of HEAD, '.git/logs/HEAD'."""
    lines = [line for line in root_log.splitlines() if line.strip()]
    match = re.search(r"> (\d{9,11}) [+-]\d{4}", lines[-1]) if lines else None
    if match is None:
        return None
    return dt.datetime.fromtimestamp(int(match[1]), tz=dt.UTC).date()
