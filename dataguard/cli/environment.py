"""``dataguard environment``: what results depend on in an environment and on a machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from dataguard.environment.bundled import BundledLibrary
    from dataguard.environment.fingerprint import Fingerprint
    from dataguard.environment.record_files import RecordCheck

FORMATS = ("terminal", "json")

_DESCRIPTION = """\
Show what results depend on here: Python, the packages with a hash of what is
really installed, the libraries in them that decode pixels and calculate, the
processor, threads, graphics cards and settings. No secret is in it.

  dataguard environment -o before.json      keep it
  dataguard environment --verify            hash every installed file
"""
_PACKAGES_THAT_MATTER = (
    "albumentations cupy imageio jax jaxlib keras lightning mkl numba numpy onnxruntime onnxruntime-gpu "
    "opencv-contrib-python opencv-contrib-python-headless opencv-python opencv-python-headless pandas pillow "
    "pillow-simd pytorch-lightning safetensors scikit-image scikit-learn scipy simplejpeg tensorflow tf-keras timm "
    "tokenizers torch torchaudio torchvision transformers triton xgboost lightgbm"
)


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "environment",
        help="show what results depend on here",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--path",
        metavar="VENV",
        help="a virtual environment, or a project's folder with a .venv in it (default: what dataguard itself runs in)",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="hold every installed file against its RECORD; exits with 1 if one differs",
    )
    parser.add_argument("--torch", action="store_true", help="import torch and add its settings; takes seconds")
    parser.add_argument(
        "--format", metavar="FORMAT", help=f"what is written: {', '.join(FORMATS)} (default: by the file's suffix)"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write it there")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every package and every changed file")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.cli.reporting import terminal_style
    from dataguard.core.atomic import write_atomically
    from dataguard.environment.fingerprint import fingerprint
    from dataguard.environment.installed import installed
    from dataguard.environment.record_files import verify

    kind = _format(arguments.format, arguments.output)
    environment = installed(arguments.path)
    check = verify(environment) if arguments.verify else None
    found = fingerprint(environment, contents=check or False, with_torch=arguments.torch)
    if kind == "json":
        text = found.to_json()
    else:
        width, _ = terminal_style()
        lines = _table(found, environment.root, check, width=width, verbose=arguments.verbose)
        text = "\n".join(lines) + "\n"
    if arguments.output:
        write_atomically(arguments.output, text)
        print(f"written to {Path(arguments.output).absolute()}: {len(found.packages)} packages, {found.digest[:16]}")
    else:
        sys.stdout.write(text)
    return 1 if check is not None and check.differences else 0


def _format(name: str | None, output: str | None) -> str:
    if name is None:
        return "json" if output is not None and Path(output).suffix.lower() == ".json" else "terminal"
    if name not in FORMATS:
        raise ConfigurationError(f"unknown format {name!r}", where="--format", hint=did_you_mean(name, FORMATS))
    return name


def _table(found: Fingerprint, root: str, check: RecordCheck | None, *, width: int, verbose: bool) -> Iterator[str]:
    from dataguard.core.text import printable

    for title, given in _sections(found, root, verbose=verbose):
        rows = [(key, value) for key, value in given if value]
        if not rows:
            continue
        yield title
        # Names longer than this are rare, and a wide first column leaves nothing for the second.
        left = min(max(len(key) for key, _ in rows), 26)
        for key, value in rows:
            yield from _row(printable(key), printable(value), left, width)
        yield ""
    if check is not None:
        yield from _verification(check, width=width, verbose=verbose)
    what = "contents verified" if found.checked == "contents" else "files by size and time; --verify reads them all"
    yield f"fingerprint {found.digest[:16]} ({what})"


def _row(key: str, value: str, left: int, width: int) -> Iterator[str]:
    import textwrap

    room = max(20, width - left - 4)
    lines = textwrap.wrap(value, room, break_on_hyphens=False) or [""]
    if len(key) > left:
        yield f"  {key}"
        key = ""
    yield f"  {key:<{left}}  {lines[0]}"
    for line in lines[1:]:
        yield f"  {'':<{left}}  {line}"


def _sections(found: Fingerprint, root: str, *, verbose: bool) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    yield (
        "Python",
        [
            ("version", " ".join(part for part in (found.python.implementation, found.python.version) if part)),
            ("built with", found.python.compiler),
            ("environment", root),
        ],
    )
    yield _packages_title(found, verbose=verbose), list(_packages(found, verbose=verbose))
    yield "Libraries that decode and calculate", list(_libraries(found.libraries))
    cpu, system = found.processor, found.system
    quota = f", {cpu.quota:g} by the container's limit" if cpu.quota is not None else ""
    yield (
        "Machine",
        [
            ("system", system.name + (f", in {system.container}" if system.container else "")),
            ("kernel, C library", ", ".join(part for part in (system.kernel, system.libc) if part)),
            ("processor", f"{cpu.model} ({cpu.architecture})".strip()),
            ("processors to use", f"{cpu.n_usable} of {cpu.n_logical}{quota}"),
            ("instruction sets", " ".join(cpu.instruction_sets)),
            *_graphics(found),
        ],
    )
    yield (
        "Threads",
        [
            (f"{pool.library} {pool.version}".strip(), f"{pool.threads}{_kernels(pool.architecture)}")
            for pool in found.threads
        ],
    )
    yield "Settings of torch", [(name.removeprefix("torch."), str(value)) for name, value in found.numerics.items()]
    yield "Environment variables", list(found.variables.items())


def _kernels(architecture: str) -> str:
    return f" (kernels for {architecture})" if architecture else ""


def _packages_title(found: Fingerprint, *, verbose: bool) -> str:
    if verbose:
        return f"Packages ({len(found.packages)}, with the beginning of their hashes)"
    return f"Packages (of {len(found.packages)}, the main ones and what differs; -v shows all)"


def _packages(found: Fingerprint, *, verbose: bool) -> Iterator[tuple[str, str]]:
    matter = frozenset(_PACKAGES_THAT_MATTER.split())
    for package in found.packages:
        notes = []
        if package.changed:
            notes.append(f"{package.changed} changed file{'s' * (package.changed > 1)}")
        if package.editable:
            notes.append("editable")
        elif package.url:
            notes.append(f"from {package.url}")
        if not package.content:
            notes.append("no RECORD")
        if verbose or notes or package.name in matter:
            note = f"  {', '.join(notes)}" if notes else ""
            yield package.name, f"{package.version:<12} {package.content[:12]}{note}".rstrip()


def _libraries(libraries: Iterable[BundledLibrary]) -> Iterator[tuple[str, str]]:
    by_carrier: dict[str, dict[str, None]] = {}
    for library in libraries:
        version = library.version if len(library.version) < 20 else library.version[:10]
        by_carrier.setdefault(library.carrier, {})[f"{library.name} {version}"] = None
    for carrier, names in by_carrier.items():
        yield ("the system's" if carrier == "system" else f"in {carrier}"), ", ".join(names)


def _graphics(found: Fingerprint) -> Iterator[tuple[str, str]]:
    graphics = found.graphics
    counted: dict[str, int] = {}
    for card in graphics.cards:
        memory = f", {card.memory_mib / 1024:.0f} GiB" if card.memory_mib else ""
        capability = f", compute capability {card.compute_capability}" if card.compute_capability else ""
        text = f"{card.name}{memory}{capability}"
        counted[text] = counted.get(text, 0) + 1
    for text, n in counted.items():
        yield "graphics card", text if n == 1 else f"{n} × {text}"
    yield "driver", graphics.driver
    yield "CUDA toolkit", graphics.toolkit
    yield "cuDNN", graphics.cudnn
    yield "note", graphics.note
    if not graphics.cards and not graphics.note:
        yield "graphics card", "none of NVIDIA's"


def _verification(check: RecordCheck, *, width: int, verbose: bool) -> Iterator[str]:
    from dataguard.core.text import printable

    yield (
        f"Verified {check.n_files:,} files of {check.n_distributions} packages, {check.n_bytes / 1e6:,.0f} MB, "
        f"in {check.seconds:.1f} s"
    )
    shown = check.differences if verbose else check.differences[:20]
    for difference in shown:
        by = f" by {difference.other}" if difference.other else ""
        yield from _row(f"{difference.kind.value}{by}", printable(difference.path), 11, width)
    if len(check.differences) > len(shown):
        yield f"  and {len(check.differences) - len(shown):,} more (-v shows them)"
    if not check.differences:
        yield "  every file is what was installed"
    for title, names in (("no RECORD", check.without_record), ("of no package", check.unowned)):
        if names:
            yield from _row(title, printable(", ".join(Path(name).name for name in names)), 13, width)
    yield ""
