"""Algorithm 1: train a network with the softmax loss and the separate loss."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from fersep import analysis, checkpoints, distributed, equations, records
from fersep.capture import Captured
from fersep.equations import Rule
from fersep.feeding import Feed, augment, augmented, draw_epoch, normalize
from fersep.losses import FIRST_CENTERS, LOSSES, CenterBasedLoss, make_loss
from fersep.models import ExpressionNet, expression_net, start_in_words

__all__ = [
    "Faces",
    "Run",
    "Settings",
    "Step",
    "augment",
    "check_training_data",
    "evaluate",
    "fit",
    "learning_rate",
    "normalize",
    "pairs",
    "pick_device",
    "run_key",
    "title",
    "trained",
    "untrained",
]  # fmt: skip

PRECISIONS = ("auto", "float32", "bfloat16")

#: Numbers that a kept history of centers may have; a longer one is left out.
LONGEST_CENTER_HISTORY = 4_000_000


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
    loss : {"separate", "intra", "inter", "center", "island", "locality"}
        What is added to the softmax loss; the separate loss or a relative.
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
        with records.whole_folder(folder) as part:
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


class Step:
    """One step of Algorithm 1, and the sums of what it saw.

    Parameters
    ----------
    model : Module
        Returns features and logits.
    relative : CenterBasedLoss
        The separate loss or a relative.
    optimizer : Optimizer
    lam : float
        λ.
    dtype : torch.dtype, optional
        Of the network under autocast; None leaves it as it is.
    """

    def __init__(
        self,
        model: nn.Module,
        relative: CenterBasedLoss,
        optimizer: torch.optim.Optimizer,
        lam: float,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.model, self.relative, self.optimizer = model, relative, optimizer
        self.lam, self.dtype = lam, dtype
        self.sums = torch.zeros(
            4, device=relative.centers.device, dtype=relative.centers.dtype
        )

    def __call__(
        self, images: Tensor, labels: Tensor, draws: Tensor, weight: float = 1.0
    ) -> None:
        """Train on one batch.

        Parameters
        ----------
        images : Tensor, (n, 3, height, width) uint8
        labels : Tensor, (n,) int64
        draws : Tensor, (m, 4) int64
            Of `fersep.feeding.draw`.
        weight : float
            Of `fersep.distributed.part_of`, where several processes train.
        """
        batch, y = augmented(images, draws), labels[draws[:, 0]]
        with _autocast(images.device, self.dtype):
            features, logits = self.model(batch)
        # Algorithm 1, line by line.
        softmax = F.cross_entropy(_at_least_single(logits), y)
        intra, inter = self.relative.parts(features, y)
        loss = softmax + self.lam * (intra + inter)
        self.relative.update(features.detach(), y)
        self.optimizer.zero_grad()
        (weight * loss).backward()
        self.optimizer.step()

        right = (logits.argmax(1) == y).sum()
        terms = torch.stack([softmax.detach(), intra.detach(), inter])
        self.sums += torch.cat([terms * len(y), right[None]])

    def state(self) -> dict[str, Tensor]:
        """Return every tensor that a step changes, by name."""
        found = {"sums": self.sums, "faults": self.relative.faults}
        parts = {"model": self.model, "relative": self.relative}
        for part, module in parts.items():
            found |= {f"{part}.{k}": v for k, v in module.state_dict().items()}
        for i, entry in enumerate(self.optimizer.state.values()):
            found |= {f"{k}.{i}": v for k, v in entry.items() if v is not None}
        return found


def fit(
    train: Faces,
    validation: Faces,
    settings: Settings,
    *,
    device: str = "auto",
    progress: bool = True,
    checkpoint_folder: str | Path | None = None,
    resume: bool = False,
    capture: bool = False,
    sync_batch_norm: bool = False,
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
        Show a progress bar over the epochs, in a terminal or a notebook.
    checkpoint_folder : str or path, optional
        Keep a checkpoint of each epoch there; the last two stay.
    resume : bool
        Go on from the newest checkpoint, if there is one. On a CPU the result is the
        same to the last bit.
    capture : bool
        Replay the whole step as a CUDA graph, on a GPU.
    sync_batch_norm : bool
        Join the statistics of batch norm over several processes, on GPUs. Else each
        process takes them over its own part of the batch.

    Returns
    -------
    Run
        The same in every process, where several train together.

    Raises
    ------
    ValueError
        If the data, the device or the checkpoints do not fit.
    FloatingPointError
        If the loss is no longer a finite number.
    MemoryError
        If the device or the computer has too little memory.
    OSError
        If a checkpoint cannot be written.
    """
    where = pick_device(device)
    check_training_data(train, len(train.classes))
    started = time.perf_counter()
    model = untrained(train, settings).to(where)
    model = model.to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(settings.seed)
    relative = make_loss(
        settings.loss,
        len(train.classes),
        model.feature_dim,
        alpha=settings.alpha,
        rule=settings.rule,
        init=settings.init,
        generator=generator,
    ).to(where)
    optimizer = _optimizer(model, settings)
    memory = _Memory(model, relative, optimizer, generator, train, validation, settings)
    if checkpoint_folder and resume:
        memory.load(checkpoint_folder)
    started -= memory.seconds
    joined = distributed.together(model, sync_batch_norm=sync_batch_norm)
    dtype = _network_dtype(settings, where)
    step = Step(joined, relative, optimizer, settings.lam, dtype)
    take: Callable[..., None] = Captured(step, step.state) if capture else step
    feed = Feed(train.images, train.labels, where)
    unseen = Feed(validation.images, validation.labels, where)
    _check_extras(where, feed, capture, sync_batch_norm)
    bar = tqdm(
        range(memory.epochs, settings.epochs),
        initial=memory.epochs,
        total=settings.epochs,
        desc=title(settings),
        disable=not (progress and _is_watched()),
        file=sys.stdout,
        leave=False,
        mininterval=5,
    )
    with _repeatable(where), _failures_said(settings, where, checkpoint_folder):
        for epoch in bar:
            _set_learning_rate(optimizer, learning_rate(settings, epoch))
            model.train()
            step.sums.zero_()
            batches = draw_epoch(
                len(train.labels),
                settings.batch_size,
                tuple(train.images.shape[2:]),
                generator,
                least=2 * distributed.world_size(),
            )
            parts = [distributed.part_of(batch) for batch in batches]
            fed = feed.batches([rows for rows, _ in parts])
            for (images, labels, draws), (_, weight) in zip(fed, parts, strict=True):
                if capture:
                    take(images, labels, draws)
                else:
                    step(images, labels, draws, weight)
            # The only place where the training reads values back from the device.
            seen = sum(len(batch) for batch in batches)
            means = (distributed.add_up(step.sums) / seen).tolist()
            relative.raise_on_faults()
            if not all(math.isfinite(v) for v in means):
                raise FloatingPointError(
                    f"the loss is no longer a finite number in epoch {epoch + 1} of "
                    f"{settings.epochs}; lower lr (now {settings.lr}) or lam "
                    f"(now {settings.lam})"
                )
            row, true = _epoch_row(model, relative.centers, feed, unseen, means, dtype)
            memory.keep(row, true, time.perf_counter() - started)
            if checkpoint_folder and distributed.rank() == 0:
                memory.save(checkpoint_folder)
            bar.set_postfix(validation=f"{row['validation_accuracy']:.1f} %")
    return Run(
        settings,
        {
            "name": train.name,
            "classes": list(train.classes),
            "fingerprint": train.fingerprint,
            "count": len(train.labels),
        },
        model.cpu().eval(),
        relative.centers.cpu(),
        memory.history,
        memory.seconds,
        {
            **records.provenance(device=str(where)),
            "start": start_in_words(settings.weights, settings.arch),
            "precision": str(dtype or torch.float32).removeprefix("torch."),
            "processes": distributed.world_size(),
            "batch_norm": "joined" if sync_batch_norm else "of each process",
            "images": "on the device" if feed.resident else "streamed",
            "captured": capture,
        },
        _stacked(memory.centers),
        _stacked(memory.true_centers),
    )


class _Memory:
    """All that a training is at the end of an epoch: what a checkpoint holds."""

    def __init__(
        self,
        model: ExpressionNet,
        relative: CenterBasedLoss,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        train: Faces,
        validation: Faces,
        settings: Settings,
    ) -> None:
        self.model, self.relative = model, relative
        self.optimizer, self.generator = optimizer, generator
        self.history: dict[str, list[Any]] = {}
        self.centers: list[Tensor] = []
        self.true_centers: list[Tensor] = []
        self.seconds = 0.0
        self.long = relative.centers.numel() * settings.epochs > LONGEST_CENTER_HISTORY
        self.of = {
            **asdict(settings),
            "training images": train.fingerprint,
            "validation images": validation.fingerprint,
        }

    @property
    def epochs(self) -> int:
        """How many are done."""
        return len(self.history.get("softmax_loss", []))

    def keep(self, row: dict[str, Any], true: Tensor, seconds: float) -> None:
        for key, value in row.items():
            self.history.setdefault(key, []).append(value)
        if not self.long:
            self.centers.append(self.relative.centers.to("cpu", copy=True))
            self.true_centers.append(true.cpu())
        self.seconds = seconds

    def save(self, folder: str | Path) -> None:
        content = {
            "of": self.of,
            "model": self.model.state_dict(),
            "relative": self.relative.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "history": self.history,
            "centers": self.centers,
            "true centers": self.true_centers,
            "seconds": self.seconds,
        }
        checkpoints.save(folder, self.epochs, content)

    def load(self, folder: str | Path) -> None:
        content = checkpoints.load(folder)
        if content is None:
            return
        for name, here in self.of.items():
            there = content["of"].get(name)
            if there != here:
                raise ValueError(
                    f"{folder} holds checkpoints of another run: {name} is {there!r} "
                    f"there and {here!r} here; use the same values, or another folder"
                )
        self.model.load_state_dict(content["model"])
        self.relative.load_state_dict(content["relative"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.generator.set_state(content["generator"])
        self.history, self.centers = content["history"], content["centers"]
        self.true_centers = content["true centers"]
        self.seconds = content["seconds"]


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
    settings, data, and the code of this library that takes part. A training that was
    interrupted goes on from its last epoch.

    Parameters and errors are those of :func:`fit`.
    """
    key = run_key(train, validation, settings)
    folder = records.build_dir() / "runs" / key
    if folder.is_dir():
        return Run.load(folder)
    unfinished = records.build_dir() / "runs" / ".checkpoints" / key
    try:
        run = fit(
            train,
            validation,
            settings,
            device=device,
            progress=progress,
            checkpoint_folder=unfinished,
            resume=True,
        )
        run.save(folder)
    except OSError:
        if not folder.is_dir():
            raise
        return Run.load(folder)  # another process trained the same run meanwhile
    finally:
        if folder.is_dir():
            shutil.rmtree(unfinished, ignore_errors=True)
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
    parts = ("equations", "losses", "models", "feeding", "training")
    code = [here / f"{part}.py" for part in parts]
    facts = {
        "settings": asdict(settings),
        "train": train.fingerprint,
        "validation": validation.fingerprint,
        "code": records.syntax_hash(code),
    }
    if settings.weights and Path(settings.weights).is_file():
        content = Path(settings.weights).read_bytes()
        facts["weights"] = hashlib.sha256(content).hexdigest()
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def learning_rate(settings: Settings, epoch: int) -> float:
    """Return η in an epoch (from 0): a tenth less after each of ``lr_periods``."""
    return settings.lr * 0.1 ** (epoch * settings.lr_periods // settings.epochs)


def evaluate(
    model: ExpressionNet, images: Tensor, batch_size: int = 500
) -> tuple[Tensor, Tensor]:
    """Return features (n, d) and logits (n, s) of uint8 images, on the CPU.

    The model runs in evaluation mode, on the device it is on, in its own precision.
    """
    features, logits = _predict(model, images, batch_size)
    return features.cpu(), logits.cpu()


def title(settings: Settings) -> str:
    """Return a run in a few words: loss, λ, seed and where the weights start."""
    loss = f"{settings.loss}, λ = {settings.lam:g}" if settings.lam else "softmax"
    start = start_in_words(settings.weights, settings.arch)
    return f"{loss}, seed {settings.seed}, {start}"


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of that name; "auto" is a GPU when there is one.

    Raises
    ------
    ValueError
        If the name is unknown or the device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or not (number.isdecimal() or kind == name):
        raise ValueError(f"device must be auto, cpu or cuda; got {name!r}")
    if kind == "cuda" and not torch.cuda.is_available():
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


def _optimizer(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    where = next(model.parameters()).device
    on_gpu = where.type == "cuda"
    # On a GPU η lies there too: a captured step reads it there.
    return torch.optim.SGD(
        model.parameters(),
        lr=torch.tensor(settings.lr, device=where) if on_gpu else settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        fused=on_gpu or None,
    )


def _set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def _network_dtype(settings: Settings, where: torch.device) -> torch.dtype | None:
    """Return the dtype for autocast, or None for float32 throughout."""
    fast = settings.precision == "auto" and where.type == "cuda"
    return torch.bfloat16 if fast or settings.precision == "bfloat16" else None


def _autocast(where: torch.device, dtype: torch.dtype | None) -> torch.autocast:
    # Without its cache, because a captured step may hold no tensor from outside.
    return torch.autocast(
        where.type, dtype, enabled=dtype is not None, cache_enabled=False
    )


def _at_least_single(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _check_extras(
    where: torch.device, feed: Feed, capture: bool, sync_batch_norm: bool
) -> None:
    if sync_batch_norm and where.type != "cuda":
        raise ValueError(
            "sync_batch_norm needs GPUs; leave it out, and each process takes the "
            "statistics of its own part of the batch"
        )
    if not capture:
        return
    if where.type != "cuda":
        raise ValueError("capture needs a GPU; leave it out, or use device=cuda")
    if distributed.world_size() > 1:
        raise ValueError("capture is for one process; leave it out under torchrun")
    if not feed.resident:
        raise ValueError(
            "capture needs the images on the GPU, where they do not fit; leave it out, "
            "or lower image_size"
        )


@contextmanager
def _repeatable(where: torch.device) -> Iterator[None]:
    """Let cuDNN use only what gives the same numbers twice."""
    if where.type != "cuda":
        yield
        return
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


@contextmanager
def _failures_said(
    settings: Settings, where: torch.device, folder: str | Path | None
) -> Iterator[None]:
    """Turn what stops a training into one sentence that says what is kept."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not _is_about_memory(error):
            raise
        raise MemoryError(
            f"the {where.type} has too little memory for batch_size "
            f"{settings.batch_size} and width {settings.width}; lower one of them, or "
            f"image_size{_kept(folder)}"
        ) from None
    except (FloatingPointError, ValueError) as error:
        raise FloatingPointError(f"{error}{_kept(folder)}") from None
    except OSError as error:
        raise OSError(f"{error}{_kept(folder)}") from None


def _is_about_memory(error: Exception) -> bool:
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or "not enough memory" in str(error) or "allocate" in str(error)


def _kept(folder: str | Path | None) -> str:
    found = checkpoints.files(folder) if folder else []
    if not found:
        return ""
    epoch = int(found[0].stem.removeprefix("epoch-"))
    return f"; the checkpoint of epoch {epoch} is kept in {folder}"


def _is_watched() -> bool:
    """Tell whether someone sees standard output now: a terminal or a notebook."""
    kernel = type(sys.stdout).__module__.startswith("ipykernel")
    return kernel or sys.stdout.isatty()


def _epoch_row(
    model: ExpressionNet,
    centers: Tensor,
    seen: Feed,
    unseen: Feed,
    means: list[float],
    dtype: torch.dtype | None,
) -> tuple[dict[str, Any], Tensor]:
    s = len(centers)
    distributed.share_buffers(model)
    features, _ = _predict_together(model, seen.images, dtype)
    labels = seen.labels.to(features.device)
    true = analysis.true_centers(features, labels, s)
    similarity = analysis.similarity_table(features, labels, true)
    _, logits = _predict_together(model, unseen.images, dtype)
    matrix = analysis.confusion(unseen.labels.to(logits.device), logits.argmax(1), s)
    softmax, intra, inter, right = means
    row = {
        "softmax_loss": softmax,
        "intra_loss": intra,
        "inter_loss": inter,
        "train_accuracy": 100 * right,
        "validation_accuracy": analysis.accuracy(matrix),
        "validation_mean_class_accuracy": analysis.mean_class_accuracy(matrix),
        "intra": similarity.intra_mean,
        "inter": similarity.inter,
        "agreement": analysis.center_agreement(centers, true).tolist(),
    }
    return row, true


def _stacked(history: list[Tensor]) -> Tensor | None:
    return torch.stack(history) if history else None


@torch.no_grad()
def _predict(
    model: ExpressionNet,
    images: Tensor,
    batch_size: int = 500,
    dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor]:
    """Return features and logits where the model is, in float32 at least."""
    where = next(model.parameters()).device
    was_training = model.training
    model.eval()
    parts = []
    for part in images.split(batch_size):
        with _autocast(where, dtype):
            outputs = model(normalize(part.to(where)))
        parts.append(tuple(map(_at_least_single, outputs)))
    model.train(was_training)
    features, logits = zip(*parts, strict=True)
    return torch.cat(features), torch.cat(logits)


def _predict_together(
    model: ExpressionNet, images: Tensor, dtype: torch.dtype | None
) -> tuple[Tensor, Tensor]:
    """As `_predict`, each process on its part of the images; all get the whole."""
    world, rank = distributed.world_size(), distributed.rank()
    if world == 1:
        return _predict(model, images, dtype=dtype)
    found = _predict(model, images[rank::world], dtype=dtype)
    whole = [part.new_zeros(len(images), part.shape[1]) for part in found]
    for all_rows, mine in zip(whole, found, strict=True):
        all_rows[rank::world] = mine
        distributed.add_up(all_rows)
    return whole[0], whole[1]
