"""Pictures in the HTML report: galleries of samples and of pairs, with what is said of each."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dataguard.core.exhibit import (
    Gallery,
    PairGallery,
    Picture,
)
from dataguard.formats import wording
from dataguard.formats.html_graphics import bar
from dataguard.formats.html_tables import shown_of, table_parts
from dataguard.formats.markup import Child, Element, element
from dataguard.formats.pictures import Album, Embedded

FIRST_PICTURES = 24
FIRST_PAIRS = 8


def gallery_parts(gallery: Gallery, album: Album) -> list[Child]:
    """The samples of a gallery as cards; as a table where none has a picture."""
    pictures = gallery.pictures
    if pictures and all(picture.path is None and picture.png is None for picture in pictures):
        return _gallery_without_pictures(gallery)
    cards = [element("li", _card(picture, album)) for picture in pictures]
    says_score = any(picture.score is not None for picture in pictures)
    return [
        element("p", shown_of(len(pictures), gallery.total, "sample"), _score_words(says_score), class_="note"),
        _folded_list(cards, "gallery", FIRST_PICTURES, "pictures"),
    ]


def _gallery_without_pictures(gallery: Gallery) -> list[Child]:
    columns = ("sample", "split", "given", "suggested", "score", "")
    rows = [
        (picture.sample_id, picture.split, picture.given, picture.suggested, picture.score, picture.caption or None)
        for picture in gallery.pictures
    ]
    used = [index for index in range(len(columns)) if any(row[index] is not None for row in rows)]
    says_score = any(picture.score is not None for picture in gallery.pictures)
    return [
        element("p", shown_of(len(rows), gallery.total, "sample"), _score_words(says_score), class_="note"),
        *table_parts(
            gallery.title,
            [columns[index] for index in used],
            [[row[index] for index in used] for row in rows],
            total=gallery.total,
        ),
    ]


def _score_words(says_score: bool) -> str:
    return " Score: how much the rule trusts the given label, from 0 (not at all) to 1." if says_score else ""


def pair_parts(gallery: PairGallery, album: Album) -> list[Child]:
    """Pairs of samples side by side."""
    cards = [
        element(
            "li",
            element("div", _card(pair.left, album), _card(pair.right, album), class_="pair"),
            element("p", pair.caption, class_="pair-caption") if pair.caption else None,
        )
        for pair in gallery.pairs
    ]
    return [
        element("p", shown_of(len(cards), gallery.total, "pair"), class_="note"),
        _folded_list(cards, "pairs", FIRST_PAIRS, "pairs"),
    ]


def _card(picture: Picture, album: Album) -> Element:
    labels: list[Child] = []
    if picture.given is not None:
        word = "given" if picture.suggested is not None else "label"
        labels.append(_label(word, picture.given, word))
    if picture.suggested is not None:
        labels.append(_label("suggested", picture.suggested, "suggested"))
    if picture.score is not None:
        labels.append(
            element(
                "div",
                element("dt", "score"),
                element("dd", _score(picture.score), " ", bar(picture.score)),
                class_="score",
            )
        )
    split = picture.split if picture.split and picture.split not in picture.sample_id.split("/") else None
    return element(
        "figure",
        _image(picture, album),
        element(
            "figcaption",
            element("dl", labels, class_="labels") if labels else None,
            element("p", element("bdi", picture.sample_id), class_="name"),
            element("p", element("bdi", split), class_="split") if split else None,
            element("p", picture.caption, class_="caption") if picture.caption else None,
        ),
        class_="sample",
    )


def _score(score: float) -> str:
    # Fixed decimals, so that a gallery's scores can be compared at a glance.
    if not math.isfinite(score):
        return wording.number(score)
    return "< 0.001" if 0 < score < 0.0005 else f"{score:.3f}"


def _label(word: str, label: str, kind: str) -> Element:
    return element("div", element("dt", word), element("dd", element("bdi", label)), class_=kind)


def _image(picture: Picture, album: Album) -> Element:
    made = album.picture(picture.path) if picture.png is None else album.inline(picture.png)
    words = [f"sample {picture.sample_id}"]
    if picture.given is not None:
        words.append(f"given label {picture.given}")
    if picture.suggested is not None:
        words.append(f"suggested label {picture.suggested}")
    if not isinstance(made, Embedded):
        return element("p", element("span", "no picture: "), made.reason, class_="frame no-picture")
    title = f"{made.width:,} × {made.height:,} pixels" + (f", {made.note}" if made.note else "")
    return element(
        "div",
        element(
            "img",
            src=made.uri,
            alt=", ".join(words),
            title=title,
            width=96,
            height=96,
            class_="pixelated" if made.pixelated else None,
        ),
        class_="frame",
    )


def _folded_list(items: Sequence[Element], kind: str, first: int, noun: str) -> list[Child]:
    rest = items[first:]
    return [
        element("ul", items[:first], class_=kind),
        element(
            "details",
            element("summary", f"{len(rest):,} more {noun}"),
            element("ul", rest, class_=kind),
        )
        if rest
        else None,
    ]
