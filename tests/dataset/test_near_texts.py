from __future__ import annotations

import string
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.core.finding import Skipped
from dataguard.dataset.most_alike_texts import SHORT
from dataguard.dataset.near_texts import NearTexts, NearTextsBetween, find_near_texts, what_differs
from dataguard.dataset.text_phrases import words_of

pytestmark = pytest.mark.slow

N_TRAIN, N_TEST, PLANTED = 200, 100, 5
SPLITS = ["train"] * N_TRAIN + ["test"] * N_TEST
VOCABULARY = ["".join(letters) for letters in np.random.default_rng(9).choice(list(string.ascii_lowercase), (3000, 6))]


def prose(generator: np.random.Generator, n: int) -> str:
    """Words with Zipf's frequencies."""
    weights = 1 / np.arange(1, len(VOCABULARY) + 1)
    words = generator.choice(VOCABULARY, n, p=weights / weights.sum())
    return " ".join(words).capitalize() + "."


def texts(seed: int = 0, *, low: int = 20, high: int = 60) -> list[str]:
    generator = np.random.default_rng(seed)
    return [prose(generator, int(generator.integers(low, high))) for _ in SPLITS]


def with_copies(change: Callable[[list[str]], str], seed: int = 0) -> list[str]:
    made = texts(seed)
    for number in range(PLANTED):
        made[N_TRAIN + number] = change(made[number].split())
    return made


def found(made: list[str], splits: list[str] = SPLITS, **options: object) -> NearTextsBetween:
    near = find_near_texts(made, splits, **options)  # type: ignore[arg-type]
    assert isinstance(near, NearTexts)
    (between,) = near.between
    return between


def ids(between: NearTextsBetween) -> list[str]:
    return sorted(pair.right.sample_id for pair in between.pairs)


def one_in_twenty(words: list[str]) -> str:
    return " ".join(f"new{place}" if place % 20 == 10 else word for place, word in enumerate(words))


COPIES = [str(N_TRAIN + number + 1) for number in range(PLANTED)]
CHANGES: dict[str, Callable[[list[str]], str]] = {
    "case": lambda words: " ".join(words).upper(),
    "punctuation": lambda words: "  " + ", ".join(words) + "!",
    "a word in 20": one_in_twenty,
    "truncated": lambda words: " ".join(words[: int(len(words) * 0.9)]),
    "continued": lambda words: " ".join([*words, *(f"more{number}" for number in range(len(words) // 2))]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("seed", [0, 1])
def test_changed_copies_are_found_and_no_others(change: Callable[[list[str]], str], seed: int) -> None:
    between = found(with_copies(change, seed))
    assert ids(between) == COPIES
    assert all(int(pair.left.sample_id) + N_TRAIN == int(pair.right.sample_id) for pair in between.pairs)


def test_a_single_copy_is_found() -> None:
    made = texts()
    made[-1] = one_in_twenty(made[0].split())
    between = found(made)
    assert ids(between) == [str(len(made))]
    (pair,) = between.pairs
    assert 0.5 < pair.similarity < 1
    assert "became 'new10'" in pair.difference


@pytest.mark.parametrize("seed", range(5))
def test_unrelated_texts_are_none(seed: int) -> None:
    assert found(texts(seed)).total == 0


def test_boilerplate_that_all_share_makes_no_pairs_and_hides_none() -> None:
    footer = prose(np.random.default_rng(7), 150)
    made = [f"{text} {footer}" for text in texts(low=15, high=30)]
    assert found(made).total == 0
    made[-1] = made[0].replace(made[0].split()[3], "changed")
    near = find_near_texts(made, SPLITS)
    assert isinstance(near, NearTexts)
    assert ids(near.between[0]) == [str(len(made))]
    assert near.n_common >= 140


def test_forms_that_differ_in_a_field_are_no_copies() -> None:
    generator = np.random.default_rng(0)
    made = [
        f"Dear customer, your order {generator.integers(100)} of day {generator.integers(30)} has been sent to "
        f"{VOCABULARY[generator.integers(300)]} and will arrive within {generator.integers(9)} days"
        for _ in SPLITS
    ]
    assert found(made).total == 0


def test_a_short_text_with_a_word_changed_is_found_by_its_words() -> None:
    made = texts(3, low=10, high=SHORT)
    assert found(made).total == 0
    for number in range(PLANTED):
        words = made[number].split()
        made[N_TRAIN + number] = " ".join([*words[:2], "other", *words[3:]])
    between = found(made)
    assert ids(between) == COPIES
    assert (between.gap.n, between.short_gap.n) == (0, PLANTED)


def test_a_turn_of_phrase_in_two_short_texts_makes_no_copy() -> None:
    made = texts(3, low=6, high=SHORT)
    made[0], made[N_TRAIN] = "gone with the wind again", f"{' '.join(VOCABULARY[2000:2006])} gone with the wind"
    assert found(made).total == 0


def test_short_texts_that_repeat_are_no_copies() -> None:
    generator = np.random.default_rng(0)
    made = generator.choice(["Thanks!", "thanks", "ok", "OK.", "Great, thank you", "great thank you"], len(SPLITS))
    between = found(made.tolist(), contents=[str(row) for row in range(len(SPLITS))])
    assert between.n_same == N_TEST
    assert between.total == 0


def test_equal_texts_of_rows_that_differ_elsewhere_are_found_and_equal_rows_are_not() -> None:
    made = texts()
    made[N_TRAIN] = made[0]
    assert found(made).total == 0  # the whole sample is equal
    between = found(made, contents=[str(row) for row in range(len(made))])
    assert ids(between) == [str(N_TRAIN + 1)]
    assert between.pairs[0].similarity == 1


def test_scripts_without_spaces_are_compared() -> None:
    generator = np.random.default_rng(0)
    characters = [chr(0x4E00 + number) for number in range(2000)]
    made = ["".join(generator.choice(characters, 40)) + "。" for _ in SPLITS]
    assert found(made).total == 0
    made[-1] = made[0][:20] + "東" + made[0][21:]
    assert ids(found(made)) == [str(len(made))]


def test_texts_without_words_are_left_out() -> None:
    made: list[str | None] = [*texts()]
    made[0], made[1], made[-1] = None, "", "... !!"
    near = find_near_texts(made, SPLITS)
    assert isinstance(near, NearTexts)
    assert dict(near.sizes) == {"train": N_TRAIN - 2, "test": N_TEST - 1}


@pytest.mark.parametrize(
    ("made", "splits", "reason"),
    [(["a b"] * 3, ["train"] * 3, "only one split"), ([None, "!"], ["train", "test"], "holds no words")],
)
def test_what_cannot_be_compared_is_skipped(made: list[str | None], splits: list[str], reason: str) -> None:
    outcome = find_near_texts(made, splits)
    assert isinstance(outcome, Skipped)
    assert reason in outcome.reason


def test_one_text_a_split_is_looked_at() -> None:
    text = texts()[0]
    near = find_near_texts([text, text.upper()], ["train", "test"])
    assert isinstance(near, NearTexts)
    assert near.between[0].n_same == 1


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 texts"):
        find_near_texts(["a", "b"], ["train"])


@given(st.text(max_size=40))
def test_words_do_not_depend_on_case_or_spaces(text: str) -> None:
    plain = words_of(text)
    assert words_of(" ".join(plain)) == plain
    if text.isascii():
        assert words_of(f"  {text.upper()}\n") == plain


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        ("a b c d", "a b c", "without 'd'"),
        ("a b c", "x a b c", "with 'x'"),
        ("a 1 b 2 c 3 d 4 e 5 f", "a b c d e f", "without '1'; without '2'; without '3'; without '4'; 1 more places"),
    ],
)
def test_differences_are_said(left: str, right: str, said: str) -> None:
    assert what_differs(left, right) == said
