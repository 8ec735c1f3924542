"""Means and standard deviations of levels divided by 255 that go by a name."""

from __future__ import annotations

from typing import TypeAlias

Statistics: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]
"""A mean and a standard deviation for each channel, or one for all."""

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""torchvision's."""
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
"""OpenAI's."""
CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
"""In common use."""
COCO = ((0.471, 0.448, 0.408), (0.234, 0.239, 0.242))
"""In common use."""
