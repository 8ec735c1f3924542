"""What torchvision's transforms draw by chance, asked of their classes: ``RandomCrop.get_params(img, (h, w))``.

Source: torchvision ``transforms/transforms.py``: of a crop the corner and the size, of a resized crop the same of which
all is by chance, of an affine map its parameters, of ColorJitter a transform (before 0.9) or the order and factors.
"""

from __future__ import annotations

from dataguard.preprocessing.static.feeding import DRAWING
from dataguard.preprocessing.static.library.registry import Call, function, methods
from dataguard.preprocessing.static.unknowns import CHANCE
from dataguard.preprocessing.static.values import Seq, Unknown, Value, is_number

_CLASSES = ("RandomCrop", "RandomResizedCrop", "RandomSizedCrop", "RandomAffine", "RandomRotation", "RandomPerspective",
            "ColorJitter", "RandomErasing", "GaussianBlur", "ElasticTransform")  # fmt: skip


@function(*(f"torchvision.transforms.{one}.get_params" for one in _CLASSES))
def _asked(call: Call) -> Value:
    return parameters(call, call.name.split(".")[-2])


def parameters(call: Call, name: str) -> Value:
    """Parameters of a random transform of a class."""
    from dataguard.preprocessing.static.library.torchvision import pair_of

    chance = Unknown(CHANCE, call.place, "random")
    if name == "RandomCrop":
        height, width = pair_of(call.get(1, "output_size"))
        return Seq([chance, chance, height, width], "tuple")
    if name in ("RandomResizedCrop", "RandomSizedCrop", "RandomAffine"):
        return Seq([chance] * 4, "tuple")
    return chance


def of_object(call: Call) -> Value:
    """The same, asked of an object: ``self.crop.get_params(img, self.crop.size)``."""
    return parameters(call, call.receiver.name.rpartition(".")[2])


_BY_ODDS = frozenset({"RandomHorizontalFlip", "RandomVerticalFlip", "RandomGrayscale", "RandomErasing"})


def never(name: str, call: Call) -> bool:
    """Whether what a transform draws changes no picture: with odds of zero, or factors that leave colours alone."""
    if name == "ColorJitter":
        given = [call.get(*one) for one in enumerate(("brightness", "contrast", "saturation", "hue"))]
        return all(one is None or (is_number(one) and one == 0) for one in given)
    odds = call.get(0, "p") if name in _BY_ODDS else call.kwargs.get("p")
    return is_number(odds) and odds == 0


@methods("value", *DRAWING)
def _filled(call: Call) -> Value:
    """'torch.tensor(1.0).uniform_(low, high)'."""
    return Unknown(CHANCE, call.place, "random")
