"""What a report says of the circumstances: the settings in force, and the versions that figures depend on."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
from pathlib import Path
from typing import Any

from dataguard.config import Config

MEASURING_PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "pillow",
    "scikit-learn",
    "scipy",
    "duckdb",
    "pandas",
    "pandera",
)
"""Packages whose version can change a figure; the report names their versions."""
TRAINING_PACKAGES = ("torch",)
"""Further ones where a model was tried."""
RESAMPLING_PACKAGES = ("torch", "torchvision", "scikit-image", "tensorflow")
"""Further ones that pictures are executed through where preprocessing is compared."""


def settings_in_force(config: Config, *, use_cache: bool) -> dict[str, Any]:
    """Every setting with its value; of tables the keys that are set."""
    return {
        "origin": config.origin,
        "dataset": _set_keys(config.dataset),
        "loader": _set_keys(config.loader),
        "code": _set_keys(config.code) if config.code.paths else {},
        "normalization": _set_keys(config.normalization),
        "preprocessing": _set_keys(config.preprocessing),
        "environment": _set_keys(config.environment) if config.environment.path is not None else {},
        "training": _set_keys(config.training),
        "inference": _set_keys(config.inference) if config.inference.named else {},
        "select": config.select,
        "ignore": dict(config.ignore),
        "left_out": dict(config.left_out),
        "baseline": config.baseline,
        "fail_on": config.fail_on.word,
        "strict": config.strict,
        "seed": config.seed,
        **({} if config.sample is None else {"sample": config.sample}),
        "max_pixels": config.max_pixels,
        "cache": use_cache,
    }


def _set_keys(table: Any) -> dict[str, Any]:
    names = [item.name for item in dataclasses.fields(table) if item.name != "frame"]
    values = {name: getattr(table, name) for name in names}
    return {key: str(value) if isinstance(value, Path) else value for key, value in values.items() if value is not None}


def versions(*, resampling: bool, training: bool = False) -> dict[str, str]:
    """Versions of Python and of the packages that figures depend on.

    Args:
        resampling: Whether pictures were executed, so that those that do it are named as well.
        training: Whether a model was tried.
    """
    found = {"python": platform.python_version(), "platform": platform.platform(terse=True)}
    for package in (
        *MEASURING_PACKAGES,
        *(RESAMPLING_PACKAGES if resampling else ()),
        *(TRAINING_PACKAGES if training else ()),
    ):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed as a distribution"
    return found
