"""What a run can look at: for each area, whether it is named, which inputs it alone gives, and what the report says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from dataguard.config import matches
from dataguard.core.report import Subject
from dataguard.core.rule import Rule
from dataguard.engine import subjects
from dataguard.engine.subjects import CASE, DECLARED_PAIR, PAIR, STREAM
from dataguard.inputs import Inputs


@dataclass(frozen=True, kw_only=True, slots=True)
class Area:
    """Something that a run can be told to look at."""

    inputs: tuple[str, ...]
    """Inputs that are of it alone, by their names below ``dataguard``, as none is imported that no rule asks for. The
    name of a package with a dot stands for all that it defines. () for the dataset, which all others are of."""
    is_named: Callable[[Inputs], bool]
    """Whether the run was told to look at it."""
    subject: Callable[[Inputs], Subject]
    """What the report is on, where this is the first area that is named."""
    opened: str = ""
    """The input that says whether it is there and can be read; made before any rule runs."""


def _has_numbers(inputs: Inputs) -> bool:
    return bool(inputs.config.normalization.fed) or inputs.source is not None


def _has_two_versions(inputs: Inputs) -> bool:
    named = inputs.config.dataset.against is not None and inputs.source is not None
    return named or inputs.there(_VERSIONS) is not None


_CODE = "splits.code.files.CodeFiles"
_DECLARED = "environment.declared.DeclaredEnvironment"
_LOCK = "reproduction.lock.Lock"
_READING = "preprocessing.static.reading.RepositoryReading"
_REPRODUCTION = "reproduction.reproducing.Reproduction"
_SERVING = "versions.comparison.ServingComparison"
_VERSIONS = "versions.comparison.VersionComparison"

DATASET = Area(
    inputs=(),
    is_named=lambda inputs: inputs.source is not None,
    opened="dataset.class_counts.ClassCounts",
    subject=subjects.of_dataset,
)
TRAINING = Area(
    inputs=("training.",),
    is_named=lambda inputs: inputs.there(CASE) is not None,
    subject=subjects.of_training,
)
AREAS = (
    DATASET,
    TRAINING,
    Area(
        inputs=(_VERSIONS,),
        is_named=_has_two_versions,
        opened=_VERSIONS,
        subject=subjects.of_versions,
    ),
    Area(
        inputs=(_SERVING,),
        is_named=lambda inputs: inputs.config.dataset.serving is not None and inputs.source is not None,
        opened=_SERVING,
        subject=subjects.of_dataset,
    ),
    Area(
        inputs=(
            _READING,
            "preprocessing.audit.pairing.ComparedPaths",
            "preprocessing.audit.declarations.DeclaredPaths",
        ),
        is_named=lambda inputs: inputs.there(_READING) is not None,
        subject=subjects.of_repository,
    ),
    Area(
        inputs=(_REPRODUCTION,),
        is_named=lambda inputs: inputs.there(_REPRODUCTION) is not None,
        subject=subjects.of_lock,
    ),
    Area(
        inputs=(_LOCK,),
        is_named=lambda inputs: inputs.there(_LOCK) is not None,
        subject=subjects.of_lock,
    ),
    Area(
        inputs=(STREAM, "batches.evidence.OrderEvidence", "batches.evidence.SecondRecording"),
        is_named=lambda inputs: inputs.loader is not None,
        opened=STREAM,
        subject=subjects.of_loader,
    ),
    Area(
        inputs=(PAIR,),
        is_named=lambda inputs: inputs.config.preprocessing.train is not None,
        opened=PAIR,
        subject=subjects.of_pairs,
    ),
    Area(
        inputs=(DECLARED_PAIR,),
        is_named=lambda inputs: inputs.config.preprocessing.declared is not None,
        opened=DECLARED_PAIR,
        subject=subjects.of_pairs,
    ),
    Area(
        inputs=(_CODE,),
        is_named=lambda inputs: bool(inputs.config.code.paths),
        opened=_CODE,
        subject=subjects.of_code,
    ),
    Area(
        inputs=("splits.normalization.evidence.NormalizationEvidence",),
        is_named=_has_numbers,
        subject=subjects.of_arrays,
    ),
    Area(
        inputs=("environment.",),
        is_named=lambda inputs: inputs.config.environment.path is not None,
        opened=_DECLARED,
        subject=subjects.of_environment,
    ),
)
"""In the order in which they give the report its subject."""


def area_of(rule: Rule[Any]) -> Area:
    """The area that a rule is about."""
    kinds = [item.type for item in rule.inputs]
    names = {f"{kind.__module__}.{kind.__qualname__}".removeprefix("dataguard.") for kind in kinds}
    names |= {name[: name.index(".") + 1] for name in names}
    return next((area for area in AREAS if not names.isdisjoint(area.inputs)), DATASET)


def chosen(rules: Iterable[Rule[Any]], inputs: Inputs) -> list[Rule[Any]]:
    """The rules to run: those that are selected by name, else those about what is named."""
    if inputs.config.select:
        return [rule for rule in rules if any(matches(text, rule) for text in inputs.config.select)]
    return [rule for rule in rules if area_of(rule).is_named(inputs)]


def subject(inputs: Inputs) -> Subject:
    """What the report is on."""
    return _first_named(inputs).subject(inputs)


def open_areas(rules: Iterable[Rule[Any]], inputs: Inputs) -> None:
    """Read what the rules are about and what the report is on, the dataset last.

    A mistake in a name shows so before a long scan.

    Raises:
        DataguardError: something that is named is not there, or cannot be read.
    """
    due = [area_of(rule) for rule in rules] + [_first_named(inputs)]
    for area in reversed(AREAS):
        if area.opened and area in due and area.is_named(inputs):
            module, _, kind = area.opened.rpartition(".")
            inputs.get(getattr(import_module(f"dataguard.{module}"), kind))


def _first_named(inputs: Inputs) -> Area:
    return next((area for area in AREAS if area.is_named(inputs)), DATASET)
