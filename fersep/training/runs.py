"""What a training is given, its settings, and what it leaves behind, a run."""

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from fersep import equations, storage
from fersep.equations import Rule
from fersep.losses import FIRST_CENTERS, LOSSES
from fersep.losses.softmax import check_softmax
from fersep.models import STEMS, ExpressionNet, expression_net, start_in_words

#: The share of a run in which η rises, where it rises and falls linearly.
RISE = 0.2


@dataclass(frozen=True)
class Settings:
    """All choices of one training run; the defaults are the paper's for RAF-DB.

    Two things differ. The paper gives no momentum, weight decay, α, rule of the centers
    or first centers; here they are the usual values of its field. And the paper starts
    from ImageNet's weights; here the network starts from scratch without ``weights``.

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
    schedule : {"steps", "linear"}
        steps: as ``lr_periods`` says. linear: η rises from 0 for the first fifth of the
        run, and falls to 0 until its end.
    momentum : float
        Of stochastic gradient descent on the network; the centers have none.
    weight_decay : float
        Of the network, as momentum.
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
    arch : {"resnet18", "resnet34", "patches", "pgcnn", "gacnn"}
        The network. "pgcnn-landmarks", and the like, is for rendered faces alone: its
        patches lie at the landmarks of each face.
    width : int
        Channels of the first stage; 64 is the real ResNet.
    stem : {"imagenet", "small"}
        The first layers; small is for images of about 48 pixels.
    feature_dim : int, optional
        Length of an extra feature layer; without it, 8 times the width.
    feature_relu : bool
        Put a ReLU behind the extra feature layer.
    weights : str, optional
        imagenet, or a file with a state dictionary; without it, from scratch.
    loss : {"separate", "intra", "inter", "batch", "center", "island", "locality"}
        What is added to the softmax loss.
    head : {"linear", "normface", "cosface", "arcface"}
        What the logits of the softmax loss are; all but linear are of cosines.
    scale : float
        Of such a head.
    margin : float
        Of cosface or arcface; for training alone.
    smoothing : float
        The share of each label that is spread over all classes.
    precision : {"auto", "float32", "bfloat16"}
        Of the network; auto is bfloat16 on a GPU.
    """

    epochs: int = 60
    batch_size: int = 100
    lr: float = 0.01
    lr_periods: int = 3
    schedule: str = "steps"
    momentum: float = 0.9
    weight_decay: float = 5e-4
    lam: float = 0.9
    alpha: float = 0.5
    rule: Rule = "exact"
    init: str = "sphere"
    seed: int = 0
    arch: str = "resnet18"
    width: int = 64
    stem: str = "imagenet"
    feature_dim: int | None = None
    feature_relu: bool = False
    weights: str | None = None
    loss: str = "separate"
    head: str = "linear"
    scale: float = 16.0
    margin: float = 0.0
    smoothing: float = 0.0
    precision: str = "auto"

    def __post_init__(self) -> None:
        equations.check_lam(self.lam)
        equations.check_alpha(self.alpha)
        equations.check_rule(self.rule)
        check_softmax(self.head, self.scale, self.margin, self.smoothing)
        known = {"init": FIRST_CENTERS, "loss": LOSSES, "stem": STEMS}
        known["precision"] = ("auto", "float32", "bfloat16")
        known["schedule"] = ("steps", "linear")
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


def learning_rate(settings: Settings, epoch: int, done: float = 0.0) -> float:
    """Return η in an epoch (from 0), of which a share is done, by the schedule."""
    if settings.schedule == "linear":
        share = (epoch + done) / settings.epochs
        return settings.lr * min(share / RISE, (1 - share) / (1 - RISE))
    return settings.lr * 0.1 ** (epoch * settings.lr_periods // settings.epochs)


def describe(settings: Settings) -> str:
    """Return a run in a few words: loss, λ, seed and where the weights start."""
    head = "softmax" if settings.head == "linear" else settings.head
    loss = f"{settings.loss}, λ = {settings.lam:g}" if settings.lam else head
    start = start_in_words(settings.weights, settings.arch)
    return f"{loss}, seed {settings.seed}, {start}"


_FACTS = ("data", "history", "seconds", "provenance")
_TENSORS = ("centers", "center_history", "true_history")


@dataclass(frozen=True)
class Run:
    """A trained network with its centers, its history and where it came from.

    Attributes
    ----------
    settings : Settings
    data : dict
        Name, classes, size and fingerprint of the training images.
    model : ExpressionNet
        On the CPU, in evaluation mode.
    centers : Tensor, (s, d)
        The learned centers after the last epoch.
    history : dict of str to list
        One entry per epoch: ``softmax_loss``, ``intra_loss``, ``inter_loss``,
        ``train_accuracy``, ``validation_accuracy``, ``validation_mean_class_accuracy``
        (percent), ``intra`` and ``inter`` (mean cosines of training features and true
        centers), ``agreement`` (list of s cosines of learned and true centers). For
        another loss ``intra_loss`` and ``inter_loss`` are its two parts.
    seconds : float
        Wall time of the training.
    provenance : dict
        Revision, versions, device; where the weights started; precision, processes.
    center_history : Tensor, (epochs, s, d), optional
        The learned centers after each epoch.
    true_history : Tensor, (epochs, s, d), optional
        The true centers after each epoch.
    """

    settings: Settings
    data: dict[str, Any]
    model: ExpressionNet
    centers: Tensor
    history: dict[str, list[Any]]
    seconds: float
    provenance: dict[str, Any]
    center_history: Tensor | None = None
    true_history: Tensor | None = None

    def save(self, folder: str | Path) -> None:
        """Write the run as a folder; it appears whole or not at all.

        FileExistsError if the folder is there already.
        """
        tensors = {"model": self.model.state_dict()}
        tensors |= {name: getattr(self, name) for name in _TENSORS}
        with storage.whole_folder(folder) as part:
            torch.save(tensors, part / "tensors.pt")
            text = json.dumps(self.facts(), indent=1, allow_nan=False)
            (part / "run.json").write_text(text, encoding="utf-8")
            with (part / "history.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(self._rows())

    def facts(self) -> dict[str, Any]:
        """Return settings, data, history, seconds and provenance, ready for JSON."""
        facts = {name: getattr(self, name) for name in _FACTS}
        return {"settings": asdict(self.settings), **facts}

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        """Give the history as a table, with an empty class for what concerns all."""
        yield "epoch", "quantity", "class", "value"
        for quantity, values in self.history.items():
            by_class = quantity.startswith("agreement")
            names = self.data["classes"] if by_class else [""]
            for epoch, value in enumerate(values, 1):
                row = value if by_class else [value]
                for name, one in zip(names, row, strict=True):
                    yield epoch, quantity, name, one

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a saved run; ValueError if the folder is none."""
        folder = Path(folder)
        try:
            facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            tensors = torch.load(
                folder / "tensors.pt", map_location="cpu", weights_only=True
            )
        except Exception as error:  # a broken archive can raise anything
            raise ValueError(
                f"{folder} is no saved run ({type(error).__name__}); give a folder "
                "that Run.save wrote, which holds run.json and tensors.pt"
            ) from None
        settings = Settings(**facts.pop("settings"))
        scratch = replace(settings, weights=None)
        model = initial_network(len(facts["data"]["classes"]), scratch)
        model.load_state_dict(tensors.pop("model"))
        return cls(settings, model=model, **facts, **tensors)


def initial_network(num_classes: int, settings: Settings) -> ExpressionNet:
    """Return the network as :func:`fit` starts with it, before the first step."""
    names = ("arch", "feature_dim", "width", "weights", "feature_relu", "stem")
    options = {name: getattr(settings, name) for name in names}
    if settings.head != "linear":
        options["scale"] = settings.scale
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return expression_net(num_classes=num_classes, **options).eval()
