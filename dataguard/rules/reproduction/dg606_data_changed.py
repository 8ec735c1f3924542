"""DG606: inputs are not those that were locked."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.reproduction.reproducing import Reproduction


@rule("DG606", "data-changed", Severity.ERROR)
def data_changed(reproduction: Reproduction) -> Iterator[Outcome]:
    """The inputs are not the ones that were locked.

    ## What it does

    Compares the SHA-256 of every input with the lock's.

    ## Why is this bad?

    A result on other data is another result, whatever the model does. It happens when pictures are saved again (JPEG
    loses each time), orientation tags are stripped, or files are replaced under their names.

    ## How it decides

    By SHA-256. An input whose content changed is run and compared like the others; a missing one is left out, and the
    verdict is on the rest. Inputs that came in addition are not run, and are no finding. There are no false alarms by
    chance.

    ## Example

    >>> from dataguard.reproduction.differences import FileChange
    >>> from dataguard.reproduction.made_up import made_up_reproduction
    >>> changes = (FileChange(path="images/1.png", was="ab" * 32, now=""),)
    >>> print(data_changed(made_up_reproduction(data=changes))[0].message)
    1 of 3 inputs is not as it was locked: 0 changed, 1 missing.

    ## How to fix

    Fetch the version of the data that the lock names; the lock holds the root of a Merkle tree over it.

    ## References

    - `dataguard check` names a dataset's version in the same way; see `dataguard/dataset/manifest.py`.
    """
    lock, changes = reproduction.lock, reproduction.data
    n = len(lock.data.files)
    measurements = (Measurement(name="changed inputs", value=len(changes), threshold=0, n=n),)
    if not changes:
        yield Observation(
            message=f"{n} of {n} inputs are those of the lock (version {lock.data.version_id[:16]}).",
            measurements=measurements,
        )
        return
    missing = sum(not item.now for item in changes)
    verb, locked = ("is", "it was") if len(changes) == 1 else ("are", "they were")
    yield data_changed.finding(
        f"{len(changes)} of {n} input{'s' * (n > 1)} {verb} not as "
        f"{locked} locked: {len(changes) - missing} changed, {missing} missing.",
        remedy=f"Fetch version {lock.data.version_id[:16]} of the data, or lock the new one: dataguard lock.",
        confidence=Confidence.HIGH,
        measurements=measurements,
        locations=tuple(
            Location(path=item.path, sample_id=item.path, note="changed" if item.now else "missing") for item in changes
        ),
        key=tuple(sorted(item.path for item in changes)[:20]),
    )
