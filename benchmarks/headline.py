"""The whole training on one GPU: how fast it is, and beside what.

    python benchmarks/headline.py --out results/gpu/headline
    python benchmarks/headline.py --out results/gpu/headline --part speed-100
    python benchmarks/headline.py --out results/cpu/training --part width-16 width-32

RAF-DB's size: 12,271 training images, ResNet18 with random weights, batches of 100,
softmax and separate loss, centers moved at every step. The images are some rendered
faces, enlarged and repeated: what they show does not change the speed. Each part writes
its own file as it ends.

*speed* repeats a whole `fit`; then it sets epochs of its training beside epochs of a
plain torchvision loop, in rounds of one run. *width* is for a CPU, at 48 pixels: a
whole `fit` beside the bare network, one batch again and again, with nothing to feed or
to measure. The paper's 31 minutes for 60 epochs are context: it used two TITAN Xp and
names no resolution.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.models import resnet18
from torchvision.transforms import v2

from fersep import data, equations, provenance, storage
from fersep.data import Faces
from fersep.training import Settings, fit, pick_device
from fersep.training.algorithm import prepare, train_epoch
from fersep.training.batches import COLOR_MEAN, COLOR_STD, Feed
from fersep.training.processes import autocast, repeatable
from fersep.training.steps import make_step


@dataclass(frozen=True)
class Scale:
    """How much is computed: the real thing, or a tiny one that tries every line."""

    images: tuple[int, int] = (12_271, 1_000)  # for training and validation
    fits: tuple[tuple[int, int], ...] = ((100, 5), (224, 1))  # of images of a size
    width: int = 64
    epochs: int = 60
    batch_size: int = 100
    rounds: int = 5
    workers: int = 0


TINY = Scale((100, 50), ((32, 2),), 4, epochs=2, batch_size=50, rounds=2)


def load_faces(images: tuple[int, int], size: int) -> tuple[Faces, Faces]:
    """Draw 300 faces; enlarge and repeat them to so many of a size."""
    drawn = data.load_splits("rendered_basic", size=300)
    train, validation = map(partial(_enlarge, size=size), drawn, images)
    return train, validation


def _enlarge(faces: Faces, n: int, size: int) -> Faces:
    rows = torch.arange(n) % len(faces)
    large = v2.functional.resize(faces.images, [size, size])
    groups = [faces.groups[i] for i in rows.tolist()]
    return replace(faces, images=large[rows], labels=faces.labels[rows], groups=groups)


def time_epoch(run_epoch: Callable[[], int], where: torch.device) -> float:
    """Return images per second over an epoch."""
    if where.type == "cuda":
        torch.cuda.synchronize(where)
    begun = time.perf_counter()
    images = run_epoch()
    if where.type == "cuda":
        torch.cuda.synchronize(where)
    return images / (time.perf_counter() - begun)


def our_epoch(
    train: Faces, settings: Settings, where: torch.device
) -> Callable[[], int]:
    """Return one epoch of the library's training, without its evaluation."""
    model, loss, optimizer, generator = prepare(train, settings, where)
    feed = Feed(train.images, train.labels, where)
    step = make_step(model, loss, optimizer, feed, settings)

    def run_epoch() -> int:
        with repeatable():
            train_epoch(step, feed.draw_epoch(settings.batch_size, generator))
        return len(train)

    return run_epoch


def bare_epoch(
    train: Faces, settings: Settings, where: torch.device
) -> Callable[[], int]:
    """Return as many steps of the network alone, always on one batch."""
    model, _, optimizer, generator = prepare(train, settings, where)
    feed = Feed(train.images, train.labels, where)
    with repeatable():
        draws, _, _ = next(feed.draw_epoch(settings.batch_size, generator))
        x, y = feed.make_batch(draws)

    def run_epoch() -> int:
        model.train()
        with repeatable():
            for _ in range(len(train) // settings.batch_size):
                with autocast(settings.precision, where):
                    logits = model(x)[1]
                optimizer.zero_grad()
                F.cross_entropy(logits.float(), y).backward()
                optimizer.step()
        return len(train) // settings.batch_size * settings.batch_size

    return run_epoch


class Photographs(Dataset[tuple[Tensor, int]]):
    """The same images, changed one by one by torchvision."""

    def __init__(self, faces: Faces) -> None:
        self.faces = faces
        side = faces.images.shape[-1]
        self.change = v2.Compose(
            [
                v2.RandomHorizontalFlip(),
                v2.RandomCrop(side, padding=side // 12, padding_mode="edge"),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(COLOR_MEAN, COLOR_STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        image, label = self.faces[i]
        return self.change(image), label


def plain_epoch(
    train: Faces, scale: Scale, where: torch.device, *, mixed: bool
) -> Callable[[], int]:
    """Return one epoch of a plain loop, in float32 or with the usual autocast."""
    s = len(train.classes)
    model = resnet18(num_classes=s).to(where)
    if mixed:
        model = model.to(memory_format=torch.channels_last)
    kept: dict[str, Tensor] = {}
    model.avgpool.register_forward_hook(
        lambda module, given, out: kept.update(x=out.flatten(1))
    )
    centers = torch.randn(s, 512, device=where, requires_grad=True)
    options = {"momentum": 0.9, "weight_decay": 5e-4}
    groups = [{"params": model.parameters(), **options}, {"params": centers, "lr": 0.5}]
    optimizer = torch.optim.SGD(groups, lr=1e-4)
    loader = DataLoader(
        Photographs(train),
        scale.batch_size,
        shuffle=True,
        num_workers=scale.workers,
        pin_memory=where.type == "cuda",
        persistent_workers=scale.workers > 0,
    )

    def run_epoch() -> int:
        for images, labels in loader:
            x = images.to(where, non_blocking=True)
            y = labels.to(where, non_blocking=True)
            if mixed:
                x = x.contiguous(memory_format=torch.channels_last)
            with torch.autocast(where.type, torch.bfloat16, enabled=mixed):
                logits = model(x)
            separate = equations.separate_loss(kept["x"].float(), centers, y)
            loss = F.cross_entropy(logits.float(), y) + 0.9 * separate
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return len(train)

    return run_epoch


def speed(size: int, fits: int, scale: Scale, where: torch.device) -> dict[str, Any]:
    """Time whole fits, then rounds of epochs: ours, and those of a plain loop."""
    settings = Settings(
        epochs=scale.epochs, batch_size=scale.batch_size, width=scale.width
    )
    train, validation = load_faces(scale.images, size)
    seconds = []
    for _ in range(fits):
        run = fit(train, validation, settings, device=str(where), progress=False)
        print(f"  fit: {run.seconds:.1f} s", flush=True)
        seconds.append(run.seconds)
    forms = {
        "fersep, epochs of fit": our_epoch(train, settings, where),
        "torchvision": plain_epoch(train, scale, where, mixed=False),
        "torchvision, bfloat16": plain_epoch(train, scale, where, mixed=True),
    }
    for form in forms.values():
        form()  # the first epoch warms up
    rounds = range(scale.rounds)
    rates = {n: [time_epoch(form, where) for _ in rounds] for n, form in forms.items()}
    rates["fersep, whole fit"] = [settings.epochs * len(train) / s for s in seconds]
    print(f"  {rates}", flush=True)
    return {
        "settings": asdict(settings),
        "image_size": size,
        "training images": len(train),
        "seconds of fit": seconds,
        "images per second": rates,
    }


def width(wide: int, scale: Scale, where: torch.device) -> dict[str, Any]:
    """Time a whole `fit` beside the bare network, in both precisions, three times."""
    train, validation = load_faces((min(scale.images[0], 2826), 410), 48)
    rates: dict[str, list[float]] = {}
    for kind in ("float32", "bfloat16") * 3:
        settings = Settings(epochs=2, batch_size=64, width=wide, precision=kind)
        run = fit(train, validation, settings, device=str(where), progress=False)
        whole = settings.epochs * len(train) / run.seconds
        epoch = bare_epoch(train, settings, where)
        epoch()
        bare = time_epoch(epoch, where)
        print(f"  {kind}: {whole:.0f} of {bare:.0f} images/s", flush=True)
        for name, value in (("fit", whole), ("bare", bare), ("share", whole / bare)):
            rates.setdefault(f"{kind}, {name}", []).append(value)
    return {"width": wide, "image_size": 48, "images per second": rates}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", default="results/gpu/headline", help="folder to write")
    parser.add_argument("--part", nargs="*", help="speed-100, speed-224, width-16, ...")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda")
    parser.add_argument("--tiny", action="store_true", help="try every line, small")
    order = parser.parse_args(arguments)
    scale = TINY if order.tiny else replace(Scale(), workers=os.cpu_count() or 1)
    parts = {f"speed-{size}": partial(speed, size, n) for size, n in scale.fits}
    parts |= {f"width-{wide}": partial(width, wide) for wide in (16, 32, 64)}
    if unknown := set(order.part or parts) - set(parts):
        parser.error(
            f"there is no part {unknown.pop()}; choose from {', '.join(parts)}"
        )
    where = pick_device(order.device)
    for name in order.part or [each for each in parts if "width" not in each]:
        print(f"{name} on {where}", flush=True)
        whole = {
            "part": name,
            "provenance": provenance.provenance(device=str(where)),
            "processor cores": os.cpu_count(),
            **parts[name](scale, where),
        }
        with storage.whole_file(Path(order.out) / f"{name}.json") as part:
            part.write_text(json.dumps(whole, indent=1, ensure_ascii=False), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
