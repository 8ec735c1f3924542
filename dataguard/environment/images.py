"""Digests of the base images that Docker on this machine holds; no registry is asked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dataguard.environment.declared import BaseImage


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalImages:
    """Images that are known by digest."""

    digests: Mapping[str, str] = field(default_factory=dict)
    """``sha256:…`` by name with tag, as ``python:3.11-slim``; the digest in the registry that it came from."""


def image_name(image: BaseImage) -> str:
    """The name with its tag, as a FROM line gives it, ``latest`` where it gives none."""
    return f"{image.image}:{image.tag or 'latest'}"


def local_images(images: Iterable[BaseImage], *, timeout: float = 3.0) -> LocalImages | str:
    """Ask Docker on this machine for digests; or why it does not tell.

    Args:
        images: Those that are looked for.
        timeout: Seconds that it may take.
    """
    names = sorted({image_name(image) for image in images if not image.digest and not image.unresolved})
    program = shutil.which("docker")
    if program is None or not names:
        return LocalImages() if program else "Docker is not installed"
    command = [program, "image", "inspect", "--format", "{{json .RepoTags}} {{json .RepoDigests}}", "--", *names]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"Docker did not answer within {timeout:g} s"
    except OSError as error:
        return f"Docker could not be run: {error.strerror or error}"
    return LocalImages(digests=read_images(done.stdout.decode("utf-8", "replace")))


def read_images(text: str) -> dict[str, str]:
    """Digests by name, of an answer of ``docker image inspect``.

    >>> read_images('["python:3.11"] ["python@sha256:' + "0" * 64 + '"]')["python:3.11"][:10]
    'sha256:000'
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        try:
            tags, at = json.JSONDecoder().raw_decode(line)
            digests = json.loads(line[at:])
        except ValueError:
            continue
        for tag in tags or ():
            name = tag.rpartition(":")[0]
            of_name = [item.rpartition("@")[2] for item in digests or () if item.rpartition("@")[0] == name]
            if len(of_name) == 1 and re.fullmatch(r"sha256:[0-9a-f]{64}", of_name[0]):
                found[tag] = of_name[0]
    return found
