"""``requirements.txt`` and constraints, read as pip reads them.

Steps and their order are those of pip's ``req_file``: decode, split and join lines, strip comments, tell requirements
from options, follow ``-r`` and ``-c``. Where pip stops at the first line that it cannot read, this goes on and lists
it. Variables as ``${TOKEN}`` are left as they stand: what they hold may be a secret.
"""

from __future__ import annotations

import codecs
import optparse
import os
import re
import shlex
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from dataguard.environment.declared import Problem
from dataguard.environment.files.requirement_text import (
    Parts,
    UnreadableRequirement,
    parse_editable,
    parse_requirement,
)
from dataguard.environment.requirement import Requirement

MAX_BYTES = 64 * 2**20
"""The largest file that is read."""
MAX_FILES = 500
"""Files that includes may lead to, each time that they do counted."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
# pip's r"(^|\s+)#.*$", which takes quadratic time on a line of a million spaces.
_COMMENT = re.compile(r"(?:^|(?<!\s)\s+)#.*$")
_REMOTE = re.compile(r"^(?:https?|file):", re.IGNORECASE)
_HASH = re.compile(r"--hash=(sha256|sha384|sha512):([^\s'\"\\]+)")
_CONFLICT = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?: .*)?")
_COMPILED = re.compile(
    r"^#\s+(?:uv pip compile|pip-compile|\S+ -m piptools compile|dataguard pin)\b(.*)$", re.MULTILINE
)
_HASH_ALGORITHMS = ("sha256", "sha384", "sha512")
_FEATURES = (
    "fast-deps",
    "inprocess-build-deps",
    "venv-isolation",
    "truststore",
    "no-binary-enable-wheel-cache",
    "build-constraint",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Include:
    """A line ``-r FILE`` or ``-c FILE``."""

    target: str
    constraint: bool
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RequirementsText:
    """One file, what it includes not followed."""

    path: str
    entries: tuple[Requirement | Include | Problem, ...]
    """In the order of the file."""
    inputs: tuple[str, ...] = ()
    """What its head says that it was compiled from."""
    compiled: bool = False
    """Its head says that pip-compile, uv or `dataguard pin` wrote it."""
    require_hashes: bool = False
    index_urls: tuple[str, ...] = ()
    """Indexes, and pages of links."""


@dataclass(kw_only=True)
class RequirementsRead:
    """A file and all that it includes, in pip's order."""

    requirements: list[Requirement] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class _BadOption(Exception):
    """An option that pip does not know, or that lacks its value."""


class _Options(optparse.OptionParser):
    def error(self, msg: str) -> NoReturn:
        raise _BadOption(msg)

    def exit(self, status: int = 0, msg: str | None = None) -> NoReturn:
        raise _BadOption(msg or str(status))


def _options() -> _Options:
    parser = _Options(add_help_option=False)
    parser.add_option("-i", "--index-url", "--pypi-url", dest="index_url")
    for names, destination in (
        (("--extra-index-url",), "extra_index_urls"),
        (("-c", "--constraint"), "constraints"),
        (("-r", "--requirement"), "requirements"),
        (("-e", "--editable"), "editables"),
        (("-f", "--find-links"), "find_links"),
        (("--no-binary",), "binary"),
        (("--only-binary",), "binary"),
        (("--all-releases",), "releases"),
        (("--only-final",), "releases"),
        (("--trusted-host",), "trusted_hosts"),
        (("--hash",), "hashes"),
        (("-C", "--config-settings"), "config_settings"),
    ):
        parser.add_option(*names, dest=destination, action="append")
    for name in ("--no-index", "--prefer-binary", "--require-hashes", "--no-require-hashes", "--pre"):
        parser.add_option(name, action="store_true", default=False)
    parser.add_option("--use-feature", dest="features", action="append", choices=list(_FEATURES))
    return parser


_PARSER = _options()


def decode(data: bytes) -> tuple[str, int]:
    r"""A requirements file as text, and the line that could not be decoded as pip would (0 where all could).

    >>> decode("torch\n".encode("utf-16"))
    ('torch\n', 0)
    >>> decode(b"torch\n# caf\xe9\n")[1]
    2
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding)
    if data.count(0) > len(data) // 4:  # UTF-16 without its mark, which pip cannot read
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le", "replace"), 1
    for line in data.split(b"\n", 2)[:2]:
        named = _CODING.search(line) if line.startswith(b"#") else None
        if named is not None:
            return _decoded(data, named[1].decode("ascii"))
    return _decoded(data, "utf-8")


def _decoded(data: bytes, encoding: str) -> tuple[str, int]:
    try:
        return data.decode(encoding), 0
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    except (LookupError, ValueError):
        line = 1
    return data.decode("latin-1"), line


def parse_text(text: str, *, path: str, constraint: bool = False, folders: tuple[Path, ...] = ()) -> RequirementsText:
    r"""Read the text of a requirements file.

    >>> read = parse_text("torch==2.1\n-r more.txt\n", path="requirements.txt")
    >>> read.entries[0].version, read.entries[1].target
    ('2.1', 'more.txt')

    Args:
        text: The file.
        path: What its records call it.
        constraint: Whether it is read as constraints.
        folders: What a relative path may be relative to.
    """
    entries: list[Requirement | Include | Problem] = []
    urls: list[str] = []
    require_hashes = False
    lines = text.splitlines()
    for number, line in _logical(lines):
        conflict = _CONFLICT.fullmatch(line)
        if conflict is not None:
            entries.append(_problem(path, number, "a merge conflict was left in the file", line))
            continue
        try:
            asked, options = _split(line)
        except _BadOption as error:
            entries.append(_problem(path, number, f"pip refuses the options: {error}", line))
            continue
        if not asked and not options.get("editables"):
            target = (options.get("requirements") or options.get("constraints") or [None])[0]
            if target is not None:
                entries.append(Include(target=target, constraint=not options.get("requirements"), line=number))
            require_hashes |= bool(options.get("require_hashes"))
            urls += [options["index_url"]] if options.get("index_url") else []
            urls += [*(options.get("extra_index_urls") or ()), *(options.get("find_links") or ())]
            continue
        entries += _requirement(asked, options, path, number, constraint, folders)
    compiled = _COMPILED.search(text[:4000])
    if "# via" in text:
        entries = _with_via(entries, lines)
    return RequirementsText(
        path=path,
        entries=tuple(entries),
        compiled=compiled is not None or "autogenerated by pip-compile" in text[:4000],
        inputs=_inputs(compiled[1]) if compiled else (),
        require_hashes=require_hashes,
        index_urls=tuple(urls),
    )


def read_file(path: Path, *, name: str, constraint: bool = False, root: Path | None = None) -> RequirementsText:
    """Read one requirements file; what it includes is named and not followed.

    Args:
        path: The file.
        name: What its records call it.
        constraint: Whether it is read as constraints.
        root: The folder that pip would be called in.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = f"cannot be opened: {getattr(error, 'strerror', None) or error}"
        return RequirementsText(path=name, entries=(_problem(name, 1, reason, ""),))
    if len(data) > MAX_BYTES:
        return RequirementsText(path=name, entries=(_problem(name, 1, f"larger than {MAX_BYTES:,} bytes", ""),))
    text, undecoded = decode(data)
    folders = tuple(folder for folder in (root, path.parent) if folder is not None)
    read = parse_text(text, path=name, constraint=constraint, folders=folders)
    if undecoded:
        problem = _problem(
            name, undecoded, "not in the encoding that pip expects (UTF-8, or as a mark or line says)", ""
        )
        read = replace(read, entries=(problem, *read.entries))
    return read


def read_requirements(path: Path, *, constraint: bool = False) -> RequirementsRead:
    """Read a requirements file with all that it includes, in the order and with the meaning that pip gives them.

    Paths of records are absolute. Addresses are not opened, and a file that includes itself is a problem.

    Args:
        path: The file.
        constraint: Whether it is read as constraints.
    """
    result = RequirementsRead()
    _follow(Path(os.path.abspath(path)), constraint, (), result, [0])  # noqa: PTH100 - `resolve` would follow links
    return result


def _follow(path: Path, constraint: bool, above: tuple[str, ...], result: RequirementsRead, count: list[int]) -> None:
    count[0] += 1
    read = read_file(path, name=str(path), constraint=constraint)
    for entry in read.entries:
        if isinstance(entry, Requirement):
            result.requirements.append(entry)
        elif isinstance(entry, Problem):
            result.problems.append(entry)
        elif _REMOTE.search(entry.target):
            reason = "names an address, which is not opened"
            result.problems.append(_problem(str(path), entry.line, reason, entry.target, fatal=False))
        else:
            target = os.path.abspath(os.path.join(path.parent, entry.target))  # noqa: PTH100, PTH118 - as pip does
            if target in (*above, str(path)):
                result.problems.append(_problem(str(path), entry.line, "the file includes itself", entry.target))
            elif count[0] >= MAX_FILES:
                result.problems.append(_problem(str(path), entry.line, f"more than {MAX_FILES} includes", entry.target))
                return
            else:
                _follow(Path(target), entry.constraint, (*above, str(path)), result, count)


def _logical(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Lines joined at a backslash, without comments, with the number of the first."""
    first, parts = 0, list[str]()
    for number, line in enumerate(lines, start=1):
        comment = "#" in line and _COMMENT.match(line) is not None
        if line.endswith("\\") and not comment:
            first = first if parts else number
            parts.append(line.strip("\\"))
            continue
        # The space lets the comment be seen in a joined line, too.
        parts.append(" " + line if comment else line)
        whole = _uncommented("".join(parts))
        if whole:
            yield (first if len(parts) > 1 else number), whole
        parts = []
    if parts and (line := _uncommented("".join(parts))):
        yield first, line


def _uncommented(line: str) -> str:
    return (_COMMENT.sub("", line) if "#" in line else line).strip()


def _split(line: str) -> tuple[str, dict[str, Any]]:
    """A line's requirement, and its options."""
    tokens = line.split(" ")
    at = next((index for index, token in enumerate(tokens) if token.startswith("-")), len(tokens))
    asked, rest = " ".join(tokens[:at]), tokens[at:]
    if not rest:
        return asked, {}
    words = [word for token in rest for word in token.split()]
    hashes = [_HASH.fullmatch(word) for word in words]
    if all(hashes):  # the usual line of a lock; shlex takes a thousand times longer
        return asked, {"hashes": [word.removeprefix("--hash=") for word in words]}
    try:
        words = shlex.split(" ".join(rest))
    except ValueError as error:
        raise _BadOption(str(error)) from error
    values, _ = _PARSER.parse_args(words, _PARSER.get_default_values())
    options: dict[str, Any] = vars(values)
    for text in options["hashes"] or ():
        algorithm, mark, _ = text.partition(":")
        if not mark or algorithm not in _HASH_ALGORITHMS:
            raise _BadOption(f"--hash takes {', '.join(_HASH_ALGORITHMS)}, a colon and the hash")
    if any("=" not in text for text in options["config_settings"] or ()):
        raise _BadOption("--config-settings takes KEY=VALUE")
    if any(text.startswith("-") for key in ("binary", "releases") for text in options[key] or ()):
        raise _BadOption("names of packages are missing")
    return asked, options


def _requirement(
    asked: str, options: dict[str, Any], path: str, line: int, constraint: bool, folders: tuple[Path, ...]
) -> list[Requirement | Include | Problem]:
    editable = bool(options.get("editables"))
    text = asked or options["editables"][0]
    written = f"-e {text}" if editable and not asked else text
    parts, problem = Parts(), None
    try:
        parts = parse_editable(text, folders=folders) if editable else parse_requirement(text, folders=folders)
        if editable and constraint:
            problem = _problem(path, line, "constraints cannot be editable", written)
    except UnreadableRequirement as error:
        problem = _problem(path, line, error.reason, written)
        parts = Parts(name=error.name, url=error.url)
    found: list[Requirement | Include | Problem] = []
    if problem is None or parts.name:
        found.append(
            parts.requirement(
                written=written,
                path=path,
                line=line,
                editable=editable,
                constraint=constraint,
                # pip reads no hashes of editables.
                hashes=() if editable else tuple(sorted(set(options.get("hashes") or ()))),
            )
        )
    return found if problem is None else [*found, problem]


def _problem(path: str, line: int, reason: str, text: str, *, fatal: bool = True) -> Problem:
    return Problem(path=path, line=line, reason=reason, text=text[:120], fatal=fatal)


def _inputs(arguments: str) -> tuple[str, ...]:
    """The files that a command line of pip-compile or uv names, without options and their values."""
    try:
        words = shlex.split(arguments)
    except ValueError:
        return ()
    found, value_next = [], False
    for word in words:
        if value_next:
            value_next = False
        elif word.startswith("-"):
            value_next = "=" not in word and word in _WITH_VALUE
        elif word.endswith((".in", ".txt", ".toml", ".cfg", ".py")):
            found.append(word)
    return tuple(found)


_COMPILER_OPTIONS = (
    "-o --output-file --extra --python-version --python-platform --index-url -i --extra-index-url -f --find-links -c "
    "--constraint --constraints --resolver --config --cache-dir --pip-args --unsafe-package -P --upgrade-package -p "
    "--python --exclude-newer --group --annotation-style --override --overrides --torch-backend --as-of --index"
)
_WITH_VALUE = frozenset(_COMPILER_OPTIONS.split())


def _with_via(
    entries: list[Requirement | Include | Problem], lines: list[str]
) -> list[Requirement | Include | Problem]:
    """Requirements with what their comments ``# via`` say asked for them."""
    starts = [entry.line for entry in entries]
    via: dict[int, list[str]] = {}
    at = -1
    for number, line in enumerate(lines, start=1):
        _, mark, comment = line.partition("#")
        if not mark:
            at = -1
            continue
        words = comment.strip()
        if words == "via" or words.startswith("via "):
            at = bisect_right(starts, number) - 1
            words = words[3:].strip()
        if at >= 0 and words:
            via.setdefault(at, []).extend(part.strip() for part in words.split(",") if part.strip())
    return [
        replace(entry, via=tuple(via[index])) if index in via and isinstance(entry, Requirement) else entry
        for index, entry in enumerate(entries)
    ]
