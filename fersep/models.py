"""The network of the paper's Fig. 2: images to features, features to logits."""

import logging
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import ResNet18_Weights, ResNet34_Weights
from torchvision.models.resnet import BasicBlock

from fersep.gates import PatchFeatures

log = logging.getLogger("fersep")

#: Kinds of first layers, and blocks in each of the four stages.
STEMS = ("imagenet", "small")
STAGES = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}

#: ResNet18 with patches after its second stage -> (with gates, with the whole face).
PATCHES = {"patches": (False, False), "pgcnn": (True, False), "gacnn": (True, True)}

#: What their names end with where the patches lie at the landmarks of each face.
AT_LANDMARKS = "-landmarks"
PATCHES |= {name + AT_LANDMARKS: parts for name, parts in PATCHES.items()}

IMAGENET = {
    **dict.fromkeys(("resnet18", *PATCHES), ResNet18_Weights.DEFAULT),
    "resnet34": ResNet34_Weights.DEFAULT,
}


class CosineHead(nn.Linear):
    """Logits (m, s) that are ``scale`` times cosines of features and class weights.

    Autocast does not touch them: a margin needs exact cosines.
    """

    def __init__(self, feature_dim: int, num_classes: int, scale: float) -> None:
        # A bias is drawn and dropped, so that all else starts as beside a linear head.
        super().__init__(feature_dim, num_classes)
        self.register_parameter("bias", None)
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        """The logits of features (m, d); those of a zero feature are 0."""
        with torch.autocast(features.device.type, enabled=False):
            directions = F.normalize(features.to(self.weight.dtype))
            return self.scale * F.linear(directions, F.normalize(self.weight))


class ExpressionNet(nn.Module):
    """A residual network that returns its features beside its logits.

    Module names and shapes are those of torchvision's ResNet, so its weights load when
    ``width`` is 64. See :func:`expression_net` for the parameters.
    """

    #: Whether it needs the points of `fersep.data.Faces`.
    at_landmarks = False

    def __init__(
        self,
        stages: tuple[int, ...],
        num_classes: int,
        feature_dim: int | None,
        width: int,
        feature_relu: bool = False,
        stem: str = "imagenet",
        scale: float | None = None,
    ) -> None:
        super().__init__()
        side = 7 if stem == "imagenet" else 3
        self.conv1 = nn.Conv2d(3, width, side, 2, padding=side // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool: nn.Module = nn.Identity()
        if stem == "imagenet":
            self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = 8 * width
        self.layer1 = _stage(width, width, stages[0], stride=1)
        self.layer2 = _stage(width, 2 * width, stages[1], stride=2)
        self.layer3 = _stage(2 * width, 4 * width, stages[2], stride=2)
        self.layer4 = _stage(4 * width, channels, stages[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.embed: nn.Module = nn.Identity()
        if feature_dim is not None:
            self.embed = nn.Linear(channels, feature_dim)
        self.last = nn.ReLU() if feature_relu else nn.Identity()
        self.feature_dim = channels if feature_dim is None else feature_dim
        if scale is None:
            self.fc = nn.Linear(self.feature_dim, num_classes)
        else:
            self.fc = CosineHead(self.feature_dim, num_classes, scale)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(
                    module.weight, mode="fan_out", nonlinearity="relu"
                )

    def forward(
        self, images: Tensor, points: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Features (m, d) of the last pooling layer and logits (m, s).

        Images (m, 3, height, width) are floating point, normalized as in training.
        Points (m, 24, 2) are those of `fersep.data.Faces`; most networks need none.
        """
        if not (isinstance(images, Tensor) and images.is_floating_point()):
            raise ValueError(
                "images must be a floating point Tensor on the scale of training; "
                "normalize uint8 images with fersep.training.normalize(images)"
            )
        features = self.last(self._describe(self._map(images), points))
        return features, self.fc(features)

    def _map(self, images: Tensor) -> Tensor:
        """The maps after the second stage."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps: Tensor = self.layer2(self.layer1(x))
        return maps

    def _describe(self, maps: Tensor, points: Tensor | None) -> Tensor:
        maps = self.layer4(self.layer3(maps))
        features: Tensor = self.embed(torch.flatten(self.avgpool(maps), 1))
        return features


class PatchNet(ExpressionNet):
    """PG-CNN or gACNN over the residual network; see `fersep.gates`."""

    def __init__(self, kind: str, *sizes: Any) -> None:
        super().__init__(STAGES["resnet18"], *sizes)
        gated, whole = PATCHES[kind]
        self.at_landmarks = kind.endswith(AT_LANDMARKS)
        width, small = self.conv1.out_channels, self.conv1.kernel_size == (3, 3)
        self.embed = PatchFeatures(width, 3 if small else 6, gated=gated, whole=whole)
        if not whole:
            self.layer3 = self.layer4 = nn.Sequential()

    def gates(self, images: Tensor, points: Tensor | None = None) -> Tensor:
        """The gates (m, 24) of the patches, or (m, 25) with that of the whole face."""
        return self._look(self._map(images), points)[1]

    def _describe(self, maps: Tensor, points: Tensor | None) -> Tensor:
        return self._look(maps, points)[0]

    def _look(self, maps: Tensor, points: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.at_landmarks and points is None:
            raise ValueError(
                "the patches of this network lie at the landmarks of each face, and "
                "these images have none (rendered faces have them); train it with "
                f"an arch without {AT_LANDMARKS}, whose patches lie at fixed points"
            )
        deep = self.layer4(self.layer3(maps))
        found: tuple[Tensor, Tensor] = self.embed(
            maps, deep, points if self.at_landmarks else None
        )
        return found


def expression_net(
    arch: str = "resnet18",
    num_classes: int = 7,
    feature_dim: int | None = None,
    width: int = 64,
    weights: str | Path | None = None,
    feature_relu: bool = False,
    stem: str = "imagenet",
    scale: float | None = None,
) -> ExpressionNet:
    """Build the network of the paper, or a narrow one of the same form.

    Parameters
    ----------
    arch : {"resnet18", "resnet34", "patches", "pgcnn", "gacnn"}
        The paper uses ResNet18. The last three are over a ResNet18: patches without
        gates, with gates (PG-CNN), and with the whole face beside them (gACNN). As
        "pgcnn-landmarks" the patches lie at the landmarks of each face, in place of
        fixed points; rendered faces alone have them.
    num_classes : int
        s: 7 for the basic expressions, 11 for the compound ones.
    feature_dim : int, optional
        Length d of an extra linear layer after the last pooling (the paper's feature
        length study). None: the pooled features themselves, d = 8 · ``width``, which
        are never negative.
    width : int
        Channels of the first stage; 64 is the real ResNet, d = 512.
    weights : str or path, optional
        None: random weights. "imagenet": torchvision's weights, downloaded once; the
        paper starts there. Else a file with a state dictionary, alone or in a
        checkpoint, of `torch.save`; what wrappers put before the names,
        as ``module.``, does not count. No code in it is run. The last layer always
        starts at random. The logger ``fersep`` says what was loaded.
    feature_relu : bool
        A ReLU behind the extra layer, so that features stay non-negative with it. The
        pooled features are so already.
    stem : {"imagenet", "small"}
        The first layers. "imagenet": 7 × 7 with stride 2, then pooling; an image of 48
        pixels reaches the last stage as 2 × 2. "small": 3 × 3 with stride 2 and no
        pooling, for images of about 48 pixels; ImageNet's weights do not fit it.
    scale : float, optional
        Of a :class:`CosineHead` as the last layer. None: a linear one.

    Raises
    ------
    ValueError
        If a name is unknown, or the weights do not fit.
    """
    if arch not in {**STAGES, **PATCHES}:
        known = ", ".join([*STAGES, *PATCHES])
        raise ValueError(f"arch must be one of {known}; got {arch!r}")
    if stem not in STEMS:
        raise ValueError(f"stem must be {' or '.join(STEMS)}; got {stem!r}")
    if num_classes < 2 or width < 1 or (feature_dim is not None and feature_dim < 1):
        raise ValueError(
            "num_classes must be at least 2, width and feature_dim at least 1; got "
            f"num_classes={num_classes}, width={width}, feature_dim={feature_dim}"
        )
    if arch in PATCHES:
        if feature_dim is not None:
            raise ValueError(f"{arch} has 16 width features; leave feature_dim out")
        net: ExpressionNet = PatchNet(
            arch, num_classes, 16 * width, width, feature_relu, stem, scale
        )
    else:
        net = ExpressionNet(
            STAGES[arch], num_classes, feature_dim, width, feature_relu, stem, scale
        )
    if weights == "imagenet":
        _fill(net, _download(arch, width), arch, width, weights)
    elif weights is not None:
        _fill(net, _read(Path(weights)), arch, width, weights)
    return net


def start_in_words(weights: str | Path | None, arch: str = "resnet18") -> str:
    """Say where a network starts; see ``weights`` of :func:`expression_net`."""
    if weights is None:
        return "from scratch"
    if weights == "imagenet":
        return f"from ImageNet weights ({IMAGENET[arch]})"
    return f"from the weights in {Path(weights).name}"


def _stage(channels: int, out: int, blocks: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or channels != out:
        shortcut = nn.Sequential(
            nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out)
        )
    first = BasicBlock(channels, out, stride, shortcut)
    rest = [BasicBlock(out, out) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)


def _download(arch: str, width: int) -> dict[str, Tensor]:
    if width != 64:
        raise ValueError(f"ImageNet weights exist for width=64 only; got width={width}")
    try:
        return dict(IMAGENET[arch].get_state_dict(progress=False))
    except OSError as error:
        raise ValueError(
            f"the ImageNet weights could not be downloaded ({error}); give "
            "weights=FILE with a copy of them, or weights=None to start from scratch"
        ) from None


def _fill(
    net: ExpressionNet,
    state: dict[str, Tensor],
    arch: str,
    width: int,
    weights: str | Path,
) -> None:
    """Load what fits by its name, and say what does not; the last layer is new."""
    # A wrapper puts words like ``module.`` before all names.
    block = "layer1.0.conv1.weight"
    prefix = next((k.removesuffix(block) for k in state if k.endswith(block)), "")
    state = {k.removeprefix(prefix): v for k, v in state.items()}
    first = state.get("conv1.weight")
    if first is not None and first.ndim == 4 and len(first) != width:
        raise ValueError(
            f"the weights {weights} are of width {len(first)}, the network of width "
            f"{width}: --width {len(first)}"
        )
    own = net.state_dict()
    body = {k: v for k, v in state.items() if k.startswith("layer") or k in own}
    without = ("fc.",) if len(net.layer4) else ("fc.", "layer3.", "layer4.")
    body = {k: v for k, v in body.items() if not k.startswith(without)}
    for name in {**own, **body}:  # layers of a deeper network have no place
        # An extra layer may be new, too; counters of batch norm are no use.
        free = name.startswith(("fc.", "embed.")) or name.endswith("batches_tracked")
        there, needed = ([*s[name].shape] if name in s else "none" for s in (body, own))
        if there != needed and (name in body or not free):
            raise ValueError(
                f"the weights {weights} do not fit a {arch} of width {width}: {name} "
                f"is {there}, should be {needed}; give --arch, --stem and --width of "
                "the network that was saved"
            )
        if name in body and not body[name].isfinite().all():
            raise ValueError(
                f"the weights {weights} hold NaN or infinity in {name}; that training "
                "went wrong, take an earlier checkpoint of it"
            )
    net.load_state_dict(body, strict=False)
    left, new = (
        ", ".join(sorted({k.split(".")[0] for k in names if k not in body}))
        for names in (state, own)
    )
    log.warning(
        f"{weights}: {len(body)} tensors loaded; left out: {left or 'nothing'}; "
        f"started anew: {new or 'nothing'}"
    )


def _read(path: Path) -> dict[str, Tensor]:
    """Read a state dictionary, also one that lies in a checkpoint."""
    if not path.is_file():
        raise ValueError(
            f"weights must be None, 'imagenet' or a file; {path} is no file"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken archive can raise anything
        if isinstance(error, pickle.UnpicklingError) and zipfile.is_zipfile(path):
            raise ValueError(
                f"weights {path} holds objects and not tensors alone, so that reading "
                "it could run code; where it was made, write "
                "torch.save(model.state_dict(), FILE) and give that file"
            ) from None
        raise ValueError(
            f"weights {path} cannot be read ({type(error).__name__}); give a file that "
            "torch.save wrote; of a .safetensors, torch.save(load_file(FILE), OTHER) "
            "makes one, with load_file of safetensors.torch"
        ) from None
    for key in ("state_dict", "model_state_dict", "model", "net", "network"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    tensors = content if isinstance(content, dict) else {}
    tensors = {k: v for k, v in tensors.items() if isinstance(v, Tensor)}
    if not tensors:
        raise ValueError(
            f"weights {path} holds no state dictionary; save model.state_dict() there"
        )
    return tensors
