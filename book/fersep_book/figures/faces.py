"""Figures of chapter 2: faces, their classes and their action units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from fersep_book.figures.experiments import _class_ticks, class_style
from fersep_book.figures.style import (
    BLUE,
    DPI,
    GRAY,
    INK,
    ORANGE,
    RED,
    WIDTH,
    _array,
    _figure,
    _listed,
)

#: Shares and cosines from 0 (white) to 1 (blue).
SHARE_COLORS = LinearSegmentedColormap.from_list("share", ["#FFFFFF", "#92C5DE", BLUE])


def named_faces(
    images: ArrayLike, names: Sequence[str], columns: int
) -> tuple[Figure, str]:
    """Faces with a name under each.

    Parameters
    ----------
    images : array, (n, 3, height, width) uint8
    names : sequence of str, (n,)
        Empty names leave the place under a face free.
    columns : int
    """
    pictures = np.asarray(images).transpose(0, 2, 3, 1)
    rows = -(-len(names) // columns)
    lines = 1 + max(name.count("\n") for name in names)
    below = 0.02 + 0.15 * lines
    side = WIDTH / columns
    figure = Figure(figsize=(WIDTH, rows * (side + below)), dpi=DPI)
    grid = figure.subplots(rows, columns, squeeze=False)
    text = below / (side + below)
    figure.subplots_adjust(0.005, text / rows, 0.995, 1, 0.05, text / (1 - text))
    for axes in grid.flat:
        axes.axis("off")
    for axes, picture, name in zip(grid.flat, pictures, names, strict=False):
        axes.imshow(picture, interpolation="antialiased")
        axes.set_title(name, y=0, pad=-3, va="top", loc="center", fontsize=8)
        axes.title.set_fontweight("normal")
    shown = [" ".join(name.split()) for name in names if name]
    return figure, f"{len(names)} faces: {_listed(shown)}."


def class_shares(
    classes: Sequence[str], counts: Mapping[str, ArrayLike]
) -> tuple[Figure, str]:
    """Share of each class, data sets side by side; the bars carry the counts.

    Parameters
    ----------
    counts : mapping of data set -> (s,) images
        One or two data sets.
    """
    figure = _figure(2.6)
    axes = figure.subplots()
    colors = [color for color, _ in class_style(classes)]
    width = 0.84 / len(counts)
    parts = []
    for i, (name, images) in enumerate(counts.items()):
        numbers = np.asarray(images, dtype=np.int64)
        shares = 100 * numbers / numbers.sum()
        bars = axes.bar(
            np.arange(len(classes)) + (i - (len(counts) - 1) / 2) * width,
            shares,
            width=0.92 * width,
            color=colors if i == 0 else "white",
            edgecolor=colors,
            linewidth=1.2,
        )
        axes.bar_label(
            bars, [str(n) for n in numbers], padding=2, fontsize=7 if i else 7.5
        )
        pairs = zip(classes, numbers, shares, strict=True)
        parts.append(
            f"{name}: {_listed([f'{c} {n} ({p:.0f} %)' for c, n, p in pairs])}"
        )
    _class_ticks(axes, classes)
    axes.margins(y=0.14)
    axes.set_ylabel("share of images, %")
    names = list(counts)
    if len(names) == 2:
        axes.set_title(f"filled {names[0]}, hollow {names[1]}", fontweight="normal")
    else:
        axes.set_title(names[0], fontweight="normal")
    return figure, f"Bars: images of each class. {'. '.join(parts)}."


def unit_shares(
    expressions: Sequence[str],
    units: Sequence[str],
    shares: ArrayLike,
    lines_after: Sequence[int] = (),
) -> tuple[Figure, str]:
    """Heat map of the share of faces of each expression that show each unit.

    Parameters
    ----------
    expressions, units : sequence of str
        Names of rows and columns.
    shares : array, (expressions, units)
        From 0 to 1; zeros stay empty.
    lines_after : sequence of int
        Rows after which a line is drawn.
    """
    values = _array(shares)
    figure = _figure(1.5 + 0.21 * len(expressions))
    axes = figure.subplots()
    axes.imshow(values, cmap=SHARE_COLORS, vmin=0, vmax=1, aspect="auto")
    _numbers(axes, values, 7)
    _cells(axes, values.shape)
    axes.set_xticks(
        range(len(units)), list(units), rotation=55, ha="left", rotation_mode="anchor"
    )
    axes.set_yticks(range(len(expressions)), list(expressions))
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    for row in lines_after:
        axes.axhline(row + 0.5, color=INK, lw=1.2)
    parts = []
    for name, row in zip(expressions, values, strict=True):
        often = [units[k].split()[0] for k in np.flatnonzero(row > 0.7).tolist()]
        parts.append(f"{name}: {_listed(often) or 'none'}")
    return figure, (
        "Heat map of expressions and action units. Units that more than .7 of the "
        f"faces show: {'; '.join(parts)}."
    )


def expected_cosines(
    panels: Mapping[str, tuple[Sequence[str], ArrayLike]], hardest: int = 3
) -> tuple[Figure, str]:
    """Cosines of the expected units of pairs of expressions; the largest are framed.

    Parameters
    ----------
    panels : mapping of title -> (names (s,), cosines (s, s))
    hardest : int
        Pairs to frame in each panel.
    """
    sizes = [len(names) for names, _ in panels.values()]
    figure = _figure(3.9)
    grid = figure.subplots(
        1, len(panels), squeeze=False, gridspec_kw={"width_ratios": sizes}
    )[0]
    parts = []
    for axes, (title, (names, cosines)) in zip(grid, panels.items(), strict=True):
        values = _array(cosines)
        below = np.tril(np.ones_like(values), -1) > 0
        axes.imshow(np.where(below, values, np.nan), cmap=SHARE_COLORS, vmin=0, vmax=1)
        _numbers(axes, np.where(below, values, 0), 7, least=0.005)
        _cells(axes, values.shape, below)
        axes.set_xticks(range(len(names) - 1), names[:-1])
        axes.set_yticks(range(1, len(names)), names[1:])
        axes.set(xlim=(-0.5, len(names) - 1.5), ylim=(len(names) - 0.5, 0.5))
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        pairs = np.argwhere(below)
        order = np.argsort(-values[below], kind="stable")[:hardest]
        framed = pairs[order].tolist()
        for i, j in framed:
            frame = Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, ec=ORANGE, lw=2)
            axes.add_patch(frame)
        axes.set_anchor("N")
        mean = values[below].mean()
        axes.set_title(f"{title}\nmean {mean:.2f}")
        said = [
            f"{names[j]} and {names[i]} {values[i, j]:.2f}" for i, j in pairs[order]
        ]
        parts.append(f"{title}: mean {mean:.2f}, largest {_listed(said)}")
    return figure, f"Cosines of expected action units of pairs. {'. '.join(parts)}."


def unit_ceilings(
    misread: Sequence[float],
    ceilings: Mapping[str, Sequence[float]],
    majorities: Mapping[str, float],
) -> tuple[Figure, str]:
    """Best accuracy from action units, against the chance to misread a unit.

    Parameters
    ----------
    misread : sequence of float, (n,)
    ceilings : mapping of set of classes -> (n,) percent
    majorities : mapping of set of classes -> percent of its largest class
    """
    figure = _figure(2.7)
    axes = figure.subplots()
    parts = []
    looks = ((BLUE, "o"), (RED, "s"))
    sides = ((10, 6, "left"), (-8, -12, "right"))
    for (name, values), (color, marker), (right, up, side) in zip(
        ceilings.items(), looks, sides, strict=False
    ):
        axes.plot(misread, values, color=color, marker=marker, mec="white", ms=7)
        axes.annotate(
            f"{name} classes",
            (misread[len(misread) // 2], values[len(values) // 2]),
            xytext=(right, up),
            textcoords="offset points",
            ha=side,
            color=color,
        )
        axes.axhline(majorities[name], color=color, lw=1.2, ls=(0, (1, 2)))
        pairs = zip(misread, values, strict=True)
        parts.append(f"{name}: {_listed([f'{v:.0f} at {e:g}' for e, v in pairs])}")
    axes.set(
        xlabel="chance to misread a unit", ylabel="best accuracy, %", ylim=(0, 103)
    )
    return figure, (
        "Best accuracy in percent against the chance to misread a unit. "
        f"{'. '.join(parts)}."
    )


def unit_face(
    image: ArrayLike, units: Sequence[str], strengths: Sequence[float], title: str
) -> tuple[Figure, str]:
    """One face, and beside it how strongly each action unit is set.

    Parameters
    ----------
    image : array, (3, height, width) uint8
    units : sequence of str
    strengths : sequence of float
        From 0 to 1.
    title : str
    """
    figure = _figure(3.3)
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1, 0.8]})
    left.imshow(np.asarray(image).transpose(1, 2, 0), interpolation="antialiased")
    left.axis("off")
    left.set_title(title)
    places = np.arange(len(units))
    right.barh(places, _array(strengths), color=BLUE, height=0.7)
    right.set_yticks(places, list(units))
    right.invert_yaxis()
    right.set(xlim=(0, 1), xlabel="intensity")
    right.grid(visible=False, axis="y")
    active = [
        f"{name} at {s:g}" for name, s in zip(units, strengths, strict=True) if s > 0
    ]
    return figure, f"A rendered face, {title}. Units: {_listed(active) or 'none'}."


def class_brightness(
    classes: Sequence[str], labels: ArrayLike, brightness: ArrayLike
) -> tuple[Figure, str]:
    """Mean brightness of the images of each class: median, quartiles, 5 and 95 %.

    Parameters
    ----------
    labels : array, (n,)
    brightness : array, (n,)
        From 0 (black) to 255 (white).
    """
    numbers, values = np.asarray(labels), _array(brightness)
    figure = _figure(2.4)
    axes = figure.subplots()
    parts = []
    looks = class_style(classes)
    for k, (name, (color, marker)) in enumerate(zip(classes, looks, strict=True)):
        mine = values[numbers == k]
        if not len(mine):
            continue
        low, first, middle, third, high = np.percentile(mine, [5, 25, 50, 75, 95])
        axes.plot([k, k], [low, high], color=color, lw=1.2)
        axes.plot([k, k], [first, third], color=color, lw=7, solid_capstyle="butt")
        axes.plot(k, middle, marker, color=INK, mec="white", ms=7)
        parts.append(f"{name} {middle:.0f}")
    axes.axhline(float(np.median(values)), color=GRAY, lw=1, ls=(0, (1, 2)), zorder=0)
    _class_ticks(axes, classes)
    axes.set(ylabel="mean brightness of an image", xlim=(-0.6, len(classes) - 0.4))
    return figure, (
        "Brightness of the images of each class, from 0 to 255; medians: "
        f"{_listed(parts)}."
    )


def _numbers(axes: Axes, values: np.ndarray, size: float, least: float = 1e-9) -> None:
    for (i, j), value in np.ndenumerate(values):
        if value >= least:
            axes.text(
                j,
                i,
                f"{value:.2f}".lstrip("0").rstrip("0") if value < 0.995 else "1",
                ha="center",
                va="center",
                fontsize=size,
                color="white" if value > 0.75 else INK,
            )


def _cells(
    axes: Axes, shape: tuple[int, ...], inside: np.ndarray | None = None
) -> None:
    """Pale lines around the cells of a heat map."""
    axes.grid(visible=False)
    for i, j in np.ndindex(*shape):
        if inside is None or inside[i, j]:
            cell = Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, ec="#DDDDDD", lw=0.6)
            axes.add_patch(cell)
