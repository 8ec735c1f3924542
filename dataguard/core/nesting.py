"""How deep YAML is nested, which must be known before libyaml makes anything of it.

libyaml's composer calls itself for every level, and beyond some ten thousand of them the process is at an end: no
exception tells of it. Its parser does not, and stops here as soon as it is too deep.
"""

from __future__ import annotations

from typing import Any

DEEPEST = 100
"""Lists and dictionaries within one another; what people write has some ten."""


def is_too_deep(text: str | bytes, loader: Any) -> bool:
    """Whether YAML is nested deeper than `DEEPEST`, as a loader's parser tells.

    Args:
        text: What is in a file.
        loader: The class of the loader.

    Raises:
        yaml.YAMLError: it is no YAML.
        ValueError: it holds what is no text.

    >>> import yaml
    >>> is_too_deep("[" * 200, yaml.SafeLoader), is_too_deep("a: [1, [2]]", yaml.SafeLoader)
    (True, False)
    """
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                return True
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return False
