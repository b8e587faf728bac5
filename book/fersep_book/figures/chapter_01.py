"""Figures of chapter 1: the claim."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from numpy.typing import ArrayLike, NDArray

from fersep_book.figures import parts, style

#: Below this length, in units of the circle, an arrow would be a head without a shaft.
SHORTEST_ARROW = 0.09


def pull_and_push(
    stages: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]],
    labels: ArrayLike,
) -> parts.Picture:
    """Features and centers in the plane, with the way in which the loss moves each.

    ``stages`` has for each title features (n, 2), centers (s, 2), pulls (n, 2) and
    pushes (s, 2); labels are (n,). The arrows of all stages share one scale, so that a
    short arrow is a weak one.
    """
    classes = np.asarray(labels)
    arrays = [[parts.as_array(part) for part in stage] for stage in stages.values()]
    moves = np.concatenate([part for _, _, *both in arrays for part in both])
    scale = 0.42 / np.linalg.norm(moves, axis=1).max()
    figure, panels = parts.row_of_panels(3.5, len(stages))
    told = []
    for axes, title, stage in zip(panels, stages, arrays, strict=True):
        features, centers, pulls, pushes = stage
        _stage(axes, classes, features, centers, scale * pulls, scale * pushes)
        intra, inter = parts.mean_cosines(features, classes, centers)
        numbers = f"intra {intra:.2f}, inter {inter:.2f}".replace("-", "−")
        axes.set_title(f"{title}\n{numbers}", loc="center")
        told.append(
            f"{title}: mean cosine of features and their center {intra:.2f}, of "
            f"different centers {inter:.2f}"
        )
    return figure, (
        f"{len(classes)} features of {len(centers)} classes in the plane and their "
        "centers on the circle, with arrows for the pull on each feature and the push "
        f"on each center. {'. '.join(told)}."
    )


def _stage(
    axes: parts.Axes,
    labels: NDArray[Any],
    features: parts.Array,
    centers: parts.Array,
    pulls: parts.Array,
    pushes: parts.Array,
) -> None:
    parts.plane(axes, 1.35)
    parts.circle(axes)
    for j, (_, color, marker) in enumerate(parts.toy_classes(len(centers))):
        own = features[labels == j]
        for x, pull in zip(own, pulls[labels == j], strict=True):
            if np.linalg.norm(pull) > SHORTEST_ARROW:
                parts.arrow(axes, x + pull, x, color=color, width=1.0)
        size = parts.marker_size(marker)
        axes.plot(*own.T, marker, color=color, ms=size, mec="white", ls="none")
        tip = parts.unit(centers[j])
        axes.plot([0, tip[0]], [0, tip[1]], color=color, lw=1.2, alpha=0.5)
        axes.plot(*tip, "^", color=color, ms=12, mec=style.INK, mew=1.1, zorder=5)
        if np.linalg.norm(pushes[j]) > SHORTEST_ARROW:
            parts.arrow(axes, tip + pushes[j], tip, color=style.INK, width=2.2)


def two_losses_on_one_network(feature_dim: int, num_classes: int) -> parts.Picture:
    """The way from an image to both losses, as a diagram."""
    centers = f"{num_classes} centers\n$c_1 \\ldots c_{{{num_classes}}}$"
    # Words, color, and the middle of each box on a desk and on a phone, in inches.
    boxes = {
        "face": ("face", style.GRAY, (0.5, 1.75), (1.85, 4.75)),
        "network": (
            "convolutions,\nresidual blocks",
            style.GRAY,
            (1.75, 1.75),
            (1.85, 3.9),
        ),
        "feature": (
            f"feature $x$\n{feature_dim} numbers",
            style.INK,
            (3.3, 1.75),
            (1.85, 2.95),
        ),
        "linear": (
            f"linear layer\n{num_classes} numbers",
            style.GRAY,
            (4.85, 1.75),
            (0.8, 2.0),
        ),
        "softmax": (
            "softmax loss\n$L_s$",
            style.SOFTMAX_COLOR,
            (6.4, 1.75),
            (0.8, 1.1),
        ),
        "centers": (centers, style.INK, (3.3, 0.5), (3.0, 2.0)),
        "separate": (
            "separate loss\n$L_{sep}$",
            style.SEPARATE_COLOR,
            (4.85, 0.5),
            (2.5, 1.1),
        ),
        "total": (r"$L = L_s + \lambda L_{sep}$", style.INK, (6.4, 0.5), (1.65, 0.3)),
    }
    figure: Any = _diagram(boxes, 2, (style.WIDTH, 2.2))
    figure.narrow = _diagram(boxes, 3, (style.PHONE_WIDTH, 5.0))
    return figure, (
        f"Diagram: a face goes through convolutions to a feature of {feature_dim} "
        f"numbers; a linear layer makes {num_classes} numbers for the softmax loss; "
        f"the separate loss takes the feature and {num_classes} centers; the total "
        "loss is the softmax loss plus lambda times the separate loss."
    )


_ARROWS = (
    "face network",
    "network feature",
    "feature linear",
    "linear softmax",
    "softmax total",
    "feature separate",
    "centers separate",
    "separate total",
)


def _diagram(
    boxes: Mapping[str, tuple[Any, ...]], place: int, size: tuple[float, float]
) -> Figure:
    """Draw boxes with their middles at an entry of each, and the arrows between."""
    figure = Figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, size[0]), ylim=(0, size[1]))
    axes.axis("off")
    half = {}
    for name, box in boxes.items():
        (x, y), lines = box[place], box[0].split("\n")
        letters = [len(re.sub(r"\\\w+|[${}_]", "", line)) for line in lines]
        wide = max(0.4, 0.036 * max(letters) + 0.08)
        half[name] = np.array([wide, 0.1 + 0.11 * len(lines)])
        look: Any = {"boxstyle": "round,pad=0,rounding_size=0.1", "linewidth": 1.5}
        corner = np.array([x, y]) - half[name]
        axes.add_patch(
            FancyBboxPatch(corner, *(2 * half[name]), fc="white", ec=box[1], **look)
        )
        axes.text(x, y, box[0], ha="center", va="center", fontsize=8.5)
    for pair in _ARROWS:
        start, end = pair.split()
        tail, tip = np.array(boxes[start][place]), np.array(boxes[end][place])
        along = tip - tail
        far = np.abs(along) + 1e-9
        tail = tail + along * ((half[start] + 0.03) / far).min()
        tip = tip - along * ((half[end] + 0.04) / far).min()
        color = style.SEPARATE_COLOR if end == "separate" else style.INK
        parts.arrow(axes, tip, tail, color=color, width=1.4)
    return figure


def printed_changes(
    panels: Mapping[str, tuple[Sequence[str], Sequence[float], Sequence[float]]],
    sides: Sequence[tuple[str, str]],
) -> parts.Picture:
    """Printed numbers before and after, joined by a line; one panel for each kind.

    ``panels`` has names, numbers before and numbers after for each title; ``sides``
    says what before and after are in each panel.
    """
    counts = [len(names) for names, *_ in panels.values()]
    figure, row = parts.row_of_panels(2.9, len(panels), width_ratios=counts)
    told = []
    for axes, (title, (names, *both)), side in zip(
        row, panels.items(), sides, strict=True
    ):
        places = np.arange(len(names))
        axes.vlines(places, *both, color=style.PALE, lw=3)
        for values, name, (color, marker) in zip(
            both, side, style.LOSS_LOOKS, strict=True
        ):
            look = {"color": color, "mfc": "white", "mew": 1.7, "ms": 7.5}
            axes.plot(places, values, marker, label=name, **look)
        parts.class_ticks(axes, names)
        axes.set(xlim=(-0.6, len(names) - 0.4), title=title)
        axes.legend(loc="lower left", handletextpad=0.2)
        changes = parts.say("{} {:.2f} to {:.2f}", names, *both)
        told.append(f"{title}, {side[0]} to {side[1]}: {changes}")
    row[0].set_ylabel("mean cosine")
    return figure, f"Numbers that the paper prints. {'. '.join(told)}."
