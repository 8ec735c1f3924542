"""A commented configuration that fits a dataset, for the owner to edit."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

from dataguard.core.errors import NothingToCheckError, SourceError
from dataguard.dataset.class_counts import split_order
from dataguard.dataset.kinds import Opening, SourceKind, is_plain_path, is_target, is_url, recognized
from dataguard.dataset.sources import Reference
from dataguard.dataset.sources.folder import FolderSource
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.sources.table_files import TableFile
from dataguard.inputs.source import holds_tables, tables_of

LOOKED_AT = 100_000
"""How many files at most are looked at to see how a folder is laid out."""

_COMMON = """
# Rules to run: codes, prefixes of codes, or names. All by default.
# select = ["DG1", "duplicate-across-splits"]

# Rules not to run, each with the reason; the report shows it.
# ignore = { DG102 = "long-tailed by nature; the loss is weighted" }

# The least severity that fails a build: "info", "warning" or "error".
fail-on = "error"

# Whether a rule that could not be run fails it too.
# strict = true
"""

_OPTIONS = """
# What the training loop is fed: a function that makes the loader. Its order and its batches are checked too.
# [loader]
# target = "train.py:make_loader"

# The scripts and notebooks that train and evaluate: what is fitted before data are split is found in them.
# [code]
# paths = ["train.py", "notebooks"]

# What training and serving do to a picture: they are asked, and must do the same. `dataguard probe` shows it by itself.
# [preprocessing]
# train = "train.py:transform"
# serve = "serve.py:preprocess"

# Options of a rule; `dataguard rule DG101` says what they mean.
# [rules.DG101]
# max-noise-rate = 0.03
#
# [rules.DG102]
# min-ratio = 0.1
"""


def propose(target: Path | str, *, relative_to: Path) -> str:
    """A configuration for the dataset at a path.

    Args:
        target: A folder of images, a folder of tables, a table, or anything else that is a dataset. What would run the
            owner's code, or fetch something, is named and not opened.
        relative_to: The folder that the configuration will lie in.

    Returns:
        The text of a ``dataguard.toml``.

    Raises:
        SourceError: there is nothing there that can be checked.
    """
    location = str(target)
    target = Path(target)
    if is_plain_path(location):
        if not target.exists():
            raise SourceError("no such file or folder", where=target.absolute())
        location = str(target.absolute())
    kind = None if is_url(location) else recognized(_opening(location, relative_to), [])
    if is_url(location) or (kind is not None and kind.name not in ("folder", "table")):
        return _for_kind(kind, location, relative_to)
    if target.is_file():
        return _for_table(target, relative_to)
    try:
        return _for_folder(target, relative_to)
    except NothingToCheckError as error:
        if not holds_tables(target):
            raise SourceError(
                "neither images nor a table", where=target.absolute(), hint="point it at the dataset itself"
            ) from error
        return _for_table(target.absolute(), relative_to)


def _opening(location: str, base: Path) -> Opening:
    return Opening(location=location, base=base.absolute(), where=location)


_MEANINGS = {
    "label": "what is to be predicted: a column, a field or an array",
    "split": "the column that says train, val or test",
    "image": "the column, key or array of pictures or inputs",
    "group": "what must not straddle splits, as a patient or a user",
    "time": "what says when a sample was recorded",
    "id": "what names a sample",
    "text": "the column of texts that the labels are judged by",
    "limit": "the most samples that are taken",
    "timeout": "seconds that your own code may take",
}
_EXAMPLES = {"limit": "100000", "timeout": "3600"}


def _for_kind(kind: SourceKind | None, location: str, relative_to: Path) -> str:
    shown = location
    if not is_url(location) and not is_target(location):
        shown = _relative(Path(location), relative_to)
    lines = ["[dataset]", f"path = {_text(shown)}"]
    if kind is not None:
        lines.insert(0, f"# {kind.words[:1].upper()}{kind.words[1:]}: {kind.summary}.")
        lines.append(f"source = {_text(kind.name)}")
        lines += [line for key in kind.keys if key in _MEANINGS for line in _unset(key)]
        if "splits" in kind.keys:
            lines += ["# The files of each split, where their names do not tell it:", '# splits = { train = "…" }']
    lines += [
        "# Your own model, to judge the labels by: a function, or a folder of transformers or timm:",
        '# embedding = "my_model.py:embed"',
    ]
    return _assemble(lines)


def _unset(key: str) -> list[str]:
    return [f"# {key}: {_MEANINGS[key]}", f"# {key} = {_EXAMPLES.get(key, _text(key))}"]


def _for_folder(folder: Path, relative_to: Path) -> str:
    references = list(islice(FolderSource(folder).references(), LOOKED_AT))
    splits = sorted(_distinct(references, "split"), key=split_order)
    labels = _distinct(references, "label")
    seen = f"{len(references):,}" + ("+" if len(references) == LOOKED_AT else "")
    lines = [
        f"# {seen} images, {len(labels)} classes, "
        + (f"splits {', '.join(splits)}" if splits else "no splits")
        + ", found when this file was written.",
        "[dataset]",
        f"path = {_text(_relative(folder, relative_to))}",
    ]
    layout = "{split}/{label}/*" if splits else "{label}/*"
    if labels:
        lines.append(
            f"# Where splits and labels stand in the paths; this is what the folders say:\n# pattern = {_text(layout)}"
        )
    else:
        lines.append(
            "# No labels were found in the paths. Say where they stand:\n# pattern = " + _text("{label}_*.png")
        )
    lines += [
        "# Your own model's out-of-sample probabilities, one row an image, images in the order of their paths:",
        '# pred-probs = "pred_probs.npy"',
        "# Your own model, to judge the labels by: a function, or a folder of transformers or timm:",
        '# embedding = "my_model.py:embed"',
        "# A pandera schema for the table of images (width, height, mode, label, …): YAML, or module.py:Schema",
        '# schema = "schema.yaml"',
    ]
    return _assemble(lines)


def _for_table(path: Path, relative_to: Path) -> str:
    files: tuple[TableFile, ...] = ()
    if path.is_dir():
        path, files = tables_of(path, [])
    source = TableSource(path, files=files)
    names = source.column_names
    lines = [
        f"# {len(names)} columns: {', '.join(names[:12])}{', …' if len(names) > 12 else ''}",
        "[dataset]",
        f"path = {_text(_relative(path, relative_to))}",
    ]
    if files:
        named: dict[str, list[str]] = {}
        for file in files:
            named.setdefault(file.split, []).append(file.name)
        listed = ", ".join(
            f"{_text(split)} = " + (_text(group[0]) if len(group) == 1 else f"[{', '.join(map(_text, group))}]")
            for split, group in named.items()
        )
        lines += ["# The files of each split; without this line their names tell it:", f"splits = {{ {listed} }}"]
    guesses = {"label": source.label, "split": source.split, "text": source.text}
    meanings = {
        "label": "the column that is to be predicted",
        **({} if files else {"split": "the column that says train, val or test"}),
        "image": "the column with paths of images, relative to the table",
        "group": "the column that must not straddle splits, as a patient or a user",
        "time": "the column that says when a row was recorded",
        "id": "the column that names a row",
        "text": "the column of texts that the labels are judged by",
    }
    examples = {"text": source.prose or "text"}
    for key, meaning in meanings.items():
        guess = guesses.get(key)
        lines.append(f"# {key}: {meaning}")
        lines.append(f"{key} = {_text(guess)}" if guess else f"# {key} = {_text(examples.get(key, key))}")
    lines += [
        "# Your own model's out-of-sample probabilities, one row a row of the table:",
        '# pred-probs = "pred_probs.npy"',
        "# Your own model, to judge texts or images by: a function, or a folder of transformers or timm:",
        '# embedding = "my_model.py:embed"',
        "# A pandera schema for the table: YAML, or module.py:Schema",
        '# schema = "schema.yaml"',
    ]
    return _assemble(lines)


def _assemble(dataset_lines: list[str]) -> str:
    head = "# Configuration of dataguard. Run `dataguard check` in this folder.\n"
    return head + _COMMON + "\n" + "\n".join(dataset_lines) + "\n" + _OPTIONS


def _distinct(references: list[Reference], field: str) -> list[str]:
    return sorted({value for reference in references if (value := getattr(reference, field)) is not None})


def _relative(path: Path, base: Path) -> str:
    try:
        return path.absolute().relative_to(base.absolute()).as_posix() or "."
    except ValueError:
        return str(path.absolute())


def _text(text: str) -> str:
    # A string of JSON is a basic string of TOML, but for DEL, which JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
