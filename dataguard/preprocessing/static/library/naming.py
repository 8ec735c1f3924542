"""One name for what libraries offer under several."""

from __future__ import annotations

from functools import lru_cache

_WHOLE = {
    "Image": "PIL.Image",
    "ImageOps": "PIL.ImageOps",
    "np": "numpy",
    "tqdm.tqdm": "tqdm",
    "paddle.to_tensor": "torch.tensor",
    "mxnet.nd.array": "mxnet.array",
    "mxnet.ndarray.array": "mxnet.array",
}
_PARTS = ("array", "check", "control_flow", "math", "parsing", "random", "string")
"""Modules that TensorFlow is made of, whose functions it offers as its own."""
_STARTS = (
    ("tensorflow.python.keras.", "keras."),
    ("tensorflow.keras.", "keras."),
    ("tensorflow.compat.v1.", "tensorflow."),
    ("tensorflow.compat.v2.", "tensorflow."),
    ("tensorflow.python.ops.image_ops.", "tensorflow.image."),
    ("tensorflow.python.ops.nn_ops.", "tensorflow.nn."),
    *[(f"tensorflow.python.ops.{one}_ops.", "tensorflow.") for one in _PARTS],
    ("tensorflow.python.framework.ops.", "tensorflow."),
    ("tf_keras.", "keras."),
    ("keras.src.", "keras."),
    ("keras.utils.", "keras.preprocessing.image."),
    ("keras.preprocessing.image_dataset.", "keras.preprocessing.image."),
    ("keras_preprocessing.image.", "keras.preprocessing.image."),
    ("keras_applications.", "keras.applications."),
    ("torchvision.transforms.transforms.", "torchvision.transforms."),
    ("torchvision.transforms.v2.functional.", "torchvision.transforms.functional."),
    ("torchvision.transforms.functional_tensor.", "torchvision.transforms.functional."),
    ("torchvision.transforms.functional_pil.", "torchvision.transforms.functional."),
    ("torchvision.transforms.v2.", "torchvision.transforms."),
    ("torchvision.datasets.folder.", "torchvision.datasets."),
    ("torch.utils.data.dataloader.", "torch.utils.data."),
    ("torch.utils.data.dataset.", "torch.utils.data."),
    ("torch.autograd.variable.", "torch.autograd."),
    ("numpy.core.", "numpy."),
    ("cv2.cv2.", "cv2."),
    ("cv2.cv.", "cv2."),
    ("imageio.v2.", "imageio."),
    ("imageio.v3.", "imageio."),
    ("skimage.io.", "skimage.io."),
    ("albumentations.pytorch.transforms.", "albumentations.pytorch."),
    ("albumentations.augmentations.transforms.", "albumentations."),
    ("albumentations.augmentations.geometric.resize.", "albumentations."),
    ("albumentations.augmentations.crops.transforms.", "albumentations."),
    ("albumentations.augmentations.", "albumentations."),
    ("albumentations.core.composition.", "albumentations."),
    ("Image.", "PIL.Image."),
    ("ImageOps.", "PIL.ImageOps."),
    ("jax.numpy.", "numpy."),
    ("paddle.vision.transforms.functional.", "torchvision.transforms.functional."),
    ("paddle.vision.transforms.", "torchvision.transforms."),
    ("paddle.vision.datasets.", "torchvision.datasets."),
    ("paddle.io.", "torch.utils.data."),
    ("paddle.nn.", "torch.nn."),
    ("mxnet.numpy.", "numpy."),
    ("mxnet.np.", "numpy."),
    ("mxnet.nd.", "numpy."),
    ("mxnet.ndarray.", "numpy."),
)


@lru_cache(maxsize=8192)
def canonical(name: str) -> str:
    """The one name of something of a library.

    >>> canonical("tensorflow.keras.preprocessing.image.load_img")
    'keras.preprocessing.image.load_img'
    """
    if name in _WHOLE:
        return _WHOLE[name]
    for start, instead in _STARTS:
        if name.startswith(start):
            name = instead + name[len(start) :]
    if name.startswith("PIL.Image.Resampling."):
        return "PIL.Image." + name.rpartition(".")[2]
    return name
