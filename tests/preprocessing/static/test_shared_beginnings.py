"""What is the same on all of several ways is kept; and what is by chance in all but name."""

from __future__ import annotations

from pathlib import Path

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.static.values import SIZES
from dataguard.preprocessing.steps import Pad, Random, Resize
from tests.preprocessing.static.repositories import steps_of, trained


def item(folder: Path, body: str) -> FoundPath:
    """The path of a data set of which one item is made so."""
    opened = 'entry = self.entries[index]\nimage = cv2.imread(entry["image"])'
    return trained(folder, f"{opened}\n{body}\nreturn image.astype(np.float32) - 117.0")


def test_a_resize_before_borders_of_several_kinds(tmp_path: Path) -> None:
    found = item(tmp_path, """image = cv2.resize(image, (600, 600))
if self.ratios[index] < 1:
    image = cv2.copyMakeBorder(image, 0, 100, 0, 0, cv2.BORDER_CONSTANT, value=0)
elif self.ratios[index] > 1:
    image = cv2.copyMakeBorder(image, 0, 0, 0, 100, cv2.BORDER_CONSTANT, value=0)
else:
    image = image[:500, :500]""")  # fmt: skip
    resize, *rest = steps_of(found)
    assert isinstance(resize, Resize)
    assert (resize.height, resize.engine) == (600, "opencv")
    assert rest
    assert all(one.rule is None and one.undetermined for one in rest)


def test_borders_without_anything_before_them_stay_open(tmp_path: Path) -> None:
    found = item(tmp_path, """if self.ratios[index] < 1:
    image = cv2.resize(image, (600, 600))
else:
    image = cv2.resize(image, (300, 300), interpolation=cv2.INTER_AREA)[:, :200]""")  # fmt: skip
    assert found.pipeline.geometry is None


def test_an_entry_that_says_whether_it_is_mirrored(tmp_path: Path) -> None:
    found = item(tmp_path, 'if entry["flipped"]:\n    image = image[:, ::-1, :]')
    assert [(type(one), one.name) for one in steps_of(found)] == [(Random, "flip")]


def test_chance_among_one(tmp_path: Path) -> None:
    found = item(tmp_path, "size = random.choice([512])\nimage = cv2.resize(image, (size, size))")
    assert steps_of(found)[0].height == 512
    by_index = "sizes = (512,)\nsize = sizes[np.random.randint(0, 1)]\nimage = cv2.resize(image, (size, size))"
    assert steps_of(item(tmp_path / "other", by_index))[0].height == 512


def test_a_border_up_to_a_size_of_chance_moves_nothing_by_chance(tmp_path: Path) -> None:
    found = item(tmp_path, """side = random.choice([320, 416, 608])
h, w = image.shape[:2]
scale = min(side / w, side / h)
small = cv2.resize(image, (int(scale * w), int(scale * h)))
canvas = np.full((side, side, 3), 128.0)
top = (side - int(scale * h)) // 2
canvas[top:top + int(scale * h), :int(scale * w)] = small
image = canvas""")  # fmt: skip
    assert [one.name for one in steps_of(found)] == ["resize", "pad"]


def test_a_shorter_side_whose_limit_is_rounded_twice(tmp_path: Path) -> None:
    found = item(tmp_path, """h, w = image.shape[:2]
size = 800
if float(max(w, h)) / float(min(w, h)) * size > 1333:
    size = int(round(1333 * float(min(w, h)) / float(max(w, h))))
oh, ow = (int(size * h / w), size) if w < h else (size, int(size * w / h))
image = cv2.resize(image, (ow, oh))""")  # fmt: skip
    (step,) = steps_of(found)
    assert (step.rule, step.side, step.longest) == ("short", 800, 1333)
    assert all(abs(max(step.target(*one)) - 1333) <= 1 for one in SIZES if max(one) / min(one) > 2)


def test_the_largest_of_several_shapes(tmp_path: Path) -> None:
    found = item(tmp_path, """images = [cv2.resize(image, (64, 32))]
largest = np.array([one.shape for one in images]).max(axis=0)
blob = np.zeros((1, largest[0], largest[1], 3), dtype=np.float32)
for i in range(len(images)):
    blob[i, 0:images[i].shape[0], 0:images[i].shape[1], :] = images[i]
image = blob""")  # fmt: skip
    assert not any(isinstance(one, Pad) for one in steps_of(found))


def test_what_is_left_alone_as_it_has_its_size_already(tmp_path: Path) -> None:
    found = item(tmp_path, """image = cv2.resize(image, None, fx=random.uniform(0.5, 2), fy=1.0)
h, w = image.shape[:2]
if not (w == 512 and h == 512):
    image = image[:400, :400]""")  # fmt: skip
    assert [type(one).__name__ for one in steps_of(found)] == ["Random", "Crop"]


def test_ways_that_differ_in_what_chance_decides(tmp_path: Path) -> None:
    found = item(tmp_path, """if len(self.free) > 0:
    xs = np.random.choice(self.free, size=2)
    image = image[:, np.min(xs):np.max(xs) + 1]
image = cv2.resize(image, (512, 512))""")  # fmt: skip
    assert [type(one).__name__ for one in steps_of(found)] == ["Random", "Resize"]
    assert (steps_of(found)[0].name, steps_of(found)[0].parameters) == ("crop", ())


def test_ways_by_chance_that_end_alike(tmp_path: Path) -> None:
    found = item(tmp_path, """if random.random() < 0.5:
    top = random.randint(0, 50)
    image = image[top:, :]
    image = cv2.resize(image, (512, 512))
else:
    image = cv2.resize(image, (512, 512))""")  # fmt: skip
    crop, resize = steps_of(found)
    assert (crop.name, resize.height) == ("crop", 512)


def test_every_picture_of_a_list_by_its_place(tmp_path: Path) -> None:
    found = item(tmp_path, """images = [image, image, image, image, image, image]
made = []
for i in range(len(images)):
    made.append(cv2.resize(images[i], (64, 32 * (i + 1))))
image = made[5]""")  # fmt: skip
    assert steps_of(found)[0].height == 192
