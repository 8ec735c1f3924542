"""DG720 wrong-mode."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Finding, Location, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.training.modes import Modes, Stuck
from dataguard.training.traced import TOLERANCE


@rule("DG720", "wrong-mode", Severity.ERROR)
def wrong_mode(found: Modes) -> Iterator[Outcome]:
    """A layer is in train mode where it should evaluate, or in eval mode where it should train.

    ## What it does

    Looks at the mode of every layer as the model is handed over, after ``eval()`` and after ``train()``; runs the model
    twice in eval mode on the same batch, and looks at each call of dropout, attention and batch norm on the way.

    ## Why is this bad?

    Dropout that is active in eval mode makes predictions random and worse; batch norm that takes the batch's statistics
    makes them depend on what else is in the batch. A model that trains in eval mode is not regularized, and its running
    statistics stay those of its first day.

    ## How it decides

    - ``eval()`` leaves a layer in train mode: an override of ``train`` or ``eval`` that passes it over.
    - ``train()`` does not bring a layer back, or it was handed over in eval mode within a model in train mode, while it
      or what holds it trains. A frozen backbone in eval mode is meant, and is passed over.
    - A function is told to train in eval mode: ``dropout(x)`` without ``training=self.training``, dropout's share of
      ``scaled_dot_product_attention``, ``batch_norm(…, training=True)``, a layer that is kept in a plain list. The call
      is seen, with its line.
    - Batch norm without running statistics.
    - The whole model was handed over in eval mode, and holds layers that this matters to (information where the model
      is declared as trained already, since libraries hand these over so).
    - Null hypothesis: two passes in eval mode of the same batch from different random states are equal. It is a fault
      where they differ by more than 1e-4 of the greatest output, some 800 roundings of float32, which sums in another
      order on a GPU stay below; the first module that is given the same and gives otherwise is named. Not asked with
      ``Training(stochastic_eval=True)``.

    Modes and calls are facts, with no error of either kind. On 26 sound models × 5 seeds the rule was silent, and the
    two passes were equal to the bit. Layers that pass ``eval()`` over, a functional dropout, noise, and models left in
    eval mode, planted in each of these models that they fit: all of 70 found (``benchmarks/training_pairing.py``).

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.modes import modes
    >>> from dataguard.training.opening import open_case
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.head = torch.nn.Linear(4, 3)
    ...     def forward(self, x):
    ...         return self.head(torch.nn.functional.dropout(x, 0.2))
    >>> batch = (torch.randn(16, 4), torch.arange(16) % 3)
    >>> case = open_case(Training(model=Net(), loss=torch.nn.CrossEntropyLoss(), batch=batch))
    >>> [finding] = wrong_mode(modes(case))
    >>> finding.message.split(":")[0]
    'In eval mode dropout is told to train'

    ## How to fix

    Use layers (``nn.Dropout``) that are attributes or in a ``ModuleList``, or hand ``training=self.training`` to the
    function. Let an override of ``train(mode)`` call ``super().train(mode)`` and return ``self``. Call
    ``model.train()`` before each epoch of training, and ``model.eval()`` before each evaluation.

    ## References

    - *37 reasons why your neural network is not working*, no. 32 (check for differences in train and test mode).
    - [torch.nn.functional.dropout](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html):
      ``training`` is true by default.
    - Braiek, Khomh, *Testing feedforward neural networks training programs*, ACM TOSEM 2023,
      https://arxiv.org/abs/2204.00694.
    """
    case = found.case
    measurements = (
        Measurement(
            name="difference of two passes in eval mode",
            value=float(f"{found.apart:.3g}") if found.apart != float("inf") else "another shape or not finite",
            threshold=TOLERANCE,
            n=case.first.size,
        ),
        Measurement(name="layers that follow the mode", value=len(found.sensitive)),
    )
    faults = [*_modes(found, measurements), *_calls(found, measurements)]
    explained = any(item.key[0] in ("stays in train mode", "told to train") for item in faults)
    if found.apart > TOLERANCE and not explained and not case.training.stochastic_eval:
        place = (
            case.location("", "where it begins could not be told")
            if found.where is None
            else case.location(found.where.layer, "given the same, it gives something else")
        )
        faults.append(
            wrong_mode.finding(
                f"Outputs are random in eval mode: two passes differ by up to {found.apart:.2g} of the greatest.",
                remedy="Draw random numbers where self.training alone; say stochastic_eval=True if it is meant.",
                confidence=Confidence.HIGH,
                measurements=measurements,
                locations=(place,),
                key=("random",),
            )
        )
    yield from faults
    if not faults:
        yield Observation(
            message=f"{len(found.sensitive)} layers follow train() and eval(); two passes in eval mode are equal."
            if found.apart <= TOLERANCE
            else "Outputs are random in eval mode, as is declared.",
            measurements=measurements,
        )


def _modes(found: Modes, measurements: tuple[Measurement, ...]) -> Iterator[Finding]:
    case = found.case
    if found.stay_train:
        yield wrong_mode.finding(
            f"After eval() {_several(found.stay_train)} still in train mode.",
            remedy="Let an override of train() and eval() call super() for every layer.",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=_places(found, found.stay_train, "in train mode after eval()"),
            key=("stays in train mode",),
        )
    if found.stay_eval:
        yield wrong_mode.finding(
            f"After eval() and train() {_several(found.stay_eval)} still in eval mode.",
            remedy="Let an override of train(mode) call super().train(mode).",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=_places(found, found.stay_eval, "in eval mode after train()"),
            key=("stays in eval mode",),
        )
    if found.left_eval:
        yield wrong_mode.finding(
            f"While the model is in train mode, {_several(found.left_eval)} in eval mode, though what is there trains.",
            remedy="Call model.train() before training; freeze their weights if it is meant.",
            severity=Severity.WARNING,
            confidence=Confidence.MEDIUM,
            measurements=measurements,
            locations=_places(found, found.left_eval, "handed over in eval mode"),
            key=("left in eval mode",),
        )
    if found.handed_eval and found.sensitive:
        yield wrong_mode.finding(
            f"The model is handed over in eval mode, in which {_several(found.sensitive)} not as training needs.",
            remedy="Call model.train() before training, and again after each evaluation.",
            severity=Severity.INFO if case.training.pretrained else Severity.WARNING,
            confidence=Confidence.LOW if case.training.pretrained else Confidence.MEDIUM,
            measurements=measurements,
            locations=_places(found, found.sensitive, "in eval mode"),
            key=("handed over in eval mode",),
        )
    if found.no_statistics:
        yield wrong_mode.finding(
            f"Without running statistics {_several(found.no_statistics)} normalizing by the batch in eval mode, too.",
            remedy="Leave track_running_stats=True, or use a norm that does not look at the batch.",
            severity=Severity.WARNING,
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=_places(found, found.no_statistics, "track_running_stats=False"),
            key=("no running statistics",),
        )


def _calls(found: Modes, measurements: tuple[Measurement, ...]) -> Iterator[Finding]:
    case, stuck = found.case, {item.layer for item in found.stay_train}
    for name in dict.fromkeys(call.name for call in found.active):
        calls = [call for call in found.active if call.name == name and (not call.layer or call.layer not in stuck)]
        random = name != "batch_norm"
        if not calls or (random and case.training.stochastic_eval):
            continue
        places = dict.fromkeys(call.location(case, f"{name} is told to train") for call in calls)
        what = "its numbers are dropped at random" if random else "it normalizes by the batch"
        what = "it draws at random" if name in ("rrelu", "gumbel_softmax") else what
        yield wrong_mode.finding(
            f"In eval mode {name} is told to train: {what} ({len(calls)} call{'s' if len(calls) > 1 else ''}).",
            remedy="Hand it training=self.training (a share of 0 if not self.training), or use the layer.",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=tuple(places),
            key=("told to train", name),
        )


def _several(layers: tuple[Stuck, ...]) -> str:
    first = f"{layers[0].layer or 'the model'} ({layers[0].kind})"
    return f"{first} is" if len(layers) == 1 else f"{len(layers)} layers, {first} among them, are"


def _places(found: Modes, layers: tuple[Stuck, ...], note: str) -> tuple[Location, ...]:
    return tuple(found.case.location(item.layer, note) for item in layers)
