"""Pictures that data sets hold in memory, batches that are added to zeros, and Caffe's nets fed from memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Crop, Random, Resize
from tests.preprocessing.static.repositories import only, reading

PAIRS = """
    from PIL import Image
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import {name}

    class Pair({name}):
        def __getitem__(self, index):
            image, target = self.data[index], self.targets[index]
            image = Image.fromarray({value})
            if self.transform is not None:
                first, second = self.transform(image), self.transform(image)
            if self.target_transform is not None:
                target = self.target_transform(target)
            return first, second, target

    prepare = transforms.Compose([transforms.Resize(16), transforms.ToTensor()])
    train_loader = DataLoader(Pair(root="data", train=True, transform=prepare), batch_size=4)
    """


@pytest.mark.parametrize(
    ("name", "value", "order"), [("CIFAR10", "image", "RGB"), ("MNIST", "image.numpy(), mode='L'", "GRAY")]
)
def test_a_class_that_reads_what_torchvision_holds(tmp_path: Path, name: str, value: str, order: str) -> None:
    path = only(reading(tmp_path, {"main.py": PAIRS.format(name=name, value=value)}))
    pipeline = path.pipeline
    assert (pipeline.decode.library, pipeline.order, pipeline.layout) == ("array", order, "NCHW")
    assert [one.side for one in pipeline.geometry or () if isinstance(one, Resize)] == [16]
    assert pipeline.affine.scale == (1 / 255,)


def test_pictures_added_to_a_batch_of_zeros(tmp_path: Path) -> None:
    script = """
        import numpy as np
        import torch
        from torchvision import datasets, transforms

        def fast_collate(batch):
            images = [one[0] for one in batch]
            w, h = images[0].size[0], images[0].size[1]
            tensor = torch.zeros((len(images), 3, h, w), dtype=torch.uint8)
            for i, image in enumerate(images):
                array = np.rollaxis(np.asarray(image, dtype=np.uint8), 2)
                tensor[i] += torch.from_numpy(array)
            return tensor, torch.tensor([one[1] for one in batch])

        dataset = datasets.ImageFolder("val", transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)]))
        val_loader = torch.utils.data.DataLoader(dataset, batch_size=8, collate_fn=fast_collate)
        for images, _ in val_loader:
            model(images.float().div_(255))
        """
    pipeline = only(reading(tmp_path, {"main.py": script})).pipeline
    assert (pipeline.layout, pipeline.dtype, pipeline.affine.scale) == ("NCHW", "float32", (1 / 255,))


NET = """
    import numpy as np
    from StringIO import StringIO
    from PIL import Image
    import caffe

    def resized(data):
        image = Image.open(StringIO(str(data))).resize((256, 256), resample=Image.BILINEAR)
        kept = StringIO()
        image.save(kept, format="JPEG")
        kept.seek(0)
        return bytearray(kept.read())

    net = caffe.Net("a.prototxt", "a.caffemodel", caffe.TEST)
    transformer = caffe.io.Transformer({"data": net.blobs["data"].data.shape})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_mean("data", np.array([104, 117, 123]))
    transformer.set_raw_scale("data", 255)
    transformer.set_channel_swap("data", (2, 1, 0))
    image = caffe.io.load_image(StringIO(resized(open("a.jpg").read())))
    _, _, h, w = net.blobs["data"].data.shape
    top, left = (image.shape[0] - h) / 2, (image.shape[1] - w) / 2
    prepared = transformer.preprocess("data", image[top:top + h, left:left + w, :])
    prepared.shape = (1,) + prepared.shape
    name = net.inputs[0]
    net.forward_all(blobs=["prob"], **{name: prepared})
    """


def test_a_net_of_caffe_fed_by_name_from_memory(tmp_path: Path) -> None:
    pipeline = only(reading(tmp_path, {"classify.py": NET})).pipeline
    assert (pipeline.decode.library, pipeline.order, pipeline.layout) == ("pillow", "BGR", "NCHW")
    steps = pipeline.geometry or ()
    assert [one.engine for one in steps if isinstance(one, Resize)] == ["pillow"]
    assert sum(isinstance(one, Crop | Random) for one in steps) == 1
    assert pipeline.affine.scale == pytest.approx((1.0,) * 3)
    assert pipeline.affine.offset == pytest.approx((-104, -117, -123))


@pytest.mark.parametrize(
    ("more", "role"), [("", "serve"), ("torch.optim.SGD(model.parameters(), 0.1).step()", "train")]
)
def test_gradients_that_are_shown_train_nothing(tmp_path: Path, more: str, role: str) -> None:
    script = f"""
        import torch
        from PIL import Image
        from torchvision import transforms

        prepare = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()])
        def explain(model, name):
            output = model(prepare(Image.open(name).convert("RGB")).unsqueeze(0))
            output[:, 1].sum().backward()
            {more}
            return model.gradients
        explain(torch.load("a.pth"), "a.png")
        """
    assert only(reading(tmp_path, {"predict.py": script})).role == role
