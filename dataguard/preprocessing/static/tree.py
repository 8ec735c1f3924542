"""The files of a repository, in a folder or an archive, and its modules, of which none is imported."""

from __future__ import annotations

import ast
import errno
import posixpath
import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from dataguard.core.errors import SourceError
from dataguard.core.project_files import is_foreign, walk
from dataguard.core.python_files import PythonFiles
from dataguard.core.python_source import PythonSource, decode

SUFFIXES = frozenset({".py", ".ipynb", ".yaml", ".yml", ".json", ".toml", ".txt", ".cfg", ".md", ".ini", ".lock"})
LARGEST_FILE = 8 * 2**20
"""Bytes of a file of code or configuration."""
MOST_LINES = 400_000
"""Lines of code that are parsed: their syntax trees take some 1.3 kB each."""
LARGEST_NOTEBOOK = 64 * 2**20
MOST_FILES = 100_000


class Module:
    """A module of the repository: parsed when it is first asked for, and evaluated by the interpreter."""

    def __init__(self, path: str, load: Callable[[], PythonSource | None]) -> None:
        self.path = path
        """Relative to the repository, with slashes."""
        self._load = load
        self._source: PythonSource | None = None
        self._loaded = False
        self.names: dict[str, Any] = {}
        """What its names stand for."""
        self.main = False
        """Whether it is run as a script."""
        self.apart = False
        """Whether it is a script that is followed as a module: what it sets in others is for what it defines alone."""
        self.state: str = "new"
        """'new', 'running' or 'done'."""
        self.places: dict[int, str] = {}
        """'file:line' by the number of a node's line, as far as it was asked for."""

    @property
    def source(self) -> PythonSource | None:
        """Its syntax; None where it cannot be read."""
        if not self._loaded:
            self._loaded = True
            self._source = self._load()
        return self._source

    @property
    def body(self) -> list[ast.stmt]:
        """Its statements."""
        return self.source.tree.body if self.source is not None else []

    @property
    def is_notebook(self) -> bool:
        """Whether it is a notebook."""
        return self.path.endswith(".ipynb")

    def place(self, number: int) -> str:
        """'file:line' of a node's line number; 0 for the file as a whole."""
        if number not in self.places:
            self.places[number] = f"{self.path}:{self.line(number) if number else 1}"
        return self.places[number]

    def line(self, number: int) -> int:
        """The line of the file that a node's line number means."""
        if self.source is None or not self.is_notebook:
            return number
        place = self.source.place(number)
        return place.line if place.line is not None else number

    @property
    def package(self) -> str:
        """The folder that its relative imports start from."""
        return str(PurePosixPath(self.path).parent).replace(".", "") if "/" in self.path else ""


class Tree:
    """A repository's files by their relative paths.

    Args:
        root: A folder, a wheel or a zip.
        files: Reads the code of a folder, each file once; by default made for this.

    Raises:
        SourceError: there is nothing, or the file is no archive.
    """

    def __init__(self, root: Path, files: PythonFiles | None = None) -> None:
        self.root = root
        self.files = files or PythonFiles()
        self.skipped: list[tuple[str, str]] = []
        self._archive: zipfile.ZipFile | None = None
        self.added: list[str] = []
        """Folders that scripts add to the path that modules are looked for on."""
        self.held: dict[str, bytes] = {}
        """Files that were read once and are parsed later."""
        self._defining: dict[str, list[Module]] = {}
        self.sizes: dict[str, int] = {}
        if root.is_dir():
            self.sizes = dict(self._folder())
        elif root.is_file():
            try:
                self._archive = zipfile.ZipFile(root)
            except (zipfile.BadZipFile, OSError, ValueError) as error:
                raise SourceError(
                    f"is no zip archive: {error}", where=root, hint="give a folder, a wheel or a zip"
                ) from error
            self.sizes = dict(self._members())
        else:
            raise SourceError("there is no such folder or archive", where=root, hint="check the path")
        self.modules: dict[str, Module] = {
            path: Module(path, self._loader(path)) for path in self.sizes if path.endswith((".py", ".ipynb"))
        }
        self._by_tail: dict[str, list[str]] = {}
        for path in self.modules:
            if path.endswith(".py"):
                parts = path[:-3].split("/")
                tail = parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]
                self._by_tail.setdefault(tail, []).append(path)
        self.read_lines = 0
        self.read_files = 0

    def close(self) -> None:
        """Close the archive."""
        if self._archive is not None:
            self._archive.close()

    def _folder(self) -> Iterator[tuple[str, int]]:
        count = 0
        for folder, files in walk(self.root):
            within = folder.relative_to(self.root).as_posix()
            for name in files:
                if _suffix(name) not in SUFFIXES and not _is_pin_file(name):
                    continue
                relative = name if within == "." else f"{within}/{name}"
                try:
                    found = (folder / name).stat()
                except OSError as error:
                    # A link to nothing or to itself is no file.
                    if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                        self.skipped.append((relative, f"cannot be read: {error.strerror}"))
                    continue
                if not stat.S_ISREG(found.st_mode):
                    continue
                count += 1
                if count > MOST_FILES:
                    self.skipped.append((relative, f"more than {MOST_FILES:,} files"))
                    return
                yield relative, found.st_size

    def _members(self) -> Iterator[tuple[str, int]]:
        members = self._archive.infolist() if self._archive is not None else []
        # A zip of a hosting site has one folder at its top, which is not part of the repository.
        tops = {one.filename.split("/")[0] for one in members}
        self._prefix = f"{next(iter(tops))}/" if len(tops) == 1 and all("/" in one.filename for one in members) else ""
        for member in members[:MOST_FILES]:
            name = member.filename.removeprefix(self._prefix).replace("\\", "/")
            parts = name.split("/")
            if member.is_dir() or any(map(is_foreign, parts[:-1])) or name.startswith("/") or ".." in parts:
                continue
            if _suffix(name) in SUFFIXES:
                yield name, member.file_size

    def read(self, path: str) -> bytes | None:
        """A file's bytes; None where it cannot be read or is too large, which is noted."""
        limit = LARGEST_NOTEBOOK if path.endswith(".ipynb") else LARGEST_FILE
        if self.sizes.get(path, limit + 1) > limit:
            if path in self.sizes:
                self.skipped.append((path, f"larger than {limit:,} bytes"))
            return None
        try:
            if self._archive is not None:
                with self._archive.open(self._prefix + path) as file:
                    data = file.read(limit + 1)
            else:
                with (self.root / path).open("rb") as file:
                    data = file.read(limit + 1)
        except (OSError, KeyError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
            self.skipped.append((path, f"cannot be read: {error}"))
            return None
        except Exception as error:  # noqa: BLE001 - zlib's own error has no common base with the others
            self.skipped.append((path, f"cannot be read: {type(error).__name__}"))
            return None
        if len(data) > limit:
            self.skipped.append((path, f"larger than {limit:,} bytes"))
            return None
        return data

    def text(self, path: str) -> str | None:
        """A file's text."""
        data = self.read(path)
        return None if data is None else decode(data) if path.endswith(".py") else data.decode("utf-8", "replace")

    def template(self, path: str) -> str | None:
        """The one file that a README says to copy for one that is not there: 'sample_config.ini' for 'config.ini'."""
        folder, _, name = path.rpartition("/")
        found = [one for one in self.sizes if _TEMPLATE_WORD.sub("", one.rpartition("/")[2]) == name]
        found = [one for one in found if one.rpartition("/")[0].endswith(folder)]
        if len(found) != 1:
            return None
        readmes = [one for one in self.sizes if one.lower().endswith("readme.md")]
        named = found[0].rpartition("/")[2]
        return found[0] if any(named in (self.text(one) or "") for one in readmes[:8]) else None

    def defining(self, name: str) -> list[Module]:
        """The modules of whose files one line defines a function of this name; what was read is searched once."""
        if not self._defining:
            for path, module in self.modules.items():
                data = self.held.get(path)
                if data is not None:
                    names = {match.decode("ascii", "replace") for match in _DEFINED.findall(b"\n" + data)}
                else:
                    body = module.body if module.state != "new" else []
                    names = {one.name for one in body if isinstance(one, ast.FunctionDef)}
                for one in names:
                    self._defining.setdefault(one, []).append(module)
        return self._defining.get(name, [])

    def _loader(self, path: str) -> Callable[[], PythonSource | None]:
        def load() -> PythonSource | None:
            data = self.held.pop(path, None) or self.read(path)
            if data is None:
                return None
            if self.read_lines > MOST_LINES:
                self.skipped.append((path, f"more than {MOST_LINES:,} lines of code were parsed before it"))
                return None
            try:
                source = self.files.read(self.root / path, name=path, data=data)
            except (SourceError, RecursionError, MemoryError, ValueError) as error:
                self.skipped.append((path, f"cannot be parsed: {error}"))
                return None
            self.read_files += 1
            self.read_lines += data.count(b"\n") + 1
            lost = source.lost
            if lost:
                self.skipped.append((path, f"{sum(one.n_lines for one in lost)} lines do not parse: {lost[0].reason}"))
            return source

        return load

    @cached_property
    def names(self) -> frozenset[str]:
        """What the repository itself may be imported as: its folder's name, and the name in setup.py."""
        found = {self.root.stem.rpartition("__")[2]}
        text = self.text("setup.py") if "setup.py" in self.sizes else None
        found |= set(re.findall(r"""\bname\s*=\s*["']([\w.-]+)["']""", text or ""))
        return frozenset(one.replace("-", "_").lower() for one in found)

    def resolve(self, dotted: str, origin: str) -> Module | None:
        """The module that an absolute import means in a file; None where it is no module of the repository.

        The file's own folder and its parents come first, as ``python folder/script.py`` has them; then every folder
        from which the whole dotted name is a path.
        """
        parts = dotted.split(".")
        folder = origin.rpartition("/")[0]
        while True:
            found = self._at(folder, parts)
            if found is not None and not (parts[0] in LIBRARIES and self._is_library(folder, parts, origin)):
                return found
            if not folder:
                break
            folder = folder.rpartition("/")[0]
        for one in self.added if parts[0] in LIBRARIES else ():
            found = self._at(one, parts)
            if found is not None:
                return found
        if "__init__.py" in self.modules and parts[0].lower() in self.names:
            # A file of the repository's own name is meant rather than the repository itself.
            named = [path for path in self._by_tail.get(parts[0], ()) if path.endswith(f"/{parts[0]}.py")]
            if len(parts) > 1 or not named:
                found = self._at("", parts[1:]) if len(parts) > 1 else self.modules["__init__.py"]
                if found is not None:
                    return found
        if parts[0] in LIBRARIES and not (len(parts) > 1 and parts[0] in OFTEN_LOCAL):
            return None
        tails = ["/" + "/".join(parts) + ".py", "/" + "/".join(parts) + "/__init__.py"]
        fits = [path for path in self._by_tail.get(parts[-1], ()) if path.endswith(tuple(tails))]
        # A package's module of its own name is asked for as a part of the package.
        packages = {path.removesuffix("/__init__.py") for path in fits if path.endswith("/__init__.py")}
        fits = [path for path in fits if path.rpartition("/")[0] not in packages or path.endswith("/__init__.py")]
        if not fits:
            return None
        best = max(fits, key=lambda path: (_shared(path, origin), -len(path)))
        return self.modules[best]

    def _is_library(self, folder: str, parts: list[str], origin: str) -> bool:
        """Whether a file means the library, though a module beside it is called like that.

        Within a package of that name, 'net/torch/', it does; and in any package, for a package's own modules are
        asked for by its name. Folders that are often called so, and files of a script's own folder, are meant.
        """
        package = f"{folder}/{parts[0]}/"
        if origin.startswith(package) and package.count("/") > 1 and f"{package}__init__.py" in self.modules:
            return True
        return bool(folder) and parts[0] not in OFTEN_LOCAL and f"{folder}/__init__.py" in self.modules

    def _at(self, folder: str, parts: list[str]) -> Module | None:
        base = "/".join([folder, *parts]) if folder else "/".join(parts)
        return self.modules.get(base + ".py") or self.modules.get(base + "/__init__.py")

    def folder(self, path: str, origin: str) -> str | None:
        """The folder of the repository that a path means in a file: beside it, or from the top; None for none."""
        for base in (origin.rpartition("/")[0], ""):
            found = posixpath.normpath(posixpath.join(base, path))
            if found in self._folders:
                return found
        return None

    def within(self, folder: str) -> Sequence[str]:
        """The files of a folder, without those of folders in it; '' for the repository itself."""
        return self._by_folder.get(folder, ())

    def ending(self, path: str) -> list[str]:
        """The files in folders whose paths end with these words: 'a/b.yaml' of 'b.yaml'."""
        return [one for one in self._by_name.get(path.rpartition("/")[2], ()) if one.endswith(f"/{path}")]

    @cached_property
    def _by_folder(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in self.sizes:
            found.setdefault(path.rpartition("/")[0], []).append(path)
        return found

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in self.sizes:
            found.setdefault(path.rpartition("/")[2], []).append(path)
        return found

    def has_folder(self, dotted: str, origin: str) -> bool:
        """Whether a dotted name is a folder with modules in it, beside the file or its parents."""
        tail = dotted.replace(".", "/")
        folder = origin.rpartition("/")[0]
        return tail in self._folders or f"{folder}/{tail}" in self._folders

    @cached_property
    def _folders(self) -> frozenset[str]:
        """All folders with modules in them, or in folders below."""
        return frozenset(str(folder) for path in self.modules for folder in PurePosixPath(path).parents)

    def forget(self) -> None:
        """Let every module be followed anew: what a configuration changed in it was of that configuration."""
        for module in self.modules.values():
            if module.state == "done":
                module.state, module.names = "new", {}

    def relative(self, origin: str, level: int, name: str) -> Module | None:
        """The module that ``from ..name import`` means in a file."""
        folder = origin.rpartition("/")[0]
        for _ in range(level - 1):
            folder = folder.rpartition("/")[0]
        parts = name.split(".") if name else []
        if not parts:
            return self.modules.get(f"{folder}/__init__.py" if folder else "__init__.py")
        return self._at(folder, parts)


def _shared(a: str, b: str) -> int:
    """How many folders two paths have in common."""
    count = 0
    for x, y in zip(a.split("/"), b.split("/"), strict=False):
        if x != y:
            break
        count += 1
    return count


def _suffix(name: str) -> str:
    """A name's ending, of a template's that of what it is copied to: '.yml' of 'config.yml.example'."""
    dot = name.rfind(".")
    if dot > 0 and name[dot:] in _TEMPLATES:
        name = name[:dot]
        dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


_DEFINED = re.compile(rb"\n[ \t]*def (\w+)\(")
_TEMPLATE_WORD = re.compile(
    r"(?i)^(sample|example|template|default)[._-]|[._-](sample|example|template|dist|default)(?=[._]|$)"
)
_TEMPLATES = frozenset({".example", ".sample", ".template", ".dist", ".default"})


def _is_pin_file(name: str) -> bool:
    return bool(re.match(r"(requirements|environment|pipfile|poetry|uv)", name.lower())) or name == "Dockerfile"


OFTEN_LOCAL = frozenset({"datasets", "clip", "timm", "open_clip"})
"""Names of libraries that repositories also give to folders of their own: believed where the whole path is there."""

LIBRARIES = frozenset(
    [
        "cv2",
        "PIL",
        "numpy",
        "torch",
        "torchvision",
        "tensorflow",
        "keras",
        "skimage",
        "imageio",
        "matplotlib",
        "scipy",
        "sklearn",
        "pandas",
        "albumentations",
        "timm",
        "transformers",
        "open_clip",
        "clip",
        "mmcv",
        "mmdet",
        "mmengine",
        "kornia",
        "paddle",
        "jax",
        "flax",
        "onnxruntime",
        "onnx",
        "openvino",
        "tritonclient",
        "os",
        "sys",
        "re",
        "json",
        "yaml",
        "time",
        "math",
        "random",
        "glob",
        "argparse",
        "logging",
        "collections",
        "functools",
        "itertools",
        "pathlib",
        "typing",
        "copy",
        "shutil",
        "subprocess",
        "pickle",
        "urllib",
        "io",
        "gradio",
        "streamlit",
        "flask",
        "fastapi",
        "lmdb",
        "h5py",
        "datasets",
        "huggingface_hub",
    ]
)
"""Libraries that a file of the same name somewhere in a repository does not stand for."""
