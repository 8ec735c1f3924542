"""What a command pays before it does anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
    "tree_sitter",
    "tree_sitter_python",
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


@pytest.mark.slow
def test_an_audit_imports_nothing_that_reads_datasets_and_trains(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch==2.0\n")
    (tmp_path / "serve.py").write_text(
        "from PIL import Image\nfrom torchvision import transforms\nimport torchvision\n"
        "model = torchvision.models.resnet18().eval()\n"
        "way = transforms.Compose([transforms.Resize(224), transforms.ToTensor()])\n"
        "print(model(way(Image.open('a.jpg')).unsqueeze(0)))\n"
    )
    program = (
        "import sys\nfrom dataguard.cli import main\n"
        f"code = main(['audit', {str(tmp_path)!r}, '-o', {str(tmp_path / 'report.json')!r}])\n"
        "areas = ('batches', 'dataset', 'labels', 'reproduction', 'training', 'versions')\n"
        "names = [name for area in areas for name in sys.modules if name.startswith(f'dataguard.{area}.')]\n"
        "allowed = {'dataguard.dataset.memory'}\n"
        "sys.exit(','.join(sorted({*names} - allowed)) or code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "serve.py" in (tmp_path / "report.json").read_text()
