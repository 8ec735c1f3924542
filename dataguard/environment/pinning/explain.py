"""Why a requirement cannot be had: what the index says of it, and what of a resolver's output tells a person."""

from __future__ import annotations

import datetime as dt
import platform
import re
from collections.abc import Iterable, Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from dataguard.environment.import_names import DISTRIBUTIONS
from dataguard.environment.index_page import IndexFile, PageError
from dataguard.environment.pinning.index import PackageIndex
from dataguard.environment.pinning.pythons import Interpreter
from dataguard.environment.pinning.wanted import LeftOut
from dataguard.environment.requirement import Requirement, normalized

_MOST_LINES = 14
SOURCE_ONLY = "there is no wheel"
"""How the reason begins where something is there, and only for those who let it be built."""


def unobtainable(
    requirements: Iterable[Requirement], index: PackageIndex, python: Interpreter, *, only_binary: bool = False
) -> tuple[LeftOut, ...]:
    """The requirements that no resolver could meet, whatever the others are, each with the reason.

    Args:
        requirements: What is asked for, and constraints. Their markers are left to the resolver.
        index: What is offered.
        python: What it is for.
        only_binary: Whether what would have to be built counts as not there.

    Raises:
        PageError: the index does not answer.
    """
    items = [item for item in requirements if not item.marker]
    index.ask_for(tuple(dict.fromkeys(item.name for item in items)))
    found = []
    for item in items:
        try:
            reason = _reason(item, index, python, only_binary)
        except PageError as error:
            if not error.unknown_project:
                raise
            reason = f"the index has no project of that name{_meant(item.name)}"
        if reason:
            found.append(LeftOut(text=item.written, place=f"{item.path}:{item.line}", reason=reason))
    return tuple(found)


def _meant(name: str) -> str:
    others = DISTRIBUTIONS.get(name) or DISTRIBUTIONS.get(name.replace("-", "_"))
    return f": the module {name} is of {others[0]}" if others and others[0] != name else ""


def _reason(item: Requirement, index: PackageIndex, python: Interpreter, only_binary: bool) -> str:
    everything = index.all_files(item.name)
    files = index.files(item.name)
    if not any(file.version for file in everything):
        return "the index has no file of it"
    if not files:
        return _too_early(everything, index.before)
    if "+" in item.specifier:
        return "a local version (after +), which indexes do not hold: ask for the version without it"
    fitting = [file for file in files if _fits(item, file)]
    if not fitting:
        later = [file for file in everything if _fits(item, file)]
        if later:
            return _too_early(later, index.before)
        versions = _versions(files)
        return f"no release fits {item.specifier or 'it'}: there are {_few(versions)}"
    if item.version is None and all(file.yanked for file in fitting):
        why = next((f": {file.reason}" for file in fitting if file.reason), "")
        return f"every release that fits was withdrawn{why}"
    usable = [file for file in fitting if _for_python(file, python)]
    if not usable:
        return f"no file of {_few(_versions(fitting))} is for Python {python.minor} on {_system()}{_pythons(fitting)}"
    if only_binary and not any(file.is_wheel for file in usable):
        return f"{SOURCE_ONLY}: {_few(_versions(usable))} would have to be built for Python {python.minor}"
    return ""


def _too_early(files: Iterable[IndexFile], before: dt.datetime | None) -> str:
    dated = [(file.uploaded, file.version) for file in files if file.uploaded and file.version]
    if not dated or before is None:
        return "the index does not say when its files were uploaded, so that what there was on that day is not known"
    first, version = min(dated)
    return f"not there yet on {before:%Y-%m-%d}: {version} was uploaded on {first:%Y-%m-%d}"


def _fits(item: Requirement, file: IndexFile) -> bool:
    if file.version is None:
        return False
    try:
        return SpecifierSet(item.specifier).contains(Version(file.version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True


def _for_python(file: IndexFile, python: Interpreter) -> bool:
    try:
        if file.requires_python and not SpecifierSet(file.requires_python).contains(python.version, prereleases=True):
            return False
    except InvalidSpecifier:
        return True
    if not file.is_wheel:
        return file.filename.endswith((".tar.gz", ".zip", ".tar.bz2", ".tgz"))
    try:
        tags = parse_wheel_filename(file.filename)[3]
    except (InvalidWheelFilename, InvalidVersion):
        return False
    short = python.minor.replace(".", "")
    minor = int(python.minor.partition(".")[2])
    for tag in tags:
        stable = re.fullmatch(r"cp3(\d+)", tag.interpreter) if tag.abi == "abi3" else None
        fits = tag.interpreter in (f"cp{short}", "py3", f"py{short}") or (
            stable is not None and int(stable[1]) <= minor
        )
        if fits and (tag.platform == "any" or _here(tag.platform)):
            return True
    return False


def _system() -> str:
    return f"{platform.system()} {platform.machine()}"


def _here(tag: str) -> bool:
    kinds = {"Linux": ("manylinux", "linux", "musllinux"), "Darwin": ("macosx",), "Windows": ("win",)}
    machine = platform.machine().lower()
    return tag.startswith(kinds.get(platform.system(), ())) and (
        tag.endswith((machine, "universal2")) or (machine in ("amd64", "x86_64") and tag.endswith(("amd64", "x86_64")))
    )


def _pythons(files: Iterable[IndexFile]) -> str:
    minors = set()
    for file in files:
        found = re.search(r"-cp(3)(\d{1,2})-", file.filename)
        if found is not None:
            minors.add((int(found[1]), int(found[2])))
    named = [f"{major}.{minor}" for major, minor in sorted(minors)]
    return f": its wheels are for {_few(named)}" if named else ""


def _versions(files: Iterable[IndexFile]) -> list[str]:
    found = {file.version for file in files if file.version}
    try:
        return sorted(found, key=Version)
    except InvalidVersion:
        return sorted(found)


def _few(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} to {names[-1]}"


_TELLING = re.compile(
    r"conflict|depends on|The user requested|Could not find|No matching|because|no solution|Tried:|incompatible|"
    r"unsatisfiable|did not run successfully|no answer|disabled|requires",
    re.IGNORECASE,
)
_NOISE = re.compile(
    r"^(?:Traceback|\s*\^|The above exception|During handling|raise |pip\._vendor|DEBUG)|"
    r"^\s{4,}(?!The user|\S+ \S+ depends)|"
    r"^\s*File \"|Ignored the following|pip's dependency resolver|exception was the direct cause|for help visit|"
    r"^(?:error: )?No solution found when resolving dependencies:?$"
)
_WRAPPING = re.compile(
    r"^(?:ERROR|error|cause|hint): |pip\._internal\.exceptions\.\w+: |https?://\S+|\(from versions: [^)]*\)?|^[╰─▶×│ ]+"
)


def resolver_reason(output: str, lines: Sequence[str] = ()) -> str:
    r"""The lines of a resolver's output that tell why there is no solution.

    >>> resolver_reason("Collecting x\nERROR: No matching distribution found for x==2\nTraceback (most recent call):")
    'No matching distribution found for x==2'

    Args:
        output: All that it wrote.
        lines: What it was asked, which it may speak of by number.
    """

    def asked(match: re.Match[str]) -> str:
        number = int(match[1])
        return lines[number - 1] if 0 < number <= len(lines) else match[0]

    output += _causes(output)
    output = re.sub(r"-r wanted\.in \(line (\d+)\)", asked, output)
    seen: dict[str, None] = {}
    for line in output.splitlines():
        if _NOISE.search(line) or not _TELLING.search(line):
            continue
        plain = line.strip()
        while (shorter := _WRAPPING.sub("", plain).strip()) != plain:
            plain = shorter
        seen.setdefault(re.sub(r"\s+", " ", plain)[:300])
    if not seen:
        rest = [line.strip() for line in output.splitlines() if line.strip() and not _NOISE.search(line)]
        seen = dict.fromkeys(rest[-3:])
    return "\n".join(list(seen)[:_MOST_LINES]) or "the resolver says nothing"


_CAUSE = re.compile(
    r"RequirementInformation\(requirement=\w+\('([^']*)'\), parent=(?:None|\w+\('[^']*?/([^/'#]+?)-(\d[^-/'#]*?)"
    r"(?:-[^/'#]*\.whl|\.tar\.gz|\.zip)(?:#[^']*)?'\))\)"
)


def _causes(output: str) -> str:
    """What stands against what, out of the exception that pip ends with: pip-tools keeps pip's own words back."""
    found = {
        f"{name.replace('_', '-')} {version} depends on {wanted.partition(';')[0]}"
        if name
        else f"The user requested {wanted}"
        for wanted, name, version in _CAUSE.findall(output)
    }
    return "".join(f"\n{line}" for line in sorted(found))


_NETWORK = re.compile(
    r"Request failed|Failed to fetch|error sending request|Max retries exceeded|ConnectionError|Connection broken|"
    r"ReadTimeout|ConnectTimeout|operation timed out|SSLError|CERTIFICATE_VERIFY_FAILED|No space left",
    re.IGNORECASE,
)


def is_of_this_machine(output: str) -> bool:
    """Whether a resolver failed for want of a connection or of space, which says nothing of the requirements.

    >>> is_of_this_machine("error: Request failed after 3 retries"), is_of_this_machine("ResolutionImpossible")
    (True, False)
    """
    return _NETWORK.search(output) is not None


def without_wheel(output: str, index: PackageIndex) -> str:
    """The distribution that a resolver missed a wheel of, though it could be built; '' where it failed otherwise."""
    if re.search(r"building (?:from )?source(?: distributions)? is disabled", output):
        return "a distribution without a wheel"
    for text in re.findall(r"No matching distribution found for ([A-Za-z0-9][^\s;(\[]*)", output):
        found = re.match(r"([A-Za-z0-9][\w.-]*?)((?:[=<>!~]=?=?.*)?)$", text)
        if found is None:
            continue
        asked = Requirement(name=normalized(found[1]), written=text, path="", line=1, specifier=found[2])
        try:
            files = [file for file in index.files(asked.name) if _fits(asked, file) and not file.is_wheel]
        except PageError:
            continue
        if files:
            return str(text)
    return ""
