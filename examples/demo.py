"""Check scikit-learn's handwritten digits, then a copy with planted faults, and show that each is found.

    python examples/demo.py FOLDER

The digits are real scans, 1,797 of them, 8×8 pixels, with the label errors that really are in them. Nothing here knows
an answer: what was planted is written down while it is planted, and compared with what the report says.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.datasets import load_digits

SEED = 0
SPLITS = {"train": 0.6, "val": 0.2, "test": 0.2}
FLIPPED_SHARE = 0.10
STARVED_SIZE = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Planted:
    """What was broken on purpose; file names relative to the dataset's folder."""

    flipped: frozenset[str]
    starved_class: str
    copied_from: str
    copied_to: str
    truncated: str


def write_digits(folder: Path) -> None:
    """Write the digits as ``split/class/number.png``, every class divided in the same shares."""
    digits = load_digits()
    rng = np.random.default_rng(SEED)
    for target in digits.target_names:
        numbers = rng.permutation(np.flatnonzero(digits.target == target))
        ends = np.round(np.cumsum(list(SPLITS.values())) * len(numbers)).astype(int)
        for split, chosen in zip(SPLITS, np.split(numbers, ends[:-1]), strict=True):
            home = folder / split / str(target)
            home.mkdir(parents=True)
            for number in chosen:
                # The scans have 17 levels of gray; PNG has 256.
                pixels = np.round(digits.images[number] * (255 / 16)).astype(np.uint8)
                (home / f"{number:04d}.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def plant_faults(folder: Path) -> Planted:
    """Flip labels, starve a class, copy a sample from training to test, and truncate a file."""
    rng = np.random.default_rng(SEED + 1)
    classes = sorted(path.name for path in (folder / "train").iterdir())
    files = sorted((folder / "train").rglob("*.png"))
    order = rng.permutation(len(files))
    n_flipped = round(FLIPPED_SHARE * len(files))
    flipped = []
    for index in order[:n_flipped]:
        others = [name for name in classes if name != files[index].parent.name]
        target = folder / "train" / str(rng.choice(others)) / files[index].name
        files[index].rename(target)
        flipped.append(target)
    starved = str(rng.choice(classes))
    for path in sorted((folder / "train" / starved).iterdir())[STARVED_SIZE:]:
        path.unlink()
    untouched = [files[index] for index in order[n_flipped:] if files[index].exists()]
    original, truncated = untouched[0], untouched[1]
    copy = folder / "test" / original.parent.name / f"copy-of-{original.name}"
    shutil.copyfile(original, copy)
    data = truncated.read_bytes()
    truncated.write_bytes(data[: len(data) // 2])
    return Planted(
        flipped=frozenset(path.relative_to(folder).as_posix() for path in flipped if path.exists()),
        starved_class=starved,
        copied_from=original.relative_to(folder).as_posix(),
        copied_to=copy.relative_to(folder).as_posix(),
        truncated=truncated.relative_to(folder).as_posix(),
    )


def check(dataset: Path) -> tuple[int, dict[str, Any], Path]:
    """Run ``dataguard check`` as a user would; the exit code, the report as JSON, and where the HTML is."""
    page, data = dataset.with_suffix(".html"), dataset.with_suffix(".json")
    command = [sys.executable, "-m", "dataguard", "check", str(dataset), "-o", str(page), "-o", str(data)]
    print(f"\n$ dataguard check {dataset} -o {page} -o {data}\n", flush=True)
    code = subprocess.run(command, check=False).returncode
    if not data.exists():
        raise SystemExit(f"dataguard check ended with {code} and wrote no report")
    return code, json.loads(data.read_text(encoding="utf-8")), page


def places(report: dict[str, Any], code: str, field: str) -> set[str]:
    """What a rule's findings name in one field of their locations."""
    findings = [finding for run in report["runs"] if run["code"] == code for finding in run["findings"]]
    return {place[field] for finding in findings for place in finding["locations"] if place.get(field) is not None}


def compare(report: dict[str, Any], planted: Planted) -> list[tuple[str, bool, str]]:
    """What was planted against what was found: the fault, whether it was found, and the figures."""
    suspects = places(report, "DG101", "sample_id")
    hits = len(suspects & planted.flipped)
    precision, recall = hits / max(len(suspects), 1), hits / len(planted.flipped)
    f1 = 2 * hits / (len(suspects) + len(planted.flipped))
    starved = [code for code in ("DG102", "DG104") if planted.starved_class in places(report, code, "label")]
    leaked = places(report, "DG301", "sample_id")
    return [
        (
            f"{len(planted.flipped)} flipped labels",
            f1 >= 0.9,
            f"DG101: {len(suspects)} suspects, precision {precision:.2f}, recall {recall:.2f}, F1 {f1:.2f}",
        ),
        (f"class {planted.starved_class} starved to {STARVED_SIZE}", bool(starved), ", ".join(starved)),
        (
            f"{planted.copied_from} copied into test",
            planted.copied_to in leaked,
            f"DG301: {', '.join(sorted(leaked)) or 'nothing'}",
        ),
        (
            f"{planted.truncated} truncated",
            planted.truncated in places(report, "DG801", "sample_id"),
            f"DG801: {', '.join(sorted(places(report, 'DG801', 'sample_id'))) or 'nothing'}",
        ),
    ]


def main(folder: Path) -> int:
    """Run the demonstration in a folder; 0 where every planted fault was found."""
    shutil.rmtree(folder, ignore_errors=True)
    clean, faulty = folder / "digits", folder / "digits-with-faults"
    write_digits(clean)
    clean_code, _, clean_page = check(clean)
    shutil.copytree(clean, faulty)
    planted = plant_faults(faulty)
    code, report, page = check(faulty)
    print("\nplanted in the copy, and found:\n")
    results = compare(report, planted)
    for fault, found, figures in results:
        print(f"  {'found ' if found else 'MISSED'}  {fault}\n          {figures}")
    print(f"\nexit codes: {clean_code} on the digits as they are, {code} on the copy with faults")
    print(f"reports to look at:\n  {clean_page.resolve()}\n  {page.resolve()}")
    return 0 if all(found for _, found, _ in results) and clean_code == 0 and code == 1 else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python examples/demo.py FOLDER")
    raise SystemExit(main(Path(sys.argv[1])))
