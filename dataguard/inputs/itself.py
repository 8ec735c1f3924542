"""What a run says of itself: only its end knows, so the engine makes it and gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dataguard.core.acceptance import Acceptances, FinishedRuns
from dataguard.core.finding import Skipped

if TYPE_CHECKING:
    from dataguard.inputs.made import Inputs


def _of_no_run(_: Inputs) -> Skipped:
    return Skipped(reason="the run has not ended yet")


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {Acceptances: _of_no_run, FinishedRuns: _of_no_run}
