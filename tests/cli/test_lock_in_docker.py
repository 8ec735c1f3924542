"""A result that is locked in a container, run again there and here, with other versions of a package, and explained."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zipfile
from pathlib import Path

import pytest

from dataguard.cli import main
from dataguard.core.containers import OWNER, Engine
from dataguard.environment.fingerprint import VARIABLES
from tests.docker_engine import numpy_environment
from tests.environment.made_environment import install
from tests.reproduction.made_project import CONFIG, make_project, replaced

pytestmark = pytest.mark.slow
LIMITED = CONFIG + 'memory = 4.0\nvariables = { OMP_NUM_THREADS = "1" }\n'
DECODER = "def decode(pixels):\n    return pixels ^ {bit}\n"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """numpy, and a decoder and a bystander of which a shelf has other versions."""
    root = numpy_environment(tmp_path_factory.mktemp("environment"))
    (site,) = root.glob("lib/*/site-packages")
    install(site, "decoder", "1.0", {"decoder.py": DECODER.format(bit=0).encode()})
    install(site, "bystander", "1.0", {"bystander.py": b""})
    return root


@pytest.fixture(scope="module")
def locked(there: tuple[Engine, str], environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    folder.chmod(0o755)
    make_project(folder)
    replaced(folder, {"import os\n": "import os\nimport bystander, decoder\n"})
    replaced(folder, {"np.load(path)": "decoder.decode(np.load(path))"})
    (folder / "dataguard.toml").write_text(LIMITED)
    arguments = ["lock", "--config", str(folder), "--offline", "--runner", "docker", "--image", there[1]]
    assert main([*arguments, "--environment", str(environment)]) == 0
    return folder


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of an index."""
    made = tmp_path / "shelf"
    made.mkdir()
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", str(made)), ("PIP_CONFIG_FILE", "/dev/null")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATAGUARD_CACHE_DIR", str(tmp_path / "cache"))
    wheel(made, "decoder", "1.0", DECODER.format(bit=0))
    wheel(made, "decoder", "2.0", DECODER.format(bit=64))
    wheel(made, "bystander", "1.0", "")
    wheel(made, "bystander", "2.0", "")
    return made


def wheel(folder: Path, name: str, version: str, code: str) -> None:
    """A wheel of one module, for every Python."""
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code.encode(),
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(content)}\n"
            archive.writestr(path, content)
        archive.writestr(f"{about}/RECORD", f"{record}{about}/RECORD,,\n")


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_the_lock_holds_the_container_and_not_this_machine(there: tuple[Engine, str], locked: Path) -> None:
    lock = json.loads((locked / "dataguard.lock").read_text())
    assert lock["runner"]["kind"] == "docker"
    assert lock["runner"]["image id"] == there[0].image_id(there[1])
    assert {item["name"] for item in lock["environment"]["packages"]} == {
        "bystander",
        "decoder",
        "numpy",
        "threadpoolctl",
    }
    assert lock["environment"]["system"]["container"] == "docker"
    (repeat,) = [item for item in lock["noise"]["variations"] if item["kind"] == "repeat"]
    assert set(repeat["largest"].values()) == {0.0}
    owned = there[0].client.containers.list(all=True, filters={"label": OWNER})
    assert not [one for one in owned if one.labels[OWNER].split("/")[2] == str(os.getpid())]


def test_run_again_there_and_here_it_is_bitwise_the_same(
    project: Path, environment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A container has none of this process's, as OPENBLAS_CORETYPE, by which numpy rounds otherwise.
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert main(["reproduce", str(project), "--runner", "docker", "--environment", str(environment)]) == 0
    assert "verdict bitwise" in said(capsys)
    output = project / "report.json"
    replaced(
        project, {"import bystander, decoder": "import types; decoder = types.SimpleNamespace(decode=lambda x: x)"}
    )
    assert main(["reproduce", str(project), "-o", str(output)]) == 0
    report = json.loads(output.read_text())
    assert report["subject"]["facts"]["verdict"] == "bitwise"
    (listing,) = [item for item in report["overview"] if item["title"] == "Differences from what was locked"]
    assert ["runner", "runner", "docker", "process", "yes"] in listing["rows"]


def test_another_version_in_the_container_is_found_and_explains_the_change(
    project: Path, environment: Path, shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker = [str(project), "--runner", "docker", "--environment", str(environment)]
    assert main(["reproduce", *docker, "--package", "decoder==2.0"]) == 1
    text = said(capsys)
    assert "verdict changed" in text
    assert "decoder 1.0 → 2.0" in text
    assert main(["reproduce", *docker, "--package", "bystander==2.0"]) == 0
    capsys.readouterr()
    pins = ["--package", "decoder==2.0", "--package", "bystander==2.0"]
    assert main(["bisect", *docker, *pins, "--batch-size", "2"]) == 1
    text = said(capsys)
    assert "explained by decoder 1.0 → 2.0" in text
    assert "dataguard bisect dataguard.lock --runner docker" in text
    assert main(["reproduce", *docker, "--package", "decoder==3.0"]) == 2
    errors = capsys.readouterr().err
    assert "pip could not install it" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runner", "process"], "a result cannot be locked with the runner 'process'"),
        (["--image", "x"], "are for the runner 'docker'"),
        (["--runner", "docker", "--image", "dataguard-no-such:image"], "there is no such image on this machine"),
    ],
)
def test_what_cannot_be_locked_exits_with_2_and_leaves_the_lock(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    before = (project / "dataguard.lock").read_bytes()
    assert main(["lock", "--config", str(project), "--offline", *arguments]) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert "Traceback" not in errors
    assert (project / "dataguard.lock").read_bytes() == before
