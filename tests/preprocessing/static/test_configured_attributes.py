"""Values that a class hands out by name, out of a file that was read as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized, steps_of


def test_an_attribute_that_getattr_looks_up_in_a_file(tmp_path: Path) -> None:
    script = """
        import cv2, yaml
        import numpy as np

        class Params:
            def __init__(self, path):
                self.params = yaml.safe_load(open(path).read())
            def __getattr__(self, item):
                return self.params.get(item, None)

        params = Params(f"projects/{'birds'}.yml")
        image = cv2.imread("a.png")[:, :, ::-1] / 255.0
        model((image - np.array([[params.mean]])) / np.array([[params.std]]))
        """
    text = "mean: [0.5, 0.4, 0.3]\nstd: [0.2, 0.25, 0.5]\n"
    path = only(reading(tmp_path, {"predict.py": script, "projects/birds.yml": text}))
    assert path.pipeline.affine.scale == pytest.approx((1 / 51, 1 / 63.75, 1 / 127.5))
    assert path.pipeline.affine.offset == pytest.approx((-2.5, -1.6, -0.6))


def test_bytes_of_a_picture_are_no_configuration(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np
        data = np.frombuffer(open("a.png", "rb").read(), np.uint8)
        model(cv2.imdecode(data, cv2.IMREAD_COLOR) / 255.0)
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.order) == ("opencv", "BGR")


def test_a_configuration_of_many_names_that_is_copied(tmp_path: Path) -> None:
    script = """
        import torch
        import cv2
        import torch.nn.functional as F

        class Config(object):
            def __init__(self, config_dict):
                for key, val in config_dict.items():
                    self.__setattr__(key, val)
            def copy(self, new_config_dict={}):
                ret = Config(vars(self))
                for key, val in new_config_dict.items():
                    ret.__setattr__(key, val)
                return ret

        base = Config({WEIGHTS, "max_size": 300, "keep": False})
        cfg = base.copy({"max_size": 550})
        side = (weights.height, weights.width) if cfg.keep else (cfg.max_size, cfg.max_size)
        x = torch.from_numpy(cv2.imread(path)).float().permute(2, 0, 1)[None]
        model(F.interpolate(x, side, mode="bilinear") / 255)
        """
    weights = ", ".join(f'"weight_{number}": {number}' for number in range(90))
    script = script.replace("WEIGHTS", weights)
    step = resized(only(reading(tmp_path, {"predict.py": script})))
    assert (step.height, step.width) == (550, 550)


IMPORTS = "import cv2, torch\nimport settings\n"
ASKED = "if __name__ == '__main__':\n    main()\n"
SETTINGS = """
    class Settings:
        side = 96

    opt = Settings()
    sides = {"side": 96}
    listed = [96]
    plain = 96
    """


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("settings.opt.side = 32", "opt.side"),
        ("settings.Settings.side = 32", "opt.side"),
        ("settings.sides['side'] = 32", "sides['side']"),
        ("settings.listed[0] = 32", "listed[0]"),
        ("settings.listed.insert(0, 32)", "listed[0]"),
        ("settings.plain = 32", "plain"),
        ("if torch.cuda.is_available():\n        settings.plain = 32", "plain"),
    ],
)
@pytest.mark.parametrize("scripts", [("first.py", "second.py"), ("earlier.py", "first.py", "second.py")])
def test_what_one_script_sets_in_a_module_is_not_seen_by_another(
    tmp_path: Path, written: str, read: str, scripts: tuple[str, ...]
) -> None:
    files = dict.fromkeys(scripts[:-1], IMPORTS + f"def main():\n    {written}\n{ASKED}")
    fed = f"model(cv2.resize(cv2.imread('a.png'), (settings.{read}, settings.{read}))[None] / 255.0)"
    files |= {"settings.py": SETTINGS, scripts[-1]: IMPORTS + f"def main():\n    {fed}\n{ASKED}"}
    assert resized(only(reading(tmp_path, files))).height == 96


def test_what_one_module_sets_in_another_stays(tmp_path: Path) -> None:
    imports = IMPORTS + "from sides import NAME\n"
    fed = "model(cv2.resize(cv2.imread('a.png'), (settings.opt.side, settings.plain))[None] / 255.0)"
    files = {
        "settings.py": SETTINGS,
        "sides.py": "import settings\nNAME = 'sides'\nsettings.opt.side = 64\nsettings.plain = 48\n",
        "first.py": f"{IMPORTS}def main():\n    print(settings.plain)\n    from sides import NAME\n{ASKED}",
        "second.py": f"{imports}def main():\n    {fed}\n{ASKED}",
    }
    step = resized(only(reading(tmp_path, files)))
    assert (step.width, step.height) == (64, 48)


_SETTINGS = """
    class Inner:
        side = 96

    class Settings:
        side = 96

    class Whole:
        def __init__(self):
            self.inner = Inner()

    opt = Settings()
    whole = Whole()
    """
_READING = """
    import cv2, torch
    from settings import Settings, opt, whole
    {changed}
    if __name__ == "__main__":
        image = cv2.resize(cv2.imread("a.png"), (opt.side, Settings.side))
        image = cv2.resize(image, (whole.inner.side, getattr(opt, "new", 96)))
        model(torch.from_numpy(image[None] / 255.0))
    """


@pytest.mark.parametrize("before", [[], ["a.py"]])
def test_a_script_that_sets_something_leaves_it_as_it_was_for_the_next(tmp_path: Path, before: list[str]) -> None:
    changed = "Settings.side, opt.side, whole.inner.side, opt.new = 32, 16, 8, 4"
    files = {
        "settings.py": _SETTINGS,
        "b.py": _READING.format(changed=changed),
        "c.py": _READING.format(changed="pass"),
    }
    files |= {name: _READING.format(changed="pass") for name in before}
    found = {
        path.name: [(step.height, step.width) for step in steps_of(path)]
        for path in reading(tmp_path, files).paths
        if path.reachable
    }
    # What is resized to the size that it has already is no step.
    assert found == {"b.py": [(32, 16), (4, 8)], **{name: [(96, 96)] for name in ["c.py", *before]}}
