"""Figures of chapter 3: softmax features, their spread, intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style


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
    several = len(values) > 1
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


def seeds_with_intervals(
    names: Sequence[str],
    values: ArrayLike,
    intervals: Sequence[Any],
    published: Sequence[float] | None,
) -> parts.Picture:
    """Each seed as a dot, their mean, and the 95 % interval of the mean.

    Parameters
    ----------
    names : sequence of str
        What was measured.
    values : array, (n_seeds, len(names))
    intervals : sequence of `fersep.analysis.Interval`
        Not finite for a single seed: then no bar is drawn.
    published : sequence of float or None
        The paper's single values, drawn hollow.
    """
    rows = parts.as_array(values)
    figure, axes = parts.one_panel(3.0)
    places = np.arange(len(names))
    ends = np.array([(each.low, each.high) for each in intervals])
    finite = np.isfinite(ends[:, 0])
    look = {"color": style.SOFTMAX_COLOR, "lw": 5, "alpha": 0.35}
    label = "95 % interval of the mean"
    axes.vlines(places[finite], *ends[finite].T, label=label, **look)
    axes.plot(
        places, [each.mean for each in intervals], "_", color=style.INK, ms=16, mew=2
    )
    shifts = np.linspace(-0.12, 0.12, len(rows)) if len(rows) > 1 else [0.0]
    for row, shift in zip(rows, shifts, strict=True):
        dots = axes.plot(
            places + shift, row, "o", color=style.BLUE, ms=5.5, mec="white"
        )
    dots[0].set_label("one seed")
    if published is not None:
        look = {"color": style.INK, "mfc": "none", "ms": 7, "label": "the paper"}
        axes.plot(places + 0.28, published, "s", **look)
    parts.class_ticks(axes, names)
    axes.set_ylabel("mean cosine")
    span = np.ptp(rows[np.isfinite(rows)]) + 0.05
    axes.set_ylim(np.nanmin(rows) - span, np.nanmax(rows) + span)
    parts.legend_below(figure, 3)
    told = parts.say("{} {}", names, map(parts.interval_words, intervals))
    return figure, (
        f"Mean cosines of {len(rows)} seeds with the 95 percent interval of their "
        f"mean: {told}."
    )


def interval_coverage(
    numbers: Sequence[int], student: Sequence[float], normal: Sequence[float]
) -> parts.Picture:
    """How often two kinds of 95 % interval hold the truth, by number of seeds.

    Parameters
    ----------
    numbers : sequence of int
        Of seeds.
    student, normal : sequence of float
        Simulated shares, of Student's interval and of mean ± 1.96 standard errors.
    """
    figure, axes = parts.one_panel(2.5)
    places = np.arange(len(numbers))
    for values, marker, color, name in (
        (student, "o", style.BLUE, "Student's interval"),
        (normal, "s", style.ORANGE, "mean ± 1.96 standard errors"),
    ):
        shares = 100 * parts.as_array(values)
        axes.plot(places, shares, marker, color=color, ms=7.5, mec="white", label=name)
    axes.axhline(95, color=style.INK, lw=1, ls="--")
    axes.set_xticks(places, [str(n) for n in numbers])
    axes.set(xlabel="seeds", ylabel="holds the truth, %", ylim=(60, 100))
    axes.legend(loc="lower right")
    told = parts.say("{} seeds {:.0%} and {:.0%}", numbers, student, normal)
    return figure, (
        "Share of simulated experiments whose interval holds the truth, Student's and "
        f"the normal one: {told}."
    )


def repeated_experiments(
    unpaired: tuple[ArrayLike, ArrayLike],
    paired: tuple[ArrayLike, ArrayLike],
    truth: float,
    reach: float,
) -> parts.Picture:
    """The same experiment again and again: one interval for each, beside the truth.

    Parameters
    ----------
    unpaired, paired : (low, high), arrays of (experiments,)
    truth : float
        The true difference of the two losses.
    reach : float
        Half the width of the picture, in points.
    """
    figure, panels = parts.row_of_panels(3.2, 2, sharey=True, sharex=True)
    told = []
    for axes, name, ends, color in zip(
        panels,
        ("unpaired", "paired by seed"),
        (unpaired, paired),
        (style.ORANGE, style.BLUE),
        strict=True,
    ):
        low, high = (parts.as_array(end) for end in ends)
        holds = (low <= truth) & (truth <= high)
        for k, (a, b, hit) in enumerate(zip(low, high, holds, strict=True)):
            ink, width, line = (color, 2.4, "-") if hit else (style.INK, 1.6, ":")
            axes.plot([a, b], [k, k], color=ink, lw=width, ls=line)
        axes.axvline(truth, color=style.GRAY, lw=1.2)
        axes.axvline(0, color=style.INK, lw=1.2, ls="--")
        found = int(((low > 0) | (high < 0)).sum())
        axes.set_title(f"{name}: {found} of {len(low)} exclude zero")
        axes.set(xlim=(truth - reach, truth + reach), yticks=[])
        axes.set_xlabel("difference, points")
        axes.grid(visible=False, axis="y")
        told.append(
            f"{name}: {holds.sum()} of {len(low)} intervals hold the truth, {found} "
            f"exclude zero, median width {np.median(high - low):.2f} points"
        )
    return figure, (
        f"Intervals of repeated simulated experiments; the true difference is "
        f"{truth:g} points. {'. '.join(told)}."
    )


def disagreements(
    classes: Sequence[str], gained: ArrayLike, lost: ArrayLike
) -> parts.Picture:
    """Images that only one of two models names rightly, by class.

    Parameters
    ----------
    gained, lost : array, (s,)
        Images that only the second, and only the first model names rightly.
    """
    up, down = np.asarray(gained), np.asarray(lost)
    figure, axes = parts.one_panel(2.5)
    places = np.arange(len(classes))
    axes.bar(places, up, 0.7, color=style.BLUE, label="only the second is right")
    look = {"color": style.ORANGE, "hatch": "///", "ec": "white"}
    axes.bar(places, -down, 0.7, label="only the first is right", **look)
    axes.axhline(0, color=style.INK, lw=1)
    parts.class_ticks(axes, classes)
    parts.whole_ticks(axes.yaxis)
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    axes.set_ylabel("test images")
    parts.legend_below(figure, 2)
    told = parts.say("{} {} and {}", classes, up, down)
    return figure, (
        f"Images that only the second and only the first model names rightly: {told}; "
        f"together {up.sum()} and {down.sum()}."
    )
