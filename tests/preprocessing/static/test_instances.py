"""What ``isinstance`` says of functions and of what prepares pictures: neither is a dictionary or a list of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, trained


@pytest.mark.parametrize(
    "made", ["transforms.ToTensor()", "transforms.Compose([transforms.ToTensor()])", "lambda one: TF.to_tensor(one)"]
)
@pytest.mark.parametrize("kinds", ["dict", "(list, tuple)"])
def test_a_transform_that_could_be_several(tmp_path: Path, made: str, kinds: str) -> None:
    path = trained(
        tmp_path,
        f"""
        transform = {made}
        picture = Image.open(self.names[index]).convert("RGB")
        return transform["standard"](picture) if isinstance(transform, {kinds}) else transform(picture)
        """,
    )
    assert levels(path) == pytest.approx((1 / 255, 0.0))
