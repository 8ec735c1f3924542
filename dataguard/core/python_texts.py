"""Where a script's texts and comments are, told without parsing it."""

from __future__ import annotations

import re

TEXTS = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"""|'
    r"'''(?:[^'\\]++|\\.|'(?!''))*+'''|"
    r'"(?:[^"\\\n]++|\\.)*+"|'
    r"'(?:[^'\\\n]++|\\.)*+'|#[^\n]*",
    re.DOTALL,
)
"""A text with its quotes, without the letters before it; or a comment up to the end of its line."""
