"""What chance decides in a function: told from what changes between answers to the same picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.asking import Asker, ProbeError
from dataguard.preprocessing.probe.response import find_layout, spatial
from dataguard.preprocessing.steps import Random

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRIES = 24
"""A step that is done half of the time stays unseen once in 8 million."""


def differs(asker: Asker, trial: NDArray[np.uint8], tries: int = 8) -> bool:
    """Whether the same picture gives different answers; a step done half of the time is missed once in 128."""
    first = asker.ask(trial)
    for _ in range(tries - 1):
        other = asker.ask(trial)
        if other.shape != first.shape or not np.array_equal(other, first, equal_nan=other.dtype.kind == "f"):
            return True
    return False


def what_varies(asker: Asker, tries: int = TRIES) -> tuple[Random, ...]:
    """The steps that chance decides, as far as pictures show them.

    Raises:
        ProbeError: the answers are no pictures.
    """
    side = 128
    flat = [_asked(asker, stimuli.constant(side, side, (190, 120, 70))) for _ in range(tries)]
    if len({one.shape for one in flat}) > 1:
        return (Random(name="size", parameters=(("varies", "the size of the answer"),)),)
    found: list[Random] = []
    stack = np.stack(flat)
    scale = float(np.ptp(stack)) or 1.0
    grain = float(np.median([np.abs(one - np.median(one, axis=(0, 1))).mean() for one in flat]))
    middles = np.median(stack, axis=(1, 2))
    spread = float(np.ptp(middles, axis=0).max())
    flat_enough = grain <= 0.01 * scale
    if spread > max(1e-3 * scale, 0.2 * grain):
        found.append(Random(name="ColorJitter", parameters=(("varies", "the levels of a picture in one colour"),)))
    blocks = [np.abs(one - np.median(one, axis=(0, 1))).max(axis=2) > 0.02 * scale for one in flat]
    holes = [float(block.mean()) for block in blocks]
    if not flat_enough and min(holes) > 0.2:
        found.append(Random(name="GaussianNoise", parameters=(("varies", "each pixel by itself"),)))
    elif max(holes) > 0 and any(not np.array_equal(blocks[0], block) for block in blocks[1:]):
        found.append(Random(name="RandomErasing", parameters=(("varies", "a part of a picture in one colour"),)))
    moves = _moves(asker, side, tries)
    if found:
        # Other levels change slopes and means too; a change of direction is one of place all the same.
        moves = [step for step in moves if step.name not in ("RandomResizedCrop", "RandomCrop")]
    if any(step.name == "RandomErasing" for step in found):
        # A hole bends ramps in any way.
        moves = []
    found += moves
    return tuple(found) or (Random(name="unknown", parameters=(("varies", "something that ramps do not show"),)),)


def _asked(asker: Asker, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    answer = asker.ask(pixels)
    return spatial(answer, find_layout(answer))


def _moves(asker: Asker, side: int, tries: int) -> list[Random]:
    """What happens to the place of pixels: ramps along the width and along the height, in turn."""
    slopes: list[list[float]] = [[], []]
    shifts: list[list[float]] = [[], []]
    leans: list[float] = []
    for axis in (0, 1):
        for _ in range(tries):
            answer = _asked(asker, stimuli.along(side, side, stimuli.ramp(side), 0 if axis == 0 else 1))
            plane = answer.mean(axis=2)
            rows, columns = plane.shape
            cut = plane[rows // 4 : 3 * rows // 4, columns // 4 : 3 * columns // 4]
            along = np.polyfit(np.arange(cut.shape[axis]), cut.mean(axis=1 - axis), 1)
            across = np.polyfit(np.arange(cut.shape[1 - axis]), cut.mean(axis=axis), 1)
            slopes[axis].append(float(along[0]))
            shifts[axis].append(float(cut.mean()))
            leans.append(abs(float(across[0])) / (abs(float(along[0])) + abs(float(across[0])) + 1e-12))
    found: list[Random] = []
    for axis, name in ((1, "RandomHorizontalFlip"), (0, "RandomVerticalFlip")):
        negative = sum(slope < 0 for slope in slopes[axis])
        if 0 < negative < tries:
            share = negative / tries
            found.append(Random(name=name, parameters=(("share", f"{share:.2f} of {tries} answers"),)))
    if max(leans) > 0.05:
        found.append(Random(name="RandomRotation", parameters=(("varies", "the direction of a ramp"),)))
        return found
    sizes = [np.abs(one) for one in slopes]
    steepness = max(float(np.ptp(one) / np.median(one)) for one in sizes)
    # Where along the ramp its middle lies, in pixels of the picture; mirrored ones count as what they mirror.
    places = []
    for axis in (0, 1):
        middle = np.abs(np.asarray(shifts[axis]) - float(np.mean(shifts[axis])))
        places.append(float(np.ptp(middle) / np.median(sizes[axis])))
    if steepness > 0.02:
        words = ("varies", f"the scale, by {steepness:.0%}")
        found.append(Random(name="RandomResizedCrop", parameters=(words,)))
    elif max(places) > 1.5:
        found.append(Random(name="RandomCrop", parameters=(("varies", "where the picture is cut"),)))
    return found


def seeded(asker: Asker) -> bool:
    """Whether seeds of Python, NumPy and torch make the answers repeat; from then on they are set before each call."""
    trial = stimuli.photograph(120, 150, 3)
    asker.seeded = True
    try:
        if not differs(asker, trial):
            return True
    except ProbeError:
        pass
    asker.seeded = False
    return False
