"""What a command pays before it does anything."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "numpy",
    "pandas",
    "cv2",
    "duckdb",
    "narwhals",
    "sklearn",
    "scipy",
    "pandera",
    "PIL",
    "rich",
    "torch",
    "blake3",
)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom dataguard.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"sys.exit(','.join(name for name in {HEAVY!r} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_listing_rules_imports_no_machine_learning() -> None:
    program = (
        "import sys\nfrom dataguard.rules import all_rules\nassert all_rules()\n"
        "heavy = ('sklearn', 'pandas', 'cv2', 'duckdb', 'pandera')\n"
        "sys.exit(','.join(name for name in heavy if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
