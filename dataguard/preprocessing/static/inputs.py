"""What networks of a framework take, where reading did not see how a picture was brought to it.

torch's layers of convolutions take batches of channels first, of the type of their weights, which is float32 unless
somebody changes it (torch 2.9, ``torch.nn.Conv2d``, ``torch.get_default_dtype``). Measured over the 230 labelled
repositories: of 404 paths into networks in repositories that import torch and no other framework, 402 are NCHW, the two
others frames of films; of 402 whose type is labelled, 401 are float32. Of 140 in repositories that import another
framework as well 125 are NCHW, so that nothing is said there but of torch's own tensors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.provenance import Origin, Provenance
from dataguard.preprocessing.static.picture import State

# A pattern that begins with a newline is searched for some ten times as fast as one that begins with a margin.
_TORCH = re.compile(rb"\n[ \t\"]*(?:import|from)[ \t]+torch\b")
_OTHERS = re.compile(
    rb"\n[ \t\"]*(?:import|from)[ \t]+(?:tensorflow|keras|tf_keras|mxnet|caffe2?|paddle|jax|flax|mindspore|chainer|"
    rb"theano|tensorlayer|tflite_runtime)\b"
)
_USUAL = frozenset({"HWC", "CHW", "NHWC", "NCHW", "HW", "NHW"})

_KNOWN = ("axes ", "an axis is added to a batch", "flattened")
"""Beginnings of reasons why a layout is none of the usual ones, where all that made it so was followed."""


def of_torch_alone(sources: Iterable[bytes]) -> bool:
    """Whether code imports torch and no other framework for networks."""
    found = False
    for source in sources:
        data = b"\n" + source
        if _OTHERS.search(data) is not None:
            return False
        found = found or _TORCH.search(data) is not None
    return found


def as_taken(pipeline: Pipeline, states: Sequence[State], *, torch_alone: bool, ended: bool = True) -> Pipeline:
    """A path with the layout and the type that torch's networks take, where these are not known otherwise.

    Args:
        pipeline: What is known of the path, to be fed to a network.
        states: The pictures that arrive, of which it is made.
        torch_alone: Whether all code is for torch.
        ended: Whether it was seen where the pictures arrive: levels that were last seen may be kept in a file as well.
    """
    if not torch_alone and any(one.kind != "tensor" for one in states):
        return pipeline
    changes: dict[str, Any] = {}
    reasons = [one.lost.get("layout", "" if one.layout in _USUAL else _KNOWN[0]) for one in states]
    if pipeline.layout is None and not any(one.startswith(_KNOWN) for one in reasons):
        changes["layout"] = "NCHW"
    half = any("dtype" not in one.lost and one.dtype == "float16" for one in states)
    if pipeline.dtype is None and ended and not half:
        changes["dtype"] = "float32"
    if not changes:
        return pipeline
    said = {
        name: Provenance(
            origin=Origin.DEFAULT,
            detail=f"what torch's networks take; {pipeline.undetermined.get(name, 'it is not followed')}",
        )
        for name in changes
    }
    undetermined = {name: why for name, why in pipeline.undetermined.items() if name not in changes}
    return replace(
        pipeline,
        **changes,
        undetermined=undetermined,
        provenance={**pipeline.provenance, **said},
    )
