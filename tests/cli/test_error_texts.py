"""Every way in which a command refuses or fails, as the text that a person reads.

A transcript in ``snapshots/`` is a list of cases. Each begins with ``# what is wrong`` in a new folder, which holds
``table.csv`` (40 rows of two classes) and ``pictures/`` (12 in two classes); ``$`` lines are run, those of dataguard in
this process and others by bash; what dataguard said on standard error, and on standard output unless that is thrown
away, follows indented, with its exit code. To write what is said now, and then read what changed:

    DATAGUARD_UPDATE_SNAPSHOTS=1 python -m pytest tests/cli/test_error_texts.py
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import dataguard
from dataguard.cli import main
from dataguard.core.errors import DataguardError
from tests.conftest import write_image

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "DATAGUARD_UPDATE_SNAPSHOTS"
QUICK = {"check_loader_options", "usage"}
"""Transcripts of mistakes that arguments alone show."""
AREAS = (
    "cli",
    "config",
    "starter.py",
    "engine",
    "formats",
    "versions",
    "inputs/source.py",
    "dataset/sources/folder.py",
    "dataset/sources/joined_files.py",
    "dataset/sources/table.py",
    "dataset/sources/table_files.py",
    "dataset/sources/table_part.py",
)
"""Where what a person does wrong is found out: every message of an error there is in a transcript."""
WITHOUT = {
    "needs a user without rights, a full disk or damage under a checksum": (
        "cannot be written: no permission",
        "the manifest cannot be written",
        "not a manifest",
        "the manifest has version",
        "the manifest has no column",
        "the folder cannot be listed",
    ),
    "only the Python API can ask for it": (
        "the path is not UTF-8",
        "no dataset is named",
        "there is nothing to compare with",
        "is a folder, not a table",
    ),
    "the reason of a rule that could not run, within a report": (
        "no file of DVC",
        "no Croissant metadata",
        "an out without a path",
    ),
    "needs a lock and what it names; asserted in tests/cli and tests/reproduction": (
        "a bundle is there already",
        "a bundle has its own image and packages",
        "unknown runner",
        "an environment is for the runner",
        "an image and graphics cards are for the runner",
        "other versions cannot be taken in this runner",
        "a result cannot be locked with the runner",
    ),
    "depends on the kind of table or pattern; asserted in tests/dataset": (
        "expected a key in quotes or an index",
        "no file fits the pattern",
        "is no glob",
        "the column {name!r} holds text{example}",
        "the column {name!r} holds {second.types",
        "several columns hold pictures",
        "no column {name!r}, which {owner.name} has",
    ),
}
"""Messages that no transcript has, by the reason."""

Run = Callable[[str, Path], str]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in the folder of every case."""
    folder = tmp_path_factory.mktemp("given")
    rows = [f"{number},{number * 7 % 40},{'ab'[number % 2]}" for number in range(40)]
    (folder / "table.csv").write_text("\n".join(("id,size,label", *rows, "")), encoding="utf-8")
    random = np.random.default_rng(0)
    for number in range(12):
        pixels = random.integers(0, 256, (8, 8), dtype=np.uint8)
        write_image(folder / "pictures" / "ab"[number % 2] / f"{number}.png", pixels)
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run one line of a transcript in a folder, and say what it printed."""
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "CI_", "DOCKER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")

    def line(command: str, folder: Path) -> str:
        monkeypatch.chdir(folder)
        words = shlex.split(command, posix=True)
        settings = {}
        while re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, settings[name] = words.pop(0).partition("=")
        if words[0] != "dataguard":
            done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), command
            return ""
        silent = words[-1] == ">/dev/null"
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            capfd.readouterr()
            try:
                code = main(words[1:-1] if silent else words[1:])
            except SystemExit as ended:
                code = int(str(ended.code))
        said = capfd.readouterr()
        text = ("" if silent else said.out) + said.err
        return "".join(f"  {shown}\n".replace("  \n", "\n") for shown in text.splitlines()) + f"  [exit {code}]\n"

    return line


def retold(transcript: str, given: Path, place: Path, run: Run) -> str:
    """The transcript with what is said now."""
    told: list[str] = []
    folder = place
    number = 0
    for line in transcript.splitlines():
        if line.startswith("# "):
            number += 1
            folder = place / str(number)
            shutil.copytree(given, folder)
            told.append(f"{'' if number == 1 else chr(10)}{line}\n")
        elif line.startswith("$ "):
            told += [f"{line}\n", run(line[2:], folder).replace(str(folder), "FOLDER")]
    return "".join(told)


TRANSCRIPTS = sorted(path.stem for path in SNAPSHOTS.glob("*.txt"))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in TRANSCRIPTS]
)
def test_what_is_said(name: str, given: Path, run: Run, tmp_path: Path) -> None:
    path = SNAPSHOTS / f"{name}.txt"
    stored = path.read_text(encoding="utf-8")
    now = retold(stored, given, tmp_path, run)
    if os.environ.get(UPDATE):
        path.write_text(now, encoding="utf-8")
    else:
        assert now == stored
    assert "Traceback" not in now
    for case in now.split("\n# "):
        assert case.rstrip().endswith(("[exit 2]", "[exit 3]")), case


def pattern(node: ast.expr) -> str:
    """A regular expression for the text that an expression makes."""
    if isinstance(node, ast.Constant):
        return re.escape(str(node.value))
    if isinstance(node, ast.JoinedStr):
        return "".join(pattern(value) for value in node.values)
    if isinstance(node, ast.BinOp):
        return pattern(node.left) + pattern(node.right)
    if isinstance(node, ast.IfExp):
        return f"(?:{pattern(node.body)}|{pattern(node.orelse)})"
    return ".*?"


def messages(path: Path) -> Iterator[tuple[int, ast.expr]]:
    """Line and message of each error for a user that a file makes."""
    errors: list[type[DataguardError]] = [DataguardError, *DataguardError.__subclasses__()]
    names = {error.__name__ for error in errors}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names and node.args:
            yield node.lineno, node.args[0]


def test_every_message_is_in_a_transcript() -> None:
    told = "\n".join(path.read_text(encoding="utf-8") for path in SNAPSHOTS.glob("*.txt"))
    root = Path(dataguard.__file__).parent
    excused = [part for parts in WITHOUT.values() for part in parts]
    untold = []
    for area in AREAS:
        for path in sorted((root / area).rglob("*.py")) if (root / area).is_dir() else [root / area]:
            for line, message in messages(path):
                text = ast.unparse(message)
                if not re.search(pattern(message), told) and not any(part in text for part in excused):
                    untold.append(f"{path.relative_to(root)}:{line} {text}")
    assert untold == []


def test_what_is_said_to_be_asserted_elsewhere_is() -> None:
    folder = Path(__file__).resolve().parents[1]
    others = [path for path in folder.rglob("test_*.py") if path != Path(__file__).resolve()]
    asserted = "\n".join(path.read_text(encoding="utf-8") for path in others)
    parts = [part for reason, group in WITHOUT.items() if "asserted in" in reason for part in group]
    assert len(parts) > 10
    # Names differ: the words between them are looked for, each piece of two words or more.
    pieces = {part: [piece.strip(" ,'") for piece in re.split(r"\{[^}]*\}?", part)] for part in parts}
    missing = [part for part in parts if not any(len(piece) > 3 and piece in asserted for piece in pieces[part])]
    assert missing == []


def test_a_message_that_no_transcript_has_is_noticed() -> None:
    node = ast.parse("f'no {what} in ' + ('it' if x else name)", mode="eval").body
    assert re.search(pattern(node), "no table in it")
    assert not re.search(pattern(node), "no table at all")
