"""False alarms and power of the rules on what a loader feeds: DG207 to DG215.

Sound loaders: handwritten digits, generated colour pictures and tables; every normalization; no, light and usual
augmentation; two epochs each. Faulty ones: each fault planted in such a loader.

    python benchmarks/batches.py [--repeats 10]
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch.utils.data import BatchSampler, DataLoader, Dataset, DistributedSampler, RandomSampler, WeightedRandomSampler

import dataguard
from dataguard.batches.evidence import SecondRecording
from dataguard.batches.record import record
from dataguard.batches.reference import ReferencePictures
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Finding, Inconclusive, Observation, Outcome
from dataguard.rules.batches.dg207_non_finite_input import non_finite_input
from dataguard.rules.batches.dg208_constant_input import constant_input
from dataguard.rules.batches.dg209_input_out_of_range import IMAGENET_MEAN, IMAGENET_STD, input_out_of_range
from dataguard.rules.batches.dg210_duplicated_worker_randomness import duplicated_worker_randomness
from dataguard.rules.batches.dg211_samples_missing_or_repeated_in_epoch import samples_missing_or_repeated_in_epoch
from dataguard.rules.batches.dg212_broken_input_label_association import broken_input_label_association
from dataguard.rules.batches.dg213_loader_not_deterministic import loader_not_deterministic
from dataguard.rules.batches.dg214_inconsistent_batch import inconsistent_batch
from dataguard.rules.batches.dg215_augmentation_too_strong import augmentation_too_strong

Array = NDArray[Any]
BATCH = 32
ALONE = (
    non_finite_input,
    constant_input,
    input_out_of_range,
    duplicated_worker_randomness,
    samples_missing_or_repeated_in_epoch,
    broken_input_label_association,
    inconsistent_batch,
)
"""Rules that a stream is enough for."""


def digits(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Digits in [0, 1], shape (n, 1, 8, 8), at random."""
    values, labels = load_digits(return_X_y=True)
    rows = rng.permutation(len(values))[:n]
    return (values[rows] / 16).reshape(-1, 1, 8, 8).astype(np.float32), labels[rows]


def pictures(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Colour pictures in [0, 1], shape (n, 3, 16, 16): a coloured bar at one of 4 angles on a noisy ground."""
    labels = rng.integers(0, 4, n)
    y, x = np.mgrid[-7.5:8:1, -7.5:8:1]
    angle = labels * np.pi / 4 + rng.normal(0, 0.1, n)
    along = np.abs(np.cos(angle)[:, None, None] * x + np.sin(angle)[:, None, None] * y + rng.normal(0, 1, (n, 1, 1)))
    bar = np.clip(3 - along, 0, 1)[:, None]
    colour, ground = rng.random((2, n, 3, 1, 1))
    made = bar * colour + (1 - bar) * ground + rng.normal(0, 0.05, (n, 3, 16, 16))
    return np.rint(np.clip(made, 0, 1) * 255).astype(np.float32) / 255, labels


def table(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Rows of 20 features in [0, 1]: some normal, some skewed, some Boolean, shape (n, 20)."""
    labels = rng.integers(0, 3, n)
    columns = [rng.normal(labels[:, None], 1, (n, 8)), rng.lognormal(0, 1, (n, 8)), rng.random((n, 4)) < 0.3]
    values = np.concatenate(columns, axis=1)
    values = (values - values.min(axis=0)) / np.ptp(values, axis=0)
    return values.astype(np.float32), labels


def scaled(values: Array, how: str) -> Array:
    """Values of [0, 1], shape (n, …), by a convention or a fault of it."""
    axes = (0, 2, 3) if values.ndim == 4 else (0,)
    shape = (1, -1, 1, 1)
    mean, std = np.array(IMAGENET_MEAN).reshape(shape), np.array(IMAGENET_STD).reshape(shape)
    found: dict[str, Callable[[], Array]] = {
        "[0, 1]": lambda: values,
        "[-1, 1]": lambda: 2 * values - 1,
        "ImageNet": lambda: (values - mean) / std,
        "standardized": lambda: (values - values.mean(axes, keepdims=True)) / values.std(axes, keepdims=True),
        "0 to 255": lambda: np.rint(values * 255),
        "integers": lambda: np.rint(values * 255).astype(np.uint8),
        "divided twice": lambda: values / 255,
        "ImageNet twice": lambda: ((values - mean) / std - mean) / std,
        "ImageNet on 0 to 255": lambda: (values * 255 - mean) / std,
        "raw columns": lambda: values * 10.0 ** np.linspace(0, 5, values.shape[1]),
    }
    made = found[how]()
    return made if made.dtype == np.uint8 else made.astype(np.float32)


def light(x: Array, rng: np.random.Generator) -> Array:
    """Brightness, contrast and a little noise."""
    return x * rng.uniform(0.8, 1.2) + rng.normal(0, 0.05) + rng.normal(0, 0.02, x.shape)


def usual(x: Array, rng: np.random.Generator) -> Array:
    """A shift by at most a tenth or a pixel, brightness, contrast, and now and then a small erased square."""
    if x.ndim == 3:
        reach = max(1, x.shape[1] // 10)
        x = np.roll(x, rng.integers(-reach, reach + 1, 2), axis=(1, 2))
        if rng.random() < 0.25:
            x = x.copy()
            side = x.shape[1] // 4
            top, left = rng.integers(0, x.shape[1] - side, 2)
            x[:, top : top + side, left : left + side] = x.mean()
    return light(x, rng)


def destroyed(x: Array, rng: np.random.Generator) -> Array:
    """A quarter of each side, blown up from a random place, any way round."""
    side = max(2, x.shape[1] // 4)
    top, left = rng.integers(0, x.shape[1] - side + 1, 2)
    part = np.rot90(x[:, top : top + side, left : left + side], int(rng.integers(0, 4)), axes=(1, 2))
    times = x.shape[1] // side
    return light(np.repeat(np.repeat(part, times, axis=1), times, axis=2), rng)


Augment = Callable[[Array, np.random.Generator], Array]


class Data(Dataset[Any]):
    """Arrays with augmentation; `workers` generators that take turns as a loader's workers would."""

    def __init__(
        self, x: Array, y: Array, augment: Augment | None = None, seeds: tuple[Any, ...] = (None,), length: int = 0
    ) -> None:
        self.x, self.targets, self.augment = x, y, augment
        self.fed = y
        self.seeds, self.calls, self.length = seeds, 0, length or len(x)
        self.restart()

    def restart(self) -> None:
        """As when workers are made anew."""
        self.calls = 0
        self.rngs = [np.random.default_rng(seed) for seed in self.seeds]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Array, int]:
        x = self.x[index]
        if self.augment is not None:
            rng = self.rngs[self.calls // BATCH % len(self.rngs)]
            x = self.augment(x, rng).astype(np.float32)
        self.calls += 1
        return x, int(self.fed[index])


def recorded(data: Data, *, epochs: int = 2, thumbnails: int = 0, workers: int = 0, **options: Any) -> BatchStream:
    """Record a loader over it, with workers made up where asked for."""
    options = options or {"shuffle": True}
    batching: dict[str, Any] = {} if "batch_sampler" in options else {"batch_size": BATCH}
    stream = record(DataLoader(data, **batching, **options), epochs=epochs, thumbnails=thumbnails)
    if workers:
        turns = (stream.batch_number % workers).astype(np.int32)
        stream = dataclasses.replace(stream, batch_worker=turns)
    return stream


@dataclass
class Tally:
    """How often each outcome came."""

    found: int = 0
    unsure: int = 0
    fine: int = 0

    def add(self, outcomes: list[Outcome]) -> bool:
        """Count one answer; whether it was a finding."""
        if any(isinstance(item, Finding) for item in outcomes):
            self.found += 1
            return True
        if any(isinstance(item, Observation) for item in outcomes):
            self.fine += 1
        elif any(isinstance(item, Inconclusive) for item in outcomes):
            self.unsure += 1
        return False

    def __str__(self) -> str:
        total = self.found + self.unsure + self.fine
        return f"{self.found:4} of {total:4} found, {self.fine} passed, {self.unsure} inconclusive"


MAKERS = {"digits": digits, "pictures": pictures, "table": table}
SOUND = {
    "digits": ("[0, 1]", "[-1, 1]", "standardized"),
    "pictures": ("[0, 1]", "[-1, 1]", "standardized", "ImageNet"),
    "table": ("[0, 1]", "[-1, 1]", "standardized"),
}
AUGMENTS: dict[str, Augment | None] = {"none": None, "light": light, "usual": usual}


def samplers(data: Data, number: int) -> Iterator[dict[str, Any]]:
    """Sound ways to draw the samples, one by turn."""
    weights = np.where(data.targets == 0, 3.0, 1.0)
    ways: list[dict[str, Any]] = [
        {"shuffle": True},
        {"shuffle": True, "drop_last": True},
        {"shuffle": True},
        {"sampler": WeightedRandomSampler(weights.tolist(), len(data))},
        {"sampler": RandomSampler(data, replacement=True)},
        {"sampler": RandomSampler(data, num_samples=len(data) // 2)},
        {"sampler": DistributedSampler(data, 2, 0)},
        {"batch_sampler": BatchSampler(RandomSampler(data), BATCH, drop_last=False)},
        {"shuffle": False},
        {"shuffle": True},
    ]
    yield ways[number % len(ways)]


def sound(repeats: int) -> None:
    """Print how often each rule alarms on loaders without a fault."""
    tallies = {rule.code: Tally() for rule in ALONE}
    named: Counter[bool] = Counter()
    streams = 0
    for number in range(repeats * 2):
        for kind, maker in MAKERS.items():
            rng = np.random.default_rng([number, len(kind)])
            x, y = maker(500, rng)
            for how in SOUND[kind]:
                for name, augment in AUGMENTS.items():
                    data = Data(scaled(x, how), y, augment, tuple([number, k] for k in range(2)))
                    (options,) = samplers(data, number)
                    stream = recorded(data, workers=2, **options)
                    streams += 1
                    for rule in ALONE:
                        if tallies[rule.code].add(outcomes := rule(stream)):
                            shown = next(item.message for item in outcomes if isinstance(item, Finding))
                            print(f"  {rule.code} on {kind}, {how}, {name}, {options}: {shown}")
                        if rule is input_out_of_range and name == "none":
                            said = outcomes[0].measurements[-1].value  # type: ignore[union-attr]
                            # Standardized pictures fit ImageNet's normalization too.
                            alike = (how, said, kind) == ("standardized", "ImageNet", "pictures")
                            named[said == how or alike] += 1
    print(f"Sound loaders, {streams} streams of 2 epochs of 500 samples:")
    for code, tally in tallies.items():
        print(f"  {code}: {tally}")
    print(f"  DG209 named the convention in {named[True]} of {sum(named.values())} streams without augmentation")


def correlated(repeats: int) -> None:
    """Print how often DG210 finds shared randomness, by its kind and what tells the samples apart."""
    cases = {
        "apart": (([0], [1], [2], [3]), False),
        "workers share": (([0],) * 4, False),
        "epochs restart": (([0], [1], [2], [3]), True),
    }
    for n in (128, 256, 512):
        for name, (seeds, again) in cases.items():
            for anonymous in (False, True):
                tally = Tally()
                for number in range(4 * repeats):
                    x, y = digits(n, np.random.default_rng([9, number]))
                    data = Data(x, y, usual, tuple([number, *seed] for seed in seeds))
                    loader = DataLoader(data, BATCH, shuffle=True)
                    parts = []
                    for _ in range(2):
                        if again:
                            data.restart()
                        data.calls = 0
                        parts.append(record(loader, thumbnails=0))
                    stream = BatchStream.concatenate(parts)
                    turns = (stream.batch_number % len(seeds)).astype(np.int32)
                    changes: dict[str, Any] = {"source_index": None} if anonymous else {}
                    stream = dataclasses.replace(stream, batch_worker=turns, **changes)
                    tally.add(duplicated_worker_randomness(stream))
                how = "without ids" if anonymous else "with indices"
                print(f"  DG210, {n} samples, 4 workers, {name}, {how}: {tally}", flush=True)


def planted(repeats: int) -> None:
    """Print how often each planted fault is found."""

    def case(name: str, rule: Any, make: Callable[[np.random.Generator], BatchStream], times: int = repeats) -> None:
        tally = Tally()
        for number in range(times):
            tally.add(rule(make(np.random.default_rng([17, number]))))
        print(f"  {rule.code}, {name}: {tally}", flush=True)

    def changed(maker: Any, change: Callable[[Array, int], None], how: str = "[0, 1]") -> Any:
        def make(rng: np.random.Generator) -> BatchStream:
            x, y = maker(500, rng)
            x = scaled(x, how).copy()
            change(x, int(rng.integers(len(x))))
            return recorded(Data(x, y), epochs=1)

        return make

    def put(value: float) -> Callable[[Array, int], None]:
        def change(x: Array, row: int) -> None:
            x[row].flat[7] = value

        return change

    def fill(x: Array, row: int) -> None:
        x[row] = 0

    def dead(x: Array, _: int) -> None:
        x[:, 1] = 0

    def raw(x: Array, row: int) -> None:
        x[row] *= 255

    def odd(x: Array, row: int) -> None:
        x[row] = (x[row] - x[row].mean()) / x[row].std()

    for name, maker in MAKERS.items():
        case(f"one NaN in {name}", non_finite_input, changed(maker, put(np.nan)))
        case(f"one infinity in {name}", non_finite_input, changed(maker, put(np.inf)))
        case(f"one constant sample in {name}", constant_input, changed(maker, fill))
        for how in SOUND[name]:
            case(f"one sample of {name} not divided by 255, {how}", inconsistent_batch, changed(maker, raw, how))
    case("one standardized picture among [0, 1]", inconsistent_batch, changed(pictures, odd))
    case("dead channel", constant_input, changed(pictures, dead))

    faults = {
        digits: ("0 to 255", "integers", "divided twice"),
        pictures: ("0 to 255", "integers", "divided twice", "ImageNet twice", "ImageNet on 0 to 255"),
        table: ("raw columns",),
    }

    def fed(maker: Any, how: str) -> Any:
        return lambda rng: recorded(Data(scaled(maker(500, rng)[0], how), np.zeros(500, dtype=int)), epochs=1)

    for maker, ways in faults.items():
        for how in ways:
            case(f"{how}, {maker.__name__}", input_out_of_range, fed(maker, how))

    def drawn(rows: Callable[[np.random.Generator], Any], n: int = 500) -> Any:
        def make(rng: np.random.Generator) -> BatchStream:
            x, y = digits(n, rng)
            return recorded(Data(x, y, light, ([1],)), epochs=1, sampler=rows(rng).tolist())

        return make

    case("every tenth sample missing", samples_missing_or_repeated_in_epoch, drawn(lambda rng: missing(rng, 0.1)))
    case("one sample twice for another", samples_missing_or_repeated_in_epoch, drawn(lambda rng: missing(rng, 0.0)))
    case("half of them twice", samples_missing_or_repeated_in_epoch, drawn(lambda _: np.tile(np.arange(250), 2)))

    def relabelled(share: float) -> Any:
        def make(rng: np.random.Generator) -> BatchStream:
            x, y = digits(500, rng)
            data = Data(x, y, light, ([1],))
            rows = rng.permutation(500)[: int(500 * share)]
            data.fed = y.copy()
            data.fed[rows] = y[rng.permutation(rows)]
            return recorded(data, epochs=1)

        return make

    for share in (0.02, 0.1, 1.0):
        case(f"{share:.0%} of labels permuted, by the source", broken_input_label_association, relabelled(share))

    def again(augment: Augment, seeds: tuple[Any, ...], shuffle: bool) -> Any:
        def judge(stream: BatchStream) -> list[Outcome]:
            return loader_not_deterministic(stream, SecondRecording(stream=make(np.random.default_rng(0))))

        def make(_: np.random.Generator) -> BatchStream:
            x, y = digits(500, np.random.default_rng(1))
            data = Data(x, y, augment, seeds)
            generator = torch.Generator()
            generator.manual_seed(int(np.random.default_rng().integers(2**31)) if shuffle else 0)
            loader = DataLoader(data, BATCH, sampler=RandomSampler(data, generator=generator))
            return dataclasses.replace(record(loader, epochs=2, thumbnails=0), seed=0)

        judge.code = "DG213"  # type: ignore[attr-defined]
        return judge, make

    case("seeded", *again(light, ([1],), False))
    case("augmentation not seeded", *again(light, (None,), False))
    case("order not seeded", *again(light, ([1],), True))


def missing(rng: np.random.Generator, share: float) -> Array:
    """A permutation of 500 rows without a share of them; with none, one of them twice instead of another."""
    rows = rng.permutation(500)
    if share:
        return rows[int(500 * share) :]
    rows[0] = rows[1]
    return rows


def recognised(repeats: int) -> None:
    """Print what the classifier's rules say of pictures: DG215, and DG212 where nothing else serves."""
    augments: dict[str, tuple[Augment | None, float]] = {
        "none": (None, 0.0),
        "light": (light, 0.0),
        "usual": (usual, 0.0),
        "inverted at random": (lambda x, rng: x if rng.random() < 0.5 else x.max() - x, 0.0),
        "mirrored and light": (lambda x, rng: light(x[..., ::-1] if rng.random() < 0.5 else x, rng), 0.0),
        "destroyed": (destroyed, 0.0),
        "labels permuted, light": (light, 1.0),
        "labels permuted, usual": (usual, 1.0),
        "30 % of labels permuted, light": (light, 0.3),
    }
    for maker in (digits, pictures):
        for name, (augment, broken) in augments.items():
            strong, labels, seconds = Tally(), Tally(), 0.0
            kept = []
            for number in range(repeats):
                rng = np.random.default_rng([3, number])
                x, y = maker(600, rng)
                how = "standardized" if number % 2 else "[0, 1]"
                plain = record(DataLoader(Data(x, y), BATCH), thumbnails=600)
                data = Data(scaled(x, how), y, augment, ([number],))
                rows = rng.permutation(600)[: int(600 * broken)]
                data.fed = y.copy()
                data.fed[rows] = y[rng.permutation(rows)]
                stream = recorded(data, epochs=1, thumbnails=600, shuffle=True)
                stream = dataclasses.replace(stream, source_codes=None)
                reference = ReferencePictures.of_stream(plain)
                started = time.perf_counter()
                outcomes = augmentation_too_strong(stream, reference)
                seconds += time.perf_counter() - started
                strong.add(outcomes)
                kept += [
                    item.value
                    for outcome in outcomes
                    for item in getattr(outcome, "measurements", ())
                    if "kept" in item.name
                ]
                labels.add(broken_input_label_association(stream, dataclasses.replace(reference, hashes=None)))
            share = f"{np.mean(kept):.2f} kept" if kept else "nothing measured"
            print(
                f"  {maker.__name__}, {name}: DG215 {strong} ({share}, {seconds / repeats:.2f} s); DG212 {labels}",
                flush=True,
            )


def guarded(repeats: int) -> None:
    """Print how often the guard speaks of sound loaders, within four epochs, and of faulty ones."""
    spoken: Counter[str] = Counter()
    seconds = []
    loaders = 0
    for number in range(4 * repeats):
        rng = np.random.default_rng([5, number])
        for maker in MAKERS.values():
            x, y = maker(1000, rng)
            data = Data(scaled(x, "standardized"), y, light if number % 2 else None, ([number],))
            found: list[Any] = []
            loader = dataguard.guard(DataLoader(data, BATCH, shuffle=True), on_fault=found.append)
            loaders += 1
            for _ in range(4):
                before = loader.overhead
                for _ in loader:
                    pass
                seconds.append(loader.overhead - before)
            spoken.update(fault.code for fault in found)
    by_epoch = np.array(seconds).reshape(-1, 4)
    means = ", ".join(f"{1e3 * value:.0f}" for value in by_epoch.mean(axis=0))
    print(f"  guard: {sum(spoken.values())} faults of {loaders} sound loaders in 4 epochs each {dict(spoken)}")
    print(f"  guard, all it does in an epoch of 32 batches, mean of each epoch: {means} ms")


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--only", default="")
    repeats, only = parser.parse_args().repeats, parser.parse_args().only
    torch.set_num_threads(1)
    for name, part in (
        ("sound", sound),
        ("planted", planted),
        ("correlated", correlated),
        ("recognised", recognised),
        ("guarded", guarded),
    ):
        if only in ("", name):
            started = time.perf_counter()
            # The classifier takes a second a time.
            part(max(2, repeats // 3) if part is recognised else repeats)
            print(f"  ({name}: {time.perf_counter() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
