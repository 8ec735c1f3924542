"""DG412: a path differs from the preprocessing that the configuration of its published weights declares."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Inconclusive, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.pair import DeclaredPair, worst
from dataguard.rules.preprocessing.mismatch import listing, measurements, side_names

_CONTRADICTIONS = ("channel order", "value range", "layout or dtype", "normalized twice", "random")


@rule("DG412", "differs-from-pretrained-configuration", Severity.WARNING)
def differs_from_pretrained_configuration(pair: DeclaredPair) -> Iterator[Outcome]:
    """A path differs from what the configuration of the published weights declares.

    ## What it does

    Reads the preprocessing that comes with published weights (`preprocessor_config.json`, timm's and open_clip's
    configurations, a torchvision preset, metadata of ONNX, TFLite and OpenVINO files, …) and holds what a function does
    against it, field by field.

    ## Why is this bad?

    Weights are worth what their figures say only with the preprocessing that they were measured with. Loaders fill in
    other defaults: timm's configuration says bicubic where `create_transform` alone takes bilinear.

    ## How it decides

    Both paths are brought to one form and compared as those of training and serving are: what is written differently
    is executed, and what stays within 1.02 levels is the same. All differences are one finding, with the effect of each
    by itself. It is an error where channels, range or layout contradict the declaration. What the configuration does
    not say is no difference; where it says nothing that can be compared, the rule is inconclusive. Equal paths that are
    written differently raised nothing in 500 of 500 pairs (`benchmarks/probe_pairs.py`).

    ## Example

    >>> from dataguard.preprocessing.pair import DeclaredPair
    >>> from dataguard.preprocessing.pipeline import Affine, Pipeline
    >>> declared = Pipeline(name="preprocessor_config.json", affine=Affine.normalized([0.5], [0.5]), dtype="float32")
    >>> served = Pipeline(name="serve.py:prepare", affine=Affine.of(("divide", 255)), dtype="float32")
    >>> print(differs_from_pretrained_configuration(DeclaredPair.of(served, declared))[0].message)
    serve.py:prepare differs from preprocessor_config.json in 1 field: value range (−1 to 1 declared, 0 to 1 found).

    ## How to fix

    Make the transform from the configuration: `weights.transforms()`, `timm.data.resolve_model_data_config`,
    `AutoImageProcessor.from_pretrained`. With weights that were fine-tuned otherwise, change the configuration.

    ## References

    - Wightman, *timm*: `resolve_model_data_config` and `create_transform`.
    - Hugging Face, *Image processors*: the fields of `preprocessor_config.json`.
    """
    names = side_names(pair.declared, pair.pipeline)
    found = [one for one in pair.differences if not one.unknown]
    unknown = [one for one in pair.differences if one.unknown]
    if found:
        said = "; ".join(f"{one.aspect} ({one.left} declared, {one.right} found)" for one in found)
        most = worst(found)
        yield differs_from_pretrained_configuration.finding(
            f"{names[1]} differs from {names[0]} in {len(found)} field{'s' if len(found) > 1 else ''}: {said}.",
            remedy="Make the transform from the configuration, or correct the configuration of changed weights.",
            severity=Severity.ERROR if any(one.aspect in _CONTRADICTIONS for one in found) else Severity.WARNING,
            confidence=Confidence.HIGH if pair.faithful else Confidence.MEDIUM,
            measurements=() if most is None else measurements(most),
            exhibits=(listing([*found, *unknown], names),),
            key=tuple(sorted({one.field for one in found})),
        )
        return
    compared = {"channel order", "geometry", "mean and std", "layout or dtype"}
    left_out = {one.aspect for one in unknown}
    if compared <= left_out:
        yield Inconclusive(reason=f"nothing can be compared: {unknown[0].words}")
        return
    yield Observation(
        message=f"{names[1]} does what {names[0]} declares"
        + (f"; not compared: {', '.join(dict.fromkeys(one.field for one in unknown))}" if unknown else "")
        + ".",
        exhibits=(listing(unknown, names),) if unknown else (),
    )
