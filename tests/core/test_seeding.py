from __future__ import annotations

from types import SimpleNamespace

import pytest

from dataguard.core.seeding import seed_torch


@pytest.mark.parametrize(
    ("devices", "cuda", "by"), [(None, False, "all"), (True, False, "all"), (False, True, "all"), (False, False, "cpu")]
)
def test_devices_are_told_where_there_may_be_one(devices: bool | None, cuda: bool, by: str) -> None:
    called: list[tuple[str, int]] = []
    torch = SimpleNamespace(
        accelerator=None if devices is None else SimpleNamespace(is_available=lambda: devices),
        cuda=SimpleNamespace(is_available=lambda: cuda),
        manual_seed=lambda seed: called.append(("all", seed)),
        default_generator=SimpleNamespace(manual_seed=lambda seed: called.append(("cpu", seed))),
    )
    seed_torch(torch, 7)
    assert called == [(by, 7)]


def test_the_stream_is_that_of_manual_seed() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(2**40 + 3)
    law = torch.rand(5)
    seed_torch(torch, 2**40 + 3)
    assert torch.equal(torch.rand(5), law)
