"""Libraries that bring models and loaders onto devices, and hand them back: Accelerate, Fabric."""

from __future__ import annotations

from dataguard.preprocessing.static.library.registry import Call
from dataguard.preprocessing.static.values import Seq, Value

LAUNCHERS = ("accelerate.Accelerator", "lightning.Fabric", "lightning.fabric.Fabric", "lightning_fabric.Fabric")
METHODS = frozenset({"prepare", "prepare_model", "prepare_data_loader", "setup", "setup_module", "setup_dataloaders"})


def prepared(call: Call) -> Value:
    """What is handed over: by itself, or as many as were given in their order."""
    if len(call.args) == 1:
        return call.args[0]
    return Seq(list(call.args), "tuple") if call.args else call.unknown("nothing")
