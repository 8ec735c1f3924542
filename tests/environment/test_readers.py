"""Every format that says what a project needs, and the imports of its code."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.core.errors import SourceError
from dataguard.environment.clashes import CLASHES
from dataguard.environment.declared import DeclaredFile, Role
from dataguard.environment.files.conda import parse_conda, read_conda
from dataguard.environment.files.dockerfile import parse_dockerfile
from dataguard.environment.files.finding import find_files, read_environment_files
from dataguard.environment.files.pipfile import parse_pipfile, parse_pipfile_lock
from dataguard.environment.files.poetry_lock import parse_poetry_lock
from dataguard.environment.files.pylock import parse_pylock
from dataguard.environment.files.pyproject import parse_pyproject
from dataguard.environment.files.requirements_txt import parse_text
from dataguard.environment.files.setup_cfg import parse_setup_cfg
from dataguard.environment.files.setup_py import parse_setup_py
from dataguard.environment.files.text_file import UnreadableFile
from dataguard.environment.files.toml_lines import parse_toml
from dataguard.environment.files.uv_lock import parse_uv_lock
from dataguard.environment.imports import Need, project_imports
from dataguard.environment.requirement import Pin

PARSERS: list[Callable[[str, str], object]] = [
    parse_conda,
    parse_dockerfile,
    parse_pipfile,
    parse_pipfile_lock,
    parse_poetry_lock,
    parse_pylock,
    parse_pyproject,
    parse_setup_cfg,
    parse_setup_py,
    parse_uv_lock,
    lambda text, name: parse_text(text, path=name),
]


def summary(file: DeclaredFile) -> list[tuple[str, str, str, int]]:
    return [(item.name, item.specifier, item.group, item.line) for item in file.requirements]


def test_pyproject_with_groups_that_include_each_other() -> None:
    text = """\
        [project]
        name = "My_Project"
        requires-python = ">=3.10"
        dependencies = [
          "torch>=2",  # comment with "quotes" and ]
          'numpy ; python_version < "3.12"',
        ]
        [project.optional-dependencies]
        docs = ["sphinx"]
        [dependency-groups]
        test = ["pytest", {include-group = "lint"}]
        lint = ["ruff==0.5", {include-group = "nothing"}]
        loop = [{include-group = "loop"}]
    """
    file = parse_pyproject(textwrap.dedent(text), "pyproject.toml")
    assert summary(file) == [
        ("torch", ">=2", "", 5),
        ("numpy", "", "", 6),
        ("sphinx", "", "docs", 9),
        ("pytest", "", "group:test", 11),
        ("ruff", "==0.5", "group:lint", 12),
    ]
    assert (file.provides, file.role, file.python[0].line) == ("my-project", Role.LIBRARY, 3)
    assert {problem.reason for problem in file.problems} == {
        "there is no group 'nothing'",
        "the group 'loop' includes itself",
    }


def test_poetrys_tables() -> None:
    text = """\
        [tool.poetry]
        name = "x"
        package-mode = false
        [tool.poetry.dependencies]
        python = "~3.9"
        torch = {version = "^1.13", extras = ["a"]}
        local = {path = "../y", develop = true}
        "git.thing" = {git = "https://h.org/x.git", rev = "0123456789012345678901234567890123456789"}
        many = [{version = "1.0", python = "<3.8"}, {version = "^2"}]
        [tool.poetry.group.dev.dependencies]
        pytest = "*"
    """
    file = parse_pyproject(textwrap.dedent(text), "pyproject.toml")
    assert summary(file) == [
        ("torch", "<2,>=1.13", "", 6),
        ("local", "", "", 7),
        ("git-thing", "", "", 8),
        ("many", "==1.0", "", 9),
        ("many", "<3,>=2", "", 9),
        ("pytest", "", "group:dev", 11),
    ]
    assert [item.pin for item in file.requirements[:3]] == [Pin.RANGE, Pin.LOCAL, Pin.EXACT]
    assert (file.role, file.python[0].specifier) == (Role.INPUT, "<3.10,>=3.9")


def test_setup_cfg_and_setup_py() -> None:
    text = """\
        [metadata]
        name = x
        [options]
        python_requires = >=3.7
        install_requires =
            torch>=1.7  # why
            # a comment
            numpy; python_version < "3.8"
        [options.extras_require]
        all = scipy
    """
    file = parse_setup_cfg(textwrap.dedent(text), "setup.cfg")
    assert summary(file) == [("torch", ">=1.7", "", 6), ("numpy", "", "", 8), ("scipy", "", "all", 10)]
    text = """\
        from setuptools import setup
        extras = {"dev": ["pytest", "black"]}
        kwargs = dict(python_requires=">=3.8", name="My.Package")
        base = ["torch", "numpy>=1.20"]
        setup(install_requires=[*base, f"scipy>={V}"] + open("requirements/extra.txt").readlines(),
              extras_require=extras, **kwargs)
    """
    file = parse_setup_py(textwrap.dedent(text), "setup.py")
    assert summary(file) == [
        ("torch", "", "", 4),
        ("numpy", ">=1.20", "", 4),
        ("scipy", "", "", 5),
        ("pytest", "", "dev", 2),
        ("black", "", "dev", 2),
    ]
    assert (file.provides, file.includes, file.python[0].specifier) == (
        "my-package",
        ("requirements/extra.txt",),
        ">=3.8",
    )


def test_locks_with_hashes_sources_and_what_asked_for_what() -> None:
    poetry = '[[package]]\nname = "A.b"\nversion = "1.0"\n[package.dependencies]\nc = "*"\n[[package]]\nname = "c"\n'
    poetry += 'version = "2"\ncategory = "dev"\n[metadata.files]\n"A.b" = [{file = "x", hash = "sha256:00"}]\n'
    first, second = parse_poetry_lock(poetry, "poetry.lock").requirements
    assert (first.name, first.version, first.hashes, first.line) == ("a-b", "1.0", ("sha256:00",), 2)
    assert (second.via, second.group, second.line) == (("a-b",), "group:dev", 7)
    uv = 'requires-python = ">=3.11"\n[[package]]\nname = "me"\nsource = { editable = "." }\n'
    uv += 'dependencies = [{ name = "c" }]\n[[package]]\nname = "c"\nversion = "1"\n'
    uv += 'source = { git = "https://h.org/c?rev=main#' + "a" * 40 + '" }\n'
    (only,) = parse_uv_lock(uv, "uv.lock").requirements
    assert (only.name, only.pin, only.via, only.vcs) == ("c", Pin.EXACT, ("me",), "git")
    pylock = '[[packages]]\nname = "a"\nversion = "1"\nwheels = [{url = "u", hashes = {sha256 = "00"}}]\n'
    assert parse_pylock(pylock, "pylock.toml").requirements[0].hashes == ("sha256:00",)
    pipfile = (
        '{\n    "default": {\n        "a": {\n            "hashes": ["sha256:00"],\n            "version": "==1"\n'
    )
    pipfile += '        }\n    },\n    "develop": {}\n}\n'
    (entry,) = parse_pipfile_lock(pipfile, "Pipfile.lock").requirements
    assert (entry.version, entry.hashes, entry.line) == ("1", ("sha256:00",), 3)


def test_a_folder_that_conda_gives_to_pip_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    path.write_text("dependencies:\n  - pip\n  - pip:\n      - -e .\n      - -e ./absent\n", encoding="utf-8")
    file = read_conda(path, "environment.yml")
    assert [(item.url, item.editable) for item in file.requirements if item.editable] == [(".", True)]
    assert [problem.text for problem in file.problems] == ["-e ./absent"]


def test_condas_formats() -> None:
    text = "name: x\ndependencies:\n  - python=3.10.8\n  - pytorch::pytorch=1.13.0=py3.10_cuda11.7\n  - numpy>=1.20\n"
    text += "  - scipy 1.9.*\n  - pip\n  - pip:\n      - timm==0.6.12\n      - -r more.txt\n"
    file = parse_conda(text, "environment.yml")
    assert [(item.name, item.specifier, item.ecosystem, item.line) for item in file.requirements] == [
        ("pytorch", "==1.13.0", "conda", 4),
        ("numpy", ">=1.20", "conda", 5),
        ("scipy", "==1.9.*", "conda", 6),
        ("pip", "", "conda", 7),
        ("timm", "==0.6.12", "pypi", 9),
    ]
    assert (file.includes, file.python[0].specifier) == (("more.txt",), "==3.10.8")
    lock = "version: 1\npackage:\n- name: numpy\n  version: 1.26.4\n  manager: conda\n  hash:\n    sha256: '00'\n"
    locked = parse_conda(lock, "conda-lock.yml")
    assert (locked.role, locked.requirements[0].hashes) == (Role.LOCK, ("sha256:00",))
    explicit = "@EXPLICIT\nhttps://h.org/conda-forge/linux-64/numpy-1.26.4-py311h64a7726_0.conda#" + "0" * 32 + "\n"
    (entry,) = parse_conda(explicit, "conda-linux-64.lock").requirements
    assert (entry.name, entry.version, entry.conda_build) == ("numpy", "1.26.4", "py311h64a7726_0")


@pytest.mark.parametrize("text", ["dependencies: " + "[" * 100_000, "dependencies:\n" + "- " * 100_000])
def test_a_file_of_conda_that_is_nested_too_deep_is_a_problem(text: str) -> None:
    file = parse_conda(text, "environment.yml")
    assert ["nested too deep" in one.reason for one in file.problems] == [True]


def test_dockerfiles() -> None:
    text = """\
        # syntax=docker/dockerfile:1
        ARG CUDA=11.8
        FROM nvidia/cuda:${CUDA}-base AS build
        RUN --mount=type=cache,target=/var/cache/pip pip3 install --no-cache-dir -i https://h.org/simple \\
              torch==2.1.0 \\
              # why
              'numpy>=1.20' "pillow" . && python -m pip install -r requirements.txt -c pins.txt
        RUN <<EOF
        apt-get update
        apt-get install -y libjpeg-dev=1:2.1 ffmpeg
        EOF
        RUN conda install -y -c conda-forge python=3.9 opencv=4.5 && uv pip install timm && pip install ${X}
    """
    file = parse_dockerfile(textwrap.dedent(text), "Dockerfile")
    assert (file.images[0].image, file.images[0].tag) == ("nvidia/cuda", "11.8-base")
    assert [(item.name, item.specifier, item.line) for item in file.requirements] == [
        ("torch", "==2.1.0", 5),
        ("numpy", ">=1.20", 7),
        ("pillow", "", 7),
        ("", "", 7),
        ("opencv", "==4.5.*", 12),
        ("timm", "", 12),
    ]
    assert [(item.name, item.version, item.line) for item in file.system_packages] == [
        ("libjpeg-dev", "1:2.1", 10),
        ("ffmpeg", "", 10),
    ]
    assert (file.includes, file.constraints) == (("requirements.txt",), ("pins.txt",))
    assert [problem.fatal for problem in file.problems] == [False]


@pytest.mark.parametrize("parse", PARSERS)
@settings(max_examples=60, deadline=None)
@given(text=st.one_of(st.text(), st.text(alphabet="[]{}\"'=:,.-#\n\\$@<>&|; aFROMRUNpipinstal\t")))
def test_no_reader_crashes(parse: Callable[[str, str], object], text: str) -> None:
    try:
        parse(text, "file")
    except UnreadableFile as error:
        assert error.problem.reason  # noqa: PT017 - the only error that a reader may raise


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.integers(0, 3)))
def test_toml_lines_are_those_of_the_text(blanks: dict[str, int]) -> None:
    text = "".join(
        "# comment\n" * blank + f"{key} = [1, 'x # y',\n  {{a = '''\n'''}}]\n" for key, blank in blanks.items()
    )
    _, lines = parse_toml(text)
    rows = text.split("\n")
    for key in blanks:
        assert rows[lines[(key,)] - 1].startswith(f"{key} =")
        assert lines[key, 2, "a"] == lines[(key,)] + 1


def test_files_are_found_and_those_of_others_are_not(tmp_path: Path) -> None:
    for name in (
        "requirements.txt",
        "venv/requirements.txt",
        "sub/reqs/a.txt",
        ".git/setup.py",
        "x.egg-info/requires.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("torch\n")
    assert [path.relative_to(tmp_path).as_posix() for path in find_files(tmp_path)] == [
        "requirements.txt",
        "sub/reqs/a.txt",
    ]
    assert [file.path for file in read_environment_files(tmp_path, exclude=("sub",)).files] == ["requirements.txt"]
    assert [file.path for file in read_environment_files(tmp_path / "requirements.txt").files] == ["requirements.txt"]
    with pytest.raises(SourceError, match="no such file or folder"):
        read_environment_files(tmp_path / "missing")


def test_a_link_out_of_the_project_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("password==1\n")
    project = tmp_path / "project"
    project.mkdir()
    (project / "requirements.txt").write_text("-r inside.txt\n")
    (project / "inside.txt").symlink_to(tmp_path / "secret.txt")
    declared = read_environment_files(project)
    assert [item.name for item in declared.requirements()] == []
    assert "outside" in declared.problems[0].reason


def test_imports_are_told_by_how_much_they_are_needed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import torch\ndef f():\n    import pandas\ntry:\n    import apex\nexcept Exception:\n    import lmdb\n"
        "if typing.TYPE_CHECKING:\n    import scipy\nimport importlib\nimportlib.import_module('cv2')\n"
        "from . import b\nfrom google.protobuf import text_format\n"
    )
    found = {item.module: item.need for item in project_imports(tmp_path).imports}
    assert found == {
        "torch": Need.ALWAYS,
        "pandas": Need.LAZY,
        "apex": Need.OPTIONAL,
        "lmdb": Need.OPTIONAL,
        "scipy": Need.TYPING,
        "cv2": Need.LAZY,
        "google.protobuf": Need.ALWAYS,
    }


def test_every_known_clash_has_a_source_and_versions_that_can_be_read() -> None:
    from packaging.specifiers import SpecifierSet

    for clash in CLASHES:
        assert clash.source.startswith("https://")
        assert SpecifierSet(clash.versions) is not None
        assert str(SpecifierSet(clash.other_versions))
