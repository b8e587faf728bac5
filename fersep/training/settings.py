"""The choices of a training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fersep import equations
from fersep.equations import Rule
from fersep.losses import FIRST_CENTERS, LOSSES
from fersep.models import start_in_words

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Settings:
    """All choices of one training run; the defaults are the paper's for RAF-DB.

    The paper gives no momentum, weight decay, α, rule of the centers or first centers;
    here they are the usual values of its field.

    Attributes
    ----------
    epochs : int
        Passes over the training images.
    batch_size : int
        m, images in a batch.
    lr : float
        η at the start.
    lr_periods : int
        The run is cut into so many equal periods; η falls to a tenth after each. 3 is
        the paper's RAF-DB schedule (60 epochs), 4 its AffectNet schedule (20 epochs).
    momentum, weight_decay : float
        Of stochastic gradient descent on the network; the centers have neither.
    lam : float
        λ of Eq. 9. With 0 the network sees the softmax loss alone, and the centers
        follow its features without acting on them.
    alpha : float
        α of Eq. 8; 0 holds the centers still.
    rule : {"exact", "published", "mean"}
        How the centers move.
    init : {"sphere", "normal", "uniform", "simplex", "means"}
        The first centers.
    seed : int
        Sets the first weights and centers, the order of images and their changes.
    arch : {"resnet18", "resnet34"}
        The network.
    width : int
        Channels of the first stage; 64 is the real ResNet.
    feature_dim : int, optional
        Length of an extra feature layer; without it, 8 times the width.
    feature_relu : bool
        Put a ReLU behind the extra feature layer.
    weights : str, optional
        imagenet, or a file with a state dictionary; without it, from scratch.
    loss : {"separate", "intra", "inter", "batch", "center", "island", "locality"}
        What is added to the softmax loss.
    precision : {"auto", "float32", "bfloat16"}
        Of the network; auto is bfloat16 on a GPU.
    """

    epochs: int = 60
    batch_size: int = 100
    lr: float = 0.01
    lr_periods: int = 3
    momentum: float = 0.9
    weight_decay: float = 5e-4
    lam: float = 0.9
    alpha: float = 0.5
    rule: Rule = "exact"
    init: str = "sphere"
    seed: int = 0
    arch: str = "resnet18"
    width: int = 64
    feature_dim: int | None = None
    feature_relu: bool = False
    weights: str | None = None
    loss: str = "separate"
    precision: str = "auto"

    def __post_init__(self) -> None:
        equations.check_lam(self.lam)
        equations.check_alpha(self.alpha)
        equations.check_rule(self.rule)
        known = {"init": FIRST_CENTERS, "loss": LOSSES, "precision": PRECISIONS}
        for name, words in known.items():
            if (value := getattr(self, name)) not in words:
                raise ValueError(f"{name} must be {', '.join(words)}; got {value!r}")
        for name in ("epochs", "lr_periods", "width"):
            if (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if self.batch_size < 2:
            raise ValueError(
                f"batch_size must be at least 2 for batch norm, got {self.batch_size}"
            )
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise ValueError(f"lr must be a number larger than 0, got {self.lr}")


def learning_rate(settings: Settings, epoch: int) -> float:
    """Return η in an epoch (from 0): a tenth less after each of ``lr_periods``."""
    return settings.lr * 0.1 ** (epoch * settings.lr_periods // settings.epochs)


def describe(settings: Settings) -> str:
    """Return a run in a few words: loss, λ, seed and where the weights start."""
    loss = f"{settings.loss}, λ = {settings.lam:g}" if settings.lam else "softmax"
    start = start_in_words(settings.weights, settings.arch)
    return f"{loss}, seed {settings.seed}, {start}"
