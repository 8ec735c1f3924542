"""Defaults that are declared beside a command, or stand for an argument's default."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading

FEED = """
    img = cv2.resize(cv2.imread(path), (side, side))
    model(torch.from_numpy(img.transpose(2, 0, 1)).float().unsqueeze(0))
"""


@pytest.mark.parametrize(
    "head",
    [
        "@click.command()\n@click.option('-s', '--side', default=320, type=int)\ndef run(path, side):",
        "@app.command()\ndef run(path: str = typer.Argument(...), side: int = typer.Option(320, help='its size')):",
        "@app.post('/predict')\ndef run(path: str = Form(...), side: int = Query(320)):",
    ],
)
def test_the_default_that_is_declared_is_taken(tmp_path: Path, head: str) -> None:
    code = "import click, cv2, torch, typer\nfrom fastapi import Form, Query\napp = make_app()\n" + head + FEED
    path = only(reading(tmp_path, {"predict.py": code}))
    (step,) = path.pipeline.geometry or ()
    assert (getattr(step, "height", None), getattr(step, "width", None)) == (320, 320)
