"""DG607: packages, interpreter, settings or code are not those that were locked."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.reproduction.differences import Difference, Kind
from dataguard.reproduction.reproducing import Reproduction
from dataguard.reproduction.verdict import Verdict

_OTHER_RULES = (Kind.GRAPHICS, Kind.DRIVER, Kind.PROCESSOR, Kind.INSTRUCTIONS, Kind.RUNNER)
_NAMED = 4
_SHOWN = 200


@rule("DG607", "environment-not-as-locked", Severity.WARNING)
def environment_not_as_locked(reproduction: Reproduction) -> Iterator[Outcome]:
    """The environment or the code is not the one that was locked.

    ## What it does

    Compares packages by version and by the hash of what is installed, Python, the libraries that decode and calculate,
    threads, settings of torch, environment variables, the batch size, and the files of the code that ran.

    ## Why is this bad?

    A re-run in another environment shows that the result is robust, at best; it does not show where it came from. And
    where the result differs, this list is where the cause is.

    ## How it decides

    By comparing versions and hashes. A difference of something that the run used (a package of which it imported a
    module, then or now; a library of the system that was loaded) is a warning; where the result is bitwise the same
    nonetheless, or where only what the run did not use differs, it is a note (info). Hardware is DG604's. There is no
    estimate in this, and no false alarm by chance.

    ## Example

    >>> from dataguard.reproduction.made_up import made_up_environment, made_up_reproduction
    >>> now = made_up_environment({"numpy": "2.4.6", "pillow": "8.4.0"})
    >>> print(environment_not_as_locked(made_up_reproduction({"logits": 1.0}, environment=now))[0].message)
    1 thing that the run used is not as it was locked: pillow 13.0.0 → 8.4.0.

    ## How to fix

    Run it in an environment made from the lock: `dataguard reproduce --runner process`, which builds one.

    ## References

    - PEP 751, *A file format to record Python dependencies for installation reproducibility*.
    - Reproducible Builds, *Definitions*.
    """
    items = [item for item in reproduction.differences if item.kind not in _OTHER_RULES]
    used = [item for item in items if item.used]
    code = reproduction.code
    measurements = (
        Measurement(name="differences of what the run used", value=len(used) + len(code), threshold=0),
        Measurement(name="differences of what it did not use", value=len(items) - len(used)),
    )
    if not items and not code:
        n = len(reproduction.environment.packages)
        yield Observation(
            message=f"{n} packages, Python and settings are those of the lock.", measurements=measurements
        )
        return
    names = [*(f"code {item.path} {'changed' if item.now else 'missing'}" for item in code), *map(str, used)]
    same = reproduction.comparison.overall is Verdict.BITWISE
    if names:
        n = len(names)
        more = f" and {n - _NAMED} more" if n > _NAMED else ""
        verb, locked = ("is", "it was") if n == 1 else ("are", "they were")
        message = (
            f"{n} thing{'s' * (n > 1)} that the run used {verb} not as {locked} locked: "
            f"{'; '.join(names[:_NAMED])}{more}."
        )
    else:
        n = len(items)
        things = "thing" if n == 1 else "things"
        verb, locked = ("is", "it was") if n == 1 else ("are", "they were")
        shown = "; ".join(map(str, items[:_NAMED])) + (f" and {n - _NAMED} more" if n > _NAMED else "")
        message = f"{n} {things} that the run did not use {verb} not as {locked} locked: {shown}."
    yield environment_not_as_locked.finding(
        message + (" The result is bitwise the same nonetheless." if same and names else ""),
        remedy=_remedy(used, code=bool(code)),
        severity=Severity.INFO if same or not names else Severity.WARNING,
        confidence=Confidence.HIGH,
        measurements=measurements,
        locations=tuple(
            Location(path=item.path, note=f"{item.was[:12]}… → {item.now[:12] + '…' if item.now else 'missing'}")
            for item in code
        ),
        exhibits=(differences_listing(items),) if items else (),
    )


def _remedy(used: list[Difference], *, code: bool) -> str:
    """What undoes the differences: the code, then the settings, then the environment."""
    if code:
        return "Take the code that was locked, or lock the result of this one."
    if used and all(item.kind in (Kind.BATCH, Kind.VARIABLE, Kind.THREADS) for item in used):
        return "Run it with the batch size and the variables of the lock, if this one is not on purpose."
    return "Run it in an environment made from the lock: dataguard reproduce --runner process."


def differences_listing(items: list[Difference]) -> Listing:
    """The differences as a table."""
    return Listing(
        title="Differences from the locked environment",
        columns=("What", "Name", "Locked", "Now", "Used by the run", "Known"),
        rows=tuple(
            (
                item.kind.value,
                item.name,
                item.was or "none",
                item.now or "none",
                "yes" if item.used else "no",
                item.known,
            )
            for item in items[:_SHOWN]
        ),
        total=len(items),
    )
