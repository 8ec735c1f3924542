"""DG608: the run did not ask for what makes it deterministic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dataguard.core.finding import Confidence, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.reproduction.lock import Lock

_MATMUL = "torch.float32_matmul_precision"


@rule("DG608", "determinism-not-requested", Severity.WARNING)
def determinism_not_requested(lock: Lock) -> Iterator[Outcome]:
    """The run leaves settings of PyTorch as they are that make results vary.

    ## What it does

    Looks at the settings that were in force when the run had ended: deterministic algorithms, cuDNN's benchmark and
    deterministic flags, TF32 of convolutions and of matrix products, `CUBLAS_WORKSPACE_CONFIG`.

    ## Why is this bad?

    By default some kernels of CUDA add with atomic operations, in an order that differs from run to run; cuDNN's
    benchmark takes whichever kernel was fastest today; and TF32 keeps 10 bits of the mantissa of float32, on cards that
    have it and not on others, so that the same code rounds a thousand times coarser on one machine than on another.

    ## How it decides

    On the processor alone, only a lowered `float32_matmul_precision` counts: PyTorch's kernels there are deterministic
    for a number of threads. With CUDA, each of these is named: `use_deterministic_algorithms(True)` not called,
    `cudnn.benchmark` on, `cudnn.deterministic` off where the former is not called either, TF32 on (for convolutions it
    is by default), `CUBLAS_WORKSPACE_CONFIG` not set. They are facts, not estimates. Whether they made a difference is
    DG602's to say; where two runs were bitwise the same, this is a note (info).

    ## Example

    >>> from dataguard.reproduction.made_up import made_up_environment, made_up_lock
    >>> settings = {"torch.version": "2.13.0", "torch.cuda.used": True, "torch.backends.cudnn.allow_tf32": True}
    >>> lock = made_up_lock(environment=made_up_environment(numerics={**settings,
    ...     "torch.deterministic_algorithms": True}, variables={"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}))
    >>> print(determinism_not_requested(lock)[0].message)
    1 setting lets the result vary between runs or cards: TF32 is on for convolutions (torch.backends.cudnn.allow_tf32).

    ## How to fix

        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False

    and `CUBLAS_WORKSPACE_CONFIG=:4096:8` in `inference.variables`.

    ## References

    - PyTorch, *Reproducibility*; *CUDA semantics*, "TensorFloat-32 (TF32) on Ampere (and later) devices".
    - NVIDIA, *cuBLAS*, "Results reproducibility".
    """
    settings = lock.environment.numerics
    if not any(name == "torch.version" for name in settings):
        yield Skipped(reason="the run did not use torch")
        return
    found = list(_loose(settings, lock.environment.variables))
    measurements = (Measurement(name="settings that let results vary", value=len(found), threshold=0),)
    if not found:
        where = "on the graphics card" if settings.get("torch.cuda.used") is True else "on the processor"
        yield Observation(message=f"Nothing lets the result vary {where}.", measurements=measurements)
        return
    repeats = lock.noise.of("repeat")
    steady = bool(repeats) and all(value == 0 for item in repeats for value in item.largest.values())
    n = len(found)
    yield determinism_not_requested.finding(
        f"{n} setting{'s let' if n > 1 else ' lets'} the result vary between runs or cards: {'; '.join(found)}.",
        remedy="Set them before the model is loaded; see the rule's page.",
        severity=Severity.INFO if steady else Severity.WARNING,
        confidence=Confidence.HIGH,
        measurements=measurements,
    )


def _loose(settings: Mapping[str, str | int | bool], variables: Mapping[str, str]) -> Iterator[str]:
    if settings.get(_MATMUL, "highest") != "highest":
        yield f"float32 products are rounded to less (float32_matmul_precision = {settings[_MATMUL]!r})"
    if settings.get("torch.cuda.used") is not True:
        return
    deterministic = settings.get("torch.deterministic_algorithms") is True
    if not deterministic:
        yield "deterministic algorithms are not asked for (torch.use_deterministic_algorithms)"
        if settings.get("torch.backends.cudnn.deterministic") is False:
            yield "cuDNN may choose kernels that vary (torch.backends.cudnn.deterministic)"
    if settings.get("torch.backends.cudnn.benchmark") is True:
        yield "cuDNN takes the kernel that was fastest today (torch.backends.cudnn.benchmark)"
    if settings.get("torch.backends.cudnn.allow_tf32") is True:
        yield "TF32 is on for convolutions (torch.backends.cudnn.allow_tf32)"
    if settings.get("torch.backends.cuda.matmul.allow_tf32") is True:
        yield "TF32 is on for matrix products (torch.backends.cuda.matmul.allow_tf32)"
    if "CUBLAS_WORKSPACE_CONFIG" not in variables:
        yield "cuBLAS may use several streams' workspaces (CUBLAS_WORKSPACE_CONFIG is not set)"
