"""DG506: a requirement that no code imports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.environment.declared import DeclaredEnvironment, DeclaredFile, Role
from dataguard.environment.import_names import brought_along
from dataguard.environment.imports import ProjectImports
from dataguard.environment.requirement import Requirement
from dataguard.environment.undeclared import IMPORT_NAMES, names_of

_TOOL_NAMES = """
autopep8 black build bumpversion cibuildwheel cmake commitizen coverage cython flake8 gunicorn hypercorn ipykernel
ipython isort jupyter jupyterlab mkdocs mypy ninja notebook nox pip pip-tools pipenv poetry pre-commit pybind11
pylint pyright pytest ruff scikit-build setuptools setuptools-scm sphinx tensorboard tox twine uv uvicorn versioneer
virtualenv wheel yapf ipdb debugpy dvc awscli s3cmd gdown kaggle cog tb-nightly psycopg2-binary pyarrow openpyxl
xlrd xlsxwriter pygraphviz tables fastparquet lxml html5lib hiredis brotli certifi urllib3 protobuf
typing-extensions importlib-metadata ffmpeg imageio-ffmpeg accelerate sentencepiece bitsandbytes xformers flash-attn
triton ninja pyqt5 pillow-simd dataclasses future six tqdm-joblib python-multipart email-validator cudatoolkit cudnn
mkl numactl gcc gxx make nodejs git
"""
_TOOLS = frozenset(_TOOL_NAMES.split())
_COMPANIONS: Mapping[str, frozenset[str]] = {
    name: frozenset(users.split())
    for name, users in (
        ("pillow", "keras tf_keras tensorflow torchvision matplotlib imageio"),
        ("h5py", "keras tf_keras tensorflow"),
        ("lmdb", "torchvision"),
        ("pycocotools", "torchvision torchmetrics"),
        ("torchdata", "torchtext"),
        ("portalocker", "torchtext torchdata"),
        ("aiohttp", "fsspec datasets"),
        ("s3fs", "fsspec pandas dask datasets"),
        ("gcsfs", "fsspec pandas dask datasets"),
    )
}
"""What is needed by something that is imported, which does not ask for it: its documentation says to install both."""
_OF_TOOLS = re.compile(
    r"^(?:pytest|flake8|sphinx|mkdocs|types|jupyter|nvidia|cuda|lib|nb|tox|mypy|pylint|hypothesis|jupyterlab|_)[-_]|"
    r"-(?:stubs|plugin|theme|extension|nightly)$|^(?:nvidia|_)"
)


@rule("DG506", "declared-but-unused", Severity.INFO)
def declared_but_unused(
    declared: DeclaredEnvironment, imports: ProjectImports, *, allowed: tuple[str, ...] = ()
) -> Iterator[Outcome]:
    r"""A requirement that the project's code never imports or names.

    ## What it does

    Holds the requirements that are needed to run the project against the imports of all its Python files.

    ## Why is this bad?

    It is downloaded, pinned and updated for nothing, and may be what keeps other versions from being installed. Often
    it is a mistake: `sklearn` for `scikit-learn`, or a name that looks like another, which anyone may register.

    ## How it decides

    A requirement is unused where no file imports any module that its distribution gives (by a table where names differ,
    by what is installed here, else the name with underscores), and no text in the code names it: backends and plugins
    are only named. Left out are tools that are run and not imported (pytest, jupyter, gunicorn, …), optional groups,
    files for development, locks, a `requirements.txt` in which transitive packages are listed too (as `pip freeze`
    writes it), what another requirement brings along, what another import needs and does not ask for (Pillow for keras,
    lmdb for torchvision's LSUN, torchdata for torchtext), and what `allowed` lists.

    No statistics and no threshold; what a name gives is a guess where it is neither in the table nor installed, so that
    confidence is low there. Of 18 labelled model repositories it names two requirements, which nothing there imports.

    Options:

    - `allowed`: distributions that are needed without an import.

    ## Example

    >>> from dataguard.environment.files.pyproject import parse_pyproject
    >>> from dataguard.environment.imports import Import, Need
    >>> text = '[project]\nname = "x"\ndependencies = [\n "torch",\n "pandas"]\n'
    >>> file = parse_pyproject(text, "pyproject.toml")
    >>> used = Import(module="torch", path="a.py", line=1, note="import torch", need=Need.ALWAYS, of_tests=False)
    >>> declared = DeclaredEnvironment(root="/project", files=(file,))
    >>> finding = declared_but_unused(declared, ProjectImports(imports=(used,), n_files=1))[0]
    >>> print(finding.message)
    pyproject.toml asks for 1 distribution that no code imports: pandas.

    ## How to fix

    Remove the lines, or move them to an extra or a group for development. Where one is needed without an import, add it
    to `allowed`.

    ## References

    - [deptry, DEP002](https://deptry.com/rules-violations/): the same check of packages.
    """
    if not imports.n_files:
        yield Skipped(reason="the project has no Python files", hint="environment.path names a project's folder")
        return
    # A folder of one's own may be named like what is asked for, as a demo's folder `gradio`.
    used = {item.top.lower() for item in imports.imports} | {top.lower() for top in imports.own}
    given = _given(imports)
    n = 0
    for file in declared.of(Role.APPLICATION, Role.INPUT, Role.LIBRARY):
        asked = [item for item in file.requirements if item.name and not item.constraint and not item.group]
        if _is_freeze(asked):
            continue
        along = brought_along(names_of(asked))
        unused = [
            item
            for item in asked
            if not (_modules(item, given) & used)
            and item.name not in _TOOLS
            and item.name not in along
            and item.name not in allowed
            and not (_COMPANIONS.get(item.name, frozenset()) & used)
            and item.name not in declared.local_names
            and not _OF_TOOLS.search(item.name)
            # Last, as all strings of the code are looked through for it.
            and item.name not in imports.words
        ]
        n += len(asked)
        if unused:
            yield _finding(declared, file, unused, given)
    if not n:
        yield Skipped(reason="no file asks for something directly", hint="locks and frozen lists say nothing of use")
        return
    yield Observation(message=f"{n:,} requirements held against the imports of {imports.n_files:,} Python files.")


def _given(imports: ProjectImports) -> dict[str, set[str]]:
    """Modules by distribution, as installed here."""
    from dataguard.environment.requirement import normalized

    given: dict[str, set[str]] = {}
    for module, names in (imports.installed or {}).items():
        for name in names:
            given.setdefault(normalized(name), set()).add(module.lower())
    return given


def _modules(item: Requirement, given: dict[str, set[str]]) -> set[str]:
    plain = item.name.replace("-", "_")
    guesses = {plain, plain.removeprefix("python_"), plain.removesuffix("_python"), plain.replace("_", "")}
    guesses |= {plain.split("_")[0]} if plain.startswith(("google_", "azure_")) else set()
    return guesses | {name.lower() for name in IMPORT_NAMES.get(item.name, ())} | given.get(item.name, set())


def _is_freeze(asked: list[Requirement]) -> bool:
    """Whether a file lists transitive packages too: everything pinned, and a good part brought along by the rest."""
    pinned = sum(item.version is not None for item in asked)
    along = brought_along(item.name for item in asked)
    return len(asked) >= 25 and pinned >= 0.9 * len(asked) and sum(item.name in along for item in asked) >= 5


def _finding(
    declared: DeclaredEnvironment, file: DeclaredFile, unused: list[Requirement], given: dict[str, set[str]]
) -> Outcome:
    names = [item.name for item in unused]
    sure = all(item.name in given or item.name in IMPORT_NAMES for item in unused)
    noun = "distribution" if len(names) == 1 else "distributions"
    return declared_but_unused.finding(
        f"{declared.shown(file.path)} asks for {len(names)} {noun} that no code imports: {', '.join(names[:6])}"
        f"{f' and {len(names) - 6} more' if len(names) > 6 else ''}.",
        remedy="Remove the lines, move them to an extra or a group for development, or list them in `allowed` where "
        "they are needed without an import.",
        confidence=Confidence.MEDIUM if sure else Confidence.LOW,
        measurements=(Measurement(name="unused requirements", value=len(names), threshold=0),),
        locations=tuple(
            Location(path=declared.shown(item.path), line=item.line, note=f"remove: {item.written}") for item in unused
        ),
        key=(file.path,),
    )
