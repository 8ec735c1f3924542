"""Functions that a library begins or calls: Sacred's experiments, gradio's interfaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import only, reading

SETTINGS = """
    from sacred import Experiment
    ex = Experiment("classifier")

    @ex.config
    def config():
        base = 24
        image_size = 2 * base
    """


def sides(reading_of: Path, files: dict[str, str]) -> list[int | None]:
    """What the resizes of the one path bring pictures to."""
    path = only(reading(reading_of, files))
    assert path.pipeline.decode.library == "pillow"
    return [one.side for one in path.pipeline.geometry or () if isinstance(one, Resize)]


def test_an_experiment_of_sacred_is_begun_with_its_configuration(tmp_path: Path) -> None:
    script = """
        import copy
        from settings import ex
        from torch.utils.data import DataLoader
        from torchvision import datasets, transforms

        @ex.automain
        def main(_config):
            _config = copy.deepcopy(_config)
            prepare = transforms.Compose([transforms.Resize(_config["image_size"]), transforms.ToTensor()])
            val_loader = DataLoader(datasets.ImageFolder("data", transform=prepare), batch_size=4)
        """
    assert sides(tmp_path, {"settings.py": SETTINGS, "run.py": script}) == [48]


def test_an_experiment_of_sacred_gives_values_by_their_names(tmp_path: Path) -> None:
    script = """
        from settings import ex
        from torch.utils.data import DataLoader
        from torchvision import datasets, transforms

        @ex.automain
        def main(image_size, seed):
            prepare = transforms.Compose([transforms.Resize(image_size), transforms.ToTensor()])
            val_loader = DataLoader(datasets.ImageFolder("data", transform=prepare), batch_size=4)
        """
    assert sides(tmp_path, {"settings.py": SETTINGS, "run.py": script}) == [48]


def test_a_function_within_another_that_gradio_asks(tmp_path: Path) -> None:
    script = """
        import gradio as gr
        import torch
        from PIL import Image
        from torchvision import transforms

        def main():
            model = torch.load("a.pth").eval()
            prepare = transforms.Compose([transforms.Resize(40), transforms.ToTensor()])

            def answer(name, question):
                return model(prepare(Image.open(name).convert("RGB")).unsqueeze(0))

            gr.Interface(fn=answer, inputs=["text", "text"], outputs="text").launch()

        if __name__ == "__main__":
            main()
        """
    assert sides(tmp_path, {"demo.py": script}) == [40]


@pytest.mark.parametrize(("kind", "swap", "order"), [
    ("gr.Image(type='numpy')", "cv2.cvtColor(image, cv2.COLOR_BGR2RGB)", "BGR"),
    ("gr.Image()", "image", "RGB"),
    ("gr.Image(type='pil')", "np.array(image)", "RGB"),
])  # fmt: skip
def test_what_a_component_of_gradio_gives_is_of_red_green_and_blue(
    tmp_path: Path, kind: str, swap: str, order: str
) -> None:
    script = f"""
        import cv2
        import gradio as gr
        import numpy as np
        import torch

        with gr.Blocks() as demo:
            shown = {kind}
            button = gr.Button("Submit")

            def submitted(image):
                image = {swap} / 255.0
                return model(torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0))

            button.click(submitted, inputs=[shown], outputs=[gr.Label()])
        demo.launch()
        """
    path = only(reading(tmp_path, {"app.py": script}))
    assert (path.role, path.pipeline.order, path.pipeline.layout) == ("serve", order, "NCHW")
    assert path.pipeline.decode.library is None
