"""Algorithm 1: train a network with the softmax loss and the separate loss."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from fersep import analysis, equations, provenance, storage
from fersep.losses import CenterBasedLoss, make_loss
from fersep.models import ExpressionNet, start_in_words
from fersep.training import checkpoints
from fersep.training import processes as distributed
from fersep.training.batches import Feed, augment, augmented, draw_epoch, normalize
from fersep.training.runs import (
    Faces,
    Run,
    Settings,
    learning_rate,
    run_key,
    title,
    untrained,
)

__all__ = [
    "Faces", "Run", "Settings", "State", "Step", "augment", "check_training_data",
    "evaluate", "fit", "learning_rate", "normalize", "pairs", "pick_device",
    "repeatable", "run_key", "title", "train_epoch", "trained", "untrained",
]  # fmt: skip

#: Numbers that a kept history of centers may have; a longer one is left out.
LONGEST_CENTER_HISTORY = 4_000_000


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
            Of `fersep.training.batches.draw`.
        weight : float
            Of `fersep.training.processes.part_of`, where several processes train.
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
        If the data, the device or the checkpoints do not fit, or a feature is no
        longer a finite number.
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
    state = State(train, validation, settings, where)
    _check_extras(where, sync_batch_norm)
    if checkpoint_folder and resume:
        state.load(checkpoint_folder)
    started -= state.seconds
    step = Step(
        distributed.together(state.model, sync_batch_norm=sync_batch_norm),
        state.relative,
        state.optimizer,
        settings.lam,
        state.dtype,
    )
    bar = tqdm(
        range(state.epochs, settings.epochs),
        initial=state.epochs,
        total=settings.epochs,
        desc=title(settings),
        disable=not (progress and _is_watched()),
        file=sys.stdout,
        leave=False,
        mininterval=5,
    )
    with repeatable(where), _failures_said(settings, where, checkpoint_folder):
        for epoch in bar:
            state.set_learning_rate(learning_rate(settings, epoch))
            means = train_epoch(state, step)
            if not all(math.isfinite(v) for v in means):
                raise FloatingPointError(
                    f"the loss is no longer a finite number in epoch {epoch + 1} of "
                    f"{settings.epochs}; lower lr (now {settings.lr}) or lam "
                    f"(now {settings.lam})"
                )
            row = state.measure(means)
            state.seconds = time.perf_counter() - started
            if checkpoint_folder and distributed.rank() == 0:
                state.save(checkpoint_folder)
            bar.set_postfix(validation=f"{row['validation_accuracy']:.1f} %")
    return Run(
        settings,
        {
            "name": train.name,
            "classes": list(train.classes),
            "fingerprint": train.fingerprint,
            "count": len(train.labels),
        },
        state.model.cpu().eval(),
        state.relative.centers.cpu(),
        state.history,
        state.seconds,
        {
            **provenance.provenance(device=str(where)),
            "start": start_in_words(settings.weights, settings.arch),
            "precision": str(state.dtype or torch.float32).removeprefix("torch."),
            "processes": distributed.world_size(),
            "batch_norm": "joined" if sync_batch_norm else "of each process",
            "images": "on the device" if state.seen.resident else "streamed",
        },
        _stacked(state.centers),
        _stacked(state.true_centers),
    )


def train_epoch(state: State, step: Step) -> list[float]:
    """Train on every batch; return the mean losses and the share of right answers."""
    state.model.train()
    step.sums.zero_()
    batches = draw_epoch(
        len(state.seen.labels),
        state.settings.batch_size,
        tuple(state.seen.images.shape[2:]),
        state.generator,
        least=2 * distributed.world_size(),
    )
    parts = [distributed.part_of(batch) for batch in batches]
    fed = state.seen.batches([draws for draws, _ in parts])
    for (images, labels, draws), (_, weight) in zip(fed, parts, strict=True):
        step(images, labels, draws, weight)
    # The only place where the training reads values back from the device.
    seen = sum(len(batch) for batch in batches)
    means: list[float] = (distributed.add_up(step.sums) / seen).tolist()
    state.relative.raise_on_faults()
    return means


class State:
    """All that changes while a network is trained; a checkpoint holds it."""

    def __init__(
        self,
        train: Faces,
        validation: Faces,
        settings: Settings,
        where: torch.device,
    ) -> None:
        self.settings = settings
        model = untrained(train, settings).to(where)
        self.model = model.to(memory_format=torch.channels_last)
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.relative = make_loss(
            settings.loss,
            len(train.classes),
            model.feature_dim,
            alpha=settings.alpha,
            rule=settings.rule,
            init=settings.init,
            generator=self.generator,
        ).to(where)
        self.optimizer = _optimizer(model, settings)
        self.dtype = _network_dtype(settings, where)
        self.seen = Feed(train.images, train.labels, where)
        self.unseen = Feed(validation.images, validation.labels, where)
        self.history: dict[str, list[Any]] = {}
        self.centers: list[Tensor] = []
        self.true_centers: list[Tensor] = []
        self.seconds = 0.0
        self.of = {
            **asdict(settings),
            "training images": train.fingerprint,
            "validation images": validation.fingerprint,
        }

    @property
    def epochs(self) -> int:
        """How many are done."""
        return len(self.history.get("softmax_loss", []))

    def set_learning_rate(self, rate: float) -> None:
        """Set η, on the device where it lies there."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def measure(self, means: list[float]) -> dict[str, Any]:
        """Add one epoch to the history, and return it."""
        centers = self.relative.centers
        row, true = _epoch_row(
            self.model, centers, self.seen, self.unseen, means, self.dtype
        )
        for key, value in row.items():
            self.history.setdefault(key, []).append(value)
        if centers.numel() * self.settings.epochs <= LONGEST_CENTER_HISTORY:
            self.centers.append(centers.to("cpu", copy=True))
            self.true_centers.append(true.cpu())
        return row

    def save(self, folder: str | Path) -> None:
        """Write a checkpoint."""
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
        """Go back to the newest checkpoint, if there is one.

        Raises
        ------
        ValueError
            If it is one of other settings or images, or none can be read.
        """
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
        rates = [group["lr"] for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(content["optimizer"])
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate  # on its device, where a checkpoint holds none
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
    folder = storage.build_folder() / "runs" / key
    if folder.is_dir():
        return Run.load(folder)
    unfinished = storage.build_folder() / "runs" / ".checkpoints" / key
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


def evaluate(
    model: ExpressionNet, images: Tensor, batch_size: int = 500
) -> tuple[Tensor, Tensor]:
    """Return features (n, d) and logits (n, s) of uint8 images, on the CPU.

    The model runs in evaluation mode, on the device it is on, in its own precision.
    """
    features, logits = _predict(model, images, batch_size)
    return features.cpu(), logits.cpu()


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


def _check_extras(where: torch.device, sync_batch_norm: bool) -> None:
    if sync_batch_norm and where.type != "cuda":
        raise ValueError(
            "sync_batch_norm needs GPUs; leave it out, and each process takes the "
            "statistics of its own part of the batch"
        )


@contextmanager
def repeatable(where: torch.device) -> Iterator[None]:
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
    except (FloatingPointError, ValueError, OSError) as error:
        raise type(error)(f"{error}{_kept(folder)}") from None


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
