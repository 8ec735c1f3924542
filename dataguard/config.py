"""The configuration, typed: ``dataguard.toml``, or ``[tool.dataguard]`` in ``pyproject.toml``.

An unknown key is an error that names the nearest valid key, and so is a value of the wrong type: a gate that reads a
misspelt setting as its default is open.
"""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataguard.core.errors import ConfigurationError, did_you_mean
from dataguard.core.finding import Severity
from dataguard.core.rule import Rule

FILE_NAME = "dataguard.toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetConfig:
    """The table ``[dataset]``: where the samples are and what their parts are called."""

    path: str | None = None
    """A folder of images or of tables, or a CSV or Parquet file; relative to the configuration."""
    source: str | None = None
    """'folder' or 'table'; by default told from the path."""
    pattern: str | None = None
    """Folders: a glob with named groups, as ``{split}/{label}/*.png``."""
    label: str | None = None
    """Tables: the column that holds the label."""
    splits: Mapping[str, tuple[str, ...]] | None = None
    """Tables: the files of each split, relative to ``path``, where no column says the split."""
    split: str | None = None
    image: str | None = None
    """Tables: the column that holds paths of images, relative to the table."""
    group: str | None = None
    time: str | None = None
    id: str | None = None
    text: str | None = None
    """Tables: the column of texts that the labels are judged by."""
    pred_probs: str | None = None
    """A .npy, .npz or .parquet file of out-of-sample class probabilities."""
    predictions: str | None = None
    """A .npy file of out-of-sample predictions of a regression target."""
    features: str | None = None
    """A .npy or .npz file of features to judge the labels by."""
    embedding: str | None = None
    """What computes features to judge the labels by: ``module:callable``, or a folder with a checkpoint."""
    schema: str | None = None
    """A pandera schema: a YAML file, or ``module.py:Schema``."""
    task: str | None = None
    """'classification' or 'regression'; by default told from the labels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoaderConfig:
    """The table ``[loader]``: what feeds the training loop, and how to look at it."""

    target: str | None = None
    """``module:name`` or ``file.py:name`` of a loader, or of a function that makes one; relative to the
    configuration."""
    batches: int | None = None
    """The most batches of an epoch that are looked at; None for all."""
    epochs: int = 2
    """How often it is gone through; with one, epochs cannot be compared."""
    label: str | int | None = None
    """Where the labels are in a batch: a key or an index; by default told from its form."""
    inputs: str | int | None = None
    """Where the inputs are, likewise."""
    id: str | int | None = None
    """Where the ids of the samples are, likewise."""
    timeout: float | None = None
    """Seconds that importing and recording the loader may take; None for 600."""
    base: Path | None = None
    """The folder that the target is relative to; None for that of the configuration. Not a key of the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeConfig:
    """The table ``[code]``: the scripts and notebooks that train and evaluate. They are read, never run."""

    paths: tuple[str, ...] = ()
    """Scripts, notebooks, and folders of these; relative to the configuration."""
    exclude: tuple[str, ...] = ()
    """Globs of what to leave out of the folders, by name or by path within the folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NormalizationConfig:
    """The table ``[normalization]``: what a model is fed with, and what the numbers were normalized with."""

    splits: Mapping[str, str] | None = None
    """A .npy or .npz file for each split, relative to the configuration."""
    loaders: Mapping[str, str] | None = None
    """``module:name`` or ``file.py:name`` for each split: an iterable of batches, or a function that returns one."""
    mean: tuple[float, ...] | None = None
    """Declared means, one a channel or column, that are yet to be subtracted."""
    std: tuple[float, ...] | None = None
    """Declared standard deviations."""
    scale: float | None = None
    """What raw values are divided by before that; 255 for pictures of 8 bits, else 1."""
    method: str | None = None
    """What was done: 'standard', 'centre', 'min-max', 'max-abs', 'robust', 'whitening' or 'sample'."""
    layout: str | None = None
    """'features', 'NCHW' or 'NHWC'; by default told from the shape."""
    timeout: float | None = None
    """Seconds that a loader may take; None for 600."""

    @property
    def fed(self) -> Mapping[str, str]:
        """What feeds the model, by split; {} where nothing is named."""
        return self.splits or self.loaders or {}


@dataclass(frozen=True, kw_only=True, slots=True)
class PreprocessingConfig:
    """The table ``[preprocessing]``: the paths that a picture takes to the model, in training and in serving."""

    train: str | None = None
    """``module:name``, ``file.py:name``, ``model.onnx``, ``http://…``, a command with ``{image}`` and ``{output}``, or
    a .json file that ``dataguard probe --save`` wrote; relative to the configuration."""
    serve: str | None = None
    """The same, of serving."""
    declared: str | None = None
    """A configuration of published weights, as ``preprocessor_config.json``."""
    model: str | None = None
    """``module:name`` of a function from a batch to outputs, to measure what the differences do."""
    images: str | None = None
    """A folder of pictures for that; folders in it are taken for classes."""
    takes: str | None = None
    """What the functions take: 'path', 'bytes', 'pillow' or 'array'; by default each is tried."""
    timeout: float | None = None
    """Seconds that one call may take; None for 30."""
    memory: float | None = None
    """GiB of address space that a function may use; None for 16."""
    sandbox: str | None = None
    """A Docker image to run the functions in, without network; None for a process of their own."""

    @property
    def named(self) -> bool:
        """Whether there are two paths to compare."""
        return self.serve is not None and (self.train is not None or self.declared is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentConfig:
    """The table ``[environment]``: the project whose requirements, locks and imports are checked. Nothing is run."""

    path: str | None = None
    """Its folder, or one file such as ``requirements.txt``; relative to the configuration."""
    exclude: tuple[str, ...] = ()
    """Globs of what to leave out of the folder, by name or by path within the folder."""
    installed: str | None = None
    """The virtual environment that it runs in, relative to the configuration; by default the ``.venv`` in its folder,
    or the one that is active."""


PICTURE_FORMS = ("path", "bytes", "pillow", "array")
"""What a function of a picture can take."""

NORMALIZATION_METHODS = ("standard", "centre", "min-max", "max-abs", "robust", "whitening", "sample")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """Everything that a run is told."""

    origin: str | None = None
    """The file it came from; None for the defaults."""
    base: Path = field(default_factory=Path)
    """The folder that relative paths of the configuration are relative to."""
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    code: CodeConfig = field(default_factory=CodeConfig)
    normalization: NormalizationConfig = field(default_factory=NormalizationConfig)
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    environment: EnvironmentConfig = field(default_factory=EnvironmentConfig)
    select: tuple[str, ...] = ()
    """Codes, prefixes of codes or names of the rules to run; empty for all."""
    ignore: Mapping[str, str] = field(default_factory=dict)
    """Codes, prefixes or names of rules not to run, each with the reason."""
    fail_on: Severity = Severity.ERROR
    strict: bool = False
    jobs: int | None = None
    """Threads; None for one a core."""
    seed: int = 0
    max_pixels: int = 178_956_970
    """The largest image that is decoded. Twice Pillow's MAX_IMAGE_PIXELS, above which Pillow refuses too."""
    cache: str | None = None
    """The cache folder; None for the user's cache folder."""
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Options by rule code, checked."""

    def options(self, rule: Rule[Any]) -> dict[str, Any]:
        """Every option of a rule, with the value in force."""
        return rule.configure(self.rules.get(rule.code, {}), where=self._where(f"rules.{rule.code}"))

    def _where(self, key: str) -> str:
        return f"{self.origin}: {key}" if self.origin else key


def find_config(start: Path) -> Path | None:
    """The configuration that holds for a folder: its own, or that of the nearest folder above it.

    ``dataguard.toml`` wins over ``[tool.dataguard]`` in ``pyproject.toml`` of the same folder.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        candidate = folder / FILE_NAME
        if candidate.is_file():
            return candidate
        project = folder / "pyproject.toml"
        if project.is_file() and "dataguard" in _read_toml(project).get("tool", {}):
            return project
    return None


def load_config(path: Path, rules: Iterable[Rule[Any]]) -> Config:
    """Read and check a configuration file.

    Args:
        path: ``dataguard.toml`` or a ``pyproject.toml``.
        rules: Every rule there is; the tables ``[rules.…]`` are checked against their options.

    Raises:
        ConfigurationError: the file is missing or no TOML, or a key or a value is not valid.
    """
    if not path.exists():
        raise ConfigurationError("no such configuration file", where=path, hint="`dataguard init` writes one")
    data = _read_toml(path)
    prefix = ""
    if path.name == "pyproject.toml":
        data = data.get("tool", {}).get("dataguard")
        prefix = "tool.dataguard."
        if data is None:
            raise ConfigurationError("no table [tool.dataguard]", where=path, hint=f"add one, or write {FILE_NAME}")
    return parse_config(data, rules, origin=str(path), base=path.absolute().parent, prefix=prefix)


def parse_config(
    data: Mapping[str, Any],
    rules: Iterable[Rule[Any]],
    *,
    origin: str | None = None,
    base: Path | None = None,
    prefix: str = "",
) -> Config:
    """Check a configuration that has been read.

    Args:
        data: The tables and keys.
        rules: Every rule there is.
        origin: The file that errors name.
        base: The folder that its relative paths are relative to; the current one by default.
        prefix: What stands before every key in that file.

    Raises:
        ConfigurationError: a key or a value is not valid.
    """
    by_code = {rule.code: rule for rule in rules}
    reader = _Reader(origin=origin, prefix=prefix)
    settings: dict[str, Any] = {}
    for key, value in data.items():
        name = key.replace("-", "_")
        if name not in _SETTINGS:
            raise ConfigurationError(
                f"unknown key {key!r}",
                where=reader.where(),
                hint=did_you_mean(name, _SETTINGS).replace("_", "-"),
            )
        settings[name] = _SETTINGS[name](reader, key, value)
    settings["ignore"] = {
        selector: reason
        for selector, reason in settings.get("ignore", {}).items()
        if check_selector(selector, by_code.values(), where=reader.where("ignore"))
    }
    for selector in settings.get("select", ()):
        check_selector(selector, by_code.values(), where=reader.where("select"))
    settings["rules"] = {
        _rule_named(key, by_code, reader): _rule_options(key, value, by_code, reader)
        for key, value in settings.get("rules", {}).items()
    }
    return Config(origin=origin, base=base or Path.cwd(), **settings)


def matches(selector: str, rule: Rule[Any]) -> bool:
    """Whether a selector (code, prefix of a code, name, or 'ALL') means a rule.

    >>> from dataguard.rules import all_rules
    >>> [rule.code for rule in all_rules() if matches("class-imbalance", rule)]
    ['DG102']
    """
    return selector.upper() == "ALL" or rule.code.startswith(selector.upper()) or rule.name == selector.lower()


def check_selector(selector: str, rules: Iterable[Rule[Any]], *, where: str) -> bool:
    """True where a selector means at least one rule.

    Raises:
        ConfigurationError: it means none.
    """
    known = list(rules)
    if re.fullmatch(r"(?i)all|[a-z][\w-]*", selector) and any(matches(selector, rule) for rule in known):
        return True
    names = {name for rule in known for name in (rule.code, rule.name)}
    raise ConfigurationError(f"no rule matches {selector!r}", where=where, hint=_rule_hint(selector, names))


def _rule_hint(word: str, names: Iterable[str]) -> str:
    hint = did_you_mean(word, names)
    return hint if hint.startswith("did you") else "`dataguard rules` lists them"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    """Says where in the file a key is, and reads single values."""

    origin: str | None
    prefix: str

    def where(self, key: str = "") -> str:
        full = (self.prefix + key).strip(".")
        return ": ".join(part for part in (self.origin, full) if part) or "configuration"

    def expect(self, key: str, value: object, kind: type, words: str) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ConfigurationError(f"expected {words}, got {value!r}", where=self.where(key))
        return value

    def text(self, key: str, value: object) -> Any:
        return self.expect(key, value, str, "text in quotes")

    def flag(self, key: str, value: object) -> Any:
        return self.expect(key, value, bool, "true or false")

    def count(self, key: str, value: object) -> Any:
        number = self.expect(key, value, int, "a whole number")
        if number < 1:
            raise ConfigurationError(f"expected at least 1, got {number}", where=self.where(key))
        return number

    def whole(self, key: str, value: object) -> Any:
        number = self.expect(key, value, int, "a whole number")
        if number < 0:
            raise ConfigurationError(f"expected 0 or more, got {number}", where=self.where(key))
        return number

    def texts(self, key: str, value: object) -> Any:
        items = self.expect(key, value, list, "a list of texts in quotes")
        return tuple(self.text(key, item) for item in items)

    def severity(self, key: str, value: object) -> Any:
        return severity_named(self.text(key, value), where=self.where(key))

    def reasons(self, key: str, value: object) -> Any:
        table = self.expect(key, value, dict, 'a table of rules with reasons, as { DG102 = "why" }')
        for selector, reason in table.items():
            if not isinstance(reason, str) or not reason.strip():
                raise ConfigurationError(
                    "an ignored rule needs a reason",
                    where=self.where(f"{key}.{selector}"),
                    hint=f'write {selector} = "why this does not apply here"',
                )
        return dict(table)

    def dataset(self, key: str, value: object) -> Any:
        table = self.expect(key, value, dict, "a table")
        known = {item.name for item in dataclasses.fields(DatasetConfig)}
        fields = {}
        for name, item in table.items():
            field_name = name.replace("-", "_")
            if field_name not in known:
                raise ConfigurationError(
                    f"unknown key {name!r}",
                    where=self.where(key),
                    hint=did_you_mean(field_name, known).replace("_", "-"),
                )
            read = self.files if field_name == "splits" else self.text
            fields[field_name] = read(f"{key}.{name}", item)
        if fields.get("source") not in (None, "folder", "table"):
            raise ConfigurationError(
                f"unknown source {fields['source']!r}",
                where=self.where(f"{key}.source"),
                hint=did_you_mean(fields["source"], ("folder", "table")),
            )
        if fields.get("task") not in (None, "classification", "regression"):
            raise ConfigurationError(
                f"unknown task {fields['task']!r}",
                where=self.where(f"{key}.task"),
                hint=did_you_mean(fields["task"], ("classification", "regression")),
            )
        return DatasetConfig(**fields)

    def files(self, key: str, value: object) -> Any:
        table = self.expect(key, value, dict, 'a table of splits with their files, as { train = "train.csv" }')
        if not table:
            raise ConfigurationError("names no split", where=self.where(key), hint='write train = "train.csv"')
        return {
            split: self.texts(f"{key}.{split}", item)
            if isinstance(item, list) and item
            else (self.text(f"{key}.{split}", item),)
            for split, item in table.items()
        }

    def loader(self, key: str, value: object) -> Any:
        table = self.expect(key, value, dict, "a table")
        readers: Mapping[str, Callable[[str, object], Any]] = {
            "target": self.text,
            "batches": self.count,
            "epochs": self.count,
            "label": self.selector,
            "inputs": self.selector,
            "id": self.selector,
            "timeout": self.seconds,
        }
        for name in table:
            if name not in readers:
                raise ConfigurationError(
                    f"unknown key {name!r}", where=self.where(key), hint=did_you_mean(name, readers)
                )
        return LoaderConfig(**{name: readers[name](f"{key}.{name}", item) for name, item in table.items()})

    def code(self, key: str, value: object) -> Any:
        table = self.expect(key, value, dict, "a table")
        known = ("paths", "exclude")
        for name in table:
            if name not in known:
                raise ConfigurationError(f"unknown key {name!r}", where=self.where(key), hint=did_you_mean(name, known))
        return CodeConfig(**{name: self.texts(f"{key}.{name}", item) for name, item in table.items()})

    def normalization(self, key: str, value: object) -> Any:
        table = self.expect(key, value, dict, "a table")
        readers: Mapping[str, Callable[[str, object], Any]] = {
            "splits": self.named_texts,
            "loaders": self.named_texts,
            "mean": self.numbers,
            "std": self.positive_numbers,
            "scale": self.seconds,
            "method": self.text,
            "layout": self.text,
            "timeout": self.seconds,
        }
        for name in table:
            if name not in readers:
                raise ConfigurationError(
                    f"unknown key {name!r}", where=self.where(key), hint=did_you_mean(name, readers)
                )
        fields = {name: readers[name](f"{key}.{name}", item) for name, item in table.items()}
        for name, known in (("method", NORMALIZATION_METHODS), ("layout", ("features", "NCHW", "NHWC"))):
            if fields.get(name) not in (None, *known):
                raise ConfigurationError(
                    f"unknown {name} {fields[name]!r}",
                    where=self.where(f"{key}.{name}"),
                    hint=did_you_mean(fields[name], known),
                )
        if "splits" in fields and "loaders" in fields:
            raise ConfigurationError(
                "splits and loaders both say where the numbers are", where=self.where(key), hint="keep one of them"
            )
        if ("mean" in fields) != ("std" in fields):
            one, other = ("mean", "std") if "mean" in fields else ("std", "mean")
            raise ConfigurationError(
                f"{one} without {other}", where=self.where(key), hint="declare both: mean 0 and std 1 change nothing"
            )
        if "mean" in fields and 1 != len(fields["mean"]) != len(fields["std"]) != 1:
            raise ConfigurationError(
                f"{len(fields['mean'])} means and {len(fields['std'])} standard deviations", where=self.where(key)
            )
        return NormalizationConfig(**fields)

    def preprocessing(self, key: str, value: object) -> Any:
        table = self.expect(key, value, dict, "a table")
        texts = ("train", "serve", "declared", "model", "images", "takes", "sandbox")
        readers: Mapping[str, Callable[[str, object], Any]] = {
            **dict.fromkeys(texts, self.text),
            "timeout": self.seconds,
            "memory": self.seconds,
        }
        for name in table:
            if name not in readers:
                raise ConfigurationError(
                    f"unknown key {name!r}", where=self.where(key), hint=did_you_mean(name, readers)
                )
        fields = {name: readers[name](f"{key}.{name}", item) for name, item in table.items()}
        if fields.get("takes") not in (None, *PICTURE_FORMS):
            raise ConfigurationError(
                f"unknown form {fields['takes']!r}",
                where=self.where(f"{key}.takes"),
                hint=did_you_mean(fields["takes"], PICTURE_FORMS),
            )
        if "serve" not in fields:
            raise ConfigurationError(
                "serve is missing", where=self.where(key), hint="name what serving does to a picture"
            )
        if "train" not in fields and "declared" not in fields:
            raise ConfigurationError(
                "there is nothing to compare serving with", where=self.where(key), hint="set train, or declared"
            )
        if ("model" in fields) != ("images" in fields):
            one, other = ("model", "images") if "model" in fields else ("images", "model")
            raise ConfigurationError(
                f"{one} without {other}", where=self.where(key), hint=f"name the {other} to measure with"
            )
        return PreprocessingConfig(**fields)

    def environment(self, key: str, value: object) -> Any:
        table = self.expect(key, value, dict, "a table")
        readers: Mapping[str, Callable[[str, object], Any]] = {
            "path": self.text,
            "exclude": self.texts,
            "installed": self.text,
        }
        for name in table:
            if name not in readers:
                raise ConfigurationError(
                    f"unknown key {name!r}", where=self.where(key), hint=did_you_mean(name, readers)
                )
        return EnvironmentConfig(**{name: readers[name](f"{key}.{name}", item) for name, item in table.items()})

    def named_texts(self, key: str, value: object) -> Any:
        table = self.expect(key, value, dict, 'a table of splits, as { train = "x_train.npy" }')
        if not table:
            raise ConfigurationError("names no split", where=self.where(key), hint='write train = "x_train.npy"')
        return {split: self.text(f"{key}.{split}", item) for split, item in table.items()}

    def numbers(self, key: str, value: object) -> Any:
        found: list[float] = []
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, int | float) or isinstance(item, bool) or not math.isfinite(item):
                raise ConfigurationError(f"expected numbers, got {item!r}", where=self.where(key))
            found.append(float(item))
        if not found:
            raise ConfigurationError("expected at least one number", where=self.where(key))
        return tuple(found)

    def positive_numbers(self, key: str, value: object) -> Any:
        found = self.numbers(key, value)
        if min(found) <= 0:
            raise ConfigurationError(f"expected numbers above 0, got {min(found):g}", where=self.where(key))
        return found

    def selector(self, key: str, value: object) -> Any:
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise ConfigurationError(f"expected a key in quotes or an index, got {value!r}", where=self.where(key))

    def seconds(self, key: str, value: object) -> Any:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
            raise ConfigurationError(f"expected seconds above 0, got {value!r}", where=self.where(key))
        return float(value)

    def table(self, key: str, value: object) -> Any:
        return self.expect(key, value, dict, "a table")


_SETTINGS: Mapping[str, Callable[[_Reader, str, object], Any]] = {
    "dataset": _Reader.dataset,
    "loader": _Reader.loader,
    "code": _Reader.code,
    "normalization": _Reader.normalization,
    "preprocessing": _Reader.preprocessing,
    "environment": _Reader.environment,
    "select": _Reader.texts,
    "ignore": _Reader.reasons,
    "fail_on": _Reader.severity,
    "strict": _Reader.flag,
    "jobs": _Reader.count,
    "seed": _Reader.whole,
    "max_pixels": _Reader.count,
    "cache": _Reader.text,
    "rules": _Reader.table,
}


def severity_named(word: str, *, where: str) -> Severity:
    """The severity that a word names.

    Raises:
        ConfigurationError: there is no such severity.
    """
    names = {severity.word: severity for severity in Severity}
    if word.lower() not in names:
        raise ConfigurationError(f"unknown severity {word!r}", where=where, hint=did_you_mean(word, names))
    return names[word.lower()]


def _rule_named(key: str, by_code: Mapping[str, Rule[Any]], reader: _Reader) -> str:
    for rule in by_code.values():
        if key.upper() == rule.code or key.lower() == rule.name:
            return rule.code
    names = [name for rule in by_code.values() for name in (rule.code, rule.name)]
    raise ConfigurationError(f"no rule {key!r}", where=reader.where("rules"), hint=_rule_hint(key, names))


def _rule_options(key: str, value: object, by_code: Mapping[str, Rule[Any]], reader: _Reader) -> Mapping[str, Any]:
    options = reader.expect(f"rules.{key}", value, dict, "a table of options")
    rule = by_code[_rule_named(key, by_code, reader)]
    return rule.configure(options, where=reader.where(f"rules.{key}"))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"not valid TOML: {error}", where=path) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"not UTF-8 at byte {error.start}", where=path, hint="save it as UTF-8") from error
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=path) from error
