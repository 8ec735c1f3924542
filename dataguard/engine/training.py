"""Try a model and its loss: what ``dataguard probe-training`` does."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.config import Config, check_selector, find_config, load_config
from dataguard.config.records import TrainingConfig
from dataguard.core.errors import ConfigurationError
from dataguard.core.progress import Progress, silent
from dataguard.core.report import Report
from dataguard.core.users_code import load_named, users_code
from dataguard.engine.running import run
from dataguard.rules import all_rules

if TYPE_CHECKING:
    from dataguard.training.case import ProbeSettings
    from dataguard.training.subject import Training


def probe_training(
    target: str | Training | Callable[[], Any] | Mapping[str, Any] | tuple[Any, ...] | None = None,
    *,
    device: str | None = None,
    seed: int | None = None,
    budget: float | None = None,
    batches: int | None = None,
    select: Iterable[str] | None = None,
    ignore: Mapping[str, str] | None = None,
    base: str | Path | None = None,
    config: str | Path | Config | None = None,
    progress: Progress = silent,
) -> Report:
    """Probe a model and its loss with the golden tests, on copies: nothing of the user's is changed.

    Args:
        target: A `dataguard.training.Training`, a dict with its keys, a tuple (model, loss, loader), a function that
            returns one of these, or ``"module:name"`` or ``"file.py:name"`` of such a function or value; by default the
            configuration's ``training.target``.
        device: 'cpu', 'cuda', …; by default where the model is.
        seed: Of all generators.
        budget: Seconds after which no further training run is begun; 120 by default.
        batches: The most batches that are fetched; 16 by default.
        select: Codes, prefixes or names of rules to run; by default all training probes.
        ignore: Rules not to run, with the reason for each.
        base: The folder that names are relative to; the current one by default.
        config: A configuration file, or a configuration; by default the nearest one.
        progress: Called with how far it is.

    Returns:
        The report.

    Raises:
        DataguardError: torch is missing, or model, loss or data cannot be used, with what to do about it.

    Example:
        >>> import torch
        >>> x, y = torch.randn(64, 4), torch.arange(64) % 3
        >>> made = (torch.nn.Linear(4, 3), torch.nn.functional.cross_entropy, [(x, y)])
        >>> report = probe_training(made, select=["DG702"])
        >>> list(report.findings)
        []
    """
    from dataguard.training.opening import open_case, require_torch
    from dataguard.training.subject import as_training

    require_torch()
    clock = time.perf_counter()
    settings = _resolved(config, base)
    changes: dict[str, Any] = {"device": device, "budget": budget, "batches": batches}
    if isinstance(target, str):
        changes["target"] = target
    table: TrainingConfig = dataclasses.replace(
        settings.training, **{key: value for key, value in changes.items() if value is not None}
    )
    whole = dataclasses.replace(
        settings,
        training=table,
        seed=settings.seed if seed is None else seed,
        select=tuple(select) if select is not None else settings.select,
        left_out=dict(ignore or settings.left_out),
    )
    rules = all_rules()
    for selector in (*whole.select, *whole.ignore, *whole.left_out):
        check_selector(selector, rules, where="select or ignore")
    folder = Path(base).absolute() if base is not None else settings.base.absolute()
    probing = _settings(whole)
    progress("making the model", 0, 0)
    from dataguard.training.guard import untouched

    with untouched(seed=probing.seed):
        # Whoever makes the model inside draws from seeded generators, and leaves those of the caller alone.
        given, name = _given(target, table, folder)
        made = given
        if _makes(given):
            with users_code(name, "it failed"):
                made = given()
    case = open_case(
        as_training(made, where=name),
        probing,
        target=name,
        root=folder,
        made_by=given if callable(given) else None,
    )
    with case.sandbox():
        report = run(
            dataclasses.replace(whole, base=folder),
            _about_training(rules, whole),
            use_cache=False,
            given=(case,),
            progress=progress,
        )
    return dataclasses.replace(report, seconds=round(time.perf_counter() - clock, 3))


def _about_training(rules: Iterable[Any], config: Config) -> list[Any]:
    from dataguard.engine.areas import TRAINING, area_of

    return list(rules) if config.select else [rule for rule in rules if area_of(rule) is TRAINING]


def _resolved(config: str | Path | Config | None, base: str | Path | None) -> Config:
    if isinstance(config, Config):
        return config
    start = Path.cwd() if base is None else Path(base)
    found = Path(config) if config is not None else find_config(start)
    return Config(base=start) if found is None else load_config(found, all_rules())


def _settings(config: Config) -> ProbeSettings:
    from dataguard.training.case import ProbeSettings

    table = config.training
    named: dict[str, Any] = {
        "device": table.device,
        "budget": table.budget,
        "batches": table.batches,
        "samples": table.samples,
    }
    return ProbeSettings(seed=config.seed, **{key: value for key, value in named.items() if value is not None})


def _given(target: Any, table: TrainingConfig, folder: Path) -> tuple[Any, str]:
    if target is None or isinstance(target, str):
        if table.target is None:
            raise ConfigurationError(
                "no model is named", where="TARGET", hint="name 'module:callable', or set training.target"
            )
        return load_named(table.target, folder, what="callable"), table.target
    return target, getattr(target, "__qualname__", type(target).__name__)


def _makes(value: Any) -> bool:
    import torch

    return callable(value) and not isinstance(value, torch.nn.Module) and not hasattr(value, "model")
