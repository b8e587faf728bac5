"""Figures of chapter 7: Algorithm 1 on a toy."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from fersep_book.figures import parts, style


class _Toy(NamedTuple):
    """Features (n, 2), labels (n,), and directions of centers (s, 2)."""

    points: parts.Array
    labels: NDArray[Any]
    centers: parts.Array


def _toy(points: ArrayLike, labels: ArrayLike, centers: ArrayLike) -> _Toy:
    return _Toy(parts.as_array(points), np.asarray(labels), parts.unit(centers))


def toy_panels(
    panels: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
) -> parts.Picture:
    """Features in the plane, with learned (△) and true centers (▽).

    ``panels`` has features (n, 2), labels (n,) and centers (s, 2) for each title.
    """
    toys = {title: _toy(*given) for title, given in panels.items()}
    figure, row = parts.row_of_panels(3.1, len(toys))
    if len(toys) > 1:
        parts.finding(figure, "One run: what each loss makes of the same start")
    reach = 1.25 * max(
        np.linalg.norm(toy.points, axis=1).max() for toy in toys.values()
    )
    told = []
    for axes, (title, toy) in zip(row, toys.items(), strict=True):
        _toy_plane(axes, toy, reach)
        axes.set_title(title)
        own, pairs = parts.mean_cosines(*toy)
        told.append(
            f"{title}: mean cosine of features and their centers {own:.2f}, of "
            f"different centers {pairs:.2f}"
        )
    _toy_legend(figure, len(next(iter(toys.values())).centers))
    return figure, (
        "Features as points in the plane, colored by class, inside a ring that carries "
        "the directions of the learned centers (triangles up) and of the true centers "
        f"(triangles down). {'; '.join(told)}."
    )


def _toy_plane(axes: parts.Axes, toy: _Toy, reach: float) -> None:
    parts.plane(axes, 1.12 * reach)
    parts.circle(axes, reach)
    axes.plot(0, 0, "+", color=style.GRAY, ms=7)
    for j, (_, color, marker) in enumerate(parts.toy_classes(len(toy.centers))):
        own = toy.points[toy.labels == j]
        look: dict[str, Any] = {"color": color, "mec": "white", "ls": ""}
        size = parts.marker_size(marker)
        axes.plot(*own.T, marker, ms=size, mew=0.4, alpha=0.85, **look)
        look |= {"ms": 8.5, "mew": 0.8, "zorder": 5}
        if len(own):
            axes.plot(*(0.93 * reach * parts.unit(own.mean(0))), "v", **look)
        axes.plot(*(1.06 * reach * toy.centers[j]), "^", **look)


def _toy_legend(figure: Figure, s: int, true_centers: bool = True) -> None:
    looks: dict[str, dict[str, Any]] = {
        name: {"color": color, "marker": marker, "ms": parts.marker_size(marker)}
        for name, color, marker in parts.toy_classes(s)
    }
    looks["learned center"] = {"color": style.GRAY, "marker": "^", "ms": 7}
    if true_centers:
        looks["true center"] = {"color": style.GRAY, "marker": "v", "ms": 7}
    parts.legend_of(figure, looks, len(looks), handletextpad=0.1, columnspacing=1.1)


def toy_pairs(
    values: Mapping[str, Sequence[tuple[float, float]]], gains: Sequence[Any]
) -> parts.Picture:
    """Pairs of runs as slopes, from the softmax loss alone to both losses.

    ``values`` has (softmax, both losses) of each pair for each measure, ``gains`` the
    `fersep.analysis.Interval` of each measure over the pairs.
    """
    figure, panels = parts.row_of_panels(3.2, len(values))
    limits = zip(values, gains, strict=True)
    clear = [name for name, gain in limits if gain.low > 0 or gain.high < 0]
    words = f"Intervals that exclude zero: {parts.listing(clear)}"
    parts.finding(figure, words if clear else "Every interval contains zero")
    told = []
    looks = {
        1: (style.BLUE, "rises"),
        0: (style.GRAY, "stays"),
        -1: (style.RED, "falls"),
    }
    for color, name in looks.values():
        panels[0].plot([], [], color=color, label=name)
    parts.legend_below(figure, len(looks), panels[0])
    for axes, (name, pairs), gain in zip(panels, values.items(), gains, strict=True):
        for first, second in pairs:
            color, _ = looks[int(np.sign(second - first))]
            axes.plot([0, 1], [first, second], color=color, lw=1.3, alpha=0.8)
            axes.plot(0, first, "s", color=style.SOFTMAX_COLOR, ms=4.5)
            axes.plot(1, second, "o", color=style.SEPARATE_COLOR, ms=5)
        up = sum(second > first for first, second in pairs)
        words = parts.interval_words(gain, "+.2f")
        axes.set_title(f"{name}\n{words.replace(' (', chr(10) + '(')}", fontsize=8.5)
        parts.class_ticks(axes, ["softmax", "both"])
        axes.set_xlim(-0.3, 1.3)
        told.append(f"{name} rises in {up} of {len(pairs)}, mean {words}")
    return figure, f"Pairs of runs, softmax loss and both losses: {'; '.join(told)}."


def toy_step(
    features: ArrayLike,
    labels: ArrayLike,
    centers: ArrayLike,
    rows: ArrayLike,
    feature_steps: Mapping[str, ArrayLike],
    center_steps: Mapping[str, ArrayLike],
    larger: float,
) -> parts.Picture:
    """The forces of one step of Algorithm 1: on the features and on the centers.

    Features are (n, 2), centers (s, 2); ``rows`` (m,) are the features of the batch.
    Steps of each name are (m, 2) and (s, 2); arrows are drawn ``larger`` times as long.
    """
    toy = _toy(features, labels, centers)
    given, batch = parts.as_array(centers), np.asarray(rows)
    figure, (left, right) = parts.row_of_panels(4.1, 2)
    parts.finding(
        figure, "The separate loss turns; the softmax loss also changes lengths"
    )
    _features_of_batch(left, toy, batch)
    on_features = _forces(left, toy.points[batch], feature_steps, larger, 6)
    left.legend(loc="lower left", fontsize=8)
    left.set_title("line 4: the features")

    parts.plane(right, 1.25 * np.linalg.norm(given, axis=1).max())
    parts.circle(right)
    on_centers = _forces(right, given, center_steps, larger, None)
    for (_, color, _), (x, y) in zip(parts.toy_classes(len(given)), given, strict=True):
        right.plot([0, x], [0, y], color=color, lw=1.4)
        # Under the arrows, so that it hides none.
        right.plot(x, y, "^", color=color, ms=10, mec="white", zorder=3)
    right.legend(loc="upper left", fontsize=8, bbox_to_anchor=(-0.12, 1))
    right.set_title("line 3: the centers")
    _toy_legend(figure, len(given), true_centers=False)
    told = [f"{name} {size:.3f} on a feature" for name, size in on_features.items()]
    told += [f"{name} {size:.3f} on a center" for name, size in on_centers.items()]
    return figure, (
        "One step of Algorithm 1 as arrows, drawn "
        f"{larger:g} times as long as the steps: on the features of a batch (left) and "
        f"on the centers (right). Mean lengths: {parts.listing(told)}."
    )


def _features_of_batch(axes: parts.Axes, toy: _Toy, batch: NDArray[Any]) -> None:
    """Draw all features, those outside the batch faintly, with their centers."""
    seen = np.concatenate([toy.points, toy.centers])
    (left, bottom), (right, top) = seen.min(0) - 0.25, seen.max(0) + 0.25
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    axes.axis("off")
    parts.circle(axes)
    axes.plot(0, 0, "+", color=style.GRAY, ms=7)
    inside = np.isin(np.arange(len(toy.points)), batch)
    for j, (_, color, marker) in enumerate(parts.toy_classes(len(toy.centers))):
        size = parts.marker_size(marker)
        faint = {"mfc": color, "mew": 0, "alpha": 0.18, "ms": size}
        hollow = {"mfc": "none", "mew": 1.4, "ms": 1.5 * size}  # shows arrows
        for shown, look in ((~inside, faint), (inside, hollow)):
            own = toy.points[shown & (toy.labels == j)]
            axes.plot(*own.T, marker, mec=color, ls="", **look)
        parts.center_mark(axes, toy.centers[j], color, 9)


def _forces(
    axes: parts.Axes,
    places: parts.Array,
    steps: Mapping[str, ArrayLike],
    larger: float,
    head: float | None,
) -> dict[str, float]:
    """Draw steps as arrows from their places, and return their mean lengths."""
    lengths = {}
    looks = [(style.GRAY, 1.1), (style.INK, 1.6)]
    for name, given, (color, width) in parts.series(steps, looks):
        moves = parts.as_array(given)
        for place, move in zip(places, moves, strict=True):
            tip = place + larger * move
            parts.arrow(axes, tip, place, color=color, width=width, head=head)
        lengths[name] = float(np.linalg.norm(moves, axis=1).mean())
        axes.plot([], [], color=color, lw=width, label=name)
    return lengths


def toy_criteria(runs: Mapping[str, ArrayLike]) -> parts.Picture:
    """The separate loss and Fisher's ratio after each step.

    For the arms "softmax" and "separate": (steps, 3), the loss, its form by scatters
    and the ratio.
    """
    figure, (left, right) = parts.row_of_panels(2.7, 2)
    looks = (style.SOFTMAX_COLOR, style.SEPARATE_COLOR)
    told = []
    for name, color, given in zip(style.BOTH_LOSSES, looks, runs.values(), strict=True):
        loss, scatters, ratio = parts.as_array(given).T
        steps = np.arange(len(loss))
        left.plot(steps, loss, color=color, label=name)
        left.plot(steps[::20], scatters[::20], "o", color=color, ms=4)
        right.plot(steps, ratio, color=color)
        told.append(
            f"{name}: loss from {loss[0]:.2f} to {loss[-1]:.2f}, ratio from "
            f"{ratio[0]:.1f} to {ratio[-1]:.1f}"
        )
    left.set_title("separate loss")
    right.set_title("Fisher's ratio, logarithmic axis")
    right.set_yscale("log")
    right.yaxis.set_major_formatter("{x:g}")
    for axes in (left, right):
        axes.set_xlabel("step")
    parts.legend_below(figure, 2, left)
    softmax, both = (parts.as_array(given)[-1, 2] for given in runs.values())
    more = "higher" if both > softmax else "lower"
    parts.finding(figure, f"Fisher's ratio ends {more} with the separate loss")
    return figure, f"Criteria by step. {'; '.join(told)}."
