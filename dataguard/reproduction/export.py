"""A lock in the forms of others: pylock.toml, a CycloneDX bill of materials, and manifests to be signed."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dataguard.core.atomic import write_atomically
from dataguard.reproduction.inference import HashedFile
from dataguard.reproduction.lock import Archive, Lock

_MOST_FILES_IN_BOM = 2_000
_NAMESPACE = uuid.UUID("6f0a3c56-3b5e-5d0a-9b1c-0c1d7f7b8a10")
"""For serial numbers that are the same for the same lock."""


def write_exports(lock: Lock, path: Path) -> list[Path]:
    """Write all of them beside a lock.

    Returns:
        What was written.

    Raises:
        OutputError: a file cannot be written.
    """
    stem = path.stem
    files = {
        f"pylock.{stem}.toml": pylock(lock),
        f"{stem}.cdx.json": bill_of_materials(lock),
        f"{stem}.data-manifest.json": signing_manifest(lock.data.files, name=f"{stem}-data"),
    }
    if lock.weights:
        files[f"{stem}.model-manifest.json"] = signing_manifest(lock.weights, name=f"{stem}-weights")
    for name, text in files.items():
        write_atomically(path.parent / name, text)
    return [path.parent / name for name in files]


def pylock(lock: Lock) -> str:
    """The packages as ``pylock.toml`` (PEP 751): those of which an index's files are known.

    The others are named in comments, since the format has no package without a source.
    """
    minor = ".".join(lock.environment.python.version.split(".")[:2])
    by_name: dict[str, list[Archive]] = {}
    for archive in lock.archives:
        if archive.file and archive.url:
            by_name.setdefault(archive.name, []).append(archive)
    lines = ["# Written by `dataguard lock`."]
    left_out = [item for item in lock.environment.packages if item.name not in by_name]
    lines += [f"# Without a known archive: {item.name} {item.version}" for item in left_out]
    lines += ['lock-version = "1.0"', f'requires-python = "=={minor}.*"', 'created-by = "dataguard"']
    for name in sorted(by_name):
        archives = by_name[name]
        lines += ["", "[[packages]]", f"name = {_toml(name)}", f"version = {_toml(archives[0].version)}"]
        wheels = [item for item in archives if item.file.endswith(".whl")]
        sources = [item for item in archives if not item.file.endswith(".whl")]
        if sources and not wheels:
            lines.append(f"sdist = {_file(sources[0])}")
        if wheels:
            lines += ["wheels = [", *(f"    {_file(item)}," for item in wheels), "]"]
    return "\n".join(lines) + "\n"


def _file(archive: Archive) -> str:
    return (
        f"{{name = {_toml(archive.file)}, url = {_toml(archive.url)}, hashes = {{sha256 = {_toml(archive.sha256)}}}}}"
    )


def _toml(text: str) -> str:
    # A string of JSON without escapes beyond ASCII is one of TOML.
    return json.dumps(text)


def bill_of_materials(lock: Lock) -> str:
    """The whole as a CycloneDX 1.6 bill of materials with a model card (ECMA-424), the same bytes for the same lock.

    The model is the root; it depends on its weights, the data that it was run on, and every package.
    """
    data = _data(lock)
    weights = [_weights(file) for file in lock.weights]
    packages = [_package(item.name, item.version, item.content, lock.archives) for item in lock.environment.packages]
    components = [*weights, data, *packages]
    used = {name.lower().replace("_", "-").replace(".", "-") for name in lock.used}
    direct = [item["bom-ref"] for item in packages if item["name"] in used]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, lock.digest)}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "dataguard", "version": lock.tool_version}]},
            "component": _model(lock, data["bom-ref"]),
        },
        "components": components,
        "dependencies": [
            {
                "ref": "model",
                "dependsOn": sorted({*(item["bom-ref"] for item in weights), data["bom-ref"], *direct}),
            }
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _model(lock: Lock, data: str) -> dict[str, Any]:
    declared = lock.inference
    kinds = {stage.name: ", ".join(stage.dtypes) for stage in lock.outputs}
    return {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": declared.entry or declared.command,
        "version": lock.code.commit[:12] or lock.digest[:12],
        "modelCard": {
            "modelParameters": {
                "datasets": [{"ref": data}],
                "inputs": [{"format": declared.takes}],
                "outputs": [{"format": f"{declared.output}: {kinds[declared.output]}"}],
            },
        },
        "properties": _properties(
            {
                "dataguard:lock:sha256": lock.digest,
                "dataguard:golden:sha256": lock.golden.sha256,
                "dataguard:python": lock.environment.python.version,
                "dataguard:seed": str(declared.seed),
                "dataguard:batch-size": str(declared.batch_size),
                "dataguard:processor": lock.environment.processor.model,
                "dataguard:graphics": ", ".join(card.name for card in lock.environment.graphics.cards),
                **{f"dataguard:e0:{stage.name}": repr(stage.tolerance.e0) for stage in lock.outputs},
            }
        ),
    }


def _data(lock: Lock) -> dict[str, Any]:
    files = lock.data.files
    return {
        "type": "data",
        "bom-ref": "data",
        "name": ", ".join(lock.inference.inputs),
        "version": lock.data.version_id[:16],
        "data": [{"type": "dataset", "name": f"{lock.data.n} samples"}],
        "properties": _properties({"dataguard:version-id": lock.data.version_id}),
        # A large data set is named by its root; its files are in the manifest beside the lock.
        **({"components": [_content(file) for file in files]} if len(files) <= _MOST_FILES_IN_BOM else {}),
    }


def _content(file: HashedFile) -> dict[str, Any]:
    return {"type": "file", "bom-ref": f"data:{file.path}", "name": file.path, "hashes": _hashes([file.sha256])}


def _weights(file: HashedFile) -> dict[str, Any]:
    return {
        "type": "machine-learning-model",
        "bom-ref": f"weights:{file.path}",
        "name": file.path,
        "hashes": _hashes([file.sha256]),
    }


def _package(name: str, version: str, content: str, archives: Iterable[Archive]) -> dict[str, Any]:
    identifier = f"pkg:pypi/{quote(name)}@{quote(version, safe='')}"
    found = sorted({item.sha256 for item in archives if item.name == name})
    return {
        "type": "library",
        "bom-ref": identifier,
        "name": name,
        "version": version,
        "purl": identifier,
        # Several files may fit this machine; only where there is one is it known which was installed.
        **({"hashes": _hashes(found)} if len(found) == 1 else {}),
        **({"properties": _properties({"dataguard:installed-content:sha256": content})} if content else {}),
    }


def _hashes(values: Sequence[str]) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": value} for value in values]


def _properties(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items() if value]


def signing_manifest(files: Iterable[HashedFile], *, name: str) -> str:
    """The in-toto statement of the OpenSSF model-signing format 1.0 over some files: what a signature is made of.

    The subject's digest is the SHA-256 over the files' digests in the order of their names.

    Args:
        files: What is to be signed.
        name: What the statement calls them together.
    """
    ordered = sorted(files, key=lambda file: file.path)
    root = hashlib.sha256(b"".join(bytes.fromhex(file.sha256) for file in ordered)).hexdigest()
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": []},
            "resources": [{"name": file.path, "algorithm": "sha256", "digest": file.sha256} for file in ordered],
        },
    }
    return json.dumps(statement, indent=2, ensure_ascii=False) + "\n"
