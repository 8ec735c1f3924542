"""How often equal rows of tables are taken for copies: by chance, and where they are.

    python benchmarks/duplicate_rows.py [--runs 300] [--seed 0]

Each line is one way of making a table of n rows, split 60/20/20 at random, and how often the rows that training and
test share were judged to be copied, explained by chance, or too few to tell; 'none' where there were none.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dataguard.dataset.duplicates import Duplicates

SPLITS = ("train", "val", "test")
Table = tuple[NDArray[np.int64], NDArray[np.int64]]
Maker = Callable[[np.random.Generator], Table]


def duplicates(table: Table) -> Duplicates:
    """What the sample table would give for rows with these contents and splits."""
    contents, splits = table
    _, content = np.unique(contents, return_inverse=True)
    counts = np.zeros((content.max() + 1, len(SPLITS)), dtype=np.int64)
    np.add.at(counts, (content, splits), 1)
    patterns = Counter(tuple(int(value) for value in row) for row in counts)
    sizes = {split: int((splits == index).sum()) for index, split in enumerate(SPLITS)}
    return Duplicates(sizes=sizes, pictures=False, patterns=dict(patterns), groups=())


def at_random(generator: np.random.Generator, n: int) -> NDArray[np.int64]:
    """A split for each row."""
    return generator.choice(len(SPLITS), n, p=[0.6, 0.2, 0.2])


def uniform(generator: np.random.Generator, *, n: int, values: int) -> Table:
    """Independent rows out of so many, all as likely."""
    return generator.integers(0, values, n), at_random(generator, n)


def zipf(generator: np.random.Generator, *, n: int, exponent: float) -> Table:
    """Independent rows with the frequencies of words."""
    return generator.zipf(exponent, n), at_random(generator, n)


def written_twice(generator: np.random.Generator, *, n: int, share: float) -> Table:
    """Distinct rows, a share of which is written twice before the split."""
    once = np.arange(round(n / (1 + share)))
    contents = np.concatenate([once, generator.choice(once, n - len(once), replace=False)])
    return contents, at_random(generator, n)


def copied(generator: np.random.Generator, *, n: int, share: float, values: int) -> Table:
    """Rows out of so many, and a share of the test rows overwritten by training rows after the split."""
    contents = np.arange(n) if values == 0 else generator.integers(0, values, n)
    splits = at_random(generator, n)
    training, test = np.flatnonzero(splits == 0), np.flatnonzero(splits == 2)
    chosen = generator.choice(test, max(1, round(share * len(test))), replace=False)
    contents[chosen] = contents[generator.choice(training, len(chosen), replace=False)]
    return contents, splits


def makers(n: int) -> dict[str, Maker]:
    """Every way of making a table, by name."""
    found: dict[str, Maker] = {
        f"independent, {values:,} values": partial(uniform, n=n, values=values)
        for values in sorted({n // 4, n, 10 * n, 100 * n})
    }
    found |= {f"independent, Zipf {exponent}": partial(zipf, n=n, exponent=exponent) for exponent in (1.1, 1.5, 2.0)}
    for share in (0.01, 0.05, 0.1, 0.5):
        found[f"{share:.0%} written twice before the split"] = partial(written_twice, n=n, share=share)
        found[f"{share:.0%} of test copied after the split"] = partial(copied, n=n, share=share, values=0)
    found["10% of test copied, few values"] = partial(copied, n=n, share=0.1, values=n)
    return found


def main() -> None:
    """Print the table, and the share of independent runs that were judged copied."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = np.random.default_rng(arguments.seed)
    false = independent = 0
    for n in (200, 1_000, 10_000):
        for name, make in makers(n).items():
            outcomes: Counter[str] = Counter()
            for _ in range(arguments.runs):
                found = duplicates(make(generator))
                overlap = next(o for o in found.overlaps if (o.left, o.right) == ("train", "test"))
                outcomes[found.origin(overlap).value if overlap.n_groups else "none"] += 1
            if name.startswith("independent"):
                false += outcomes["copied"]
                independent += arguments.runs
            print(f"n = {n:6,}  {name:38}", dict(outcomes), flush=True)
    print(f"independent rows judged copied: {false} of {independent:,} runs")


if __name__ == "__main__":
    main()
