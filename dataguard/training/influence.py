"""Whether samples, padded steps and later steps influence outputs that must not know of them.

All of it is asked in eval mode by changing what must not matter and comparing what came out: exact in what it changes,
and independent of gradients, so that token ids are tried like pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataguard.core.finding import Inconclusive, Skipped
from dataguard.core.users_code import shortened_error
from dataguard.training.case import ModelCopy, TrainingCase
from dataguard.training.data import Batch
from dataguard.training.guard import seed_all
from dataguard.training.structure import batch_axis, tensors
from dataguard.training.traced import TOLERANCE, Divergence, Region, Trace, first_divergence, relative

if TYPE_CHECKING:
    from torch import Tensor

PRIMES = (5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reaction:
    """What came of a change that must not matter."""

    deviation: float
    """The greatest change of outputs that must stay, as a share of the greatest output; inf where they are no longer
    finite or of another shape."""
    shape: tuple[int, ...] = ()
    """Of the predictions."""
    error: str = ""
    """What model or loss raised."""
    where: Divergence | None = None
    """The innermost module where it begins; None where nothing changes, or it cannot be told."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SampleInfluence:
    """What outputs owe to the other samples of their batch, and to how many there are."""

    case: TrainingCase
    n: int
    """Samples in the batch."""
    axis: int
    """The dimension of the predictions that holds them."""
    shape: tuple[int, ...]
    """Of the predictions."""
    others: Reaction
    """Half of the samples at other places, and copies of one of them for all the others."""
    alone: Reaction
    """One sample in a batch of its own."""
    prime: int
    """A number of samples that is no other size of inputs, outputs or weights."""
    at_prime: Reaction
    """So many samples, through model and loss."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PaddingInfluence:
    """What outputs owe to steps that are declared not to count."""

    case: TrainingCase
    padding: float
    origin: str
    """Who says so."""
    share: float
    """Of the steps that are padding."""
    content: Reaction | None
    """Other values in the padded steps, with the mask as it was; None where the model is given no mask or lengths."""
    trimmed: Reaction | None
    """Samples alone, without their padding; None where none could be run so."""
    lengths: tuple[int, ...]
    """Steps of the samples that were trimmed, without and with padding in turn."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FutureInfluence:
    """What outputs owe to later steps."""

    case: TrainingCase
    steps: int
    future: Reaction
    """Outputs up to a step that differs from sample to sample, all later inputs exchanged."""


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """A model in eval mode that is run again and again from the same random state, in full precision."""

    case: TrainingCase
    copy: ModelCopy

    def run(self, batch: Batch, trace: Trace | None = None) -> Tensor:
        """The predictions."""
        return self.copy.prediction(self.outputs(batch, trace)).detach()

    def is_random(self, batch: Batch, base: Tensor) -> bool:
        """Whether the same batch gives other predictions than `base` from another random state."""
        return relative(base, self.copy.prediction(self.outputs(batch, salt=1)).detach()) > TOLERANCE

    def outputs(self, batch: Batch, trace: Trace | None = None, *, salt: int = 0) -> Any:
        """The model's whole output."""
        import torch

        from dataguard.training.calling import call_model

        case = self.case
        seed_all(case.settings.seed + salt)
        case.counter.forward += 1
        with torch.no_grad():
            given = (case.calls, self.copy.model, batch.inputs, batch.targets, case.training.forward, case.target_key)
            if trace is None:
                return call_model(*given)
            with trace.recording(self.copy.model):
                return call_model(*given)

    def compared(
        self, left: Batch, base: Tensor, right: Batch, regions: tuple[Region, Region], *, with_loss: bool = False
    ) -> Reaction:
        """How the region of the right batch's predictions differs from that of the left one's, which are `base`."""
        import torch

        try:
            outputs = self.outputs(right)
            got = self.copy.prediction(outputs).detach()
            if with_loss:
                with torch.no_grad():
                    self.copy.loss(outputs, right, regularized=False)
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            return Reaction(deviation=float("inf"), error=shortened_error(error))
        ours, theirs = regions[0](base), regions[1](got)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            return Reaction(deviation=float("inf"), shape=tuple(got.shape))
        apart = relative(ours, theirs)
        where = None
        if apart > TOLERANCE:
            before, after = Trace(), Trace()
            self.run(left, before)
            self.run(right, after)
            where = first_divergence(before, after, regions, TOLERANCE)
        return Reaction(deviation=apart, shape=tuple(got.shape), where=where)


def _runs(case: TrainingCase) -> _Runs:
    return _Runs(case, case.copy().eval())


_RANDOM = Inconclusive(
    reason="outputs are random in eval mode, so that what changes them cannot be told (DG720 says where from)"
)


def _differ(*reactions: Reaction | None) -> bool:
    return any(item is not None and not item.error and item.deviation > TOLERANCE for item in reactions)


def sample_influence(case: TrainingCase) -> SampleInfluence | Skipped | Inconclusive:
    """Make a `SampleInfluence`: four runs forward."""
    import torch

    if case.training.cross_sample:
        return Skipped(reason="samples are declared to influence each other", hint="cross_sample=False")
    with case.sandbox():
        runs, batch = _runs(case), case.first
        n, preferred = batch.size, batch.axis
        base = runs.run(batch)
        axis = batch_axis(base, n, preferred)
        if axis is None:
            return Inconclusive(reason=f"the predictions, {list(base.shape)}, have no dimension of {n} samples")
        if not bool(torch.isfinite(base).all()):
            return Inconclusive(reason="the predictions are not finite")
        if n < 2:
            return Inconclusive(reason="the first batch has one sample")
        kept = list(range(0, n, 2))
        places = [n - 1 - at for at in kept]
        index = [kept[0]] * n
        for at, place in zip(kept, places, strict=True):
            index[place] = at
        others = runs.compared(
            batch, base, batch.take(index), (_samples(kept, n, preferred), _samples(places, n, preferred))
        )
        alone = runs.compared(
            batch, base, batch.take([n // 2]), (_samples([n // 2], n, preferred), _samples([0], 1, preferred, axis))
        )
        prime = _unlike(_sizes(case, batch, base))
        repeated = [at % n for at in range(prime)]
        at_prime = runs.compared(
            batch,
            base,
            batch.take(repeated),
            (_samples(repeated, n, preferred), _samples(list(range(prime)), prime, preferred)),
            with_loss=True,
        )
        if _differ(others, alone, at_prime) and runs.is_random(batch, base):
            return _RANDOM
        return SampleInfluence(
            case=case,
            n=n,
            axis=axis,
            shape=tuple(base.shape),
            others=others,
            alone=alone,
            prime=prime,
            at_prime=at_prime,
        )


def padding_influence(case: TrainingCase) -> PaddingInfluence | Skipped | Inconclusive:
    """Make a `PaddingInfluence`: one run forward with a mask, and one for each of three samples that are trimmed."""
    import torch

    found = _padding_value(case)
    if found is None:
        return Skipped(
            reason="no value is declared as padding, and no embedding has a padding_idx",
            hint="return Training(padding=0) if sequences are filled up with 0",
        )
    value, origin = found
    batch, dim = case.first, case.training.time_dim
    padded = _padded(case, batch, value)
    if padded is None:
        return Inconclusive(reason=f"no input has steps along its dimension {dim}, of which some could be padding")
    share = float(padded.double().mean())
    if not bool(padded.any()) or not bool((~padded).any()):
        return Inconclusive(reason=f"no step of the first batch is padding ({value:g})")
    n, steps = (int(size) for size in padded.shape)
    with case.sandbox():
        runs = _runs(case)
        base = runs.run(batch)
        real = ~padded

        def counted(tensor: Tensor) -> Tensor | None:
            by_step = _steps_second(tensor, n, steps)
            if by_step is not None:
                return by_step[real.to(tensor.device)]
            return tensor if tensor.ndim and tensor.shape[0] == n else None

        content = None
        if _is_told_what_counts(case, batch):
            generator = torch.Generator().manual_seed(case.settings.seed)
            changed = batch.with_inputs(
                _edited(batch.inputs, n, steps, lambda item: _other_values(item, padded, real, generator))
            )
            content = runs.compared(batch, base, changed, (counted, counted))
        trimmed, lengths = _trimmed(runs, batch, base, padded)
        if _differ(content, trimmed) and runs.is_random(batch, base):
            return _RANDOM
        return PaddingInfluence(
            case=case, padding=value, origin=origin, share=share, content=content, trimmed=trimmed, lengths=lengths
        )


def future_influence(case: TrainingCase) -> FutureInfluence | Skipped | Inconclusive:
    """Make a `FutureInfluence`: two runs forward."""
    import torch

    if not case.training.causal:
        return Skipped(
            reason="the model is not declared causal",
            hint="return Training(causal=True) if no output may see later steps",
        )
    batch, dim = case.first, case.training.time_dim
    sizes = [
        int(item.shape[dim]) for _, item in tensors(batch.inputs) if item.ndim > dim and item.shape[0] == batch.size
    ]
    if not sizes or sizes[0] < 2 or dim != 1:
        return Inconclusive(reason=f"no input has two steps or more along dimension 1 (time_dim is {dim})")
    n, steps = batch.size, sizes[0]
    last = torch.arange(n) % (steps - 1)
    past = torch.arange(steps)[None] <= last[:, None]
    with case.sandbox():
        runs = _runs(case)
        base = runs.run(batch)
        if base.ndim < 2 or tuple(base.shape[:2]) != (n, steps):
            return Inconclusive(reason=f"the predictions, {list(base.shape)}, are not one for each of {steps} steps")
        generator = torch.Generator().manual_seed(case.settings.seed)
        future = ~past
        changed = batch.with_inputs(
            _edited(batch.inputs, n, steps, lambda item: _other_values(item, future, future, generator))
        )

        def earlier(tensor: Tensor) -> Tensor | None:
            by_step = _steps_second(tensor, n, steps)
            return None if by_step is None else by_step[past.to(tensor.device)]

        future_change = runs.compared(batch, base, changed, (earlier, earlier))
        if _differ(future_change) and runs.is_random(batch, base):
            return _RANDOM
        return FutureInfluence(case=case, steps=steps, future=future_change)


def _steps_second(tensor: Tensor, n: int, steps: int) -> Tensor | None:
    """A tensor as (samples, steps, …), wherever it has its steps; None where it has none, or they cannot be told."""
    if tensor.ndim < 2 or tensor.shape[0] != n:
        return None
    places = [axis for axis in range(1, tensor.ndim) if tensor.shape[axis] == steps]
    if 1 in places and (tensor.ndim == 2 or tensor.shape[2] != steps):
        return tensor
    return tensor.movedim(places[0], 1) if len(places) == 1 else None


def _samples(index: Sequence[int], size: int, preferred: int, axis: int | None = None) -> Region:
    import torch

    def region(tensor: Tensor) -> Tensor | None:
        found = axis if axis is not None else batch_axis(tensor, size, preferred)
        if found is None or tensor.ndim <= found or tensor.shape[found] != size:
            return None
        return tensor.index_select(found, torch.as_tensor(list(index), device=tensor.device))

    return region


def _sizes(case: TrainingCase, batch: Batch, predictions: Tensor) -> set[int]:
    shapes = [item.shape for _, item in tensors((batch.inputs, batch.targets))] + [predictions.shape]
    shapes += [item.shape for item in case.template.parameters()]
    return {int(size) for shape in shapes for size in shape}


def _unlike(sizes: set[int]) -> int:
    """A prime that is none of these sizes, nor divides the number of samples so that views would fit."""
    return next((prime for prime in PRIMES if prime not in sizes), PRIMES[-1])


def _padding_value(case: TrainingCase) -> tuple[float, str] | None:
    if case.training.padding is not None:
        return case.training.padding, "declared"
    for name, module in case.template.named_modules():
        index = getattr(module, "padding_idx", None)
        if isinstance(index, int):
            return float(index), f"padding_idx of {name}"
    return None


def _padded(case: TrainingCase, batch: Batch, value: float) -> Tensor | None:
    """Which steps are padding, shape (samples, steps)."""
    dim = case.training.time_dim
    if dim != 1:
        return None
    named = [(path, item) for path, item in tensors(batch.inputs) if item.ndim >= 2 and item.shape[0] == batch.size]
    mask = next((item for path, item in named if path == case.training.mask), None)
    content = next((item for path, item in named if path != case.training.mask and "mask" not in path), None)
    if content is None:
        return None
    empty = content == value
    empty = empty.reshape(*empty.shape[:2], -1).all(-1)
    # Only what ends a sample, or begins it, is padding: the value may occur within.
    closing = empty.flip(1).cumprod(1).flip(1).bool() | empty.cumprod(1).bool()
    if mask is None or mask.shape[:2] != empty.shape:
        return closing
    counts = mask.reshape(*mask.shape[:2], -1)[..., 0] != 0
    # Which of its two values leaves a step out is told by the padding itself.
    agree = float((counts != closing).double().mean())
    return ~counts if agree >= 0.5 else counts


def _is_told_what_counts(case: TrainingCase, batch: Batch) -> bool:
    return case.training.mask is not None or any("length" in path for path, _ in tensors(batch.inputs))


def _edited(inputs: Any, n: int, steps: int, change: Any) -> Any:
    """Inputs with every tensor of (samples, steps, …) changed, but for masks."""
    from collections.abc import Mapping

    from dataguard.training.structure import changed

    def edited(item: Any) -> Any:
        import torch

        is_content = isinstance(item, torch.Tensor) and item.ndim >= 2 and tuple(item.shape[:2]) == (n, steps)
        return change(item) if is_content and item.dtype is not torch.bool else item

    if isinstance(inputs, Mapping):
        return {key: item if "mask" in str(key) else changed(item, edited) for key, item in inputs.items()}
    return changed(inputs, edited)


def _other_values(item: Tensor, where: Tensor, pool: Tensor, generator: Any) -> Tensor:
    """Values drawn from those in `pool`, put in the steps of `where`."""
    import torch

    place, source = where.to(item.device), item[pool.to(item.device)]
    drawn = source[torch.randint(0, len(source), (int(where.sum()),), generator=generator).to(item.device)]
    if item.is_floating_point():
        # Constant sequences would be exchanged for themselves.
        drawn = drawn + torch.randn(drawn.shape, generator=generator).to(item) * (item.std() + 1e-3)
    found = item.clone()
    found[place] = drawn
    return found


def _trimmed(runs: _Runs, batch: Batch, base: Tensor, padded: Tensor) -> tuple[Reaction | None, tuple[int, ...]]:
    """Samples run alone without the padding at their end."""
    n, steps = (int(size) for size in padded.shape)
    ends = [int((~row).nonzero().max()) + 1 if bool((~row).any()) else 0 for row in padded]
    chosen = [at for at, end in enumerate(ends) if 0 < end < steps and not bool(padded[at, :end].any())]
    chosen = list({ends[at]: at for at in chosen}.values())[:3]
    worst: Reaction | None = None
    lengths: list[int] = []
    for at in chosen:
        end = ends[at]
        short = batch.take([at])
        short = short.with_inputs(_cut(short.inputs, steps, end))

        def whole(tensor: Tensor, at: int = at, end: int = end) -> Tensor | None:
            if tensor.ndim < 1 or tensor.shape[0] != n:
                return None
            own = tensor[at : at + 1]
            return own[:, :end] if own.ndim >= 2 and own.shape[1] == steps else own

        def cut(tensor: Tensor) -> Tensor | None:
            return tensor if tensor.ndim >= 1 and tensor.shape[0] == 1 else None

        got = runs.compared(batch, base, short, (whole, cut))
        if got.error:
            # Of a fixed number of steps: that is no leak.
            continue
        lengths += [end, steps]
        if worst is None or got.deviation > worst.deviation:
            worst = got
    return worst, tuple(lengths)


def _cut(inputs: Any, steps: int, end: int) -> Any:
    from dataguard.training.structure import changed

    def cut(item: Any) -> Any:
        import torch

        has_steps = isinstance(item, torch.Tensor) and item.ndim >= 2 and item.shape[1] == steps
        return item[:, :end] if has_steps else item

    return changed(inputs, cut)
