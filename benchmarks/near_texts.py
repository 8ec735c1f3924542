"""Near-duplicate texts: recall and precision of planted ones, false findings in clean collections, and time.

    python benchmarks/near_texts.py [quality|large] [--runs 40] [--seed 0]

Texts are made of words with the frequencies of Zipf's law, in topics, with set phrases, in several kinds: prose of 20
to 200 words, short posts, letters with a long footer that all share, forms that differ in a few fields, and prose
between identical paragraphs. 30 % are in the test split. `quality` plants changed copies of training texts in 2 % of
the test split; `large` times 100,000 texts of 100 words.

Measured: no finding in 360 clean collections by phrases, nor in 72 of short posts, forms and few sentences since texts
of fewer than 15 words are compared by words. In prose and letters every planted copy is found and nothing else; between
known paragraphs 90 % with one word in 20 changed, and all of the others. Of short posts (30 copies a cell), 90 % in
capitals, 83 % with other punctuation, 50 % with a word changed, 73 % cut off, 57 % twice as long, none false; of forms
13 % with a word changed. `large`: 91 s on a busy machine, 1.3 GB, all 500 found, none false.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from dataguard.dataset.near_texts import NearTexts, find_near_texts

Words = list[str]


class Language:
    """Words with Zipf's frequencies, topics, and set phrases."""

    def __init__(self, generator: np.random.Generator, n_words: int = 20_000, n_topics: int = 20) -> None:
        self.generator = generator
        letters = np.array(list("abcdefghijklmnoprstuvwyz"))
        self.words = ["".join(generator.choice(letters, 2 + int(generator.integers(0, 9)))) for _ in range(n_words)]
        weights = 1 / np.arange(1, n_words + 1)
        self.general = np.cumsum(weights / weights.sum())
        self.topics = [generator.choice(n_words, 300, replace=False) for _ in range(n_topics)]
        self.phrases = [self.draw(int(generator.integers(3, 6))) for _ in range(500)]

    def draw(self, n: int) -> Words:
        """Words of no topic."""
        return [self.words[place] for place in np.searchsorted(self.general, self.generator.random(n))]

    def prose(self, n: int) -> Words:
        """So many words on a topic, with set phrases among them."""
        topic = self.topics[int(self.generator.integers(len(self.topics)))]
        found = self.draw(n)
        for place in np.flatnonzero(self.generator.random(n) < 0.3):
            found[place] = self.words[topic[int(self.generator.integers(len(topic)))]]
        for place in np.flatnonzero(self.generator.random(n) < 0.03):
            phrase = self.phrases[int(self.generator.integers(len(self.phrases)))]
            found[place : place + len(phrase)] = phrase
        return found


def written(words: Words, generator: np.random.Generator) -> str:
    """Words as sentences."""
    ends = generator.random(len(words)) < 0.1
    parts = []
    begin = True
    for word, end in zip(words, ends, strict=True):
        parts.append((word.capitalize() if begin else word) + ("." if end else ""))
        begin = bool(end)
    return " ".join(parts)


def collections_of(generator: np.random.Generator, n: int) -> Iterator[tuple[str, list[str]]]:
    """Clean collections of n texts, by name."""
    language = Language(generator)

    def length(low: int, high: int) -> int:
        return int(generator.integers(low, high))

    yield "prose", [written(language.prose(length(20, 200)), generator) for _ in range(n)]
    yield "short posts", [written(language.prose(length(3, 15)), generator) for _ in range(n)]
    footer = " ".join(language.draw(120))
    yield "letters with a footer", [f"{written(language.prose(length(20, 60)), generator)} {footer}" for _ in range(n)]
    blocks = [" ".join(language.draw(40)) for _ in range(10)]
    yield (
        "prose between known paragraphs",
        [
            " ".join([blocks[length(0, 10)], written(language.prose(length(20, 60)), generator), blocks[length(0, 10)]])
            for _ in range(n)
        ],
    )
    names = [" ".join(language.draw(2)) for _ in range(200)]
    yield (
        "forms",
        [
            f"Dear {names[length(0, 200)]}, your order {length(1, 9) * 1000} of {names[length(0, 200)]} was sent "
            f"on day {length(1, 29)} and will be at {names[length(0, 200)]} within {length(1, 9)} days. Kind regards"
            for _ in range(n)
        ],
    )
    yield "few sentences", [blocks[length(0, 10)] + f" {length(0, 50)}" for _ in range(n)]


def retyped(words: Words, _: np.random.Generator) -> str:
    """The text in capitals."""
    return " ".join(words).upper()


def unpunctuated(words: Words, _: np.random.Generator) -> str:
    """Without punctuation, with other spaces."""
    return "  ".join(word.rstrip(".") for word in words) + "!"


def replaced(words: Words, generator: np.random.Generator) -> str:
    """One word in 20 replaced."""
    changed = list(words)
    for place in generator.choice(len(words), max(1, len(words) // 20), replace=False):
        changed[place] = f"other{generator.integers(10**6)}"
    return " ".join(changed)


def truncated(words: Words, _: np.random.Generator) -> str:
    """Without the last tenth."""
    return " ".join(words[: max(1, int(len(words) * 0.9))])


def continued(words: Words, generator: np.random.Generator) -> str:
    """With as many words of something else again."""
    return " ".join([*words, *(f"more{generator.integers(10**6)}" for _ in words)])


CHANGES: dict[str, Callable[[Words, np.random.Generator], str]] = {
    "capitals": retyped,
    "punctuation": unpunctuated,
    "1 word in 20": replaced,
    "truncated by 10 %": truncated,
    "twice as long": continued,
}


def near(texts: list[str], splits: list[str]) -> NearTexts:
    """What is found."""
    found = find_near_texts(texts, splits)
    if not isinstance(found, NearTexts):
        raise TypeError(found.reason)
    return found


def report_quality(runs: int, seed: int) -> None:
    """Print false findings in clean collections, and recall and precision."""
    n = 600
    total = 0
    alarms: Counter[str] = Counter()
    counts: dict[tuple[str, str], list[int]] = {}
    for run in range(runs):
        generator = np.random.default_rng([seed, run])
        for name, texts in collections_of(generator, n):
            splits = generator.choice(["train", "test"], n, p=[0.7, 0.3]).tolist()
            total += 1
            alarms[name] += bool(near(texts, splits).between[0].total)
            test = [row for row in range(n) if splits[row] == "test"]
            training = [row for row in range(n) if splits[row] == "train"]
            for change, make in CHANGES.items():
                if run >= 10:
                    break
                mixed = list(texts)
                chosen = generator.choice(test, max(1, len(test) // 50), replace=False).tolist()
                for row in chosen:
                    mixed[row] = make(texts[int(generator.choice(training))].split(), generator)
                hits = {int(pair.right.sample_id) - 1 for pair in near(mixed, splits).between[0].pairs}
                cell = counts.setdefault((name, change), [0, 0, 0])
                cell[0] += len(hits & set(chosen))
                cell[1] += len(chosen)
                cell[2] += len(hits - set(chosen))
    print(f"clean collections: {sum(alarms.values())} of {total:,} draws with a finding", dict(+alarms), flush=True)
    width = max(len(name) for name, _ in counts)
    print(" " * width, *(f"{change:>18}" for change in CHANGES), " recall / false", sep="  ")
    for name in dict.fromkeys(name for name, _ in counts):
        cells = [counts[name, change] for change in CHANGES]
        shown = [f"{100 * cell[0] / cell[1]:.0f} % / {cell[2]}" for cell in cells]
        print(f"{name:{width}}", *(f"{text:>18}" for text in shown), sep="  ", flush=True)


def report_large(seed: int) -> None:
    """Time 100,000 texts with 500 planted."""
    generator = np.random.default_rng(seed)
    language = Language(generator, n_words=100_000)
    n = 100_000
    texts = [written(language.prose(100), generator) for _ in range(n)]
    splits = generator.choice(["train", "test"], n, p=[0.8, 0.2]).tolist()
    test = [row for row in range(n) if splits[row] == "test"]
    training = [row for row in range(n) if splits[row] == "train"]
    chosen = generator.choice(test, 500, replace=False).tolist()
    for row in chosen:
        texts[row] = replaced(texts[int(generator.choice(training))].split(), generator)
    clock = time.perf_counter()
    hits = {int(pair.right.sample_id) - 1 for pair in near(texts, splits).between[0].pairs}
    seconds = time.perf_counter() - clock
    print(
        f"{n:,} texts of 100 words: {seconds:.1f} s; recall {len(hits & set(chosen)) / 500:.1%}, "
        f"{len(hits - set(chosen))} false; peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB"
    )


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("quality", "large"), default="quality")
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.what == "large":
        report_large(arguments.seed)
    else:
        report_quality(arguments.runs, arguments.seed)


if __name__ == "__main__":
    main()
