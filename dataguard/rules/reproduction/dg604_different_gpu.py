"""DG604: it ran on other hardware than was locked."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.reproduction.differences import Kind
from dataguard.reproduction.reproducing import Reproduction
from dataguard.reproduction.verdict import Verdict

_HARDWARE = (Kind.GRAPHICS, Kind.DRIVER, Kind.PROCESSOR, Kind.INSTRUCTIONS)
_ASKED = ("torch.cuda.device", "torch.cuda.capability", "torch.version.cuda", "torch.backends.cudnn.version")


@rule("DG604", "different-gpu", Severity.WARNING)
def different_gpu(reproduction: Reproduction) -> Iterator[Outcome]:
    """It ran on another graphics card, driver, CUDA, cuDNN or instruction set than was locked.

    ## What it does

    Compares the hardware of the run, and what drives it, with the lock's: the graphics card, its driver, CUDA and cuDNN
    where the run used them, the architecture of the processor and its instruction sets.

    ## Why is this bad?

    Kernels are chosen by the hardware, and add in another order on another: no two of them promise the same bits. A
    result that is to be bitwise the same needs the same card; one that may round otherwise does not, but who compares
    two results should know which of the two was asked for.

    ## How it decides

    By comparing names and versions. Another card, driver or instruction set is a warning where the result is not
    bitwise what was locked, and a note (info) where it is: then it did not matter here. Cards and drivers count only
    where one of the two runs used CUDA. There is no estimate in this, and no false alarm by chance.

    ## Example

    >>> from dataguard.reproduction.made_up import made_up_environment, made_up_lock, made_up_reproduction
    >>> was = made_up_environment(card="NVIDIA A100", numerics={"torch.cuda.used": True})
    >>> now = made_up_environment(card="NVIDIA H200", numerics={"torch.cuda.used": True})
    >>> made = made_up_reproduction({"logits": 1e-6}, lock=made_up_lock(environment=was), environment=now)
    >>> print(different_gpu(made)[0].message)
    It ran on other hardware than was locked: graphics card NVIDIA A100 → NVIDIA H200. The result is float noise.

    ## How to fix

    Run it on the hardware that the lock names. Where that is not there, rely on the verdict: float noise is as near as
    two kinds of hardware come. An instruction set can be limited: `ONEDNN_MAX_CPU_ISA=AVX2`,
    `ATEN_CPU_CAPABILITY=avx2`, `MKL_ENABLE_INSTRUCTIONS=AVX2`.

    ## References

    - NVIDIA, *cuDNN Developer Guide*, "Reproducibility (Determinism)": not across architectures.
    - PyTorch, *Reproducibility*: "results may not be reproducible between CPU and GPU executions".
    - Intel, *oneMKL Developer Guide*, "Obtaining Numerically Reproducible Results" (CNR).
    """
    lock = reproduction.lock
    used = any(
        str(facts.get("torch.cuda.used", "")) == "True" for facts in (lock.environment.numerics, reproduction.numerics)
    )
    found = [
        str(item)
        for item in reproduction.differences
        if item.kind in _HARDWARE
        and (used or item.kind in (Kind.PROCESSOR, Kind.INSTRUCTIONS))
        and item.name != "model"
    ]
    if used:
        now = reproduction.numerics
        found += [
            f"{name.removeprefix('torch.')} {lock.environment.numerics.get(name)} → {now.get(name)}"
            for name in _ASKED
            if lock.environment.numerics.get(name) != now.get(name)
        ]
    verdict = reproduction.comparison.overall
    measurements = (Measurement(name="differences of the hardware", value=len(found), threshold=0),)
    if not found:
        where = "graphics card, driver and CUDA" if used else "architecture and instruction sets"
        yield Observation(message=f"The {where} are those of the lock.", measurements=measurements)
        return
    yield different_gpu.finding(
        f"It ran on other hardware than was locked: {'; '.join(found)}. The result is {verdict.value}.",
        remedy="Nothing, where float noise will do; else run it on what the lock names."
        if verdict in (Verdict.BITWISE, Verdict.FLOAT_NOISE)
        else "Run it on what the lock names, to tell the hardware from other causes.",
        severity=Severity.INFO if verdict is Verdict.BITWISE else Severity.WARNING,
        confidence=Confidence.HIGH,
        measurements=measurements,
    )
