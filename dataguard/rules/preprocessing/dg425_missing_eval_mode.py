"""DG425: a model is served as it is trained: its layers in training mode, or pictures augmented."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.audit.pairing import ComparedPaths
from dataguard.preprocessing.static.reading import CodeFact, RepositoryReading
from dataguard.rules.preprocessing.facts import fact_findings


@rule("DG425", "missing-eval-mode", Severity.WARNING)
def missing_eval_mode(reading: RepositoryReading, compared: ComparedPaths | None) -> Iterator[Outcome]:
    """A model is served in training mode, or its pictures are augmented.

    ## What it does

    Looks for models of PyTorch that are loaded and called by code that evaluates or serves without `eval()` or
    `train(False)` in between, and for random steps on a path that serves. Code is read, never run.

    ## Why is this bad?

    In training mode dropout is on, and batch normalization takes the batch's own statistics: the answer to a picture
    depends on chance and on the pictures beside it. With a batch of one it is another network altogether. Augmentation
    in serving has the model look at an altered picture.

    ## How it decides

    For the mode: a script that evaluates or serves feeds a model of PyTorch, and nothing that it reaches calls `eval()`
    or `train(False)`. That something is missing is weaker evidence than that something is there, so it is a warning, of
    medium confidence. For augmentation: a step that is named as random stands on a path that serves, which is an error;
    on one that only evaluates, as test-time augmentation does, it is a warning. Where DG410 holds that step against
    training already, it is reported there. Noise that is drawn for each level by itself is no such step: a model that
    takes it away is shown with it.

    *Measured*: in 18 repositories labelled by hand it fires once, for a notebook that never calls `eval()`; in the
    1,226 files of scikit-learn, Pillow, timm and datasets twice, both for a factory of transforms that is asked for
    those of training by an argument.

    ## Example

    >>> from pathlib import Path
    >>> from dataguard.preprocessing.static.reading import CodeFact
    >>> fact = CodeFact(
    ...     kind="missing-eval-mode", file="serve.py", line=14, end_line=14,
    ...     message="the model is called and was never set to evaluate",
    ... )
    >>> reading = RepositoryReading(root=Path("."), paths=(), facts=(fact,), versions={}, files=1, lines=30)
    >>> print(missing_eval_mode(reading, None)[0].message)
    serve.py:14: the model is called and was never set to evaluate.

    ## How to fix

    Call `model.eval()` after loading; serve with the transform of evaluation. Where dropout is meant to be on, as for
    an estimate of uncertainty, say so on the line: `# dataguard: ignore[DG425] why`.

    ## References

    - PyTorch, *torch.nn.Module.eval*; *Saving and loading models*: call `model.eval()` before inference.
    - Gal and Ghahramani, *Dropout as a Bayesian approximation*, ICML 2016, for where it is meant.
    """
    yield from fact_findings(
        missing_eval_mode,
        reading,
        ("missing-eval-mode", "augmentation-in-serving"),
        remedy="Set the model to evaluate with model.eval(), and serve without random steps.",
        agreed="No model is served in training mode or with augmentation",
        severity=_severity,
        confidence=Confidence.MEDIUM,
        unless=None if compared is None else lambda fact: _held_already(compared, fact),
    )


def _severity(fact: CodeFact) -> Severity:
    serves = fact.kind == "augmentation-in-serving" and fact.detail.get("role", "serve") == "serve"
    return Severity.ERROR if serves else Severity.WARNING


def _held_already(compared: ComparedPaths, fact: CodeFact) -> bool:
    """Whether a comparison of two paths reports that random step."""
    if fact.kind != "augmentation-in-serving":
        return False
    last = max(fact.line, fact.end_line)
    origins = [
        item.right_origin
        for one in compared.pairs
        for item in one.pair.differences
        if item.aspect == "random" and item.right_origin is not None
    ]
    return any(
        known.path == fact.file and known.line is not None and fact.line <= known.line <= last for known in origins
    )
