"""Algorithm 1: train a network with the softmax loss and the separate loss."""

from __future__ import annotations

import hashlib
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from fersep import analysis, equations, records
from fersep.equations import Rule
from fersep.losses import FIRST_CENTERS, SeparateLoss
from fersep.models import ExpressionNet, expression_net

#: Mean and standard deviation of ImageNet's colors, the usual input scale of ResNet18.
COLOR_MEAN = (0.485, 0.456, 0.406)
COLOR_STD = (0.229, 0.224, 0.225)


class Faces(Protocol):
    """What training needs of a data set; `fersep.data.load` returns such objects."""

    name: str
    classes: Any
    images: Tensor  # (n, 3, height, width) uint8
    labels: Tensor  # (n,) int64
    fingerprint: str


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
        Of `fersep.losses.SeparateLoss`.
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

    def __post_init__(self) -> None:
        equations.check_lam(self.lam)
        equations.check_alpha(self.alpha)
        equations.check_rule(self.rule)
        if self.init not in FIRST_CENTERS:
            raise ValueError(
                f"init must be {', '.join(FIRST_CENTERS)}; got {self.init!r}"
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
        centers), ``agreement`` (list of s cosines of learned and true centers).
    seconds : float
        Wall time of the training.
    provenance : dict
    """

    settings: Settings
    data: dict[str, Any]
    model: ExpressionNet
    centers: Tensor
    history: dict[str, list[Any]]
    seconds: float
    provenance: dict[str, Any]

    def save(self, folder: str | Path) -> None:
        """Write the run as a folder; it appears whole or not at all.

        Raises
        ------
        FileExistsError
            If the folder holds something already.
        """
        with records.whole_folder(folder) as part:
            torch.save(
                {"model": self.model.state_dict(), "centers": self.centers},
                part / "tensors.pt",
            )
            facts = {
                "settings": asdict(self.settings),
                "data": self.data,
                "history": self.history,
                "seconds": self.seconds,
                "provenance": self.provenance,
            }
            text = json.dumps(facts, indent=1, allow_nan=False)
            (part / "run.json").write_text(text, encoding="utf-8")

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
        )


def fit(
    train: Faces,
    validation: Faces,
    settings: Settings,
    *,
    device: str = "auto",
    progress: bool = True,
) -> Run:
    """Train one network by Algorithm 1.

    Parameters
    ----------
    train, validation : Faces
        Data sets of `fersep.data.load` with the same classes. The test images have no
        place here.
    settings : Settings
    device : str
        "auto" (a GPU when there is one), "cpu" or "cuda".
    progress : bool
        Show a progress bar over the epochs.

    Returns
    -------
    Run

    Raises
    ------
    ValueError
        If the data or the device do not fit.
    FloatingPointError
        If the loss is no longer a finite number at the end of an epoch.
    """
    where = pick_device(device)
    s = len(train.classes)
    check_training_data(train, s)
    started = time.perf_counter()
    model = untrained(train, settings).to(where)
    model = model.to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(settings.seed)
    separate = SeparateLoss(
        s,
        model.feature_dim,
        alpha=settings.alpha,
        rule=settings.rule,
        init=settings.init,
        generator=generator,
    ).to(where)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    images, labels = train.images.to(where), train.labels.to(where)
    history: dict[str, list[Any]] = {}
    epochs = tqdm(
        range(settings.epochs),
        desc=_title(settings),
        disable=not progress,
        file=sys.stdout,
        leave=False,
        mininterval=5,
    )
    for epoch in epochs:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, epoch)
        model.train()
        sums = torch.zeros(4, device=where)
        seen = 0
        for index in _batches(len(labels), settings.batch_size, generator):
            batch, y = images[index.to(where)], labels[index.to(where)]
            # Algorithm 1, line by line.
            features, logits = model(augment(batch, generator))
            softmax = F.cross_entropy(logits, y)
            intra, inter = separate.parts(features, y)
            loss = softmax + settings.lam * (intra + inter)
            separate.update(features.detach(), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

            right = (logits.argmax(1) == y).sum()
            terms = torch.stack([softmax.detach(), intra.detach(), inter])
            sums += torch.cat([terms * len(y), right[None]])
            seen += len(y)
        # The only place where the training reads values back from the device.
        means = (sums / seen).tolist()
        separate.raise_on_faults()
        if not all(math.isfinite(v) for v in means):
            raise FloatingPointError(
                f"the loss is no longer a finite number in epoch {epoch + 1} of "
                f"{settings.epochs}; lower lr (now {settings.lr}) or lam "
                f"(now {settings.lam})"
            )
        row = _epoch_row(model, separate.centers, train, validation, means)
        for key, value in row.items():
            history.setdefault(key, []).append(value)
        epochs.set_postfix(validation=f"{row['validation_accuracy']:.1f} %")
    return Run(
        settings,
        {
            "name": train.name,
            "classes": list(train.classes),
            "fingerprint": train.fingerprint,
            "count": len(train.labels),
        },
        model.cpu().eval(),
        separate.centers.cpu(),
        history,
        time.perf_counter() - started,
        records.provenance(device=str(where)),
    )


def trained(
    train: Faces,
    validation: Faces,
    settings: Settings,
    *,
    device: str = "auto",
    progress: bool = True,
) -> Run:
    """Return the saved run of exactly these settings and data, or train and save it.

    Runs lie in ``_build/runs``, each under a key made of everything that computes it:
    settings, data, and the code of this library that takes part.

    Parameters and errors are those of :func:`fit`.
    """
    folder = records.build_dir() / "runs" / run_key(train, validation, settings)
    if folder.is_dir():
        return Run.load(folder)
    run = fit(train, validation, settings, device=device, progress=progress)
    try:
        run.save(folder)
    except FileExistsError:  # another process trained the same run meanwhile
        return Run.load(folder)
    return run


def pairs(
    train: Faces,
    validation: Faces,
    settings: Settings,
    n_seeds: int,
    *,
    run: str = "",
    device: str = "auto",
    progress: bool = True,
) -> tuple[list[Run], list[Run]]:
    """Return runs of the softmax loss and of the separate loss, paired by seed.

    Parameters
    ----------
    train, validation, settings, device, progress
        As in :func:`trained`. The softmax runs have λ = 0 and are alike in all else.
    n_seeds : int
        How many seeds, counted up from ``settings.seed``.
    run : str
        A saved run of the separate loss to use instead; its softmax partner is trained
        with its settings unless it is there already.

    Returns
    -------
    softmax, separate : list of Run

    Raises
    ------
    ValueError
        If n_seeds is below 1, λ is 0, or the saved run saw other images.
    """
    if n_seeds < 1:
        raise ValueError(f"n_seeds must be at least 1, got {n_seeds}")
    if not run and settings.lam == 0:
        raise ValueError(
            "lam is 0, which is the softmax loss itself; give a lam above 0 to compare"
        )
    if run:
        saved = Run.load(run)
        if saved.settings.lam == 0:
            raise ValueError(
                f"run={run} was trained with lam 0, the softmax loss itself; give a "
                "run of the separate loss"
            )
        if saved.data["fingerprint"] != train.fingerprint:
            raise ValueError(
                f"run={run} was trained on other images ({saved.data['name']}); give "
                "the same data, root, image_size and train_size as in its training"
            )
        wanted, separate = [saved.settings], [saved]
    else:
        seeds = range(settings.seed, settings.seed + n_seeds)
        wanted = [replace(settings, seed=seed) for seed in seeds]
        separate = [
            trained(train, validation, each, device=device, progress=progress)
            for each in wanted
        ]
    softmax = [
        trained(
            train, validation, replace(each, lam=0.0), device=device, progress=progress
        )
        for each in wanted
    ]
    return softmax, separate


def untrained(train: Faces, settings: Settings) -> ExpressionNet:
    """Return the network as :func:`fit` starts with it, before the first step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return _network(settings, len(train.classes), pretrained=True).eval()


def run_key(train: Faces, validation: Faces, settings: Settings) -> str:
    """Return the name of a run in ``_build/runs``: a hash of all that computes it."""
    here = Path(__file__).parent
    code = [here / f"{m}.py" for m in ("equations", "losses", "models", "training")]
    facts = {
        "settings": asdict(settings),
        "train": train.fingerprint,
        "validation": validation.fingerprint,
        "code": records.syntax_hash(code),
    }
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def learning_rate(settings: Settings, epoch: int) -> float:
    """Return η in an epoch (from 0): a tenth less after each of ``lr_periods``."""
    return settings.lr * 0.1 ** (epoch * settings.lr_periods // settings.epochs)


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Flip half of the images and shift each by up to a twelfth of its size.

    Parameters
    ----------
    images : Tensor, (m, 3, height, width) uint8
    generator : torch.Generator
        On the CPU, so that one seed gives the same changes on every device.

    Returns
    -------
    Tensor, (m, 3, height, width)
        Normalized, in channels-last order.
    """
    m, _, height, width = images.shape
    most = max(height, width) // 12
    flip = torch.rand(m, generator=generator) < 0.5
    shift = torch.randint(-most, most + 1, (2, m), generator=generator)
    flip, shift = flip.to(images.device), shift.to(images.device)
    rows = torch.arange(height, device=images.device) + shift[0, :, None]
    columns = torch.arange(width, device=images.device) + shift[1, :, None]
    columns = torch.where(flip[:, None], width - 1 - columns, columns)
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    which = torch.arange(m, device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]]
    return normalize(moved.permute(0, 3, 1, 2))


def normalize(images: Tensor) -> Tensor:
    """Turn uint8 images (m, 3, height, width) into the network's input."""
    mean = torch.tensor(COLOR_MEAN, device=images.device)[:, None, None]
    std = torch.tensor(COLOR_STD, device=images.device)[:, None, None]
    scaled = images.float().div_(255).sub_(mean).div_(std)
    return scaled.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def evaluate(
    model: ExpressionNet, images: Tensor, batch_size: int = 500
) -> tuple[Tensor, Tensor]:
    """Return features (n, d) and logits (n, s) of uint8 images, on the CPU.

    The model runs in evaluation mode, on the device it is on.
    """
    where = next(model.parameters()).device
    was_training = model.training
    model.eval()
    parts = [model(normalize(part.to(where))) for part in images.split(batch_size)]
    model.train(was_training)
    features, logits = zip(*parts, strict=True)
    return torch.cat(features).cpu(), torch.cat(logits).cpu()


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of that name; "auto" is a GPU when there is one.

    Raises
    ------
    ValueError
        If the name is unknown or the device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda; got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "device=cuda was asked for but torch sees no GPU; use device=auto or "
            "device=cpu, or install a driver that torch supports"
        )
    return torch.device(name)


def check_training_data(train: Faces, num_classes: int) -> None:
    """Raise unless every class has a training image and every label is in range."""
    equations.check_labels(train.labels, num_classes)
    counts = torch.bincount(train.labels, minlength=num_classes)
    empty = [train.classes[i] for i in (counts == 0).nonzero()[:, 0].tolist()]
    if empty:
        raise ValueError(
            f"{train.name} has no training image of {', '.join(empty)}; add images of "
            "it, use more images (size), or take the class out of the data"
        )


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


def _batches(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    for index in torch.randperm(n, generator=generator).split(size):
        if len(index) > 1:  # batch norm has no spread of one image
            yield index


def _title(settings: Settings) -> str:
    loss = "softmax" if settings.lam == 0 else f"separate, λ = {settings.lam:g}"
    return f"{loss}, seed {settings.seed}"


def _epoch_row(
    model: ExpressionNet,
    centers: Tensor,
    train: Faces,
    validation: Faces,
    means: list[float],
) -> dict[str, Any]:
    features, _ = evaluate(model, train.images)
    true = analysis.true_centers(features, train.labels, len(train.classes))
    similarity = analysis.similarity_table(features, train.labels, true)
    _, logits = evaluate(model, validation.images)
    matrix = analysis.confusion(
        validation.labels, logits.argmax(1), len(validation.classes)
    )
    softmax, intra, inter, right = means
    return {
        "softmax_loss": softmax,
        "intra_loss": intra,
        "inter_loss": inter,
        "train_accuracy": 100 * right,
        "validation_accuracy": analysis.accuracy(matrix),
        "validation_mean_class_accuracy": analysis.mean_class_accuracy(matrix),
        "intra": similarity.intra_mean,
        "inter": similarity.inter,
        "agreement": analysis.center_agreement(centers.cpu(), true).tolist(),
    }
