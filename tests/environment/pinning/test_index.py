from __future__ import annotations

import datetime as dt
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from dataguard.core.errors import ConfigurationError
from dataguard.environment.index_page import PageError, fetch_page, parse_page
from dataguard.environment.pinning.index import PackageIndex
from tests.environment.made_index import MadeIndex


@pytest.fixture
def made() -> Iterator[MadeIndex]:
    index = MadeIndex()
    index.add("demo", "1.0", day="2019-05-01")
    index.add("demo", "2.0", day="2021-05-01", requires_python=">=3.8", yanked="broken & bad")
    with index.served():
        yield index


def fetched(address: str) -> bytes:
    with urllib.request.urlopen(address) as response:  # noqa: S310 - this machine
        content: bytes = response.read()
    return content


@pytest.mark.parametrize("html", [False, True])
def test_a_day_in_the_past_has_no_later_files(made: MadeIndex, html: bool) -> None:
    made.html = html
    moment = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    past = PackageIndex(made.url, before=moment)
    assert [file.version for file in past.files("Demo")] == ["1.0"]
    assert [file.version for file in past.all_files("demo")] == ["1.0", "2.0"]
    assert made.asked == ["/simple/demo/"], "one question a project"


def test_what_was_withdrawn_later_was_there_on_a_day(made: MadeIndex) -> None:
    made.files["demo"][0]["yanked"] = "too old"
    past = PackageIndex(made.url, before=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert [(file.version, file.yanked) for file in past.files("demo")] == [("1.0", False)]
    later = PackageIndex(made.url, before=dt.datetime(2023, 1, 1, tzinfo=dt.UTC))
    made.files["demo"][1]["yanked"] = False
    assert [(file.version, file.yanked) for file in later.files("demo")] == [("1.0", True), ("2.0", False)]
    assert [file.yanked for file in PackageIndex(made.url).files("demo")] == [True, False]


def test_files_without_a_date_are_not_there_on_a_day(made: MadeIndex) -> None:
    del made.files["demo"][0]["upload-time"]
    past = PackageIndex(made.url, before=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert past.files("demo") == ()
    assert len(PackageIndex(made.url).files("demo")) == 2


def test_an_installer_sees_the_files_of_the_day_with_their_hashes(made: MadeIndex) -> None:
    with PackageIndex(made.url).served() as address:
        page = fetched(f"{address}demo/").decode()
    files = parse_page(page)
    assert [(file.version, file.yanked, file.reason) for file in files] == [
        ("1.0", False, ""),
        ("2.0", True, "broken & bad"),
    ]
    assert files[1].requires_python == ">=3.8"
    hashes = made.files["demo"][0]["hashes"]
    assert isinstance(hashes, dict)
    assert files[0].hashes == (f"sha256:{hashes['sha256']}",)
    assert fetched(files[0].url) == made.contents[files[0].filename]


@pytest.mark.parametrize("path", ["nothing/", "../etc/passwd", "demo/x/", ""])
def test_what_is_not_there_is_404(made: MadeIndex, path: str) -> None:
    with PackageIndex(made.url).served() as address:
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(address + path)  # noqa: S310 - this machine
        error.value.close()
    assert error.value.code == 404


def test_files_of_this_machine_are_not_offered(made: MadeIndex) -> None:
    made.files["demo"].append({"filename": "demo-3.0.tar.gz", "url": "file:///etc/passwd"})
    assert "passwd" not in PackageIndex(made.url).page("demo")


def test_a_password_is_sent_and_never_shown(made: MadeIndex) -> None:
    secret = made.url.replace("//", "//me:pa%73s@")
    assert len(fetch_page(secret, "demo", timeout=5)) == 2
    with pytest.raises(ConfigurationError) as error:
        PackageIndex("ftp://me:secret@host/simple")
    assert "secret" not in str(error.value)


def test_an_index_that_is_silent_is_left(made: MadeIndex) -> None:
    made.silent = True
    with pytest.raises(PageError, match=r"no answer within 0\.2 s"):
        PackageIndex(made.url, timeout=0.2).files("demo")


@pytest.mark.parametrize("text", ["{}", '{"files": 3}', '{"files": [3]}', "[]", "{]"])
def test_an_answer_of_another_form_is_said_to_be_one(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        parse_page(text, kind="application/json")
