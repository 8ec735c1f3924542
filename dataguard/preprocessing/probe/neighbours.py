"""Whether what becomes of a picture depends on the others of its batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.asking import Asker, ProbeError, as_array, given_all

Given: TypeAlias = Any
"""What the function takes: a path, bytes, a Pillow picture or pixels."""


def depends_on_neighbours(asker: Asker, batch: Callable[[Sequence[Given]], object], seed: int) -> bool:
    """Whether a picture's answer changes with the others of its batch.

    Raises:
        ProbeError: the batches raise, or come out with different shapes.
    """
    one, dark, light = (
        # Neither the lightest nor the darkest of the batch.
        stimuli.photograph(120, 150, seed) // 2 + 40,
        stimuli.constant(120, 150, (60, 60, 60)),
        stimuli.noise(120, 150, seed + 1),
    )
    answers = []
    for others in ([dark, dark], [light, dark]):
        with given_all([one, *others], asker.takes) as given:
            try:
                answer = as_array(batch(given), several=True)
            except ProbeError:
                raise
            except Exception as error:
                raise ProbeError(f"the function of batches raised {type(error).__name__}: {error}") from error
        if len(answer) != len(given):
            raise ProbeError(f"of a batch of {len(given)} pictures came an answer of shape {answer.shape}")
        answers.append(answer[0])
    return answers[0].shape != answers[1].shape or not np.array_equal(answers[0], answers[1])
