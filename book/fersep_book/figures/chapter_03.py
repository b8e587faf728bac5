"""Figures of chapter 3: what the softmax loss makes of features."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style


def loss_by_length(
    factors: Sequence[float], losses: Mapping[str, ArrayLike]
) -> parts.Picture:
    """The softmax loss when all features become longer, for some sets of images.

    Parameters
    ----------
    factors : sequence of float, (n,)
        How many times as long.
    losses : mapping of set of images -> mean loss (n,)
    """
    figure, axes = parts.one_panel(2.7)
    looks = ((style.BLUE, "o"), (style.INK, ""), (style.ORANGE, "s"))
    told = []
    for name, values, (color, marker) in parts.series(losses, looks):
        curve = parts.as_array(values)
        look = {"color": color, "mec": "white", "markevery": 4, "ms": 6}
        axes.plot(factors, curve, "-", marker=marker or None, label=name, **look)
        ends = curve[0], curve[-1]
        told.append(f"{name} {ends[0]:.2f} to {ends[1]:.2f}, least {curve.min():.2f}")
    axes.set_xscale("log", base=2)
    axes.set_xticks([1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8])
    axes.xaxis.set_major_formatter(lambda k, _: f"{k:g}")
    axes.set(xlabel="length of the features, k", ylabel="mean softmax loss")
    axes.set(yscale="log", title="Longer features: sure where right, sure where wrong")
    parts.legend_below(figure, len(losses))
    return figure, (
        f"Mean softmax loss from {factors[0]:g} to {factors[-1]:g} times the length: "
        f"{parts.listing(told)}."
    )


def own_and_rival(own: ArrayLike, rival: ArrayLike) -> parts.Picture:
    """How near features are to their own center and to the nearest other one.

    Parameters
    ----------
    own, rival : array, (n,)
        Cosines of each feature with the two centers.
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
    right.set_title(f"{wrong} of {len(a)} nearer\nto another class")
    return figure, (
        f"Histograms of cosines of {len(a)} test features: with their own center, mean "
        f"{a.mean():.2f}; with the nearest other center, mean {b.mean():.2f}. {wrong} "
        "features are nearer to another center."
    )


def cosine_tables(classes: Sequence[str], tables: ArrayLike) -> parts.Picture:
    """Mean cosine of features of one class and centers of another, and its spread.

    Parameters
    ----------
    tables : array, (n_seeds, s, s)
        Rows: the class of the features; columns: the class of the center. NaN for a
        class without a feature.
    """
    values = parts.as_array(tables)
    mean = values.mean(0)
    several = len(values) > 2  # two seeds have no spread to speak of
    figure, row = parts.row_of_panels(3.7, 1 + several)
    _cosine_table(row[0], classes, mean, "Blues", float(np.nanmin(mean)))
    row[0].set(title="mean over the seeds", ylabel="features of")
    off = mean[~np.eye(len(classes), dtype=bool)]
    own = parts.say("{} {:.2f}", classes, mean.diagonal())
    alt = (
        f"Table of mean cosines, {len(classes)} classes, mean over {len(values)} "
        f"seeds. With the own center: {own}. With "
        f"other centers: {np.nanmin(off):.2f} to {np.nanmax(off):.2f}."
    )
    if several:
        spread = values.std(0, ddof=1)
        _cosine_table(row[1], classes, spread, "Oranges", 0.0)
        row[1].set_title("standard deviation over the seeds")
        alt += f" Largest standard deviation over the seeds: {np.nanmax(spread):.3f}."
    return figure, alt


def _cosine_table(
    axes: parts.Axes,
    classes: Sequence[str],
    cells: parts.Array,
    colors: str,
    low: float,
) -> None:
    high = float(np.nanmax(cells))
    dark = cells > (low + high) / 2 + (high - low) / 6
    texts = np.full(cells.shape, "–", dtype=object)
    for i, j in np.argwhere(np.isfinite(cells)):
        texts[i, j] = f"{cells[i, j]:.2f}"
    ends = {"vmin": low, "vmax": max(high, low + 1e-9)}
    words = parts.heat_map(axes, cells, texts, colors, dark, 7.5, **ends)
    for own in words.diagonal():
        own.set_fontweight("bold")
    parts.matrix_ticks(axes, classes, classes)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("center of")


def seeds_beside_paper(
    names: Sequence[str], values: ArrayLike, published: Sequence[float] | None
) -> parts.Picture:
    """Each seed as a dot, beside the single value of the paper.

    Parameters
    ----------
    names : sequence of str
        What was measured.
    values : array, (n_seeds, len(names))
        NaN for a class without a feature.
    published : sequence of float or None
        The paper's values, drawn hollow.
    """
    rows = parts.as_array(values)
    figure, axes = parts.one_panel(2.9)
    places = np.arange(len(names))
    shifts = np.linspace(-0.15, 0.05, len(rows)) if len(rows) > 1 else [0.0]
    for row, shift in zip(rows, shifts, strict=True):
        look = {"color": style.SOFTMAX_COLOR, "ms": 6.5, "mec": "white"}
        dots = axes.plot(places + shift, row, style.LOSS_LOOKS[0][1], **look)
    dots[0].set_label("one seed")
    if published is not None:
        look = {"color": style.INK, "mfc": "none", "ms": 7, "label": "the paper"}
        axes.plot(places + 0.28, published, "s", **look)
    parts.class_ticks(axes, names)
    axes.set_ylabel("mean cosine")
    parts.legend_below(figure, 2)
    ends = np.nanmin(rows, 0), np.nanmax(rows, 0)
    told = parts.say("{} {:.2f} to {:.2f}", names, *ends)
    return figure, f"Mean cosines of {len(rows)} seeds: {told}."
