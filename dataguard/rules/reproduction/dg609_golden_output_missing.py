"""DG609: the golden outputs are missing or were changed."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.reproduction.reproducing import Reproduction


@rule("DG609", "golden-output-missing", Severity.ERROR)
def golden_output_missing(reproduction: Reproduction) -> Iterator[Outcome]:
    """The golden outputs beside the lock are missing, or not the ones that it names.

    ## What it does

    Holds the golden file against the size and the SHA-256 that the lock has of it, before the run and after it.

    ## Why is this bad?

    Without the golden values nobody can tell rounding from a change; and a golden file that was overwritten, by hand or
    by the very code that it is to check, says that all is well when it is not.

    ## How it decides

    By SHA-256. The hashes of every sample are in the lock itself: where the result is bitwise the same, they prove it
    without the file, and this finding stands all the same. There are no false alarms by chance.

    ## Example

    >>> from dataguard.reproduction.made_up import made_up_reproduction
    >>> made = made_up_reproduction(golden_problem="it cannot be read: No such file or directory")
    >>> print(golden_output_missing(made)[0].message)
    The golden outputs dataguard.golden.npz cannot be used: it cannot be read: No such file or directory.

    ## How to fix

    Fetch the file from where the lock came from: the two belong together, in version control or in an artifact store.

    ## References

    - M. Feathers, *Working Effectively with Legacy Code*, chapter 13: characterization tests.
    """
    file, problem = reproduction.lock.golden, reproduction.golden_problem
    measurements = (Measurement(name="golden files that cannot be used", value=int(bool(problem)), threshold=0),)
    if not problem:
        yield Observation(
            message=f"The golden outputs are those of the lock ({file.size / 1e6:,.1f} MB).", measurements=measurements
        )
        return
    yield golden_output_missing.finding(
        f"The golden outputs {file.path} cannot be used: {problem}.",
        remedy=f"Fetch the file with SHA-256 {file.sha256}, or lock the result again: dataguard lock.",
        confidence=Confidence.HIGH,
        measurements=measurements,
        locations=(Location(path=file.path, note=problem),),
        key=(file.path,),
    )
