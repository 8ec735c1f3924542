"""Sound trainings, each built differently, that the rules about training must be silent on.

Every function takes a seed and returns a `dataguard.training.Training` of a small model on data that it can learn:
scikit-learn's bundled sets and what is generated. Nothing of them is wrong on purpose: inputs are scaled, layers are
initialized as torch does it, losses fit their outputs. `SOUND` names them all.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from dataguard.training import Training
from training_zoo import other_tasks, pictures, sequences  # type: ignore[import-not-found]

SOUND: dict[str, Callable[[int], Training]] = {
    function.__name__: function
    for function in (
        pictures.mlp,
        pictures.tanh_mlp,
        pictures.cnn,
        pictures.residual,
        pictures.frozen,
        pictures.checkpointed,
        pictures.mixed_precision,
        pictures.channels_last,
        pictures.lazy,
        pictures.averaged,
        pictures.compiled,
        pictures.patches,
        sequences.lstm,
        sequences.gru,
        sequences.transformer,
        sequences.tied,
        sequences.causal_convolution,
        sequences.bag,
        other_tasks.autoencoder,
        other_tasks.variational,
        other_tasks.regression,
        other_tasks.binary,
        other_tasks.multi_label,
        other_tasks.siamese,
        other_tasks.unet,
        other_tasks.inside,
    )
}


def sound(name: str, seed: int) -> Training:
    """One of `SOUND`, with weights drawn from the seed."""
    torch.manual_seed(seed)
    return SOUND[name](seed)
