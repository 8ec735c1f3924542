"""Which keys each table of ``dataguard.toml`` has, how each is read, and which of them go together."""

from __future__ import annotations

from collections.abc import Mapping

from dataguard.config.records import (
    ENTRY_FORMS,
    LAYOUTS,
    NORMALIZATION_METHODS,
    PICTURE_FORMS,
    TASKS,
    CodeConfig,
    DatasetConfig,
    EnvironmentConfig,
    InferenceConfig,
    LoaderConfig,
    NormalizationConfig,
    PreprocessingConfig,
    TrainingConfig,
)
from dataguard.config.values import (
    Fields,
    Place,
    Table,
    Value,
    by_name,
    by_split,
    flag,
    key_or_index,
    numbers,
    one_of,
    one_or_several,
    plain_table,
    positive,
    positive_numbers,
    reasons,
    severity,
    source,
    text,
    texts,
    whole,
)
from dataguard.core.errors import ConfigurationError


def _one_source_of_numbers(fields: Fields, place: Place) -> None:
    if "splits" in fields and "loaders" in fields:
        raise ConfigurationError(
            "splits and loaders both say where the numbers are", where=str(place), hint="keep one of them"
        )
    _together(fields, "mean", "std", "declare both: mean 0 and std 1 change nothing", place)
    if "mean" in fields and 1 != len(fields["mean"]) != len(fields["std"]) != 1:
        raise ConfigurationError(
            f"{len(fields['mean'])} means and {len(fields['std'])} standard deviations", where=str(place)
        )


def _two_paths(fields: Fields, place: Place) -> None:
    if "serve" not in fields:
        raise ConfigurationError("serve is missing", where=str(place), hint="name what serving does to a picture")
    if "train" not in fields and "declared" not in fields:
        raise ConfigurationError(
            "there is nothing to compare serving with", where=str(place), hint="set train, or declared"
        )
    _together(fields, "model", "images", "name both, or none: the model is measured on the images", place)


def _together(fields: Fields, one: str, other: str, hint: str, place: Place) -> None:
    if (one in fields) != (other in fields):
        there, missing = (one, other) if one in fields else (other, one)
        raise ConfigurationError(f"{there} without {missing}", where=str(place), hint=hint)


DATASET = Table(
    record=DatasetConfig,
    keys={
        "path": text,
        "source": source,
        "pattern": text,
        "label": text,
        "splits": by_split(one_or_several, 'train = "train.csv"'),
        "split": text,
        "image": text,
        "group": text,
        "time": text,
        "id": text,
        "text": text,
        "limit": whole(1),
        "timeout": positive("seconds"),
        "pred_probs": text,
        "predictions": text,
        "features": text,
        "embedding": text,
        "schema": text,
        "task": one_of("task", TASKS),
        "version": text,
        "against": text,
        "serving": text,
    },
)
LOADER = Table(
    record=LoaderConfig,
    keys={
        "target": text,
        "batches": whole(1),
        "epochs": whole(1),
        "label": key_or_index,
        "inputs": key_or_index,
        "id": key_or_index,
        "timeout": positive("seconds"),
    },
)
CODE = Table(record=CodeConfig, keys={"paths": texts, "exclude": texts})
NORMALIZATION = Table(
    record=NormalizationConfig,
    keys={
        "splits": by_split(text, 'train = "x_train.npy"'),
        "loaders": by_split(text, 'train = "data.py:train_loader"'),
        "mean": numbers,
        "std": positive_numbers,
        "scale": positive("a number"),
        "method": one_of("method", NORMALIZATION_METHODS),
        "layout": one_of("layout", LAYOUTS),
        "timeout": positive("seconds"),
    },
    agree=_one_source_of_numbers,
    limits={"not": {"required": ["splits", "loaders"]}, "dependentRequired": {"mean": ["std"], "std": ["mean"]}},
)
PREPROCESSING = Table(
    record=PreprocessingConfig,
    keys={
        "train": text,
        "serve": text,
        "declared": text,
        "model": text,
        "images": text,
        "takes": one_of("form", PICTURE_FORMS),
        "sandbox": text,
        "timeout": positive("seconds"),
        "memory": positive("GiB"),
    },
    agree=_two_paths,
    limits={
        "required": ["serve"],
        "anyOf": [{"required": ["train"]}, {"required": ["declared"]}],
        "dependentRequired": {"model": ["images"], "images": ["model"]},
    },
)
ENVIRONMENT = Table(
    record=EnvironmentConfig, keys={"path": text, "exclude": texts, "installed": text, "resolve": flag, "images": flag}
)
INFERENCE = Table(
    record=InferenceConfig,
    keys={
        "entry": text,
        "command": text,
        "inputs": one_or_several,
        "weights": one_or_several,
        "stages": texts,
        "output": text,
        "classes": flag,
        "takes": one_of("form", ENTRY_FORMS),
        "seed": whole(0),
        "batch_size": whole(1),
        "timeout": positive("seconds"),
        "memory": positive("GiB"),
        "variables": by_name(text, 'OMP_NUM_THREADS = "1"'),
        "pipeline": text,
        "environment": text,
    },
)
TRAINING = Table(
    record=TrainingConfig,
    keys={
        "target": text,
        "device": text,
        "budget": positive("seconds"),
        "batches": whole(1),
        "samples": whole(1),
    },
)

SETTINGS: Mapping[str, Value] = {
    "dataset": DATASET,
    "loader": LOADER,
    "code": CODE,
    "normalization": NORMALIZATION,
    "preprocessing": PREPROCESSING,
    "environment": ENVIRONMENT,
    "inference": INFERENCE,
    "training": TRAINING,
    "select": texts,
    "ignore": reasons,
    "baseline": text,
    "fail_on": severity,
    "strict": flag,
    "jobs": whole(1),
    "engine": text,
    "sample": whole(1),
    "memory": text,
    "seed": whole(0),
    "max_pixels": whole(1),
    "cache": text,
    "rules": plain_table,
}
"""Every key of the file as a whole."""
