"""DG717 loss-input-mismatch."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.training.call_pass import CallPass
from dataguard.training.pairings import TOLERANCE, mismatches
from dataguard.training.watched import located


@rule("DG717", "loss-input-mismatch", Severity.ERROR)
def loss_input_mismatch(found: CallPass) -> Iterator[Outcome]:
    """The loss is given something else than it takes.

    ## What it does

    Runs the model and its loss once and looks at what is handed to each of torch's losses, wherever it is called: in
    the loss, in a function around it, or in the model; and at which function made it.

    ## Why is this bad?

    A softmax before ``CrossEntropyLoss``, logits into ``NLLLoss``, targets of shape (N,) against outputs of shape
    (N, 1): all of these run and the loss falls, to a bad place. A softmax taken twice keeps the loss above
    ln(e + K − 1) − 1 (1.46 for ten classes) and makes gradients small; a broadcast makes every output learn the mean.

    ## How it decides

    From the values, where they prove it, and from the call that made them, where values alone do not:

    - Cross entropy (logits): at fault are numbers that are not negative and sum to 1 over the classes, within 1e-3;
      what a sigmoid, a softmax over another dimension, ReLU or tanh made; one class.
    - NLL loss (log-probabilities): exponentials that do not sum to 1 over the classes, within 1e-3.
    - Binary cross entropy: of logits given a sigmoid or softmax; of probabilities given what a layer made, or the
      sigmoid of a sigmoid; targets outside of 0 to 1.
    - Divergence: exponentials, or targets, that sum to 1 over no dimension.
    - Probabilities as targets that do not sum to 1 over the classes.
    - Classes in another dimension: a linear layer's output of three or more dimensions taken as it is, or a
      convolution's reshaped without its channels moved last.
    - A softmax over one unit, which is 1 whatever the weights are.
    - Shapes: outputs and targets that differ and are broadcast, in torch's losses, and in arithmetic of a loss of the
      user's own where the result is larger than either; a dimension added by hand (``y[:, None]``) is taken for meant.

    1e-3 is some hundred roundings of bfloat16 probabilities' sums in float32, and far below what a wrong pairing gives:
    logits' exponentials sum to about K. By chance K numbers of spread s sum to 1 that closely, in each of N samples,
    with a probability of some (1e-3/s√K)ᴺ. Class weights of the wrong length are refused by torch, and so before any
    rule runs.

    On 26 sound models × 5 seeds no false alarm. Ten mistakes planted in each of these models that they fit (softmax,
    sigmoid or ReLU before cross entropy, in the model and in the loss; logits into NLL; …): 97 of 97 found
    (``benchmarks/training_pairing.py``).

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.call_pass import call_pass
    >>> from dataguard.training.opening import open_case
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.Softmax(dim=1))
    >>> batch = (torch.randn(16, 8), torch.arange(16) % 4)
    >>> case = open_case(Training(model=model, loss=torch.nn.CrossEntropyLoss(), batch=batch))
    >>> [finding] = loss_input_mismatch(call_pass(case))
    >>> finding.message.split(":")[0]
    'In the loss, cross entropy, which takes logits, is given probabilities that sum to 1'
    >>> finding.locations[0].note.split(":")[0]
    '1 (Softmax)'

    ## How to fix

    Pair them as torch documents: logits with ``CrossEntropyLoss`` and ``BCEWithLogitsLoss``, ``log_softmax`` with
    ``NLLLoss`` and ``KLDivLoss``, a sigmoid with ``BCELoss``. Give outputs and targets of a regression one shape.

    ## References

    - [torch.nn.CrossEntropyLoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html): "The
      input is expected to contain the unnormalized logits for each class".
    - [torch.nn.NLLLoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html): "The input given through
      a forward call is expected to contain log-probabilities of each class".
    - Humbatova et al., *Taxonomy of real faults in deep learning systems*, ICSE 2020 (loss function: wrong selection;
      layers: wrong activation), https://arxiv.org/abs/1910.11015.
    - *37 reasons why your neural network is not working*, no. 19 (check the loss's input).
    """
    case, quiet = found.case, True
    for item in mismatches(found):
        quiet = False
        place = item.call.location(case, f"{item.call.name} is given it")
        locations = [place]
        if item.maker is not None and item.maker.inside:
            note = f"its {item.maker.op} makes what the loss is given"
            locations.insert(0, located(case, item.maker.layer, True, item.maker.place, note))
        off = () if item.off is None else (item.off,)
        yield loss_input_mismatch.finding(
            f"In the {'model' if item.call.inside else 'loss'}, {item.message}.",
            remedy=item.remedy,
            severity=Severity.ERROR if item.certain else Severity.WARNING,
            confidence=Confidence.HIGH if item.certain else Confidence.MEDIUM,
            measurements=tuple(
                Measurement(name="sum over the classes, distance from 1", value=round(value, 6), threshold=TOLERANCE)
                for value in off
            ),
            locations=tuple(locations),
            key=(item.key,),
        )
    if quiet:
        names = sorted({call.name for call in found.losses})
        yield Observation(
            message=f"{', '.join(names)} {'are' if len(names) > 1 else 'is'} given what fits."
            if names
            else "None of torch's own losses is called, and no targets are broadcast.",
        )
