"""How pinned-or-not and missing requirements agree with hand-made labels of public repositories.

Takes a folder that holds checkouts named OWNER+NAME, and a JSON list of labels: records with ``repo`` and
``requirements`` {``pinned_level``: all, partly or none; ``missing``: imported and not declared}. It prints both side by
side for each repository, so that a person can judge names in free text.

Usage: python benchmarks/environment_labels.py CHECKOUTS LABELS.json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from dataguard.environment.declared import DeclaredEnvironment, Role
from dataguard.environment.files.finding import read_environment_files
from dataguard.environment.imports import project_imports
from dataguard.environment.requirement import Pin
from dataguard.environment.undeclared import Standing, judged


def level(declared: DeclaredEnvironment) -> str:
    """All, partly or none: how much of what is installed to run the project has one version."""
    asked = [item for item in declared.requirements(Role.APPLICATION, Role.LOCK) if item.name]
    exact = [
        item
        for item in asked
        if item.pin is Pin.EXACT or (item.ecosystem == "conda" and item.specifier.startswith("=="))
    ]
    return "none" if not exact else "all" if len(exact) == len(asked) else "partly"


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path)
    parser.add_argument("labels", type=Path)
    arguments = parser.parse_args()
    agreed = n = 0
    for record in json.loads(arguments.labels.read_text(encoding="utf-8")):
        folder = arguments.checkouts / record["repo"].replace("/", "+")
        if not folder.is_dir() or not any(folder.iterdir()):
            continue
        clock = time.perf_counter()
        declared, imports = read_environment_files(folder), project_imports(folder)
        found = [item for item in judged(declared, imports) if item.standing is not Standing.DECLARED]
        seconds = time.perf_counter() - clock
        label = record["requirements"]
        n, agreed = n + 1, agreed + (level(declared) == label["pinned_level"])
        print(f"{record['repo']}: {level(declared)} (label: {label['pinned_level']}), {seconds:.2f} s")
        print("  found:", ", ".join(f"{item.names[0]} ({item.standing.value}, {item.need.name})" for item in found))
        print("  label:", ", ".join(label["missing"]))
    print(f"pinned levels that agree: {agreed} of {n}")


if __name__ == "__main__":
    main()
