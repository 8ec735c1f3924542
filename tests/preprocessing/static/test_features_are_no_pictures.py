"""What networks return is no picture, whatever is computed of it afterwards."""

from __future__ import annotations

from pathlib import Path

from tests.preprocessing.static.repositories import only, reading


def test_features_that_are_compared(tmp_path: Path) -> None:
    script = """
        import cv2, torch
        import torch.nn.functional as F
        image = torch.from_numpy(cv2.imread("a.png").transpose(2, 0, 1)[None] / 255.0)
        found = []
        for _ in range(count):
            found.append(net(image))
        features = F.normalize(torch.cat(found, dim=0), p=2, dim=1)
        gallery = F.normalize(torch.load("gallery.pt"), p=2, dim=1)
        distances = 1 - torch.mm(features, gallery.t())
        ranks = rerank(distances)
        """
    path = only(reading(tmp_path, {"search.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.affine.scale) == ("opencv", (1 / 255,))


def test_what_a_network_returns_is_put_into_a_dictionary(tmp_path: Path) -> None:
    script = """
        import cv2, torch
        import torch.nn as nn
        import torch.nn.functional as F

        class Projection(nn.Module):
            def forward(self, depth):
                return self.points * depth

        projection = Projection()
        inputs = {"color": torch.from_numpy(cv2.imread("a.png").transpose(2, 0, 1)[None] / 255.0)}
        outputs = {"step": 0}
        outputs.update(net(inputs["color"]))
        for key in ("near", "far"):
            disparity = F.interpolate(outputs[key], [192, 640], mode="bilinear")
            points = projection(0.01 + 9.99 * disparity)
        """
    path = only(reading(tmp_path, {"infer.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.geometry) == ("opencv", ())
