"""Croissant 1.0 metadata (JSON-LD) of a dataset version, written directly: the data's files, and the table of samples.

The format: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dataguard.core.sql import literal
from dataguard.dataset.sources.table_files import TABLE_SUFFIXES
from dataguard.versions.profile import Profile
from dataguard.versions.snapshot import MANIFEST_NAME
from dataguard.versions.stated import file_hash

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification asks for, word for word, in the order of its keys."""
_ENCODINGS = {".csv": "text/csv", ".tsv": "text/tab-separated-values", ".parquet": "application/x-parquet"}
_IMAGES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "bmp": "image/bmp",
}
_SUFFIXES = {"jpeg": ("jpg", "jpeg"), "tiff": ("tif", "tiff")}
_SEMVER = re.compile(r"\d+(\.\d+){0,2}")


def croissant_text(profile: Profile, *, dataset: Path, snapshot: Path, metadata: Path) -> str:
    """The metadata as JSON; the same bytes for the same version.

    Args:
        profile: Of the version.
        dataset: The folder or table, absolute.
        snapshot: The folder of its snapshot, whose manifest is the table of samples.
        metadata: The file that this will be written to: paths are relative to its folder.
    """
    base = metadata.parent
    named = next((item.version for item in profile.stated if item.by == "configuration"), None)
    manifest = snapshot / MANIFEST_NAME
    files = [_file(manifest, base, "manifest", "The manifest: a row a sample.")]
    sets: list[dict[str, Any]] = []
    records = [_samples(profile)]
    if dataset.is_file():
        files.append(_file(dataset, base, "table", "The samples themselves, a row each."))
        records += _table(dataset)
    else:
        tables = (
            sorted(path for path in dataset.iterdir() if path.name.lower().endswith(TABLE_SUFFIXES))
            if profile.source == "table"
            else []
        )
        files += [_file(path, base, f"table-{path.name}", "Samples, a row each.") for path in tables]
        sets += _image_sets(profile, dataset, base)
    said: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": re.sub(r"[^\w.-]+", "-", profile.name).strip("-") or "dataset",
        "description": f"{profile.n_samples:,} samples in {len(profile.splits)} split(s); "
        f"version id {profile.version_id}, by dataguard {profile.tool_version}.",
        "conformsTo": CONFORMS_TO,
        "identifier": f"blake3:{profile.version_id}",
        "distribution": files + sets,
        "recordSet": records,
    }
    if named is not None:
        # The specification asks for a semantic version; other names are kept where they do no harm.
        said |= {"version": named} if _SEMVER.fullmatch(named) else {"alternateName": f"version {named}"}
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"


def _relative(path: Path, base: Path) -> str:
    return Path(os.path.relpath(path, base)).as_posix()


def _file(path: Path, base: Path, name: str, description: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "description": description,
        "contentUrl": _relative(path, base),
        "encodingFormat": _ENCODINGS.get(path.suffix.lower(), "application/octet-stream"),
        "sha256": file_hash(path, "sha256"),
    }


def _image_sets(profile: Profile, dataset: Path, base: Path) -> list[dict[str, Any]]:
    formats = sorted(
        {
            name
            for split in profile.splits
            for item in split.categories
            if item.name == "picture: format"
            for name in item.counts
        }
    )
    below = _relative(dataset, base)
    made = []
    for name in formats:
        patterns = [f"{below}/**/*.{suffix}" for suffix in _SUFFIXES.get(name, (name,))]
        made.append(
            {
                "@type": "cr:FileSet",
                "@id": f"{name}-files",
                "name": f"{name}-files",
                "description": f"The {name} pictures.",
                "encodingFormat": _IMAGES.get(name, "application/octet-stream"),
                "includes": patterns if len(patterns) > 1 else patterns[0],
            }
        )
    return made


def _samples(profile: Profile) -> dict[str, Any]:
    facts = profile.manifest
    key = {"id": "sample_id", "row": "sample_id"}.get(facts.keys)
    columns = [
        *([(key, "sc:Text" if facts.keys == "id" else "sc:Integer", "What the sample is called.")] if key else []),
        *([] if key else [(f"key_{k}", "sc:Integer", "A hash of the sample's name.") for k in (1, 2)]),
        *((f"content_{k}", "sc:Integer", f"Half of the content's hash ({facts.content_hash}).") for k in (1, 2)),
        ("label", "sc:Text" if facts.labels == "text" else "sc:Integer", "The label."),
        ("split", "sc:Text", "The split."),
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "Every sample with its label, its split and the hash of its content.",
        "field": [_field("samples", "manifest", name, kind, said) for name, kind, said in columns],
    }


def _field(records: str, file: str, column: str, kind: str, said: str) -> dict[str, Any]:
    name = f"{records}/{quote(column, safe='')}"
    return {
        "@type": "cr:Field",
        "@id": name,
        "name": name,
        "description": said,
        "dataType": kind,
        "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
    }


def _table(path: Path) -> list[dict[str, Any]]:
    import duckdb

    reader = "read_parquet" if path.suffix.lower() == ".parquet" else "read_csv"
    if path.suffix.lower() not in _ENCODINGS:
        return []
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        try:
            described = connection.execute(f"DESCRIBE SELECT * FROM {reader}({literal(path)})").fetchall()
        except duckdb.Error:
            return []
    fields = [_field("rows", "table", str(row[0]), _data_type(str(row[1])), f"Column {row[0]!r}.") for row in described]
    return [
        {
            "@type": "cr:RecordSet",
            "@id": "rows",
            "name": "rows",
            "description": "The rows of the table.",
            "field": fields,
        }
    ]


def _data_type(kind: str) -> str:
    if kind.endswith("INT") or kind in ("INTEGER", "UINTEGER"):
        return "sc:Integer"
    if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        return "sc:Float"
    if kind == "BOOLEAN":
        return "sc:Boolean"
    return "sc:Date" if kind.startswith(("DATE", "TIMESTAMP")) else "sc:Text"
