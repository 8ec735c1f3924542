"""requirements.txt is read as pip reads it."""

from __future__ import annotations

import codecs
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from dataguard.environment.files.requirements_txt import RequirementsRead, decode, parse_text, read_requirements
from dataguard.environment.requirement import Pin, Requirement

HASH = "--hash=sha256:" + "0" * 64
PIECES = [
    "torch",
    "numpy==1.26.4",
    "Pillow >= 9 , <11",
    "scikit_learn[extra,Other]~=1.2",
    "foo.bar===1.0-legacy",
    "torch == 0.4.1.post2 # old",
    "x!=1.*",
    "x==1.*",
    "x>=2.*",
    "x=1",
    "x 1.0",
    "a b",
    "PIL (Pillow)",
    "x[",
    "x[a,]",
    "x; python_version < '3.8'",
    "x>=1;sys_platform=='win32' and extra == 'y'",
    "x; python_version <",
    "x ; ",
    "x @ https://example.org/x-1.0.tar.gz",
    "x @ git+https://example.org/x.git@main",
    "git+https://example.org/x.git#egg=x",
    "git+ssh://git@example.org/x.git@0123456789012345678901234567890123456789#egg=x&subdirectory=a",
    "git+https://example.org/x.git",
    "git+https://example.org/x.git#egg=x[a]",
    "https://example.org/torch-1.10.0%2Bcpu-cp39-cp39-linux_x86_64.whl",
    "https://example.org/broken.whl",
    "https://example.org/x.zip ; python_version > '3'",
    "-e git+https://example.org/x.git#egg=x",
    "-e git+https://example.org/x.git",
    "-e x @ git+https://example.org/x.git",
    "-e git://example.org/x.git#egg=x",
    "-e nowhere",
    "--editable=git+https://example.org/y.git#egg=y",
    "wheels/x-1.0-py3-none-any.whl",
    "./nowhere",
    "archive.tar.gz",
    f"x==1.0 {HASH}",
    f"x==1.0 \\\n    {HASH} \\\n    --hash=sha512:{'a' * 128}",
    "x==1.0 --hash=md5:00",
    "x==1.0 --hash=nothing",
    f"x==1.0 --hash sha256:{'1' * 64}",
    f"-e git+https://example.org/x.git#egg=x {HASH}",
    "x --config-settings a=b",
    "x --config-settings a",
    "x -C k=v",
    "x --no-such",
    "x --pre",
    "-i https://example.org/simple",
    "--index-url https://example.org/simple --extra-index-url=https://example.org/more",
    "--no-binary :all:",
    "--no-binary -x",
    "--only-binary=numpy,scipy",
    "--pre",
    "--req nowhere.txt",
    "--require-hashes",
    "--re x",
    "--use-feature fast-deps",
    "--use-feature nonsense",
    "--trusted-host example.org",
    "-f links 'unclosed",
    "-f 'a b'",
    HASH,
    "# comment",
    "   # indented",
    "x \\",
    "\\",
    "x \\\n# within\ny",
    "x#not-a-comment",
    "x\t# tab",
    "x\x0cy",
    "é==1",
    "<<<<<<< HEAD",
    "=======",
    ">>>>>>> branch",
    "",
    "-r more.txt",
    "-r./more.txt",
    "-c more.txt",
    "x -r more.txt",
    "-c more.txt -r more.txt",
    "${NO_SUCH_VARIABLE}==1",
]


def by_pip(path: Path) -> list[tuple[Any, ...]]:
    """What pip reads; raises where pip does."""
    from pip._internal.network.session import PipSession
    from pip._internal.req.constructors import install_req_from_parsed_requirement
    from pip._internal.req.req_file import parse_requirements

    found = []
    for parsed in parse_requirements(str(path), session=PipSession()):
        requirement = install_req_from_parsed_requirement(parsed)
        hashes = requirement.hash_options or {}
        found.append(
            (
                parsed.comes_from.rpartition(" (line ")[0].partition(" ")[2],
                int(parsed.comes_from.rpartition(" (line ")[2].rstrip(")")),
                canonicalize_name(requirement.name or "") if requirement.req else "",
                tuple(sorted(canonicalize_name(extra) for extra in requirement.extras)),
                str(requirement.specifier) if requirement.req else "",
                str(requirement.markers) if requirement.markers else "",
                requirement.link is not None,
                requirement.link.scheme if requirement.link and requirement.link.is_vcs else None,
                requirement.editable,
                requirement.constraint,
                tuple(sorted({f"{name}:{value}" for name, values in hashes.items() for value in values})),
            )
        )
    return found


def by_dataguard(read: RequirementsRead) -> list[tuple[Any, ...]]:
    return [
        (
            item.path,
            item.line,
            item.name,
            item.extras,
            item.specifier,
            item.marker,
            item.url is not None,
            item.url.partition(":")[0] if item.url and item.vcs else None,
            item.editable,
            item.constraint,
            item.hashes,
        )
        for item in read.requirements
    ]


def agree(folder: Path, text: str, more: str) -> None:
    main = folder / "requirements.txt"
    main.write_bytes(text.encode("utf-8", "surrogatepass"))
    (folder / "more.txt").write_bytes(more.encode("utf-8", "surrogatepass"))
    read = read_requirements(main)
    try:
        expected = by_pip(main)
    except Exception:  # noqa: BLE001 - pip raises a dozen kinds
        expected = None
    if expected is None:
        assert any(problem.fatal for problem in read.problems), f"pip refuses {text!r}"
        return
    assert [problem for problem in read.problems if problem.fatal] == [], f"pip takes {text!r}"
    assert by_dataguard(read) == expected


lines = st.sampled_from(PIECES)
texts = st.lists(lines, max_size=6).map("\n".join)
odd = st.text(alphabet="ax1 =<>~![]();@#\\'\"-.:/_,\n\t$", max_size=30)


@pytest.mark.slow
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(texts, odd, st.tuples(lines, odd).map("".join)), more=st.one_of(texts, st.just("z==1")))
@example(text="-r requirements.txt", more="")
@example(text="-r more.txt\n-r more.txt", more="z==1")
@example(text="-r more.txt", more="-c requirements.txt")
def test_answers_equal_pips(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, text: str, more: str
) -> None:
    folder = tmp_path_factory.mktemp("pip", numbered=True)
    monkeypatch.chdir(folder)
    agree(folder, text, more)


@pytest.mark.parametrize("piece", PIECES)
def test_every_kind_of_line_is_read_as_pip_reads_it(
    tmp_path: Path, piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    agree(tmp_path, piece, "z==1\n")


@pytest.mark.parametrize(
    "data",
    [
        "torch==2.1\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "torch==2.1\n".encode("utf-16-be"),
        codecs.BOM_UTF8 + b"torch==2.1\n",
        "torch==2.1\n".encode("utf-32"),
        b"# -*- coding: latin-1 -*-\n# caf\xe9\ntorch==2.1\n",
        b"torch==2.1\r\n",
    ],
)
def test_encodings_are_told_as_pip_tells_them(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(data)
    read = read_requirements(path)
    assert by_dataguard(read) == by_pip(path)
    assert read.requirements[0].version == "2.1"
    assert read.problems == []


def test_utf_16_without_its_mark_is_a_problem_and_is_read_all_the_same() -> None:
    text, line = decode("torch==2.1\n".encode("utf-16-le"))
    assert (text, line) == ("torch==2.1\n", 1)


def test_files_that_include_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r b.txt\nx==1\n")
    (tmp_path / "b.txt").write_text("-r a.txt\ny==1\n")
    read = read_requirements(tmp_path / "a.txt")
    assert [item.name for item in read.requirements] == ["y", "x"]
    assert [problem.reason for problem in read.problems] == ["the file includes itself"]


def test_includes_that_double_at_each_step_are_cut_off(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt\n-r {number + 1}.txt\n")
    (tmp_path / "20.txt").write_text("x==1\n")
    read = read_requirements(tmp_path / "0.txt")
    assert len(read.requirements) < 600
    assert any("includes" in problem.reason for problem in read.problems)


def test_a_merge_conflict_is_named_and_the_rest_is_read() -> None:
    read = parse_text("a==1\n<<<<<<< HEAD\nb==1\n=======\nb==2\n>>>>>>> other\n", path="r.txt")
    found = [entry for entry in read.entries if isinstance(entry, Requirement)]
    assert [(item.name, item.line) for item in found] == [("a", 1), ("b", 3), ("b", 5)]
    assert sum("merge conflict" in getattr(entry, "reason", "") for entry in read.entries) == 3


def test_a_compiled_lock_tells_its_input_and_what_asked_for_what() -> None:
    text = (
        "#\n# This file is autogenerated by pip-compile with Python 3.11\n# by the following command:\n#\n"
        "#    pip-compile --generate-hashes --output-file=requirements.txt requirements.in\n#\n"
        f"numpy==1.26.4 \\\n    {HASH}\n    # via\n    #   -r requirements.in\n    #   pandas\n"
        "pandas==2.2.0 # via -r requirements.in\n"
    )
    read = parse_text(text, path="requirements.txt")
    assert read.compiled
    assert read.inputs == ("requirements.in",)
    found = [entry for entry in read.entries if isinstance(entry, Requirement)]
    assert [item.via for item in found] == [("-r requirements.in", "pandas"), ("-r requirements.in",)]


def test_a_lock_of_ten_megabytes_is_read_in_linear_time() -> None:
    randoms = random.Random(0)
    block = [
        f"package-{number}==1.{number} \\\n"
        + " \\\n".join(f"    --hash=sha256:{randoms.getrandbits(256):064x}" for _ in range(40))
        for number in range(2_800)
    ]
    text = "\n".join(block)
    assert len(text) > 9_000_000
    read = parse_text(text, path="requirements.txt")
    assert len(read.entries) == 2_800
    assert all(isinstance(entry, Requirement) and len(entry.hashes) == 40 for entry in read.entries)


@pytest.mark.parametrize("text", ["a" + " " * 300_000 + "b", "x==1 " + "\\\n" * 50_000, "# " + "#" * 200_000])
def test_lines_made_to_be_slow_are_not(text: str) -> None:
    assert parse_text(text, path="r.txt").path == "r.txt"


@pytest.mark.parametrize(
    ("line", "pin"),
    [
        ("x==1.2.3", Pin.EXACT),
        ("x===1.2.3", Pin.EXACT),
        ("x==1.2.*", Pin.RANGE),
        ("x~=1.2", Pin.RANGE),
        ("x==1.2,!=1.3", Pin.RANGE),
        ("x", Pin.NONE),
        ("x @ git+https://example.org/x.git@main", Pin.MOVING),
        ("x @ git+https://example.org/x.git@" + "a" * 40, Pin.EXACT),
        ("x @ https://example.org/x-1.0.tar.gz", Pin.EXACT),
        ("x @ https://example.org/latest.tar.gz", Pin.MOVING),
        ("x @ https://example.org/latest.tar.gz#sha256=" + "a" * 64, Pin.EXACT),
    ],
)
def test_how_far_a_line_leaves_open_what_is_installed(line: str, pin: Pin) -> None:
    (entry,) = parse_text(line, path="r.txt").entries
    assert isinstance(entry, Requirement)
    assert entry.pin is pin


@pytest.mark.slow
def test_a_lock_of_10_megabytes_is_read_whole(tmp_path: Path) -> None:
    hashes = " \\\n".join(f"    --hash=sha256:{number:064x}" for number in range(70))
    text = "".join(f"package{number}=={number}.0 \\\n{hashes}\n" for number in range(1_800))
    assert len(text) > 10_000_000
    (tmp_path / "requirements.txt").write_text(text)
    read = read_requirements(tmp_path / "requirements.txt")
    assert (len(read.requirements), read.problems) == (1_800, [])
    assert all(len(item.hashes) == 70 for item in read.requirements)
