"""Near duplicates of pictures: by their pixels, and by the user's own vectors where there are any."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dataguard.core.finding import Skipped
from dataguard.dataset.duplicates import Member
from dataguard.dataset.near_duplicates import find_near_duplicates
from dataguard.dataset.near_pairs import NearDuplicatePair, NearDuplicates
from dataguard.inputs.rows import Rows, embedding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dataguard.inputs.made import Inputs


def _near_duplicates(inputs: Inputs) -> NearDuplicates | Skipped:
    config, table = inputs.config, inputs.table()
    found = find_near_duplicates(
        table, jobs=config.jobs, progress=inputs.progress, cache=inputs.cache, seed=config.seed
    )
    dataset = config.dataset
    if not table.has_thumbnails or (dataset.features is None and dataset.embedding is None):
        return found
    from dataguard.labels.given import read_features

    rows = Rows.of(table, inputs.order)
    described = f"vectors in {dataset.features}"
    if dataset.features is not None:
        vectors: NDArray[np.float32] = read_features(config.base / dataset.features, sample_ids=rows.sample_ids)
    else:
        vectors, rows, described = embedding(inputs, dataset.embedding or "", rows)
    return with_vectors(found, vectors, rows, described=described, seed=config.seed)


def with_vectors(
    found: NearDuplicates | Skipped, vectors: NDArray[np.float32], rows: Rows, *, described: str, seed: int
) -> NearDuplicates | Skipped:
    """The pairs by pixels, and those by vectors that are not among them.

    Args:
        found: By pixels; or why nothing was compared, as where no picture has texture.
        vectors: Shape (n, d).
        rows: The samples that they belong to.
        described: What the vectors are.
        seed: Of the search.
    """
    from dataguard.dataset.vector_pairs import vector_pairs

    if len(set(rows.splits)) < 2:
        return found
    pairs = vector_pairs(vectors, rows.splits, rows.contents, seed=seed)
    if isinstance(found, Skipped):
        found = NearDuplicates.from_pairs((), sizes={split: rows.splits.count(split) for split in set(rows.splits)})
    place = {frozenset((pair.left.sample_id, pair.right.sample_id)): index for index, pair in enumerate(found.pairs)}
    joined = list(found.pairs)
    for pair in pairs:
        left, right = _member(rows, pair.left), _member(rows, pair.right)
        known = place.get(frozenset((left.sample_id, right.sample_id)))
        if known is not None:
            joined[known] = dataclasses.replace(joined[known], cosine=pair.cosine)
            continue
        joined.append(
            NearDuplicatePair(
                left=left,
                right=right,
                distance=None,
                residual=None,
                chance_pairs=pair.chance_pairs,
                cosine=pair.cosine,
            )
        )
    return dataclasses.replace(found, pairs=tuple(joined), vectors=described, n_by_vectors=len(pairs))


def _member(rows: Rows, row: int) -> Member:
    return Member(sample_id=rows.sample_ids[row], split=rows.splits[row], label=rows.labels[row], path=rows.paths[row])


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {NearDuplicates: _near_duplicates}
