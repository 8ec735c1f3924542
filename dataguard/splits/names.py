"""Groups that file names speak of: patients, users, sessions, videos."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# fmt: off
ENTITY_WORDS = frozenset((
    "account", "animal", "author", "batch", "block", "burst", "camera", "case", "cell", "city", "client", "clip",
    "cluster", "country", "customer", "date", "day", "device", "document", "donor", "driver", "episode",
    "experiment", "family", "farm", "field", "film", "folder", "group", "hospital", "house", "household", "id",
    "individual", "lab", "location", "machine", "movie", "participant", "patient", "person", "pid", "plant",
    "plate", "player", "plot", "product", "pt", "recording", "region", "room", "run", "scan", "scene", "seq",
    "sequence", "series", "session", "shop", "shot", "site", "slide", "song", "speaker", "specimen", "station",
    "store", "study", "sub", "subj", "subject", "tile", "track", "trial", "user", "vehicle", "vid", "video",
    "view", "visit", "volunteer", "writer", "zip",
))
# fmt: on
"""Words before a number or in a column's name that say that it names something which has several samples."""

MOST_CANDIDATES = 12
COMMON_FORM = 0.8
"""Share of the names that must be built alike; other names are samples without a group."""
LEAST_GROUPS = 3
LEAST_REPEATED = 0.5
"""Share of the samples that must have another one of their group."""
LARGEST_GROUP = 0.5
"""Of all samples, above which it is a class, a source or a setting, and no group."""
LEAST_PAIRS = 30
"""Samples that have another one of their group and class: with fewer, nothing can be tested."""

_PIECES = re.compile(r"[^\W_]+", re.UNICODE)
_WORD_AND_NUMBER = re.compile(r"([^\W\d_]{1,12})(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Candidate:
    """A way to put samples into groups, that may or may not matter."""

    source: str
    """'file names' or 'column'."""
    name: str
    """The column; or a file's name with the part that tells the group in braces."""
    values: tuple[str | None, ...]
    """The group of each sample; None for none."""
    codes: NDArray[np.intp]
    """Its number, in natural order of the values; −1 for none. Shape (n,), read-only."""
    word: str
    """The word of `ENTITY_WORDS` that speaks for it; '' where none does."""

    @property
    def n_groups(self) -> int:
        """How many groups there are."""
        return int(self.codes.max(initial=-1)) + 1


def candidates_of_names(
    paths: Sequence[str | None], splits: Sequence[str], strata: NDArray[np.intp]
) -> list[Candidate]:
    """Groupings that the parts of paths make, those first whose word speaks for it.

    A path is cut at everything that is neither letter nor digit, and between a word and the number right after it;
    where most paths have the same form, every part and every beginning is a candidate. Left out is what tells the
    class or the split, what is different for each sample, and what groups no two samples of a class.

    Args:
        paths: Paths, or ids that look like some.
        splits: Shape (n,).
        strata: Class codes, −1 for none; all zero for data without classes. Shape (n,).
    """
    named = [path for path in paths if path is not None]
    if not named:
        return []
    forms = [None if path is None else _form(path) for path in paths]
    (common, count), *_ = Counter(form[0] for form in forms if form is not None).most_common(1)
    if count < COMMON_FORM * len(named):
        return []
    parts = [form[1] if form is not None and form[0] == common else None for form in forms]
    example = next(part for part in parts if part is not None)
    n_parts = len(example)
    # What is one and the same everywhere, in a split or in a class tells nothing more.
    varies = [not _known(parts, at, splits, strata) for at in range(n_parts)]
    found: list[Candidate] = []
    seen: set[bytes] = set()
    told = [at for at in range(n_parts) if varies[at]]
    for chosen in [(at,) for at in told] + [tuple(told[:end]) for end in range(2, len(told))]:
        values = tuple(None if part is None else "\x1f".join(part[at] for at in chosen) for part in parts)
        word = next((w for at in reversed(chosen) if (w := _word(example, at))), "")
        codes = natural_codes(values)
        key = partition_key(codes)
        if key in seen or not may_group(codes, strata, splits):
            continue
        seen.add(key)
        shown = tuple(None if value is None else value.replace("\x1f", "-") for value in values)
        path = next(path for path, part in zip(paths, parts, strict=True) if part is example and path is not None)
        found.append(Candidate(source="file names", name=_braced(path, chosen), values=shown, codes=codes, word=word))
    return sorted(found, key=lambda item: not item.word)[:MOST_CANDIDATES]


def _known(parts: Sequence[tuple[str, ...] | None], at: int, splits: Sequence[str], strata: NDArray[np.intp]) -> bool:
    """Whether the split, or the class, tells what is in a part."""
    for known in (splits, strata.tolist()):
        told: dict[object, str] = {}
        if all(
            part is None or told.setdefault(key, part[at]) == part[at] for key, part in zip(known, parts, strict=True)
        ):
            return True
    return False


def may_group(codes: NDArray[np.intp], strata: NDArray[np.intp], splits: Sequence[str]) -> bool:
    """Whether a grouping is one of samples and not of classes or splits, and has pairs to test it by."""
    n = int((codes >= 0).sum())
    sizes = np.bincount(codes[codes >= 0], minlength=1)
    if np.count_nonzero(sizes) < LEAST_GROUPS or sizes.max() > LARGEST_GROUP * len(codes):
        return False
    if sizes[sizes > 1].sum() < LEAST_REPEATED * n:
        return False
    if same_partition(codes, strata) or same_partition(codes, np.unique(np.asarray(splits), return_inverse=True)[1]):
        return False
    used = (codes >= 0) & (strata >= 0)
    cells = codes[used] * (int(strata.max(initial=0)) + 1) + strata[used]
    _, inverse, counts = np.unique(cells, return_inverse=True, return_counts=True)
    return int((counts[inverse] > 1).sum()) >= LEAST_PAIRS


def same_partition(codes: NDArray[np.intp], others: NDArray[np.intp]) -> bool:
    """Whether two groupings tell the same samples apart, or the second tells the group: a class of a finer naming."""
    used = (codes >= 0) & (others >= 0)
    pairs = {*zip(codes[used].tolist(), others[used].tolist(), strict=True)}
    return len(pairs) == len(set(others[used].tolist()))


def natural_codes(values: Sequence[str | None]) -> NDArray[np.intp]:
    """Numbers of the values in natural order, 'p2' before 'p10'; −1 for None. Shape (n,), read-only."""
    present = sorted({value for value in values if value is not None}, key=natural)
    place = {value: number for number, value in enumerate(present)}
    codes = np.array([-1 if value is None else place[value] for value in values], dtype=np.intp)
    codes.setflags(write=False)
    return codes


def partition_key(codes: NDArray[np.intp]) -> bytes:
    """Equal for groupings that put the same samples together, whatever the groups are called."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return first[inverse].tobytes()


def natural(value: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that puts 'p2' before 'p10'.

    >>> sorted(["p10", "p2"], key=natural)
    ['p2', 'p10']
    """
    return tuple((0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in re.split(r"(\d+)", value))


def _form(path: str) -> tuple[str, tuple[str, ...]]:
    """What a path is built like, and its parts. Of the last part the ending is left out."""
    folder, slash, name = path.replace("\\", "/").rpartition("/")
    stem = name.rpartition(".")[0] or name
    parts: list[str] = []
    form: list[str] = []
    for level in (folder + slash + stem).split("/"):
        for piece in _PIECES.findall(level):
            split = _WORD_AND_NUMBER.fullmatch(piece)
            for part in split.groups() if split else (piece,):
                parts.append(part)
                form.append("0" if part.isdecimal() else "a" if part.isalpha() else "x")
        form.append("/")
    return "".join(form), tuple(parts)


def _word(parts: Sequence[str], at: int) -> str:
    """The entity's word that speaks for a part: the one right before it, or its own."""
    for word in (parts[at - 1] if at else "", parts[at]):
        lowered = word.lower()
        for form in (lowered, lowered.removesuffix("s")):
            if form in ENTITY_WORDS:
                return form
    return ""


def _braced(path: str, chosen: Sequence[int]) -> str:
    """A path with the chosen parts in braces: '{patient_012}_slice_3.png'."""
    stem_end = path.rfind(".") if path.rfind(".") > path.rfind("/") else len(path)
    spans: list[tuple[int, int]] = []
    for match in _PIECES.finditer(path[:stem_end]):
        split = _WORD_AND_NUMBER.fullmatch(match.group())
        if split:
            spans += [(match.start() + begin, match.start() + end) for begin, end in (split.span(1), split.span(2))]
        else:
            spans.append(match.span())
    begin, end = spans[chosen[0]][0], spans[chosen[-1]][1]
    return path[:begin] + "{" + path[begin:end] + "}" + path[end:]
