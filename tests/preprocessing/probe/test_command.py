from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dataguard.core.errors import ConfigurationError
from dataguard.preprocessing.probe.asking import ProbeError, encoded
from dataguard.preprocessing.probe.command import Command
from dataguard.preprocessing.probe.function import Limits
from dataguard.preprocessing.probe.session import opened

pytestmark = pytest.mark.slow

PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bin") / "prog"
    python = __import__("sys").executable
    path.write_text(
        f"#!{python}\nimport sys, time\nimport numpy as np\nfrom PIL import Image\n"
        "how, given, output = sys.argv[1:]\n"
        "if how == 'fail':\n    print('no licence'); sys.exit(5)\n"
        "if how == 'hang':\n    time.sleep(60)\n"
        "if how == 'text':\n    open(output, 'w').write('hello')\n"
        "if how == 'good':\n    np.save(open(output, 'wb'), np.asarray(Image.open(given)))\n"
    )
    path.chmod(0o755)
    return path


def command(program: Path, how: str) -> Command:
    return Command(f"{program} {how} {{image}} {{output}}", base=program.parent, limits=Limits(timeout=5))


def test_a_command_maps_a_file_to_an_array(program: Path, tmp_path: Path) -> None:
    picture = tmp_path / "with a space.png"
    picture.write_bytes(encoded(PIXELS))
    assert np.array_equal(command(program, "good")(str(picture)), PIXELS)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("fail", r"exit code 5[\s\S]*no licence"),
        ("hang", "did not end within"),
        ("text", "no .npy file"),
        ("none", "left no file"),
    ],
)
def test_a_command_that_does_otherwise_is_named(program: Path, tmp_path: Path, how: str, words: str) -> None:
    ask = Command(f"{program} {how} {{image}} {{output}}", base=tmp_path, limits=Limits(timeout=1.5))
    with pytest.raises(ProbeError, match=words):
        ask("a.png")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prog {image}", "no {output}"),
        ("prog {output}", "no {image}"),
        ("no_such_program {image} {output}", "no program"),
        ("'prog {image} {output}", "cannot be split"),
    ],
)
def test_a_command_that_cannot_run_is_a_mistake_of_the_user(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        opened(text, base=tmp_path)
