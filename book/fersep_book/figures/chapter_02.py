"""Figures of chapter 2: faces, their classes and their action units."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from fersep_book.figures import parts, style

#: Pairs of expressions that are framed as the hardest to tell apart.
HARDEST = 3


def class_sizes(
    panels: Mapping[str, tuple[Sequence[str], Mapping[str, ArrayLike]]],
) -> parts.Picture:
    """Images of each class as dots on a logarithmic axis, the largest class on top.

    ``panels`` has for each title the classes (s,) and the images (s,) of one or two
    data sets; the first one is filled and gives the order.
    """
    most = max(len(classes) for classes, _ in panels.values())
    figure, row = parts.row_of_panels(0.9 + 0.24 * most, len(panels), sharex=True)
    looks = (
        {"color": style.BLUE, "ms": 7.5, "mec": "white"},
        {"color": style.INK, "ms": 7.5, "mfc": "none", "mew": 1.4},
    )
    told = []
    for axes, (title, (classes, counts)) in zip(row, panels.items(), strict=True):
        order = np.argsort(np.asarray(next(iter(counts.values()))), kind="stable")
        names = [classes[k] for k in order]
        for name, images, look in parts.series(counts, looks):
            numbers = np.asarray(images)[order]
            axes.plot(numbers.clip(1), range(len(names)), "o", label=name, **look)
            listed = parts.say("{} {:.0f}", names[::-1], numbers[::-1])
            told.append(f"{title}, {name}: {listed}")
        axes.set_yticks(range(len(names)), names)
        axes.set(xscale="log", xlabel="images", title=title, ylim=(-0.7, most - 0.3))
        axes.xaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
        axes.grid(visible=False, axis="y")
        free = "upper left" if len(names) < most else "lower right"
        axes.legend(loc=free, handletextpad=0.2)
    return figure, f"Dots: images of each class. {'. '.join(told)}."


def named_faces(images: ArrayLike, names: Sequence[str], columns: int) -> parts.Picture:
    """Faces with a name under each.

    Images are (n, 3, height, width) uint8; an empty name leaves its place free.
    ValueError if there are more images than names, or fewer.
    """
    pictures = np.asarray(images).transpose(0, 2, 3, 1)
    if len(pictures) != len(names):
        raise ValueError(f"{len(names)} names do not fit {len(pictures)} faces")
    rows = -(-len(names) // columns)
    lines = 1 + max(name.count("\n") for name in names)
    below = 0.02 + 0.15 * lines
    side = style.WIDTH / columns
    figure = Figure(figsize=(style.WIDTH, rows * (side + below)), dpi=style.DPI)
    grid = figure.subplots(rows, columns, squeeze=False)
    text = below / (side + below)
    figure.subplots_adjust(0.005, text / rows, 0.995, 1, 0.05, text / (1 - text))
    for axes in grid.flat:
        axes.axis("off")
    places = grid.flat[: len(names)]
    for axes, picture, name in zip(places, pictures, names, strict=True):
        axes.imshow(picture, interpolation="antialiased")
        axes.set_title(name, y=0, pad=-3, va="top", loc="center", fontsize=8.5)
        axes.title.set_fontweight("normal")
    shown = [" ".join(name.split()) for name in names if name]
    return figure, f"{len(names)} faces: {parts.listing(shown)}."


def unit_shares(
    expressions: Sequence[str],
    units: Sequence[str],
    shares: ArrayLike,
    line_after: int,
) -> parts.Picture:
    """Heat map of the share of faces of each expression that show each unit.

    ``expressions`` are codes; the basic ones end at ``line_after``, with a line.
    ``shares`` (expressions, units) run from 0 to 1, and zeros stay empty.
    """
    values = parts.as_array(shares)
    figure, axes = parts.one_panel(1.5 + 0.21 * len(expressions))
    _cells(axes, values, values >= 1e-9, aspect="auto")
    parts.matrix_ticks(axes, expressions, ())
    turned = {"rotation": 55, "ha": "left", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(units)), list(units), **turned)
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.axhline(line_after + 0.5, color=style.INK, lw=1.2)
    told = []
    basic, compound = expressions[: line_after + 1], expressions[line_after + 1 :]
    words = [*parts.class_words(basic), *parts.class_words(compound)]
    for name, row in zip(words, values, strict=True):
        often = [units[k].split()[0] for k in np.flatnonzero(row > 0.7).tolist()]
        told.append(f"{name}: {parts.listing(often) or 'none'}")
    return figure, (
        "Heat map of expressions and action units. Units that more than .7 of the "
        f"faces show: {'; '.join(told)}."
    )


def expected_cosines(
    panels: Mapping[str, tuple[Sequence[str], ArrayLike]],
) -> parts.Picture:
    """Cosines of the expected units of pairs of expressions; the largest are framed.

    ``panels`` has names (s,) and cosines (s, s) for each title.
    """
    sizes = [len(names) for names, _ in panels.values()]
    figure, row = parts.row_of_panels(3.9, len(panels), width_ratios=sizes)
    told = []
    for axes, (title, (names, cosines)) in zip(row, panels.items(), strict=True):
        values = parts.as_array(cosines)
        below = np.tril(np.ones_like(values), -1) > 0
        shown = np.where(below, values, np.nan)
        _cells(axes, shown, below & (values >= 0.005), below)
        axes.set_xticks(range(len(names) - 1), names[:-1])
        axes.set_yticks(range(1, len(names)), names[1:])
        axes.set(xlim=(-0.5, len(names) - 1.5), ylim=(len(names) - 0.5, 0.5))
        axes.spines[:].set_visible(False)
        axes.set_anchor("N")
        order = np.argsort(-values[below], kind="stable")[:HARDEST]
        hardest = np.argwhere(below)[order].tolist()
        for i, j in hardest:
            _frame(axes, i, j, style.ORANGE, 2)
        mean = values[below].mean()
        axes.set_title(f"{title}\nmean {mean:.2f}")
        said = [f"{names[j]} and {names[i]} {values[i, j]:.2f}" for i, j in hardest]
        told.append(f"{title}: mean {mean:.2f}, largest {parts.listing(said)}")
    return figure, f"Cosines of expected action units of pairs. {'. '.join(told)}."


def _cells(
    axes: parts.Axes,
    values: parts.Array,
    written: NDArray[np.bool_],
    framed: NDArray[np.bool_] | None = None,
    **options: Any,
) -> None:
    """Draw a heat map, with short numbers in some cells and pale lines around some."""
    texts = np.full(values.shape, "", dtype=object)
    for i, j in np.argwhere(written):
        short = f"{values[i, j]:.2f}".lstrip("0").rstrip("0")
        texts[i, j] = short if values[i, j] < 0.995 else "1"
    parts.heat_map(axes, values, texts, style.SHARE_COLORS, **options)
    for i, j in np.argwhere(np.full(values.shape, True) if framed is None else framed):
        _frame(axes, i, j, "#DDDDDD", 0.6)


def _frame(axes: parts.Axes, i: int, j: int, color: str, width: float) -> None:
    place = (j - 0.5, i - 0.5)
    axes.add_patch(Rectangle(place, 1, 1, fill=False, ec=color, lw=width))


def unit_ceilings(
    misread: Sequence[float],
    ceilings: Mapping[str, Sequence[float]],
    majorities: Mapping[str, float],
) -> parts.Picture:
    """Best accuracy from action units, against the chance to misread a unit.

    For each set of classes, ``ceilings`` has a percentage at each chance, and
    ``majorities`` the percentage of its largest class.
    """
    figure, axes = parts.one_panel(2.7)
    told = []
    looks = ((style.BLUE, "o", (10, 6), "left"), (style.RED, "s", (-8, -12), "right"))
    for name, values, (color, marker, offset, side) in parts.series(ceilings, looks):
        axes.plot(misread, values, color=color, marker=marker, mec="white", ms=7)
        middle = (misread[len(misread) // 2], values[len(values) // 2])
        look = {"ha": side, "color": color, "fontsize": 9}
        parts.note(axes, f"{name} classes", middle, offset, **look)
        axes.axhline(majorities[name], color=color, lw=1.2, ls=style.DOTTED)
        told.append(f"{name}: {parts.say('{:.0f} at {:g}', values, misread)}")
    axes.set(xlabel="chance to misread a unit", ylabel="best accuracy, %")
    axes.set_ylim(0, 103)
    return figure, (
        "Best accuracy in percent against the chance to misread a unit. "
        f"{'. '.join(told)}."
    )


def unit_face(
    image: ArrayLike, units: Sequence[str], strengths: Sequence[float], title: str
) -> parts.Picture:
    """One face, and beside it how strongly each action unit is set.

    The image is (3, height, width) uint8; strengths run from 0 to 1.
    """
    figure, (left, right) = parts.row_of_panels(3.3, 2, width_ratios=[1, 0.8])
    left.imshow(np.asarray(image).transpose(1, 2, 0), interpolation="antialiased")
    left.axis("off")
    left.set_title(title)
    places = np.arange(len(units))
    right.barh(places, parts.as_array(strengths), color=style.BLUE, height=0.7)
    right.set_yticks(places, list(units))
    right.invert_yaxis()
    right.set(xlim=(0, 1), xlabel="intensity")
    right.grid(visible=False, axis="y")
    pairs = zip(units, strengths, strict=True)
    active = [f"{name} at {s:g}" for name, s in pairs if s > 0]
    return figure, (
        f"A rendered face, {title}. Units: {parts.listing(active) or 'none'}."
    )


def class_brightness(
    classes: Sequence[str], labels: ArrayLike, brightness: ArrayLike
) -> parts.Picture:
    """Mean brightness of the images of each class: median, quartiles, 5 and 95 %.

    Brightness (n,) runs from 0, black, to 255, white.
    """
    numbers, values = np.asarray(labels), parts.as_array(brightness)
    figure, axes = parts.one_panel(2.4)
    told = []
    for k, name in enumerate(classes):
        mine = values[numbers == k]
        if not len(mine):
            continue
        low, first, middle, third, high = np.percentile(mine, [5, 25, 50, 75, 95])
        axes.plot([k, k], [low, high], color=style.BLUE, lw=1.2)
        axes.plot([k, k], [first, third], color=style.BLUE, lw=7, solid_capstyle="butt")
        axes.plot(k, middle, "o", color=style.INK, mec="white", ms=7)
        told.append(f"{name} {middle:.0f}")
    middle = np.median(values)
    axes.axhline(middle, color=style.GRAY, lw=1, ls=style.DOTTED, zorder=0)
    parts.class_ticks(axes, classes)
    axes.set(ylabel="mean brightness, 0 to 255", xlim=(-0.6, len(classes) - 0.4))
    return figure, (
        "Brightness of the images of each class, from 0 to 255; medians: "
        f"{parts.listing(told)}."
    )
