"""Train and eval mode: which layers do not follow them, and what is random or taken from the batch in eval mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError
from dataguard.core.users_code import shortened_error
from dataguard.training.case import TrainingCase
from dataguard.training.traced import TOLERANCE, Divergence, Trace, first_divergence, relative
from dataguard.training.watched import Call, Watch

if TYPE_CHECKING:
    from torch import Tensor, nn

DROPOUTS = frozenset(
    {"dropout", "alpha_dropout", "feature_alpha_dropout", "dropout1d", "dropout2d", "dropout3d", "rrelu"}
)
"""Functions that take ``training``, and how likely a number is dropped (rrelu none)."""
RANDOM = frozenset({"multi_head_attention_forward", "scaled_dot_product_attention", "gumbel_softmax"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Stuck:
    """A layer whose mode is not what it should be."""

    layer: str
    kind: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Modes:
    """What the modes of a model do."""

    case: TrainingCase
    sensitive: tuple[Stuck, ...]
    """Every layer that does other things in train mode: dropout, batch norm, …"""
    handed_eval: bool
    """Whether the whole model was handed over in eval mode."""
    left_eval: tuple[Stuck, ...]
    """Layers that were handed over in eval mode within a model in train mode, and whose parameters train."""
    stay_train: tuple[Stuck, ...]
    """Layers that ``model.eval()`` leaves in train mode."""
    stay_eval: tuple[Stuck, ...]
    """Layers that ``model.train()`` does not bring back, and whose parameters train."""
    active: tuple[Call, ...]
    """Calls of functions that drop at random, or normalize by the batch, in eval mode."""
    no_statistics: tuple[Stuck, ...]
    """Batch norm that keeps no running statistics, and so uses the batch's in eval mode."""
    moved: tuple[str, ...]
    """Buffers that a pass in eval mode changed."""
    apart: float
    """The greatest difference of two passes in eval mode, as a share of the greatest output."""
    where: Divergence | None
    """Where they part."""


def modes(case: TrainingCase) -> Modes:
    """Make a `Modes`: two passes in eval mode.

    Raises:
        ConfigurationError: the model fails in eval mode.
    """
    import torch

    kinds: Any = sensitive_kinds()
    with case.sandbox(), torch.no_grad():
        copy = case.copy()
        sensitive: list[tuple[str, nn.Module]] = [
            (name, module) for name, module in copy.model.named_modules() if isinstance(module, kinds) and _acts(module)
        ]
        training = {id(module) for module in copy.model.modules() if module.training}
        handed_eval = not any(case.modes)
        left: list[tuple[str, nn.Module]]
        left = [] if handed_eval else [item for item in sensitive if id(item[1]) not in training]
        copy.eval()
        stay_train = [item for item in sensitive if item[1].training]
        copy.model.train()
        stay_eval = [item for item in sensitive if not item[1].training and (id(item[1]) in training)]
        copy.eval()
        before = {name: item.clone() for name, item in copy.model.named_buffers()}
        watched = DROPOUTS | RANDOM | {"batch_norm"}
        watch = Watch(lambda name: name in watched)
        traces = (Trace(), Trace())
        try:
            with watch.watching(copy.model), traces[0].recording(copy.model):
                one = copy.prediction(copy.forward(case.first)).detach()
            moved = tuple(
                name
                for name, item in copy.model.named_buffers()
                if name in before and item.shape == before[name].shape and not torch.equal(item, before[name])
            )
            with traces[1].recording(copy.model):
                other = copy.prediction(copy.forward(case.first)).detach()
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ConfigurationError(
                f"the model fails in eval mode on the first batch: {shortened_error(error)}", where=case.target
            ) from error
        apart = relative(one, other) if one.shape == other.shape else float("inf")
        where = None
        if apart > TOLERANCE:
            regions = (_whole, _whole)
            where = first_divergence(*traces, regions, TOLERANCE)
        return Modes(
            case=case,
            sensitive=_stuck(sensitive),
            handed_eval=handed_eval,
            left_eval=_stuck([item for item in left if _meant(copy.model, case, item)]),
            stay_train=_stuck(stay_train),
            stay_eval=_stuck([item for item in stay_eval if _meant(copy.model, case, item)]),
            active=tuple(call for call in watch.calls if _is_active(call)),
            no_statistics=_stuck([item for item in sensitive if getattr(item[1], "running_mean", 0) is None]),
            moved=moved,
            apart=apart,
            where=where,
        )


def sensitive_kinds() -> tuple[type, ...]:
    """Layers of torch that do other things in train mode."""
    import torch
    from torch.nn.modules import batchnorm, dropout

    return (
        dropout._DropoutNd,
        batchnorm._BatchNorm,
        torch.nn.RNNBase,
        torch.nn.MultiheadAttention,
        torch.nn.RReLU,
    )


def _acts(module: nn.Module) -> bool:
    """Whether the mode matters to it: dropout of a share that is not 0."""
    if hasattr(module, "running_mean"):
        return True
    share = getattr(module, "p", getattr(module, "dropout", 1.0))
    return bool(share)


def _is_active(call: Call) -> bool:
    if call.name in DROPOUTS:
        leaky = call.name == "rrelu"
        share = 1.0 if leaky else call.argument(1, "p", 0.5)
        return bool(share) and bool(call.argument(3 if leaky else 2, "training", call.name.startswith("dropout")))
    if call.name == "batch_norm":
        without = call.argument(1, "running_mean") is None
        return bool(call.argument(5, "training", False)) and not without
    if call.name == "scaled_dot_product_attention":
        return bool(call.argument(4, "dropout_p", 0.0))
    if call.name == "multi_head_attention_forward":
        return bool(call.named.get("training", True)) and bool(call.argument(10, "dropout_p", 0.0))
    return call.name == "gumbel_softmax"


def _meant(model: nn.Module, case: TrainingCase, item: tuple[str, nn.Module]) -> bool:
    """Whether a layer is part of what trains: its own parameters, or those of the module that holds it."""
    name = item[0]
    own = [at for at, _ in item[1].named_parameters(prefix=name)]
    while not own and name:
        name = name.rpartition(".")[0]
        own = [at for at, _ in model.get_submodule(name).named_parameters(prefix=name)]
    return any(at not in case.frozen for at in own)


def _stuck(items: Sequence[tuple[str, nn.Module]]) -> tuple[Stuck, ...]:
    return tuple(Stuck(layer=name, kind=type(module).__name__) for name, module in items)


def _whole(tensor: Tensor) -> Tensor | None:
    return tensor
