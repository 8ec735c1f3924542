"""DG602: two runs of the same thing differ."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.reproduction.differences import shown
from dataguard.reproduction.lock import Lock


@rule("DG602", "nondeterministic-run", Severity.WARNING)
def nondeterministic_run(lock: Lock) -> Iterator[Outcome]:
    """Two runs of the same code, on the same machine, with the same seed, give different results.

    ## What it does

    Compares the two processes that `dataguard lock` starts one after the other, bit by bit.

    ## Why is this bad?

    Such a result cannot be checked: whatever a re-run gives, nobody can tell a change from the run's own noise. The
    usual causes are dropout or batch normalization in training mode, an augmentation that was left in, a generator that
    no seed reaches, and kernels of CUDA that add with atomic operations.

    ## How it decides

    By comparing bits. A difference within the tolerance of the stage (8·e0, see DG601) is a warning: the order of
    additions varies. One beyond it is an error: something random is in it. Python, NumPy and torch are seeded, and so
    is Python's hash. Where the two are the same, but another seed moves the result beyond its tolerance, that is a
    warning: the result is one draw of many, and a library that draws one number more gives another. One repetition
    finds a result that differs in a share p of the runs with probability p; comparing bits gives no false alarms by
    chance.

    ## Example

    >>> from dataguard.reproduction.made_up import made_up_lock
    >>> from dataguard.reproduction.tolerance import Noise, Variation
    >>> repeat = Variation(kind="repeat", setting="another process", largest={"logits": 0.3}, samples=3)
    >>> lock = made_up_lock(noise=Noise(variations=(repeat,), double={"logits": 1e-6}))
    >>> print(nondeterministic_run(lock)[0].message)
    Two runs of the same thing differ at 'logits' by up to 0.3, 3e+05 e0, in 3 of 3 samples: something random is in it.

    ## How to fix

    Put the model into evaluation mode (`model.eval()`), leave augmentation out, seed every generator, and ask for
    deterministic kernels: `torch.use_deterministic_algorithms(True)` with `CUBLAS_WORKSPACE_CONFIG=:4096:8`.

    ## References

    - PyTorch, *Reproducibility*.
    - P. Nagarajan, G. Warnell and P. Stone, *Deterministic Implementations for Reproducibility in Deep Reinforcement
      Learning*, 2018.
    """
    repeats = lock.noise.of("repeat")
    if not repeats:
        yield Inconclusive(reason="it was not run twice")
        return
    moved = {stage.name: max(item.largest.get(stage.name, 0.0) for item in repeats) for stage in lock.outputs}
    first = next((stage for stage in lock.outputs if moved[stage.name] > 0), None)
    if first is None:
        drawn = _by_seed(lock)
        if drawn is not None:
            yield drawn
            return
        yield Observation(
            message=f"{len(repeats) + 1} runs in processes of their own are bitwise the same, {lock.data.n} samples.",
            measurements=(Measurement(name="largest difference between runs", value=0.0, threshold=0, n=lock.data.n),),
        )
        return
    largest, allowed = moved[first.name], first.tolerance
    beyond = largest > allowed.value
    in_e0 = largest / allowed.e0 if allowed.e0 else math.inf
    samples = max(item.samples for item in repeats)
    many = f" in {samples} of {lock.data.n} samples" if first.name == lock.inference.output else ""
    yield nondeterministic_run.finding(
        f"Two runs of the same thing differ at {first.name!r} by up to {shown(largest)}"
        + (f", {in_e0:.3g} e0," if math.isfinite(in_e0) else ",")
        + many
        + (": something random is in it." if beyond else ": the order of additions varies."),
        remedy="Put the model into evaluation mode and leave augmentation out."
        if beyond
        else "Ask for deterministic kernels: torch.use_deterministic_algorithms(True).",
        severity=Severity.ERROR if beyond else Severity.WARNING,
        confidence=Confidence.HIGH,
        measurements=tuple(
            Measurement(
                name=f"{stage.name}: largest difference between runs",
                value=moved[stage.name],
                threshold=stage.tolerance.value,
                n=lock.data.n,
            )
            for stage in lock.outputs
        ),
        key=(first.name,),
    )


def _by_seed(lock: Lock) -> Outcome | None:
    """The finding where another seed gives another result."""
    for stage in lock.outputs:
        for item in lock.noise.of("seed"):
            moved = item.largest.get(stage.name, 0.0)
            if moved > stage.tolerance.value:
                return nondeterministic_run.finding(
                    f"The result depends on the seed: with {item.setting}, {stage.name!r} moves by up to "
                    f"{shown(moved)}, and {shown(stage.tolerance.value)} is float noise: something random is in it.",
                    remedy="Put the model into evaluation mode and leave augmentation out.",
                    confidence=Confidence.HIGH,
                    measurements=(
                        Measurement(
                            name=f"{stage.name}: with another seed",
                            value=moved,
                            threshold=stage.tolerance.value,
                            n=lock.data.n,
                        ),
                    ),
                    key=(stage.name, "seed"),
                )
    return None
