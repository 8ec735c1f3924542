"""``dataguard pin``: a lock with the hash of every file, today or as of a day that has passed."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.cli.reporting import add_output_files
from dataguard.core.errors import ConfigurationError, ExitCode, did_you_mean

if TYPE_CHECKING:
    from dataguard.environment.declared import DeclaredEnvironment
    from dataguard.environment.pinning.pin import Pinned
    from dataguard.environment.pinning.wanted import LeftOut, Wanted

_DESCRIPTION = """\
Write a lock: one version of everything that a project needs, with the hash of
every file, as requirements.txt and pylock.toml. What cannot be had is named
with the reason.

  dataguard pin                              the project in this folder
  dataguard pin repo --as-of 2019-12-04 -o lock.txt
                                             as it would have been installed then
  dataguard pin repo --as-of HEAD -o lock.txt
                                             as of its last commit

Nothing of the project is run. Packages of the index that are source
distributions are built, as pip does, to learn what they need; --only-binary
refuses them. Exit code 1: something that is asked for is not in the lock.
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "pin",
        help="write a lock with hashes, today or as of a day",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "path",
        nargs="?",
        default=".",
        metavar="PATH",
        help="a project's folder, or one of its files (requirements.in, pyproject.toml); where it has none that says "
        "what it needs, what its code imports counts (default: this folder)",
    )
    parser.add_argument(
        "-r",
        "--requirement",
        metavar="FILE",
        action="append",
        default=[],
        help="of the folder's files, take this one; may be given several times",
    )
    parser.add_argument(
        "--extra", metavar="NAME", action="append", default=[], help="an extra or a dependency group to lock as well"
    )
    parser.add_argument(
        "--as-of",
        metavar="WHEN",
        help="what there was on that day: a date, or a commit of the project; with the Python of that time, where it "
        "is installed",
    )
    parser.add_argument("--python", metavar="PYTHON", help="the Python to lock for: a version as 3.8, or a path")
    parser.add_argument(
        "--resolver",
        metavar="NAME",
        help="uv or pip-tools (default: uv where it is installed and the day is not before 2023)",
    )
    parser.add_argument("--index", metavar="URL", help="the index to ask (default: the one that pip is set to)")
    parser.add_argument("--only-binary", action="store_true", help="refuse what would have to be built")
    parser.add_argument(
        "--leave-out", action="store_true", help="lock the rest where something cannot be had; exits with 1"
    )
    parser.add_argument("--upgrade", action="store_true", help="do not keep the versions of the lock that is there")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=600.0, help="for the resolver (600)")
    add_output_files(
        parser,
        "where the lock goes: a .toml is written as pylock.toml, all else as requirements.txt; - is standard "
        "output; may be given several times (default: requirements.txt, or requirements.lock.txt where that is what "
        "the lock is made from, and pylock.toml, in the project's folder)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.cli.progress_bar import progress_bar
    from dataguard.environment.files.finding import read_environment_files
    from dataguard.environment.pinning.index import PackageIndex, configured_index
    from dataguard.environment.pinning.pin import RESOLVERS, moment_of, pin, python_for

    if arguments.resolver is not None and arguments.resolver not in RESOLVERS:
        raise ConfigurationError(
            f"unknown resolver {arguments.resolver!r}",
            where="--resolver",
            hint=did_you_mean(arguments.resolver, RESOLVERS),
        )
    if not arguments.timeout > 0:
        raise ConfigurationError(f"expected seconds above 0, got {arguments.timeout:g}", where="--timeout")
    path = Path(arguments.path)
    declared = read_environment_files(path)
    root = Path(declared.root)
    asked = _wanted(declared, path, arguments)
    as_of = moment_of(arguments.as_of, root) if arguments.as_of else None
    python, note = python_for(declared, as_of=as_of, named=arguments.python)
    address, cafile = configured_index()
    index = PackageIndex(arguments.index or address, before=as_of, cafile=cafile)
    outputs = [Path(name) for name in arguments.output] or _outputs(declared, asked)
    with progress_bar(sys.stderr) as progress:
        pinned = pin(
            asked,
            index=index,
            python=python,
            command=_command(arguments, asked, root, outputs[0]),
            resolver=arguments.resolver,
            preferred="" if arguments.upgrade or as_of else _earlier(outputs),
            only_binary=arguments.only_binary,
            leave_out=arguments.leave_out,
            deadline=arguments.timeout,
            progress=progress,
        )
    quiet = Path("-") in outputs
    stream = sys.stderr if quiet else sys.stdout
    for line in _told(pinned, note, asked):
        print(line, file=stream)
    if pinned.lock is None:
        print("no lock was written", file=stream)
        return ExitCode.FAILED
    _write(pinned, outputs, stream)
    return ExitCode.FOUND if pinned.left_out else ExitCode.CLEAN


def _wanted(declared: DeclaredEnvironment, path: Path, arguments: argparse.Namespace) -> Wanted:
    from dataguard.environment.imports import project_imports
    from dataguard.environment.pinning.wanted import wanted, wanted_by_imports

    chosen = []
    for name in arguments.requirement:
        within = os.path.relpath(Path(path, name) if Path(path, name).exists() else name, declared.root)
        if within not in declared.by_path:
            raise ConfigurationError(
                "not one of the project's files",
                where=f"--requirement {name}",
                hint=did_you_mean(within, declared.by_path),
            )
        chosen.append(within)
    if path.is_file():
        chosen.append(path.name)
    asked = wanted(declared, chosen=chosen, extras=arguments.extra)
    if not asked.requirements and not asked.left_out and not chosen:
        asked = wanted_by_imports(project_imports(Path(declared.root)))
    if not asked.requirements and not asked.left_out:
        raise ConfigurationError(
            "nothing is asked for: no file names a requirement, and no code imports one",
            where=path.absolute(),
            hint="name a file with -r, or another folder",
        )
    return asked


def _outputs(declared: DeclaredEnvironment, asked: Wanted) -> list[Path]:
    from dataguard.environment.declared import Role

    root = Path(declared.root, Path(asked.sources[0]).parent if asked.sources else "")
    target = root / "requirements.txt"
    there = declared.by_path.get(os.path.relpath(target, declared.root))
    if "requirements.txt" in {Path(name).name for name in asked.sources} or (
        there is not None and there.role is not Role.LOCK
    ):
        target = root / "requirements.lock.txt"
    return [target, root / "pylock.toml"]


def _earlier(outputs: list[Path]) -> str:
    """The text lock that is there already, for its versions."""
    for path in outputs:
        if path.suffix != ".toml" and path.is_file():
            return path.read_text(encoding="utf-8", errors="replace")
    return ""


def _command(arguments: argparse.Namespace, asked: Wanted, root: Path, output: Path) -> str:
    """The command as it is typed in the folder of the lock, without what only holds for this machine."""
    folder = output.absolute().parent if output != Path("-") else root
    # A lock that goes elsewhere names the files as the project does.
    near = folder == root or root in folder.parents or folder in root.parents
    words = ["dataguard", "pin", os.path.relpath(root, folder) if near else "."]
    for source in asked.sources:
        words += ["-r", os.path.relpath(root / source, folder) if near else source]
    for name in arguments.extra:
        words += ["--extra", name]
    for option in ("as_of", "resolver"):
        if getattr(arguments, option):
            words += [f"--{option.replace('_', '-')}", getattr(arguments, option)]
    if arguments.python and "/" not in arguments.python:
        words += ["--python", arguments.python]
    words += ["--only-binary"] * arguments.only_binary + ["--leave-out"] * arguments.leave_out
    if output != Path("-"):
        words += ["-o", output.name]
    return shlex.join(words)


def _told(pinned: Pinned, note: str, asked: Wanted) -> Iterator[str]:
    """What a person wants to know of it, line by line."""
    from dataguard.core.text import printable

    yield f"asked for: {len(asked.lines)} requirements by {', '.join(asked.sources) or 'the imports of the code'}"
    if note:
        yield note
    if pinned.lock is not None:
        files = sum(len(item.files) for item in pinned.lock.packages)
        yield (
            f"resolved by {pinned.tool} in {pinned.seconds:.1f} s: {len(pinned.lock.packages)} packages, {files} files"
        )
        if pinned.lock.withdrawn:
            yield printable(f"withdrawn by now: {', '.join(pinned.lock.withdrawn)}")
        if pinned.lock.without_hash:
            yield f"without a hash, as the index gives none: {', '.join(pinned.lock.without_hash)}"
    for title, items in (("cannot be had", pinned.unresolved), ("left out", pinned.wanted.left_out)):
        yield from (printable(line) for line in _listed(title, items))
    if pinned.failure:
        yield "the requirements do not go together, or one cannot be read:"
        yield from (f"  {printable(line)}" for line in pinned.failure.splitlines())


def _listed(title: str, items: tuple[LeftOut, ...]) -> Iterator[str]:
    if items:
        yield f"{title}:"
    for item in items:
        yield f"  {item.text} ({item.place})" if item.place else f"  {item.text}"
        yield f"    {item.reason}"


def _write(pinned: Pinned, outputs: list[Path], stream: Any) -> None:
    from dataguard.core.atomic import write_atomically
    from dataguard.environment.pinning.lock import pylock_text, requirements_text

    assert pinned.lock is not None  # noqa: S101 - the caller has looked
    for path in outputs:
        text = pylock_text(pinned.lock) if path.suffix == ".toml" else requirements_text(pinned.lock)
        if path == Path("-"):
            sys.stdout.write(text)
        else:
            write_atomically(path, text)
            print(f"written to {path}", file=stream)
