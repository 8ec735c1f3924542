"""Names of shards: patterns with braces, and the split that a name says."""

from __future__ import annotations

import re

from dataguard.core.errors import SourceError
from dataguard.core.split_roles import split_order
from dataguard.dataset.sources.table_files import split_in_name

MOST_SHARDS = 1_000_000
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)(?:\.\.(\d+))?")


def expanded(pattern: str) -> list[str]:
    """The names that a pattern with braces stands for, as a shell expands it.

    >>> expanded("{train,val}-{08..10}.tar")[:4]
    ['train-08.tar', 'train-09.tar', 'train-10.tar', 'val-08.tar']

    Raises:
        SourceError: it stands for more than `MOST_SHARDS`.
    """
    found = [""]
    last = 0
    for match in _BRACES.finditer(pattern):
        choices = _choices(match[1])
        if choices is None:
            continue
        before = pattern[last : match.start()]
        last = match.end()
        if len(found) * len(choices) > MOST_SHARDS:
            raise SourceError(f"the pattern stands for more than {MOST_SHARDS:,} shards", where=pattern)
        found = [name + before + choice for name in found for choice in choices]
    return [name + pattern[last:] for name in found]


def _choices(text: str) -> list[str] | None:
    match = _RANGE.fullmatch(text)
    if match is None:
        return text.split(",") if "," in text else None
    first, end, step = int(match[1]), int(match[2]), int(match[3] or 1) or 1
    width = len(match[1]) if match[1].startswith("0") or match[2].startswith("0") else 0
    if abs(end - first) // step >= MOST_SHARDS:
        raise SourceError(f"the pattern stands for more than {MOST_SHARDS:,} shards", where=text)
    numbers = range(first, end + 1, step) if end >= first else range(first, end - 1, -step)
    return [f"{number:0{width}d}" for number in numbers]


def split_of_shard(name: str) -> str | None:
    """The split that a shard's name says: its folder, or a word of its own; None where neither does.

    >>> [split_of_shard(name) for name in ("train/000.tar", "x-val-000.tar", "000.tar")]
    ['train', 'val', None]
    """
    folders, _, file = name.rpartition("/")
    for folder in reversed(folders.split("/")):
        if folder and split_order(folder)[0] < 3:
            return folder
    return split_in_name(file.split(".")[0])
