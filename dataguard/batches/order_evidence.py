"""Testing the order of a stream: every test made once, and all p-values corrected together."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.batches import measure
from dataguard.batches.buffer import ShuffleBuffer, buffer_from_labels, buffer_from_positions
from dataguard.batches.epochs import (
    EpochComparison,
    RepeatedBatches,
    compare_epochs,
    compare_label_epochs,
    overlap,
    repeated_batches,
)
from dataguard.batches.evidence import (
    LABEL_TESTS,
    MAX_PASSES,
    RANDOMNESS_TESTS,
    Compared,
    EpochOrder,
    EpochPair,
    OrderEvidence,
    Repeats,
    follows,
)
from dataguard.batches.kinds import Ending, LabelKind, LoaderFacts, Pass
from dataguard.batches.order import RULE_OF, order_tests
from dataguard.batches.sampling import SamplerKind, sampler_kind
from dataguard.batches.significance import SMALLEST, OrderTest
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Inconclusive
from dataguard.core.multiple_tests import holm

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_SAMPLES = 20
"""Samples of a pass from which its order is tested; below, hardly any order is unlikely enough to be told apart."""

CLASS_KINDS = frozenset({LabelKind.CLASSES, LabelKind.ONE_HOT, LabelKind.SOFT, LabelKind.MULTI_LABEL})
"""Kinds of labels that name a class of each sample."""


def order_evidence(
    stream: BatchStream,
    *,
    seed: int = 0,
    source_ids: Sequence[str] | None = None,
    source_classes: Mapping[str, int] | None = None,
) -> OrderEvidence:
    """Test the order of a stream.

    Args:
        stream: What a loader fed.
        seed: Seed of all permutations.
        source_ids: Ids of the source's samples in its own order, where they are known.
        source_classes: Samples of each class in the source, by name, where the loader's own dataset does not say.

    Returns:
        Every test that could be made, with p-values corrected for all of them together (Holm 1979).
    """
    unlabelled = _unlabelled(stream)
    totals = None if unlabelled else _totals(stream, source_classes)
    samples, batches = stream.sample_slices(), stream.batch_slices()
    identities = stream.identities_by_epoch()
    exact = stream.hash_method == measure.HASH_METHOD
    drafts: list[dict[str, Any]] = []
    family: list[float] = []
    places: list[tuple[int, str]] = []
    repeats: list[tuple[Pass, Compared, RepeatedBatches | Inconclusive, int]] = []
    identity: Compared = "index in the dataset" if _indexed(stream) else "sample ids"
    followed = [row for row, item in enumerate(stream.passes) if item.n_samples][:MAX_PASSES]
    for row in followed:
        draft = _order(stream, row, samples[row], batches[row], bool(unlabelled), source_ids, totals, seed)
        for name, test in draft["tests"].items():
            places.append((len(drafts), name))
            family.append(test.p_value)
        drafts.append(draft)
    for row in followed:
        sizes = stream.batch_size[batches[row]]
        first = batches[row].start
        if identities is not None:
            repeats.append((stream.passes[row], identity, _repeated(identities[row], sizes), first))
        # Where samples are known by index, equal sketches of some of their bytes add nothing but doubt.
        if identities is None or exact:
            repeats.append((stream.passes[row], "content", _repeated(stream.hashes[samples[row]], sizes), first))
    pairs = [
        _pair(stream, before, row, samples, batches, identities, identity, bool(unlabelled), seed)
        for before, row in _successive(stream, followed)
    ]
    n_order, n_repeats = len(family), len(repeats)
    family += [np.nan if isinstance(found, Inconclusive) else found.test.p_value for _, _, found, _ in repeats]
    for pair in pairs:
        family += [] if isinstance(pair[3], Inconclusive) else [test.p_value for test in pair[3].tests]
    later = RANDOMNESS_TESTS + LABEL_TESTS + len(followed)
    adjusted = holm([*family, *[1.0] * later])[: len(family)].tolist() if family else []
    by_draft: list[dict[str, float]] = [{} for _ in drafts]
    for (number, name), p in zip(places, adjusted, strict=False):
        by_draft[number][name] = p
    at = n_order + n_repeats
    paired: list[EpochPair] = []
    for before_pass, item, by, compared in pairs:
        width = 0 if isinstance(compared, Inconclusive) else len(compared.tests)
        paired.append(
            EpochPair(before=before_pass, item=item, by=by, found=compared, adjusted=tuple(adjusted[at : at + width]))
        )
        at += width
    return OrderEvidence(
        stream=stream,
        epochs=tuple(
            EpochOrder(adjusted=MappingProxyType(own), **draft) for draft, own in zip(drafts, by_draft, strict=True)
        ),
        repeats=tuple(
            Repeats(item=item, by=by, found=found, adjusted=p, first_batch=first)
            for (item, by, found, first), p in zip(repeats, adjusted[n_order : n_order + n_repeats], strict=True)
        ),
        pairs=tuple(paired),
        unlabelled=unlabelled,
        p_values=tuple(p for p in family if not np.isnan(p)),
        later=later,
        seed=seed,
    )


def _unlabelled(stream: BatchStream) -> str:
    """Why labels say nothing of the order."""
    if stream.label_kind is LabelKind.ABSENT:
        return "the batches hold no labels"
    if stream.label_kind not in CLASS_KINDS:
        return f"the labels are {stream.label_kind.value}, not classes"
    if not (stream.codes >= 0).any():
        return "no sample has a class"
    return ""


def _indexed(stream: BatchStream) -> bool:
    return stream.source_index is not None and bool((stream.source_index >= 0).all())


def _successive(stream: BatchStream, rows: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of passes of one rank that follow each other."""
    last: dict[int, int] = {}
    found = []
    for row in rows:
        rank = stream.passes[row].rank
        if rank in last:
            found.append((last[rank], row))
        last[rank] = row
    return found


def _order(
    stream: BatchStream,
    row: int,
    samples: slice,
    batches: slice,
    unlabelled: bool,
    source_ids: Sequence[str] | None,
    totals: NDArray[np.int64] | None,
    seed: int,
) -> dict[str, Any]:
    """The fields of an `EpochOrder` but for the adjusted p-values."""
    item, facts = stream.passes[row], stream.loaders[stream.passes[row].loader]
    codes, sizes = stream.codes[samples], stream.batch_size[batches]
    kept = np.ones(len(codes), dtype=np.bool_) if unlabelled else codes >= 0
    if unlabelled:
        codes = np.zeros(len(codes), dtype=np.int32)
    if not kept.all():
        # Which samples lack a label does not depend on the order: what is left is still a random one if it was.
        sizes = np.bincount(np.repeat(np.arange(len(sizes)), sizes)[kept], minlength=len(sizes)).astype(np.int32)
        codes = codes[kept]
    positions, source_size, origin = _positions(stream, samples, item, facts, source_ids)
    if positions is not None:
        positions = positions[kept]
    weighted = bool(facts.sampler_weights or facts.replacement)
    # Of a whole epoch that is smaller than the dataset (a subset, a rank's share) the dataset's mix says nothing.
    part = item.ending is not Ending.COMPLETE or weighted
    against = totals if totals is not None and (part or len(codes) >= int(totals.sum())) else None
    filled = sizes[sizes > 0]
    tests: dict[str, OrderTest] = {}
    undecided = dict.fromkeys(RULE_OF, f"{len(codes)} samples are too few to say anything of their order")
    if len(codes) >= MIN_SAMPLES:
        made = order_tests(
            codes,
            filled,
            dataset=against,
            positions=positions,
            source_size=None if positions is None else source_size,
            seed=seed,
        )
        tests, undecided = dict(made.tests), dict(made.undecided)
    shared = _overlap(stream, row, source_size) if origin.startswith("index") else None
    if isinstance(shared, OrderTest):
        tests["overlap"] = shared
    sampler = None
    if not unlabelled:
        ids = stream.source_index if _indexed(stream) else stream.sample_ids
        own = None if ids is None else ids[samples][kept]
        sampler = sampler_kind(codes, filled, dataset=totals if part else against, ids=own, seed=seed)
    return {
        "item": item,
        "first_batch": batches.start,
        "codes": codes,
        "batch_sizes": sizes,
        "tests": MappingProxyType(tests),
        "undecided": MappingProxyType(undecided),
        "sampler": sampler,
        # A sampler that draws does not follow the source, however even its batches look.
        "deliberate": _deliberate(sampler, codes, filled, facts) and not follows(tests.get("successors")),
        "buffer": _buffer(codes, positions, source_size, against, unlabelled),
        "positions": positions,
        "position_origin": origin,
    }


def _totals(stream: BatchStream, source_classes: Mapping[str, int] | None) -> NDArray[np.int64] | None:
    """Samples of each class in the source; the stream's classes come first."""
    if stream.source_codes is not None and (stream.source_codes >= 0).all():
        return np.bincount(stream.source_codes, minlength=len(stream.classes))
    if source_classes is None or not set(stream.classes) <= set(source_classes):
        return None
    names = [*stream.classes, *(name for name in source_classes if name not in set(stream.classes))]
    return np.array([source_classes[name] for name in names], dtype=np.int64)


def _repeated(ids: NDArray[np.generic], sizes: NDArray[np.int32]) -> RepeatedBatches | Inconclusive:
    """`repeated_batches`, with the exact law where every batch is the same.

    That all M batches of B hold the same samples has probability (B!/Π o_h!)^M / (N!/Π c_h!), with o_h = c_h/M copies
    of each sample in a batch. Markov's inequality, which the other p-value rests on, is weak there.
    """
    from scipy.special import gammaln

    found = repeated_batches(ids, sizes)
    if isinstance(found, Inconclusive) or not found.groups or len(found.groups[0]) < max(found.batches, 3):
        return found
    m, kept = found.batches, np.repeat(sizes > 1, sizes)
    copies = np.unique(ids[kept], return_counts=True)[1]
    n = int(copies.sum())
    log_p = m * float(gammaln(n / m + 1) - gammaln(copies / m + 1).sum())
    log_p -= float(gammaln(n + 1) - gammaln(copies + 1).sum())
    p = max(min(1.0, 2 * min(found.test.p_value, float(np.exp(min(log_p, 0.0))))), SMALLEST)
    return dataclasses.replace(found, test=dataclasses.replace(found.test, p_value=p))


def _positions(
    stream: BatchStream, samples: slice, item: Pass, facts: LoaderFacts, source_ids: Sequence[str] | None
) -> tuple[NDArray[np.int64] | None, int, str]:
    """Where each sample stands in the source, how many there are, and how that is known."""
    source_size = 0
    if stream.source_index is not None and (stream.source_index[samples] >= 0).all():
        values: NDArray[np.int64] = stream.source_index[samples].astype(np.int64)
        source_size = max(facts.declared_samples or 0, int(values.max(initial=-1)) + 1)
        origin = "index in the dataset"
    elif stream.sample_ids is not None:
        names = stream.sample_ids[samples]
        place = {} if source_ids is None else {name: at for at, name in enumerate(source_ids)}
        if place and all(name in place for name in names.tolist()):
            values = np.array([place[name] for name in names.tolist()], dtype=np.int64)
            source_size, origin = len(place), "place in the dataset"
        else:
            # Ids are not made by the shuffle: by them, too, a shuffled order is a random one.
            ranked = {name: at for at, name in enumerate(sorted(set(names.tolist()), key=_natural))}
            values = np.array([ranked[name] for name in names.tolist()], dtype=np.int64)
            origin = "place among the sorted ids"
    else:
        return None, 0, ""
    if len(np.unique(values)) < len(values):
        return None, source_size, ""
    subset = "Subset" in (facts.sampler or "") or facts.distributed_replicas is not None
    if not source_size or item.ending is Ending.COMPLETE or subset:
        # Places among the samples that came: valid whatever part of the source they are.
        values = np.argsort(np.argsort(values)).astype(np.int64)
        return values, len(values), origin
    return values, source_size, origin


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key that puts 'a2' before 'a10'."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in parts]


def _overlap(stream: BatchStream, row: int, source_size: int) -> OrderTest | Inconclusive | None:
    """The first part of this pass against that of the one before, where neither is whole."""
    item = stream.passes[row]
    before = next((at for at in range(row - 1, -1, -1) if stream.passes[at].rank == item.rank), None)
    if before is None or item.ending is not Ending.LIMIT or stream.source_index is None:
        return None
    if stream.passes[before].ending is not Ending.LIMIT:
        return None
    parts = stream.sample_slices()
    first, second = stream.source_index[parts[before]], stream.source_index[parts[row]]
    if np.array_equal(first, second) or (first < 0).any():
        # The same order is another defect, and another rule's.
        return None
    return overlap(first, second, source_size)


def _deliberate(
    sampler: SamplerKind | None, codes: NDArray[np.int32], sizes: NDArray[np.int32], facts: LoaderFacts
) -> bool:
    if sampler is None:
        return False
    if sampler.name == "P classes × K samples" and not facts.batch_sampler:
        return not _in_one_stretch(codes, sizes)
    drawn = bool(facts.sampler_weights) and sampler.name not in ("clustered by class", "round robin")
    return sampler.deliberate or drawn


def _in_one_stretch(codes: NDArray[np.int32], sizes: NDArray[np.int32]) -> bool:
    """Whether each class is in neighbouring batches only, as in a sorted order, where P × K would scatter it."""
    batch = np.repeat(np.arange(len(sizes)), sizes)
    cells = np.unique(np.stack([codes, batch]), axis=1)
    _, starts, n = np.unique(cells[0], return_index=True, return_counts=True)
    last = cells[1][starts + n - 1]
    return bool((last - cells[1][starts] + 1 == n).mean() > 0.5)


def _buffer(
    codes: NDArray[np.int32],
    positions: NDArray[np.int64] | None,
    source_size: int,
    totals: NDArray[np.int64] | None,
    unlabelled: bool,
) -> ShuffleBuffer | None:
    """The buffer that explains the order, where there is reason to believe in one."""
    if positions is not None:
        found = buffer_from_positions(positions, source_size)
        return None if isinstance(found, Inconclusive) or found.high >= source_size else found
    if unlabelled:
        return None
    try:
        found = buffer_from_labels(codes, totals)
    except ValueError:
        return None
    # Where the interval reaches the whole source, a full shuffle explains the order as well.
    whole = len(codes) if totals is None else int(totals.sum())
    if isinstance(found, Inconclusive) or found.high >= whole or not _spans_fit(codes, found):
        return None
    return found


def _spans_fit(codes: NDArray[np.int32], buffer: ShuffleBuffer) -> bool:
    """Whether classes last as long as behind that buffer: about their own number and a few buffers, not the epoch.

    The wait in a buffer of b is exponential with mean b, so that the last of n samples comes about b ln n late.
    """
    n = len(codes)
    counts = np.bincount(codes)
    first, last = np.full(len(counts), n), np.full(len(counts), -1)
    np.minimum.at(first, codes, np.arange(n))
    np.maximum.at(last, codes, np.arange(n))
    many = counts > 1
    longest = counts[many] + buffer.high * (np.log(counts[many]) + 3)
    if not ((last - first)[many] <= longest).mean() > 0.75:
        return False
    # A buffer mixes neighbours; blocks and files that are read one after the other do not, and turns do so too well.
    mean = np.bincount(codes, weights=np.arange(n), minlength=len(counts)) / np.maximum(counts, 1)
    order = np.argsort(mean, kind="stable")
    source = np.repeat(order, counts[order])
    rng = np.random.default_rng(0)
    size = min(buffer.size, n)
    leaves = np.maximum(np.arange(n) - size, 0) + rng.exponential(size, size=n)
    late = leaves > n - size
    leaves[late] = rng.uniform(n - size, n, size=int(late.sum()))
    like = source[np.argsort(leaves, kind="stable")]
    joins, expected = np.count_nonzero(codes[1:] == codes[:-1]), np.count_nonzero(like[1:] == like[:-1])
    if joins < 0.75 * expected - 5 * np.sqrt(expected + 1):
        return False
    breaks, expected_breaks = n - 1 - joins, n - 1 - expected
    return bool(breaks >= 0.5 * expected_breaks - 3 * np.sqrt(expected_breaks + 1))


def _pair(
    stream: BatchStream,
    before: int,
    row: int,
    samples: list[slice],
    batches: list[slice],
    identities: list[NDArray[np.int64]] | None,
    identity: Compared,
    unlabelled: bool,
    seed: int,
) -> tuple[Pass, Pass, Compared, EpochComparison | Inconclusive]:
    first_sizes, second_sizes = stream.batch_size[batches[before]], stream.batch_size[batches[row]]
    by: Compared = identity if identities is not None else "content"
    values: Sequence[NDArray[np.generic]] = stream.hashes_by_epoch() if identities is None else identities
    found = compare_epochs(values[before], first_sizes, values[row], second_sizes, seed=seed)
    if isinstance(found, Inconclusive) and not unlabelled:
        first, second = stream.codes[samples[before]], stream.codes[samples[row]]
        if len(first) == len(second) and np.array_equal(first_sizes, second_sizes) and (first >= 0).all():
            compared = compare_label_epochs(first, second, first_sizes)
            if not isinstance(compared, Inconclusive):
                by, found = "labels", compared
    return stream.passes[before], stream.passes[row], by, found
