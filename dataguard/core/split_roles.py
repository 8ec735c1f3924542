"""What a split is for, told from its name."""

from __future__ import annotations

_TRAIN = ("train", "training")
_VALIDATION = ("val", "valid", "validation", "dev")
_TEST = ("test", "testing", "eval", "evaluation", "holdout")


def is_training(split: str) -> bool:
    """Whether a split is trained on, by its name; samples without any split ('') are.

    >>> is_training("Train"), is_training(""), is_training("val")
    (True, True, False)
    """
    return split == "" or split.lower() in _TRAIN


def split_order(split: str) -> tuple[int, str]:
    """A sort key that puts training before validation before test before the rest.

    >>> sorted(["test", "extra", "val", "train"], key=split_order)
    ['train', 'val', 'test', 'extra']
    """
    for rank, names in enumerate((("", *_TRAIN), _VALIDATION, _TEST)):
        if split.lower() in names:
            return rank, split
    return 3, split
