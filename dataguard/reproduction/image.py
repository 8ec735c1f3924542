"""The image that a container is made of: which one it is, what is in it, and one with a lock's packages in it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
import os
import platform
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dataguard.core.containers import Box, Engine, engine_errors
from dataguard.core.errors import ConfigurationError, DataguardError, SourceError
from dataguard.core.progress import Progress, silent
from dataguard.core.resources import read_template
from dataguard.environment.bundled import BundledLibrary, system_libraries
from dataguard.reproduction.leftovers import scratch
from dataguard.reproduction.lock import Lock

PACKAGES = "/dataguard/packages"
"""Where packages lie in a container, and in an image that was built with them."""
LABEL = "dataguard.packages"
"""Label of an image that was built with packages: the hash of what was asked for."""
ARCHIVE = "dataguard.archive"
"""Label of a base image that was made from an archive: the archive's SHA-256. Such an image has no digest."""
TEMPLATE = "Dockerfile.reproduce"
_LOOKING = 60.0
"""Seconds that looking into an image may take: a slow disk may have to read Python first."""
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "arm": "armv7l"}
"""Docker's names of processors, and the kernel's."""

_INSIDE = """
import json, os, platform, re, shutil, sys
names = re.compile(sys.argv[1])
found = {
    "python": platform.python_version(),
    "implementation": platform.python_implementation(),
    "compiler": platform.python_compiler(),
    "machine": platform.machine(),
    "libc": "",
    "system": "",
    "paths": sys.path,
}
try:
    found["libc"] = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (ValueError, OSError):
    found["libc"] = "musl" if any(name.startswith("ld-musl") for name in os.listdir("/lib")) else ""
try:
    with open("/etc/os-release") as stream:
        for line in stream:
            if line.startswith("PRETTY_NAME="):
                found["system"] = line.partition("=")[2].strip().strip('"')
except OSError:
    pass
machine = platform.machine()
for folder in ("/usr/lib/%s-linux-gnu" % machine, "/usr/lib64", "/usr/lib", "/usr/local/lib"):
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        if names.match(name) and ".so" in name and os.path.isfile(path) and not os.path.islink(path):
            os.makedirs("/dataguard/out" + folder, 0o777, exist_ok=True)
            shutil.copyfile(path, "/dataguard/out" + path)
json.dump(found, sys.stdout)
"""
"""What an image's Python says of itself; the libraries that decode or calculate are copied out, to be read here."""
_LIBRARIES = r"lib(turbo)?(jpeg|png|z|tiff|mkl_core|mkl_rt|dnnl|openblas|cblas|blis|webp)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """An image that is there, and what its Python says."""

    name: str
    """As it was asked for."""
    id: str
    """``sha256:…`` of its configuration, which names its layers by their hashes."""
    digest: str
    """``name@sha256:…`` of the registry that it came from; '' where it came from none."""
    archive: str
    """``sha256:…`` of the archive that it was made from; '' where nothing says."""
    packages: str
    """The hash of the packages that are built into it; '' for a base image."""
    machine: str
    """'x86_64', 'aarch64', …"""
    python: str
    """'3.11.2'."""
    implementation: str
    compiler: str
    system: str
    """'Debian GNU/Linux 12 (bookworm)'."""
    libc: str
    """'glibc 2.36'; 'musl'."""
    variables: Mapping[str, str]
    """Those that the image sets."""
    libraries: tuple[BundledLibrary, ...]
    """The system's libraries that decode or calculate."""

    @property
    def minor(self) -> str:
        """The first two numbers of its Python."""
        return ".".join(self.python.split(".")[:2])

    @property
    def facts(self) -> Mapping[str, str]:
        """What a lock holds of it."""
        told = {"image": self.name, "image id": self.id, "image digest": self.digest, "image archive": self.archive}
        return {key: value for key, value in told.items() if value}

    @property
    def words(self) -> str:
        """It, for a person: the name that is the same on other machines, where it has one."""
        return self.digest or f"{self.name} ({self.id[:19]})"


def chosen_image(engine: Engine, lock: Lock | None, name: str | None) -> str:
    """The name of the image to run in: the named one, the lock's own, or the one that ``docker/engine.sh`` makes.

    Raises:
        ConfigurationError: it is not there; nothing is pulled.
    """
    if name:
        engine.image_id(name)
        return name
    runner = {} if lock is None else lock.runner
    for candidate in (*(runner.get(key, "") for key in ("image digest", "image id", "image")), base_name()):
        if candidate:
            with contextlib.suppress(ConfigurationError):
                engine.image_id(candidate)
                return candidate
    minor = ".".join((platform.python_version() if lock is None else lock.environment.python.version).split(".")[:2])
    raise ConfigurationError(
        "there is no image to run it in, and nothing is pulled without being asked for",
        where=runner.get("image") or base_name(),
        hint=f"docker pull python:{minor}-slim, and say --image python:{minor}-slim; or, on Debian without a registry, "
        "run docker/engine.sh as root",
    )


def base_name() -> str:
    """What ``docker/engine.sh`` calls its image on this machine."""
    release = ""
    with contextlib.suppress(OSError):
        for line in Path("/etc/os-release").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("VERSION_CODENAME="):
                release = line.partition("=")[2].strip().strip('"')
    return os.environ.get("DATAGUARD_BASE_IMAGE") or f"dataguard-base:{release or 'base'}"


def look_inside(engine: Engine, name: str, lock: Lock | None, *, gpus: bool = False) -> Image:
    """What is in an image.

    Args:
        engine: Where it is.
        name: The image.
        lock: What is to run in it; None where that is yet to be locked.
        gpus: Whether a container of it is given the graphics cards, so that a machine without says so at once.

    Raises:
        ConfigurationError: it is for another processor than this machine or the lock, or has no Python.
    """
    found = engine.client.images.get(engine.image_id(name))
    attributes: Mapping[str, Any] = found.attrs
    architecture = str(attributes.get("Architecture", ""))
    machine = _MACHINES.get(architecture, architecture)
    _refuse_other_processor(machine, name, lock)
    settings: Mapping[str, Any] = attributes.get("Config") or {}
    with scratch() as folder:
        out = folder / "out"
        out.mkdir()
        # Inside a folder that only this user enters.
        out.chmod(0o777)
        box = Box(
            image=str(found.id),
            command=("python3", "-c", f"import os; os.umask(0)\n{_INSIDE}", _LIBRARIES),
            writable={out: "/dataguard/out"},
            gpus=gpus,
        )
        try:
            ending = engine.run(box, timeout=_LOOKING)
            told = json.loads(ending.output)
        except ValueError:
            said = ending.errors.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise ConfigurationError(
                f"its Python cannot be asked: {said[0] if said else f'exit code {ending.code}'}",
                where=name,
                hint="take an image for this processor with python3, as python:3.11-slim",
            ) from None
        libraries = system_libraries(machine, out)
    labels = settings.get("Labels") or {}
    return Image(
        name=name,
        id=str(found.id),
        digest=next(iter(attributes.get("RepoDigests") or ()), ""),
        archive=str(labels.get(ARCHIVE, "")),
        packages=str(labels.get(LABEL, "")),
        machine=machine or str(told["machine"]),
        python=str(told["python"]),
        implementation=str(told["implementation"]),
        compiler=str(told["compiler"]),
        system=str(told["system"]),
        libc=str(told["libc"]),
        variables=dict(item.partition("=")[::2] for item in settings.get("Env") or ()),
        libraries=libraries,
    )


def _refuse_other_processor(machine: str, name: str, lock: Lock | None) -> None:
    locked, here = "" if lock is None else lock.environment.processor.architecture, platform.machine()
    if locked and locked != here:
        raise SourceError(
            f"the lock is of {locked}, and this machine is {here}",
            where="dataguard.lock",
            hint="packages of the one do not run on the other; run it there, or with --runner here",
        )
    if machine and machine != here:
        raise ConfigurationError(
            f"the image is for {machine}, and this machine is {here}",
            where=name,
            hint=f"take one for {here}: results of an emulated processor are not those of a real one",
        )


def built_image(
    engine: Engine, base: Image, packages: Path, requirements: str, key: str, *, progress: Progress = silent
) -> str:
    """The id of an image with a folder of packages in it, built from ``docker/Dockerfile.reproduce`` where it is not.

    Args:
        engine: Where to build it.
        base: What it is built on.
        packages: The folder of packages.
        requirements: The requirements file that they were installed from, which is kept in the image.
        key: The hash of the packages.
        progress: Told that it builds.

    Raises:
        DataguardError: it cannot be built.
    """
    tag = f"dataguard-reproduce:{key[:24]}-{base.id.removeprefix('sha256:')[:12]}"
    with contextlib.suppress(ConfigurationError):
        return engine.image_id(tag)
    progress("building the image", 0, None)
    labels = {LABEL: key, ARCHIVE: base.archive, "dataguard.base": base.digest or base.id}
    try:
        with _context(packages, requirements) as stream:
            image, _ = engine.client.images.build(
                fileobj=stream,
                custom_context=True,
                tag=tag,
                buildargs={"BASE": base.id},
                labels=labels,
                network_mode="none",
                pull=False,
                rm=True,
                forcerm=True,
            )
    except engine_errors() as error:
        raise DataguardError(
            f"the image cannot be built: {' '.join(str(error).split())[:300]}",
            where=tag,
            hint="is the engine's disk full? docker system df",
        ) from error
    return str(image.id)


@contextlib.contextmanager
def _context(packages: Path, requirements: str) -> Iterator[BinaryIO]:
    """What an image is built from, as a tar file that is written while it is read: it may have gigabytes."""
    reading, writing = os.pipe()

    def write() -> None:
        # Where the engine gives up, there is nobody to read it.
        with (
            contextlib.suppress(BrokenPipeError),
            os.fdopen(writing, "wb") as stream,
            tarfile.open(fileobj=stream, mode="w|") as archive,
        ):
            _add(archive, "Dockerfile", read_template(TEMPLATE).encode())
            _add(archive, "requirements.txt", requirements.encode())
            archive.add(packages, "packages", filter=functools.partial(_anonymous, timeless=bool(requirements)))

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    with os.fdopen(reading, "rb") as stream:
        yield stream
    writer.join()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o644
    archive.addfile(entry, io.BytesIO(content))


def _anonymous(entry: tarfile.TarInfo, *, timeless: bool) -> tarfile.TarInfo:
    """Readable by every user, without owner; and without time, so that the same packages make the same layer.

    What Python compiled in an environment of this machine holds only at the time that the file has.
    """
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0 if timeless else int(entry.mtime)
    entry.mode |= 0o555 if entry.isdir() or entry.mode & 0o100 else 0o444
    return entry


def with_packages(base: Image, name: str, identity: str, packages: str) -> Image:
    """The same image with packages in it."""
    return dataclasses.replace(base, name=name, id=identity, digest="", packages=packages)
