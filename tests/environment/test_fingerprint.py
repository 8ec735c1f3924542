from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.environment.fingerprint import VARIABLES, fingerprint, variables
from dataguard.environment.installed import installed
from tests.environment.made_environment import install, make_environment

pytestmark = pytest.mark.slow


def test_the_same_facts_give_the_same_bytes() -> None:
    first, second = fingerprint(), fingerprint()
    assert first.to_json() == second.to_json()
    assert first.digest == second.digest
    assert first.to_json().endswith("}\n")


def test_what_is_in_it_is_what_there_is() -> None:
    import numpy as np
    import PIL
    from PIL import features

    found = json.loads(fingerprint().to_json())
    packages = {item["name"]: item for item in found["packages"]}
    assert packages["numpy"]["version"] == np.__version__
    assert len(packages["numpy"]["content"]) == 64
    assert found["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert any(item["carrier"] == "numpy" for item in found["libraries"])
    pillow = {item["name"]: item["version"] for item in found["libraries"] if item["carrier"] == "pillow"}
    assert pillow["libjpeg-turbo"] == features.version("libjpeg_turbo")
    assert packages["pillow"]["version"] == PIL.__version__
    assert any(item["library"] == "openblas" for item in found["threads"])


def test_no_secret_no_name_and_no_folder_of_a_user_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = make_environment(tmp_path / "home-of-jane")
    install(site, "mine", "1.0", direct_url=f'{{"url": "file://{tmp_path}/home-of-jane/mine", "dir_info": {{}}}}')
    install(site, "fork", "1.0", direct_url='{"url": "https://jane:hunter2@host/x?key=hunter2"}')
    for name in ("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "PIP_INDEX_URL", "HTTPS_PROXY", "USER", "HOSTNAME"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("XLA_FLAGS", "hunter2")
    monkeypatch.setenv("OMP_NUM_THREADS", "sk-\n!hunter2@host?")
    text = fingerprint(installed(tmp_path / "home-of-jane")).to_json()
    assert "hunter2" not in text
    assert "home-of-jane" not in text
    assert "withheld" in text
    assert json.loads(text)["packages"][1]["url"] == "file:…/mine"


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_only_listed_variables_are_ever_taken(environ: dict[str, str]) -> None:
    assert set(variables(environ)) <= set(VARIABLES)
    assert variables({**environ, "OMP_NUM_THREADS": "2"})["OMP_NUM_THREADS"] == "2"


def test_no_listed_variable_sounds_like_a_secret() -> None:
    assert not [name for name in VARIABLES if any(word in name for word in ("TOKEN", "SECRET", "PASS", "KEY", "PROXY"))]
    assert sorted(set(VARIABLES)) == list(VARIABLES)


def test_an_edit_changes_the_fingerprint_and_is_counted(tmp_path: Path) -> None:
    site = make_environment(tmp_path)
    install(site, "demo", "1.0")
    before = fingerprint(installed(tmp_path))
    (site / "demo" / "__init__.py").write_bytes(b"edited, and longer\n")
    after = fingerprint(installed(tmp_path))
    assert before.digest != after.digest
    assert (before.packages[0].changed, after.packages[0].changed) == (0, 1)
    assert fingerprint(installed(tmp_path), contents=True).packages[0].content == after.packages[0].content


def test_another_environment_is_read_and_not_run(tmp_path: Path) -> None:
    site = make_environment(tmp_path)
    proof = tmp_path / "executed"
    code = f"open({str(proof)!r}, 'w')\n".encode()
    install(
        site,
        "torch",
        "1.0",
        {"torch/__init__.py": code, "torch/version.py": b"__version__ = '1.0+cu118'\ncuda: str = '11.8'\n"},
    )
    (site / "evil.pth").write_bytes(b"import os; " + code)
    found = fingerprint(installed(tmp_path), contents=True, with_torch=True)
    assert not proof.exists()
    assert found.threads == ()
    assert found.numerics == {"torch.version.version": "1.0+cu118", "torch.version.cuda": "11.8"}


def test_torch_is_asked_only_where_it_is_there_already() -> None:
    code = (
        "import sys; from dataguard.environment.fingerprint import fingerprint; f = fingerprint(); "
        "assert 'torch' not in sys.modules; print(len(f.packages), sorted(f.numerics))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "tf32" not in done.stdout
    import torch

    numerics = fingerprint().numerics
    assert numerics["torch.num_threads"] == torch.get_num_threads()
    assert numerics["torch.backends.cudnn.allow_tf32"] == torch.backends.cudnn.allow_tf32
    assert numerics["torch.deterministic_algorithms"] is False
