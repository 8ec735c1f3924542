"""Versions as Poetry, Pipenv and conda write them, in the words of PEP 440."""

from __future__ import annotations

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

_OPERATOR = re.compile(r"^(===|==|=|~=|!=|<=|>=|<|>|\^|~)?\s*v?(.+)$")


def from_poetry(text: str) -> str:
    """Poetry's and Pipenv's ranges: ``^1.2``, ``~1.2``, ``1.*``, ``*``, ``1.2.3``; '' where any version will do.

    >>> from_poetry("^1.2.3"), from_poetry("~1.2"), from_poetry("1.2.3"), from_poetry("*")
    ('<2,>=1.2.3', '<1.3,>=1.2', '==1.2.3', '')
    >>> from_poetry("^0.0.3"), from_poetry(">=3.8 <4.0"), from_poetry("==1.2")
    ('<0.0.4,>=0.0.3', '<4.0,>=3.8', '==1.2')
    """
    if "||" in text:
        return ""  # alternatives: PEP 440 cannot say them
    parts = []
    for item in re.split(r"\s*,\s*|(?<=[\w*])\s+(?=[<>=!~^])", text.strip()):
        match = _OPERATOR.match(item)
        if match is None or item == "*":
            continue
        operator, version = match[1] or "==", match[2].strip()
        if operator == "^":
            parts += [f">={version}", f"<{_caret(version)}"]
        elif operator == "~":
            parts += [f">={version}", f"<{_tilde(version)}"]
        else:
            parts.append(f"{'==' if operator == '=' else operator}{version}")
    return as_set(",".join(parts))


def from_conda(text: str) -> str:
    """Conda's match specification of a version, without the build.

    >>> from_conda("=1.2"), from_conda("==1.2"), from_conda(">=1,<2"), from_conda("1.2.*"), from_conda("")
    ('==1.2.*', '==1.2', '<2,>=1', '==1.2.*', '')
    """
    if not text or text == "*" or "|" in text:
        return ""
    parts = []
    for item in text.replace(" ", "").split(","):
        if item.startswith("==") or item[:1] in "<>!~":
            parts.append(item)
        elif item.startswith("="):
            version = item[1:]
            parts.append(f"=={version}" if version.endswith("*") else f"=={version}.*")
        else:
            parts.append(f"=={item}")
    return as_set(",".join(parts))


def as_set(text: str) -> str:
    """A specifier as PEP 440 sorts it; as it stands where it is none.

    >>> as_set(">=1, <2")
    '<2,>=1'
    """
    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier:
        return text


def _release(version: str) -> list[int]:
    try:
        return list(Version(version.removesuffix(".*")).release)
    except InvalidVersion:
        return [0]


def _caret(version: str) -> str:
    release = _release(version)
    for index, number in enumerate(release):
        if number or index == len(release) - 1:
            return ".".join(str(part) for part in (*release[:index], number + 1))
    return "1"


def _tilde(version: str) -> str:
    release = _release(version)
    return str(release[0] + 1) if len(release) == 1 else f"{release[0]}.{release[1] + 1}"
