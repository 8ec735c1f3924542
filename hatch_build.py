"""What hatchling does beside packing files: it compiles `measure.c` and `row_hashes.c` where there is a C compiler.

A wheel with libraries is one of this platform, and one without is for any. An editable install has the libraries in the
tree, from where they run. ``CC``, ``CFLAGS`` and ``LDFLAGS`` are heeded; ``CC=false`` leaves the libraries out.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "dataguard/dataset"
LIBRARIES = {
    f"{PACKAGE}/measure.c": f"{PACKAGE}/libmeasure.so",
    f"{PACKAGE}/row_hashes.c": f"{PACKAGE}/librow_hashes.so",
}
# -ffp-contract=off: a product and a sum are rounded twice, as numpy does it.
OPTIONS = ("-std=c11", "-O3", "-fPIC", "-ffp-contract=off", "-shared")


class CustomBuildHook(BuildHookInterface[Any]):
    """Puts the libraries into wheels."""

    _folder: str | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, before the wheel is packed."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        self._folder = tempfile.mkdtemp()
        for source, library in LIBRARIES.items():
            if version == "editable":
                compiled = root / library
                # What another version left there is no part of this one.
                compiled.unlink(missing_ok=True)
            else:
                compiled = Path(self._folder) / Path(library).name
            trouble = compile_library(root / source, compiled)
            if trouble:
                self.app.display_warning(f"{source} is left out, and Python's libraries do its work: {trouble}")
            elif version != "editable":
                build_data["force_include"][str(compiled)] = library
                build_data["pure_python"] = False
                platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
                build_data["tag"] = f"py3-none-{platform}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Clean up, when it is packed."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def compile_library(source: Path, target: Path) -> str:
    """Compile one file to a shared library; returns why that was not possible, or ''."""
    named = os.environ.get("CC")
    found = [path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))]
    compiler = shlex.split(named) if named else found[:1]
    if not compiler:
        return "there is no C compiler"
    given = shlex.split(os.environ.get("CFLAGS", "")), shlex.split(os.environ.get("LDFLAGS", ""))
    command = [*compiler, *given[0], *OPTIONS, "-o", str(target), str(source), *given[1]]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        return f"{compiler[0]}: {error.strerror}"
    if done.returncode == 0 and target.exists():
        return ""
    return (done.stderr.strip().splitlines() or [f"{compiler[0]} ended with exit status {done.returncode}"])[-1]
