"""Leave everything as it was: random states, modes of torch, and gradients of the user's own model."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dataguard.core import seeding

if TYPE_CHECKING:
    from torch import nn


@contextlib.contextmanager
def untouched(*owned: Any, seed: int | None = None, generators: tuple[Any, ...] = ()) -> Iterator[None]:
    """Whatever is done inside, random states and the user's modules are as before afterwards, also after an error.

    Kept are the states of Python's, NumPy's and torch's generators (CPU and every GPU in use), whether gradients are
    recorded, the default type, cuDNN's and the deterministic settings, and of each module its ``grad``s, its modes and
    ``requires_grad``. Gradients are set aside, so that a loss that refers to the user's own model adds nothing to them.

    Args:
        *owned: The user's modules; others are passed over.
        seed: Seeds every generator inside.
        generators: Further ``torch.Generator``s, as a loader's.
    """
    import numpy as np
    import torch

    modules = [item for item in owned if isinstance(item, torch.nn.Module)]
    states = [_state(module) for module in modules]
    python_state, numpy_state, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    with_cuda = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda_states = torch.cuda.get_rng_state_all() if with_cuda else []
    others = [(generator, generator.get_state()) for generator in generators]
    recorded, default = torch.is_grad_enabled(), torch.get_default_dtype()
    deterministic, only_warns = deterministic_algorithms()
    cudnn = (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic)
    try:
        if seed is not None:
            seed_all(seed)
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.set_rng_state(torch_state)
        if cuda_states:
            torch.cuda.set_rng_state_all(cuda_states)
        for generator, state in others:
            generator.set_state(state)
        torch.set_grad_enabled(recorded)
        torch.set_default_dtype(default)
        # Not without need: it imports torch's compiler, which takes seconds.
        if deterministic_algorithms() != (deterministic, only_warns):
            torch.use_deterministic_algorithms(deterministic, warn_only=only_warns)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = cudnn
        # The last first: where a module is named twice, its first state is the true one.
        for kept in reversed(states):
            _restore(kept)


def deterministic_algorithms() -> tuple[bool, bool]:
    """Whether only deterministic algorithms are used, and whether there is but a warning of others."""
    import torch

    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def seed_all(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)
    seed_torch(seed)


def seed_torch(seed: int) -> None:
    """Seed torch's generators, as `dataguard.core.seeding` does."""
    import torch

    seeding.seed_torch(torch, seed)


def generators_of(loader: Any) -> tuple[Any, ...]:
    """The generators that a loader and its samplers draw from."""
    import torch

    found: list[Any] = []
    for holder in (loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)):
        for item in (holder, getattr(holder, "sampler", None)):
            generator = getattr(item, "generator", None)
            if isinstance(generator, torch.Generator) and all(generator is not other for other in found):
                found.append(generator)
    return tuple(found)


def _state(module: nn.Module) -> tuple[list[Any], list[Any], list[Any]]:
    import torch

    # What a lazy layer will make is not there yet, and so has no gradient to keep.
    made = [item for item in module.parameters() if not isinstance(item, torch.nn.parameter.UninitializedParameter)]
    parameters = [(item, item.grad, item.requires_grad) for item in made]
    for item, _, _ in parameters:
        item.grad = None
    # Buffers are small; a loss that refers to the user's own model would move its running statistics.
    buffers = [
        (item, item._version, item.detach().clone())
        for item in module.buffers()
        if not isinstance(item, torch.nn.parameter.UninitializedBuffer)
    ]
    return parameters, buffers, [(item, item.training) for item in module.modules()]


def _restore(kept: tuple[list[Any], list[Any], list[Any]]) -> None:
    import torch

    parameters, buffers, modes = kept
    for item, gradient, required in parameters:
        item.requires_grad_(required)
        item.grad = gradient
    with torch.no_grad():
        for item, version, values in buffers:
            if item._version != version:
                item.copy_(values)
    for item, mode in modes:
        item.training = mode
