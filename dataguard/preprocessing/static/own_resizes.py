"""Functions of a repository that resample pictures by code of their own, as Matlab's bicubic resize is written out."""

from __future__ import annotations

import re
from dataclasses import replace

from dataguard.preprocessing.static.picture import stepped
from dataguard.preprocessing.static.values import Blank, Func, Picture, Unknown, Value
from dataguard.preprocessing.steps import unread

_BESIDE = (
    r"(?:im|imgs?|images?|pics?|pictures?|frames?|np|numpy|torch|tensor|array|pil|batch|matlab|py|bicubic|cubic|bilinear|"
    r"linear|nearest|lanczos|area|antialias|my|own|custom|do|safe|fast|keep|square|aspect|preserving|with|and|or|to|target|range|"
    r"random|native|gray|pad|padding|crop)"
)
_RESIZES = re.compile(rf"(?i)^_*(?:{_BESIDE}_?)*resize(?:_?{_BESIDE})*_?\d?$")
"""Names of functions that resize pictures: what else has the word in it asks for sizes, or moves boxes."""


def resampled(func: Func, args: list[Value], made: Value, place: str) -> Value:
    """What such a function returns: the picture that it is given at another size, where following it lost the picture.

    Told by its name, 'imresize'; how it resamples is not read.
    """
    if not isinstance(made, Unknown | Blank) or _RESIZES.search(func.name) is None:
        return made
    given = next((one for one in args[:2] if isinstance(one, Picture)), None)
    if given is None:
        return made
    step = unread(f"{func.name} resamples by code of its own ({place})")
    return Picture(replace(stepped(given.state, step, place), size=(None, None)))
