"""Runs: the settings of a training, and what it leaves behind on the disk."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from fersep import equations, provenance, storage
from fersep.equations import Rule
from fersep.losses import FIRST_CENTERS, LOSSES
from fersep.models import ExpressionNet, expression_net, start_in_words

PRECISIONS = ("auto", "float32", "bfloat16")


class Faces(Protocol):
    """What training needs of a data set; `fersep.data.load` returns such objects."""

    @property
    def name(self) -> str:
        """Of the data set."""

    @property
    def classes(self) -> Any:
        """Names of the classes 0 .. s - 1."""

    @property
    def images(self) -> Tensor:
        """Of shape (n, 3, height, width), uint8."""

    @property
    def labels(self) -> Tensor:
        """Of shape (n,), int64."""

    @property
    def fingerprint(self) -> str:
        """Hash of images and labels."""


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
        m.
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
    alpha, rule, init
        Of `fersep.losses.make_loss`.
    loss : str
        What is added to the softmax loss: one of `fersep.losses.LOSSES`.
    seed : int
        Sets the first weights and centers, the order of images and their changes.
    arch, width, feature_dim, feature_relu, weights
        Of `fersep.models.expression_net`.
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
        if self.init not in FIRST_CENTERS:
            raise ValueError(
                f"init must be {', '.join(FIRST_CENTERS)}; got {self.init!r}"
            )
        if self.loss not in LOSSES:
            raise ValueError(f"loss must be {', '.join(LOSSES)}; got {self.loss!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"precision must be {', '.join(PRECISIONS)}; got {self.precision!r}"
            )
        for name in ("epochs", "lr_periods", "width"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        if self.batch_size < 2:
            raise ValueError(
                f"batch_size must be at least 2 for batch norm, got {self.batch_size}"
            )
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise ValueError(f"lr must be a number larger than 0, got {self.lr}")


@dataclass(frozen=True)
class Run:
    """A trained network with its centers, its history and where it came from.

    Attributes
    ----------
    settings : Settings
    data : dict
        Name, classes and fingerprint of the training images.
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
    center_history, true_history : Tensor, (epochs, s, d), optional
        The learned and the true centers after each epoch; None where that would be
        too large.
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

    def rows(self) -> list[dict[str, Any]]:
        """Return the history as tidy data.

        Returns
        -------
        list of dict
            ``epoch`` (from 1), ``quantity``, ``class`` (empty for what concerns all),
            ``value``.
        """
        found = []
        for quantity, values in self.history.items():
            for epoch, value in enumerate(values, 1):
                several = isinstance(value, list)
                names = self.data["classes"] if several else [""]
                for name, one in zip(names, value if several else [value], strict=True):
                    row = {"epoch": epoch, "quantity": quantity}
                    found.append({**row, "class": name, "value": one})
        return found

    def save(self, folder: str | Path) -> None:
        """Write the run as a folder; it appears whole or not at all.

        Raises
        ------
        FileExistsError
            If the folder holds something already.
        """
        with storage.whole_folder(folder) as part:
            tensors = {"model": self.model.state_dict(), "centers": self.centers}
            if self.center_history is not None:
                tensors["center_history"] = self.center_history
            if self.true_history is not None:
                tensors["true_history"] = self.true_history
            torch.save(tensors, part / "tensors.pt")
            facts = {
                "settings": asdict(self.settings),
                "data": self.data,
                "history": self.history,
                "seconds": self.seconds,
                "provenance": self.provenance,
            }
            text = json.dumps(facts, indent=1, allow_nan=False)
            (part / "run.json").write_text(text, encoding="utf-8")
            table = io.StringIO()
            writer = csv.DictWriter(table, ["epoch", "quantity", "class", "value"])
            writer.writeheader()
            writer.writerows(self.rows())
            (part / "history.csv").write_text(table.getvalue(), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        """Read a saved run.

        Raises
        ------
        ValueError
            If the folder is no saved run.
        """
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
        settings = Settings(**facts["settings"])
        model = _network(settings, len(facts["data"]["classes"]), pretrained=False)
        model.load_state_dict(tensors["model"])
        return cls(
            settings,
            facts["data"],
            model.eval(),
            tensors["centers"],
            facts["history"],
            facts["seconds"],
            facts["provenance"],
            tensors.get("center_history"),
            tensors.get("true_history"),
        )


def untrained(train: Faces, settings: Settings) -> ExpressionNet:
    """Return the network as :func:`fit` starts with it, before the first step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return _network(settings, len(train.classes), pretrained=True).eval()


def run_key(train: Faces, validation: Faces, settings: Settings) -> str:
    """Return the name of a run in ``_build/runs``: a hash of all that computes it."""
    facts = {
        "settings": asdict(settings),
        "train": train.fingerprint,
        "validation": validation.fingerprint,
        "code": provenance.code_key("fersep.training"),
    }
    if settings.weights and Path(settings.weights).is_file():
        content = Path(settings.weights).read_bytes()
        facts["weights"] = hashlib.sha256(content).hexdigest()
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def learning_rate(settings: Settings, epoch: int) -> float:
    """Return η in an epoch (from 0): a tenth less after each of ``lr_periods``."""
    return settings.lr * 0.1 ** (epoch * settings.lr_periods // settings.epochs)


def title(settings: Settings) -> str:
    """Return a run in a few words: loss, λ, seed and where the weights start."""
    loss = f"{settings.loss}, λ = {settings.lam:g}" if settings.lam else "softmax"
    start = start_in_words(settings.weights, settings.arch)
    return f"{loss}, seed {settings.seed}, {start}"


def _network(
    settings: Settings, num_classes: int, *, pretrained: bool
) -> ExpressionNet:
    return expression_net(
        settings.arch,
        num_classes,
        settings.feature_dim,
        settings.width,
        settings.weights if pretrained else None,
        settings.feature_relu,
    )
