from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dataguard.splits.entity_columns import candidates_of_columns, entity_word
from dataguard.splits.names import candidates_of_names, natural_codes, partition_key


def named(paths: list[str | None], labels: list[int] | None = None, splits: list[str] | None = None) -> dict[str, int]:
    strata = np.array(labels or [0] * len(paths), dtype=np.intp)
    return {item.name: item.n_groups for item in candidates_of_names(paths, splits or ["train"] * len(paths), strata)}


def test_the_patient_is_found_in_the_name_and_the_class_and_the_split_are_not() -> None:
    paths: list[str | None] = [
        f"{split}/{'cat' if at % 2 else 'dog'}/patient_{at // 6:03d}_slice_{at % 6}_{at}.png"
        for at, split in enumerate(["train", "test", "train"] * 40)
    ]
    strata = np.array([at % 2 for at in range(120)])
    found = candidates_of_names(paths, [str(path).partition("/")[0] for path in paths], strata)
    assert found[0].word == "patient"
    assert found[0].name == "train/dog/patient_{000}_slice_0_0.png"
    assert found[0].n_groups == 20
    assert found[0].values[7] == "001"
    assert not any("{train" in item.name or "{dog" in item.name for item in found)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("video{g:02d}/frame{at:05d}.jpg", "video{{00}}/frame00000.jpg"),
        ("{g:04d}_c1_{at:06d}.jpg", "{{0000}}_c1_000000.jpg"),
        ("S{g}-session-{at}.wav", "S{{0}}-session-0.wav"),
        ("data\\user{g}\\{at}.png", "data\\user{{0}}\\0.png"),
    ],
)
def test_names_of_many_kinds(form: str, expected: str) -> None:
    paths: list[str | None] = [form.format(g=at // 8, at=at) for at in range(80)]
    assert named(paths)[expected.replace("{{", "{").replace("}}", "}")] == 10


@pytest.mark.parametrize(
    "paths",
    [
        [],
        [None] * 50,
        [f"{at:05d}.png" for at in range(80)],
        [f"{'cat' if at % 2 else 'dog'}/{at:05d}.png" for at in range(80)],
        [f"img_{at}.{'jpg' if at % 2 else 'png'}" for at in range(80)],
        ["same.png"] * 60,
        ["x-" * (at % 40 + 1) + str(at) for at in range(60)],
    ],
)
def test_names_that_tell_no_group(paths: list[str | None]) -> None:
    assert named(paths, [at % 2 for at in range(len(paths))]) == {}


def test_numbers_that_start_anew_in_each_class_group_nothing() -> None:
    paths: list[str | None] = [f"{'cat' if at % 2 else 'dog'}_{at // 2:03d}.png" for at in range(200)]
    assert named(paths, [at % 2 for at in range(200)]) == {}


def test_the_order_of_codes_is_the_natural_one() -> None:
    assert natural_codes(["p10", "p2", None, "p2", "a1"]).tolist() == [2, 1, -1, 1, 0]
    assert partition_key(natural_codes(["a", "b", "a"])) == partition_key(natural_codes(["9", "1", "9"]))
    assert partition_key(natural_codes(["a", "b", "a"])) != partition_key(natural_codes(["a", "a", "b"]))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("PatientID", "patient"),
        ("user_id", "user"),
        ("age", ""),
        ("sessions", "session"),
        ("video", "video"),
        ("7", ""),
    ],
)
def test_words_of_columns(name: str, word: str) -> None:
    assert entity_word(name) == word


def columns_found(frame: pd.DataFrame) -> list[str]:
    strata = np.zeros(len(frame), dtype=np.intp)
    found = candidates_of_columns(frame, list(frame.columns), ["train", "test"] * (len(frame) // 2), strata)
    return [item.name for item in found]


def test_columns_that_may_be_ids_and_columns_that_may_not() -> None:
    rng = np.random.default_rng(0)
    n = 300
    frame = pd.DataFrame(
        {
            "patient": rng.integers(0, 5, n),  # few values, but its name speaks for it
            "source": [f"s{at}" for at in rng.integers(0, 50, n)],
            "whole": rng.integers(0, 40, n).astype(float),
            "weight": rng.normal(size=n),
            "colour": rng.choice(["red", "blue", "green"], n),
            "row": np.arange(n),
            "flag": rng.random(n) < 0.5,
            "when": pd.date_range("2024-01-01", periods=n),
            "constant": 7,
            "gone": [None] * n,
            "infinite": np.where(np.arange(n) % 9 == 0, np.inf, rng.integers(0, 40, n)),
        }
    )
    assert columns_found(frame) == ["patient", "source", "whole"]


def test_missing_ids_are_in_no_group() -> None:
    frame = pd.DataFrame({"user": pd.array([1, 1, 2, 2, None, 3, 3, 1] * 20, dtype="Int64")})
    (found,) = candidates_of_columns(frame, ["user"], ["train", "test"] * 80, np.zeros(160, dtype=np.intp))
    assert found.codes[:6].tolist() == [0, 0, 1, 1, -1, 2]
    assert found.values[4] is None


def test_equal_columns_are_one_candidate() -> None:
    user = np.arange(200) // 8
    assert columns_found(pd.DataFrame({"user": user, "user_name": [f"n{at}" for at in user]})) == ["user"]
