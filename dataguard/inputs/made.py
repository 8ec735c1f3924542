"""Every input of a run, made once and only where a rule asks for it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from dataguard.config import Config
from dataguard.core.finding import Inconclusive, Skipped
from dataguard.core.progress import Progress

if TYPE_CHECKING:
    from dataguard.dataset.cache import Cache
    from dataguard.dataset.class_counts import ClassCounts
    from dataguard.dataset.engines import Engine
    from dataguard.dataset.sources import Source
    from dataguard.dataset.table import SampleTable
    from dataguard.inputs.loader import Loader

T = TypeVar("T")
Unavailable: TypeAlias = Skipped | Inconclusive

MAKING: Mapping[str, tuple[str, ...]] = {
    "batches": ("loader",),
    "core": ("code", "itself"),
    "dataset": ("dataset", "near_pictures", "near_rows"),
    "environment": ("environment", "installed"),
    "labels": ("labels",),
    "preprocessing": ("repository", "preprocessing"),
    "reproduction": ("reproduction",),
    "splits": ("code", "samples", "file_facts", "normalization"),
    "training": ("training",),
    "versions": ("versions",),
}
"""The modules here that make what a package defines; none of them is imported before something of it is asked for."""
OF_THE_DATASET = frozenset({"dataset", "labels", "samples", "file_facts", "near_pictures", "near_rows"})
"""Those of what there is only of a dataset; the others say themselves why something is not there."""


def _maker(kind: type) -> tuple[str, Callable[[Inputs], Any]] | None:
    """The module that makes an input, and how."""
    for name in MAKING.get(kind.__module__.removeprefix("dataguard.").partition(".")[0], ()):
        makers: Mapping[type, Callable[[Inputs], Any]] = importlib.import_module(f"dataguard.inputs.{name}").MAKERS
        if kind in makers:
            return name, makers[kind]
    return None


def is_of_the_dataset(kind: type) -> bool:
    """Whether there is such an input only of a dataset."""
    found = _maker(kind)
    return found is not None and found[0] in OF_THE_DATASET


class Inputs:
    """Makes every kind of input that a rule may ask for, once.

    Attributes:
        config: What the run is told.
        source: The dataset; None where there is none.
        loader: What feeds the training loop, if anything.
        cache: Where results are kept; None for nowhere.
        progress: Told how far it is.
        guessed: What was taken for what, in words; makers add to it.
        n_all: Of how many samples those that are looked at were drawn; None where they are all.
    """

    def __init__(
        self,
        config: Config,
        source: Source | None,
        *,
        use_cache: bool,
        progress: Progress,
        loader: Loader | None = None,
    ) -> None:
        self.config = config
        self.source = source
        self.loader = loader
        self.progress = progress
        self.cache: Cache | None = None
        if use_cache:
            from dataguard.dataset.cache import Cache
            from dataguard.inputs.source import cache_folder

            self.cache = Cache(cache_folder(config))
        self.guessed: list[str] = []
        self.n_all: int | None = None
        self._made: dict[type, Any] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed of the source, and what is the matter with the cache."""
        guessed: Sequence[str] = [] if self.source is None else self.source.notes
        return (*guessed, *self.guessed, *(self.cache.notes if self.cache is not None else ()))

    @cached_property
    def engine(self) -> Engine | None:
        """What the configuration names to do the work of a scan; None for threads of this process."""
        if self.config.engine is None:
            return None
        from dataguard.dataset.engines import open_engine

        return open_engine(self.config.engine)

    def close(self) -> None:
        """Let go of the engine, where one was opened."""
        engine = self.__dict__.pop("engine", None)
        if engine is not None:
            engine.close()

    def give(self, value: object) -> None:
        """Take an input that was made elsewhere."""
        self._made[type(value)] = value

    def get(self, kind: type[T]) -> T | Unavailable:
        """The input of that type, or why there is none."""
        if kind not in self._made:
            self._made[kind] = self._shortage(kind) or self._make(kind)
        made: T | Unavailable = self._made[kind]
        return made

    def made(self, kind: type[T]) -> T | None:
        """The input of that type, where it was made and is there; nothing is made for it."""
        found = self._made.get(kind)
        return found if isinstance(found, kind) else None

    def there(self, name: str) -> Any:
        """The same for a type by its name below ``dataguard``, as 'training.case.TrainingCase'.

        Its module is not imported for that: where nothing has imported it, there is nothing of that type.
        """
        module, _, kind = name.rpartition(".")
        loaded = sys.modules.get(f"dataguard.{module}")
        return None if loaded is None else self.made(getattr(loaded, kind))

    def table(self) -> SampleTable:
        """The sample table; scans where that has not been done."""
        from dataguard.dataset.table import SampleTable

        table = self.get(SampleTable)
        if isinstance(table, Skipped | Inconclusive):
            raise TypeError("the scan gave no table")
        return table

    def class_counts(self) -> ClassCounts | Skipped:
        """The class counts, or why there are none."""
        from dataguard.dataset.class_counts import ClassCounts

        counts = self.get(ClassCounts)
        if isinstance(counts, Inconclusive):
            raise TypeError("class counts are never inconclusive")
        return counts

    @cached_property
    def regression(self) -> bool:
        """Whether the label is a regression target: as configured, or as the numbers in a table look."""
        if self.config.dataset.task is not None:
            return self.config.dataset.task == "regression"
        from dataguard.dataset.sources.table import TableSource
        from dataguard.labels.target_evidence import is_continuous, numbers

        if not isinstance(self.source, TableSource) or self.source.label is None:
            return False
        found = self.table().label_numbers()
        if numbers(found.others) is None:
            return False
        if not is_continuous(found.n_known, found.n_distinct, fractions=found.fractions, span=found.span):
            return False
        distinct = found.n_distinct
        self.guessed.append(
            f"{self.source.label!r} is taken for a regression target: {distinct:,} distinct numbers "
            '(dataset.task = "classification" if they name classes)'
        )
        return True

    @property
    def order(self) -> str:
        """Tables are read in their own order, which is the order of the user's probabilities too.

        Pictures are called by their names wherever they lie: their order is that of the names, unless something of the
        user's has one entry a row.
        """
        from dataguard.dataset.sources.table import TableSource

        if not isinstance(self.source, TableSource):
            return '"sample_id"'
        dataset = self.config.dataset
        by_row = any(given is not None for given in (dataset.pred_probs, dataset.predictions, dataset.features))
        return '"row"' if by_row or self.source.image is None else '"sample_id"'

    def _shortage(self, kind: type) -> Skipped | None:
        if self.source is None:
            return None
        from dataguard.inputs.capacity import shortage

        return shortage(kind, self)

    def _make(self, kind: type) -> Any:
        found = _maker(kind)
        if found is not None and found[0] not in OF_THE_DATASET:
            return found[1](self)
        if self.source is None:
            from dataguard.inputs.source import NO_DATASET

            return NO_DATASET
        if found is None:
            raise KeyError(kind)
        return found[1](self)
