from __future__ import annotations

import numpy as np

from dataguard.preprocessing.pipeline import Affine
from dataguard.rules.preprocessing.dg406_mean_std_mismatch import mean_std_mismatch
from tests.rules.preprocessing.paths import IMAGENET, findings, inconclusive, pair, silent

MEAN, STD = (np.array(values) for values in IMAGENET)


def test_fires_on_another_models_statistics() -> None:
    clip = Affine.normalized((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    (finding,) = findings(mean_std_mismatch(pair(affine=clip)))
    assert "(ImageNet) in train" in finding.message
    assert "(CLIP) in serve" in finding.message


def test_fires_where_the_statistics_are_not_subtracted() -> None:
    (finding,) = findings(mean_std_mismatch(pair(affine=Affine.of(("divide", 255)))))
    assert "0 to 1 in serve" in finding.message


def test_fires_on_statistics_of_each_picture() -> None:
    (finding,) = findings(mean_std_mismatch(pair(affine=Affine(of_content="each picture to mean 0 and deviation 1"))))
    assert "each picture" in finding.message


def test_silent_on_the_same_map_in_other_words() -> None:
    for affine in (
        Affine.of(("subtract", (255 * MEAN).tolist()), ("divide", (255 * STD).tolist())),
        Affine.of(("multiply", (1 / (255 * STD)).tolist()), ("add", (-MEAN / STD).tolist())),
        Affine.of(("subtract", (123.68, 116.28, 103.53)), ("divide", (58.4, 57.12, 57.38))),
    ):
        assert silent(mean_std_mismatch(pair(affine=affine)))


def test_edge_one_level_is_the_limit() -> None:
    near = Affine.normalized((MEAN + 1.0 / 255).tolist(), STD.tolist())
    far = Affine.normalized((MEAN + 1.1 / 255).tolist(), STD.tolist())
    assert silent(mean_std_mismatch(pair(affine=near)))
    assert findings(mean_std_mismatch(pair(affine=far)))


def test_edge_two_maps_that_depend_on_the_picture_in_other_words_are_inconclusive() -> None:
    from dataguard.preprocessing.pair import PipelinePair
    from tests.rules.preprocessing.paths import path

    one, two = (path(affine=Affine(of_content=words)) for words in ("mean 0 and deviation 1", "its largest to 1"))
    assert inconclusive(mean_std_mismatch(PipelinePair.of(one, two)))
    assert silent(mean_std_mismatch(PipelinePair.of(one, one)))
