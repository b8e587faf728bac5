"""The paper's training on one GPU: how long it takes, and beside what.

    python benchmarks/headline.py --out results/gpu/headline
    python benchmarks/headline.py --out results/gpu/headline --part raf-100

RAF-DB's size: 12,271 training and 3,068 test images, ResNet18 with random weights,
batches of 100, softmax and separate loss, centers moved at every step, 60 epochs. The
images are drawn on the device by `fersep.rendered.face`; no photograph takes part. Each
part writes its own file as it ends, and each fits into ten minutes on an H200.

A *whole* time is one of all steps of a training. A *slice* is at least 300 steps after
a warm-up; its time for the training is that of a step times the number of steps.
Evaluation is no part of either and is said apart. The paper's 31 minutes are context:
it used two TITAN Xp and names no resolution.
"""

from __future__ import annotations

import time

STARTED = time.time()

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from dataclasses import asdict, dataclass, replace  # noqa: E402
from itertools import islice  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import torch  # noqa: E402
from fersep.capture import Captured, Replayed  # noqa: E402
from fersep_book import published  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402
from torchvision.models import resnet18  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

from fersep import (  # noqa: E402
    analysis,
    provenance,
    rendered,
    training,
)
from fersep.data import BASIC_CLASSES  # noqa: E402
from fersep.losses import CenterBasedLoss  # noqa: E402
from fersep.training.batches import COLOR_MEAN, COLOR_STD, draw_epoch  # noqa: E402

IMPORTED = time.time()

CLASSES = BASIC_CLASSES


@dataclass(frozen=True)
class Scale:
    """How much is computed: the real thing, or a tiny one that tries every line."""

    raf: tuple[int, int] = (12_271, 3_068)
    affectnet: tuple[int, int] = (283_901, 3_500)
    sizes: tuple[int, int] = (100, 224)
    width: int = 64
    epochs: int = 60
    affectnet_epochs: int = 20
    batch_size: int = 100
    slice_steps: int = 300
    warm_up: int = 30
    seeds: int = 5
    workers: int = 0


TINY = Scale(
    raf=(130, 60),
    affectnet=(130, 60),
    sizes=(32, 40),
    width=4,
    epochs=2,
    affectnet_epochs=1,
    batch_size=50,
    slice_steps=4,
    warm_up=1,
    seeds=2,
)


@dataclass
class Pictures:
    """Drawn faces on a device, as training wants them."""

    images: Tensor
    labels: Tensor
    name: str = "rendered_basic"
    classes: tuple[str, ...] = CLASSES
    fingerprint: str = "drawn for a benchmark"


def pictures(
    counts: tuple[int, int], size: int, where: torch.device
) -> tuple[Pictures, Pictures]:
    """Draw training and test images on the device."""
    n = sum(counts)
    labels = rendered.labels_of("rendered_basic", n)
    images = torch.empty((n, 3, size, size), dtype=torch.uint8, device=where)
    # Drawn in mixed order, because a second copy of the images may not fit.
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    labels = labels[order]
    chunk = max(1, 20_000_000 // size**2) if where.type == "cuda" else 50
    for first in range(0, n, chunk):
        some = slice(first, first + chunk)
        images[some] = rendered.draw(
            "rendered_basic", order[some].to(where), labels[some], image_size=size
        )[0]
    k = counts[0]
    return Pictures(images[:k], labels[:k]), Pictures(images[k:], labels[k:])


def wait(where: torch.device) -> None:
    """Wait until the device has done all."""
    if where.type == "cuda":
        torch.cuda.synchronize(where)


class Nothing(CenterBasedLoss):
    """No loss beside softmax, and no centers that move."""

    def parts(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        zero = self.centers.new_zeros(())
        return zero, zero

    def update(self, features: Tensor, labels: Tensor) -> None:
        pass


Take = Callable[..., None]


def ours(
    train: Pictures,
    test: Pictures,
    settings: training.Settings,
    where: torch.device,
    *,
    captured: bool = False,
    without_loss: bool = False,
    compiled: bool = False,
) -> tuple[training.State, training.Step, Take]:
    """Make what the library trains with: its state, its step, and how it is called."""
    state = training.State(train, test, settings, where)
    if without_loss:
        centers = state.relative.centers
        state.relative = Nothing(*centers.shape, init=centers).to(where)
    model: Any = state.model
    if compiled:
        model = torch.compile(model, mode="max-autotune-no-cudagraphs", dynamic=False)
    step = training.Step(
        model, state.relative, state.optimizer, settings.lam, state.dtype
    )
    graph = Captured if where.type == "cuda" else Replayed
    # The names of a compiled model are others than those of its state.
    whole = training.Step(
        state.model, state.relative, state.optimizer, settings.lam, state.dtype
    )
    whole.sums = step.sums
    return state, step, graph(step, whole.state) if captured else step


def timed(steps: Iterator[None], scale: Scale, where: torch.device) -> dict[str, float]:
    """Time a slice of steps after a warm-up; the device is waited for at both ends."""
    begun = time.perf_counter()
    for _ in islice(steps, scale.warm_up):
        pass
    wait(where)
    start = time.perf_counter()
    for _ in islice(steps, scale.slice_steps):
        pass
    wait(where)
    return {
        "steps": scale.slice_steps,
        "seconds per step": (time.perf_counter() - start) / scale.slice_steps,
        "start": start - begun,
    }


def slice_of_ours(
    scale: Scale, state: training.State, take: Take, where: torch.device
) -> dict[str, float]:
    """Time a step over a slice; the tail batches of epochs are among them."""
    state.model.train()
    state.set_learning_rate(1e-4)

    def drawn() -> list[Tensor]:
        n, shape = len(state.seen.labels), tuple(state.seen.images.shape[2:])
        return draw_epoch(n, scale.batch_size, shape, state.generator)

    def steps() -> Iterator[None]:
        # Both lengths of batch first: each is recorded, or compiled, when it comes.
        draws = drawn()
        for batch in state.seen.batches([draws[0], draws[-1]]):
            take(*batch)
        while True:
            draws = drawn()
            for images, labels, rows in state.seen.batches(draws):
                take(images, labels, rows)
                yield

    return timed(steps(), scale, where)


class Textbook(nn.Module):
    """Softmax and separate loss as one would write them at first: pairs, autograd."""

    def __init__(self, s: int, d: int) -> None:
        super().__init__()
        self.centers = nn.Parameter(F.normalize(torch.randn(s, d)))

    def forward(self, features: Tensor, logits: Tensor, y: Tensor) -> Tensor:
        x, c = F.normalize(features), F.normalize(self.centers)
        intra = (1 - (x * c[y]).sum(1).mean()) / 2
        pairs = (1 + c @ c.T) / 2
        s = len(c)
        inter = (pairs.sum() - pairs.diagonal().sum()) / (s * (s - 1))
        return F.cross_entropy(logits, y) + 0.9 * (intra + inter)


class Decoded(Dataset[tuple[Tensor, int]]):
    """The same images in main memory, changed one by one by torchvision."""

    def __init__(self, faces: Pictures) -> None:
        self.images, self.labels = faces.images.cpu(), faces.labels.cpu()
        side = self.images.shape[-1]
        self.change = v2.Compose(
            [
                v2.RandomHorizontalFlip(),
                v2.RandomCrop(side, padding=side // 12, padding_mode="edge"),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(COLOR_MEAN, COLOR_STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.change(self.images[i]), int(self.labels[i])


def slice_of_plain(
    scale: Scale, train: Decoded, where: torch.device, *, mixed: bool
) -> dict[str, float]:
    """Time a step of a plain torchvision loop, float32 or with the usual autocast."""
    torch.manual_seed(0)
    model: Any = resnet18(num_classes=len(CLASSES))
    model = model.to(where)
    if mixed:
        model = model.to(memory_format=torch.channels_last)
    kept: dict[str, Tensor] = {}
    model.avgpool.register_forward_hook(
        lambda module, given, out: kept.update(x=out.flatten(1))
    )
    loss = Textbook(len(CLASSES), 512).to(where)
    optimizer = torch.optim.SGD(
        [
            {"params": model.parameters(), "momentum": 0.9, "weight_decay": 5e-4},
            {"params": loss.parameters(), "lr": 0.5},
        ],
        lr=1e-4,
    )
    workers = scale.workers
    loader = DataLoader(
        train,
        scale.batch_size,
        shuffle=True,
        num_workers=workers,
        pin_memory=where.type == "cuda",
        persistent_workers=workers > 0,
    )

    def steps() -> Iterator[None]:
        while True:
            for images, labels in loader:
                x = images.to(where, non_blocking=True)
                y = labels.to(where, non_blocking=True)
                if mixed:
                    x = x.contiguous(memory_format=torch.channels_last)
                with torch.autocast(where.type, torch.bfloat16, enabled=mixed):
                    logits = model(x)
                value = loss(kept["x"].float(), logits.float(), y)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                yield

    return timed(steps(), scale, where)


@contextmanager
def autotuned(where: torch.device) -> Iterator[None]:
    """Let cuDNN time its ways and take the fastest, repeatable or not."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = where.type == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def whole_training(
    scale: Scale,
    train: Pictures,
    test: Pictures,
    settings: training.Settings,
    where: torch.device,
    captured: bool = True,
) -> dict[str, Any]:
    """Train all epochs; return seconds and the accuracy on the test images."""
    begun = time.perf_counter()
    with training.repeatable(where):
        state, step, take = ours(train, test, settings, where, captured=captured)
        wait(where)
        made = time.perf_counter()
        epochs = []
        for epoch in range(settings.epochs):
            start = time.perf_counter()
            state.set_learning_rate(training.learning_rate(settings, epoch))
            means = training.train_epoch(state, step, take)
            epochs.append(time.perf_counter() - start)
        trained = time.perf_counter()
        _, logits = training.evaluate(state.model, test.images)
    matrix = analysis.confusion(test.labels, logits.argmax(1), len(CLASSES))
    # The first epoch records the graphs; the others are steady.
    steady = sum(epochs[1:]) * settings.epochs / (settings.epochs - 1)
    return {
        "seconds to make network and loss": made - begun,
        "seconds of the first epoch": epochs[0],
        "seconds of steady training": steady,
        "seconds of training with its start": trained - begun,
        "seconds of one evaluation": time.perf_counter() - trained,
        "images per second": settings.epochs * len(train.labels) / steady,
        "softmax loss at the end": means[0],
        "test accuracy": analysis.accuracy(matrix),
        "accuracy of always naming the largest class": analysis.majority_accuracy(
            matrix
        ),
    }


def forms(
    scale: Scale,
    train: Pictures,
    test: Pictures,
    settings: training.Settings,
    where: torch.device,
) -> Iterator[tuple[str, dict[str, float]]]:
    """Time a slice of each way to train on these images."""
    made: dict[str, dict[str, bool]] = {
        "captured": {"captured": True},
        "captured, softmax loss alone": {"captured": True, "without_loss": True},
        "eager": {},
    }
    for name, how in made.items():
        with training.repeatable(where):
            state, _, take = ours(train, test, settings, where, **how)
            yield name, slice_of_ours(scale, state, take, where)
    with autotuned(where):
        state, _, take = ours(train, test, settings, where, captured=True)
        yield "captured, cuDNN autotuned", slice_of_ours(scale, state, take, where)
    decoded = Decoded(train)
    yield "torchvision", slice_of_plain(scale, decoded, where, mixed=False)
    yield "torchvision, bfloat16", slice_of_plain(scale, decoded, where, mixed=True)


def timed_forms(
    scale: Scale,
    train: Pictures,
    test: Pictures,
    settings: training.Settings,
    where: torch.device,
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    per_epoch = -(-len(train.labels) // scale.batch_size)
    for name, times in forms(scale, train, test, settings, where):
        times["seconds of the training"] = (
            times["seconds per step"] * per_epoch * settings.epochs
        )
        found[name] = times
        print(f"  {name:30} {1e3 * times['seconds per step']:9.3f} ms/step", flush=True)
    mine = found["captured"]["seconds per step"]
    for times in found.values():
        times["times the captured step"] = times["seconds per step"] / mine
    return found


def raf(size: int, scale: Scale, where: torch.device) -> dict[str, Any]:
    """RAF-DB's size: a whole training, and slices of the others in the same call."""
    settings = training.Settings(
        epochs=scale.epochs, batch_size=scale.batch_size, width=scale.width
    )
    begun = time.perf_counter()
    train, test = pictures(scale.raf, size, where)
    wait(where)
    drawn = time.perf_counter() - begun
    whole = whole_training(scale, train, test, settings, where)
    total = time.time() - STARTED
    print(f"  whole {whole['seconds of steady training']:.2f} s", flush=True)
    return {
        "settings": asdict(settings),
        "image_size": size,
        "images": list(scale.raf),
        "seconds to import": IMPORTED - STARTED,
        "seconds to draw the images": drawn,
        # Only where this part is the first of the process.
        "seconds from the start of Python to the trained network": total,
        "whole": whole,
        "slices": timed_forms(scale, train, test, settings, where),
        "the paper's minutes": published.number("time.rafdb.minutes"),
    }


def affectnet(size: int, scale: Scale, where: torch.device) -> dict[str, Any]:
    """AffectNet's size, on slices."""
    settings = training.Settings(
        epochs=scale.affectnet_epochs,
        lr_periods=4 if scale.affectnet_epochs > 3 else 1,
        batch_size=scale.batch_size,
        width=scale.width,
    )
    begun = time.perf_counter()
    train, test = pictures(scale.affectnet, size, where)
    wait(where)
    return {
        "settings": asdict(settings),
        "image_size": size,
        "images": list(scale.affectnet),
        "seconds to draw the images": time.perf_counter() - begun,
        "slices": timed_forms(scale, train, test, settings, where),
        "the paper's hours": published.number("time.affectnet.hours"),
    }


def precision(size: int, scale: Scale, where: torch.device) -> dict[str, Any]:
    """Accuracy in bfloat16 and in float32, paired by seed."""
    train, test = pictures(scale.raf, size, where)
    base = training.Settings(
        epochs=scale.epochs, batch_size=scale.batch_size, width=scale.width
    )
    found: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    seconds = dict.fromkeys(found, 0.0)
    for seed in range(scale.seeds):
        for name, accuracies in found.items():
            settings = replace(base, seed=seed, precision=name)
            run = whole_training(scale, train, test, settings, where)
            accuracies.append(run["test accuracy"])
            seconds[name] += run["seconds of training with its start"]
            print(f"  seed {seed} {name:9} {accuracies[-1]:.2f} %", flush=True)
    gap = analysis.paired_test(found["float32"], found["bfloat16"])
    return {
        "settings": asdict(base),
        "image_size": size,
        "images": list(scale.raf),
        "test accuracy": found,
        "seconds": seconds,
        "bfloat16 minus float32": asdict(gap),
        "convolutions in float32": "TF32"
        if where.type == "cuda" and torch.backends.cudnn.allow_tf32
        else "float32",
    }


def compiled(size: int, scale: Scale, where: torch.device) -> dict[str, Any]:
    """The captured step of a network that torch.compile made."""
    train, test = pictures(scale.raf, size, where)
    settings = training.Settings(batch_size=scale.batch_size, width=scale.width)
    found = {}
    for name in (False, True):
        with autotuned(where):
            state, _, take = ours(
                train, test, settings, where, captured=True, compiled=name
            )
            times = slice_of_ours(scale, state, take, where)
        found["captured, compiled" if name else "captured"] = times
    return {"image_size": size, "images": list(scale.raf), "slices": found}


def parts(scale: Scale) -> dict[str, Callable[[Scale, torch.device], dict[str, Any]]]:
    """Return the parts by name, in the order in which they run."""
    found: dict[str, Callable[[Scale, torch.device], dict[str, Any]]] = {}
    for part in (raf, affectnet):
        for size in scale.sizes:
            found[f"{part.__name__}-{size}"] = (
                lambda scale, where, part=part, size=size: part(size, scale, where)
            )
    small = scale.sizes[0]
    found["precision"] = lambda scale, where: precision(small, scale, where)
    found["compiled"] = lambda scale, where: compiled(small, scale, where)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", default="results/gpu/headline", help="folder to write")
    parser.add_argument(
        "--part", nargs="*", default=[], help=f"of {', '.join(parts(Scale()))}"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda")
    parser.add_argument("--slice-steps", type=int, help="steps of a slice (300)")
    parser.add_argument(
        "--tiny", action="store_true", help="try every line on a few small images"
    )
    order = parser.parse_args(arguments)
    where = training.pick_device(order.device)
    scale = TINY if order.tiny else replace(Scale(), workers=os.cpu_count() or 1)
    if order.slice_steps:
        scale = replace(scale, slice_steps=order.slice_steps)
    known = parts(scale)
    for name in order.part or known:
        if name not in known:
            parser.error(f"there is no part {name}; choose from {', '.join(known)}")
    out = Path(order.out)
    out.mkdir(parents=True, exist_ok=True)
    for name in order.part or known:
        print(f"{name} on {where}", flush=True)
        begun = time.perf_counter()
        found = known[name](scale, where)
        if where.type == "cuda":
            found["GPU memory, GB"] = torch.cuda.max_memory_allocated() / 1e9
            torch.cuda.empty_cache()
        whole = {
            "part": name,
            "tiny": order.tiny,
            "provenance": provenance.provenance(device=str(where)),
            "processor cores": os.cpu_count(),
            **found,
            "seconds of this part": time.perf_counter() - begun,
        }
        part = out / f".{name}.part"
        part.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8")
        part.replace(out / f"{name}.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
