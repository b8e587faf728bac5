"""Figures of the front page and of the verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from fersep_book.figures.experiments import SEPARATE_COLOR, SOFTMAX_COLOR
from fersep_book.figures.style import DPI, GRAY, PALE, WIDTH, _array, _figure, _listed

# Figures of the verdict: what the paper's own numbers can carry.


def printed_gains(
    names: Sequence[str],
    images: Sequence[int],
    softmax: Sequence[float],
    separate: Sequence[float],
) -> tuple[Figure, str]:
    """The paper's accuracies with the 95 % interval that their test images allow.

    Parameters
    ----------
    names : sequence of str
        Of the data sets.
    images : sequence of int
        Test images of each.
    softmax, separate : sequence of float
        Printed accuracies in percent.
    """
    figure = _figure(2.9)
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    parts = []
    for axes, name, n, *pair in zip(
        panels, names, images, softmax, separate, strict=True
    ):
        looks = ((SOFTMAX_COLOR, "s"), (SEPARATE_COLOR, "o"))
        for place, (accuracy, (color, marker)) in enumerate(
            zip(pair, looks, strict=True)
        ):
            half = 1.96 * (accuracy * (100 - accuracy) / n) ** 0.5
            axes.errorbar(
                place,
                accuracy,
                half,
                fmt=marker,
                color=color,
                mfc="white",
                ms=8,
                mew=1.8,
                capsize=4,
            )
            axes.annotate(
                f"{accuracy:.2f}",
                (place, accuracy),
                xytext=(9, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
            )
        axes.set_title(f"{name}\n{n:,} test images")
        axes.set(xlim=(-0.5, 1.75), xticks=[0, 1])
        axes.set_xticklabels(["softmax", "+ separate"])
        axes.grid(visible=False, axis="x")
        change = pair[1] - pair[0]
        error = (sum(a * (100 - a) for a in pair) / n) ** 0.5
        parts.append(
            f"{name}, {n} test images: {pair[0]:.2f} and {pair[1]:.2f} percent, a gain "
            f"of {change:.2f} with a standard error of {error:.2f}"
        )
    panels[0].set_ylabel("accuracy, %")
    return figure, (
        "Printed accuracies of the softmax loss and of softmax plus separate loss, "
        f"each with its sampling interval. {'. '.join(parts)}."
    )


def printed_sweep(
    values: Sequence[float], accuracies: Sequence[float], n: int
) -> tuple[Figure, str]:
    """The λ sweep on a band of plus and minus one standard error of a single run.

    Parameters
    ----------
    values : sequence of float
        Of λ.
    accuracies : sequence of float
        Printed percentages.
    n : int
        Test images.
    """
    shown = _array(accuracies)
    mean = float(shown.mean())
    error = (mean * (100 - mean) / n) ** 0.5
    figure = _figure(2.6)
    axes = figure.subplots()
    axes.axhspan(mean - error, mean + error, color=PALE, alpha=0.6, lw=0)
    axes.axhline(mean, color=GRAY, lw=1)
    axes.plot(values, shown, "o", color=SEPARATE_COLOR, mfc="white", ms=8, mew=1.8)
    best = int(shown.argmax())
    axes.annotate(
        f"{shown[best]:.2f} at λ = {values[best]:g}",
        (values[best], shown[best]),
        xytext=(0, 8),
        textcoords="offset points",
        ha="center",
        fontsize=8.5,
    )
    axes.set(xlabel="λ", ylabel="accuracy, %", xticks=list(values))
    axes.set_ylim(mean - 1.6 * error, mean + 1.6 * error)
    inside = int((np.abs(shown - mean) <= error).sum())
    return figure, (
        f"The {len(shown)} printed accuracies of the λ sweep, from "
        f"{shown.min():.2f} to {shown.max():.2f} percent, best at λ = "
        f"{values[best]:g}. {inside} of them lie within one standard error of a "
        f"single run, {error:.2f} points, around their mean {mean:.2f}."
    )


def face_rows(
    images: ArrayLike, columns: Sequence[str], rows: Sequence[str]
) -> tuple[Figure, str]:
    """Faces in rows of views and columns of expressions.

    Parameters
    ----------
    images : array, (rows * columns, 3, height, width) uint8
        Row by row.
    columns, rows : sequence of str
        What the columns and the rows show.
    """
    pictures = np.asarray(images).transpose(0, 2, 3, 1)
    across = len(columns)
    figure = Figure(figsize=(WIDTH, 0.25 + WIDTH / across * len(rows)), dpi=DPI)
    grid = figure.subplots(
        len(rows), across, squeeze=False, gridspec_kw={"wspace": 0.05, "hspace": 0.05}
    )
    top = 1 - 0.25 / figure.get_figheight()
    figure.subplots_adjust(left=0, right=1, top=top, bottom=0)
    for axes, picture in zip(grid.flat, pictures, strict=True):
        axes.imshow(picture, interpolation="antialiased")
        axes.axis("off")
    for axes, name in zip(grid[0], columns, strict=True):
        axes.set_title(name, loc="center", fontweight="normal", pad=3)
    return figure, (
        f"Rendered faces in {len(rows)} rows: {_listed(rows)}; the columns are "
        f"{_listed(columns)}."
    )
