"""A user's pandera schema: found by its reference and loaded, with an error that says what is wrong in it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError, did_you_mean
from dataguard.dataset.schema_backends import backend_of

if TYPE_CHECKING:
    import pandera.pandas as pa

YAML_SUFFIXES = (".yaml", ".yml")

_SCHEMA_KEYS = frozenset(
    [
        "schema_type",
        "api",
        "version",
        "columns",
        "checks",
        "index",
        "multiindex",
        "dtype",
        "coerce",
        "strict",
        "name",
        "ordered",
        "unique",
        "report_duplicates",
        "unique_column_names",
        "add_missing_columns",
        "title",
        "description",
        "metadata",
        "drop_invalid_rows",
        "dataframe_library",
    ]
)
_COMPONENT_KEYS = frozenset(
    [
        "title",
        "description",
        "dtype",
        "checks",
        "name",
        "nullable",
        "unique",
        "coerce",
        "required",
        "regex",
        "default",
        "report_duplicates",
        "drop_invalid_rows",
    ]
)


def load_schema(reference: str, *, base: Path) -> Any:
    """The schema that a configuration names.

    Args:
        reference: A YAML file as pandera writes it (``schema.yaml``), or a name in a Python file or module
            (``schemas.py:Cats``, ``package.module:Cats``) that is a DataFrameSchema or DataFrameModel of
            ``pandera.pandas``, ``pandera.polars`` or ``pandera.ibis``. Python is imported, and so run: it is the user's
            own file, named in their configuration.
        base: The folder that relative paths are relative to, and that modules are looked for in first.

    Raises:
        ConfigurationError: the reference, or what it leads to, is no usable schema.
    """
    if Path(reference).suffix.lower() in YAML_SUFFIXES:
        return _load_yaml(base / reference)
    place, separator, name = reference.rpartition(":")
    if not separator or not place or not name.isidentifier():
        raise ConfigurationError(
            f"cannot tell a schema from {reference!r}",
            where="dataset.schema",
            hint="name a YAML file, 'file.py:Schema' or 'package.module:Schema'",
        )
    if place.endswith(".py"):
        path = base / place
        _require_file(path)
        module, where = _run_file(path), str(path)
    else:
        module, where = _import_module(place, base)
    try:
        found = getattr(module, name)
    except AttributeError as error:
        names = _schema_names(module) or [word for word in vars(module) if not word.startswith("_")]
        raise ConfigurationError(
            f"no {name!r} in it", where=where, hint=did_you_mean(name, names) if names else "it defines no names"
        ) from error
    return _as_schema(found, where=f"{where}:{name}")


def _schema_names(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if backend_of(value) or _is_model(value)]


def _is_model(value: Any) -> bool:
    """Whether it is a model that a user has written, and not one of pandera's bases."""
    from pandera.api.dataframe.model import DataFrameModel

    return isinstance(value, type) and issubclass(value, DataFrameModel) and not value.__module__.startswith("pandera.")


def _as_schema(found: Any, *, where: str) -> Any:
    schema = found
    if _is_model(found):
        try:
            schema = found.to_schema()
        except Exception as error:  # a model's definition can be wrong in as many ways as Python allows
            raise _failed(error, where=where) from error
    if backend_of(schema) is not None:
        return schema
    kind = found if isinstance(found, type) else type(found)
    elsewhere = any(base.__module__.startswith("pandera.") for base in kind.__mro__)
    raise ConfigurationError(
        f"expected a pandera DataFrameSchema or DataFrameModel, got {kind.__module__}.{kind.__qualname__}",
        where=where,
        hint="import it from pandera.pandas, pandera.polars or pandera.ibis" if elsewhere else None,
    )


def _require_file(path: Path) -> None:
    if path.is_file():
        return
    if path.is_dir():
        raise ConfigurationError("a folder, not a schema file", where=path)
    try:
        near = [entry.name for entry in path.parent.iterdir() if entry.suffix in (".py", *YAML_SUFFIXES)]
    except OSError:
        near = []
    hint = did_you_mean(path.name, near) if near else "relative paths start at the configuration's folder"
    raise ConfigurationError("no such schema file", where=path, hint=hint)


def _run_file(path: Path) -> ModuleType:
    # A name of its own, so that a user's `schema.py` hides no installed module; registered, because pandera looks up
    # a model's annotations in sys.modules.
    name = f"_dataguard_schema_{hashlib.sha256(str(path.absolute()).encode('utf-8', 'surrogateescape')).hexdigest()}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError("cannot be imported as Python", where=path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _importable(path.parent):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _failed(error, where=str(path)) from error
    return module


def _import_module(name: str, base: Path) -> tuple[ModuleType, str]:
    try:
        with _importable(base):
            module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise ConfigurationError(
                f"no module named {error.name!r}",
                where="dataset.schema",
                hint=f"modules are looked for in {base.absolute()} and among the installed packages; "
                "a file is written 'file.py:Schema'",
            ) from error
        raise _failed(error, where=name) from error
    return module, getattr(module, "__file__", None) or name


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let the user's module import its neighbours, and leave no compiled files beside it."""
    entry, writes_nothing = str(folder.absolute()), sys.dont_write_bytecode
    sys.path.insert(0, entry)
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_nothing
        if entry in sys.path:
            sys.path.remove(entry)


def _failed(error: BaseException, *, where: str) -> ConfigurationError:
    """What a user's own code raised, at the line of theirs that it was raised from."""
    if isinstance(error, SyntaxError):
        return ConfigurationError(f"not valid Python: {error.msg}", where=f"{error.filename or where}:{error.lineno}")
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == where]
    place = f"{where}:{lines[-1]}" if lines else where
    return ConfigurationError(f"the schema cannot be loaded: {type(error).__name__}: {error}", where=place)


def _load_yaml(path: Path) -> pa.DataFrameSchema:
    _require_file(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"not UTF-8 at byte {error.start}", where=path, hint="save it as UTF-8") from error
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error}", where=path) from error
    return schema_from_text(text, where=path)


def schema_from_text(text: str, *, where: str | Path) -> pa.DataFrameSchema:
    """The schema in a YAML text, as pandera writes it.

    Args:
        text: The YAML. A tag in it builds nothing: it is an error.
        where: What errors name.

    Raises:
        ConfigurationError: it is no usable schema.
    """
    import pandera.pandas as pa
    import yaml

    try:
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = str(where) if mark is None else f"{where}:{mark.line + 1}"
        tagged = isinstance(error, yaml.constructor.ConstructorError) and "tag" in str(error.problem)
        raise ConfigurationError(
            f"not valid YAML: {error.problem or error}",
            where=place,
            hint="a schema holds plain values; tags, which could build any object, are not followed"
            if tagged
            else None,
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"cannot be read: {_short(error)}", where=where) from error
    except ValueError as error:  # a date that is none, as 2024-13-01
        raise ConfigurationError(f"not valid YAML: {error}", where=where) from error
    _check_yaml(data, Path(where))
    try:
        return pa.DataFrameSchema.from_yaml(StringIO(text))
    except Exception as error:  # pandera reports a wrong schema by whatever exception it runs into
        raise ConfigurationError(f"not a valid schema: {_short(error)}", where=where) from error


def _check_yaml(data: Any, path: Path) -> None:
    """Refuse what pandera would read past: it ignores keys that it does not know, and with them the check meant."""
    if not isinstance(data, Mapping) or not data:
        raise ConfigurationError(
            "no schema in it: expected a mapping with `columns`", where=path, hint="`schema.to_yaml()` writes one"
        )
    _known_keys(data, _SCHEMA_KEYS, where=str(path))
    for key, only in (("schema_type", "dataframe"), ("api", "pandas"), ("dataframe_library", "pandas")):
        if data.get(key, only) != only:
            raise ConfigurationError(f"{key} is {data[key]!r}: only {only!r} can be checked", where=f"{path}: {key}")
    if not any(data.get(key) for key in ("columns", "checks", "index", "unique", "dtype", "strict", "ordered")):
        raise ConfigurationError("the schema asks for nothing", where=path, hint="list the columns under `columns`")
    _check_checks(data.get("checks"), where=f"{path}: checks")
    columns = data.get("columns") or {}
    if isinstance(columns, Mapping):
        components = [(f"columns.{name}", body) for name, body in columns.items()]
    elif isinstance(columns, list):
        components = [(f"columns[{number}]", body) for number, body in enumerate(columns)]
    else:
        raise ConfigurationError("expected a mapping of column names", where=f"{path}: columns")
    for number, body in enumerate(data.get("index") or []):
        components.append((f"index[{number}]", body))
    for name, body in components:
        _check_component(body, where=f"{path}: {name}")


def _check_component(body: Any, *, where: str) -> None:
    if not isinstance(body, Mapping):
        raise ConfigurationError("expected a mapping with dtype, nullable, checks, …", where=where)
    flat = [key for key in body if key not in _COMPONENT_KEYS]
    _known_keys(flat, _COMPONENT_KEYS | _check_names(), where=where)
    if flat and body.get("checks"):
        # pandera takes the one and drops the other without a word.
        raise ConfigurationError(
            f"{flat[0]!r} beside `checks` would be ignored", where=where, hint="put it in `checks`"
        )
    _check_checks(body.get("checks"), where=f"{where}.checks")
    dtype = body.get("dtype")
    if isinstance(dtype, str):
        _check_dtype(dtype, where=f"{where}.dtype")


def _check_checks(checks: Any, *, where: str) -> None:
    if isinstance(checks, list):
        bodies = [item if isinstance(item, Mapping) else {} for item in checks]
        names = [(body.get("options") or {}).get("check_name") for body in bodies]
        if None in names:
            raise ConfigurationError("a check in the list lacks options.check_name", where=where)
        _known_keys(names, _check_names(), where=where)
    elif isinstance(checks, Mapping):
        _known_keys(checks, _check_names(), where=where)
    elif checks is not None:
        raise ConfigurationError("expected a mapping of checks, as `ge: 0`", where=where)


def _check_dtype(dtype: str, *, where: str) -> None:
    from pandera.engines import pandas_engine

    if dtype.lower().startswith("decimal("):
        return
    try:
        pandas_engine.Engine.dtype(dtype)
    except (TypeError, ValueError) as error:
        usual = ("bool", "boolean", "category", "datetime64[ns]", "float64", "int64", "Int64", "object", "str")
        raise ConfigurationError(f"unknown dtype {dtype!r}", where=where, hint=did_you_mean(dtype, usual)) from error


def _check_names() -> frozenset[str]:
    """The checks that YAML can name: pandera's own and those that the user has registered."""
    import pandera.pandas as pa

    registries = (pa.Check.CHECK_FUNCTION_REGISTRY, pa.Check.REGISTERED_CUSTOM_CHECKS)
    long_names = {name for registry in registries for name in registry}
    short_names = {"eq", "ne", "gt", "ge", "lt", "le", "between"}
    return frozenset(long_names | {name for name in short_names if hasattr(pa.Check, name)})


def _known_keys(keys: Iterable[Any], known: frozenset[str], *, where: str) -> None:
    for key in keys:
        if key not in known:
            hint = did_you_mean(str(key), known)
            raise ConfigurationError(
                f"unknown key {key!r}, which pandera would ignore",
                where=where,
                hint=hint if hint.startswith("did you") else "see pandera's documentation of schemas in YAML",
            )


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"
