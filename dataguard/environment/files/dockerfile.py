"""Dockerfiles: base images, and what ``RUN`` lines install."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from dataguard.environment.declared import BaseImage, DeclaredFile, Problem, PythonVersion, Role, SystemPackage
from dataguard.environment.files.conda import spec_requirement
from dataguard.environment.files.requirement_text import UnreadableRequirement, parse_editable, parse_requirement
from dataguard.environment.files.text_file import UnreadableFile, read_text
from dataguard.environment.requirement import Requirement

_DIRECTIVE = re.compile(r"^#\s*([A-Za-z]+)\s*=\s*(.*?)\s*$")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::([-+])([^{}]*))?\}|(\w+))")
_HEREDOC = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")
_SPLIT = re.compile(r"&&|\|\||[;|\n]|(?<!>)&(?!>)")
_PIP_OPTIONS = (
    "-i --index-url --extra-index-url -f --find-links --trusted-host -t --target --prefix --root --platform --abi "
    "--python-version --implementation --no-binary --only-binary --progress-bar --timeout --retries --cache-dir "
    "--proxy "
    "--cert --client-cert --src -b --build --log --exists-action --upgrade-strategy --global-option --install-option "
    "--config-settings -C --use-feature --use-deprecated --report -p --python --index --default-index --link-mode "
    "--torch-backend --group --index-strategy --exclude-newer --build-constraint --root-user-action"
)
_PIP_VALUE = frozenset(_PIP_OPTIONS.split())
_APT_VALUE = frozenset({"-o", "--option", "-t", "--target-release", "--default-release", "-c", "--config-file"})
_CONDA_VALUE = frozenset({"-c", "--channel", "-n", "--name", "-p", "--prefix", "--file", "--solver"})


def read_dockerfile(path: Path, name: str) -> DeclaredFile:
    """Read a Dockerfile.

    Args:
        path: The file.
        name: What its records call it.
    """
    try:
        return parse_dockerfile(read_text(path, name), name)
    except UnreadableFile as error:
        return DeclaredFile(path=name, kind="Dockerfile", role=Role.IMAGE, problems=(error.problem,))


def parse_dockerfile(text: str, name: str) -> DeclaredFile:
    r"""Read the text of a Dockerfile.

    >>> text = "FROM python:3.11\nRUN apt-get install -y libgl1 && \\\n pip install torch\n"
    >>> file = parse_dockerfile(text, "Dockerfile")
    >>> file.images[0].tag, file.system_packages[0].name, file.requirements[0].line
    ('3.11', 'libgl1', 3)
    """
    return _Reader(name).read(text)


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.requirements: list[Requirement] = []
        self.problems: list[Problem] = []
        self.images: list[BaseImage] = []
        self.python: list[PythonVersion] = []
        self.system: list[SystemPackage] = []
        self.includes: list[str] = []
        self.constraints: list[str] = []
        self.stages: set[str] = set()
        self.arguments: dict[str, str | None] = {}

    def read(self, text: str) -> DeclaredFile:
        snapshot = "snapshot.debian.org" in text or "snapshot.ubuntu.com" in text
        for line, instruction, value, places in _instructions(text):
            if instruction in ("ARG", "ENV"):
                self._argument(instruction, value)
            elif instruction == "FROM":
                self._from(value, line)
            elif instruction == "RUN":
                self._run(value, places, snapshot)
        return DeclaredFile(
            path=self.name,
            kind="Dockerfile",
            role=Role.IMAGE,
            requirements=tuple(self.requirements),
            includes=tuple(dict.fromkeys(self.includes)),
            constraints=tuple(dict.fromkeys(self.constraints)),
            python=tuple(self.python),
            images=tuple(self.images),
            system_packages=tuple(self.system),
            problems=tuple(self.problems),
        )

    def _argument(self, instruction: str, value: str) -> None:
        try:
            words = shlex.split(value)
        except ValueError:
            return
        if instruction == "ENV" and words and "=" not in words[0]:
            words = [f"{words[0]}={' '.join(words[1:])}"]
        for word in words:
            key, mark, given = word.partition("=")
            if mark:
                self.arguments[key] = _filled(given, self.arguments)[0]
            else:
                self.arguments.setdefault(key, None)

    def _from(self, value: str, line: int) -> None:
        words = [word for word in value.split() if not word.startswith("--")]
        if not words:
            self.problems.append(Problem(path=self.name, line=line, reason="FROM names no image", text=value[:120]))
            return
        stage = words[2] if len(words) >= 3 and words[1].upper() == "AS" else ""
        image, unresolved = _filled(words[0].strip("\"'"), self.arguments)
        before = set(self.stages)
        if stage:
            self.stages.add(stage.lower())
        if image.lower() == "scratch" or image.lower() in before:
            return
        plain, _, digest = image.partition("@")
        head, slash, last = plain.rpartition("/")
        last, _, tag = last.partition(":")
        found = BaseImage(
            written=f"FROM {value}",
            image=f"{head}{slash}{last}",
            tag=tag,
            digest=digest,
            unresolved=unresolved,
            path=self.name,
            line=line,
        )
        self.images.append(found)
        version = re.match(r"(\d+\.\d+(?:\.\d+)?)", tag)
        if last in ("python", "pypy") and version is not None:
            specifier = f"=={version[1]}" if version[1].count(".") == 2 else f"=={version[1]}.*"
            self.python.append(PythonVersion(specifier=specifier, written=f"FROM {value}", path=self.name, line=line))

    def _run(self, value: str, places: list[tuple[int, int]], snapshot: bool) -> None:
        start = 0
        for match in [*_SPLIT.finditer(value), None]:
            end = len(value) if match is None else match.start()
            self._command(value, start, end, places, snapshot)
            start = end if match is None else match.end()

    def _command(self, value: str, start: int, end: int, places: list[tuple[int, int]], snapshot: bool) -> None:
        words = [
            (word[0].strip("\"'"), _line_at(places, start + word.start()))
            for word in re.finditer(r"(?:\"[^\"]*\"|'[^']*'|[^\s\"'])+", value[start:end])
        ]
        while words and (
            re.fullmatch(r"\w+=.*", words[0][0]) or words[0][0] in _PREFIXES or words[0][0].startswith("--")
        ):
            words = words[1:]
        plain = [word for word, _ in words]
        if not plain:
            return
        tool = plain[0].rpartition("/")[2]
        if tool in ("conda", "mamba", "micromamba") and "run" in plain[:3] and "pip" in plain:
            at = plain.index("pip")
            words, plain, tool = words[at:], plain[at:], "pip"
        if re.fullmatch(r"python[\d.]*|\$\{?\w+\}?", tool) and plain[1:3] == ["-m", "pip"]:
            words, plain, tool = words[2:], plain[2:], "pip"
        if tool == "uv" and plain[1:2] == ["pip"]:
            words, plain, tool = words[1:], plain[1:], "pip"
        if "install" not in plain and "add" not in plain and "create" not in plain:
            return
        at = next(index for index, word in enumerate(plain) if word in ("install", "add", "create"))
        arguments = words[at + 1 :]
        if re.fullmatch(r"pip[\d.]*", tool) and plain[at] == "install":
            self._pip(arguments)
        elif tool in ("apt-get", "apt", "aptitude") and plain[at] == "install":
            self._system(arguments, "apt", _APT_VALUE, snapshot)
        elif tool == "apk" and plain[at] == "add":
            self._system(arguments, "apk", frozenset({"--virtual", "-t", "--repository", "-X"}), False)
        elif tool in ("yum", "dnf", "microdnf") and plain[at] == "install":
            self._system(arguments, "yum", frozenset(), False)
        elif tool in ("conda", "mamba", "micromamba") and plain[at] in ("install", "create"):
            self._conda(arguments)

    def _pip(self, arguments: list[tuple[str, int]]) -> None:
        pending = iter(arguments)
        for word, line in pending:
            name, mark, given = word.partition("=")
            if word in ("-r", "--requirement", "-c", "--constraint"):
                target = next(pending, ("", line))[0]
                (self.includes if word in ("-r", "--requirement") else self.constraints).append(target)
            elif name in ("--requirement", "--constraint") and mark:
                (self.includes if name == "--requirement" else self.constraints).append(given)
            elif re.match(r"-r[^-]", word):
                self.includes.append(word[2:])
            elif word in ("-e", "--editable"):
                self._requirement(next(pending, (".", line))[0], line, editable=True)
            elif word in _PIP_VALUE:
                next(pending, None)
            elif word.startswith(("-", ">", "<", "2>")) or not word:
                continue
            else:
                self._requirement(word, line, editable=False)

    def _requirement(self, word: str, line: int, *, editable: bool) -> None:
        text, unresolved = _filled(word, self.arguments)
        if unresolved or "$(" in text or "`" in text:
            reason = "a variable that only the build knows"
            self.problems.append(Problem(path=self.name, line=line, reason=reason, text=word[:120], fatal=False))
            text = re.split(r"[$`]", text)[0].rstrip("=<>~!")
            if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(?:\[[\w,-]+\])?", text):
                return
        if text in (".", "..") or text.startswith(("./", "../", "/", ".[")) or (editable and "+" not in text):
            self.requirements.append(
                Requirement(name="", written=word, path=self.name, line=line, url=text, editable=editable)
            )
            return
        try:
            parts = parse_editable(text) if editable else parse_requirement(text)
        except UnreadableRequirement as error:
            self.problems.append(Problem(path=self.name, line=line, reason=error.reason, text=word[:120], fatal=False))
            return
        self.requirements.append(
            parts.requirement(
                written=word,
                path=self.name,
                line=line,
                editable=editable,
            )
        )

    def _system(
        self, arguments: list[tuple[str, int]], manager: str, with_value: frozenset[str], snapshot: bool
    ) -> None:
        pending = iter(arguments)
        for word, line in pending:
            if word in with_value:
                next(pending, None)
            elif re.match(r"[A-Za-z0-9]", word):
                text = _filled(word, self.arguments)[0]
                name, _, version = text.partition("=")
                package = SystemPackage(
                    name=name.partition("/")[0].partition(":")[0].rstrip("<>~"),
                    version=version,
                    manager=manager,
                    written=word,
                    path=self.name,
                    line=line,
                    snapshot=snapshot,
                )
                self.system.append(package)

    def _conda(self, arguments: list[tuple[str, int]]) -> None:
        pending = iter(arguments)
        for word, line in pending:
            if word in _CONDA_VALUE:
                next(pending, None)
            elif re.match(r"[A-Za-z0-9]", word):
                text = _filled(word, self.arguments)[0]
                found = spec_requirement(text, path=self.name, line=line)
                if found is not None and found.name == "python":
                    python = PythonVersion(specifier=found.specifier, written=word, path=self.name, line=line)
                    self.python.append(python)
                elif found is not None:
                    self.requirements.append(found)


_PREFIXES = frozenset({"sudo", "exec", "time", "env", "then", "do", "else", "!", "{", "(", "set", "-E", "-H"})


def _instructions(text: str) -> Iterator[tuple[int, str, str, list[tuple[int, int]]]]:
    """Line, word and value of each instruction, and where in the value each line of the file begins."""
    lines = text.splitlines()
    escape = "\\"
    at = 0
    while at < len(lines) and (directive := _DIRECTIVE.match(lines[at])):
        if directive[1].lower() == "escape" and directive[2] in ("\\", "`"):
            escape = directive[2]
        at += 1
    while at < len(lines):
        if not lines[at].strip() or lines[at].lstrip().startswith("#"):
            at += 1
            continue
        start = at + 1
        parts: list[str] = []
        places: list[tuple[int, int]] = []
        length = 0
        while at < len(lines):
            line = lines[at]
            at += 1
            if parts and line.lstrip().startswith("#"):
                continue  # comments between continued lines are left out
            stripped = line.rstrip()
            more = stripped.endswith(escape)
            piece = stripped[:-1] + " " if more else stripped
            places.append((length, at))
            parts.append(piece)
            length += len(piece)
            if not more:
                break
        value = "".join(parts)
        offset = len(value) - len(value.lstrip())
        word, _, rest = value.strip().partition(" ")
        documents = _HEREDOC.findall(rest) if word.upper() in ("RUN", "COPY") else []
        shift = offset + len(word) + 1
        places = [(max(place - shift, 0), line) for place, line in places]
        for mark in documents:
            while at < len(lines) and lines[at].strip() != mark:
                rest += "\n"
                places.append((len(rest), at + 1))
                rest += lines[at]
                at += 1
            at += 1
        yield start, word.upper(), rest, places


def _line_at(places: list[tuple[int, int]], offset: int) -> int:
    line = places[0][1] if places else 1
    for begin, number in places:
        if begin > offset:
            break
        line = number
    return line


def _filled(text: str, arguments: Mapping[str, str | None]) -> tuple[str, bool]:
    """A text with its variables filled in, and whether one was left."""
    left = False

    def value(match: re.Match[str]) -> str:
        nonlocal left
        known = arguments.get(match[1] or match[4])
        if match[2] == "-":
            return known or match[3]
        if match[2] == "+":
            return match[3] if known else ""
        if known is None:
            left = True
            return match[0]
        return known

    return _VARIABLE.sub(value, text), left
