"""TensorRT: a network is fed by copying a picture into the memory of its input."""

from __future__ import annotations

import ast

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Picture, Value

HOST = "host"
"""The attribute that NVIDIA's samples, and all that copy them, keep an input's memory in."""


@function("pycuda.driver.memcpy_htod", "pycuda.driver.memcpy_htod_async", "cuda.cudart.cudaMemcpy",
          "cuda.cudart.cudaMemcpyAsync")  # fmt: skip
def _copied(call: Call) -> Value:
    return call.machine.feed(call.args[1:2], call.node, "memcpy_htod")


@function("numpy.copyto")
def _copy_to(call: Call) -> Value:
    """``np.copyto(inputs[0].host, picture)`` feeds; of a picture, the other one's levels are written into it."""
    target = call.node.args[0] if isinstance(call.node, ast.Call) and call.node.args else None
    value = call.get(1, "src")
    if isinstance(target, ast.Attribute) and target.attr == HOST and isinstance(call.node, ast.Call):
        source = call.node.args[1] if len(call.node.args) > 1 else None
        flat = source.func if isinstance(source, ast.Call) else None
        if isinstance(flat, ast.Attribute) and flat.attr in ("ravel", "flatten", "reshape"):
            # Memory has no axes: what is copied is the picture as it was.
            value = call.machine.evaluate(flat.value)
        return call.machine.feed([value], call.node, "copyto")
    if isinstance(target, ast.Name) and isinstance(value, Picture):
        call.machine.assign(target, value)
    return None
