"""Figures that several chapters show."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from IPython.display import HTML
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style

#: Images of each class in `face_grid`.
FACES_A_ROW = 10


def face_rows(
    images: ArrayLike, columns: Sequence[str], rows: Sequence[str]
) -> parts.Picture:
    """Faces in rows of views and columns of expressions.

    Images are (rows * columns, 3, height, width) uint8, row by row.
    """
    pictures = np.asarray(images).transpose(0, 2, 3, 1)
    across = len(columns)
    figure = parts.new_figure(0.25 + style.WIDTH / across * len(rows))
    gaps = {"wspace": 0.03, "hspace": 0.03}
    grid = figure.subplots(len(rows), across, squeeze=False, gridspec_kw=gaps)
    for axes, picture in zip(grid.flat, pictures, strict=True):
        axes.imshow(picture, interpolation="antialiased")
        axes.axis("off")
    for axes, name in zip(grid[0], columns, strict=True):
        axes.set_title(name, loc="center", fontweight="normal", pad=3)
    return figure, (
        f"Rendered faces in {len(rows)} rows: {parts.listing(rows)}; the columns are "
        f"{parts.listing(columns)}."
    )


def face_grid(
    images: ArrayLike, labels: ArrayLike, classes: Sequence[str]
) -> parts.Picture:
    """The first images of each class, one row per class.

    Images are (n, 3, height, width) uint8.
    """
    pictures, numbers = np.asarray(images), np.asarray(labels)
    height = 0.06 + style.WIDTH * 0.95 / FACES_A_ROW * len(classes)
    figure = Figure(figsize=(style.WIDTH, height), dpi=style.DPI)
    gaps = {"wspace": 0.04, "hspace": 0.04}
    grid = figure.subplots(len(classes), FACES_A_ROW, squeeze=False, gridspec_kw=gaps)
    figure.subplots_adjust(left=0.06, right=1, top=1, bottom=0)
    shown = []
    for k, (row, name) in enumerate(zip(grid, classes, strict=True)):
        which = np.flatnonzero(numbers == k)[:FACES_A_ROW]
        shown.append(f"{len(which)} of {name}")
        for axes in row:
            axes.axis("off")
        for axes, i in zip(row[: len(which)], which, strict=True):
            axes.imshow(pictures[i].transpose(1, 2, 0), interpolation="nearest")
        look = {"ha": "right", "va": "center", "fontweight": "bold"}
        row[0].text(-0.12, 0.5, name, transform=row[0].transAxes, **look)
    return figure, f"Face images, one row for each class: {parts.listing(shown)}."


def difference_errors(
    steps: ArrayLike,
    errors: Mapping[str, ArrayLike],
    best: Mapping[str, tuple[float, float]],
) -> parts.Picture:
    """Error of central differences against the step, one curve for each precision.

    For each precision, ``errors`` has a relative error at each of ``steps``, and
    ``best`` the step and the error that were said in advance.
    """
    at = parts.as_array(steps)
    figure, axes = parts.one_panel(3.5)
    parts.finding(figure, "Left of the best step round-off rules, right of it h²")
    told, ends = [], []
    for name, given, (color, marker) in parts.series(
        errors, [(style.BLUE, "o"), (style.RED, "s")]
    ):
        values = parts.as_array(given)
        ends.append(values[-1])
        keep = values > 0
        axes.plot(at[keep], values[keep], marker=marker, ms=4, color=color, label=name)
        look = {"ms": 10, "mfc": "none", "mec": color, "mew": 1.8, "ls": ""}
        axes.plot(*best[name], marker="D", label=f"{name}, said in advance", **look)
        k = int(np.argmin(np.where(keep, values, np.inf)))
        told.append(f"{name}: lowest error {values[k]:.0e} at step {at[k]:.0e}")
    _square_law(axes, at[at >= 1e-3], np.nanmax(ends))
    lowest = 0.005 * min(error for _, error in best.values())
    axes.set(xscale="log", yscale="log", ylim=(lowest, 30))
    axes.set(xlabel="step $h$", ylabel="relative error")
    parts.legend_below(figure, 2)
    return figure, (
        "The relative error of central finite differences against the step, on "
        f"logarithmic axes: V-shaped curves. {'; '.join(told)}. Right of the lowest "
        "point the error grows with the square of the step, left of it round-off takes "
        "over."
    )


def _square_law(axes: parts.Axes, steps: parts.Array, error: float) -> None:
    """Draw how an error falls with the square of the step, below the curves."""
    law = error * (steps / steps[-1]) ** 2
    axes.plot(steps, 0.18 * law, color=style.GRAY, lw=1.1, ls=style.DASHED)
    middle = len(steps) // 2
    words = "falls as $h^2$"
    axes.text(steps[middle] * 1.5, 0.03 * law[middle], words, color=style.GRAY)


def interval_groups(
    groups: Mapping[str, Mapping[str, Any]],
    label: str,
    *,
    title: str = "",
    margin: float = 0.0,
    paper: float | None = None,
) -> parts.Picture:
    """Estimates with their 95 % intervals: a row a group, a mark for each member.

    ``groups`` has for each group a `fersep.analysis.Interval` of each member; ``label``
    says what is estimated. A band of ``margin`` holds effects too small to matter; a
    dashed line is the paper's own number.
    """
    members = list(dict.fromkeys(m for each in groups.values() for m in each))
    step = 0.62 / len(members)
    unnamed = {member for member in members if member}
    figure, axes = parts.one_panel(0.95 + (0.12 + 0.115 * len(members)) * len(groups))
    looks = list(zip((style.BLUE, style.RED, style.GREEN), "osD", strict=True))
    if tuple(members) == style.BOTH_LOSSES:
        looks = list(style.LOSS_LOOKS)
    beside = {"xycoords": axes.get_yaxis_transform(), "annotation_clip": False}
    told = []
    for row, (group, estimates) in enumerate(groups.items()):
        for k, (member, gap) in enumerate(estimates.items()):
            color, marker = looks[members.index(member) % 3]
            y = row + step * (k - (len(estimates) - 1) / 2)
            if np.isfinite(gap.low):
                axes.plot([gap.low, gap.high], [y, y], color=color, lw=2)
            axes.plot(gap.mean, y, marker, color=color, ms=6, mec="white", zorder=4)
            if member in unnamed:
                unnamed.remove(member)
                down = 11 * (k - (len(estimates) - 1) / 2)
                place = {"color": color, **beside}
                parts.note(axes, member, (1, row), (4, -3 - down), **place)
            name = f"{group}, {member}" if member else group
            told.append(f"{name} {parts.interval_words(gap, '+.2f')}")
    if margin:
        axes.axvspan(-margin, margin, color=style.GRAY, alpha=0.18, lw=0)
    axes.axvline(0, color=style.INK, lw=1, ls=style.DOTTED)
    if paper is not None:
        axes.axvline(paper, color=style.INK, lw=1.2, ls=style.DASHED)
        above = {"xycoords": axes.get_xaxis_transform(), "annotation_clip": False}
        look = {"fontsize": 8.5, "ha": "center", **above}
        parts.note(axes, "the paper, RAF-DB", (paper, 1), (0, 4), **look)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(label)
    if title:
        parts.finding(figure, title)
    return figure, f"{label}, with 95 percent intervals: {parts.listing(told)}."


def answer(verdict: str, sentences: Sequence[str], source: str) -> HTML:
    """The box that opens a chapter: its answer, and the source in small print."""
    text = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences)
    return HTML(
        '<div class="admonition answer"><p class="admonition-title">'
        f"{html.escape(verdict)}</p>{text}"
        f'<p class="source"><small>{html.escape(source)}</small></p></div>'
    )
