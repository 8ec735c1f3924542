"""What the guard seeds and sets back is what torch's own functions do, without what they take."""

from __future__ import annotations

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from dataguard.training.guard import deterministic_algorithms, seed_torch, untouched  # noqa: E402


@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_the_stream_is_that_of_manual_seed(seed: int) -> None:
    torch.manual_seed(seed)
    expected = torch.rand(7)
    seed_torch(seed)

    assert torch.equal(torch.rand(7), expected)


def test_where_there_is_another_device_torch_seeds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    monkeypatch.setattr(torch, "manual_seed", seeded.append)
    seed_torch(3)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    seed_torch(4)

    assert seeded == ([3, 4] if torch.accelerator.is_available() else [4])


@pytest.mark.parametrize("before", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("inside", [(False, False), (True, False), (True, True)])
def test_deterministic_algorithms_are_as_before(before: tuple[bool, bool], inside: tuple[bool, bool]) -> None:
    try:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        with untouched():
            torch.use_deterministic_algorithms(inside[0], warn_only=inside[1])
        assert deterministic_algorithms() == before
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.slow
def test_the_compiler_of_torch_is_not_imported() -> None:
    program = (
        "import sys\nfrom dataguard.training.guard import untouched\n"
        "with untouched(seed=0):\n    pass\n"
        "sys.exit(', '.join({'torch._inductor', 'torch._dynamo'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
