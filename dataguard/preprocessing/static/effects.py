"""What a step that is not followed leaves alone, told by its name and by what the picture is.

Measured over the 187 labelled repositories, on calls that are followed, as the share of those that change a field:

    named for           calls   order  geometry  affine  layout  dtype
    size and place        376      2%       92%      2%      2%     9%
    augmentation           97      2%       76%      6%      6%     8%
    axes and arrays       352      0%        3%      3%     17%    15%
    colours                72     67%        0%      0%     15%     0%
    levels                 44      5%        2%     50%      9%    27%
    anything else         329      4%        9%      9%     12%    26%

(of axes, colours, levels and the last: functions of libraries alone). What less than 3 % change is left as it was.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from dataguard.preprocessing.static.picture import State, by_chance, explicit, losing

_WORDS = {
    "whole": r"transform|preprocess|process|prepare|pipeline|compose|collate|read|load|convert|build|make|generate",
    "place": r"crop|resiz|rescale|pad|rotat|warp|flip|affine|zoom|letterbox|perspect|shear|transla|mirror",
    "chance": r"aug|jitter|noise|blur|rand|cut_?out|mix_?up|eras|policy|distort|contrast|bright|satur|invert|poster|"
    r"solar|equali",
    "levels": r"norm|standard|mean|substr|subtr|whiten|div|mul|scale|clip",
    "axes": r"tensor|permute|transpose|chw|hwc|array|numpy|batch|stack|blob|proto|squeeze|dims|axis",
    "colours": r"^dot$|matmul|einsum|bgr|rgb|gr[ae]y|colou?r(?!.?jitter)|cvt|channel|hsv",
}
_NAME = re.compile(r"^what ([\w.]+?)(?:\.\(\))? does\b|^what \.(\w+)\(\) does\b")
_EVERYTHING = ("order", "geometry", "affine", "layout", "dtype")


@lru_cache(maxsize=4096)
def kinds(name: str) -> frozenset[str]:
    """What the words in a name say that it does: any of 'place', 'chance', 'levels', 'axes', 'colours', 'whole'.

    >>> sorted(kinds("RandomRotate")), sorted(kinds("warp_face")), sorted(kinds("foo"))
    (['chance', 'place'], ['place'], [])
    """
    lowered = name.lower()
    return frozenset(kind for kind, words in _WORDS.items() if re.search(words, lowered))


def named_in(why: str) -> tuple[str, bool]:
    """The name of what is not followed, in the reason that says so, and whether it is of a library.

    >>> named_in("what scipy.ndimage.zoom does is not known"), named_in("what .mul() does is not known")
    (('zoom', True), ('mul', True))
    """
    found = _NAME.search(why)
    if found is None:
        return "", False
    whole = found[1] or found[2]
    return whole.rpartition(".")[2], found[2] is not None or "." in whole


def unfollowed(state: State, place: str, why: str, name: str = "", *, library: bool = False) -> State:
    """A state after a step that is not followed: what the step may have changed is not known.

    Args:
        state: The state before.
        place: 'file:line' of the step.
        why: What it is.
        name: What is called; '' takes it from `why`.
        library: Whether it is a library's.
    """
    if not name:
        name, library = named_in(why)
    found = kinds(name) if name else frozenset({"whole"})
    pillow = state.kind == "pil"
    if name == "preprocess_input":
        # As Keras calls what maps levels for one of its networks.
        names: tuple[str, ...] = ("order", "affine", "dtype")
    elif found == {"place"}:
        names = ("geometry",) if pillow else ("geometry", "dtype")
    elif "chance" in found and found <= {"chance", "place"}:
        size = state.size if "place" not in found else None
        changed = by_chance(state, name, place, size=size)
        return _taken(changed if pillow else losing(changed, place, why, "dtype"), name, place)
    elif library and found == {"axes"}:
        names = ("layout", "dtype")
    elif library and found == {"colours"}:
        names = ("order", "layout")
    elif library and found == {"levels"}:
        names = ("order", "affine", "layout", "dtype")
    else:
        names = _EVERYTHING
    changed = _taken(losing(state, place, why, *names), name, place)
    return replace(changed, size=(None, None)) if "geometry" in names else changed


def _taken(state: State, name: str, place: str) -> State:
    """A state that says of each field which a step that is not followed leaves alone that it is taken to do so."""
    kept = [one for one in ("order", "affine", "layout", "dtype") if one not in state.lost]
    said = dict(state.said)
    for one in kept:
        before = said.get(one) or explicit(place)
        note = f"{name} is not followed, and taken to leave it alone"
        if note not in before.detail:
            said[one] = replace(before, detail=f"{before.detail}; {note}".lstrip("; "))
    return replace(state, said=said) if kept else state
