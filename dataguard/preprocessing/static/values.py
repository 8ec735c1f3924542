"""What an expression can come to when code is read and not run.

Plain numbers, texts, truth values and None stand for themselves. A length that depends on the picture is known by what
it comes to for a few sizes of pictures (`Measure`), so that arithmetic on it is arithmetic, and what rule a resize
follows can be told from its results however it is written.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from dataguard.preprocessing.static.picture import State

Value: TypeAlias = Any
"""A plain Python constant, or one of the classes here."""

SIZES: tuple[tuple[int, int], ...] = (
    (480, 640),
    (640, 480),
    (333, 500),
    (1500, 2003),
    (768, 1025),
    (131, 97),
    (719, 1283),
    (601, 601),
    (2048, 611),
    (105, 1663),
)
"""Heights and widths of the pictures that stand for all: landscape, portrait, square, small, large, odd.

The last is wide as lines of text are, which reaches the limits of widths that those have. It is not wider, as nothing
would be left of its height where digits are fitted into 16 pixels.
"""

MAPPINGS = frozenset({"dict", "OrderedDict", "UserDict", "EasyDict", "CfgNode", "AttrDict", "Munch"})
"""What a class inherits from whose objects hold items by name."""

MOST_OPTIONS = 8
"""Alternatives that are followed side by side."""


# Nobody writes to the next three; they are not frozen, as to make one would then take three times as long.


@dataclass(slots=True, unsafe_hash=True)
class Unknown:
    """Something that reading does not tell."""

    why: str = ""
    place: str = ""
    """'file:line'."""
    kind: Literal["", "random", "content", "caller"] = ""
    """``random``: chance decides; ``content``: the picture's own levels; ``caller``: an argument nobody here gives."""
    typical: bool | None = None
    """Of a truth that depends on the picture's levels: what it is for a photograph."""
    shift: Any = 0
    """A number or `Measure` that was added, so that the difference of two that began as one is known."""
    changed: bool = False
    """Whether it went through arithmetic: of a picture that it turns out to be, the levels are not known."""

    base: Any = field(default=None, compare=False, repr=False)
    """What it was before numbers were added: two that are described alike need not be the same number."""

    def shifted(self, shift: Value) -> Unknown:
        """The same with another number added."""
        base = self if self.base is None else self.base
        return Unknown(self.why, self.place, self.kind, self.typical, shift, self.changed, base)

    def reason(self) -> str:
        """Why, and where."""
        return f"{self.why or 'its value is not known'}" + (f" ({self.place})" if self.place else "")


@dataclass(slots=True, unsafe_hash=True)
class Measure:
    """A number or a truth that depends on the picture's size: its values for `SIZES`, in order."""

    values: tuple[Any, ...]


@dataclass(slots=True, eq=False)
class Seq:
    """A list, tuple, set or array of values."""

    items: list[Value]
    kind: Literal["list", "tuple", "set", "array"] = "list"
    many: bool = False
    """Whether its items stand for any number of such, as many as a loop of unknown length puts into it."""


@dataclass(slots=True, eq=False)
class Map:
    """A dictionary, by constant keys."""

    items: dict[Any, Value]
    open: bool = False
    """Whether it has more keys than are known."""
    rest: Unknown | None = None
    """What was put in whose keys are not known."""


@dataclass(slots=True, unsafe_hash=True)
class Ext:
    """Something of a library, by its dotted name as it is imported: 'cv2.imread'."""

    name: str


@dataclass(slots=True, eq=False)
class ExtObj:
    """What a call of a library's function or class returns, where that is worth keeping."""

    name: str
    args: list[Value]
    kwargs: dict[str, Value]
    place: str
    attrs: dict[str, Value] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Func:
    """A function of the repository."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    module: Any
    scope: Any
    owner: Cls | None = None
    decorators: tuple[Value, ...] = ()
    named: frozenset[str] | None = None
    """Names and attributes in it, once they were asked for."""

    @property
    def name(self) -> str:
        """Its name; of a lambda 'lambda'."""
        return getattr(self.node, "name", "lambda")


@dataclass(slots=True, eq=False)
class Bound:
    """A function with what it is called on."""

    func: Func
    receiver: Value


@dataclass(slots=True, eq=False)
class Cls:
    """A class of the repository."""

    node: ast.ClassDef | None
    module: Any
    name: str
    bases: list[Value]
    attrs: dict[str, Value]
    prepares: bool | None = None
    """Whether it prepares pictures, once that was looked at."""
    is_model: bool | None = None
    """Whether it is a model of a library's kind, once that was looked at."""
    _order: list[Cls] | None = None
    _foreign: tuple[str, ...] | None = None
    named: tuple[str, ...] | None = None
    """Names in it, each once, once they were asked for."""

    def lineage(self) -> list[Cls]:
        """Itself and the repository's classes that it inherits from, in the order that names are looked up."""
        if self._order is None:
            self._order = _linear(self, 0)
        return self._order

    def find(self, name: str, *, after: Cls | None = None) -> tuple[Value, Cls] | None:
        """A name of the class or of what it inherits from; only what comes `after` a class, where that is given."""
        order = self.lineage()
        if after is not None and after in order:
            order = order[order.index(after) + 1 :]
        for one in order:
            if name in one.attrs:
                return one.attrs[name], one
        return None

    @property
    def holds_items(self) -> bool:
        """Whether its objects hold items by name, as ``dict`` does; such classes give them as attributes too."""
        return any(one.rpartition(".")[2] in MAPPINGS for one in self.foreign())

    def foreign(self) -> tuple[str, ...]:
        """The dotted names of library classes that it inherits from."""
        if self._foreign is None:
            bases = [base.name for one in self.lineage() for base in one.bases if isinstance(base, Ext)]
            self._foreign = tuple(one for one in bases if one != "builtins.object")
        return self._foreign


@dataclass(slots=True, eq=False)
class Obj:
    """An instance of a class of the repository, or a bag of attributes."""

    cls: Cls | None
    attrs: dict[str, Value]
    place: str = ""
    open: bool = False
    """Whether attributes that are not known may exist; reading one gives `Unknown`."""
    library: str = ""
    """The dotted name of the library's class that a bag of attributes is of, where it is of one."""


@dataclass(slots=True, eq=False)
class Mod:
    """A module of the repository."""

    module: Any


@dataclass(slots=True, eq=False)
class Partial:
    """``functools.partial``."""

    func: Value
    args: list[Value]
    kwargs: dict[str, Value]


@dataclass(slots=True, eq=False)
class Super:
    """``super()`` within a method."""

    receiver: Value
    after: Cls | None


@dataclass(slots=True, eq=False)
class Method:
    """A method of a value that is no instance of a class of the repository."""

    receiver: Value
    name: str


@dataclass(slots=True, eq=False)
class Picture:
    """A picture in some state; operations in place exchange the state."""

    state: State


@dataclass(frozen=True, slots=True)
class Stat:
    """A number computed of a picture's own levels: their largest, smallest, mean."""

    what: str
    typical: float
    """What it is for a photograph."""
    place: str


@dataclass(slots=True, eq=False)
class Blank:
    """A new array of one value, which pictures may be written into: 'np.zeros((h, w, 3))'."""

    shape: list[Value]
    fill: float | None
    library: str
    planes: dict[int, State] = field(default_factory=dict)
    place: str = ""
    sides: list[Blank] = field(default_factory=list)
    """The same array, once for each of several pictures that may be written into it."""
    dtype: str = ""
    """Of its numbers, and so of what is written into it; '' where that is not known."""


@dataclass(slots=True, eq=False)
class Choice:
    """One of several values; reading does not tell which."""

    options: list[Value]
    why: str
    chance: Unknown | None = None
    """Where it is chance that takes the first of two or the second."""
    test: Value = None
    """Where the picture's size tells which of the two it is: the condition of the first."""


@dataclass(slots=True, eq=False)
class Shape:
    """The lengths of a picture's axes."""

    items: list[Value]


def choice(options: Iterable[Value], why: str) -> Value:
    """Several values as one; those that are equal once.

    >>> choice([1, 1], "by a flag")
    1
    """
    flat: list[Value] = []
    for option in options:
        for one in option.options if isinstance(option, Choice) else (option,):
            for other in flat:
                if same(one, other):
                    break
            else:
                flat.append(one)
    if any(isinstance(one, Picture) and one.state.decode.library is not None for one in flat):
        # What is read of a file says more than what a caller could give instead.
        flat = [one for one in flat if not _is_given(one)]
    if len(flat) == 1:
        return flat[0]
    if len(flat) > MOST_OPTIONS:
        # To leave some out would be to say of all what is true of the others.
        from dataguard.preprocessing.static.picture import common

        reason = f"there are more than {MOST_OPTIONS} alternatives: {why}"
        found = [one.state for one in flat if isinstance(one, Picture)]
        if not found:
            return Unknown(reason)
        return Picture(common(found, reason))
    return Choice(flat, why)


_KEPT = ("what numpy.load", "what joblib.load", "what pickle.load", "what torch.load", "what cv2.FileStorage")
"""Beginnings of reasons why a value is not known which say that it was kept from an earlier run."""


def _is_given(value: Value) -> bool:
    """Whether something is an argument that nobody here gives, a copy that was kept, or the picture it is taken for."""
    if isinstance(value, Picture):
        return value.state.decode.library is None and not value.state.through
    return isinstance(value, Unknown) and (value.kind == "caller" or value.why.startswith(_KEPT))


def is_picture(value: Value) -> bool:
    """Whether a value is a picture, or one of several of which all are."""
    options = value.options if isinstance(value, Choice) else [value]
    return all(isinstance(one, Picture) for one in options)


def each(value: Value, change: Callable[[Any], Value]) -> Value:
    """What a change makes of a value, or of each of several."""
    if not isinstance(value, Choice):
        return change(value)
    return choice([change(one) for one in value.options], value.why)


def same(a: Value, b: Value) -> bool:
    """Whether two values are known to be one and the same.

    >>> same(Seq([1, 2]), Seq([1, 2], "tuple")), same(1, True)
    (True, False)
    """
    if a is b:
        return True
    kind = type(a)
    if kind is not type(b):
        return is_number(a) and is_number(b) and bool(a == b)
    if kind in _BY_EQUALITY:
        return bool(a == b)
    if isinstance(a, Seq):
        return len(a.items) == len(b.items) and all(same(x, y) for x, y in zip(a.items, b.items, strict=True))
    if isinstance(a, Map):
        return a.items.keys() == b.items.keys() and all(same(a.items[key], b.items[key]) for key in a.items)
    if isinstance(a, Picture):
        return bool(a.state == b.state)
    if isinstance(a, Func):
        return a.node is b.node
    if isinstance(a, Bound):
        return same(a.func, b.func) and a.receiver is b.receiver
    if isinstance(a, Method):
        return a.name == b.name and same(a.receiver, b.receiver)
    if isinstance(a, ExtObj):
        return (
            a.name == b.name
            and len(a.args) == len(b.args)
            and a.kwargs.keys() == b.kwargs.keys()
            and all(same(x, y) for x, y in zip(a.args, b.args, strict=True))
            and all(same(a.kwargs[key], b.kwargs[key]) for key in a.kwargs)
        )
    return False


def _linear(cls: Cls, depth: int) -> list[Cls]:
    """Depth first, the last of duplicates kept: Python's order for every hierarchy but contrived ones."""
    order = [cls]
    if depth < 12:
        for base in cls.bases:
            if isinstance(base, Cls) and base is not cls:
                order += _linear(base, depth + 1)
    kept: list[Cls] = []
    for one in reversed(order):
        if one not in kept:
            kept.append(one)
    return kept[::-1]


def measured(fn: Callable[..., Any], *operands: Value) -> Value:
    """A function of numbers, some of which depend on the picture's size.

    Returns:
        A `Measure`, a plain number where all sizes give the same, or `Unknown` where the function fails.
    """
    try:
        for one in operands:
            if type(one) is Measure:
                break
        else:
            single = fn(*operands)
            if not isinstance(single, _NUMBERS) or (isinstance(single, float) and not math.isfinite(single)):
                return Unknown("a length that is no number")
            return single
        values = [
            fn(*(one.values[index] if isinstance(one, Measure) else one for one in operands))
            for index in range(len(SIZES))
        ]
    except (ArithmeticError, ValueError, TypeError):
        return Unknown("a length that cannot be computed")
    if not all(isinstance(one, _NUMBERS) for one in values):
        return Unknown("a length that is no number")
    if any(isinstance(one, float) and not math.isfinite(one) for one in values):
        return Unknown("a length without bound")
    if all(one == values[0] and isinstance(one, bool) == isinstance(values[0], bool) for one in values):
        return values[0]
    return Measure(tuple(values))


def is_number(value: Value) -> bool:
    """Whether a value is a known number and no truth value."""
    kind = type(value)
    return kind is int or kind is float


_NUMBERS = (int, float)
PLAIN = frozenset({type(None), bool, int, float, str, bytes})
"""Types of constants that stand for themselves."""
_BY_EQUALITY = PLAIN | {Unknown, Measure, Ext}
"""Types of which two are one and the same where they are equal."""


def is_plain(value: Value) -> bool:
    """Whether a value is a constant that stands for itself."""
    return type(value) in PLAIN


NO_KEY = object()
"""What `key_of` says of what is no constant."""


def key_of(value: Value) -> Any:
    """A value as a key of a `Map`: a constant, or a tuple of constants; `NO_KEY` for what is neither.

    >>> key_of(Seq(["color", 0, -1], "tuple")), key_of(Seq([1])) is NO_KEY
    (('color', 0, -1), True)
    """
    if is_plain(value):
        return value
    if isinstance(value, Seq) and value.kind == "tuple" and all(is_plain(one) for one in value.items):
        return tuple(value.items)
    return NO_KEY


def keys_of(value: Map) -> list[Value]:
    """The keys of a `Map` as values.

    >>> [last(one) if isinstance(one, str) else one.items for one in keys_of(Map({("color", 0): 1, "K": 2}))]
    [['color', 0], 'K']
    """
    return [Seq(list(one), "tuple") if isinstance(one, tuple) else one for one in value.items]


def numbers(value: Value) -> tuple[float, ...] | None:
    """The numbers of a sequence, of any nesting with one number innermost, or of one number; None where not all are.

    >>> numbers(Seq([Seq([0.5]), Seq([0.25])]))
    (0.5, 0.25)
    """
    if is_number(value):
        return (float(value),)
    if isinstance(value, Seq) and 0 < len(value.items) <= 64:
        found: list[float] = []
        for item in value.items:
            inner = numbers(item)
            if inner is None:
                return None
            found += inner
        return tuple(found)
    return None


def last(value: Value) -> str:
    """The last word of what a library calls something, or a text itself; '' for what is neither.

    >>> last(Ext("cv2.INTER_CUBIC"))
    'INTER_CUBIC'
    """
    if isinstance(value, (Ext, ExtObj)):
        return value.name.rpartition(".")[2]
    return value if isinstance(value, str) else ""
