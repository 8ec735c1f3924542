"""Which paths of a repository are held against which, and where they differ.

A path that evaluates or serves is held against the training paths that lie nearest to it: in its own file, else in the
folder that shares the longest way with its own. What chance hides there, as behind a random crop, is held against
evaluation instead. Where a repository does not train, evaluation takes its place, and failing that the first path that
serves. Two paths with another number of channels feed two networks, and are not compared; nor are two whose networks
are of two classes. Where some feed the class or the weights that a path feeds, it is held against these alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import cast

from dataguard.core.progress import Progress, silent
from dataguard.preprocessing.audit.closer import closer_differences
from dataguard.preprocessing.comparison import difference
from dataguard.preprocessing.differing import Aspect, Difference
from dataguard.preprocessing.pair import PipelinePair
from dataguard.preprocessing.pipeline import Affine, Pipeline
from dataguard.preprocessing.provenance import Origin, Part, Provenance
from dataguard.preprocessing.static import networks
from dataguard.preprocessing.static.library.given import is_of_transform, is_stored
from dataguard.preprocessing.static.reading import FoundPath, RepositoryReading
from dataguard.preprocessing.steps import Crop, Pad, Resize

MOST_PAIRS = 60
"""Pairs that are compared; each different one executes photographs, about 0.2 s."""

_N_CHANNELS = {"RGB": 3, "BGR": 3, "GRAY": 1, "RGBA": 4, "BGRA": 4}
_OF_NUMBERS: frozenset[Aspect] = frozenset({"value range", "mean and std", "normalized twice", "layout or dtype"})
_OF_SIZES: frozenset[Aspect] = frozenset({"geometry", "kernel", "step order"})
_HELD: dict[str, tuple[str, ...]] = {
    "val": ("train",),
    "eval": ("train",),
    "serve": ("train", "val", "eval"),
}
"""For each role those that it is held against, the first first."""
_EXAMPLES = frozenset({"example", "examples", "notebooks", "tutorial", "tutorials", "samples"})
_TOGETHER: tuple[frozenset[Aspect], ...] = (
    _OF_SIZES,
    frozenset({"value range", "mean and std", "normalized twice"}),
    frozenset({"decoder", "policy"}),
)
"""Aspects of which none can be compared where one cannot."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ComparedPath:
    """One path held against another one."""

    left: FoundPath
    """What it is held against, as training's."""
    right: FoundPath
    """The path."""
    pair: PipelinePair
    agreeing: Mapping[Aspect, str]
    """By what is compared, another training path that does as this one does; such a difference may be meant."""
    otherwise: frozenset[Aspect] = frozenset()
    """What the path does as the left one does where it is led to by other options."""
    distant: bool = False
    """Whether the two may be of two projects: in separate folders of a repository that trains in several, or where a
    file that defines a network feeds it, as to see that it runs, and what the other path feeds is not known."""

    @property
    def like_for_like(self) -> bool:
        """Whether both have the same role, so that neither says what the model was trained with."""
        return self.left.role == self.right.role


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ComparedPaths:
    """All comparisons of a repository."""

    pairs: tuple[ComparedPath, ...]
    left_out: int = 0
    """Pairs beyond `MOST_PAIRS`."""
    notes: tuple[str, ...] = ()

    def differing(self, path: FoundPath) -> set[Aspect]:
        """In what a path differs from whatever it is held against; what only rare files show is left out."""
        found = [item for one in self.pairs if one.right is path for item in one.pair.differences]
        return {item.aspect for item in found if not item.unknown and not is_rare(item.aspect, item.field)}


def is_rare(aspect: str, field: str) -> bool:
    """Whether a difference shows only in transparent, gray or 16-bit files; a camera's orientation is common."""
    return aspect == "policy" and not field.endswith("exif")


def compare_paths(reading: RepositoryReading, *, progress: Progress = silent) -> ComparedPaths:
    """Compare the paths of a repository that an entry point leads to.

    Args:
        reading: What was read out of it.
        progress: Told how far it is.

    Returns:
        Pairs with differences whose origin is a file and a line on each side. A field that is not known on a side is
        never a difference.
    """
    # A path that is found twice is compared once.
    distinct = {
        (path.role, path.entry, path.pipeline): path
        for path in reversed(reading.paths)
        if path.reachable and path.ended and path.role not in ("offline", "config")
    }
    alive = list(reversed(distinct.values()))
    wanted = list(_wanted(alive))
    homes = {_home(path) for path in alive if path.role == "train"}
    known: dict[tuple[Pipeline, Pipeline], tuple[Difference, ...]] = {}
    made: list[ComparedPath] = []
    considered: list[ComparedPath] = []
    # The number of the path, not its equality, tells paths apart: two may be equal.
    settled: dict[int, list[ComparedPath]] = {}
    for number, (left, right, first) in enumerate(wanted[:MOST_PAIRS]):
        progress("comparing paths", number, len(wanted))
        key = (left.pipeline, right.pipeline)
        if key not in known:
            whole = difference(left.pipeline, right.pipeline)
            known[key] = (*whole, *closer_differences(left.pipeline, right.pipeline, whole))
        found = tuple(
            _placed(_as_far_as_read(one, left, right), left, right)
            for one in known[key]
            if not _is_cast(one) and not _is_one_statement(one, left, right)
        )
        pair = PipelinePair(left=_named(left, reading), right=_named(right, reading), differences=found)
        distant = _home(left) != _home(right) and (len(homes) > 1 or "/" in _home(left))
        distant = distant or _tries_out(left, right)
        one = ComparedPath(left=left, right=right, pair=pair, agreeing={}, distant=distant)
        considered.append(one)
        before = settled.setdefault(id(right), [])
        if not first:
            found = _what_was_open(before, found)
            if not found:
                continue
            one = replace(one, pair=replace(pair, differences=found))
        before.append(one)
        made.append(one)
    made = [_without_settled(one, settled[id(one.right)]) for one in made]
    return ComparedPaths(
        pairs=tuple(
            replace(one, agreeing=_agreeing(one, considered), otherwise=_otherwise(one, considered)) for one in made
        ),
        left_out=max(0, len(wanted) - MOST_PAIRS),
        notes=_notes(alive, reading),
    )


def _wanted(paths: Sequence[FoundPath]) -> Iterator[tuple[FoundPath, FoundPath, bool]]:
    """Left, right, and whether the left is what the right is first held against."""
    trained = any(path.role == "train" for path in paths)
    evaluated = any(path.role in ("val", "eval") for path in paths)
    for right in paths:
        roles = _HELD.get(right.role, ())
        if not trained and not evaluated and right.role == "serve":
            roles = ("serve",)
        first = True
        for role in roles:
            others = [
                path for path in paths if path.role == role and path is not right and _of_one_network(path, right)
            ]
            if role == "serve":
                # Without training all are held against one.
                first_of_all = next(path for path in paths if path.role == role)
                others = [path for path in others if path is first_of_all]
            mine = _of_its_network(others, right)
            near = _nearest(mine, right)
            for left in near:
                yield left, right, first
            # What is open there is looked at where no network is named, as near as any.
            for left in _nearest(others, right):
                apart = networks.apart(left.networks, right.networks)
                if not left.networks and not apart and all(left is not one for one in mine):
                    yield left, right, False
            first = first and not near


def _of_its_network(lefts: Sequence[FoundPath], right: FoundPath) -> list[FoundPath]:
    """Those that feed what a path feeds, where the code names it; else all that may."""
    likeness = [networks.joined(left.networks, right.networks) for left in lefts]
    if any(likeness):
        return [left for left, one in zip(lefts, likeness, strict=True) if one == max(likeness)]
    return [left for left in lefts if not networks.apart(left.networks, right.networks)]


def _nearest(lefts: Sequence[FoundPath], right: FoundPath) -> list[FoundPath]:
    """Those whose file is a path's own, or shares the longest way through the folders with it."""
    shared = [shared_way(split_entry(left.entry)[0], split_entry(right.entry)[0]) for left in lefts]
    return [left for left, length in zip(lefts, shared, strict=True) if length == max(shared)]


def shared_way(one: str, other: str) -> int:
    """How many folders two files share from the root on, and the name where it is one file.

    >>> shared_way("app/serve/a.py", "app/serve/b.py"), shared_way("a.py", "a.py"), shared_way("x/a.py", "y/a.py")
    (2, 1, 0)
    """
    ours, theirs = PurePosixPath(one).parts, PurePosixPath(other).parts
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((at for at, (mine, its) in pairs if mine != its), min(len(ours), len(theirs)))


def _home(path: FoundPath) -> str:
    """The outermost folder that a path lies in; '' for the root. Each example is a project by itself."""
    parts = PurePosixPath(split_entry(path.entry)[0]).parts
    if len(parts) > 1 and parts[0].lower() in _EXAMPLES:
        return "/".join(parts[:2])
    return parts[0] if len(parts) > 1 else ""


def _tries_out(left: FoundPath, right: FoundPath) -> bool:
    """Whether a path feeds a network in the file that defines it, while another file's feeds none that is known."""
    file = split_entry(right.entry)[0]
    own = any(one.startswith("class:") and one.endswith(f"@{file}") for one in right.networks)
    return own and not left.networks and split_entry(left.entry)[0] != file


def _of_one_network(one: FoundPath, other: FoundPath) -> bool:
    """Whether two paths can feed one network: another number of channels would be refused by its first layer.

    What two configurations of a script make is not fed to one network either.
    """
    if one.setting != other.setting:
        return False
    counts = {_N_CHANNELS.get(path.pipeline.order or "") for path in (one, other)} - {None}
    return len(counts) < 2


def _as_far_as_read(one: Difference, left: FoundPath, right: FoundPath) -> Difference:
    """A difference that is open where reading ends at plain pixels, or begins after what could have made it."""
    if one.unknown:
        return one
    begun = _begun_before(one, left, right)
    if begun:
        return replace(one, unknown=begun)
    if one.aspect not in _OF_NUMBERS:
        return one
    certain = right.fed and networks.joined(left.networks, right.networks) > 0
    ends = [
        path
        for path in (left, right)
        if path.pipeline.dtype == "uint8" and path.pipeline.affine == Affine() and not (certain and path is right)
    ]
    if not ends:
        return one
    return replace(one, unknown=f"{ends[0].name} is read up to pixels of 8 bits, and not what becomes of them")


def _begun_before(one: Difference, left: FoundPath, right: FoundPath) -> str:
    """Why a difference may come of what was done before a path is read from; '' where it does not."""
    for path, other in ((left, right), (right, left)):
        pipeline = path.pipeline
        if one.aspect == "channel order" and is_of_transform(pipeline.decode) and "order" not in pipeline.provenance:
            return f"what opens the pictures of {path.name} is not seen"
        if one.aspect not in _OF_SIZES or not is_stored(pipeline.decode) or is_stored(other.pipeline.decode):
            continue
        if not any(isinstance(step, Resize | Crop | Pad) for step in pipeline.geometry or ()):
            return f"{path.name} reads pictures that were stored as numbers, of a size that is not known"
    return ""


def _is_cast(one: Difference) -> bool:
    """Whether it is only another size of floats, which frameworks cast to their own."""
    return one.field == "dtype" and one.left.startswith("float") and one.right.startswith("float")


def _is_one_statement(one: Difference, left: FoundPath, right: FoundPath) -> bool:
    """Whether both sides are one statement with one result, which was read with its condition on one side only."""
    if one.field != "affine.of_content" or left.pipeline.affine.scale is None:
        return False
    places = {(known.path, known.line) for known in (_origin(path, "affine.scale") for path in (left, right))}
    sides = [(path.pipeline.affine.scale, path.pipeline.affine.offset) for path in (left, right)]
    return len(places) == 1 and sides[0] == sides[1]


def together(aspect: str) -> frozenset[Aspect]:
    """All aspects that are open where one is."""
    return next((group for group in _TOGETHER if aspect in group), frozenset({cast(Aspect, aspect)}))


def _what_was_open(before: Sequence[ComparedPath], found: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """Of the differences to evaluation, those that could not be looked at against any training path."""
    opened = [
        {aspect for item in one.pair.differences if item.unknown for aspect in together(item.aspect)} for one in before
    ]
    still = set.intersection(*opened) if opened else set()
    return tuple(item for item in found if item.aspect in still and not item.unknown)


def _without_settled(one: ComparedPath, others: Sequence[ComparedPath]) -> ComparedPath:
    """A comparison without what is unknown in it and was found by another one of the same path."""
    elsewhere = {
        aspect
        for other in others
        if other is not one
        for item in other.pair.differences
        if not item.unknown
        for aspect in together(item.aspect)
    }
    kept = tuple(item for item in one.pair.differences if not (item.unknown and item.aspect in elsewhere))
    return replace(one, pair=replace(one.pair, differences=kept))


def _agreeing(one: ComparedPath, considered: Sequence[ComparedPath]) -> dict[Aspect, str]:
    """For each difference another path of the left's role that has none of that kind, and could be compared."""
    found: dict[Aspect, str] = {}
    for item in one.pair.differences:
        for other in considered:
            if other.right is not one.right or other.left is one.left or other.left.role != one.left.role:
                continue
            if _alike(other, item.aspect):
                found.setdefault(item.aspect, other.left.name)
    return found


def _otherwise(one: ComparedPath, considered: Sequence[ComparedPath]) -> frozenset[Aspect]:
    """The differences that another way through the same function of the same script does not have."""
    others = [
        other
        for other in considered
        if other.left is one.left
        and other.right is not one.right
        and (other.right.name, other.right.entry) == (one.right.name, one.right.entry)
    ]
    return frozenset(
        item.aspect for item in one.pair.differences if any(_alike(other, item.aspect) for other in others)
    )


def _alike(one: ComparedPath, aspect: Aspect) -> bool:
    """Whether two paths do the same, as far as an aspect goes and can be compared."""
    known = {item.aspect for item in one.pair.differences if not item.unknown}
    still_open = {item.aspect for item in one.pair.differences if item.unknown}
    return aspect not in known and not still_open & together(aspect)


def _named(path: FoundPath, reading: RepositoryReading) -> Pipeline:
    """A pipeline under a name that tells it from the other paths'."""
    names = [other.name for other in reading.paths]
    name = path.name if names.count(path.name) < 2 else f"{path.name} ({path.entry})"
    return replace(path.pipeline, name=name)


def _placed(one: Difference, left: FoundPath, right: FoundPath) -> Difference:
    """A difference with a file and a line on both sides; where none is known of a field, the path's own."""
    return replace(one, left_origin=_origin(left, one.field), right_origin=_origin(right, one.field))


_STEP = re.compile(r"geometry\[(\d+)\]\Z")


def _origin(path: FoundPath, field: str) -> Provenance:
    """Where a field of a path is known from: its own place, else one of its part, else where the path begins."""
    pipeline = path.pipeline
    part, _, name = field.rpartition(".")
    step = _STEP.match(part or name)
    steps = pipeline.geometry or ()
    places: list[Provenance | None]
    if step is not None:
        at = min(int(step[1]), len(steps) - 1)
        places = [] if at < 0 else [steps[at].origin_of(name if part else ""), *_all(steps[at])]
    elif part in ("decode", "affine"):
        whole: Part = getattr(pipeline, part)
        places = [whole.origin_of(name), *_all(whole)]
    elif name == "geometry":
        places = [pipeline.provenance.get(name), *(one for item in steps for one in _all(item))]
    elif name == "order":
        places = [pipeline.origin_of(name), pipeline.decode.origin_of(name), *_all(pipeline.decode)]
    else:
        places = [pipeline.origin_of(name)]
    known = next((one for one in places if one is not None), Provenance(origin=Origin.EXPLICIT))
    placed = next((one for one in places if one is not None and one.path is not None), None)
    if placed is not None:
        return replace(known, path=placed.path, line=placed.line)
    file, line = split_entry(path.entry)
    return replace(known, path=file, line=line)


def _all(part: Part) -> list[Provenance]:
    """Every origin of a part, that of the whole first."""
    return [part.provenance[name] for name in sorted(part.provenance)]


def split_entry(entry: str) -> tuple[str, int | None]:
    """File and line of 'file:line'; the line is None where there is none.

    >>> split_entry("app/serve.py:12"), split_entry("serve.py")
    (('app/serve.py', 12), ('serve.py', None))
    """
    file, colon, line = entry.rpartition(":")
    return (file, int(line)) if colon and line.isdecimal() else (entry, None)


def _notes(alive: Sequence[FoundPath], reading: RepositoryReading) -> tuple[str, ...]:
    notes = []
    dead = sum(not path.reachable for path in reading.paths)
    if dead:
        notes.append(
            "1 path that nothing leads to is not compared"
            if dead == 1
            else f"{dead} paths that nothing leads to are not compared"
        )
    roles = {path.role for path in alive}
    if alive and "train" not in roles and roles:
        instead = "evaluation" if roles & {"val", "eval"} else "the first path that serves"
        if len(alive) > 1:
            notes.append(f"no training path was found: the others are held against {instead}")
    return tuple(notes)
