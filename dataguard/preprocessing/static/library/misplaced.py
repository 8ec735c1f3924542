"""Interpolations of OpenCV that stand where a function takes something else.

C++ takes ``resize(src, dst, dsize, fx, fy, interpolation)``. Python takes ``dst`` after ``dsize``, and a number for it,
as for a factor: an interpolation that is written one place too early is no error, and is not used. Seen with OpenCV
4.10 and 5.0, for ``dst``, ``fx`` and ``fy`` of ``resize`` and for ``dst`` of ``warpAffine`` and ``warpPerspective``.
"""

from __future__ import annotations

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.readers import kernels
from dataguard.preprocessing.static.library.registry import Call
from dataguard.preprocessing.static.values import Choice, Ext, Seq, Value, last


def note_misplaced(call: Call) -> None:
    """Keep as a fact that an interpolation is not used, where that makes other pixels than it would."""
    resizes = call.name == "cv2.resize"
    taken, name = (5, "interpolation") if resizes else (4, "flags")
    if len(call.args) <= (2 if resizes else 3) or call.given(taken, name):
        return
    places = {2: "dst", 3: "fx", 4: "fy"} if resizes else {3: "dst"}
    if resizes and not _is_size(call.get(1, "dsize")):
        places = {2: "dst"}  # Factors tell the size then.
    for position, parameter in places.items():
        named = _named(call.get(position, ""))
        if named and any(_differs(one, resizes) for one in named):
            call.machine.note(
                "misplaced-interpolation",
                call.node,
                f"{call.name} takes {' or '.join(named)} for {parameter}, not for {name}, "
                "and so interpolates bilinearly",
                function=call.name,
                meant=named[0] if len(named) == 1 else "",
                parameter=parameter,
            )
            return


def _is_size(value: Value) -> bool:
    """Whether a size is given, and not the word that factors tell it."""
    return value is not None and not (isinstance(value, Seq) and set(map(str, value.items)) == {"0"})


def _named(value: Value) -> list[str]:
    """The interpolations that a value is one of; none where it may be anything else."""
    options = value.options if isinstance(value, Choice) else [value]
    named = [last(one) for one in options if isinstance(one, Ext) and one.name.startswith("cv2.INTER_")]
    return list(dict.fromkeys(named)) if len(named) == len(options) else []


def _differs(name: str, resizes: bool) -> bool:
    """Whether an interpolation is one that a function has, and is not what it does by itself."""
    try:
        kernel = kernels.opencv(name, "interpolation")["kernel"]
    except DeclarationError:
        return False
    # Where it warps, OpenCV takes area for linear.
    return kernel != "linear" and (resizes or kernel != "area")
