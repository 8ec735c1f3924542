"""Bars of progress: what is iterated over goes through them as it is."""

from __future__ import annotations

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Value


@function(
    "tqdm",
    "tqdm.tqdm",
    "tqdm.auto.tqdm",
    "tqdm.notebook.tqdm",
    "tqdm.trange",
    "tqdm.tqdm_notebook",
    "tqdm.autonotebook.tqdm",
    "tqdm.std.tqdm",
    "tqdm.asyncio.tqdm",
    "tqdm.gui.tqdm",
    "tqdm.rich.tqdm",
    "tqdm.keras.tqdm",
    "tqdm.notebook.tqdm_notebook",
    "tqdm.auto.trange",
    "rich.progress.track",
    "progressbar.progressbar",
    "ultralytics.utils.TQDM",
    "fastprogress.progress_bar",
    "fastprogress.fastprogress.progress_bar",
    "mmcv.track_iter_progress",
    "mmengine.utils.track_iter_progress",
    "alive_progress.alive_it",
    "accelerate.utils.tqdm",
)
def _progress(call: Call) -> Value:
    return call.args[0] if call.args else call.kwargs.get("iterable", call.unknown("a progress bar"))
