"""What came of runs of `training_probes.py`, kept as JSON lines, and tables of it."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataguard.core.report import Report, Status

_ABOUT_THE_RUN = "DG90"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training that was probed."""

    model: str
    fault: str = ""
    """'' for a sound one."""
    rule: str = ""
    """The one that must find the fault; '' where any may."""
    place: str = ""
    """Words of which one must stand in the finding's message or places, separated by '|'; '' where it need not."""
    seed: int
    seconds: float
    """Of the processor."""
    found: tuple[tuple[str, str, str], ...]
    """Code, message and places of every finding."""
    open: tuple[tuple[str, str, str], ...]
    """Code, status and reason of every rule that did not conclude."""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What tells it from all others."""
        return (self.model, self.fault, self.rule, self.seed)

    @property
    def codes(self) -> frozenset[str]:
        """Of the rules that found something."""
        return frozenset(code for code, _, _ in self.found)

    @property
    def is_found(self) -> bool:
        """Whether the rule that must, or any, found the fault."""
        return self.rule in self.codes if self.rule else bool(self.codes)

    @property
    def is_placed(self) -> bool:
        """Whether what found it names the place."""
        return any(
            word in f"{message} {places}"
            for code, message, places in self.found
            for word in self.place.split("|")
            if code == self.rule
        )


def of_report(report: Report) -> tuple[tuple[tuple[str, str, str], ...], tuple[tuple[str, str, str], ...]]:
    """The findings of a report, and what stayed open."""
    runs = [run for run in report.runs if not run.code.startswith(_ABOUT_THE_RUN)]
    found = tuple(
        (item.code, item.message, "; ".join(f"{place.note} @{place.line}" for place in item.locations[:8]))
        for run in runs
        for item in run.findings
    )
    undecided = tuple(
        (run.code, run.status.value, run.reason or "; ".join(item.reason for item in run.inconclusive))
        for run in runs
        if run.status not in (Status.PASSED, Status.FOUND)
    )
    return found, undecided


def kept(path: Path | None) -> Iterator[Run]:
    """The runs of a file."""
    if path is None or not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        fields: dict[str, Any] = json.loads(line)
        yield Run(**{key: _tuples(value) for key, value in fields.items()})


def keep(path: Path | None, run: Run) -> None:
    """Add a run to a file."""
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(run)) + "\n")


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def sound_table(runs: Iterable[Run]) -> str:
    """False alarms by rule, with the models that they are on."""
    runs = list(runs)
    alarms: dict[str, Counter[str]] = defaultdict(Counter)
    for run in runs:
        for code in run.codes:
            alarms[code][run.model] += 1
    models = sorted({run.model for run in runs})
    lines = [f"{len(runs)} sound runs of {len(models)} models; {sum(run.seconds for run in runs):.0f} s of processor"]
    lines += [
        f"{code}: {sum(counts.values())} alarms: {', '.join(f'{model} {n}' for model, n in counts.most_common())}"
        for code, counts in sorted(alarms.items())
    ]
    stayed = Counter((code, status) for run in runs for code, status, _ in run.open)
    lines += [f"  {code} {status} in {n} runs" for (code, status), n in sorted(stayed.items())]
    return "\n".join(lines if alarms else [lines[0], "no false alarm", *lines[1:]])


def planted_table(runs: Iterable[Run]) -> str:
    """Detection by rule and fault, with the models on which it is missed."""
    by: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        by[run.rule, run.fault].append(run)
    lines = []
    totals: dict[str, list[Run]] = defaultdict(list)
    for (rule, fault), group in sorted(by.items()):
        missed = Counter(run.model for run in group if not run.is_found)
        told = ", ".join(f"{model} {n}" for model, n in missed.most_common())
        lines.append(f"{rule} {fault:<24} {_share(group)}{'   missed on ' + told if told else ''}")
        totals[rule] += group
    lines.append("")
    lines += [f"{rule} {_share(group)}" for rule, group in sorted(totals.items())]
    return "\n".join(lines)


def _share(group: list[Run]) -> str:
    hits = [run for run in group if run.is_found]
    placed = [run for run in hits if run.place]
    named = f", place named {sum(run.is_placed for run in placed)} of {len(placed)}" if placed else ""
    return f"{len(hits)} of {len(group)} ({len(hits) / len(group):.0%}){named}"


def published_table(runs: Collection[Run], hindered: Collection[tuple[str, str]] = ()) -> str:
    """Detection by kind of fault, and what is found in programs without a fault.

    Args:
        runs: What came of the programs.
        hindered: Programs and faults that learn less for it; where there are none, that column is left out.
    """
    by: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by[run.fault.split(",")[0]].append(run)
    lines = []
    for kind, group in sorted(by.items()):
        codes = Counter(code for run in group for code in run.codes)
        told = ", ".join(f"{code} {n}" for code, n in sorted(codes.items())) or "-"
        lines.append(f"{kind or 'without a fault':<24} {_found(group, hindered)}: {told}")
    faulty = [run for run in runs if run.fault]
    if faulty:
        kinds = {kind for kind, group in by.items() if kind and any(run.codes for run in group)}
        lines.append(f"all faults {_found(faulty, hindered)}; {len(kinds)} of {len(by) - ('' in by)} kinds")
    return "\n".join(lines)


def _found(group: Iterable[Run], hindered: Collection[tuple[str, str]]) -> str:
    every = list(group)
    some = [run for run in every if (run.model, run.fault) in hindered]
    told = f", of those that hinder {sum(bool(run.codes) for run in some)} of {len(some)}" if hindered and some else ""
    return f"{sum(bool(run.codes) for run in every)} of {len(every)}{told}"
