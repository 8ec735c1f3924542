"""A page of HTML as tests ask about it."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input"}
INTERACTIVE = {
    "script",
    "iframe",
    "object",
    "embed",
    "form",
    "input",
    "button",
    "base",
    "video",
    "audio",
    "foreignObject",
}


class Page(HTMLParser):
    """What a test asks of a page; fails where the tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))

    def named(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]

    @property
    def text(self) -> str:
        return " ".join(" ".join(text for tag, text in self.texts if tag != "style").split())


def assert_sound(text: str) -> Page:
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>\n")
    assert not INTERACTIVE & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcset", "srcdoc")]
        for name in ("src", "href", "xlink:href", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/", "data:,"))
    ids = [value for _, attributes in page.tags if (value := attributes.get("id")) is not None]
    assert len(ids) == len(set(ids))
    for attributes in page.named("a"):
        assert (attributes["href"] or "")[1:] in ids
    assert all(attributes.get("alt") for attributes in page.named("img"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.named("html") == [{"lang": "en"}]
    assert len(page.named("caption")) == len(page.named("table"))
    assert all(attributes.get("scope") in ("row", "col") for attributes in page.named("th"))
    # By keyboard: what scrolls by itself is reached and named, in the order of the page; what unfolds says what it is.
    for attributes in page.named("div"):
        if "scroll" in (attributes.get("class") or "").split():
            assert (attributes.get("role"), attributes.get("tabindex")) == ("region", "0")
            assert attributes.get("aria-label")
    assert {attributes["tabindex"] for _, attributes in page.tags if "tabindex" in attributes} <= {"0"}
    assert len(page.named("summary")) == len(page.named("details"))
    # A drawing has a name, or is hidden from who does not see it: the text says the same.
    drawings = page.named("svg")
    named = [attributes for attributes in drawings if attributes.get("role") == "img"]
    assert all(attributes.get("aria-hidden") == "true" for attributes in drawings if attributes not in named)
    assert len(re.findall(r"<svg [^>]*role=\"img\"[^>]*><title>[^<]", text)) == len(named)
    assert text.encode("utf-8").decode("utf-8") == text
    return page
