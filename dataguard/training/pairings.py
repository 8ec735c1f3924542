"""Whether what a loss is given is what it takes: logits, log-probabilities, probabilities, and targets of its shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataguard.training.call_pass import LOSSES, CallPass
from dataguard.training.watched import Call, Origin

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 1e-3
"""How far a sum of probabilities may be from 1; of 16-bit numbers by 8 of their roundings, if that is more."""
_BOUNDED = ("relu", "relu6", "tanh", "hardtanh", "softplus", "elu", "selu", "leaky_relu", "gelu")
_REGRESSION = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mismatch:
    """A loss that is given what it does not take."""

    key: str
    """What kind, as ``softmax into cross entropy``."""
    message: str
    remedy: str
    call: Call
    """Of the loss."""
    maker: Origin | None
    """What made what it is given."""
    certain: bool = True
    """Whether it is wrong whatever is meant."""
    off: float | None = None
    """How far sums are from 1, where that is it."""


def mismatches(found: CallPass) -> Iterator[Mismatch]:
    """Every loss that is given something else, each kind once."""
    seen: set[str] = set()
    for call in found.calls:
        if call.name in LOSSES:
            judged = _JUDGES[call.name](call)
        elif not call.inside:
            judged = _grown(call)
        else:
            continue
        for item in judged:
            if item.key not in seen:
                seen.add(item.key)
                yield item
    if "one unit softmax" not in seen:
        yield from _constant(found)


def _constant(found: CallPass) -> Iterator[Mismatch]:
    """Predictions that are a softmax over one unit: 1 whatever the weights are."""
    maker = None if found.origin is None else found.origin.maker
    values = found.predictions
    if maker is None or maker.op not in ("softmax", "log_softmax") or values.numel() < 2:
        return
    constant = 1.0 if maker.op == "softmax" else 0.0
    call = next((item for item in reversed(found.calls) if item.name == maker.op and item.layer == maker.layer), None)
    if call is not None and bool((values == constant).all()) and 1 in maker.shape:
        yield _one_unit(call, maker)


def _one_unit(call: Call, maker: Origin | None) -> Mismatch:
    return Mismatch(
        key="one unit softmax",
        message="a softmax is taken over one unit, so that it is 1 whatever the weights are",
        remedy="Give it as many units as there are classes, or take one logit with BCEWithLogitsLoss.",
        call=call,
        maker=maker,
    )


def _cross_entropy(call: Call) -> Iterator[Mismatch]:
    scores, target, maker, near = _given(call)
    if scores.ndim == 0:
        return
    axis = 1 if scores.ndim > 1 else 0
    by_index = not target.is_floating_point()
    if scores.shape[axis] == 1:
        yield _one_unit(call, maker)
        return
    wrong = _axis(call, scores, maker, "cross entropy")
    if wrong is not None:
        yield wrong
        return
    op = "" if maker is None else maker.op
    other = _sums_to_one_elsewhere(scores, axis, near)
    if _is_distribution(scores, axis, near):
        yield Mismatch(
            key="softmax into cross entropy",
            message="cross entropy, which takes logits, is given probabilities that sum to 1: the softmax is taken "
            f"twice, and the loss cannot fall below {_least(scores.shape[axis]):.3g}",
            remedy="Remove the softmax; cross entropy takes it itself.",
            call=call,
            maker=maker,
        )
    elif op == "softmax" and other is not None:
        yield _over_another(call, maker, other, axis)
    elif op == "log_softmax" and not _is_distribution(scores.exp(), axis, near):
        yield _over_another(call, maker, _sums_to_one_elsewhere(scores.exp(), axis, near), axis)
    elif op in ("sigmoid", "hardsigmoid") and _within(scores):
        yield Mismatch(
            key="sigmoid into cross entropy",
            message=f"cross entropy, which takes logits, is given sigmoids, which lie between "
            f"{float(scores.min()):.3g} and {float(scores.max()):.3g}",
            remedy="Remove the sigmoid; or take BCELoss if labels do not exclude each other.",
            call=call,
            maker=maker,
        )
    elif op in ("relu", "relu6", "tanh", "hardtanh", "logsigmoid"):
        yield _clipped(call, maker, op, "cross entropy")
    if not by_index and target.shape == scores.shape:
        yield from _soft_targets(call, target, axis, "cross entropy")


def _nll(call: Call) -> Iterator[Mismatch]:
    scores, _, maker, near = _given(call)
    if scores.ndim == 0:
        return
    axis = 1 if scores.ndim > 1 else 0
    if scores.shape[axis] == 1:
        yield _one_unit(call, maker)
        return
    if _is_distribution(scores.exp(), axis, near):
        wrong = _axis(call, scores, maker, "NLL loss")
        if wrong is not None:
            yield wrong
        return
    other = _sums_to_one_elsewhere(scores.exp(), axis, near)
    if maker is not None and maker.op == "log_softmax":
        yield _over_another(call, maker, other, axis)
    elif _is_distribution(scores, axis, near):
        yield Mismatch(
            key="probabilities into nll",
            message="NLL loss, which takes log-probabilities, is given probabilities: their logarithm is missing, and "
            "the loss is negative",
            remedy="Take log_softmax for softmax; or leave it out and take CrossEntropyLoss.",
            call=call,
            maker=maker,
        )
    else:
        sums = scores.exp().sum(axis)
        off = float((sums - 1).abs().max())
        yield Mismatch(
            key="logits into nll",
            message="NLL loss, which takes log-probabilities, is given numbers whose exponentials sum to "
            f"{float(sums.min()):.3g} to {float(sums.max()):.3g} over the classes, not to 1",
            remedy="Take CrossEntropyLoss for logits, or add LogSoftmax(dim=1).",
            call=call,
            maker=maker,
            off=off,
        )


def _binary_logits(call: Call) -> Iterator[Mismatch]:
    scores, target, maker, _ = _given(call)
    op = "" if maker is None else maker.op
    if op in ("sigmoid", "hardsigmoid"):
        yield Mismatch(
            key="sigmoid twice",
            message="binary cross entropy of logits is given sigmoids: it takes the sigmoid twice, so that no label's "
            "probability is below 0.5",
            remedy="Remove the sigmoid, or take BCELoss.",
            call=call,
            maker=maker,
        )
    elif op == "softmax":
        if maker is not None and bool((scores == 1).all()):
            yield _one_unit(call, maker)
        else:
            yield Mismatch(
                key="softmax into binary logits",
                message="binary cross entropy of logits is given a softmax: no label's probability is below 0.5",
                remedy="Remove the softmax; take CrossEntropyLoss if classes exclude each other.",
                call=call,
                maker=maker,
            )
    elif op in ("log_softmax", "logsigmoid", "relu", "relu6", "tanh", "hardtanh"):
        yield _clipped(call, maker, op, "binary cross entropy")
    yield from _outside(call, target)
    yield from _sizes(call, scores, target)


def _binary(call: Call) -> Iterator[Mismatch]:
    scores, target, maker, _ = _given(call)
    op = "" if maker is None else maker.op
    if op == "softmax" and bool((scores == 1).all()):
        yield _one_unit(call, maker)
    elif op in ("linear", *_BOUNDED) or op.startswith("conv"):
        yield Mismatch(
            key="logits into binary",
            message=f"binary cross entropy of probabilities is given what a {op} makes, with no sigmoid between",
            remedy="Take BCEWithLogitsLoss, which takes the sigmoid itself.",
            call=call,
            maker=maker,
        )
    elif op == "sigmoid" and _sigmoid_of_sigmoid(call):
        yield Mismatch(
            key="sigmoid twice",
            message="binary cross entropy is given the sigmoid of a sigmoid: no label's probability is below 0.5",
            remedy="Remove one of the sigmoids.",
            call=call,
            maker=maker,
        )
    yield from _outside(call, target)
    yield from _sizes(call, scores, target)


def _regression(call: Call) -> Iterator[Mismatch]:
    scores, target, maker, _ = _given(call)
    if maker is not None and maker.op == "softmax" and scores.numel() > 1 and bool((scores == 1).all()):
        yield _one_unit(call, maker)
    yield from _sizes(call, scores, target)


def _divergence(call: Call) -> Iterator[Mismatch]:
    import torch

    scores, target, maker, near = _given(call)
    if scores.ndim == 0 or scores.numel() < 2:
        return
    axis = 1 if scores.ndim == 2 else scores.ndim - 1
    sums = scores.exp().sum(axis)
    # Of several dimensions any may hold the classes.
    if not any(_is_distribution(scores.exp(), at, near) for at in range(scores.ndim)) and not torch.isclose(
        scores.exp().sum(), torch.ones((), dtype=torch.float64), atol=1e-2
    ):
        yield Mismatch(
            key="no log-probabilities into divergence",
            message="Kullback-Leibler divergence, which takes log-probabilities, is given numbers whose exponentials "
            f"sum to {float(sums.min()):.3g} to {float(sums.max()):.3g}, not to 1",
            remedy="Give it log_softmax of the logits.",
            call=call,
            maker=maker,
            off=float((sums - 1).abs().max()),
        )
    elif not call.argument(5, "log_target", False) and target.shape == scores.shape:
        whole = abs(float(target.sum()) - 1) <= TOLERANCE
        if not whole and not any(_is_distribution(target, at, near) for at in range(target.ndim)):
            yield from _soft_targets(call, target, axis, "Kullback-Leibler divergence")


def _grown(call: Call) -> Iterator[Mismatch]:
    """Arithmetic of outputs and targets whose result is larger than either."""
    import torch

    tensors = [
        (item, origin)
        for item, origin in zip(call.arguments, call.origins, strict=True)
        if isinstance(item, torch.Tensor) and origin is not None
    ]
    if len(tensors) != 2:
        return
    (one, first), (other, second) = tensors
    if {first.roots, second.roots} != {frozenset({"outputs"}), frozenset({"targets"})}:
        return
    # Who adds a dimension by hand wants all pairs.
    if {"unsqueeze", "__getitem__"} & {*first.rearranged[-1:], *second.rearranged[-1:]}:
        return
    n = 1
    for size in call.made:
        n *= size
    if n > max(one.numel(), other.numel()):
        yield _broadcast(call, one, other, call.made, first if "outputs" in first.roots else second)


def _sizes(call: Call, scores: Tensor, target: Tensor) -> Iterator[Mismatch]:
    import torch

    if tuple(scores.shape) == tuple(target.shape) or 1 in (scores.numel(), target.numel()):
        return
    try:
        made = torch.broadcast_shapes(scores.shape, target.shape)  # type: ignore[no-untyped-call]
    except RuntimeError:
        return
    n = 1
    for size in made:
        n *= int(size)
    if n == scores.numel() == target.numel():
        return
    yield _broadcast(call, scores, target, tuple(made), call.origins[0] if call.origins else None)


def _broadcast(call: Call, one: Tensor, other: Tensor, made: tuple[int, ...], maker: Origin | None) -> Mismatch:
    n = 1
    for size in made:
        n *= int(size)
    pairs = n > max(one.numel(), other.numel())
    said = "every output is held against every sample's target" if pairs else "targets are repeated"
    return Mismatch(
        key="targets broadcast",
        message=f"outputs and targets of shapes {list(one.shape)} and {list(other.shape)} are broadcast to "
        f"{list(made)}: {said}",
        remedy="Give both one shape: targets.view_as(outputs), or outputs.squeeze(1).",
        call=call,
        maker=maker,
        certain=pairs,
    )


def _soft_targets(call: Call, target: Tensor, axis: int, loss: str) -> Iterator[Mismatch]:
    import torch

    sums = target.double().sum(axis)
    off = float((sums - 1).abs().max())
    near = max(TOLERANCE, 8 * torch.finfo(target.dtype).eps)
    negative = bool((target < 0).any())
    if off > near or negative:
        said = "some are negative" if negative else f"they sum to {float(sums.min()):.3g} to {float(sums.max()):.3g}"
        yield Mismatch(
            key="targets that are no probabilities",
            message=f"{loss} is given probabilities as targets, and {said} over the classes, not to 1",
            remedy="Divide them by their sum; take BCEWithLogitsLoss where several labels may be true at once.",
            call=call,
            maker=None,
            off=off,
        )


def _outside(call: Call, target: Tensor) -> Iterator[Mismatch]:
    if target.numel() and bool(((target < 0) | (target > 1)).any()):
        yield Mismatch(
            key="targets that are no probabilities",
            message=f"binary cross entropy is given targets from {float(target.min()):.4g} to "
            f"{float(target.max()):.4g}, where they are 0 to 1: it has no lower bound",
            remedy="Code the labels as 0 and 1; for numbers of classes take CrossEntropyLoss.",
            call=call,
            maker=None,
        )


def _clipped(call: Call, maker: Origin | None, op: str, loss: str) -> Mismatch:
    limits = {"tanh": "between -1 and 1", "hardtanh": "between -1 and 1"}.get(op, "of one sign")
    return Mismatch(
        key="activation into logits",
        message=f"{loss} of logits is given what a {op} makes, so that logits are {limits}",
        remedy=f"Remove the {op} after the last layer.",
        call=call,
        maker=maker,
        certain=False,
    )


def _axis(call: Call, scores: Tensor, maker: Origin | None, loss: str) -> Mismatch | None:
    """Classes in another dimension than the loss looks for them in, told from the layer that made them."""
    origin = call.origins[0] if call.origins else None
    if maker is None or origin is None:
        return None
    source = maker
    while source.op in ("softmax", "log_softmax") and source.parent is not None:
        source = source.parent
    moved = {"permute", "transpose", "movedim", "swapaxes", "T", "mT", "t"} & {*origin.rearranged}
    if moved:
        return None
    if source.op == "linear" and scores.ndim > 2 and tuple(source.shape) == tuple(scores.shape):
        return Mismatch(
            key="classes in another dimension",
            message=f"{loss} looks for classes in dimension 1 of {list(scores.shape)}, while the layer that makes "
            f"them has them in dimension {scores.ndim - 1}",
            remedy="Give it outputs.transpose(1, -1), or flatten both: outputs.flatten(0, -2), targets.flatten().",
            call=call,
            maker=maker,
        )
    flat = {"view", "reshape", "flatten"} & {*origin.rearranged}
    if source.op.startswith("conv") and flat and scores.ndim == 2 and len(source.shape) > 2:
        channels = source.shape[1]
        if channels == scores.shape[1] and scores.shape[0] != source.shape[0]:
            return Mismatch(
                key="classes in another dimension",
                message=f"{loss} is given a convolution's output {list(source.shape)} reshaped to "
                f"{list(scores.shape)}, which puts places where the classes belong",
                remedy="Move the channels last before it is flattened: outputs.movedim(1, -1).reshape(-1, classes).",
                call=call,
                maker=maker,
            )
    return None


def _over_another(call: Call, maker: Origin | None, other: int | None, axis: int) -> Mismatch:
    place = "another dimension" if other is None else f"dimension {other}"
    if other == 0:
        place += " (the batch)"
    return Mismatch(
        key="softmax over another dimension",
        message=f"the softmax is taken over {place}, and the loss has the classes in dimension {axis}",
        remedy=f"Take it over dim={axis}.",
        call=call,
        maker=maker,
    )


def _given(call: Call) -> tuple[Tensor, Any, Origin | None, float]:
    import torch

    scores, target = call.argument(0, "input"), call.argument(1, "target")
    origin = call.origins[0] if call.origins else None
    near = max(TOLERANCE, 8 * torch.finfo(scores.dtype).eps) if scores.is_floating_point() else TOLERANCE
    return scores.double(), target, None if origin is None else origin.maker, near


def _sigmoid_of_sigmoid(call: Call) -> bool:
    origin = call.origins[0]
    parent = None if origin is None else origin.maker.parent
    return parent is not None and parent.maker.op in ("sigmoid", "softmax", "hardsigmoid")


def _is_distribution(values: Tensor, axis: int, near: float) -> bool:
    if values.ndim <= axis or values.shape[axis] < 2 or not bool((values >= 0).all()):
        return False
    return bool(((values.double().sum(axis) - 1).abs() <= near).all())


def _sums_to_one_elsewhere(values: Tensor, axis: int, near: float) -> int | None:
    return next((at for at in range(values.ndim) if at != axis and _is_distribution(values, at, near)), None)


def _within(values: Tensor) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())


def _least(n: int) -> float:
    """Cross entropy of the best one-hot probabilities taken for logits: ln(e + K − 1) − 1."""
    import math

    return math.log(math.e + n - 1) - 1


_JUDGES = {
    "cross_entropy": _cross_entropy,
    "nll_loss": _nll,
    "binary_cross_entropy_with_logits": _binary_logits,
    "binary_cross_entropy": _binary,
    "kl_div": _divergence,
    **dict.fromkeys(_REGRESSION, _regression),
}
