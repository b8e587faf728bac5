"""The separate loss beside the nearest public losses, in one process.

    python benchmarks/loss.py --out results/cpu/loss_benchmark.json

One *step* is all that a loss adds to a training step behind the features: its value,
the gradient at the features, and the move of its centers (or weights). The forms are
timed in turn, round after round, so that a noisy machine disturbs all alike; times are
medians, and a ratio is the median of the ratios within the rounds. One thread is used,
and its CPU time taken.
"""

import argparse
import json
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path

import torch
from pytorch_metric_learning.losses import ArcFaceLoss, CosFaceLoss
from torch import Tensor, nn
from torch.nn import functional as F

from fersep import equations, provenance, storage
from fersep.losses import (
    CenterBasedLoss,
    CenterLoss,
    IslandLoss,
    LocalityPreservingLoss,
    SeparateLoss,
    softmax_loss,
)
from fersep.losses.softmax import HEADS
from fersep.models import CosineHead, expression_net

ALPHA = 0.5

#: Loss, gradient at the features, and the new centers or weights.
Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


# The separate loss in five forms: the same numbers by other ways.


def by_hand(centers: Tensor, kind: type[CenterBasedLoss] = SeparateLoss) -> Step:
    """The library: Eq. 5-7 by hand, the sum of unit centers for Eq. 3 and 7."""
    loss = kind(*centers.shape, alpha=ALPHA, init=centers)

    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value = loss(x, y)
        loss.update(x, y)
        (gradient,) = torch.autograd.grad(value, x)
        return value, gradient, loss.centers

    return step


def by_autograd(
    centers: Tensor, inter: Callable[[Tensor], Tensor] = equations.mean_pair_similarity
) -> Step:
    """The same sum of unit centers, differentiated by autograd."""
    centers = centers.clone().requires_grad_()

    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        units = F.normalize(centers, dim=1)
        own = (F.normalize(x, dim=1) * units[y]).sum(1)
        value = (1 - own.mean()) / 2 + inter(units)
        gradient, increment = torch.autograd.grad(value, [x, centers])
        with torch.no_grad():
            centers.sub_(ALPHA * increment)
        return value, gradient, centers.detach()

    return step


def by_gram(centers: Tensor) -> Step:
    """Eq. 3 by the matrix of all cosines, once, differentiated by autograd."""

    def mean_pair_similarity(units: Tensor) -> Tensor:
        s = len(units)
        return (1 + ((units @ units.T).sum() - s) / (s * (s - 1))) / 2

    return by_autograd(centers, mean_pair_similarity)


def by_formulas(centers: Tensor) -> Step:
    """Eq. 2-7 as printed, one term per pair of centers, with no autograd at all.

    A network cannot be trained with this form: it is how fast the formulas alone are.
    """
    centers = centers.clone()

    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        s, m = len(centers), len(x)
        others = 1 - torch.eye(s, dtype=x.dtype)
        lengths = centers.norm(dim=1)
        products = centers @ centers.T
        both = lengths[:, None] * lengths
        inter = ((products / both + 1) / 2 * others).sum() / (s * (s - 1))
        push = (others / both) @ centers
        along = (others * products / (both * lengths)).sum(0) / lengths
        push -= along[:, None] * centers
        c, at = centers[y], lengths[y][:, None]
        long = x.norm(dim=1, keepdim=True)
        inner = (x * c).sum(1, keepdim=True)
        value = 1 - (inner / (long * at) + 1).sum() / (2 * m) + inter
        gradient = -(c / (long * at) - inner * x / (long**3 * at)) / (2 * m)
        pull = torch.zeros_like(centers)
        pull.index_add_(0, y, x / (long * at) - inner * c / (long * at**3))
        centers.sub_(ALPHA * (push / (s * (s - 1)) - pull / (2 * m)))
        return value, gradient.detach(), centers

    return torch.no_grad()(step)


class _Pairs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, y: Tensor, formulas: Step, moved: list[Tensor]):
        value, gradient, centers = formulas(x, y)
        ctx.save_for_backward(gradient)
        moved.append(centers)
        return value

    @staticmethod
    def backward(ctx, out: Tensor) -> tuple[Tensor, None, None, None]:
        return out * ctx.saved_tensors[0], None, None, None


def by_pairs(centers: Tensor) -> Step:
    """The same as a loss that a network can be trained with."""
    formulas = by_formulas(centers)

    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        moved: list[Tensor] = []
        value = _Pairs.apply(x, y, formulas, moved)
        (gradient,) = torch.autograd.grad(value, x)
        return value, gradient, moved[0]

    return step


def margin_loss(kind: type, centers: Tensor) -> Step:
    """A loss of pytorch-metric-learning; its weights move by plain descent."""
    loss = kind(num_classes=len(centers), embedding_size=centers.shape[1])
    loss.W.data = centers.T.clone()

    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value = loss(x, y)
        gradient, change = torch.autograd.grad(value, [x, loss.W])
        with torch.no_grad():
            loss.W.sub_(ALPHA * change)
        return value, gradient, loss.W.detach().T

    return step


def softmax_head(head: str, centers: Tensor) -> Step:
    """The library's softmax loss with its last layer; the centers are its rows."""
    s, d = centers.shape
    cosine = head != "linear"
    layer = CosineHead(d, s, 16.0) if cosine else nn.Linear(d, s, bias=False)
    layer.weight.data = centers.clone()
    margin = 0.1 if head in ("cosface", "arcface") else 0.0

    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value = softmax_loss(layer(x), y, head=head, scale=16.0, margin=margin)
        gradient, change = torch.autograd.grad(value, [x, layer.weight])
        with torch.no_grad():
            layer.weight.sub_(ALPHA * change)
        return value, gradient, layer.weight.detach()

    return step


FORMS: dict[str, Callable[[Tensor], Step]] = {
    "separate loss, by hand": by_hand,
    "separate loss, autograd": by_autograd,
    "separate loss, one Gram matrix": by_gram,
    "separate loss, textbook pairs": by_pairs,
    "separate loss, formulas alone": by_formulas,
    "center loss": partial(by_hand, kind=CenterLoss),
    "island loss": partial(by_hand, kind=IslandLoss),
    "locality preserving loss": partial(by_hand, kind=LocalityPreservingLoss),
    **{f"softmax, {head} head": partial(softmax_head, head) for head in HEADS},
    "ArcFace, pytorch-metric-learning": partial(margin_loss, ArcFaceLoss),
    "CosFace, pytorch-metric-learning": partial(margin_loss, CosFaceLoss),
}
OURS, *OTHER_FORMS = list(FORMS)[:5]


def draw(
    m: int, d: int, s: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """Features (m, d), centers (s, d) of about length 1, labels (m,)."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(m, d, generator=g, dtype=dtype)
    c = torch.randn(s, d, generator=g, dtype=dtype) / math.sqrt(d)
    return x.requires_grad_(), c, torch.randint(0, s, (m,), generator=g)


def largest_gap(m: int, d: int, s: int) -> float:
    """How far the forms differ, relative to the largest entry, over what is allowed.

    In float64 up to 1,000 classes; above in float32, where the s x s matrices of the
    other forms would not fit small machines, and where they round more.
    """
    dtype, allowed = (torch.float64, 1e-9) if s <= 1000 else (torch.float32, 2e-3)
    x, c, y = draw(m, d, s, dtype)
    *want, after = by_hand(c)(x, y)
    worst = 0.0
    for form in OTHER_FORMS:
        *got, moved = FORMS[form](c)(x, y)
        for a, b in zip([*got, moved - c], [*want, after - c], strict=True):
            worst = max(worst, ((a - b).abs().max() / b.abs().max()).item())
    return worst / allowed


def peak_bytes(form: str, m: int, d: int, s: int) -> int:
    """Memory of one step beside features and centers, largest at one time."""

    def most() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for sizes in ((m, d, max(2, s // 8)), (m, d, s)):  # the first loads what steps need
        x, c, y = draw(*sizes)
        step, before = FORMS[form](c), most()
        step(x, y)
    return (most() - before) * (1 if sys.platform == "darwin" else 1024)


def seconds(
    steps: dict[str, Callable[[], object]], rounds: int, calls: int
) -> dict[str, list[float]]:
    """CPU seconds per call of each step in each round."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.process_time()
            for _ in range(calls):
                step()
            taken[name].append((time.process_time() - start) / calls)
    return taken


def compare(m: int, d: int, s: int, rounds: int) -> list[dict[str, object]]:
    """Time all forms at one number of classes, and print a line for each."""
    x, c, y = draw(m, d, s)
    steps = {form: partial(make(c), x, y) for form, make in FORMS.items()}
    few = s > 1000
    taken = seconds(steps, max(5, rounds // 4) if few else rounds, 1 if few else 10)
    rows = []
    for form, times in taken.items():
        ratios = [t / o for t, o in zip(times, taken[OURS], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        ms = 1000 * statistics.median(times)
        print(f"{form:34}{s:8,}{ms:11.3f} ms{middle:9.2f} x ({low:.2f} to {high:.2f})")
        row = {"form": form, "s": s, "milliseconds": ms, "rounds": len(times)}
        row |= {"times_ours": middle, "times_ours_quartiles": [low, high]}
        rows.append(row)
    return rows


def share_of_step(m: int, s: int, width: int, size: int, rounds: int) -> dict:
    """The separate loss as a part of a ResNet18 step with the softmax loss."""
    torch.manual_seed(0)
    net = expression_net(num_classes=s, width=width)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    images = torch.randn(m, 3, size, size)
    x, c, y = draw(m, net.feature_dim, s)

    def network() -> None:
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(images)[1], y).backward()
        optimizer.step()

    steps = {"network": network, "loss": partial(by_hand(c), x, y)}
    taken = seconds(steps, rounds, 1)
    shares = [a / b for a, b in zip(taken["loss"], taken["network"], strict=True)]
    print(f"share of a ResNet18 step: {100 * statistics.median(shares):.3f} %")
    return {
        "network": f"ResNet18 of width {width}, softmax loss, SGD with momentum",
        "images": [m, 3, size, size],
        "share_percent": 100 * statistics.median(shares),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument(
        "--classes", type=int, nargs="+", default=[7, 11, 100, 1000, 10_000]
    )
    parser.add_argument("--batch-size", type=int, default=100, help="m")
    parser.add_argument("--feature-dim", type=int, default=512, help="d")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--width", type=int, default=64, help="of the ResNet18")
    parser.add_argument("--image-size", type=int, default=100, help="of its images")
    args = parser.parse_args()
    m, d, classes = args.batch_size, args.feature_dim, args.classes
    torch.set_num_threads(1)

    # Memory first: a process that has run autograd must not be forked. A new process
    # for each, because memory once used stays in a process.
    cases = [(form, m, d, s) for s in classes for form in FORMS]
    with get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        peaks = pool.starmap(peak_bytes, cases, chunksize=1)
    gaps = {s: largest_gap(m, d, s) for s in classes}
    if max(gaps.values()) > 1:
        sys.exit(f"the forms of the separate loss differ; gap over tolerance: {gaps}")
    rows = [row for s in classes for row in compare(m, d, s, args.rounds)]
    for row, peak in zip(rows, peaks, strict=True):
        row["megabytes"] = peak / 1e6
    few = max(3, args.rounds // 8)
    library = "pytorch-metric-learning"
    content = {
        "settings": {"m": m, "d": d, "dtype": "float32", "threads": 1}
        | {library: metadata.version(library)},
        "rows": rows,
        "gap_over_tolerance": gaps,
        "share": share_of_step(m, classes[0], args.width, args.image_size, few),
        "provenance": provenance.provenance(),
    }
    if args.out:
        with storage.whole_file(args.out) as part:
            part.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
