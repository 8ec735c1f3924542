"""What goes through each layer: statistics of activations and of their gradients, taken by hooks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dataguard.training.structure import tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

BINS = 40
"""Bins of every histogram."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Distribution:
    """Numbers of a tensor, summed up; what is not finite counts in ``non_finite`` alone."""

    n: int
    mean: float
    std: float
    low: float
    high: float
    zeros: float
    """The share that is exactly 0."""
    non_finite: float
    """The share that is NaN or infinite."""
    counts: NDArray[np.int64]
    """Shape (BINS,)."""
    edges: NDArray[np.float64]
    """Shape (BINS + 1,), from ``low`` to ``high``."""

    @property
    def norm(self) -> float:
        """The Euclidean norm of the finite numbers."""
        return float(np.sqrt(self.n * (1 - self.non_finite) * (self.mean**2 + self.std**2)))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LayerStatistics:
    """One layer in one pass: a module without submodules, or one with parameters of its own."""

    name: str
    """As ``named_modules`` has it; '' for the model itself."""
    kind: str
    """The name of its class."""
    order: int
    """When it was first run, from 0."""
    calls: int
    """How often it was run: more than once where it is shared, or recurrent."""
    shape: tuple[int, ...]
    """Of its first output."""
    activation: Distribution
    """Of its output, of all calls."""
    gradient: Distribution | None
    """Of the loss with respect to its output, of the last call; None where none reached it."""
    units: NDArray[np.float64]
    """One row a channel or feature: lowest, highest, mean, standard deviation over samples and places; (U, 4)."""
    input_non_finite: float
    """The share of its inputs that is not finite."""
    entering: Distribution | None
    """Of what it was given, of its first call: what a function between layers left of them; None for whole numbers."""
    entering_units: NDArray[np.float64]
    """The same by channel or feature, as `units`; (0, 4) for whole numbers."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ParameterStatistics:
    """One parameter after one backward pass."""

    name: str
    shape: tuple[int, ...]
    layer: str
    """The name of the module that holds it."""
    kind: str
    """The name of that module's class."""
    trains: bool
    """Whether it has ``requires_grad``."""
    values: Distribution
    gradient: Distribution | None
    """None where backward gave it none."""


def distribution(tensor: Tensor) -> Distribution:
    """A tensor's numbers, summed up in double precision."""
    import torch

    flat = tensor.detach().reshape(-1)
    flat = flat.float() if flat.dtype in (torch.float16, torch.bfloat16) or not flat.is_floating_point() else flat
    finite = flat[torch.isfinite(flat)].double()
    n = int(flat.numel())
    if finite.numel() == 0:
        empty = np.zeros(BINS, dtype=np.int64)
        edges = np.linspace(0.0, 1.0, BINS + 1)
        return Distribution(
            n=n,
            mean=0.0,
            std=0.0,
            low=0.0,
            high=0.0,
            zeros=0.0,
            non_finite=1.0 if n else 0.0,
            counts=empty,
            edges=edges,
        )
    low, high = float(finite.min()), float(finite.max())
    mean = float(finite.mean())
    std = float((finite - mean).square().mean().sqrt())
    values = finite.cpu().numpy()
    span = (low, high) if high > low else (low - 0.5, low + 0.5)
    counts, edges = np.histogram(values, bins=BINS, range=span)
    counts.flags.writeable = edges.flags.writeable = False
    return Distribution(
        n=n,
        mean=mean,
        std=std,
        low=low,
        high=high,
        zeros=float((finite == 0).double().mean()),
        non_finite=1 - finite.numel() / n,
        counts=counts.astype(np.int64),
        edges=edges,
    )


class LayerRecorder:
    """Takes note of every layer's outputs while a model runs forward, and of their gradients while it runs back."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._outputs: dict[str, list[Tensor]] = {}
        self._kinds: dict[str, str] = {}
        self._gradients: dict[str, Tensor] = {}
        self._inputs: dict[str, float] = {}
        self._entering: dict[str, Tensor] = {}
        self._calls: dict[str, int] = {}
        self._forward = True

    @contextlib.contextmanager
    def recording(self) -> Iterator[LayerRecorder]:
        """Hooks are there inside, and gone afterwards."""
        handles = []
        for name, module in self._model.named_modules():
            own = any(True for _ in module.parameters(recurse=False))
            if own or not any(True for _ in module.children()):
                handles.append(module.register_forward_hook(self._hook(name, module)))
        try:
            yield self
        finally:
            for handle in handles:
                handle.remove()

    def backward_begins(self) -> None:
        """What runs forward from now on is a checkpoint computed again, and is not counted twice."""
        self._forward = False

    def _hook(self, name: str, module: nn.Module) -> Any:
        import torch

        def hook(_: nn.Module, given: Any, outputs: Any) -> None:
            found = [item for _, item in tensors(outputs) if item.is_floating_point() and item.numel()]
            if not found:
                return
            main = found[0]
            if main.requires_grad and torch.is_grad_enabled():
                # Under a reentrant checkpoint only the second run is part of the graph.
                main.register_hook(lambda gradient: self._gradients.__setitem__(name, gradient.detach()))  # type: ignore[no-untyped-call]
            if not self._forward:
                return
            self._calls[name] = self._calls.get(name, 0) + 1
            self._kinds[name] = type(module).__name__
            # A copy, for the next layer may work in place.
            self._outputs.setdefault(name, []).append(main.detach().clone())
            # Detached, for a checkpoint counts what is saved for the way back.
            entering = [item.detach() for _, item in tensors(given) if item.is_floating_point() and item.numel()]
            shares = [float((~torch.isfinite(item)).float().mean()) for item in entering]
            self._inputs[name] = max([*shares, self._inputs.get(name, 0.0)])
            if entering and name not in self._entering:
                self._entering[name] = entering[0].detach().clone()

        return hook

    def layers(self) -> tuple[LayerStatistics, ...]:
        """The statistics, in the order in which layers were first run."""
        import torch

        found = []
        for order, (name, outputs) in enumerate(self._outputs.items()):
            together = outputs[0] if len(outputs) == 1 else torch.cat([item.reshape(-1) for item in outputs])
            gradient, entering = self._gradients.get(name), self._entering.get(name)
            found.append(
                LayerStatistics(
                    name=name,
                    kind=self._kinds[name],
                    order=order,
                    calls=self._calls[name],
                    shape=tuple(outputs[0].shape),
                    activation=distribution(together),
                    gradient=None if gradient is None else distribution(gradient),
                    units=_units(outputs, self._kinds[name]),
                    input_non_finite=self._inputs.get(name, 0.0),
                    entering=None if entering is None else distribution(entering),
                    entering_units=np.zeros((0, 4)) if entering is None else _units([entering], self._kinds[name]),
                )
            )
        return tuple(found)


def _units(outputs: list[Tensor], kind: str) -> NDArray[np.float64]:
    import torch

    first = outputs[0]
    # Convolutions and their norms have channels second, everything else has features last.
    axis = 1 if first.ndim >= 4 or (first.ndim == 3 and ("Conv" in kind or "BatchNorm" in kind)) else -1
    if first.ndim < 2:
        return np.zeros((0, 4))
    same = [item for item in outputs if item.shape[axis] == first.shape[axis]]
    rows = torch.cat([item.movedim(axis, -1).reshape(-1, item.shape[axis]).double() for item in same])
    rows = torch.nan_to_num(rows)
    table = torch.stack([rows.amin(0), rows.amax(0), rows.mean(0), rows.std(0, unbiased=False)], 1)
    found: NDArray[np.float64] = table.cpu().numpy()
    found.flags.writeable = False
    return found


def parameter_statistics(model: nn.Module) -> tuple[ParameterStatistics, ...]:
    """Every parameter with its gradient; shared ones once."""
    found = []
    modules = dict(model.named_modules())
    for name, parameter in model.named_parameters():
        layer = name.rpartition(".")[0]
        gradient = parameter.grad
        if gradient is not None and gradient.is_sparse:
            gradient = gradient.to_dense()
        found.append(
            ParameterStatistics(
                name=name,
                shape=tuple(parameter.shape),
                layer=layer,
                kind=type(modules[layer]).__name__ if layer in modules else "",
                trains=parameter.requires_grad,
                values=distribution(parameter),
                gradient=None if gradient is None else distribution(gradient),
            )
        )
    return tuple(found)
