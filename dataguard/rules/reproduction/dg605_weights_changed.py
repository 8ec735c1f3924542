"""DG605: weights are not those that were locked."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.reproduction.reproducing import Reproduction


@rule("DG605", "weights-changed", Severity.ERROR)
def weights_changed(reproduction: Reproduction) -> Iterator[Outcome]:
    """The weights are not the ones that were locked.

    ## What it does

    Compares the SHA-256 of every file of weights with the lock's.

    ## Why is this bad?

    Another checkpoint under the same name is another model, and every figure that was measured on the first says
    nothing of it. It happens by fine-tuning in place, by a link that points at "latest", and by a download that was cut
    off.

    ## How it decides

    By SHA-256: two files of one hash are the same. There are no false alarms by chance; a checkpoint that was saved
    again with the same tensors may have other bytes (a date inside, another order), and DG601 then says whether the
    result is the same.

    ## Example

    >>> from dataguard.reproduction.differences import FileChange
    >>> from dataguard.reproduction.made_up import made_up_reproduction
    >>> change = FileChange(path="weights.pt", was="ab" * 32, now="cd" * 32)
    >>> print(weights_changed(made_up_reproduction(weights=(change,)))[0].message)
    1 of 1 file of weights is not the one that was locked: weights.pt (abababab… → cdcdcdcd…).

    ## How to fix

    Fetch the file whose SHA-256 the lock has. Keep checkpoints under names that hold their hash or version.

    ## References

    - OpenSSF, *Model Signing Specification* 1.0: a model is the hashes of its files.
    """
    n = len(reproduction.lock.weights)
    if not n:
        yield Skipped(
            reason="the lock names no weights", hint='name them: inference.weights = "model.pt"; code may hold them'
        )
        return
    changes = reproduction.weights
    measurements = (Measurement(name="changed files of weights", value=len(changes), threshold=0, n=n),)
    if not changes:
        yield Observation(message=f"{n} of {n} files of weights are those of the lock.", measurements=measurements)
        return
    first = changes[0]
    more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
    yield weights_changed.finding(
        f"{len(changes)} of {n} file{'s' * (n > 1)} of weights {'is' if len(changes) == 1 else 'are'} not the one"
        f"{'s' * (len(changes) > 1)} that {'was' if len(changes) == 1 else 'were'} locked: {first.path} "
        f"({first.was[:8]}… → {first.now[:8] + '…' if first.now else 'missing'}){more}.",
        remedy="Fetch the files whose SHA-256 the lock has, or lock the new ones: dataguard lock.",
        confidence=Confidence.HIGH,
        measurements=measurements,
        locations=tuple(
            Location(path=item.path, note=f"{item.was[:16]}… → {item.now[:16] + '…' if item.now else 'missing'}")
            for item in changes
        ),
        key=tuple(sorted(item.path for item in changes)),
    )
