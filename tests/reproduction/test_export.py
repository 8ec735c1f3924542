from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from pathlib import Path

from dataguard.environment.files.pylock import parse_pylock
from dataguard.reproduction.export import bill_of_materials, pylock, signing_manifest, write_exports
from dataguard.reproduction.inference import HashedFile
from dataguard.reproduction.lock import Archive, Lock
from dataguard.reproduction.made_up import made_up_lock

WHEEL = Archive(
    name="pillow",
    version="13.0.0",
    file="pillow-13.0.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    sha256="ab" * 32,
    url="https://files.example/pillow.whl",
)


def a_lock() -> Lock:
    return dataclasses.replace(made_up_lock(), archives=(WHEEL,))


def test_packages_are_written_as_pylock() -> None:
    text = pylock(a_lock())
    data = tomllib.loads(text)
    assert (data["lock-version"], data["requires-python"]) == ("1.0", "==3.11.*")
    (package,) = data["packages"]
    assert package["wheels"][0] == {"name": WHEEL.file, "url": WHEEL.url, "hashes": {"sha256": WHEEL.sha256}}
    assert "# Without a known archive: numpy 2.4.6" in text
    (requirement,) = parse_pylock(text, "pylock.toml").requirements
    assert (requirement.name, requirement.version, requirement.hashes) == (
        "pillow",
        "13.0.0",
        (f"sha256:{WHEEL.sha256}",),
    )


def test_the_bill_of_materials_names_model_weights_data_and_packages() -> None:
    lock = a_lock()
    bill = json.loads(bill_of_materials(lock))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    model = bill["metadata"]["component"]
    assert model["type"] == "machine-learning-model"
    parts = {item["bom-ref"]: item for item in bill["components"]}
    assert parts["weights:weights.pt"]["hashes"] == [{"alg": "SHA-256", "content": lock.weights[0].sha256}]
    assert parts["pkg:pypi/pillow@13.0.0"]["hashes"] == [{"alg": "SHA-256", "content": WHEEL.sha256}]
    assert "hashes" not in parts["pkg:pypi/numpy@2.4.6"]
    assert [item["name"] for item in parts["data"]["components"]] == [file.path for file in lock.data.files]
    (tree,) = bill["dependencies"]
    assert set(tree["dependsOn"]) <= set(parts)
    references = [*parts, "model", *(item["bom-ref"] for item in parts["data"]["components"])]
    assert len(references) == len(set(references))


def test_the_same_lock_gives_the_same_files(tmp_path: Path) -> None:
    assert bill_of_materials(a_lock()) == bill_of_materials(a_lock())
    written = write_exports(a_lock(), tmp_path / "dataguard.lock")
    assert sorted(path.name for path in written) == [
        "dataguard.cdx.json",
        "dataguard.data-manifest.json",
        "dataguard.model-manifest.json",
        "pylock.dataguard.toml",
    ]
    assert all(path.is_file() for path in written)


def test_a_manifest_has_the_digest_over_its_files_in_the_order_of_their_names() -> None:
    files = [HashedFile(path=name, sha256=hashlib.sha256(name.encode()).hexdigest(), size=1) for name in ("b", "a")]
    statement = json.loads(signing_manifest(files, name="model"))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://model_signing/signature/v1.0"
    assert [item["name"] for item in statement["predicate"]["resources"]] == ["a", "b"]
    root = hashlib.sha256(b"".join(hashlib.sha256(name.encode()).digest() for name in ("a", "b"))).hexdigest()
    assert statement["subject"] == [{"name": "model", "digest": {"sha256": root}}]
