"""The baseline: the findings of one day, by fingerprints, so that only later ones fail a build.

A finding is known by the fingerprints of itself and of its places, which do not depend on the order of the data or on
any figure. What has got worse since is new: another severity, or places that were not there.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from dataguard.core.errors import DataguardError
from dataguard.core.finding import Finding, Location, Measurement, Severity
from dataguard.core.report import ABOUT_THE_RUN, CONCLUDED, Report, RuleRun, Status

BASELINE_VERSION = "1"
ALPHA = 0.01
"""How often an estimated finding that has not got worse is taken for one that has."""
DISPERSION = 5.5
"""By how much places of an estimate vary more than single ones would: measured for label noise on 750 sets of 2,000
samples that grew by 5 % while the probabilities were estimated anew, 3.6 to 5.5 by how much these changed."""

_SHAPE = "it is no baseline of dataguard"
_HINT = "make a new one with `dataguard baseline`"


@dataclass(frozen=True, kw_only=True, slots=True)
class BaselineEntry:
    """One finding of that day."""

    fingerprint: str
    """The finding's; see `Finding.fingerprint`."""
    code: str
    """``DG`` and three digits."""
    name: str
    """The defect in kebab case."""
    severity: Severity
    """A finding that has become worse than that is new."""
    message: str
    """What was observed then, for people."""
    places: Mapping[str, int]
    """How many of its places have each fingerprint; see `Finding.location_fingerprint`."""

    @property
    def n_places(self) -> int:
        """How many places it had."""
        return sum(self.places.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """The findings of one day."""

    entries: tuple[BaselineEntry, ...]
    """By code and fingerprint, one a fingerprint."""
    n_samples: int = 0
    """How many samples the data had; 0 where they cannot be counted."""
    made_by: str = ""
    """The version of dataguard that made it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GoneEntry:
    """An entry of a baseline that is no finding any more, or of which places are gone."""

    entry: BaselineEntry
    """What the baseline has."""
    n_gone: int
    """How many of its places are gone; 0 for a finding that has none and is gone."""
    whole: bool
    """Whether nothing of it is left."""


def recorded(report: Report) -> Baseline:
    """The findings of a report as a baseline; those about dataguard itself are left out.

    What an earlier baseline knew, and is still there, is in it too. The order of the data changes nothing of it.

    Raises:
        DataguardError: the report is of a run that was not finished, so that a finding may be missing.
    """
    crashed = [run.code for run in report.runs if run.status in (Status.CRASHED, Status.NOT_RUN)]
    if report.partial or crashed:
        why = report.ended_by or (f"{', '.join(crashed)} could not run" if crashed else "it was interrupted")
        raise DataguardError(
            f"no baseline of a run that was not finished: {why}",
            hint="mend what stopped it, or ignore the rule and say why",
        )
    found: dict[str, BaselineEntry] = {}
    for finding in (*report.findings, *report.known):
        if finding.code.startswith(ABOUT_THE_RUN):
            continue
        places = Counter(finding.location_fingerprint(place) for place in finding.locations)
        before = found.get(finding.fingerprint)
        if before is not None:
            places += Counter(before.places)
        found[finding.fingerprint] = BaselineEntry(
            fingerprint=finding.fingerprint,
            code=finding.code,
            name=finding.name,
            severity=finding.severity if before is None else max(finding.severity, before.severity),
            message=finding.message if before is None else before.message,
            places=dict(sorted(places.items())),
        )
    entries = sorted(found.values(), key=lambda entry: (entry.code, entry.fingerprint))
    return Baseline(entries=tuple(entries), n_samples=report.subject.n_samples, made_by=report.tool_version)


def compared(
    runs: Iterable[RuleRun], baseline: Baseline, *, n_samples: int
) -> tuple[tuple[RuleRun, ...], tuple[GoneEntry, ...]]:
    """Runs with the findings that the baseline has set apart, and what is gone of it.

    A finding is known where the baseline has its fingerprint, at that severity or a worse one, and all its places.
    Where some of the places are new, these are a finding of their own. Of a finding whose places are an estimate, some
    come and go with every sample that is added: it is known unless more came than went, beyond the growth of the
    data, by a test at `ALPHA` (see `DISPERSION`); then all of it is new.

    Args:
        runs: What the rules found now.
        baseline: What was found then.
        n_samples: How many samples the data have now; 0 where they cannot be counted.

    Returns:
        The runs, and the entries of rules that came to a conclusion and of which something is gone.
    """
    entries = {entry.fingerprint: entry for entry in baseline.entries}
    left = {fingerprint: Counter(entry.places) for fingerprint, entry in entries.items()}
    met: set[str] = set()
    growth = max(0.0, n_samples / baseline.n_samples - 1) if n_samples and baseline.n_samples else 0.0
    result: list[RuleRun] = []
    for run in runs:
        fresh: list[Finding] = []
        known: list[Finding] = []
        for finding in run.findings:
            entry = entries.get(finding.fingerprint)
            if entry is None or finding.code.startswith(ABOUT_THE_RUN):
                fresh.append(finding)
                continue
            met.add(entry.fingerprint)
            new, old = _parted(finding, entry, left[entry.fingerprint], growth)
            fresh += [] if new is None else [new]
            known += [] if old is None else [old]
        result.append(_run_with(run, tuple(fresh), tuple(known)))
    concluded = {run.code for run in result if run.status in CONCLUDED and not run.inconclusive}
    gone = [
        GoneEntry(entry=entry, n_gone=left[fingerprint].total(), whole=fingerprint not in met)
        for fingerprint, entry in entries.items()
        if entry.code in concluded and (fingerprint not in met or left[fingerprint].total())
    ]
    return tuple(result), tuple(gone)


def _run_with(run: RuleRun, fresh: tuple[Finding, ...], known: tuple[Finding, ...]) -> RuleRun:
    if not known:
        return dataclasses.replace(run, findings=fresh)
    status = Status.FOUND if fresh else Status.INCONCLUSIVE if run.inconclusive else Status.KNOWN
    reason = "; ".join(item.reason for item in run.inconclusive) if status is Status.INCONCLUSIVE else run.reason
    return dataclasses.replace(run, findings=fresh, known=known, status=status, reason=reason)


def _parted(
    finding: Finding, entry: BaselineEntry, left: Counter[str], growth: float
) -> tuple[Finding | None, Finding | None]:
    """What of a finding is new and what is known; `left` loses the places that are met."""
    new: list[Location] = []
    old: list[Location] = []
    for place in finding.locations:
        fingerprint = finding.location_fingerprint(place)
        if left[fingerprint] > 0:
            left[fingerprint] -= 1
            old.append(place)
        else:
            new.append(place)
    if finding.severity > entry.severity:
        said = f"The baseline has it as {_article(entry.severity)}."
        return dataclasses.replace(finding, message=_and(finding, said)), None
    if not new:
        return None, finding
    n_gone = left.total()
    if finding.estimated or not entry.places:
        if not entry.places or not _more(len(new), n_gone, growth * entry.n_places):
            return None, finding
        said = f"{_places(len(new))} not in the baseline, and {n_gone:,} of its {entry.n_places:,} are gone."
        return dataclasses.replace(finding, message=_and(finding, said)), None
    if not old:
        return finding, None
    whole = len(finding.locations)
    return (
        dataclasses.replace(
            finding,
            message=_and(finding, f"{_places(len(new))} not in the baseline; it has the other {len(old):,}."),
            locations=tuple(new),
            measurements=(
                *finding.measurements,
                Measurement(name="places that the baseline does not have", value=len(new), threshold=0, n=whole),
            ),
        ),
        dataclasses.replace(
            finding, message=_and(finding, f"The baseline has {len(old):,} of these places."), locations=tuple(old)
        ),
    )


def _more(n_new: int, n_gone: int, growth: float = 0.0) -> bool:
    """Whether more places came than went and than the growth of the data explains.

    Of places that come or go by chance, as many come as go; `growth` more come with samples that were added. Given how
    many did either, those that came are binomial, as in McNemar's test; their variance is `DISPERSION` times that of
    the binomial, because a small shift of the estimate moves many places at once.
    """
    total = n_new + n_gone
    if total <= growth:
        return False
    share = (total + growth) / (2 * total)
    spread = math.sqrt(DISPERSION * total * share * (1 - share))
    return bool(n_new - total * share > NormalDist().inv_cdf(1 - ALPHA) * spread)


def _and(finding: Finding, sentence: str) -> str:
    message = finding.message
    return f"{message if message.endswith(('.', '!', '?')) else f'{message}.'} {sentence}"


def _places(count: int) -> str:
    return "1 place is" if count == 1 else f"{count:,} places are"


def _article(severity: Severity) -> str:
    return f"{'a' if severity is Severity.WARNING else 'an'} {severity.word}"


# --- the file


def dump(baseline: Baseline) -> str:
    """The baseline as JSON text, one line a place, so that versions of it compare line by line.

    The same findings give the same text, whatever the order of the data; it holds no time.
    """
    document = {
        "baseline_version": BASELINE_VERSION,
        "made_by": baseline.made_by,
        "n_samples": baseline.n_samples,
        "findings": [
            {**dataclasses.asdict(entry), "severity": entry.severity.word, "places": dict(entry.places)}
            for entry in baseline.entries
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def load(text: str, *, where: str) -> Baseline:
    """The baseline that `dump` made text of.

    Args:
        text: The file's content.
        where: The file, for errors.

    Raises:
        DataguardError: it is no baseline, or one of another version.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataguardError(f"not a JSON document: {error}", where=where, hint=_HINT) from error
    if not isinstance(data, dict) or "baseline_version" not in data:
        hint = "it is a report: `dataguard baseline REPORT` makes a baseline of it"
        is_report = isinstance(data, dict) and "schema_version" in data
        raise DataguardError(_SHAPE, where=where, hint=hint if is_report else _HINT)
    version = data["baseline_version"]
    if version != BASELINE_VERSION:
        raise DataguardError(
            f"the baseline has version {version}, and this dataguard reads version {BASELINE_VERSION}",
            where=where,
            hint=_HINT,
        )
    try:
        return _baseline(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataguardError(f"{_SHAPE}: {type(error).__name__} {error}", where=where, hint=_HINT) from error


def _baseline(data: Mapping[str, Any]) -> Baseline:
    words = {severity.word: severity for severity in Severity}
    entries = []
    for item in data["findings"]:
        texts = [item[name] for name in ("fingerprint", "code", "name", "message")]
        places = dict(item["places"])
        if not all(isinstance(text, str) for text in (*texts, *places)):
            raise TypeError("a text is expected")
        if not all(type(count) is int and count > 0 for count in places.values()):
            raise ValueError("numbers of places are whole and above 0")
        entries.append(
            BaselineEntry(
                fingerprint=texts[0],
                code=texts[1],
                name=texts[2],
                message=texts[3],
                severity=words[item["severity"]],
                places=places,
            )
        )
    if type(data["n_samples"]) is not int or not isinstance(data["made_by"], str):
        raise TypeError("n_samples is a whole number and made_by a text")
    return Baseline(entries=tuple(entries), n_samples=data["n_samples"], made_by=data["made_by"])
