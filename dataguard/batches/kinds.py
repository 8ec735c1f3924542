"""What the labels of a stream, its samples, its passes and its loaders are taken to be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class LabelKind(Enum):
    """What the labels were taken to be."""

    CLASSES = "classes"
    """One class a sample: whole numbers, text, or whole numbers in floating point."""
    ONE_HOT = "one-hot"
    """Rows of 0 with a single 1; the code is its column."""
    SOFT = "soft"
    """Rows of non-negative weights that sum to 1, as after mixup or label smoothing; the code is the largest."""
    MULTI_LABEL = "multi-label"
    """Rows of 0 and 1 with any number of ones; each distinct set counts as a class, named as ``1+4``."""
    CONTINUOUS = "continuous"
    """Numbers to regress on: in ``targets``, and every code is −1."""
    STRUCTURED = "structured"
    """Boxes, masks, sequences: nothing that order could be tested by."""
    ABSENT = "absent"
    """There are none, or none were found."""


class Ending(Enum):
    """How one pass over a loader ended."""

    COMPLETE = "complete"
    """The loader said that there is no more."""
    LIMIT = "limit"
    """The recorder stopped at its limit; more may have followed."""
    RAISED = "raised"
    """The loader raised; what came before is recorded."""
    TIMED_OUT = "timed-out"
    """No batch came within the time limit; what came before is recorded."""
    USED_UP = "used-up"
    """A one-shot iterator that an earlier pass had used up, so that this one had nothing."""
    ABANDONED = "abandoned"
    """The training loop left the loop early (`guard` only)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrayKind:
    """Type and form of one sample of the main input."""

    dtype: str
    """As numpy writes it (``float32``), ``bfloat16``, or ``str`` and ``bytes``."""
    shape: tuple[int, ...]
    """Of one sample, without the batch axis."""
    layout: str
    """A guess at what the axes of a batch are: NCHW, NHWC, NHW, NF (features), N, or N with one D an axis."""

    def __str__(self) -> str:
        return f"{self.dtype} {'×'.join(map(str, self.shape)) or 'scalar'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class LoaderFacts:
    """What a loader says of itself, read by attribute names; None where it does not say."""

    loader: str
    """Class, with its module."""
    declared_batches: int | None = None
    """``len(loader)``."""
    declared_samples: int | None = None
    """``len(loader.dataset)``."""
    dataset: str | None = None
    """Class of the dataset, with its module."""
    iterable_dataset: bool | None = None
    """Whether the dataset is a stream of its own, which no sampler orders."""
    batch_size: int | None = None
    drop_last: bool | None = None
    shuffle: bool | None = None
    """Whether the loader itself says that it shuffles."""
    sampler: str | None = None
    """Class of the sampler, with its module."""
    batch_sampler: str | None = None
    """Class of the batch sampler, where it is not torch's own."""
    sampler_weights: bool | None = None
    """Whether the sampler draws by weights, so that classes need not come as often as in the data."""
    replacement: bool | None = None
    """Whether the sampler may draw a sample twice in an epoch."""
    shuffle_buffer: int | None = None
    """The size of the shuffle buffer, where the loader is a pipeline that holds one."""
    num_workers: int | None = None
    worker_init_fn: bool | None = None
    persistent_workers: bool | None = None
    generator: bool | None = None
    """Whether the loader was given a random generator of its own."""
    collate: str | None = None
    """Name of the collate function."""
    distributed_rank: int | None = None
    distributed_replicas: int | None = None
    distributed_seed: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """One iteration over the loader, from its first batch to its end: one epoch of one rank."""

    epoch: int
    """From 0."""
    rank: int
    """−1 where there is only one process or it is unknown."""
    n_batches: int
    n_samples: int
    ending: Ending
    detail: str = ""
    """The error, or the limit."""
    sampler_epoch: int | None = None
    """What the sampler's ``epoch`` was when the pass began: `DistributedSampler` shuffles by it."""
    loader: int = 0
    """Index into the stream's ``loaders``."""
