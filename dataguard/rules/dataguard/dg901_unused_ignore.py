"""DG901: an ignore or a baseline entry that hides nothing."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.acceptance import Acceptances, IgnoreUse
from dataguard.core.baseline import GoneEntry
from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule

_LISTED = 50


@rule("DG901", "unused-ignore", Severity.WARNING)
def unused_ignore(accepted: Acceptances, *, run_ignored: bool = True) -> Iterator[Outcome]:
    """An ignore hides nothing, or a baseline has findings that are gone.

    ## What it does

    Lists the ignores of the configuration that hid nothing in this run, those that have expired, and the findings of
    the baseline that are not found any more. In an audit, comments `# dataguard: ignore[CODE] why` of the audited
    source that took nothing back are listed too.

    ## Why is this bad?

    An ignore that hides nothing today hides the defect that comes tomorrow, and nobody remembers why it is there. The
    same holds for a defect that was mended and is still in the baseline: when it comes back, nothing says so.

    ## How it decides

    The ignored rules are run, and their findings are set apart instead of counted. An ignore is unused where every
    rule of this run that it means came to a conclusion, and none of them found anything; a rule that was skipped or
    inconclusive could still find something elsewhere. An ignore that means no rule of this run is not judged. An entry
    of the baseline is gone where its rule came to a conclusion and neither the finding nor, of a finding with places,
    that place was found. WARNING for ignores, INFO for entries of a baseline: places go with every clean-up of the
    data. No statistics and no threshold.

    Options:

    - `run_ignored`: whether ignored rules are run at all; false saves their time, and their ignores are not judged.

    ## Example

    >>> from dataguard.core.acceptance import Acceptances, IgnoreUse
    >>> use = IgnoreUse(selector="DG102", reason="rare classes are meant", rules=("DG102",))
    >>> print(unused_ignore(Acceptances(ignores=(use,), origin="dataguard.toml"))[0].message)
    The ignore of DG102 ("rare classes are meant") hides nothing: DG102 found nothing.

    ## How to fix

    Remove the ignore from the configuration, or the comment from its line. `dataguard baseline` records the findings
    anew, without those that are gone. Of an ignore that has expired: mend what it hid, or give it a later day and say
    why.

    ## References

    - [ESLint, `--report-unused-disable-directives`](https://eslint.org/docs/latest/use/command-line-interface), and
      [Ruff, RUF100 unused-noqa](https://docs.astral.sh/ruff/rules/unused-noqa/): the same of linters.
    """
    if not accepted.ignores and accepted.baseline is None:
        yield Skipped(reason="nothing is ignored, and there is no baseline")
        return
    for use in accepted.ignores:
        if use.expired:
            yield _expired(accepted, use)
        elif run_ignored and use.rules and not use.undecided and not use.n_hidden:
            yield _unused(accepted, use)
    if accepted.gone:
        yield _gone(accepted)
    n_hidden = sum(use.n_hidden for use in accepted.ignores)
    yield Observation(
        message=f"{len(accepted.ignores):,} {'ignore hides' if len(accepted.ignores) == 1 else 'ignores hide'} "
        f"{_findings(n_hidden)}"
        + ("." if accepted.baseline is None else f"; the baseline has {_findings(accepted.n_entries)}."),
        measurements=(
            Measurement(name="findings that ignores hide", value=n_hidden),
            Measurement(name="findings of the baseline that are gone", value=len(accepted.gone), n=accepted.n_entries),
        ),
    )


def _expired(accepted: Acceptances, use: IgnoreUse) -> Outcome:
    return unused_ignore.finding(
        f'The ignore of {use.selector} ended on {use.until} ("{use.reason}"): what it hid counts again.',
        remedy="Mend what it hid and remove it, or give it a later day and say why.",
        confidence=Confidence.HIGH,
        locations=_places(accepted, use),
        key=("expired", use.selector),
    )


def _unused(accepted: Acceptances, use: IgnoreUse) -> Outcome:
    rules = ", ".join(use.rules[:5]) + (f" and {len(use.rules) - 5} more" if len(use.rules) > 5 else "")
    why = f"{rules} found nothing"
    if use.hidden_by_others:
        why = f"an earlier ignore hides {', '.join(use.hidden_by_others[:5])} already"
    at = "" if use.path is None else f" at {use.path}:{use.line}"
    if at:
        why = f"{rules} found nothing there"
    said = f' ("{use.reason}")' if use.reason else ""
    return unused_ignore.finding(
        f"The ignore of {use.selector}{at}{said} hides nothing: {why}.",
        remedy="Remove it: it would hide the next defect of that kind.",
        confidence=Confidence.HIGH,
        locations=_places(accepted, use),
        key=("unused", use.selector, *(() if use.path is None else (use.path,))),
    )


def _places(accepted: Acceptances, use: IgnoreUse) -> tuple[Location, ...]:
    if use.path is not None:
        return (Location(path=use.path, line=use.line),)
    if accepted.origin is None:
        return ()
    return (Location(path=accepted.origin, note=f"ignore.{use.selector}"),)


def _gone(accepted: Acceptances) -> Outcome:
    whole = [item for item in accepted.gone if item.whole]
    n_parts = len(accepted.gone) - len(whole)
    said = []
    if whole:
        codes = ", ".join(dict.fromkeys(item.entry.code for item in whole))
        said.append(f"{len(whole):,} of its {_findings(accepted.n_entries)} ({codes})")
    if n_parts:
        said.append(f"places of {'1 finding' if n_parts == 1 else f'{n_parts:,} findings'}")
    return unused_ignore.finding(
        f"The baseline {accepted.baseline} has what is gone: {' and '.join(said)}.",
        remedy="Record it anew with `dataguard baseline`, so that it is noticed when they come back.",
        severity=Severity.INFO,
        confidence=Confidence.HIGH,
        measurements=(
            Measurement(name="findings that are gone", value=len(whole), threshold=0, n=accepted.n_entries),
            Measurement(name="places that are gone", value=sum(item.n_gone for item in accepted.gone), threshold=0),
        ),
        locations=tuple(Location(path=accepted.baseline, note=_note(item)) for item in accepted.gone[:_LISTED]),
        key=("baseline",),
    )


def _note(item: GoneEntry) -> str:
    entry = item.entry
    what = "gone" if item.whole else f"{item.n_gone:,} of {entry.n_places:,} places gone"
    return f"{entry.fingerprint}: {what}: {entry.code} {entry.name}: {entry.message}"


def _findings(count: int) -> str:
    return "1 finding" if count == 1 else f"{count:,} findings"
