"""Every input is found that something makes, by the package that defines its type."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import dataguard.inputs
from dataguard.engine.areas import AREAS, DATASET, area_of
from dataguard.inputs import made
from dataguard.rules import all_rules

MODULES = [
    name
    for name in (item.name for item in pkgutil.iter_modules(dataguard.inputs.__path__))
    if hasattr(importlib.import_module(f"dataguard.inputs.{name}"), "MAKERS")
]


@pytest.mark.parametrize("name", MODULES)
def test_every_maker_is_found(name: str) -> None:
    makers = importlib.import_module(f"dataguard.inputs.{name}").MAKERS
    assert makers
    assert {kind: made._maker(kind) for kind in makers} == {kind: (name, maker) for kind, maker in makers.items()}


def test_nothing_makes_what_no_module_knows() -> None:
    class Unheard:
        """Nobody makes it."""

    Unheard.__module__ = "dataguard.labels.unheard"
    assert made._maker(Unheard) is None
    assert not made.is_of_the_dataset(Unheard)


def test_inputs_of_the_dataset_are_told_from_others() -> None:
    kinds = {parameter.type for rule in all_rules() for parameter in rule.inputs}
    found = {kind.__name__ for kind in kinds if made.is_of_the_dataset(kind)}
    assert {"SampleTable", "OutOfSample", "NearDuplicates", "FileFacts", "SplitSamples"} <= found
    assert not found & {"BatchStream", "CodeFiles", "PipelinePair", "DeclaredEnvironment", "VersionComparison"}


def test_areas_name_types_and_packages_that_there_are() -> None:
    for area in AREAS:
        for name in (*area.inputs, *([area.opened] if area.opened else [])):
            if name.endswith("."):
                assert importlib.import_module(f"dataguard.{name[:-1]}").__path__
            else:
                module, _, kind = name.rpartition(".")
                assert isinstance(getattr(importlib.import_module(f"dataguard.{module}"), kind), type), name


def test_rules_are_about_the_area_of_their_inputs() -> None:
    areas = {rule.code: area_of(rule) for rule in all_rules()}
    assert areas["DG101"] is DATASET
    alone = {area.inputs for code, area in areas.items() if code.startswith("DG5")}
    assert alone == {("environment.",)}
    assert len({id(area) for area in areas.values()}) >= len(AREAS) - 2
