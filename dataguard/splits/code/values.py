"""Abstract values: which rows a value holds, and what has been fitted on the way to it.

A row is known by where it was read (its *root*) and by the parts of splits that it went to. Two sets of rows may share
one unless they come from different roots, or went to different parts of one split.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Part: TypeAlias = tuple[object, str]
"""A split and the name of one of its parts."""
Parts: TypeAlias = frozenset[Part]
RowSet: TypeAlias = tuple[int, Parts]
"""A root, and the parts that its rows went to."""
Rows: TypeAlias = frozenset[RowSet]
Events: TypeAlias = frozenset[int]
"""Numbers of fits."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A slice at a number."""

    at: int


NO_ROWS: Rows = frozenset()
NO_EVENTS: Events = frozenset()
MAX_ROW_SETS = 24
"""Sets of rows that a value is made of before the parts of splits are forgotten."""
MAX_ELEMENTS = 32
"""Elements of a list that are told apart."""


def disjoint(first: RowSet, second: RowSet) -> bool:
    """Whether no row can be in both."""
    if first[0] != second[0]:
        return True
    return next(_keeping_apart(first[1], second[1]), None) is not None


def _keeping_apart(first: Parts, second: Parts) -> Iterator[object]:
    """The splits of which the two are different parts."""
    parts = dict(first)
    for split, part in second:
        if split in parts and parts[split] != part:
            yield split
    # Slices at numbers are apart where one ends before the other begins: [:890] and [891:].
    for one, other in ((first, second), (second, first)):
        ends = [split.at for split, part in one if isinstance(split, Cut) and part == "before"]
        starts = [(split.at, split) for split, part in other if isinstance(split, Cut) and part == "after"]
        for end in ends:
            for start, split in starts:
                if end <= start and (end < 0) == (start < 0):
                    yield split


def overlap(first: Rows, second: Rows) -> bool:
    """Whether some row may be in both."""
    return any(not disjoint(one, other) for one in first for other in second)


def separating(first: Rows, second: Rows) -> frozenset[object]:
    """The splits that keep two sets of rows of one root apart; none where they overlap."""
    if overlap(first, second):
        return frozenset()
    return frozenset(
        split for one in first for other in second if one[0] == other[0] for split in _keeping_apart(one[1], other[1])
    )


def restricted(rows: Rows, parts: Iterable[Part]) -> Rows:
    """The rows that went to these parts as well."""
    extra = dict(parts)
    if not extra:
        return rows
    return frozenset((root, frozenset({**dict(known), **extra}.items())) for root, known in rows)


def bounded(rows: Rows) -> Rows:
    """`rows`, with the parts forgotten where there are too many sets to tell apart."""
    if len(rows) <= MAX_ROW_SETS:
        return rows
    return frozenset((root, frozenset()) for root, _ in rows)


class Value:
    """Anything that a name may stand for. Python's own references hold here too: two names may mean one value."""

    __slots__ = ()


class Data(Value):
    """Something with rows, or computed from rows: a frame, an array, a column, a mean."""

    __slots__ = (
        "aggregate",
        "base",
        "columns",
        "events",
        "index",
        "latent",
        "made_by",
        "mask",
        "origin",
        "rows",
        "single",
        "size",
    )

    def __init__(
        self,
        rows: Rows = NO_ROWS,
        events: Events = NO_EVENTS,
        *,
        columns: Mapping[str, Events] | None = None,
        latent: Events = NO_EVENTS,
        aggregate: bool = False,
        index: Parts | None = None,
        mask: Part | None = None,
        base: tuple[Data, str | None] | None = None,
        origin: int | None = None,
        single: bool = False,
        size: Rows | None = None,
        made_by: tuple[int, ...] = (),
    ) -> None:
        self.rows = rows if len(rows) <= MAX_ROW_SETS else bounded(rows)
        self.events = events
        """Fits that all columns went through."""
        self.columns: dict[str, Events] = dict(columns) if columns else {}
        """Fits that single columns went through, where these are known to differ from those of all."""
        self.latent = latent
        """Fits that this value is the result of, which hold for whatever it is combined with."""
        self.aggregate = aggregate
        """It was computed over rows and has none of its own, as a mean."""
        self.index = index
        """It holds the positions of the rows that went to these parts."""
        self.mask = mask
        """It says for each row whether it goes to this part."""
        self.base = base
        """What it is a column of, so that a change in place reaches it."""
        self.origin = origin
        """The root that it is exactly, where it was just read; for results that name their own parts."""
        self.single = single
        """It is one row or one element, so that nothing is computed over rows with it."""
        self.size = size
        """It is the number of these rows."""
        self.made_by = made_by
        """Numbers of the evaluations that it is the prediction of."""

    @property
    def all_events(self) -> Events:
        """Fits that any column went through."""
        if not self.columns:
            return self.events
        return self.events.union(*self.columns.values())

    def copy(self) -> Data:
        """Another value, the same at this moment."""
        return Data(
            self.rows,
            self.events,
            columns=self.columns,
            latent=self.latent,
            aggregate=self.aggregate,
            index=self.index,
            mask=self.mask,
            origin=self.origin,
            single=self.single,
            size=self.size,
            made_by=self.made_by,
        )

    def become(self, other: Data) -> None:
        """Change in place into what another value is."""
        self.rows, self.events, self.columns = other.rows, other.events, dict(other.columns)
        self.latent, self.aggregate, self.index, self.mask = other.latent, other.aggregate, other.index, other.mask
        self.origin = None
        if self.base is not None and other is not self:
            owner, column = self.base
            owner.set_column(column, other.all_events)

    def column_events(self, column: str) -> Events:
        """Fits that a column went through."""
        return self.columns.get(column, self.events)

    def taint(self, events: Events) -> None:
        """Every column went through these fits as well."""
        self.events |= events
        for column in self.columns:
            self.columns[column] |= events

    def set_column(self, column: str | None, events: Events, *, replace: bool = True) -> None:
        """What happens to a frame when a column of it is set; None for a column whose name is not known."""
        self.origin = None
        if column is None:
            self.taint(events)
        else:
            self.columns[column] = events if replace else self.column_events(column) | events


class Const(Value):
    """A literal."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class Lib(Value):
    """Something of a library, by its dotted name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Estimator(Value):
    """An instance of something that is fitted, splits or predicts: a scaler, a model, a pipeline, a fold maker."""

    __slots__ = ("count", "events", "fits", "keywords", "line", "name", "steps", "trained")

    def __init__(
        self, name: str, line: int, *, steps: tuple[Value, ...] = (), keywords: Mapping[str, Value] | None = None
    ) -> None:
        self.name = name
        self.line = line
        self.steps = steps
        """What a pipeline is made of, or what a search searches over."""
        self.keywords = dict(keywords or {})
        self.events: Events = NO_EVENTS
        """The fits that its present state comes from, and those before in the data."""
        self.fits: tuple[int, ...] = ()
        """Numbers of the training uses of its present state."""
        self.trained = False
        self.count = 1
        """How many different ones this stands for."""


class Seq(Value):
    """A list or a tuple: its elements as far as they are told apart, and what any other element may be."""

    __slots__ = ("items", "rest")

    def __init__(self, items: Iterable[Value] = (), rest: Value | None = None) -> None:
        self.items = list(items)
        self.rest = rest

    def elements(self) -> Iterator[Value]:
        """Every element."""
        yield from self.items
        if self.rest is not None:
            yield self.rest


class Mapped(Value):
    """A dict with what its known keys hold, and what any other key may."""

    __slots__ = ("items", "rest")

    def __init__(self, items: Mapping[Any, Value] | None = None, rest: Value | None = None) -> None:
        self.items: dict[object, Value] = dict(items or {})
        self.rest = rest

    def elements(self) -> Iterator[Value]:
        """Every value held."""
        yield from self.items.values()
        if self.rest is not None:
            yield self.rest


class Function(Value):
    """A function or a lambda of the code itself."""

    __slots__ = ("node", "scope", "start")

    def __init__(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope, start: int = 0) -> None:
        self.node = node
        self.scope = scope
        self.start = start
        """How many lines are counted before the first of its file."""


class Class(Value):
    """A class of the code itself."""

    __slots__ = ("attributes", "bases", "name")

    def __init__(self, name: str, bases: tuple[Value, ...], attributes: dict[str, Value]) -> None:
        self.name = name
        self.bases = bases
        self.attributes = attributes

    def find(self, name: str, depth: int = 0) -> Value | None:
        """An attribute of it or of what it inherits from in the code."""
        if name in self.attributes:
            return self.attributes[name]
        for base in self.bases if depth < 8 else ():
            if isinstance(base, Class) and (found := base.find(name, depth + 1)) is not None:
                return found
        return None

    def inherits(self, words: frozenset[str], depth: int = 0) -> bool:
        """Whether a library's class among its ancestors has one of these last names."""
        for base in self.bases if depth < 8 else ():
            if isinstance(base, Lib) and base.name.rpartition(".")[2] in words:
                return True
            if isinstance(base, Class) and base.inherits(words, depth + 1):
                return True
        return False


class Instance(Value):
    """An instance of a class of the code itself."""

    __slots__ = ("attributes", "cls", "fits", "line")

    def __init__(self, cls: Class, line: int) -> None:
        self.cls = cls
        self.line = line
        self.attributes: dict[str, Value] = {}
        self.fits: tuple[int, ...] = ()


class Bound(Value):
    """A method, with what it is of."""

    __slots__ = ("name", "owner")

    def __init__(self, owner: Value, name: str) -> None:
        self.owner = owner
        self.name = name


class Scope:
    """Names and what they stand for."""

    __slots__ = ("declared", "names", "parent")

    def __init__(self, parent: Scope | None = None) -> None:
        self.names: dict[str, Value] = {}
        self.parent = parent
        self.declared: set[str] = set()
        """Names that a function calls global or nonlocal."""

    def get(self, name: str) -> Value | None:
        """What a name stands for here."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def set(self, name: str, value: Value) -> None:
        """Let a name stand for a value."""
        scope = self
        if name in self.declared:
            while scope.parent is not None and (scope is self or name not in scope.names):
                scope = scope.parent
        scope.names[name] = value


NOTHING = Const(None)
_WITHOUT_PARTS = frozenset({Const, Lib, Function, Class, Estimator, Bound})


def parts_of(value: Value, depth: int = 0) -> Iterator[Data]:
    """Everything with rows within a value."""
    if isinstance(value, Data):
        yield value
    elif depth < 4 and isinstance(value, Seq | Mapped):
        for item in value.elements():
            yield from parts_of(item, depth + 1)
    elif depth < 3 and isinstance(value, Instance):
        for item in list(value.attributes.values())[:MAX_ELEMENTS]:
            yield from parts_of(item, depth + 2)


def combined(values: Iterable[Value], *, columns: bool = False) -> Data:
    """What is made of several values: their rows, and every fit that any of them went through.

    A mean has no rows of its own: where it meets data, the data have been through it.

    Args:
        values: Any values; only what has rows matters.
        columns: Whether the columns stay told apart, as in a concatenation.
    """
    found: list[Data] = []
    for value in values:
        if type(value) is Data:
            found.append(value)
        elif type(value) not in _WITHOUT_PARTS:
            found += parts_of(value)
    if not found:
        return Data()
    if len(found) == 1:
        only = found[0]
        return Data(
            only.rows,
            only.events if columns else only.all_events,
            columns=only.columns if columns else None,
            latent=only.latent,
            aggregate=only.aggregate,
            index=only.index,
            single=only.single,
            made_by=only.made_by,
        )
    whole = [data for data in found if not data.aggregate]
    rows = frozenset().union(*(data.rows for data in (whole or found)))
    events = NO_EVENTS.union(*((data.events if columns else data.all_events) for data in found))
    latent = NO_EVENTS.union(*(data.latent for data in found))
    made_by = tuple(dict.fromkeys(number for data in found for number in data.made_by))
    merged: dict[str, Events] = {}
    if columns:
        for data in found:
            for name, own in data.columns.items():
                merged[name] = merged.get(name, NO_EVENTS) | own
            for name in merged.keys() - data.columns.keys():
                if data.events:
                    merged[name] |= data.events
    if whole and any(data.rows for data in whole):
        single = all(data.single or data.aggregate for data in found)
        return Data(rows, events | latent, columns=merged, single=single, made_by=made_by)
    return Data(rows, events, columns=merged, latent=latent, aggregate=True)


def joined(first: Value | None, second: Value | None, depth: int = 0) -> Value:
    """What a name may stand for that stands for one value or another."""
    if first is None or first is second:
        return second if second is not None else NOTHING
    if second is None:
        return first
    if isinstance(first, Const):
        if isinstance(second, Const) and first.value != second.value:
            return Data()
        return second
    if isinstance(second, Const):
        return first
    if isinstance(first, Data) and isinstance(second, Data):
        return Data(
            first.rows | second.rows,
            first.events | second.events,
            columns={
                name: first.column_events(name) | second.column_events(name)
                for name in {**first.columns, **second.columns}
            },
            latent=first.latent | second.latent,
            aggregate=first.aggregate and second.aggregate,
            mask=first.mask if first.mask == second.mask else None,
            index=first.index if first.index == second.index else None,
            single=first.single and second.single,
            made_by=tuple(dict.fromkeys((*first.made_by, *second.made_by))),
        )
    if isinstance(first, Seq) and isinstance(second, Seq) and depth < 3:
        if len(first.items) == len(second.items):
            pairs = zip(first.items, second.items, strict=True)
            rest = joined(first.rest, second.rest, depth + 1) if first.rest or second.rest else None
            return Seq([joined(one, other, depth + 1) for one, other in pairs], rest)
        return first if len(first.items) > len(second.items) else second
    if isinstance(first, Mapped) and isinstance(second, Mapped) and depth < 3:
        keys = {**first.items, **second.items}
        return Mapped(
            {key: joined(first.items.get(key), second.items.get(key), depth + 1) for key in keys},
            joined(first.rest, second.rest, depth + 1) if first.rest or second.rest else None,
        )
    if isinstance(first, Estimator) and isinstance(second, Estimator):
        both = Estimator(
            first.name if first.name == second.name else "", first.line, steps=(*first.steps, *second.steps)
        )
        both.events = first.events | second.events
        both.fits = tuple(dict.fromkeys((*first.fits, *second.fits)))
        both.trained = first.trained or second.trained
        both.count = first.count + second.count
        return both
    for one, other in ((first, second), (second, first)):
        if isinstance(one, Data) and not isinstance(other, Data):
            return other if not one.rows and not one.all_events else one
    return first
