"""Modules that are imported by the path of their file, and what a script asks of the Python that runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized

_BY_SPEC = """
def import_file(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
"""
_BY_IMP = "\ndef import_file(name, path):\n    return imp.load_source(name, path)\n"


@pytest.mark.parametrize(
    ("asked", "first", "second"),
    [
        ("torch._six.PY3", _BY_SPEC, _BY_IMP),
        ("six.PY2", _BY_IMP, _BY_SPEC),
        ("sys.version_info[0] == 2", _BY_IMP, _BY_SPEC),
        ("sys.version_info[0] >= 3", _BY_SPEC, _BY_IMP),
    ],
)
@pytest.mark.parametrize("path", ['os.path.join(os.path.dirname(__file__), "settings", "sizes.py")', '"unknown.py"'])
def test_a_module_of_a_file_is_found(tmp_path: Path, asked: str, first: str, second: str, path: str) -> None:
    script = (
        "import imp, importlib.util, os, sys\nimport six\nimport torch\nimport numpy as np\nfrom PIL import Image\n"
    )
    script += f"if {asked}:{first.replace(chr(10), chr(10) + '    ')}\nelse:{second.replace(chr(10), chr(10) + '    ')}"
    script += f"\nsizes = import_file('settings.sizes', {path})\n"
    script += 'x = Image.open("a.jpg").convert("RGB").resize((sizes.SIDE, sizes.SIDE))\n'
    script += "model(torch.from_numpy(np.asarray(x)[None] / 255.0))\n"
    found = only(
        reading(tmp_path, {"predict.py": script, "settings/sizes.py": "SIDE = 96\n", "settings/__init__.py": ""})
    )
    assert (resized(found).height, resized(found).width) == (96, 96)


@pytest.mark.parametrize(
    "lines",
    [
        "sizes = SourceFileLoader('sizes', {path}).load_module()",
        "loader = SourceFileLoader('sizes', {path})\nsizes = types.ModuleType(loader.name)\nloader.exec_module(sizes)",
        "loader = SourceFileLoader('sizes', {path})\nspec = spec_from_loader('sizes', loader)\n\
sizes = importlib.util.module_from_spec(spec)",
        "spec = spec_from_loader('sizes', SourceFileLoader('sizes', path={path}))\n\
sizes = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(sizes)",
    ],
)
def test_a_module_that_a_loader_of_a_file_gives(tmp_path: Path, lines: str) -> None:
    script = "import importlib.util, types\nimport cv2\nfrom importlib.machinery import SourceFileLoader\n"
    script += "from importlib.util import spec_from_loader\n"
    script += lines.format(path="'settings/sizes.py'")
    script += "\nif __name__ == '__main__':\n"
    script += "    model(cv2.resize(cv2.imread('a.png'), (sizes.SIDE, sizes.SIDE))[None] / 255.0)\n"
    found = only(reading(tmp_path, {"predict.py": script, "settings/sizes.py": "SIDE = 96\n"}))
    assert (resized(found).height, resized(found).width) == (96, 96)
