"""DG403: training and serving resize with kernels that give different pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.preprocessing.pair import PipelinePair
from dataguard.rules.preprocessing.mismatch import mismatches


@rule("DG403", "resize-kernel-mismatch", Severity.WARNING)
def resize_kernel_mismatch(
    pair: PipelinePair, *, min_mean: Annotated[float, Between(low=0)] = 0.0
) -> Iterator[Outcome]:
    """Training and serving resize with kernels that give different pixels.

    ## What it does

    Executes the resize of each side through its own library, on generated photographs larger and smaller than the
    output, and compares the pixels; with antialiasing and the convention of where pixels lie.

    ## Why is this bad?

    A kernel without antialiasing, as OpenCV's, samples a large picture instead of averaging it: four times down,
    bilinear pixels are 4.4 levels apart from Pillow's on average, and up to 104. ResNet-50 loses up to 0.75 points
    by the kernel alone, ResNet-18 0.8 by antialiasing.

    ## How it decides

    The kernel of serving is put into training's path, and nothing else, and both are executed. A difference is
    reported where any pixel is more than 1.02 levels apart, which is what 8-bit arithmetic rounds; the finding
    gives mean and maximum. One kernel in the 8-bit arithmetic of two libraries may be farther apart in up to 0.2 %
    of values, by 14 levels: they round and clip between the two passes (Pillow's and torch's bicubic with
    antialiasing: 0.08 %, at most 7 levels). So Pillow's bilinear and torch's with antialiasing are the same, and
    two names are not a finding. A field that could not be determined on a side makes the rule inconclusive: it is
    neither equal nor a mismatch. How equal pairs are kept apart is measured in `benchmarks/probe_pairs.py`: 0
    findings on 500 pairs that are written differently and are the same.

    Options:

    - `min_mean`: levels on average that a difference must make by itself to be reported.

    ## Example

    >>> from dataguard.preprocessing.pair import PipelinePair
    >>> from dataguard.preprocessing.pipeline import Pipeline, Resize
    >>> left = Pipeline(geometry=(Resize(height=64, width=64, engine="pillow", antialias="scaled"),))
    >>> right = Pipeline(geometry=(Resize(height=64, width=64, engine="opencv"),))
    >>> finding = resize_kernel_mismatch(PipelinePair.of(left, right))[0]
    >>> print(finding.message.partition(",")[0])
    Another resize kernel: Pillow bilinear with antialiasing in training

    ## How to fix

    Use training's library and kernel. Without it: `torch.nn.functional.interpolate(…, antialias=True)` gives
    Pillow's bilinear; OpenCV's INTER_AREA comes closest to it when shrinking.

    ## References

    - Wang et al., *SysNoise: Exploring and Benchmarking Training-Deployment System Inconsistency*, MLSys 2023.
    - Parmar, Zhang and Zhu, *On Aliased Resizing and Surprising Subtleties in GAN Evaluation*, CVPR 2022.
    - torchvision, `antialias` of `Resize`: off for tensors until 0.16, on from 0.17 on.
    """
    yield from mismatches(
        resize_kernel_mismatch,
        pair,
        ("kernel",),
        what="Another resize kernel",
        remedy="Resize with training's library, kernel and antialiasing.",
        agreed="Both resize with kernels that give the same pixels.",
        unless=("geometry",),
        min_mean=min_mean,
    )
