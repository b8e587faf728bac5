"""Figures of chapter 3: what the softmax loss makes of features."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style


def loss_by_length(
    factors: Sequence[float], losses: Mapping[str, ArrayLike]
) -> parts.Picture:
    """The softmax loss when all features become longer, for some sets of images.

    ``losses`` has a mean loss at each of ``factors`` for each set of images.
    """
    figure, axes = parts.one_panel(2.7)
    looks = ((style.BLUE, "o"), (style.INK, ""), (style.RED, "s"))
    told = []
    for name, values, (color, marker) in parts.series(losses, looks):
        curve = parts.as_array(values)
        look = {"color": color, "mec": "white", "markevery": 4, "ms": 6}
        axes.plot(factors, curve, "-", marker=marker or None, **look)
        _name_end(axes, name, (factors[-1], curve[-1]), color)
        ends = curve[0], curve[-1]
        told.append(f"{name} {ends[0]:.2f} to {ends[1]:.2f}, least {curve.min():.2f}")
    axes.set_xscale("log", base=2)
    names = ["1/8", "1/4", "1/2", "1", "2", "4", "8"]
    axes.set_xticks([2.0**k for k in range(-3, 4)], names)
    axes.set(xlabel="length of the features, k", ylabel="mean softmax loss")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda loss, _: f"{loss:g}")
    parts.finding(figure, "Longer features: sure where right, sure where wrong")
    return figure, (
        f"Mean softmax loss from {factors[0]:g} to {factors[-1]:g} times the length: "
        f"{parts.listing(told)}."
    )


def _name_end(
    axes: parts.Axes, name: str, end: tuple[float, float], color: str
) -> None:
    look = {"color": color, "va": "center", "annotation_clip": False}
    parts.note(axes, name, end, (7, 0), **look)


def own_and_rival(own: ArrayLike, rival: ArrayLike) -> parts.Picture:
    """How near features are to their own center and to the nearest other one.

    Both are cosines (n,), of each feature with the two centers.
    """
    a, b = parts.as_array(own), parts.as_array(rival)
    figure, (left, right) = parts.row_of_panels(2.7, 2, width_ratios=[1.5, 1])
    edges = np.linspace(min(a.min(), b.min()), 1, 31)
    for values, color, name, hatch in (
        (b, style.ORANGE, "nearest other center", "///"),
        (a, style.BLUE, "own center", ""),
    ):
        look = {"color": color, "alpha": 0.55, "hatch": hatch, "ec": "white"}
        left.hist(values, edges, label=name, **look)
    left.set(xlabel="cosine of feature and center", ylabel="test images")
    left.legend(loc="upper left")
    lead = a - b
    right.hist(lead, 30, color=style.GRAY, alpha=0.8)
    right.axvline(0, color=style.INK, lw=1.2)
    right.set(xlabel="own minus nearest other", ylabel="test images")
    wrong = int((lead < 0).sum())
    right.set_title(f"{wrong:,} of {len(a):,} nearer\nto another class")
    return figure, (
        f"Histograms of cosines of {len(a)} test features: with their own center, mean "
        f"{a.mean():.2f}; with the nearest other center, mean {b.mean():.2f}. {wrong} "
        "features are nearer to another center."
    )


def cosine_table(classes: Sequence[str], cells: ArrayLike) -> parts.Picture:
    """Mean cosine of features of one class and centers of another.

    Rows are the class of the features, columns that of the center; NaN for a class
    without a feature.
    """
    mean = parts.as_array(cells)
    low, high = float(np.nanmin(mean)), float(np.nanmax(mean))
    figure, axes = parts.one_panel(3.7, 4.6)
    texts = np.full(mean.shape, "–", dtype=object)
    for i, j in np.argwhere(np.isfinite(mean)):
        texts[i, j] = f"{mean[i, j]:.2f}"
    ends = low, max(high, low + 1e-9)
    colors = style.SHARE_COLORS
    words = parts.heat_map(axes, mean, texts, colors, size=8.5, limits=ends)
    for own in words.diagonal():
        own.set_fontweight("bold")
    parts.matrix_ticks(axes, classes, classes)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="center of", ylabel="features of")
    off = mean[~np.eye(len(classes), dtype=bool)]
    own = parts.say("{} {:.2f}", classes, mean.diagonal())
    return figure, (
        f"Table of mean cosines, {len(classes)} classes. With the own center: {own}. "
        f"With other centers: {np.nanmin(off):.2f} to {np.nanmax(off):.2f}."
    )


def cosines_by_epoch(intra: ArrayLike, inter: ArrayLike) -> parts.Picture:
    """Cosines within classes and between their centers as the training goes on.

    Both are (seeds, epochs).
    """
    figure, axes = parts.one_panel(2.9)
    runs = {"feature and\nown center": intra, "two centers": inter}
    looks = ((style.BLUE, "o"), (style.RED, "s"))
    means = parts.epoch_curves(axes, runs, looks)
    within, between = means.values()
    for (name, curve), (color, _) in zip(means.items(), looks, strict=True):
        _name_end(axes, name, (len(curve), curve[-1]), color)
    axes.set_ylabel("mean cosine")
    gaps = within[0] - between[0], within[-1] - between[-1]
    words = f"The gap of the two goes from {gaps[0]:.2f} to {gaps[1]:.2f}"
    words = words.replace("-", "−")
    parts.finding(figure, words)
    return figure, (
        f"Mean cosines over {len(within)} epochs. Within classes from {within[0]:.2f} "
        f"to {within[-1]:.2f}, between centers from {between[0]:.2f} to "
        f"{between[-1]:.2f}. {words}."
    )
