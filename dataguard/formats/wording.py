"""How the formats that people read write numbers, places and verdicts, so that they all say the same."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

from dataguard.core.errors import ExitCode
from dataguard.core.exhibit import OrderStrip, Reliability
from dataguard.core.finding import Finding, Location, Measurement, Severity
from dataguard.core.report import CONCLUDED, Report, RuleRun, Status, Subject
from dataguard.core.text import printable
from dataguard.formats import strip

STATUS_WORDS: Mapping[Status, str] = {
    Status.PASSED: "passed",
    Status.FOUND: "found",
    Status.CRASHED: "could not run",
    Status.NOT_RUN: "not run",
    Status.INCONCLUSIVE: "inconclusive",
    Status.SKIPPED: "skipped",
    Status.IGNORED: "ignored",
    Status.KNOWN: "known",
}

UNSETTLED = (Status.CRASHED, Status.NOT_RUN, Status.INCONCLUSIVE, Status.SKIPPED, Status.IGNORED)
"""The states that are neither a pass nor a finding, in the order that they matter."""


def number(value: float | str | None, unit: str = "") -> str:
    """A figure as people read it: thousands separated, four digits of a fraction, shares as percentages.

    >>> number(1797), number(0.123456), number(0.1153, "share"), number(1234567.8)
    ('1,797', '0.1235', '11.5 %', '1,234,568')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite" if value > 0 else "minus infinite"
    if unit == "share":
        return _percentage(value)
    if unit == "bytes":
        return size(int(value))
    text = f"{value:,}" if isinstance(value, int) else _fraction(value)
    return f"{text} {printable(unit)}" if unit else text


def cell(value: float, unit: str = "") -> str:
    """A figure of a column of like ones: shares with one decimal, the same in every row.

    >>> cell(0.12871, "share"), cell(0.005, "share"), cell(0.0002, "share"), cell(0.99998, "share"), cell(1.0, "share")
    ('12.9 %', '0.5 %', '< 0.1 %', '> 99.9 %', '100 %')
    """
    if unit != "share" or not math.isfinite(value):
        return number(value, unit)
    if value in (0, 1):
        return f"{100 * value:.0f} %"
    text = f"{100 * value:.1f} %"
    return {"0.0 %": "< 0.1 %", "100.0 %": "> 99.9 %" if value < 1 else "100 %"}.get(text, text)


def about(count: float) -> str:
    """An estimated number of samples.

    >>> about(1234.5), about(0.4)
    ('1,234', '< 1')
    """
    return f"{count:,.0f}" if count >= 0.95 else "< 1"


def _percentage(value: float) -> str:
    percent = value * 100
    if 0 < percent < 0.001:
        return "< 0.001 %"
    text = f"{percent:.3g}" if abs(percent) < 1000 else f"{percent:,.0f}"
    if text == "100" and percent != 100:
        # 99.97 % is not all of them.
        text = f"{percent:.6g}"
    return f"{text} %"


def _fraction(value: float) -> str:
    if value == 0 or 1e-4 <= abs(value) < 1000:
        return f"{value:.4g}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.3g}"


def size(n_bytes: int) -> str:
    """A number of bytes, in powers of 1000.

    >>> size(999), size(1_234_567)
    ('999 bytes', '1.23 MB')
    """
    value = float(n_bytes)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if abs(value) < 999.5 or unit == "TB":
            break
        value /= 1000
    return f"{value:.3g} {unit}" if unit != "bytes" else count(n_bytes, "byte")


def duration(seconds: float) -> str:
    """A time span.

    >>> duration(0.0042), duration(4.21), duration(75), duration(3720)
    ('4 ms', '4.2 s', '1 min 15 s', '1 h 2 min')
    """
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def count(n: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    >>> count(1, "class", "classes"), count(1200, "sample")
    ('1 class', '1,200 samples')
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def listed(items: Sequence[str], *, last: str = "and") -> str:
    """Items as a sentence lists them.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def interval(measurement: Measurement) -> str:
    """The ends of the interval, or '' where there is none."""
    if measurement.low is None and measurement.high is None:
        return ""
    low = number(measurement.low, measurement.unit) or "..."
    high = number(measurement.high, measurement.unit) or "..."
    return f"{low} to {high}"


def level(measurement: Measurement) -> str:
    """The coverage of the interval, or ''."""
    return number(measurement.level, "share") if measurement.level is not None else ""


def comparison(measurement: Measurement) -> str:
    """What a figure is held against and how sure it is, or ''."""
    parts = []
    if measurement.threshold is not None:
        parts.append(f"threshold {number(measurement.threshold, measurement.unit)}")
    if span := interval(measurement):
        parts.append(f"interval {span}" + (f" ({level(measurement)})" if level(measurement) else ""))
    elif measurement.level is not None:
        parts.append(f"level {level(measurement)}")
    if measurement.p_value is not None:
        parts.append(f"p={p_value(measurement.p_value)}")
    if measurement.n is not None:
        parts.append(f"n={measurement.n:,}")
    return ", ".join(parts)


def leading(measurements: Sequence[Measurement], few: int) -> tuple[tuple[Measurement, ...], tuple[Measurement, ...]]:
    """The figures to show first, and the others.

    A rule may give a dozen, settings of its method among them; those that decide are the ones that were held against
    something or have an interval. Where there are few, all lead but words.
    """
    compared = [
        item for item in measurements if (item.threshold, item.low, item.high, item.p_value) != (None, None, None, None)
    ]
    plain = [item for item in measurements if item in compared or not isinstance(item.value, str)]
    first = plain if len(measurements) <= few else compared or plain[:few]
    return tuple(first), tuple(item for item in measurements if item not in first)


def p_value(value: float | None) -> str:
    """A p-value, or ''."""
    if value is None:
        return ""
    return f"{value:.2g}" if value >= 1e-300 or value == 0 else "< 1e-300"


def prose(text: str) -> str:
    r"""A message on one line, with nothing in it that acts instead of being read.

    >>> prose("it failed\n  hint: mend it"), prose("one.\ntwo")
    ('it failed; hint: mend it', 'one. two')
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    ended = [line if line[-1] in ".,:;!?" else f"{line};" for line in lines[:-1]]
    return printable(" ".join([*ended, *lines[-1:]]))


def split_name(split: str) -> str:
    """A split's name; '' stands for samples without one."""
    return printable(split) if split else "(no split)"


def place(location: Location) -> str:
    """A location on one line."""
    where = location.path or location.sample_id or ""
    parts = []
    if where and location.line is not None:
        where = f"{where}:{location.line}"
    elif location.line is not None:
        parts.append(f"line {location.line:,}")
    if where:
        parts.insert(0, where)
    if location.path and location.sample_id and location.sample_id != location.path:
        parts.append(location.sample_id)
    if location.column is not None:
        parts.append(f"column {location.column}")
    # A folder's path already says split and class.
    folders = where.split("/")[:-1]
    if location.split is not None and location.split not in folders:
        parts.append(f"split {location.split or '(none)'}")
    if location.label is not None and location.label not in folders:
        parts.append(f"class {location.label}")
    if location.related:
        parts.append("with " + ", ".join(location.related))
    text = ", ".join(parts)
    if location.note:
        text = f"{text}: {location.note}" if text else location.note
    return printable(text)


def calibration(shown: Reliability) -> list[str]:
    """What a calibration plot says, in sentences."""
    total = sum(item.n for item in shown.bins)
    sentences = [
        f"Expected calibration error {number(shown.error, 'share')}"
        + (f" ({number(shown.error_by_chance, 'share')} by chance alone)" if shown.error_by_chance is not None else "")
        + f", over {count(len(shown.bins), 'bin')} of {count(total, 'sample')}."
    ]
    if shown.ceiling is not None and shown.ceiling < 1:
        sentences.append(
            f"Wrong labels cap the agreement: who knew every true class would agree with "
            f"{number(shown.ceiling, 'share')} of the labels."
        )
    return [*sentences, prose(shown.note)] if shown.note else sentences


def order(shown: OrderStrip) -> list[str]:
    """What an order strip says, in sentences."""
    n, name = len(shown.columns), printable(shown.column_name)
    plural = f"{name}es" if name.endswith("ch") else f"{name}s"
    whole = f" of {shown.total:,}" if shown.total is not None and shown.total > n else ""
    sentences = [f"{'The first ' if whole else ''}{count(n, name, plural)}{whole}, from left to right."]
    n_single = sum(only is not None for only in strip.single_class(shown))
    holding = f"{n_single:,} of them {'holds' if n_single == 1 else 'hold'}" if n_single else "None of them holds"
    sentences.append(f"{holding} one class alone.")
    run = strip.longest_run(shown)
    if run is not None and run.length > 1:
        sentences.append(
            f"The longest run is {count(run.length, name, plural)} of {printable(run.label)}, "
            f"from {name} {run.start:,} on."
        )
    return [*sentences, prose(shown.note)] if shown.note else sentences


def fact(name: str, value: Any) -> tuple[str, str]:
    """A fact's name and value in words."""
    title = "size" if name == "bytes" else printable(name.replace("_", " "))
    if name == "merged" and isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value):
        return "of", "; ".join(_part(item) for item in value)
    if isinstance(value, int) and (name == "bytes" or name.endswith("_bytes")):
        return title, size(value)
    if name in ("width", "height") and isinstance(value, list | tuple) and len(value) == 3:
        least, median, largest = (number(item) for item in value)
        if least == largest:
            return title, f"{least} pixels"
        return title, f"{least} to {largest} pixels, median {median}"
    return title, _fact_value(value) or "none"


def _part(subject: Mapping[str, Any]) -> str:
    """One of the subjects of a report that joins several."""
    version = f", version {str(subject['version_id'])[:12]}" if subject.get("version_id") else ""
    n_samples = subject.get("n_samples")
    samples = f", {count(n_samples, 'sample')}" if isinstance(n_samples, int) and n_samples else ""
    return printable(f"{subject.get('kind')} {subject.get('path')}{version}{samples}")


def _fact_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(str(key).replace('_', ' '))} {_fact_value(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_fact_value(item) for item in value)
    if value is None or isinstance(value, int | float | str):
        return "unknown" if value is None else number(value)
    return printable(str(value))


def moment(timestamp: str) -> str:
    """A time in ISO 8601 as people read it.

    >>> moment("2026-11-21T08:00:13+00:00")
    '2026-11-21 08:00 UTC'
    """
    try:
        parsed = dt.datetime.fromisoformat(timestamp)
    except ValueError:
        return printable(timestamp)
    return f"{parsed:%Y-%m-%d %H:%M} {parsed.tzname() or ''}".rstrip()


def setting(value: Any) -> str:
    """Any value of a configuration in words."""
    if isinstance(value, Severity):
        return value.word
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(str(key))} {setting(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(setting(item) for item in value) or "none"
    if value is None:
        return "none"
    if isinstance(value, int | float | str):
        # Settings in full: 0.0001 must not read as anything but what was set.
        return printable(value) if isinstance(value, str) else number(value) if isinstance(value, bool) else repr(value)
    return printable(str(value))


def severities(report: Report) -> str:
    """How many findings of each severity, worst first: '2 errors and 1 warning'; '' where there is none."""
    found = [finding.severity for finding in report.findings]
    nouns = {Severity.ERROR: ("error", ""), Severity.WARNING: ("warning", ""), Severity.INFO: ("info", "info")}
    return listed([count(found.count(kind), *noun) for kind, noun in nouns.items() if kind in found])


def source(subject: Subject) -> str:
    """What kind of source was checked, and which version of it; a loader has none."""
    version = f", version {subject.version_id[:12] or 'unknown'}" if subject.kind == "dataset" else ""
    return subject.source + version


def settled(report: Report) -> str:
    """How many rules came to a conclusion, and what became of the others."""
    n_settled = sum(run.status in CONCLUDED for run in report.runs)
    text = f"{n_settled} of {count(len(report.runs), 'rule')} came to a conclusion"
    others = [f"{report.count(status)} {STATUS_WORDS[status]}" for status in UNSETTLED if report.count(status)]
    n_known = sum(1 for _ in report.known)
    more = f"; {count(n_known, 'finding')} known by the baseline" if n_known else ""
    return (f"{text}; {listed(others)}" if others else text) + more


def exit_reason(report: Report, *, fail_on: Severity, strict: bool) -> tuple[ExitCode, str]:
    """The exit code, and why it is that one."""
    code = report.exit_code(fail_on=fail_on, strict=strict)
    if code is ExitCode.CLEAN:
        some = any(report.findings)
        if not some and any(report.known):
            return code, "nothing was found that the baseline does not have"
        return code, f"no finding at or above '{fail_on.word}'" if some else "nothing was found"
    if code is ExitCode.FOUND:
        n_failing = sum(finding.severity >= fail_on for finding in report.findings)
        return code, f"{count(n_failing, 'finding')} at or above '{fail_on.word}'"
    if code is ExitCode.NOTHING_CHECKED:
        return code, "no rule came to a conclusion, so nothing was checked"
    if report.count(Status.CRASHED):
        return code, f"{count(report.count(Status.CRASHED), 'rule')} could not run"
    if report.partial:
        return code, report.ended_by or "the run was interrupted"
    return code, "a rule was skipped or inconclusive, and --strict is set"


def unsettled_runs(report: Report) -> list[tuple[str, RuleRun, str]]:
    """Every rule, or part of a rule, that did not come to a conclusion: a word for it, the run, and the reason."""
    rows = []
    for status in UNSETTLED:
        for run in report.runs:
            if run.status is status:
                reasons = [run.reason, *(item.reason for item in run.inconclusive)]
                unique = list(dict.fromkeys(reason for reason in reasons if reason))
                rows.append((STATUS_WORDS[status], run, prose("; ".join(unique)) or "no reason was given"))
    for run in report.runs:
        if run.status in CONCLUDED and run.inconclusive:
            reasons = list(dict.fromkeys(item.reason for item in run.inconclusive))
            rows.append(("in part", run, prose("; ".join(reasons))))
    return rows


def known(report: Report) -> list[str]:
    """What a baseline has of what was found, a line a finding."""
    return [
        f"{finding.severity.word} {finding.code} {finding.name}: {prose(finding.message)}" for finding in report.known
    ]


def confidence(finding: Finding) -> str:
    """How sure the rule is, in words."""
    return f"{finding.confidence.value} confidence"
