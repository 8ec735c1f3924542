"""The user's optimizer, made anew for a copy."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError
from dataguard.core.users_code import users_code

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from dataguard.training.case import ModelCopy, TrainingCase

DEFAULT = "Adam, learning rate 0.001 (no optimizer was given)"


def optimizer_on(case: TrainingCase, copy: ModelCopy) -> Optimizer:
    """The user's optimizer with the same groups and settings, on a copy's parameters, and without state.

    Raises:
        ConfigurationError: it holds none of the model's parameters, or cannot be made.
    """
    import torch

    given = case.training.optimizer
    trained = [item for _, item in copy.parameters()]
    if given is None:
        return torch.optim.Adam(trained, lr=1e-3)
    if not hasattr(given, "param_groups"):
        with users_code(case.target, "the function that makes the optimizer failed"):
            made = given(trained)
        if not hasattr(made, "param_groups"):
            raise ConfigurationError(
                f"the optimizer is {type(made).__name__}",
                where=case.target,
                hint="give a torch optimizer, or a function of parameters that returns one",
            )
        return made  # type: ignore[no-any-return]
    own = dict(zip(map(id, case.original.parameters()), copy.model.parameters(), strict=True))
    groups: list[dict[str, Any]] = []
    for group in given.param_groups:
        held = [own[id(item)] for item in group["params"] if id(item) in own]
        if held:
            groups.append({**{key: value for key, value in group.items() if key != "params"}, "params": held})
    if not groups:
        raise ConfigurationError(
            "the optimizer holds no parameter of the model",
            where=f"{case.target}: optimizer",
            hint="make it of this model's parameters(), after the model is on its device",
        )
    # Not every default is an argument: AdamW's has one that it sets itself.
    taken = inspect.signature(type(given)).parameters
    defaults = {key: value for key, value in given.defaults.items() if key in taken}
    with users_code(case.target, "the optimizer could not be made again for a copy"):
        return type(given)(groups, **defaults)  # type: ignore[no-any-return]


def described(case: TrainingCase) -> str:
    """The optimizer in words: its class and its settings."""
    given = case.training.optimizer
    if given is None:
        return DEFAULT
    if not hasattr(given, "param_groups"):
        return f"made by {getattr(given, '__name__', type(given).__name__)}"
    group = given.param_groups[0]
    named = [f"{key} {group[key]:g}" for key in ("lr", "momentum", "weight_decay") if isinstance(group.get(key), float)]
    return ", ".join([type(given).__name__, *named])
