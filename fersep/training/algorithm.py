"""Algorithm 1: train a network with the softmax loss and the separate loss.

From top to bottom: :func:`fit` prepares and loops over the epochs, :func:`train_epoch`
over the steps, which are `fersep.training.steps`; :func:`measure_epoch` looks at what
an epoch reached.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from tqdm import tqdm

from fersep import analysis, equations, provenance
from fersep.losses import CenterBasedLoss, make_loss
from fersep.models import ExpressionNet, start_in_words
from fersep.training import checkpoints, processes
from fersep.training.batches import Feed, normalize
from fersep.training.followers import CenterFollower
from fersep.training.processes import autocast, pick_device, pick_precision, repeatable
from fersep.training.runs import Run, Settings, describe, initial_network, learning_rate
from fersep.training.steps import Step, make_step

if TYPE_CHECKING:
    from fersep.data import Faces


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
    followers: Sequence[CenterFollower] = (),
) -> Run:
    """Train one network by Algorithm 1.

    Parameters
    ----------
    train, validation : Faces
        Data sets of `fersep.data.load` with the same classes. The test images have no
        place here.
    device : str
        "auto" (a GPU when there is one), "cpu" or "cuda".
    progress : bool
        Show a progress bar over the steps, in a terminal or a notebook.
    checkpoint_folder : str or path, optional
        Keep a checkpoint of each epoch there; the last two stay.
    resume : bool
        Go on from the newest checkpoint, if there is one. On a CPU the result is the
        same to the last bit.
    sync_batch_norm : bool
        Join the statistics of batch norm over several processes, on GPUs. Else each
        process takes them over its own part of the batch.
    followers : sequence of CenterFollower
        Centers that watch the features; the history keeps their agreement. For one
        process.

    Returns
    -------
    Run
        The same in every process, where several train together.

    Raises
    ------
    ValueError, FloatingPointError
        If the data, the device or the checkpoints do not fit; if a feature or the loss
        is no longer a finite number.
    MemoryError, OSError
        If there is too little memory; if a checkpoint cannot be written.
    """
    where, begun = pick_device(device), time.perf_counter()
    check_training_data(train)
    model, loss, optimizer, generator = prepare(train, settings, where)
    seen, unseen = (
        Feed(e.images, e.labels, where, e.points if model.at_landmarks else None)
        for e in (train, validation)
    )
    of = {**asdict(settings), "training images": train.fingerprint}
    of["validation images"] = validation.fingerprint
    parts: dict[str, Any] = {"model": model, "loss": loss, "optimizer": optimizer}
    for each in followers:
        sizes = len(train.classes), model.feature_dim
        parts[each.name] = each.begin(*sizes, settings.seed).to(where)
    history: dict[str, list[Any]] = {}
    if checkpoint_folder and resume and (kept := checkpoints.load(checkpoint_folder)):
        other = f"{checkpoint_folder} holds checkpoints of another run"
        checkpoints.raise_unless_same(other, kept["of"], of)
        for name, part in parts.items():
            part.load_state_dict(kept[name])
        generator.set_state(kept["generator"])
        history, begun = kept["history"], begun - kept["seconds"]
    network = processes.wrap_model(model, sync_batch_norm=sync_batch_norm)
    step = make_step(network, loss, optimizer, seen, settings, followers)
    done = len(history.get("softmax_loss", []))
    steps = math.ceil(len(train.labels) / settings.batch_size)
    bar = _make_bar(done * steps, settings.epochs * steps, settings, progress)
    failing = checkpoints.explain_failures(checkpoint_folder, settings, where)
    with bar, repeatable(), failing:
        for epoch in range(done, settings.epochs):
            batches = _count(seen.draw_epoch(settings.batch_size, generator), bar)
            means = train_epoch(step, batches, epoch)
            reached = measure_epoch(model, loss.centers, seen, unseen, settings)
            true = reached["true_centers"].to(where)
            for each in followers:
                cosines = analysis.center_agreement(each.loss.centers, true)
                reached[f"agreement.{each.name}"] = cosines.tolist()
            for key, value in {**means, **reached}.items():
                history.setdefault(key, []).append(value)
            if checkpoint_folder and processes.rank() == 0:
                content = {name: part.state_dict() for name, part in parts.items()}
                content |= {"of": of, "generator": generator.get_state()}
                content |= {"history": history, "seconds": time.perf_counter() - begun}
                checkpoints.save(checkpoint_folder, epoch + 1, content)
            bar.update((epoch + 1) * steps - bar.n)  # a last batch may be left out
            bar.set_postfix(validation=f"{reached['validation_accuracy']:.1f} %")
    data: dict[str, Any] = {"name": train.name, "classes": list(train.classes)}
    data |= {"fingerprint": train.fingerprint, "count": len(train.labels)}
    data["image_size"] = train.images.shape[-1]
    data["class_counts"] = torch.bincount(train.labels).tolist()
    origin = _describe_origin(settings, where, seen, sync_batch_norm)
    model, centers = model.cpu().eval(), loss.centers.cpu()
    seconds = time.perf_counter() - begun
    learned, true = (torch.stack(history.pop(k)) for k in ("centers", "true_centers"))
    return Run(settings, data, model, centers, history, seconds, origin, learned, true)


def train_epoch(
    step: Step, batches: Iterable[tuple[Tensor, float, float]], epoch: int = 0
) -> dict[str, float]:
    """Train on the batches of one epoch, as `Feed.draw_epoch` draws them.

    Returns means over the images, as in the history of a `Run`.
    """
    settings = step.settings
    step.network.train()
    step.sums.zero_()
    for follower in step.followers:
        follower.waiting.clear()
    for draws, weight, done in batches:
        step(draws, weight, learning_rate(settings, epoch, done))
    # The only place where the training reads values back from the device.
    processes.add_up(step.sums)
    *losses, right = (step.sums[:4] / step.sums[4]).tolist()
    step.loss.raise_on_faults()
    if not math.isfinite(sum(losses)):
        raise FloatingPointError(
            f"the loss is no longer a finite number; lower lr (now {settings.lr}) or "
            f"lam (now {settings.lam})"
        )
    names = ("softmax_loss", "intra_loss", "inter_loss")
    return {**dict(zip(names, losses, strict=True)), "train_accuracy": 100 * right}


def measure_epoch(
    model: ExpressionNet, centers: Tensor, seen: Feed, unseen: Feed, settings: Settings
) -> dict[str, Any]:
    """Return the rest of an epoch's entry in the history, and the centers themselves.

    Features are those of training images, ``seen``; accuracies of validation images.
    Each process passes its part of the images through the network; all get the whole.
    """

    def predict(feed: Feed) -> list[Tensor]:
        mine = processes.part_of
        points = feed.points if feed.points is None else mine(feed.points)[0]
        rows = _predict(model, mine(feed.images)[0], points=points)
        return [processes.join_parts(part, len(feed.images)) for part in rows]

    s = len(centers)
    processes.share_buffers(model)
    with autocast(settings.precision, centers.device):
        features, _ = predict(seen)
        _, logits = predict(unseen)
    labels = seen.labels.to(features.device)
    true = analysis.true_centers(features, labels, s)
    similarity = analysis.similarity_table(features, labels, true)
    matrix = analysis.confusion(unseen.labels.to(logits.device), logits.argmax(1), s)
    return {
        "validation_accuracy": analysis.accuracy(matrix),
        "validation_mean_class_accuracy": analysis.mean_class_accuracy(matrix),
        "intra": similarity.intra_mean,
        "inter": similarity.inter,
        "agreement": analysis.center_agreement(centers, true).tolist(),
        "centers": centers.to("cpu", copy=True),
        "true_centers": true.cpu(),
    }


def evaluate(
    model: ExpressionNet,
    images: Tensor,
    batch_size: int | None = None,
    points: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return features (n, d) and logits (n, s) of uint8 images, on the CPU.

    The model runs in evaluation mode, on the device it is on; without a size its
    batches are as large as this device takes them best. Points are those of `Faces`.
    """
    features, logits = _predict(model, images, batch_size, points)
    return features.cpu(), logits.cpu()


@torch.no_grad()
def _predict(
    model: ExpressionNet,
    images: Tensor,
    batch_size: int | None = None,
    points: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """As `evaluate`, but leave both where the model is."""
    where = next(model.parameters()).device
    # A CPU keeps a small batch in its caches; a GPU waits for the next order.
    batch_size = batch_size or (1024 if where.type == "cuda" else 128)
    was_training = model.training
    model.eval()
    places = repeat(()) if points is None else zip(points.to(where).split(batch_size))
    both = zip(images.split(batch_size), places, strict=False)
    parts = [model(normalize(part.to(where)), *here) for part, here in both]
    model.train(was_training)
    features, logits = (torch.cat(rows) for rows in zip(*parts, strict=True))
    return _at_least_single(features), _at_least_single(logits)


def _at_least_single(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def prepare(
    train: Faces, settings: Settings, where: torch.device
) -> tuple[ExpressionNet, CenterBasedLoss, torch.optim.Optimizer, torch.Generator]:
    """Make network, loss, optimizer, and the generator of all that is random later."""
    model = initial_network(len(train.classes), settings).to(where)
    model = model.to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(settings.seed)
    loss = make_loss(
        settings.loss,
        len(train.classes),
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
        fused=where.type in ("cuda", "cpu") or None,
    )
    return model, loss, optimizer, generator


def check_training_data(train: Faces) -> None:
    """Raise unless every class has a training image and every label is in range."""
    equations.check_labels(train.labels, len(train.classes))
    counts = torch.bincount(train.labels, minlength=len(train.classes))
    empty = [train.classes[i] for i in (counts == 0).nonzero()[:, 0].tolist()]
    if empty:
        raise ValueError(
            f"{train.name} has no training image of {', '.join(empty)}; add images of "
            "it, use more images (size), or take the class out of the data"
        )


def _make_bar(done: int, steps: int, settings: Settings, wanted: bool) -> tqdm:
    """Return a progress bar over the steps, silent where nobody looks."""
    kernel = type(sys.stdout).__module__.startswith("ipykernel")
    return tqdm(
        initial=done,
        total=steps,
        desc=describe(settings),
        disable=not (wanted and (kernel or sys.stdout.isatty())),
        file=sys.stdout,
        leave=False,
        mininterval=5,
    )


def _count(batches: Iterable[Any], bar: tqdm) -> Iterator[Any]:
    for batch in batches:
        yield batch
        bar.update()


def _describe_origin(
    settings: Settings, where: torch.device, seen: Feed, sync_batch_norm: bool
) -> dict[str, Any]:
    return {
        **provenance.provenance(device=str(where)),
        "start": start_in_words(settings.weights, settings.arch),
        "precision": pick_precision(settings.precision, where),
        "processes": processes.world_size(),
        "batch_norm": "joined" if sync_batch_norm else "of each process",
        "images": "on the device" if seen.resident else "streamed",
    }
