from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from dataguard.core import resources as shipped
from dataguard.core.errors import DataguardError


def test_a_schema_is_found_in_this_tree() -> None:
    path = shipped.schema_path("sample_table.yaml")
    assert path.is_file()
    assert path.read_text(encoding="utf-8") == shipped.read_schema("sample_table.yaml")


def test_a_missing_schema_names_the_nearest() -> None:
    with pytest.raises(DataguardError) as caught:
        shipped.read_schema("sample_tabel.yaml")
    assert caught.value.hint == "did you mean 'sample_table.yaml'?"


def package(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    folder.mkdir(parents=True)
    monkeypatch.setattr(resources, "files", lambda name: folder)
    return folder


def test_an_installed_package_holds_its_schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = package(monkeypatch, tmp_path / "dataguard")
    (folder / "schemas").mkdir()
    (folder / "schemas" / "a.yaml").write_text("inside")
    assert shipped.read_schema("a.yaml") == "inside"


def test_an_editable_install_finds_them_beside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(monkeypatch, tmp_path / "dataguard")
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "a.yaml").write_text("beside")
    (tmp_path / "pyproject.toml").write_text("")
    assert shipped.read_schema("a.yaml") == "beside"


def test_somebody_elses_folder_beside_an_installed_package_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(monkeypatch, tmp_path / "dataguard")
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "a.yaml").write_text("somebody else's")
    with pytest.raises(DataguardError) as caught:
        shipped.read_schema("a.yaml")
    assert "install dataguard again" in (caught.value.hint or "")
