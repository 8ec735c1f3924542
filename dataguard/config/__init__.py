"""The configuration, typed: ``dataguard.toml``, or ``[tool.dataguard]`` in ``pyproject.toml``."""

from dataguard.config.reading import find_config, load_config, parse_config
from dataguard.config.records import (
    PICTURE_FORMS,
    CodeConfig,
    Config,
    DatasetConfig,
    EnvironmentConfig,
    InferenceConfig,
    LoaderConfig,
    NormalizationConfig,
    PreprocessingConfig,
    TrainingConfig,
)
from dataguard.config.selectors import check_selector, matches
from dataguard.config.values import severity_named

__all__ = [
    "PICTURE_FORMS",
    "CodeConfig",
    "Config",
    "DatasetConfig",
    "EnvironmentConfig",
    "InferenceConfig",
    "LoaderConfig",
    "NormalizationConfig",
    "PreprocessingConfig",
    "TrainingConfig",
    "check_selector",
    "find_config",
    "load_config",
    "matches",
    "parse_config",
    "severity_named",
]
