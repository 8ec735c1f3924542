"""No text acts on a job of GitHub Actions; a model of the runner's own parsing says what would."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.core.workflow_commands import in_github_log, inert

HOSTILE = st.lists(st.sampled_from(["::", ":", "##[", "#", "[", "add-mask", " ", "\t", "\n", "\u00a0", "a"])).map(
    "".join
)


def runs(log: str) -> list[str]:
    """The lines that the runner takes for commands: `TryParseV2` after trimming, or `TryParse` anywhere."""
    return [line for line in log.split("\n") if line.strip().startswith("::") or "##[" in line]


@given(HOSTILE)
def test_no_line_is_a_command(text: str) -> None:
    for kind in ("terminal", "markdown", "html", "junit"):
        assert runs(inert(text, kind)) == []


@given(HOSTILE)
def test_what_is_no_command_stays(text: str) -> None:
    assert (inert(text) == text) == (runs(text) == [])


@given(st.dictionaries(HOSTILE, HOSTILE))
def test_json_means_what_it_meant(values: dict[str, str]) -> None:
    text = json.dumps(values, indent=2)
    assert runs(inert(text, "json")) == []
    assert json.loads(inert(text, "json")) == values


@given(HOSTILE)
def test_markup_means_what_it_meant(text: str) -> None:
    element = ET.Element("a", {"name": text.replace("\n", "").replace("\t", "")})
    element.text = text
    written = ET.tostring(element, encoding="unicode")
    read = ET.fromstring(inert(written, "junit"))  # noqa: S314 - written above
    assert (read.text or "", read.attrib) == (text, element.attrib)

    found: list[str] = []

    class Text(HTMLParser):
        def handle_data(self, data: str) -> None:
            found.append(data)

    parser = Text()
    parser.feed(inert(f"<p>{text}</p>", "html"))
    parser.close()
    assert "".join(found) == text


@pytest.mark.parametrize(("value", "said"), [("true", True), ("false", False), (None, False)])
def test_the_runner_says_that_it_is_there(value: str | None, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    if value is not None:
        monkeypatch.setenv("GITHUB_ACTIONS", value)
    assert in_github_log() is said
