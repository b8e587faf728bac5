"""Figures of chapter 1: the claim."""

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
    figure = Figure(figsize=(style.WIDTH, 2.2))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-1, 99), ylim=(0, 35))
    axes.axis("off")
    _box(axes, 0, 28, "face", style.GRAY, 9)
    _box(axes, 15, 28, "convolutions,\nresidual blocks", style.GRAY, 17)
    _box(axes, 38, 28, f"feature $x$\n{feature_dim} numbers", style.INK)
    _box(axes, 59, 28, f"linear layer\n{num_classes} numbers", style.GRAY)
    _box(axes, 80, 28, "softmax loss\n$L_s$", style.SOFTMAX_COLOR, 18)
    centers = f"{num_classes} centers\n$c_1 \\ldots c_{{{num_classes}}}$"
    _box(axes, 38, 7, centers, style.INK)
    _box(axes, 59, 7, "separate loss\n$L_{sep}$", style.SEPARATE_COLOR)
    _box(axes, 80, 7, r"$L = L_s + \lambda L_{sep}$", style.INK, 18)
    for start, end, color in (
        ((9.6, 28), (14.4, 28), style.INK),
        ((32.6, 28), (37.4, 28), style.INK),
        ((53.6, 28), (58.4, 28), style.INK),
        ((74.6, 28), (79.4, 28), style.INK),
        ((50, 22), (60, 13), style.SEPARATE_COLOR),
        ((53.6, 7), (58.4, 7), style.SEPARATE_COLOR),
        ((74.6, 7), (79.4, 7), style.INK),
        ((89, 22), (89, 13), style.INK),
    ):
        parts.arrow(axes, end, start, color=color, width=1.4)
    return figure, (
        f"Diagram: a face goes through convolutions to a feature of {feature_dim} "
        f"numbers; a linear layer makes {num_classes} numbers for the softmax loss; "
        f"the separate loss takes the feature and {num_classes} centers; the total "
        "loss is the softmax loss plus lambda times the separate loss."
    )


def _box(
    axes: parts.Axes, x: float, y: float, text: str, edge: str, wide: float = 15
) -> None:
    look: dict[str, Any] = {
        "boxstyle": "round,pad=0.3,rounding_size=1.6",
        "linewidth": 1.5,
    }
    box = FancyBboxPatch((x, y - 5.5), wide, 11, fc="white", ec=edge, **look)
    axes.add_patch(box)
    axes.text(x + wide / 2, y, text, ha="center", va="center", fontsize=8.5)


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
