"""HTML and SVG built as a tree, so that no text from outside can ever become markup."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import TypeAlias
from xml.etree import ElementTree as ET

from dataguard.core.text import printable

Element: TypeAlias = ET.Element
Child: TypeAlias = "Element | str | Iterable[Child] | None"

_INLINE = frozenset({"a", "bdi", "code", "img", "path", "rect", "circle", "span", "strong", "svg"})
"""Elements after which a line break would be a space that is seen."""


def element(tag: str, *children: Child, **attributes: str | float | None) -> Element:
    r"""An element with its children and attributes.

    Text and attribute values go through `printable` and are escaped when written.

    >>> write(element("p", "a <b>", class_="x", title='"'))
    '<p class="x" title="&quot;">a &lt;b&gt;</p>\n'

    Args:
        tag: As 'div'.
        children: Elements, texts, None (nothing), or iterables of these.
        attributes: A trailing underscore is dropped (``class_``) and others become hyphens (``aria_label``); None
            leaves the attribute out, and '' writes it without a meaning of its own, as ``open``.
    """
    made = ET.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            text = f"{value:g}" if isinstance(value, float) else str(value)
            made.set(name.rstrip("_").replace("_", "-"), printable(text))
    _append(made, children)
    if tag not in _INLINE:
        made.tail = "\n"
    return made


def _append(parent: Element, children: Iterable[Child]) -> None:
    for child in children:
        if child is None:
            continue
        if isinstance(child, ET.Element):
            parent.append(child)
        elif isinstance(child, str):
            text = printable(child)
            if len(parent):
                parent[-1].tail = (parent[-1].tail or "") + text
            else:
                parent.text = (parent.text or "") + text
        else:
            _append(parent, child)


def style(css: str) -> tuple[Element, str]:
    """A style element, and the source expression by which a content security policy allows just it.

    Raises:
        ValueError: the style sheet would end the element early.
    """
    if "</" in css:
        raise ValueError("a style sheet cannot hold '</'")
    made = ET.Element("style")
    made.text = css
    made.tail = "\n"
    digest = base64.b64encode(hashlib.sha256(css.encode("utf-8")).digest()).decode("ascii")
    return made, f"'sha256-{digest}'"


def write(root: Element) -> str:
    """The tree as HTML text."""
    return ET.tostring(root, encoding="unicode", method="html")
