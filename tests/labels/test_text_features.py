from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.labels import text_features as module
from dataguard.labels.text_features import BUCKETS, TextFeatures, normalized, text_features

pytestmark = pytest.mark.slow

FRUIT = ["the apple and the pear", "a pear with an apple", "apple apple pear", "ripe pear and apple"]
CARS = ["the engine and the wheel", "a wheel with an engine", "engine engine wheel", "loud wheel and engine"]


def cosines(made: TextFeatures) -> np.ndarray:
    rows = made.tfidf[made.distinct]
    product: np.ndarray = (rows @ rows.T).toarray()
    return product


@pytest.mark.parametrize("what", ["tf-idf", "projection"])
def test_texts_of_one_subject_are_nearer_than_others(what: str) -> None:
    made = text_features(FRUIT + CARS)
    near = cosines(made) if what == "tf-idf" else made.values @ made.values.T
    np.fill_diagonal(near, np.nan)
    within = np.nanmean([near[:4, :4], near[4:, 4:]])
    assert within > 2 * np.nanmean(near[:4, 4:])


def test_the_words_are_weighed_as_scikit_learn_weighs_them() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [*FRUIT, *CARS, *FRUIT[:2]]
    distinct = sorted(set(texts))
    theirs = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), tokenizer=str.split, token_pattern=None, min_df=2)
    expected = (theirs.fit_transform(distinct) @ theirs.transform(distinct).T).toarray()
    words = text_features(distinct).tfidf[:, :BUCKETS]
    made = text_features(distinct)
    ours = 2 * (words @ words.T).toarray()[np.ix_(made.distinct, made.distinct)]
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_character_grams_are_counted_as_scikit_learn_counts_them() -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    texts = ["banana split", "ä🙂ä🙂 x", "", "a"]
    ours = module._character_counts(texts, 100)
    theirs = CountVectorizer(analyzer="char", ngram_range=(2, 5), lowercase=False)
    # scikit-learn runs white space together, and so would lose an empty text's only gram.
    counted = theirs.fit_transform([f" {text} " if text else "" for text in texts])
    for row in range(len(texts)):
        assert sorted(ours[row].toarray()[ours[row].toarray() > 0]) == sorted(counted[[row]].data)


def test_spelling_alike_texts_share_characters_where_words_differ() -> None:
    made = text_features(["colouring", "colourings", "quantum", "quantums"])
    near = cosines(made)
    assert near[0, 1] > 0.2
    assert near[0, 2] < 0.05


def test_case_space_and_compatibility_forms_make_copies() -> None:
    made = text_features(["Ａ  b", "a\nB ", "c d", None, "  "])
    assert made.distinct[0] == made.distinct[1] != made.distinct[2]
    assert made.distinct[3] == made.distinct[4]
    assert made.tfidf.shape[0] == 3
    assert normalized("İX") == normalized("i̇x")


def test_the_order_of_the_texts_does_not_reach_a_bit() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(FRUIT + CARS, 3)) for _ in range(60)]
    order = rng.permutation(60)
    one, two = text_features(texts), text_features([texts[row] for row in order])
    assert one.values[order].tobytes() == two.values.tobytes()
    assert abs(one.tfidf[one.distinct[order]] - two.tfidf[two.distinct]).nnz == 0


def test_chunks_and_directions_fitted_to_a_part_change_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = FRUIT + CARS
    whole = text_features(texts)
    monkeypatch.setattr(module, "CHUNK", 3)
    chunked = text_features(texts)
    assert abs(whole.tfidf - chunked.tfidf).nnz == 0
    monkeypatch.setattr(module, "FIT_TEXTS", 5)
    assert text_features(texts).values.shape == (8, 5)


def test_the_characters_read_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["abcdefgh" * 10, "ijklmnop" * 10, "short"]
    assert text_features(texts).read == 80
    monkeypatch.setattr(module, "MAX_CHARACTERS", 45)
    assert text_features(texts).read == 20  # 20 + 20 + 5


def test_nothing_in_common_gives_zeros() -> None:
    made = text_features(["abc", "xyz"])
    assert not made.values.any()
    assert text_features([]).values.shape[0] == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=8))
def test_any_text_is_taken(texts: list[str]) -> None:
    made = text_features(texts)
    assert made.values.shape[0] == len(texts)
    assert np.isfinite(made.values).all()
    lengths = np.linalg.norm(made.values, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))
