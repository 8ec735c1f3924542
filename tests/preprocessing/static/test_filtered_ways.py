"""Several ways of which some filter: where filters stand among the steps that the ways have in common."""

from __future__ import annotations

import pytest

from dataguard.preprocessing.static.canonical import steps_of
from dataguard.preprocessing.steps import Crop, Filter, Flip, Pad, Resize, Step

BLUR = Filter(name="GaussianBlur")
SMALL, LARGE = (Resize(height=side, width=side) for side in (32, 64))
FLIP = Flip()


@pytest.mark.parametrize(
    ("ways", "kinds"),
    [
        ([(BLUR, SMALL), (BLUR, LARGE)], [Filter, Resize]),
        ([(SMALL, BLUR), (LARGE, BLUR)], [Resize, Filter]),
        ([(BLUR, SMALL), (Filter(name="MedianFilter"), SMALL)], [Filter, Resize]),
        ([(BLUR, SMALL, FLIP), (SMALL, FLIP)], [Filter, Resize, Flip]),
        ([(SMALL, BLUR, FLIP), (SMALL, FLIP)], [Resize, Filter, Flip]),
        ([(SMALL, FLIP, BLUR), (SMALL, FLIP)], [Resize, Flip, Filter]),
        ([(BLUR, SMALL, Pad(height=64)), (BLUR, SMALL, Crop(height=9))], [Filter, Resize, Crop, Pad]),
    ],
)
def test_filters_stay_where_they_are(ways: list[tuple[Step, ...]], kinds: list[type[Step]]) -> None:
    found = steps_of(ways, "by a flag")
    assert [type(one) for one in found or ()] == kinds
