"""What a run can look at: for each area, whether it is named, which inputs it alone gives, and what the report says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dataguard.batches.stream import BatchStream
from dataguard.config import Config, matches
from dataguard.core.report import Subject
from dataguard.core.rule import Rule
from dataguard.dataset.class_counts import ClassCounts
from dataguard.engine import subjects
from dataguard.environment.declared import DeclaredEnvironment
from dataguard.inputs import (
    CODE_INPUTS,
    ENVIRONMENT_INPUTS,
    LOADER_INPUTS,
    NORMALIZATION_INPUTS,
    REPOSITORY_INPUTS,
    SERVING_INPUTS,
    TRAINING_INPUTS,
    VERSION_INPUTS,
    Inputs,
)
from dataguard.preprocessing.pair import DeclaredPair, PipelinePair
from dataguard.preprocessing.static.reading import RepositoryReading
from dataguard.reproduction.lock import Lock
from dataguard.reproduction.reproducing import Reproduction
from dataguard.splits.code.files import CodeFiles
from dataguard.training.case import TrainingCase
from dataguard.versions.comparison import ServingComparison, VersionComparison


@dataclass(frozen=True, kw_only=True, slots=True)
class Area:
    """Something that a run can be told to look at."""

    inputs: tuple[type, ...]
    """Inputs that are of it alone; () for the dataset, which all others are of."""
    is_named: Callable[[Inputs], bool]
    """Whether the run was told to look at it."""
    subject: Callable[[Inputs], Subject]
    """What the report is on, where this is the first area that is named."""
    opened: type | None = None
    """The input that says whether it is there and can be read; made before any rule runs."""


def _has_numbers(inputs: Inputs) -> bool:
    return bool(inputs.config.normalization.fed) or inputs.source is not None


def _has_two_versions(inputs: Inputs) -> bool:
    named = inputs.config.dataset.against is not None and inputs.source is not None
    return named or inputs.made(VersionComparison) is not None


DATASET = Area(
    inputs=(),
    is_named=lambda inputs: inputs.source is not None,
    opened=ClassCounts,
    subject=subjects.of_dataset,
)
TRAINING = Area(
    inputs=TRAINING_INPUTS,
    is_named=lambda inputs: inputs.made(TrainingCase) is not None,
    subject=subjects.of_training,
)
AREAS = (
    DATASET,
    TRAINING,
    Area(
        inputs=VERSION_INPUTS,
        is_named=_has_two_versions,
        opened=VersionComparison,
        subject=subjects.of_versions,
    ),
    Area(
        inputs=SERVING_INPUTS,
        is_named=lambda inputs: inputs.config.dataset.serving is not None and inputs.source is not None,
        opened=ServingComparison,
        subject=subjects.of_dataset,
    ),
    Area(
        inputs=REPOSITORY_INPUTS,
        is_named=lambda inputs: inputs.made(RepositoryReading) is not None,
        subject=subjects.of_repository,
    ),
    Area(
        inputs=(Reproduction,),
        is_named=lambda inputs: inputs.made(Reproduction) is not None,
        subject=subjects.of_lock,
    ),
    Area(
        inputs=(Lock,),
        is_named=lambda inputs: inputs.made(Lock) is not None,
        subject=subjects.of_lock,
    ),
    Area(
        inputs=LOADER_INPUTS,
        is_named=lambda inputs: inputs.loader is not None,
        opened=BatchStream,
        subject=subjects.of_loader,
    ),
    Area(
        inputs=(PipelinePair,),
        is_named=lambda inputs: inputs.config.preprocessing.train is not None,
        opened=PipelinePair,
        subject=subjects.of_pairs,
    ),
    Area(
        inputs=(DeclaredPair,),
        is_named=lambda inputs: inputs.config.preprocessing.declared is not None,
        opened=DeclaredPair,
        subject=subjects.of_pairs,
    ),
    Area(
        inputs=CODE_INPUTS,
        is_named=lambda inputs: bool(inputs.config.code.paths),
        opened=CodeFiles,
        subject=subjects.of_code,
    ),
    Area(
        inputs=NORMALIZATION_INPUTS,
        is_named=_has_numbers,
        subject=subjects.of_arrays,
    ),
    Area(
        inputs=ENVIRONMENT_INPUTS,
        is_named=lambda inputs: inputs.config.environment.path is not None,
        opened=DeclaredEnvironment,
        subject=subjects.of_environment,
    ),
)
"""In the order in which they give the report its subject."""


def area_of(rule: Rule[Any]) -> Area:
    """The area that a rule is about."""
    kinds = {item.type for item in rule.inputs}
    return next((area for area in AREAS if not kinds.isdisjoint(area.inputs)), DATASET)


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
        if area.opened is not None and area in due and area.is_named(inputs):
            inputs.get(area.opened)


def _first_named(inputs: Inputs) -> Area:
    return next((area for area in AREAS if area.is_named(inputs)), DATASET)


def names_other_than_dataset(config: Config) -> bool:
    """Whether a configuration names something to check that needs no dataset."""
    named = (config.loader.target, config.code.paths, config.normalization.fed, config.environment.path)
    return any(named) or config.preprocessing.named
