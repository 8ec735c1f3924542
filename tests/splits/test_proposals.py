from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dataguard.splits.adjacency import Adjacency
from dataguard.splits.proposals import beside_training, blocks, order_of, propose, strata_of
from dataguard.splits.samples import SplitSamples

HIDDEN = Adjacency(reach=2, rows=2, share=0.5, expected=0.1, score=9.0, p_value=0.001, n=100, permutations=999, keys=())


def files(paths: list[str]) -> SplitSamples:
    n = len(paths)
    return SplitSamples(
        sample_ids=tuple(paths),
        splits=tuple(path.partition("/")[0] for path in paths),
        positions=np.arange(n),
        n_total=n,
        kind="image",
        paths=tuple(paths),
        contents=(None,) * n,
    )


def test_the_order_of_files_leaves_their_split_out() -> None:
    made = files(["test/cat/f2.png", "test/cat/f10.png", "train/cat/f1.png", "train/cat/f3.png", "train/ant/f9.png"])
    assert order_of(made).tolist() == [2, 4, 1, 3, 0]


def test_splits_that_number_their_own_files_keep_their_order() -> None:
    assert order_of(files(["test/1.png", "test/2.png", "train/1.png"])).tolist() == [0, 1, 2]


def test_the_order_of_a_table_is_that_of_its_rows() -> None:
    made = replace(files(["b", "a"]), columns=pd.DataFrame({"x": [1, 2]}), positions=np.array([4, 7]))
    assert order_of(made).tolist() == [4, 7]


def test_frames_of_a_video_are_found_across_folders() -> None:
    rng = np.random.default_rng(0)
    scene = np.repeat(rng.normal(size=(25, 5)), 16, axis=0) + 0.4 * rng.normal(size=(400, 5))
    paths = [f"{'train' if chance < 0.7 else 'test'}/frame{at:04d}.png" for at, chance in enumerate(rng.random(400))]
    order = np.argsort(paths)
    made = replace(files([paths[at] for at in order]), features=scene[order].astype(np.float32))
    found = propose(made, level=0.01, seed=0)
    assert found.hidden is not None
    assert found.chosen is None
    assert beside_training(found.hidden, order_of(made), made.in_training, made.within("test")) > 0.9
    assert beside_training(found.hidden, made.positions, made.in_training, made.within("test")) < 0.1


def test_stretches_are_contiguous_and_of_one_class_in_a_sorted_file() -> None:
    positions = np.arange(480)
    whole = blocks(HIDDEN, positions, np.zeros(480, dtype=np.intp))
    assert (np.diff(whole) >= 0).all()
    assert np.bincount(whole).tolist() == [20] * 24
    classes = np.repeat([0, 1], 240)
    by_class = blocks(HIDDEN, positions, classes)
    assert np.bincount(by_class).tolist() == [40] * 12
    assert by_class[0] == by_class[240] == 0


def test_without_training_nothing_is_beside_it() -> None:
    none = np.zeros(5, dtype=np.bool_)
    assert beside_training(HIDDEN, np.arange(5), none, ~none) == 0.0
    assert beside_training(HIDDEN, np.arange(5), ~none, none) == 0.0


def test_classes_are_numbered_and_samples_without_one_are_not() -> None:
    made = replace(files(["a", "b", "c"]), labels=np.array(["cat", None, "dog"], dtype=object))
    assert strata_of(made).tolist() == [0, -1, 1]
    assert strata_of(files(["a", "b"])).tolist() == [0, 0]


def test_samples_without_features_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="without features"):
        propose(files(["a", "b"]), level=0.01, seed=0)
