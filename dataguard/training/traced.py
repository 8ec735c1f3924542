"""Where two runs of a model that should agree begin to differ: the innermost module that is given the same."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from dataguard.training.structure import tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

TOLERANCE = 1e-4
"""Share of the greatest output: some 800 float32 roundings. On sound models the greatest was 3e-6, see
``benchmarks/training_probes.py``."""
Region: TypeAlias = "Callable[[Tensor], Tensor | None]"
"""The part of a tensor that is compared; None where it has no such part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Divergence:
    """Where two runs part."""

    layer: str
    """The module's name; '' for the model itself."""
    given: float
    """The greatest difference of what it was given, as a share of the greatest value."""
    gave: float
    """The same of what it gave."""


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    name: str
    given: list[Tensor]
    gave: list[Tensor]


class Trace:
    """What every module of a model was given and gave, call by call."""

    def __init__(self) -> None:
        self.calls: list[_Call] = []

    @contextlib.contextmanager
    def recording(self, model: nn.Module) -> Iterator[Trace]:
        """Hooks are there inside, and gone afterwards."""
        handles = [
            module.register_forward_hook(self._hook(name), with_kwargs=True) for name, module in model.named_modules()
        ]
        try:
            yield self
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, name: str) -> Any:
        def hook(_: nn.Module, given: Any, named: Any, gave: Any) -> None:
            self.calls.append(_Call(name, _kept((given, named)), _kept(gave)))

        return hook


def first_divergence(left: Trace, right: Trace, regions: tuple[Region, Region], tolerance: float) -> Divergence | None:
    """The first module to return whose inputs agree in the two runs and whose outputs do not.

    Inner modules return before those that hold them, so it is the innermost one. None where the runs called other
    modules, or nothing parts.

    Args:
        left: One run.
        right: The other.
        regions: Of each run the part that should agree.
        tolerance: What counts as a difference, as a share of the greatest value.
    """
    for ours, theirs in zip(left.calls, right.calls, strict=False):
        if ours.name != theirs.name:
            return None
        gave = difference(ours.gave, theirs.gave, regions)
        if gave is None or gave <= tolerance:
            continue
        # What was given as whole numbers, as token ids are, is what was exchanged or not by the batch's making.
        given = difference(ours.given, theirs.given, regions) if ours.given else 0.0
        if given is not None and given <= tolerance:
            return Divergence(layer=ours.name, given=given, gave=gave)
    return None


def difference(left: list[Tensor], right: list[Tensor], regions: tuple[Region, Region]) -> float | None:
    """The greatest difference as a share of the greatest value; inf where shapes differ, None where none compares."""
    found: float | None = None
    for one, other in zip(left, right, strict=False):
        ours, theirs = regions[0](one), regions[1](other)
        if ours is None or theirs is None or ours.numel() == 0:
            continue
        if ours.shape != theirs.shape:
            return float("inf")
        found = max(found or 0.0, relative(ours, theirs))
    return found


def relative(left: Tensor, right: Tensor) -> float:
    """The greatest absolute difference over the greatest absolute value of `left`; inf where one alone is finite."""
    import torch

    ours, theirs = left.detach().double(), right.detach().double()
    if not torch.equal(torch.isfinite(ours), torch.isfinite(theirs)):
        return float("inf")
    ours, theirs = torch.nan_to_num(ours, 0, 0, 0), torch.nan_to_num(theirs, 0, 0, 0)
    scale = float(ours.abs().max())
    apart = float((ours - theirs).abs().max())
    return apart / scale if scale > 0 else (0.0 if apart == 0 else float("inf"))


def _kept(value: Any) -> list[Tensor]:
    return [item.detach().clone() for _, item in tensors(value) if item.is_floating_point() and item.ndim > 0]
