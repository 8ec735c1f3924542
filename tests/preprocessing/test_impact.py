from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from dataguard.core.errors import ConfigurationError, NothingToCheckError
from dataguard.preprocessing.comparison import difference
from dataguard.preprocessing.impact import Pictures, clopper_pearson, impact, paired_interval, pictures_in
from dataguard.preprocessing.pipeline import Affine, Decode, Pipeline, Resize
from dataguard.preprocessing.probe.asking import encoded

SERVE = Pipeline(
    decode=Decode.of("pillow", "convert RGB"),
    geometry=(Resize(height=16, width=16, engine="opencv"),),
    affine=Affine.of(("divide", 255)),
    layout="CHW",
    dtype="float32",
)


def folder(tmp_path: Path, colours: dict[str, tuple[int, int, int]], each: int = 3) -> Path:
    for name, colour in colours.items():
        (tmp_path / name).mkdir()
        for index in range(each):
            pixels = np.full((20, 24, 3), colour, dtype=np.uint8) + np.uint8(index)
            (tmp_path / name / f"{index}.png").write_bytes(encoded(pixels))
    return tmp_path


def strongest_colour(batch: np.ndarray) -> np.ndarray:
    return np.asarray(batch.reshape(len(batch), 3, -1).mean(axis=2))


COLOURS = {"0_red": (200, 30, 30), "1_green": (30, 200, 30), "2_blue": (30, 30, 200)}


def test_exchanged_channels_flip_red_and_blue_and_nothing_else(tmp_path: Path) -> None:
    pictures = pictures_in(folder(tmp_path, COLOURS))
    other = replace(SERVE, order="BGR")
    found = impact(SERVE.run, other.run, difference(SERVE, other), strongest_colour, pictures)
    assert found.accuracy == 1.0
    alone, together = found.rows
    assert (alone.flips, alone.n, together.flips) == (6, 9, 6)
    assert alone.accuracy == pytest.approx(1 / 3)
    assert together.change == pytest.approx(-2 / 3)
    assert together.change_low is not None
    assert together.change_high is not None
    assert together.change_low < -2 / 3 < together.change_high
    assert alone.largest == pytest.approx(170 / 255, abs=1e-6)


def test_each_difference_is_measured_by_itself(tmp_path: Path) -> None:
    pictures = pictures_in(folder(tmp_path, COLOURS))
    other = replace(SERVE, order="BGR", affine=Affine.of(("divide", 127.5), ("subtract", 1)))
    found = impact(SERVE.run, other.run, difference(SERVE, other), strongest_colour, pictures)
    rows = {row.name: row for row in found.rows}
    assert rows["affine.scale"].flips == 0
    assert rows["affine.scale"].mean == pytest.approx(np.mean([0.66, 0.66, 0.66]), abs=0.1)
    assert rows["order"].flips == rows["all together"].flips == 6


def test_a_model_that_refuses_an_array_says_so_in_its_row(tmp_path: Path) -> None:
    pictures = pictures_in(folder(tmp_path, COLOURS))
    other = replace(SERVE, layout="HWC")

    def strict(batch: np.ndarray) -> np.ndarray:
        if batch.shape[1] != 3:
            raise ConfigurationError("it takes three channels first")
        return strongest_colour(batch)

    found = impact(SERVE.run, other.run, difference(SERVE, other), strict, pictures)
    assert [row.failed for row in found.rows] == ["it takes three channels first"] * 2


def test_pictures_of_many_sizes_go_through_one_by_one(tmp_path: Path) -> None:
    plain = replace(SERVE, geometry=())
    for index, side in enumerate((8, 8, 12, 9)):
        (tmp_path / f"{index}.png").write_bytes(encoded(np.full((side, side, 3), 40 * index, dtype=np.uint8)))
    sizes: list[tuple[int, ...]] = []

    def model(batch: np.ndarray) -> np.ndarray:
        sizes.append(batch.shape)
        return strongest_colour(batch)

    found = impact(plain.run, plain.run, (), model, pictures_in(tmp_path))
    assert sizes[:3] == [(2, 3, 8, 8), (1, 3, 12, 12), (1, 3, 9, 9)]
    assert found.rows[0].largest == 0
    assert found.accuracy is None


def test_outputs_that_are_no_classes_have_no_flips(tmp_path: Path) -> None:
    pictures = pictures_in(folder(tmp_path, COLOURS))
    found = impact(SERVE.run, SERVE.run, (), lambda batch: batch.mean(axis=(1, 2, 3)), pictures)
    assert found.rows[0].flips is None
    assert found.accuracy is None
    assert "no accuracy" in found.notes[0]


def test_numbered_folders_are_the_outputs_they_name(tmp_path: Path) -> None:
    pictures = pictures_in(folder(tmp_path, {"2": (30, 30, 200), "0": (200, 30, 30)}))
    assert impact(SERVE.run, SERVE.run, (), strongest_colour, pictures).accuracy == 1.0


def test_a_model_that_gives_too_few_rows_is_named(tmp_path: Path) -> None:
    pictures = pictures_in(folder(tmp_path, COLOURS))
    with pytest.raises(ConfigurationError, match=r"outputs of shape \(3,\) for a batch of 9"):
        impact(SERVE.run, SERVE.run, (), lambda batch: np.zeros(3), pictures)


def test_the_pictures_of_a_folder_are_chosen_by_chance_and_stay_the_same(tmp_path: Path) -> None:
    where = folder(tmp_path, COLOURS, each=8)
    some = pictures_in(where, limit=10)
    assert some == pictures_in(where, limit=10)
    assert len(some.paths) == 10
    assert some.classes == tuple(COLOURS)
    with pytest.raises(ConfigurationError, match="no such folder"):
        pictures_in(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToCheckError, match="no picture"):
        pictures_in(tmp_path / "empty")
    assert pictures_in(where / "0_red").labels is None


@pytest.mark.parametrize(("count", "n"), [(0, 20), (3, 20), (20, 20), (50, 500)])
def test_clopper_and_pearson_leave_2_5_per_cent_beyond_each_end(count: int, n: int) -> None:
    low, high = clopper_pearson(count, n)
    assert low <= count / n <= high
    if count:
        assert binom.sf(count - 1, n, low) == pytest.approx(0.025)
    if count < n:
        assert binom.cdf(count, n, high) == pytest.approx(0.025)


def test_the_paired_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    n, won, lost = 200, 0.04, 0.10
    draws = rng.multinomial(n, [won, lost, 1 - won - lost], 2000)
    inside = [low <= won - lost <= high for low, high in (paired_interval(int(a), int(b), n) for a, b, _ in draws)]
    assert np.mean(inside) > 0.94


def test_a_path_that_begins_with_pixels_gets_them_decoded(tmp_path: Path) -> None:
    pictures = pictures_in(folder(tmp_path, COLOURS))
    pixels = replace(SERVE, decode=Decode.of("array"))
    other = replace(pixels, order="BGR")
    from dataguard.preprocessing.impact import of_files

    found = impact(of_files(pixels), of_files(other), difference(pixels, other), strongest_colour, pictures)
    assert [row.flips for row in found.rows] == [6, 6]
    assert isinstance(pictures, Pictures)
