"""Copies of a user's model: unwrapped, not too large, and with the layers made that are made lazily."""

from __future__ import annotations

import copy
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError, DataguardError

if TYPE_CHECKING:
    from torch import nn

COPIES = 5
"""Sizes of the model that a training run needs at once: template, copy, gradients, two moments of Adam."""
_WRAPPERS = {
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "FullyShardedDataParallel": "module",
    "AveragedModel": "module",
}


def unwrapped(model: nn.Module) -> tuple[nn.Module, list[str]]:
    """The model within ``torch.compile``, ``DataParallel`` and averages of weights, and what was taken off."""
    notes = []
    while (name := _WRAPPERS.get(type(model).__name__)) is not None and hasattr(model, name):
        notes.append(f"the model within {type(model).__name__} is probed")
        model = getattr(model, name)
    return model, notes


def copied(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Deep copies of things that may share modules, without gradients.

    Raises:
        ConfigurationError: one of them cannot be copied.
    """
    import torch

    memory: dict[int, Any] = {}
    for value in values:
        for item in value.buffers() if isinstance(value, torch.nn.Module) else ():
            if isinstance(item, torch.nn.parameter.UninitializedBuffer):
                # torch copies lazy parameters, and not lazy buffers.
                kind: Any = torch.nn.parameter.UninitializedBuffer
                memory[id(item)] = kind(requires_grad=False, device=item.device, dtype=item.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = tuple(copy.deepcopy(value, memory) for value in values)
        except Exception as error:
            raise ConfigurationError(
                f"the model or its loss cannot be copied: {type(error).__name__}: {error}",
                where="model",
                hint="give a function that makes the model instead of the model; tensors that were computed, locks and "
                "open files cannot be copied",
            ) from error
    for value in found:
        if isinstance(value, torch.nn.Module):
            for parameter in value.parameters():
                parameter.grad = None
    return found


def check_size(model: nn.Module, device: str) -> None:
    """Refuse a model that training copies of it would not fit in memory.

    Raises:
        DataguardError: it takes more than there is.
    """
    import torch

    lazy = (torch.nn.parameter.UninitializedParameter, torch.nn.parameter.UninitializedBuffer)
    own = [item for item in (*model.parameters(), *model.buffers()) if not isinstance(item, lazy)]
    if any(item.is_meta for item in own):
        raise DataguardError(
            "the model is on the meta device and has no weights", where="model", hint="load its weights first"
        )
    needed = COPIES * sum(item.numel() * item.element_size() for item in own)
    free = _free(device)
    if free is not None and needed > free:
        raise DataguardError(
            f"the model is too large to be copied: probes need {needed / 2**30:.1f} GiB "
            f"({COPIES} times its size), and {free / 2**30:.1f} GiB are free on {device}",
            where="model",
            hint="probe a smaller configuration of the same code (fewer layers, narrower), or name another device",
        )


def _free(device: str) -> int | None:
    import torch

    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None
