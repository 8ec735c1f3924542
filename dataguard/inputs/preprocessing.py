"""The paths that a picture takes to the model in training and in serving, found out and compared."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.errors import ConfigurationError, DataguardError
from dataguard.core.finding import Skipped
from dataguard.core.progress import Progress, silent
from dataguard.preprocessing.comparison import difference
from dataguard.preprocessing.differing import Difference, Effect, measured_effect
from dataguard.preprocessing.pair import DeclaredPair, PipelinePair, View, view

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.config import PreprocessingConfig
    from dataguard.inputs.made import Inputs, Unavailable
    from dataguard.preprocessing.impact import Impact
    from dataguard.preprocessing.pipeline import Pipeline
    from dataguard.preprocessing.probe.function import Limits
    from dataguard.preprocessing.probe.target import Side, Target

_VIEWS = 2


def limits_of(settings: PreprocessingConfig) -> Limits:
    """What the functions may use."""
    from dataguard.preprocessing.probe.function import CALL_TIMEOUT, MEMORY, Limits

    return Limits(
        timeout=CALL_TIMEOUT if settings.timeout is None else settings.timeout,
        memory=MEMORY if settings.memory is None else settings.memory,
        image=settings.sandbox,
    )


def compared(
    train: Target,
    serve: Target,
    settings: PreprocessingConfig,
    *,
    base: Path,
    model: Target | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> PipelinePair:
    """Find out what two targets do to a picture, and compare them.

    Args:
        train: What training does; see `opened_side`.
        serve: What serving does.
        settings: What they take and may use, and the pictures for the model.
        base: The folder that files are relative to.
        model: Over the settings' model.
        seed: Of generated pictures.
        progress: Told how far it is.

    Raises:
        DataguardError: one of them cannot be asked.
    """
    with contextlib.ExitStack() as stack:
        sides = []
        for number, target in enumerate((train, serve)):
            progress("asking " + ("training's path", "serving's path")[number], number, 3)
            sides.append(stack.enter_context(_side(target, settings, base, seed)))
        left, right = sides
        progress("comparing", 2, 3)
        seen = _Seen(left, right)
        found = difference(left.pipeline, right.pipeline, witness=seen.apart, seed=seed)
        observed = seen.observed(seed)
        if observed is not None and not observed.rounding and not any(_shows(one) for one in found):
            found = (*found, _unexplained(left, right, observed))
        chosen = model if model is not None else settings.model
        measured = None
        if chosen is not None and settings.images is not None:
            measured = _impact(chosen, settings, base, left, right, found, seed, progress)
        return PipelinePair(
            left=left.pipeline,
            right=right.pipeline,
            differences=found,
            impact=measured,
            observed=observed,
            views=tuple(_views(left, right, settings, base, seed)),
            notes=(*left.notes, *right.notes, *(() if measured is None else measured.notes)),
            faithful=left.faithful and right.faithful,
        )


def with_declared(
    target: Target,
    declared: str,
    settings: PreprocessingConfig,
    *,
    base: Path,
    seed: int = 0,
    progress: Progress = silent,
) -> DeclaredPair:
    """Find out what a target does to a picture, and compare it with what a configuration declares.

    Raises:
        DataguardError: the target cannot be asked, or the configuration cannot be read.
    """
    ways = declared_pipelines(declared, base)
    progress("asking the path", 0, 2)
    with _side(target, settings, base, seed) as side:
        progress("comparing", 1, 2)
        # A declaration may leave open which implementation runs it: to do what one of them does is right.
        compared_ways = [(way, difference(way, side.pipeline, seed=seed)) for way in ways]
        said, found = min(compared_ways, key=lambda one: sum(not item.unknown for item in one[1]))
        return DeclaredPair(
            pipeline=side.pipeline, declared=said, differences=found, notes=side.notes, faithful=side.faithful
        )


def declared_pipelines(name: str, base: Path) -> tuple[Pipeline, ...]:
    """The paths that a configuration declares, or the one that `dataguard probe --save` wrote.

    Raises:
        ConfigurationError: there is no such file.
        DataguardError: nothing in it declares a path.
    """
    from dataguard.preprocessing.readers import read

    path = base / name
    if not path.exists():
        raise ConfigurationError(
            "no such file", where=path, hint="name a preprocessor_config.json, or what --save wrote"
        )
    return tuple(replace(one, name=name) for one in read(path))


def _side(
    target: Target, settings: PreprocessingConfig, base: Path, seed: int
) -> contextlib.AbstractContextManager[Side]:
    from dataguard.preprocessing.probe.target import opened_side

    return opened_side(target, base=base, takes=settings.takes, limits=limits_of(settings), seed=seed)


def _shows(one: Difference) -> bool:
    """Whether a difference shows in ordinary pictures; what is not known might."""
    return one.aspect != "policy"


class _Seen:
    """What the running functions make of the same pictures, asked once a picture."""

    def __init__(self, left: Side, right: Side) -> None:
        self.left = left
        self.right = right

    def apart(self, pixels: NDArray[np.uint8]) -> float | None:
        """How many levels they are apart at most; None where that cannot be told."""
        pair = self.pair(pixels)
        if pair is None:
            return None
        if pair[0].shape != pair[1].shape:
            return float("inf")
        return float(np.abs(pair[0] - pair[1]).max(initial=0.0))

    def pair(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """What each makes of a picture, in levels and in RGB, its own affine map undone."""
        ours = self.left.levels(pixels)
        theirs = None if ours is None else self.right.levels(pixels)
        return None if ours is None or theirs is None else (ours, theirs)

    def observed(self, seed: int) -> Effect | None:
        from dataguard.preprocessing.probe.stimuli import photograph

        pairs = [self.pair(photograph(*size, seed + 20 + index)) for index, size in enumerate(((301, 419), (260, 196)))]
        known = [pair for pair in pairs if pair is not None]
        if not known:
            return None
        return measured_effect(known, on=f"of both functions on {len(known)} generated photographs")


def _unexplained(left: Side, right: Side, observed: Effect) -> Difference:
    return Difference(
        field="output",
        aspect="unexplained",
        left=left.name,
        right=right.name,
        left_origin=left.pipeline.origin_of("geometry"),
        right_origin=right.pipeline.origin_of("geometry"),
        effect=observed,
    )


def _views(left: Side, right: Side, settings: PreprocessingConfig, base: Path, seed: int) -> Iterator[View]:
    """Pictures as the two paths see them: what serving feeds is shown by what training's values mean."""
    from dataguard.preprocessing.impact import colours_of, pictures_in
    from dataguard.preprocessing.probe.asking import ProbeError
    from dataguard.preprocessing.probe.stimuli import photograph
    from dataguard.preprocessing.probe.target import in_levels

    named: list[tuple[str, NDArray[np.uint8]]] = []
    if settings.images is not None:
        for path in pictures_in(base / settings.images, limit=_VIEWS, seed=seed).paths:
            with contextlib.suppress(DataguardError):
                named.append((Path(path).name, colours_of(path)))
    if not named:
        named = [
            (f"a generated photograph of {high}×{wide}", photograph(high, wide, seed + 30 + index))
            for index, (high, wide) in enumerate(((480, 640), (333, 250)))
        ]
    for name, pixels in named:
        shown = []
        for side in (left, right):
            try:
                answer = _answer(side, pixels)
            except (ProbeError, DataguardError):
                break
            levels = in_levels(answer, side.pipeline, left.pipeline)
            if levels is None:
                break
            shown.append(levels)
        if len(shown) == 2:
            yield view(name, shown[0], shown[1])


def _answer(side: Side, pixels: NDArray[np.uint8]) -> NDArray[Any]:
    from dataguard.preprocessing.probe.asking import encoded

    if side.asker is not None:
        return side.asker.ask(pixels)
    return side.pipeline.run(pixels if side.pipeline.decode.library == "array" else encoded(pixels))


def _impact(
    model: Target,
    settings: PreprocessingConfig,
    base: Path,
    left: Side,
    right: Side,
    found: tuple[Difference, ...],
    seed: int,
    progress: Progress,
) -> Impact:
    from dataguard.preprocessing.impact import impact, pictures_in
    from dataguard.preprocessing.probe.session import asked
    from dataguard.preprocessing.probe.target import target_name

    pictures = pictures_in(base / str(settings.images), seed=seed)
    with asked(model, base=base, limits=limits_of(settings), model=True) as function:
        return impact(
            _feeding(left),
            _feeding(right),
            found,
            function,
            pictures,
            name=target_name(model),
            progress=progress,
        )


def _feeding(side: Side) -> Callable[[str], NDArray[Any]]:
    """What makes the model's input of a file, through the running function where there is one."""
    from dataguard.preprocessing.impact import colours_of, of_files

    asker = side.asker
    if asker is None:
        return of_files(side.pipeline)
    if asker.takes in ("path", "bytes"):
        return lambda file: asker.ask_file(Path(file).read_bytes(), Path(file).suffix)
    return lambda file: asker.ask(colours_of(file))


def _pair(inputs: Inputs) -> PipelinePair | Unavailable:
    settings = inputs.config.preprocessing
    if settings.serve is None or settings.train is None:
        return Skipped(
            reason="no two paths to compare are named",
            hint="set preprocessing.train and serve, or use `dataguard probe`",
        )
    base = inputs.config.base.absolute()
    return compared(
        settings.train, settings.serve, settings, base=base, seed=inputs.config.seed, progress=inputs.progress
    )


def _declared(inputs: Inputs) -> DeclaredPair | Unavailable:
    settings = inputs.config.preprocessing
    if settings.serve is None or settings.declared is None:
        return Skipped(
            reason="no configuration of published weights is named",
            hint="set preprocessing.declared, or use `dataguard probe --declared`",
        )
    base = inputs.config.base.absolute()
    return with_declared(
        settings.serve, settings.declared, settings, base=base, seed=inputs.config.seed, progress=inputs.progress
    )


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {PipelinePair: _pair, DeclaredPair: _declared}

__all__ = ["MAKERS", "compared", "declared_pipelines", "with_declared"]
