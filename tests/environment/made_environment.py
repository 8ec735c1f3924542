"""Environments made of a few files, as an installer leaves them."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

SITE = Path("lib", "python3.11", "site-packages")


def digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def make_environment(root: Path, *, version: str = "3.11.4") -> Path:
    """An empty virtual environment; its site-packages."""
    site = root / SITE
    site.mkdir(parents=True, exist_ok=True)
    (root / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")
    return site


def install(
    site: Path,
    name: str,
    version: str,
    files: Mapping[str, bytes] | None = None,
    *,
    installer: str = "pip",
    record: bool = True,
    direct_url: str = "",
) -> Path:
    """Install a package; its metadata folder."""
    files = {f"{name.lower()}/__init__.py": b"x = 1\n"} if files is None else files
    meta = site / f"{name.replace('-', '_')}-{version}.dist-info"
    meta.mkdir()
    rows = []
    for path, content in files.items():
        target = site / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        rows.append(f"{path},{digest(content)},{len(content)}")
    (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: not this one\n")
    (meta / "INSTALLER").write_text(f"{installer}\n")
    if direct_url:
        (meta / "direct_url.json").write_text(direct_url)
    if record:
        own = [f"{meta.name}/{file},," for file in ("RECORD", "INSTALLER")]
        compiled = [f"{name.lower()}/__pycache__/__init__.cpython-311.pyc,,"]
        (meta / "RECORD").write_text("\n".join([*rows, *own, *compiled]) + "\n")
    return meta


def touch_later(path: Path, content: bytes) -> None:
    """Edit a file a minute after it was installed."""
    path.write_bytes(content)
    later = path.stat().st_mtime + 60
    os.utime(path, (later, later))
