"""What torchvision's weights say of how pictures are prepared for them: 'ResNet50_Weights.DEFAULT.transforms()'.

Source: torchvision 0.28, ``torchvision/models`` and ``torchvision/transforms/_presets.py``. Pictures for classification
are brought to their shorter side, their middle is cut, and ImageNet's mean and deviation are used; of weights that are
not listed the middle is of 224 pixels, out of 256 and, of a second version, out of 232.
"""

from __future__ import annotations

import re

from dataguard.preprocessing.readers.torchvision import IMAGENET_MEAN, IMAGENET_STD
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Ext, ExtObj, Seq, Value, last

_SIZES = {
    "ConvNeXt_Base.IMAGENET1K_V1": (224, 232, "bilinear"),
    "ConvNeXt_Large.IMAGENET1K_V1": (224, 232, "bilinear"),
    "ConvNeXt_Small.IMAGENET1K_V1": (224, 230, "bilinear"),
    "ConvNeXt_Tiny.IMAGENET1K_V1": (224, 236, "bilinear"),
    "EfficientNet_B0.IMAGENET1K_V1": (224, 256, "bicubic"),
    "EfficientNet_B1.IMAGENET1K_V1": (240, 256, "bicubic"),
    "EfficientNet_B1.IMAGENET1K_V2": (240, 255, "bilinear"),
    "EfficientNet_B2.IMAGENET1K_V1": (288, 288, "bicubic"),
    "EfficientNet_B3.IMAGENET1K_V1": (300, 320, "bicubic"),
    "EfficientNet_B4.IMAGENET1K_V1": (380, 384, "bicubic"),
    "EfficientNet_B5.IMAGENET1K_V1": (456, 456, "bicubic"),
    "EfficientNet_B6.IMAGENET1K_V1": (528, 528, "bicubic"),
    "EfficientNet_B7.IMAGENET1K_V1": (600, 600, "bicubic"),
    "EfficientNet_V2_L.IMAGENET1K_V1": (480, 480, "bicubic"),
    "EfficientNet_V2_M.IMAGENET1K_V1": (480, 480, "bilinear"),
    "EfficientNet_V2_S.IMAGENET1K_V1": (384, 384, "bilinear"),
    "Inception_V3.IMAGENET1K_V1": (299, 342, "bilinear"),
    "MNASNet0_75.IMAGENET1K_V1": (224, 232, "bilinear"),
    "MNASNet1_3.IMAGENET1K_V1": (224, 232, "bilinear"),
    "MaxVit_T.IMAGENET1K_V1": (224, 224, "bicubic"),
    "RegNet_Y_128GF.IMAGENET1K_SWAG_E2E_V1": (384, 384, "bicubic"),
    "RegNet_Y_128GF.IMAGENET1K_SWAG_LINEAR_V1": (224, 224, "bicubic"),
    "RegNet_Y_16GF.IMAGENET1K_SWAG_E2E_V1": (384, 384, "bicubic"),
    "RegNet_Y_16GF.IMAGENET1K_SWAG_LINEAR_V1": (224, 224, "bicubic"),
    "RegNet_Y_32GF.IMAGENET1K_SWAG_E2E_V1": (384, 384, "bicubic"),
    "RegNet_Y_32GF.IMAGENET1K_SWAG_LINEAR_V1": (224, 224, "bicubic"),
    "ResNeXt101_64X4D.IMAGENET1K_V1": (224, 232, "bilinear"),
    "ShuffleNet_V2_X1_5.IMAGENET1K_V1": (224, 232, "bilinear"),
    "ShuffleNet_V2_X2_0.IMAGENET1K_V1": (224, 232, "bilinear"),
    "Swin_B.IMAGENET1K_V1": (224, 238, "bicubic"),
    "Swin_S.IMAGENET1K_V1": (224, 246, "bicubic"),
    "Swin_T.IMAGENET1K_V1": (224, 232, "bicubic"),
    "Swin_V2_B.IMAGENET1K_V1": (256, 272, "bicubic"),
    "Swin_V2_S.IMAGENET1K_V1": (256, 260, "bicubic"),
    "Swin_V2_T.IMAGENET1K_V1": (256, 260, "bicubic"),
    "ViT_B_16.IMAGENET1K_SWAG_E2E_V1": (384, 384, "bicubic"),
    "ViT_B_16.IMAGENET1K_SWAG_LINEAR_V1": (224, 224, "bicubic"),
    "ViT_H_14.IMAGENET1K_SWAG_E2E_V1": (518, 518, "bicubic"),
    "ViT_H_14.IMAGENET1K_SWAG_LINEAR_V1": (224, 224, "bicubic"),
    "ViT_L_16.IMAGENET1K_SWAG_E2E_V1": (512, 512, "bicubic"),
    "ViT_L_16.IMAGENET1K_SWAG_LINEAR_V1": (224, 224, "bicubic"),
    "ViT_L_16.IMAGENET1K_V1": (224, 242, "bilinear"),
}  # fmt: skip
"""Side of the middle, shorter side before it, and kernel."""
_SECOND = ("EfficientNet_B1", "MobileNet_V2", "MobileNet_V3_Large", "RegNet_", "ResNeXt101_32X8D", "ResNeXt50_",
           "ResNet50", "ResNet101", "ResNet152", "Wide_ResNet")  # fmt: skip
"""Beginnings of networks whose weights by default are those of the second version."""
_QUANTIZED = re.compile(r"_(?:FBGEMM|QNNPACK)_")
_SECOND_QUANTIZED = frozenset({"ResNet50", "ResNeXt101_32X8D"})
"""Networks whose quantized weights by default are made of those of the second version."""
_SWAG = frozenset({"RegNet_Y_128GF", "ViT_H_14"})
"""Networks whose weights by default were trained with SWAG."""
_OTHERS = {
    "EfficientNet_V2_L.IMAGENET1K_V1": ((0.5,) * 3, (0.5,) * 3),
    "VGG16.IMAGENET1K_FEATURES": ((0.48235, 0.45882, 0.40784), (1 / 255,) * 3),
}
"""Mean and deviation of those that are not ImageNet's."""
_CLASSIFIERS = ("alexnet", "convnext", "densenet", "efficientnet", "googlenet", "inception_v3", "maxvit", "mnasnet",
                "mobilenet", "regnet", "resnet", "resnext", "shufflenet", "squeezenet", "swin_", "vgg", "vit_",
                "wide_resnet")  # fmt: skip
"""Beginnings of the names that torchvision registers networks for classification by."""
BEGINNING = "torchvision.models."
METHOD = "transforms"


def _weights(name: str) -> str:
    """The network and the version of weights, as 'ResNet50.IMAGENET1K_V2', of the name of their method."""
    network, _, version = name.rpartition(".")[0].rpartition(".")
    network = network.rpartition(".")[2].removesuffix("_Weights")
    if network.endswith("_QuantizedWeights"):
        # Pictures are prepared for them as for the weights that they are made of.
        network = network.removesuffix("_QuantizedWeights")
        usual = "IMAGENET1K_V2" if network in _SECOND_QUANTIZED else "IMAGENET1K_V1"
        return f"{network}.{usual if version == 'DEFAULT' else _QUANTIZED.sub('_', version)}"
    if version != "DEFAULT" or ".video." in name or ".optical_flow." in name:
        return f"{network}.{version}"
    if network.startswith(("DeepLabV3_", "FCN_", "LRASPP_")):
        return f"{network}.COCO_WITH_VOC_LABELS_V1"
    if "RCNN" in network or network.startswith(("FCOS_", "RetinaNet_", "SSD")):
        return f"{network}.COCO_V1"
    if network in _SWAG:
        return f"{network}.IMAGENET1K_SWAG_E2E_V1"
    return f"{network}.IMAGENET1K_V2" if network.startswith(_SECOND) else f"{network}.IMAGENET1K_V1"


@function("torchvision.models.get_model_weights", "torchvision.models.get_weight")
def _by_name(call: Call) -> Value:
    """The weights that a network is registered with: of 'resnet50' those of 'ResNet50_Weights'."""
    name = call.get(0, "name")
    word = name if isinstance(name, str) else last(name)
    if call.name.endswith("get_weight"):
        return Ext(f"{BEGINNING}{word}") if "_Weights." in word else call.unknown("weights of that name")
    if not word.lower().startswith(_CLASSIFIERS):
        return call.unknown("weights of that name")
    known = (*(one.partition(".")[0] for one in _SIZES), *_SECOND, *_SWAG)
    network = next((one for one in known if one.lower() == word.lower()), None)
    network = network or next((one for one in _SECOND if word.lower().startswith(one.lower())), word)
    return Ext(f"{BEGINNING}{network}_Weights")


def transforms_of(call: Call) -> Value:
    """The transforms that weights are used with; unknown for networks of films and of optical flow."""
    weights = _weights(call.name)
    version = weights.rpartition(".")[2]
    steps: list[tuple[str, list[Value], dict[str, Value]]] = []
    mean, std = _OTHERS.get(weights, (IMAGENET_MEAN, IMAGENET_STD))
    if version.startswith("IMAGENET"):
        second = version == "IMAGENET1K_V2"
        side, shorter, kernel = _SIZES.get(weights, (224, 232 if second else 256, "bilinear"))
        given = {name: call.kwargs[name] for name in ("crop_size", "resize_size") if name in call.kwargs}
        steps += [
            ("Resize", [given.get("resize_size", shorter)], {"interpolation": kernel, "antialias": True}),
            ("CenterCrop", [given.get("crop_size", side)], {}),
        ]
    elif version == "COCO_WITH_VOC_LABELS_V1":
        steps.append(("Resize", [520], {"interpolation": "bilinear", "antialias": True}))
    elif not version.startswith("COCO"):
        # Of films, or of optical flow.
        return call.unknown(f"what {weights} is prepared by")
    steps += [("PILToTensor", [], {}), ("ConvertImageDtype", [Ext("torch.float32")], {})]
    if not version.startswith("COCO") or version == "COCO_WITH_VOC_LABELS_V1":
        steps.append(("Normalize", [Seq(list(mean)), Seq(list(std))], {}))
    made = [ExtObj(f"torchvision.transforms.{name}", args, kwargs, call.place) for name, args, kwargs in steps]
    return ExtObj("torchvision.transforms.Compose", [Seq(list(made), "list")], {}, call.place)
