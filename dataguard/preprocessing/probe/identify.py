"""The path of a running function in canonical form, found by asking it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dataguard.preprocessing.pipeline import Affine, Decode, Dtype, Layout, Order, Pipeline
from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.affines import exactly_written, named
from dataguard.preprocessing.probe.asking import Asker, ProbeError, Takes, as_array, encoded, given_all, open_asker
from dataguard.preprocessing.probe.choosing import Choice, ask_noise, choose
from dataguard.preprocessing.probe.decoders import Reading, read
from dataguard.preprocessing.probe.geometry import Steps, distinguishing_size, explaining, explanations, tie_sizes
from dataguard.preprocessing.probe.kernels import ONE_LEVEL, difference
from dataguard.preprocessing.probe.measuring import Measured, measure, shrunk_size, takes_nearest
from dataguard.preprocessing.probe.placement import predict
from dataguard.preprocessing.probe.randomness import TRIES, differs, seeded, what_varies
from dataguard.preprocessing.probe.response import (
    ContentError,
    Response,
    find_dtype,
    find_layout,
    find_response,
    native,
    order_of_content,
    spatial,
)
from dataguard.preprocessing.probe.strips import apart, ask_lines
from dataguard.preprocessing.probe.taken import explain_indices, takes, with_indices
from dataguard.preprocessing.provenance import Origin, Provenance
from dataguard.preprocessing.steps import Flip, Random, Resize, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT = 0.02
"""Levels that rounding in the model's dtype may leave; within it a result is called exact."""

_LARGE = (1103, 1049)
"""Height and width of a picture that is larger than what loaders and caches resize to in most published code, and
nearly square, so that the limit of a shorter side shows and not that of the longer one."""

Given: TypeAlias = Any
"""What the function takes: a path, bytes, a Pillow picture or pixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identified:
    """What was found out about a function."""

    pipeline: Pipeline
    largest: float
    """Largest difference in levels between function and pipeline, on pictures that were not used to find it; inf where
    the pipeline cannot be executed."""
    mean: float
    alternatives: tuple[str, ...]
    """Other kernels that explain the answers equally."""
    notes: tuple[str, ...]
    calls: int
    seconds: float
    bit_exact: bool = False
    """Whether the pipeline gives the very bits."""
    random: tuple[Random, ...] = ()
    """Steps that chance decides; they are part of the pipeline's geometry too."""
    mutates: bool = False
    """Whether it changes what it is given."""
    of_neighbours: bool | None = None
    """Whether an answer depends on the other pictures of its batch; None where that was not asked."""
    readings: tuple[Reading, ...] = ()
    """How each kind of file is read, of a function that takes files."""
    takes: Takes = "array"
    """What the function was given."""

    @property
    def fidelity(self) -> str:
        """How closely the pipeline gives what the function does, in words."""
        if self.random:
            return "not reproducible: chance decides"
        if self.bit_exact:
            return "bit-exact"
        if not np.isfinite(self.largest):
            return "not comparable: something is undetermined"
        if self.largest <= EXACT:
            return "exact"
        if self.largest <= ONE_LEVEL:
            return "within 1 level"
        return f"up to {self.largest:.1f} levels off, {self.mean:.2f} on average"


def identify(
    function: Callable[[Any], object],
    *,
    takes: Takes | None = None,
    seed: int = 0,
    batch: Callable[[Sequence[Given]], object] | None = None,
) -> Identified:
    """Find out what a function does to a picture.

    Args:
        function: Called with one picture; what it returns is what a model is fed.
        takes: What it is given; by default each way is tried.
        seed: Of the pictures whose pixels are random.
        batch: Does the same to a list of what `function` takes, and returns an array with an axis of pictures first.

    Raises:
        ProbeError: it cannot be asked, or its answers do not let themselves be explained at all.
    """
    started = time.perf_counter()
    asker = open_asker(function, takes)
    try:
        found = _identify(asker, seed)
        if batch is not None:
            found = replace(found, of_neighbours=_depends_on_neighbours(asker, batch, seed))
            if found.of_neighbours:
                found = replace(found, notes=(*found.notes, "an answer depends on the other pictures of its batch"))
        if asker.form:
            found = replace(found, notes=(*found.notes, f"it returns {asker.form}"))
        if asker.mutated:
            found = replace(found, notes=(*found.notes, f"it changes the {_GIVEN[asker.takes]} that it is given"))
        return replace(
            found,
            calls=asker.calls,
            seconds=time.perf_counter() - started,
            mutates=asker.mutated,
            takes=asker.takes,
        )
    finally:
        asker.close()


_GIVEN = {"array": "array", "pillow": "picture", "path": "file", "bytes": "bytes"}


def _identify(asker: Asker, seed: int) -> Identified:
    trial = stimuli.photograph(120, 150, seed)
    if differs(asker, trial):
        return _random(asker)
    try:
        response = find_response(asker)
    except ContentError as error:
        return _of_content(asker, error)
    try:
        found = _of_levels(asker, response, trial, seed)
    except ProbeError:
        if differs(asker, trial, TRIES):
            return _random(asker)
        raise
    return _random(asker) if found.largest > 3 and differs(asker, trial, TRIES) else found


def _of_levels(asker: Asker, response: Response, trial: NDArray[np.uint8], seed: int) -> Identified:
    """A function that gives the same answer each time, and maps levels by one map."""
    notes: list[str] = []
    side = max(spatial(asker.ask(trial), response.layout).shape[:2])
    measured, candidates = _geometry(asker, response, side, seed)
    chosen = choose(asker, response, candidates, measured, seed)
    best: tuple[float, float, Choice, bool] | None = None
    for attempt in range(3):
        checked = _verified(asker, response, chosen.best.steps, measured, seed + 5 * attempt)
        if best is None or checked.largest < best[0]:
            best = checked.largest, checked.mean, chosen, checked.bit_exact
            affine, decode = checked.affine, checked.decode
        if checked.largest <= ONE_LEVEL or attempt == 2:
            break
        if attempt == 1:
            chosen = choose(asker, response, candidates, measured, seed + 1, twice=True)
            continue
        # Right on the pictures that it was chosen by and wrong on others: these decide among the rest.
        height, width = measured[0].placement.height, measured[0].placement.width + 7
        chosen = chosen.reconsidered(ask_noise(asker, response, height, width, seed + attempt))
    if best is None:
        raise ProbeError("no sequence of steps was tried")
    largest, mean, chosen, bit_exact = best
    steps = _with_gap(asker, response, chosen.best.steps)
    if largest <= ONE_LEVEL and min(measured[0].placement.height, measured[0].placement.width) < _LARGE[1]:
        off = _off_on_lines(asker, response, steps, _LARGE, seed)
        if off > ONE_LEVEL:
            # A first resize that enlarged all that was asked about is seen where it shrinks.
            with contextlib.suppress(ProbeError):
                large = [_measured(asker, response, *_LARGE, nearest=measured[0].nearest), *measured]
                again = choose(asker, response, _explained(large) or candidates, large, seed, twice=True)
                checked = _verified(asker, response, again.best.steps, large, seed)
                if checked.largest <= ONE_LEVEL:
                    off, steps, chosen, affine, decode = 0.0, again.best.steps, again, checked.affine, checked.decode
                    largest, mean, bit_exact = checked.largest, checked.mean, checked.bit_exact
        if off > ONE_LEVEL:
            largest, mean, bit_exact = max(largest, off), max(mean, off), False
            how = f"{off:.0f} levels off on average" if np.isfinite(off) else "with another size"
            notes.append(f"pictures of {_LARGE[0]} × {_LARGE[1]} pixels come out {how}")
    pipeline = _pipeline(response, steps, affine, decode)
    readings: tuple[Reading, ...] = ()
    if asker.takes != "array" and response.linear:
        read_so = read(asker, pipeline, gray=response.gray)
        notes += read_so.notes
        readings = read_so.each
        pipeline = replace(pipeline, decode=read_so.decode)
    if not response.linear:
        notes.append((response.affine.undetermined or {}).get("scale", ""))
    if largest > ONE_LEVEL and not (response.dtype == "float16" and largest <= 3):
        notes.append("the steps found do not reproduce its answers")
    return Identified(
        pipeline=pipeline,
        largest=largest,
        mean=mean,
        alternatives=chosen.alternatives,
        notes=tuple(notes),
        calls=0,
        seconds=0.0,
        bit_exact=bit_exact,
        readings=readings,
    )


def _off_on_lines(asker: Asker, response: Response, steps: Sequence[Step], size: tuple[int, int], seed: int) -> float:
    """How many levels steps are off on average, on pictures of a size that change along one side only.

    inf where what comes out has another size.
    """
    placement = predict(steps, *size)
    if placement.transposed or any(isinstance(step, Flip) for step in steps):
        return 0.0
    as_predicted = Measured(placement=placement, row_error=0.0, column_error=0.0, fill=None)
    try:
        lines = ask_lines(asker, response, [as_predicted], seed)
    except IndexError:
        return float("inf")
    except ProbeError:
        # A function that refuses pictures this large says nothing about others.
        return 0.0
    if any(
        len(line.answer) != axis.size for line, axis in zip(lines, (placement.columns, placement.rows), strict=True)
    ):
        return float("inf")
    return apart(tuple(steps), lines) or 0.0


def _random(asker: Asker) -> Identified:
    """A function that chance decides: what it does beside that, as far as that can be seen."""
    steps = what_varies(asker)
    names = ", ".join(step.name for step in steps)
    reason = f"a random step is left on: {names}"
    notes = [f"the same picture gives different answers: {names}"]
    layout: Layout | None = None
    dtype: Dtype | None = None
    order: Order | None = None
    affine = Affine(scale=None, offset=None, undetermined=dict.fromkeys(("scale", "offset"), reason))
    if seeded(asker):
        notes.append("with the generators of Python, NumPy and torch seeded before each call it repeats")
    try:
        response = find_response(asker)
        layout, dtype, order = response.layout, response.dtype, response.order
        if not any(step.name in ("ColorJitter", "GaussianNoise") for step in steps) and response.linear:
            affine = named(response.affine, response.dtype)
    except ProbeError as error:
        notes.append(error.message)
        with contextlib.suppress(ProbeError):
            answer = asker.ask(stimuli.constant(128, 128, (190, 120, 70)))
            layout, dtype = find_layout(answer), find_dtype(answer)
    probe = {"": Provenance(origin=Origin.PROBE)}
    fields = (("layout", layout), ("dtype", dtype), ("order", order))
    unknown = {name: reason for name, value in fields if value is None}
    pipeline = Pipeline(
        decode=Decode.of("pillow", "convert RGB") if asker.takes in ("path", "bytes") else Decode.of("array"),
        order=order,
        geometry=tuple(steps),
        affine=replace(affine, provenance=probe),
        layout=layout,
        dtype=dtype,
        provenance=probe,
        undetermined=unknown,
    )
    return Identified(
        pipeline=pipeline,
        largest=float("inf"),
        mean=float("inf"),
        alternatives=(),
        notes=tuple(notes),
        calls=0,
        seconds=0.0,
        random=steps,
    )


def _of_content(asker: Asker, error: ContentError) -> Identified:
    """A function whose scale depends on the picture: no more than that is known of its levels."""
    probe = {"": Provenance(origin=Origin.PROBE)}
    reason = f"the levels are scaled by the picture's own content: {error.words}"
    unknown = {"scale": reason, "offset": reason}
    affine = Affine(scale=None, offset=None, of_content=error.words, undetermined=unknown, provenance=probe)
    order = order_of_content(asker, error.layout)
    pipeline = Pipeline(
        decode=Decode.of("pillow", "convert RGB") if asker.takes in ("path", "bytes") else Decode.of("array"),
        order=order,
        geometry=None,
        affine=affine,
        layout=error.layout,
        dtype=error.dtype,
        provenance=probe,
        undetermined={"geometry": reason, **({"order": reason} if order is None else {})},
    )
    return Identified(
        pipeline=pipeline,
        largest=float("inf"),
        mean=float("inf"),
        alternatives=(),
        notes=(error.message,),
        calls=0,
        seconds=0.0,
    )


def _depends_on_neighbours(asker: Asker, batch: Callable[[Sequence[Given]], object], seed: int) -> bool:
    """Whether a picture's answer changes with the others of its batch.

    Raises:
        ProbeError: the batches raise, or come out with different shapes.
    """
    one, dark, light = (
        # Neither the lightest nor the darkest of the batch.
        stimuli.photograph(120, 150, seed) // 2 + 40,
        stimuli.constant(120, 150, (60, 60, 60)),
        stimuli.noise(120, 150, seed + 1),
    )
    answers = []
    for others in ([dark, dark], [light, dark]):
        with given_all([one, *others], asker.takes) as given:
            try:
                answer = as_array(batch(given), several=True)
            except ProbeError:
                raise
            except Exception as error:
                raise ProbeError(f"the function of batches raised {type(error).__name__}: {error}") from error
        if len(answer) != len(given):
            raise ProbeError(f"of a batch of {len(given)} pictures came an answer of shape {answer.shape}")
        answers.append(answer[0])
    return answers[0].shape != answers[1].shape or not np.array_equal(answers[0], answers[1])


def _geometry(asker: Asker, response: Response, side: int, seed: int) -> tuple[list[Measured], list[Steps]]:
    base = min(max(1.05 * side, 200.0), 700.0)
    sizes = [(1.0, 1.37), (1.83, 0.85), (0.53, 0.47)]
    measured = [measure(asker, response, round(base * high), round(base * wide)) for high, wide in sizes]
    repeats = next((one.border for one in measured if one.border is not None), None)
    if repeats is not None:
        # Where a kernel is a staircase a repeating border cannot be told from the picture: another size may show it.
        measured = [
            one
            if one.border is not None or max(one.row_error, one.column_error) < 0.3
            else measure(asker, response, 2 * one.placement.height + 31, 2 * one.placement.width + 1)
            for one in measured
        ]
    fill = next((one.fill for one in measured if one.fill is not None), ())
    nearest = takes_nearest(asker, response, round(base), round(base * 1.37), fill)
    if nearest:
        # At that size it may not resize at all, or enlarge by repeating what it averages when it shrinks.
        nearest = takes_nearest(asker, response, *shrunk_size(measured[0]), fill)
    if nearest:
        measured = [with_indices(asker, response, replace(one, nearest=True)) for one in measured]
    candidates = _explained(measured)
    if not candidates:
        # Of a shorter side with a limit to the longer one a square shows the first, and other pictures may not.
        measured.append(_measured(asker, response, round(base), round(base), nearest=nearest))
        candidates = _explained(measured)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        if len(candidates) < 2:
            break
        further = rng.integers(round(0.5 * base), round(1.6 * base), (60, 2)).tolist()
        size = distinguishing_size(
            candidates[:40], [*((one, two) for one, two in further), *tie_sizes(candidates, rng)]
        )
        if size is None:
            break
        measured.append(_measured(asker, response, *size, nearest=nearest))
        left = explaining(candidates, measured[-1])
        left = [steps for steps in left if takes(steps, measured[-1:])] if nearest else left
        candidates = left or _explained(measured)
    return measured, candidates


def _measured(asker: Asker, response: Response, height: int, width: int, *, nearest: bool) -> Measured:
    one = measure(asker, response, height, width, nearest=nearest)
    return with_indices(asker, response, one) if nearest else one


def _explained(measured: Sequence[Measured]) -> list[Steps]:
    candidates = explanations(measured)
    return explain_indices(candidates, measured) if measured[0].indices is not None else candidates


def _with_gap(asker: Asker, response: Response, steps: Steps) -> Steps:
    """The steps, with the reduction that Pillow's ``thumbnail`` does first to pictures that are far too large."""
    if len(steps) != 1 or not isinstance(steps[0], Resize):
        return steps
    step = steps[0]
    if step.engine != "pillow" or step.enlarge or step.rule != "fit" or step.kernel == "nearest_exact":
        return steps
    height, width = 5 * (step.height or 0) + 7, 4 * (step.width or 0) + 3
    if not 64 < max(height, width) <= 2400:
        return steps
    sample = ask_noise(asker, response, height, width, 0)
    ways = [(replace(step, reducing_gap=gap),) for gap in (None, 2.0, 3.0)]
    return min(ways, key=lambda way: (difference(way, sample) or (0.0, float("inf")))[1])


def _pipeline(response: Response, steps: Sequence[Step], affine: Affine, decode: Decode) -> Pipeline:
    probe = {"": Provenance(origin=Origin.PROBE)}
    order: Order = "GRAY" if response.gray and response.channels == 1 else response.order
    return Pipeline(
        decode=replace(decode, provenance=probe),
        order=order,
        geometry=tuple(replace(step, provenance=probe) for step in steps),
        affine=replace(affine, provenance=probe),
        layout=response.layout,
        dtype=response.dtype,
        provenance=probe,
    )


def _decodes(asker: Asker, response: Response) -> list[Decode]:
    """Ways to get pixels of a plain PNG file: they differ in how gray is rounded."""
    if asker.takes in ("path", "bytes"):
        if not response.gray:
            return [Decode.of("pillow", "convert RGB")]
        return [
            Decode.of("pillow", "convert L"),
            Decode.of("opencv", "IMREAD_GRAYSCALE"),
            Decode.of("opencv", "IMREAD_COLOR"),
        ]
    if response.gray:
        return [replace(Decode.of("array", flag), order="GRAY") for flag in ("convert L", "COLOR_RGB2GRAY")]
    return [replace(Decode.of("array"), order="RGB")]


def _snapped(response: Response) -> Affine:
    """The affine map with scale and offset set to exactly what they must have been, where that is plain."""
    affine = response.affine
    if affine.scale is None or affine.offset is None:
        return affine
    if response.dtype in ("uint8", "int8"):
        offset = tuple(float(round(value)) for value in affine.offset)
        scale = tuple(1.0 if abs(value - 1) < 2e-3 else value for value in affine.scale)
        return replace(affine, scale=scale, offset=offset)
    return named(affine, response.dtype)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Checked:
    """How closely steps give the answers to pictures that they were not found by."""

    largest: float
    mean: float
    bit_exact: bool
    affine: Affine
    decode: Decode


def _verified(asker: Asker, response: Response, steps: Sequence[Step], measured: list[Measured], seed: int) -> _Checked:
    pictures = [
        stimuli.photograph(one.placement.height + 13 * index, one.placement.width + 7, seed + 10 + index)
        for index, one in enumerate(measured[:2])
    ]
    answers = [asker.ask(pixels) for pixels in pictures]
    affine = _snapped(response)
    tried: list[_Checked] = []
    decodes = _decodes(asker, response)
    for decode in decodes:
        # Up to the levels, which the ways to write the map are tried on.
        bare = replace(_pipeline(response, steps, Affine(), decode), dtype="float64", layout="HWC")
        levels = [bare.run(encoded(pixels) if asker.takes in ("path", "bytes") else pixels) for pixels in pictures]
        shown = [response.pixels(answer) for answer in answers]
        if any(one.shape != other.shape for one, other in zip(levels, shown, strict=True)):
            return _Checked(largest=float("inf"), mean=float("inf"), bit_exact=False, affine=affine, decode=decode)
        apart = [np.abs(one - other) for one, other in zip(levels, shown, strict=True)]
        written = None
        if affine.scale is not None:
            raw = [native(answer, response.layout) for answer in answers]
            ready = [level.astype(np.uint8) if _whole(level) else level for level in levels]
            written = exactly_written(affine, response.dtype, ready, raw)
        tried.append(
            _Checked(
                largest=0.0 if written is not None else max(float(one.max()) for one in apart),
                mean=float(np.mean([one.mean() for one in apart])),
                bit_exact=written is not None,
                affine=affine if written is None else written,
                decode=decode,
            )
        )
    return min(tried, key=lambda one: (not one.bit_exact, one.mean))


def _whole(levels: NDArray[Any]) -> bool:
    return bool(levels.min() >= 0 and levels.max() <= 255 and np.array_equal(levels, np.rint(levels)))
