"""Which rules a run would run, without running any."""

from __future__ import annotations

from typing import Any

from dataguard.config import Config
from dataguard.core.progress import silent
from dataguard.core.rule import Rule
from dataguard.engine.accepting import ABOUT_THE_RUN
from dataguard.engine.areas import chosen
from dataguard.inputs import Inputs
from dataguard.inputs.source import open_source
from dataguard.rules import all_rules
from dataguard.rules.dataguard.dg901_unused_ignore import unused_ignore


def planned(config: Config) -> list[Rule[Any]]:
    """The rules that `check` will run with a configuration that `resolve_config` made, by code.

    DG902 is among them only where it is selected: whether a rule crashes is not known before.

    Raises:
        DataguardError: the dataset is not there.
    """
    inputs = Inputs(
        config,
        None if config.dataset.path is None else open_source(config),
        use_cache=False,
        progress=silent,
        loader=config.loader.target,
    )
    rules = chosen(all_rules(), inputs)
    if config.select:
        return rules
    accepted = bool(config.ignore) or config.baseline is not None
    return [rule for rule in rules if rule not in ABOUT_THE_RUN] + ([unused_ignore] if accepted else [])
