"""What a training leaves behind, in memory and on the disk."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fersep import storage
from fersep.models import ExpressionNet, expression_net
from fersep.training.settings import Settings


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

    def save(self, folder: str | Path) -> None:
        """Write the run as a folder; it appears whole or not at all.

        Raises
        ------
        FileExistsError
            If the folder holds something already.
        """
        facts = {
            "settings": asdict(self.settings),
            "data": self.data,
            "history": self.history,
            "seconds": self.seconds,
            "provenance": self.provenance,
        }
        tensors = {
            "model": self.model.state_dict(),
            "centers": self.centers,
            "center_history": self.center_history,
            "true_history": self.true_history,
        }
        with storage.whole_folder(folder) as part:
            torch.save(tensors, part / "tensors.pt")
            text = json.dumps(facts, indent=1, allow_nan=False)
            (part / "run.json").write_text(text, encoding="utf-8")
            with (part / "history.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(self._rows())

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        """Give the history as a table, with an empty class for what concerns all."""
        yield "epoch", "quantity", "class", "value"
        for quantity, values in self.history.items():
            for epoch, value in enumerate(values, 1):
                several = isinstance(value, list)
                names = self.data["classes"] if several else [""]
                for name, one in zip(names, value if several else [value], strict=True):
                    yield epoch, quantity, name, one

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
        settings = Settings(**facts.pop("settings"))
        scratch = replace(settings, weights=None)
        model = initial_network(len(facts["data"]["classes"]), scratch)
        model.load_state_dict(tensors.pop("model"))
        return cls(settings, model=model, **facts, **tensors)


def initial_network(num_classes: int, settings: Settings) -> ExpressionNet:
    """Return the network as :func:`fit` starts with it, before the first step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        net = expression_net(
            settings.arch,
            num_classes,
            settings.feature_dim,
            settings.width,
            settings.weights,
            settings.feature_relu,
        )
    return net.eval()
