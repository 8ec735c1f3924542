"""Seeding torch's generators without waiting for devices that are not there."""

from __future__ import annotations

from typing import Any


def seed_torch(torch: Any, seed: int) -> None:
    """What ``torch.manual_seed`` does, several hundred times as fast where there is no other device than the CPU.

    It tells each kind of device that torch knows to be seeded once there is one, and keeps a stack trace with it.

    Args:
        torch: The module, which is not imported here.
        seed: What all its generators are seeded with.
    """
    devices = getattr(torch, "accelerator", None)
    if devices is None or devices.is_available() or torch.cuda.is_available():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
