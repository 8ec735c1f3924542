"""Imports held against what is declared: which distribution each needs, and whether some file asks for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from dataguard.environment.declared import DeclaredEnvironment, Role
from dataguard.environment.import_names import brought_along, declared_names
from dataguard.environment.imports import Import, Need, ProjectImports
from dataguard.environment.requirement import Requirement

_FROM_ADDRESS = {"cocoapi": "pycocotools", "clip": "clip", "apex": "apex", "detectron2": "detectron2"}
_BUILD = frozenset({"setuptools", "pip", "wheel"})


class Standing(Enum):
    """What is known of a distribution that code imports."""

    DECLARED = "declared"
    TRANSITIVE = "transitive"
    """Nothing asks for it, and something that is asked for brings it along."""
    DEVELOPMENT = "development"
    """Only files of tests and tools, or an extra or group, ask for it."""
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """One distribution that code imports."""

    names: tuple[str, ...]
    """Distributions that would do, the usual one first."""
    imports: tuple[Import, ...]
    standing: Standing

    @property
    def need(self) -> Need:
        """How much code that is no test needs it; of tests where nothing else imports it."""
        of_code = [item.need for item in self.imports if not item.of_tests]
        return max(of_code or [item.need for item in self.imports])

    @property
    def of_tests(self) -> bool:
        """Whether tests, documentation, examples and the build alone import it."""
        return all(item.of_tests for item in self.imports)


def address_name(url: str) -> str:
    """The distribution that an address without a name most likely gives.

    >>> address_name("git+https://github.com/cocodataset/cocoapi.git#subdirectory=PythonAPI")
    'pycocotools'
    """
    plain = re.split(r"[#?]", url.partition("://")[2] or url)[0]
    last = plain.rstrip("/").rpartition("/")[2].partition("@")[0].removesuffix(".git").lower()
    return _FROM_ADDRESS.get(last, last.replace("_", "-"))


def names_of(requirements: list[Requirement]) -> frozenset[str]:
    """All names of requirements, those of conda packages under both."""
    named = [(item.ecosystem, item.name or address_name(item.url or "")) for item in requirements]
    return declared_names(pair for pair in named if pair[1])


def judged(declared: DeclaredEnvironment, imports: ProjectImports) -> tuple[Imported, ...]:
    """Every distribution that the code imports, with its standing; the most imported first."""
    direct = [item for item in declared.requirements() if not item.group]
    running = names_of(
        [item for item in direct if not _of_development(declared, item) and not _in_lock(declared, item)]
    )
    anything = names_of([item for item in declared.requirements() if not _in_lock(declared, item)])
    locked = names_of([item for file in declared.locks for item in file.requirements])
    without_input = {
        name
        for file in declared.locks
        for name in names_of([item for item in file.requirements if not _via_others(item)])
    }
    along = brought_along(running) | locked
    found = []
    for names, items in imports.distributions.items():
        candidates = set(names)
        if candidates & (running | (without_input if not running else set())) or candidates & declared.local_names:
            standing = Standing.DECLARED
        elif candidates & anything:
            # Tests may rest on what is asked for by the files that are for them.
            tests_alone = all(item.of_tests for item in items)
            standing = Standing.DECLARED if tests_alone else Standing.DEVELOPMENT
        elif candidates & (along | brought_along(anything)):
            standing = Standing.TRANSITIVE
        else:
            standing = Standing.MISSING
        if not (candidates & _BUILD and all(item.of_tests for item in items)):
            found.append(Imported(names=names, imports=items, standing=standing))
    return tuple(sorted(found, key=lambda item: (-len(item.imports), item.names)))


def _of_development(declared: DeclaredEnvironment, item: Requirement) -> bool:
    return declared.by_path[item.path].for_development


def _in_lock(declared: DeclaredEnvironment, item: Requirement) -> bool:
    return declared.by_path[item.path].role is Role.LOCK


def _via_others(item: Requirement) -> bool:
    """Whether a lock says that only other packages asked for it."""
    return bool(item.via) and not any(via.startswith("-r") or ".in" in via or ".toml" in via for via in item.via)


IMPORT_NAMES: Mapping[str, tuple[str, ...]] = {
    "pillow": ("PIL",), "scikit-learn": ("sklearn",), "scikit-image": ("skimage",), "pyyaml": ("yaml",),
    "opencv-python": ("cv2",), "opencv-python-headless": ("cv2",), "opencv-contrib-python": ("cv2",),
    "opencv-contrib-python-headless": ("cv2",), "beautifulsoup4": ("bs4",), "python-dateutil": ("dateutil",),
    "tensorboardx": ("tensorboardX",), "ffmpeg-python": ("ffmpeg",), "pycryptodome": ("Crypto",),
    "protobuf": ("google",), "ipython": ("IPython",), "pytorch-lightning": ("pytorch_lightning",),
    "hydra-core": ("hydra",), "gitpython": ("git",), "open-clip-torch": ("open_clip",), "umap-learn": ("umap",),
    "python-louvain": ("community",), "imbalanced-learn": ("imblearn",), "nvidia-ml-py": ("pynvml",),
    "faiss-cpu": ("faiss",), "faiss-gpu": ("faiss",), "tensorflow-gpu": ("tensorflow",), "pynvml": ("pynvml",),
    "tensorflow-cpu": ("tensorflow",), "tensorflow-macos": ("tensorflow",), "dm-tree": ("tree",), "absl-py": ("absl",),
    "attrs": ("attr", "attrs"), "ruamel-yaml": ("ruamel", "ruamel_yaml"), "python-dotenv": ("dotenv",),
    "progressbar2": ("progressbar",), "psycopg2-binary": ("psycopg2",), "pyzmq": ("zmq",), "pywavelets": ("pywt",),
    "onnxruntime-gpu": ("onnxruntime",), "mmcv-full": ("mmcv",), "pillow-simd": ("PIL",), "pymupdf": ("fitz",),
    "sk-video": ("skvideo",), "image-classifiers": ("classification_models",), "levenshtein": ("Levenshtein",),
    "python-levenshtein": ("Levenshtein",), "pytorch-ignite": ("ignite",), "pyqt5": ("PyQt5",), "gdal": ("osgeo",),
    "pytorch": ("torch",), "opencv": ("cv2",), "py-opencv": ("cv2",), "pyserial": ("serial",),
}  # fmt: skip
"""What well-known distributions are imported as, where that differs from their name."""
