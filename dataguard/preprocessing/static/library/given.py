"""Pictures that the code is handed by somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.static.noise import NOISE
from dataguard.preprocessing.static.picture import Kind, State, explicit, losing
from dataguard.preprocessing.static.values import Choice, Picture, Seq, Unknown, Value

if TYPE_CHECKING:
    pass


GIVEN = "the picture is given: "
"""Beginning of the reason why a picture's decoder is not known where nothing here opens it."""
OF_TRANSFORM = "the caller of the transform opens it"
"""Beginning of the reason why a picture is not known to which a chain of transforms is applied somewhere."""
NO_PICTURES = (NOISE, "no picture", "what a model returns", "what tensorflow.nn.", "what tensorflow.layers.",
               "what tensorflow.contrib.", "what keras.layers.",
               "what tensorflow.get_variable", "what tensorflow.Variable",
               "what numpy.mgrid", "what numpy.ogrid")  # fmt: skip
"""Beginnings of reasons why a value is not known which say that it is no picture."""
STORED = ("an item of ", "what scipy.io.loadmat", "what numpy.load", "what bcolz.carray")
"""Beginnings of reasons why a value is not known which say that it was stored as numbers."""
_COLLECTED = "an item of h5py."
"""Beginning of the reason of what a file holds that data sets are handed round in: with it a path begins."""
PICKLED = (*STORED, "what pickle.load")
"""The same, and of what was stored as objects, which are arrays where they are stacked or arranged as such."""
READ = " reads it"
"""End of the reason why a picture is not known that a function of another package reads."""


def as_state(value: Value, *, kind: Kind = "array") -> State | None:
    """The state of a value that must be a picture; None where it is something else."""
    if isinstance(value, Picture):
        return value.state
    if isinstance(value, Choice):
        found = next((one for one in value.options if isinstance(one, Picture)), None)
        return found.state if found is not None else None
    if isinstance(value, Unknown):
        return None if value.why.startswith(NO_PICTURES) else from_caller(value, kind=kind)
    if isinstance(value, Seq) and len(value.items) == 1 and isinstance(value.items[0], Picture):
        return value.items[0].state
    return None


def from_caller(value: Unknown, *, kind: Kind = "array", opened: bool = False) -> State:
    """A picture that is given, of which only the library is known that handles it next.

    Args:
        value: What is given.
        kind: Whose picture it is taken for.
        opened: It is a picture that Pillow opened, whose channels are red, green, blue.
    """
    why = f"{GIVEN}{value.reason()}"
    decode = Decode(
        library=None,
        flags=None,
        order=None,
        exif=None,
        alpha=None,
        gray=None,
        sixteen_bit=None,
        undetermined=dict.fromkeys(("library", "flags", "order", "exif", "alpha", "gray", "sixteen_bit"), why),
    )
    lost = {} if opened else {"order": why}
    begun = (
        value.kind == "caller" or value.why.endswith(READ) or (value.why.startswith(_COLLECTED) and not value.changed)
    )
    if not opened and not begun:
        # Of an argument the caller is asked; what a function did to a picture nobody asks.
        lost["geometry"] = why
    if value.why.startswith(STORED):
        # Of what is stored nothing is known, be it the order of axes.
        lost["layout"] = why
    if value.why.startswith("what bcolz.carray"):
        # Unlike other files of arrays these are made to hold what goes into a model, mapped as it wants it.
        lost["affine"] = lost["dtype"] = why
    if value.changed or value.shift != 0:
        lost["affine"] = lost["dtype"] = f"what it is was computed before: {value.reason()}"
    return State(
        kind=kind,
        decode=decode,
        channels=("R", "G", "B") if opened else ("0", "1", "2"),
        lost=lost,
        dtype="uint8",
    )


def is_stored(decode: Decode) -> bool:
    """Whether pictures are read out of a file of numbers, so that nothing tells what was done to them before."""
    return decode.undetermined.get("library", "").startswith(tuple(GIVEN + one for one in STORED))


def is_of_transform(decode: Decode) -> bool:
    """Whether of a path the transforms alone are known, and not what opens the pictures that they get."""
    return decode.undetermined.get("library", "").startswith(GIVEN + OF_TRANSFORM)


def tensor_of_caller(value: Unknown) -> State:
    """A tensor that is given, channels first, whose levels were mapped before in a way that nothing here tells."""
    state = replace(from_caller(value, kind="tensor"), layout="CHW")
    return losing(state, "", f"what was done to its levels is not known: {value.reason()}", "affine", "dtype")


def of_numbers(value: Unknown, size: Sequence[Value], lengths: Sequence[Value], place: str) -> State:
    """A picture made of numbers that were read out of a table or a file.

    Args:
        value: One of the numbers.
        size: Its height and width.
        lengths: Of its axes, as they were given.
        place: 'file:line' of where it got them.
    """
    why = f"the numbers of the picture are read: {value.reason()}"
    channels = lengths[-1] if len(lengths) > 2 and lengths[-1] in (1, 3) else lengths[0] if lengths[0] == 3 else 1
    gray = channels == 1
    known = all(isinstance(one, int) for one in size)
    decode = Decode(
        library="array", order="GRAY" if gray else None, exif=None, alpha=None, gray=None, sixteen_bit=None,
        undetermined={} if gray else {"order": why},
        provenance={"": explicit(place, f"{size[0]}×{size[1]}" if known else "")},
    )  # fmt: skip
    flat = len(lengths) == 2
    layout = "HW" if flat else "HWC" if lengths[-1] == channels else "CHW"
    return State(
        kind="array",
        decode=decode,
        channels=("Y",) if gray else ("0", "1", "2"),
        layout=layout if len(lengths) < 4 else f"N{layout}",
        lost={} if gray else {"order": why},
        size=(size[0], size[1]),
        loaded=place,
        places=(place,),
    )


def of_plane(value: Unknown, place: str) -> Picture | None:
    """A gray picture, where something that a file of arrays holds is given an axis for its one channel."""
    if not value.why.startswith(PICKLED) or value.changed:
        return None
    decode = Decode(library="array", order="GRAY", exif=None, alpha=None, gray=None, sixteen_bit=None)
    return Picture(State(kind="array", decode=decode, channels=("Y",), layout="HWC", loaded=place, places=(place,)))


def of_stored(value: Unknown, lengths: Sequence[Value], place: str) -> State | None:
    """Pictures that a file of arrays holds, where they are said to be arranged as such; None where they are not.

    Args:
        value: What was read out of the file.
        lengths: Of the axes, also as one tuple: of a batch of gray pictures, or of one of channels first or last.
        place: 'file:line' of where they are arranged.
    """
    if len(lengths) == 1 and isinstance(lengths[0], Seq):
        lengths = lengths[0].items
    if not value.why.startswith(PICKLED) or len(lengths) not in (3, 4):
        return None
    gray = len(lengths) == 3 and lengths[0] not in (1, 3) and lengths[-1] not in (1, 3)
    item = list(lengths[1:]) if gray or len(lengths) == 4 else list(lengths)
    sides = item if len(item) == 2 else item[:2] if item[-1] in (1, 3) else item[1:] if item[0] in (1, 3) else []
    if len(sides) != 2 or not all(isinstance(one, int) and one > 7 for one in sides):
        return None
    state = of_numbers(value, sides, item, place)
    return state if len(item) == len(lengths) else replace(state, layout=f"N{state.layout}")
