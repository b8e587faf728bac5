"""The separate loss beside the nearest public losses, in one process.

    python benchmarks/loss.py --out results/cpu/loss_benchmark.json

One *step* is all that a loss adds to a training step behind the features: its value,
the gradient at the features, and the move of its centers (or weights). The forms are
timed in turn, round after round, so that a noisy machine disturbs all alike; times are
medians, and a ratio is the median of the ratios within the rounds. On a CPU one thread
is used and its CPU time taken.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path

import torch
from pytorch_metric_learning.losses import ArcFaceLoss, CosFaceLoss
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from fersep import equations, provenance
from fersep.losses import CenterLoss, SeparateLoss
from fersep.models import expression_net

ALPHA = 0.5

#: Loss, gradient at the features, and the new centers or weights.
Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


# The separate loss in four forms: the same numbers by other ways.


def by_hand(centers: Tensor) -> Step:
    """The library: Eq. 5-7 by hand, the sum of unit centers for Eq. 3 and 7."""
    loss = SeparateLoss(*centers.shape, alpha=ALPHA, init=centers)

    loss.to(centers.device)

    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value = loss(x, y)
        loss.update(x, y)
        (gradient,) = torch.autograd.grad(value, x)
        return value, gradient, loss.centers

    return step


def by_autograd(centers: Tensor) -> Step:
    """The same sum of unit centers, differentiated by autograd."""
    return differentiated(centers, equations.mean_pair_similarity)


def by_gram(centers: Tensor) -> Step:
    """Eq. 3 by the matrix of all cosines, once, differentiated by autograd."""

    def mean_pair_similarity(units: Tensor) -> Tensor:
        s = len(units)
        cosines = (units @ units.T).sum() - s
        return (1 + cosines / (s * (s - 1))) / 2

    return differentiated(centers, mean_pair_similarity)


def differentiated(centers: Tensor, inter: Callable[[Tensor], Tensor]) -> Step:
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


def by_pairs(centers: Tensor) -> Step:
    """Eq. 2-7 as printed: one term per pair of centers, in s x s matrices."""
    centers = centers.clone()

    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        s, m = len(centers), len(x)
        others = 1 - torch.eye(s, dtype=x.dtype, device=x.device)
        lengths = centers.norm(dim=1)
        products = centers @ centers.T
        both = lengths[:, None] * lengths
        sim = (products / both + 1) / 2
        inter = (sim * others).sum() / (s * (s - 1))
        push = (others / both) @ centers
        push -= (others * products / (both * lengths)).sum(0)[:, None] * (
            centers / lengths[:, None] ** 2 * lengths[:, None]
        )
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


# The neighbors.


def center_loss(centers: Tensor) -> Step:
    """Center loss (Wen et al., 2016), of this library."""
    loss = CenterLoss(*centers.shape, alpha=ALPHA, init=centers).to(centers.device)

    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value = loss(x, y)
        loss.update(x, y)
        (gradient,) = torch.autograd.grad(value, x)
        return value, gradient, loss.centers

    return step


def margin_loss(kind: type, centers: Tensor, **more: float) -> Step:
    """A loss of pytorch-metric-learning; its weights move by plain descent."""
    loss = kind(num_classes=len(centers), embedding_size=centers.shape[1], **more)
    loss.W.data = centers.T.clone()

    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value = loss(x, y)
        gradient, change = torch.autograd.grad(value, [x, loss.W])
        with torch.no_grad():
            loss.W.sub_(ALPHA * change)
        return value, gradient, loss.W.detach().T

    return step


def arcface(centers: Tensor) -> Step:
    """ArcFace of pytorch-metric-learning, its own defaults."""
    return margin_loss(ArcFaceLoss, centers)


def cosface(centers: Tensor) -> Step:
    """CosFace of pytorch-metric-learning, its own defaults."""
    return margin_loss(CosFaceLoss, centers)


FORMS: dict[str, Callable[[Tensor], Step]] = {
    "separate loss, by hand": by_hand,
    "separate loss, autograd": by_autograd,
    "separate loss, one Gram matrix": by_gram,
    "separate loss, textbook pairs": by_pairs,
    "center loss": center_loss,
    "ArcFace": arcface,
    "CosFace": cosface,
}
OURS = "separate loss, by hand"


def draw(
    m: int, d: int, s: int, device: str, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """Features (m, d), centers (s, d) of about length 1, labels (m,)."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(m, d, generator=g, dtype=dtype)
    c = torch.randn(s, d, generator=g, dtype=dtype) / math.sqrt(d)
    y = torch.randint(0, s, (m,), generator=g)
    return x.to(device).requires_grad_(), c.to(device), y.to(device)


# Values.


def gap(got: Tensor, want: Tensor) -> float:
    """The largest difference, relative to the largest entry of `want`."""
    got, want = got.detach(), want.detach()
    return float((got - want).abs().max() / want.abs().max())


def same_values(m: int, d: int, s: int, device: str) -> list[dict[str, object]]:
    """Compare the forms of the separate loss: loss, gradient, step of the centers.

    In float64 up to 1,000 classes; above in float32, where the s x s matrices of the
    other forms would not fit small machines, and where they round more.
    """
    dtype = torch.float64 if s <= 1000 else torch.float32
    tol = 1e-9 if s <= 1000 else 2e-3
    x, c, y = draw(m, d, s, device, dtype)
    value, gradient, centers = by_hand(c)(x, y)
    found = []
    for form in ("autograd", "one Gram matrix", "textbook pairs"):
        v, g, after = FORMS[f"separate loss, {form}"](c)(x, y)
        for what, got, want in (
            ("loss", v, value),
            ("gradient at the features", g, gradient),
            ("step of the centers", after - c, centers - c),
        ):
            name = f"separate loss, by hand and {form}: {what}"
            found.append(agreement(name, s, gap(got, want), tol))
    return found


def neighbors_values(m: int, d: int, s: int, device: str) -> list[dict[str, object]]:
    """Compare the neighbors with formulas on the similarity of Eq. 1, in float64."""
    x, c, y = draw(m, d, s, device, torch.float64)
    found = []

    # Center loss, written as in its paper: one sample, one class at a time.
    value, gradient, after = center_loss(c)(x, y)
    away = [x[i] - c[y[i]] for i in range(m)]
    half = sum((a @ a for a in away), x.new_zeros(())) / (2 * m)
    moved = c.clone()
    for j in sorted(set(y.tolist())):
        own = [-away[i] for i in range(m) if y[i] == j]
        moved[j] -= ALPHA * torch.stack(own).sum(0) / (1 + len(own))
    for what, got, want in (
        ("loss", value, half),
        ("gradient at the features", gradient, torch.stack(away) / m),
        ("step of the centers", after - c, moved - c),
    ):
        name = f"center loss and its formula: {what}"
        found.append(agreement(name, s, gap(got, want), 1e-12))

    # Without a margin both are the softmax loss of scaled cosines, 2 Sim - 1.
    sim = equations.similarity(x[:, None], c)
    softmax = F.cross_entropy(64 * (2 * sim - 1), y)
    (by_sim,) = torch.autograd.grad(softmax, x)
    for name, kind in (("ArcFace", ArcFaceLoss), ("CosFace", CosFaceLoss)):
        value, gradient, _ = margin_loss(kind, c, margin=0.0, scale=64.0)(x, y)
        both = f"{name} without margin and the softmax loss of 64 (2 Sim - 1)"
        found.append(agreement(f"{both}: loss", s, gap(value, softmax), 1e-9))
        what = f"{both}: gradient at the features"
        found.append(agreement(what, s, gap(gradient, by_sim), 1e-6))
    return found


def agreement(what: str, s: int, difference: float, tol: float) -> dict[str, object]:
    return {
        "what": what,
        "s": s,
        "relative_gap": difference,
        "tolerance": tol,
        "equal": difference <= tol,
    }


# Time and memory.


def clock(device: str) -> Callable[[], float]:
    """CPU time of this process, or the time of a device that has finished."""
    if device == "cpu":
        return time.process_time

    def finished() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return finished


def seconds(
    steps: dict[str, Callable[[], object]],
    now: Callable[[], float],
    rounds: int,
    least: float,
    name: str,
) -> dict[str, list[float]]:
    """Seconds per call of each step in each round; each turn lasts `least` or more."""
    calls = {}
    for form, step in steps.items():
        step()
        start = now()
        step()
        calls[form] = max(1, math.ceil(least / max(now() - start, 1e-6)))
    taken: dict[str, list[float]] = {form: [] for form in steps}
    quiet = not sys.stdout.isatty()
    for _ in tqdm(range(rounds), name, file=sys.stdout, disable=quiet, leave=False):
        for form, step in steps.items():
            start = now()
            for _ in range(calls[form]):
                step()
            taken[form].append((now() - start) / calls[form])
    return taken


def peak_bytes(form: str, m: int, d: int, s: int, device: str) -> int:
    """Memory of one step beside features and centers, largest at one time."""
    if device != "cpu":
        x, c, y = draw(m, d, s, device)
        step = FORMS[form](c)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(x, y)
        return torch.cuda.max_memory_allocated() - before
    # A new process for each, because memory once used stays in a process.
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        FORMS[form](draw(4, 4, 2, device)[1])(*draw(4, 4, 2, device)[::2])
        x, c, y = draw(m, d, s, device)
        step = FORMS[form](c)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        step(x, y)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        os.write(write, str(grown).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        grown = int(answer.read())
    os.waitpid(child, 0)
    return grown * (1 if sys.platform == "darwin" else 1024)


def compare(
    m: int, d: int, s: int, device: str, rounds: int, memory: dict[str, int]
) -> list[dict[str, object]]:
    """Time all forms at one number of classes."""
    x, c, y = draw(m, d, s, device)
    steps = {form: partial(make(c), x, y) for form, make in FORMS.items()}
    few = max(5, rounds // 4) if s > 1000 else rounds
    taken = seconds(steps, clock(device), few, 0.005, f"s = {s}")
    rows = []
    for form, times in taken.items():
        ratios = [t / o for t, o in zip(times, taken[OURS], strict=True)]
        low, _, high = quartiles(ratios)
        rows.append(
            {
                "form": form,
                "s": s,
                "milliseconds": 1000 * statistics.median(times),
                "times_ours": statistics.median(ratios),
                "times_ours_quartiles": [low, high],
                "megabytes": memory[form] / 1e6,
                "rounds": len(times),
            }
        )
    return rows


def quartiles(numbers: list[float]) -> list[float]:
    return statistics.quantiles(numbers, n=4, method="inclusive")


# The share of a training step.


def share_of_step(
    m: int, s: int, width: int, image_size: int, device: str, rounds: int
) -> dict[str, object]:
    """The separate loss as a part of a ResNet18 step with the softmax loss.

    On a CUDA device both are captured as CUDA graphs.
    """
    torch.manual_seed(0)
    net = expression_net(num_classes=s, width=width).to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    images = torch.randn(m, 3, image_size, image_size, device=device)
    x, c, y = draw(m, net.feature_dim, s, device)
    cuda = device != "cpu"
    if cuda:
        net.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)

    def softmax_step() -> None:
        with torch.autocast("cuda", torch.bfloat16, enabled=cuda):
            logits = net(images)[1]
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(logits.float(), y).backward()
        optimizer.step()

    separate = by_hand(c)
    steps: dict[str, Callable[[], object]] = {
        "network": softmax_step,
        "loss": partial(separate, x, y),
    }
    if cuda:
        steps = {name: captured(step) for name, step in steps.items()}
    taken = seconds(steps, clock(device), rounds, 0.02, "ResNet18")
    shares = [a / b for a, b in zip(taken["loss"], taken["network"], strict=True)]
    return {
        "network": f"ResNet18 of width {width}, softmax loss, SGD with momentum",
        "images": [m, 3, image_size, image_size],
        "s": s,
        "captured_as_cuda_graphs": cuda,
        "network_milliseconds": 1000 * statistics.median(taken["network"]),
        "loss_milliseconds": 1000 * statistics.median(taken["loss"]),
        "share_percent": 100 * statistics.median(shares),
        "rounds": rounds,
    }


def captured(step: Callable[[], object]) -> Callable[[], object]:
    """A step as one CUDA graph."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(5):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


# What was hoped for, and what came.


def goals(
    rows: list[dict[str, object]], share: dict[str, object] | None, device: str
) -> list[dict[str, object]]:
    """Goals beside what was measured; one whose size was not run is left out."""
    table = {(row["form"], row["s"]): row for row in rows}
    found = []
    for form, factor in (("textbook pairs", 80), ("one Gram matrix", 20)):
        row = table.get((f"separate loss, {form}", 10_000))
        if row:
            text = f"at s = 10,000, {form} takes at least {factor} times as long"
            found.append(goal(text, factor, row["times_ours"], above=True))
    for s in sorted({row["s"] for row in rows if row["s"] <= 1000}):
        row = table[("ArcFace", s)]
        # Slower beyond noise: even the upper quartile of the ratio is under 1.
        text = f"at s = {s:,}, not slower than ArcFace beyond noise (upper quartile)"
        found.append(goal(text, 1.0, row["times_ours_quartiles"][1], above=True))
    if share:
        limit = 0.5 if device == "cpu" else 2.0
        text = f"at most {limit} % of the ResNet18 step at batch {share['images'][0]}"
        found.append(goal(text, limit, share["share_percent"], above=False))
    return found


def goal(text: str, want: float, got: float, above: bool) -> dict[str, object]:
    met = got >= want if above else got <= want
    return {"goal": text, "want": want, "got": got, "met": met}


def main() -> None:
    cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--device", default="cuda" if cuda else "cpu")
    parser.add_argument(
        "--classes", type=int, nargs="+", default=[7, 11, 100, 1000, 10_000]
    )
    parser.add_argument("--batch-size", type=int, default=100, help="m")
    parser.add_argument("--feature-dim", type=int, default=512, help="d")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--width", type=int, default=64, help="of the ResNet18")
    parser.add_argument("--image-size", type=int, default=100, help="0 leaves it out")
    args = parser.parse_args()
    m, d, device = args.batch_size, args.feature_dim, args.device
    if device == "cpu":
        torch.set_num_threads(1)

    # Memory first: a process that has run autograd must not be forked.
    memory = {
        s: {form: peak_bytes(form, m, d, s, device) for form in FORMS}
        for s in args.classes
    }
    values = [row for s in args.classes for row in same_values(m, d, s, device)]
    values += neighbors_values(m, d, args.classes[0], device)
    rows = [
        row
        for s in args.classes
        for row in compare(m, d, s, device, args.rounds, memory[s])
    ]
    share = None
    if args.image_size:
        few = max(3, args.rounds // 8)
        share = share_of_step(
            m, args.classes[0], args.width, args.image_size, device, few
        )
    reached = goals(rows, share, device)
    report(rows, values, share, reached)
    unequal = [row["what"] for row in values if not row["equal"]]
    if unequal:
        sys.exit(f"values that should be equal are not: {'; '.join(unequal)}")
    if args.out:
        write(
            args.out,
            {
                "benchmark": "loss",
                "about": " ".join((__doc__ or "").split("\n\n")[2].split()),
                "columns": {
                    "milliseconds": "median of one step",
                    "times_ours": f"time of the form over '{OURS}' in the same round",
                    "megabytes": "largest extra memory of one step",
                    "relative_gap": "largest difference over the largest entry",
                },
                "settings": {
                    "m": m,
                    "d": d,
                    "dtype": "float32",
                    "threads": torch.get_num_threads() if device == "cpu" else None,
                    "pytorch-metric-learning": metadata.version(
                        "pytorch-metric-learning"
                    ),
                },
                "rows": rows,
                "values": values,
                "share": share,
                "goals": reached,
                "provenance": provenance.provenance(device),
            },
        )


def report(
    rows: list[dict[str, object]],
    values: list[dict[str, object]],
    share: dict[str, object] | None,
    reached: list[dict[str, object]],
) -> None:
    print(f"{'form':32}{'s':>8}{'ms':>11}{'x ours':>10}{'quartiles':>18}{'MB':>9}")
    for row in rows:
        low, high = row["times_ours_quartiles"]
        print(
            f"{row['form']:32}{row['s']:8,}{row['milliseconds']:11.3f}"
            f"{row['times_ours']:10.2f}{f'{low:.2f} to {high:.2f}':>18}"
            f"{row['megabytes']:9.1f}"
        )
    worst: dict[str, float] = {}
    for row in values:
        group = row["what"].split(":")[0]
        worst[group] = max(worst.get(group, 0), row["relative_gap"] / row["tolerance"])
    print(f"\nvalues compared: {len(values)}; largest gap as a part of its tolerance:")
    for group, part in worst.items():
        print(f"  {part:8.1e}  {group}")
    if share:
        print(
            f"\n{share['network']}, images {share['images']}: "
            f"{share['network_milliseconds']:.1f} ms a step; the separate loss "
            f"{share['loss_milliseconds']:.3f} ms, {share['share_percent']:.3f} %"
        )
    print()
    for entry in reached:
        word = "met   " if entry["met"] else "MISSED"
        print(f"{word} {entry['goal']}: {entry['got']:.3g} (goal {entry['want']})")


def write(path: Path, content: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    part.write_text(text, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    main()
