"""DG505: code imports what no file asks for."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Edit, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.environment.declared import DeclaredEnvironment, Role
from dataguard.environment.import_names import CONDA_NAMES
from dataguard.environment.imports import Need, ProjectImports
from dataguard.environment.installed import InstalledEnvironment
from dataguard.environment.undeclared import Imported, Standing, judged

_LISTED = 20
_NAMED = 6


@rule("DG505", "undeclared-import", Severity.WARNING)
def undeclared_import(
    declared: DeclaredEnvironment, imports: ProjectImports, environment: InstalledEnvironment | None
) -> Iterator[Outcome]:
    r"""Code imports a distribution that no file asks for.

    ## What it does

    Reads the imports of all scripts and notebooks, leaves out the standard library and the project's own modules, and
    looks for a requirement that would give each.

    ## Why is this bad?

    A fresh installation ends in an ImportError; or, worse, in no error: whichever version some other package happens to
    bring along is used. Of 35 popular model repositories 34 import something undeclared, and 14 leave out torch itself.

    ## How it decides

    Import names are turned into distributions by a table where the two differ (`cv2` is any of four opencv
    distributions, `PIL` is pillow), then by what is installed here, then by taking the same name. A requirement of
    any of the candidates will do. Then

    - WARNING: nothing asks for it, and code that is no test imports it at the top of a file.
    - INFO: it comes along with something that is asked for (as NumPy with torchvision, or as the lock says), only a
      function imports it, only tests, examples or documentation do, or only an extra, a group or a file for development
      asks for it.
    - nothing: the import is guarded by `try: … except ImportError`, stands under `TYPE_CHECKING`, or is of the project
      itself: beside the importing file, above it, in the root, in `src`, or in a submodule of git.

    Where the project has no requirements at all, that is one finding. No statistics and no threshold. Measured by
    `benchmarks/environment_labels.py` on 18 labelled model repositories: of the distributions that the labels call
    undeclared it lists all but one (keras, beside tensorflow), which it takes for declared.

    ## Example

    >>> from dataguard.environment.imports import Import
    >>> used = Import(module="cv2", path="test.py", line=3, note="import cv2", need=Need.ALWAYS, of_tests=False)
    >>> from dataguard.environment.files.pyproject import parse_pyproject
    >>> file = parse_pyproject('[project]\nname = "x"\ndependencies = ["torch"]\n', "pyproject.toml")
    >>> declared = DeclaredEnvironment(root="/project", files=(file,))
    >>> finding = undeclared_import(declared, ProjectImports(imports=(used,), n_files=1), None)[0]
    >>> print(finding.message)
    cv2 is imported in 1 place, and no file asks for opencv-python.

    ## How to fix

    `--fix` adds what is needed to run the project to its `requirements.txt` (or `requirements.in`), where exactly one
    of the distributions that would do is installed in the project's environment, with the version there.

    Add the line that the finding names, with the version in use. What only some users need belongs in an extra, with
    the import guarded.

    ## References

    - [Packaging guide, distribution and import
      package](https://packaging.python.org/en/latest/discussions/distribution-package-vs-import-package/).
    - [importlib.metadata,
      packages_distributions](https://docs.python.org/3/library/importlib.metadata.html#package-distributions).
    """
    if not imports.n_files:
        yield Skipped(reason="the project has no Python files", hint="environment.path names a project's folder")
        return
    found = judged(declared, imports)
    told = [item for item in found if item.standing is not Standing.DECLARED and item.need > Need.OPTIONAL]
    if next(declared.requirements(), None) is None:
        missing = [item for item in told if not item.of_tests]
        if missing:
            yield _nothing_declared(declared, missing, environment)
    else:
        target = _target(declared)
        for item in told:
            yield _finding(declared, item, target, environment)
    guarded = sum(item.standing is not Standing.DECLARED and item.need <= Need.OPTIONAL for item in found)
    yield Observation(
        message=f"{imports.n_files:,} Python files import {len(found):,} distributions; {len(told):,} of them no file "
        f"asks for, and {guarded:,} more only where they are there.",
        measurements=(Measurement(name="undeclared distributions", value=len(told), threshold=0, n=len(found)),),
    )


def _target(declared: DeclaredEnvironment) -> str:
    """The file that a new requirement belongs in."""
    for role in (Role.INPUT, Role.APPLICATION, Role.LIBRARY):
        files = [file for file in declared.of(role) if file.requirements and not file.for_development]
        if files:
            return declared.shown(files[0].path)
    return "requirements.txt"


def _edits(item: Imported, target: str, environment: InstalledEnvironment | None) -> tuple[Edit, ...]:
    """A new line; none where it takes a person to say which distribution, or which version."""
    if environment is None or item.standing is not Standing.MISSING or item.of_tests:
        return ()
    there = [environment.by_name[name] for name in item.names if name in environment.by_name]
    if len(there) != 1 or there[0].url or not there[0].version or not target.endswith((".txt", ".in")):
        return ()
    return (Edit(path=target, line=1, old="", new=f"{there[0].key}=={there[0].version.partition('+')[0]}"),)


def _finding(
    declared: DeclaredEnvironment, item: Imported, target: str, environment: InstalledEnvironment | None
) -> Outcome:
    name, module = item.names[0], _shown_module(item)
    places = f"{len(item.imports)} {'place' if len(item.imports) == 1 else 'places'}"
    severity, confidence = Severity.INFO, Confidence.HIGH
    if item.standing is Standing.TRANSITIVE:
        message = (
            f"{module} is imported in {places}; {name} comes along with another requirement, and no file asks for it."
        )
    elif item.standing is Standing.DEVELOPMENT and not item.of_tests:
        message = (
            f"{module} is imported in {places}, and only an extra, a group or a file for development asks for {name}."
        )
    else:
        message = f"{module} is imported in {places}, and no file asks for {name}."
        if item.need is Need.ALWAYS and not item.of_tests and item.standing is Standing.MISSING:
            severity = Severity.WARNING
            confidence = Confidence.HIGH if len(item.names) > 1 or name == module.lower() else Confidence.MEDIUM
    known = next((pin.version for pin in declared.pinned.get(name, ()) if pin.version), None)
    others = [other for other in item.names[1:4] if other not in CONDA_NAMES]
    line = f"{name}=={known or 'VERSION'}"
    return undeclared_import.finding(
        message,
        remedy=f"Add `{line}` to {target}" + (f" (or one of {', '.join(others)})." if others else "."),
        severity=severity,
        confidence=confidence,
        measurements=(Measurement(name="imports", value=len(item.imports), threshold=0),),
        locations=_locations(declared, item),
        edits=_edits(item, target, environment),
        key=(name,),
    )


def _shown_module(item: Imported) -> str:
    """The module as it is imported, cut to what tells its distribution."""
    module = item.imports[0].module
    top = item.imports[0].top
    return ".".join(module.split(".")[:3]) if top in ("google", "azure", "ruamel", "nvidia") else top


def _nothing_declared(
    declared: DeclaredEnvironment, missing: list[Imported], environment: InstalledEnvironment | None
) -> Outcome:
    names = [item.names[0] for item in missing]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return undeclared_import.finding(
        f"No file says what the project needs; its code imports {len(names)} distributions: "
        f"{', '.join(names[:_NAMED])}{more}.",
        remedy="Write requirements.txt with a line `NAME==VERSION` for each; `pip freeze` tells the versions.",
        confidence=Confidence.HIGH,
        measurements=(Measurement(name="undeclared distributions", value=len(names), threshold=0),),
        locations=tuple(location for item in missing for location in _locations(declared, item)[:1]),
        edits=tuple(edit for item in missing for edit in _edits(item, declared.shown("requirements.txt"), environment)),
        key=("nothing declared",),
    )


def _locations(declared: DeclaredEnvironment, item: Imported) -> tuple[Location, ...]:
    ordered = sorted(item.imports, key=lambda one: (one.of_tests, -one.need, one.path, one.line or 0))
    return tuple(Location(path=declared.shown(one.path), line=one.line, note=one.note) for one in ordered[:_LISTED])
