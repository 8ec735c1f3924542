"""Classes of a repository that spread a network over devices are the network that they are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import served

SPREADING = """
from torch.nn.parallel.data_parallel import DataParallel

class WithCallback(DataParallel):
    def replicate(self, module, device_ids):
        return super().replicate(module, device_ids)

class Net(torch.nn.Module):
    def forward(self, x):
        return {"value": self.layers(x)}
"""


@pytest.mark.parametrize("made", ["WithCallback(Net())", "WithCallback(Net(), device_ids=[0])"])
def test_a_network_within_a_class_that_spreads_it_is_fed(tmp_path: Path, made: str) -> None:
    path = served(
        tmp_path,
        f"""{SPREADING}
net = {made}
picture = cv2.imread(path)[..., ::-1] / 255.0
out = net(torch.tensor(picture[None].astype(np.float32)).permute(0, 3, 1, 2))
value = out["value"]
""",
    )
    assert path.fed
    assert path.pipeline.layout == "NCHW"
    assert "class:Net@predict.py" in path.networks
