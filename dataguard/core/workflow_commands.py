"""What a log of GitHub Actions takes for a command and runs, and how such text is shown instead.

Any line that a step prints can be a command: `::add-mask::a`, `::error file=…::…`. So a file of that name, printed by a
check, would act on the job. The runner reads a command where a line starts with ``::`` after spaces, and in its older
form wherever ``##[`` stands (``ActionCommand.TryParseV2`` and ``TryParse`` of github.com/actions/runner).
"""

from __future__ import annotations

import os
import re

_FIRST = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_PLAIN = (r"\x3a", r"#\x23[")
_JSON = (":", r"#\u0023[")
_MARKUP = ("&#58;", "#&#35;[")
_ESCAPES = {"json": _JSON, "sarif": _JSON, "gitlab": _JSON, "html": _MARKUP, "junit": _MARKUP, "markdown": _MARKUP}


def in_github_log() -> bool:
    """Whether what this process prints ends in a log of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def inert(text: str, kind: str = "terminal") -> str:
    r"""`text` with nothing in it that a log of GitHub Actions would run.

    >>> inert("::add-mask::the")
    '\\x3a:add-mask::the'
    >>> inert("a.png ##[add-mask]the"), inert('"##[add-mask]the"', "json")
    ('a.png #\\x23[add-mask]the', '"#\\u0023[add-mask]the"')

    Args:
        text: Whole lines.
        kind: What it is written in. In JSON, XML, HTML and Markdown the escape is the language's own, so that a program
            reads what it would have read; no line of JSON starts with a colon.
    """
    colon, brackets = _ESCAPES.get(kind, _PLAIN)
    return _FIRST.sub(lambda match: match[1] + colon, text).replace("##[", brackets)
