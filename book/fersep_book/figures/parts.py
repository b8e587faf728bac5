"""The parts that figures are made of: panels, arrows, ticks, heat maps, words."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from fersep.data.cards import WORDS
from fersep_book.figures.style import (
    CLASS_STYLE,
    INK,
    ON_DARK_CELL,
    ON_LIGHT_CELL,
    RED,
    WIDTH,
)

Array = NDArray[np.float64]

#: Axes of matplotlib, unchecked: its stubs refuse options that come in a dict.
Axes = Any

#: A figure and its alternative text.
Picture = tuple[Figure, str]

# Numbers.


def as_array(values: ArrayLike) -> Array:
    """Return numbers, also those of a CPU tensor, as an array of float64."""
    return np.asarray(values, dtype=np.float64)


def unit(vectors: ArrayLike) -> Array:
    """Scale vectors to length 1, along the last axis."""
    given = as_array(vectors)
    return np.asarray(given / np.linalg.norm(given, axis=-1, keepdims=True))


def cosines(a: Array, b: Array) -> Array:
    """Return the cosines of pairs of vectors, along the last axis."""
    return np.asarray((unit(a) * unit(b)).sum(-1))


def mean_cosines(
    features: Array, labels: NDArray[Any], centers: Array
) -> tuple[float, float]:
    """Return the mean cosine of features and their centers, and of pairs of centers."""
    directions = unit(centers)
    pairs = (directions @ directions.T)[~np.eye(len(centers), dtype=bool)]
    return float(cosines(features, centers[labels]).mean()), float(pairs.mean())


# Words of the alternative texts.


def listing(words: Sequence[str]) -> str:
    """Join words with commas and a last "and"."""
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


def say(form: str, *columns: Iterable[Any]) -> str:
    """Fill a form like "{} {:.2f}" with each row of some columns, and list the rows.

    ValueError if the columns are of unequal length.
    """
    rows = zip(*columns, strict=True)
    return listing([form.format(*row).replace("\n", " ") for row in rows])


def class_words(classes: Sequence[str]) -> list[str]:
    """Return words for the paper's classes; other classes keep their names."""
    words = WORDS["compound" if set(classes) <= set(WORDS["compound"]) else "basic"]
    return [words.get(name, [name])[0] for name in classes]


def interval_words(interval: Any, form: str = ".2f") -> str:
    """Say the mean of a `fersep.analysis.Interval`, and its ends where it has any."""
    text = f"{interval.mean:{form}}"
    if np.isfinite(interval.low):
        text += f" ({interval.low:{form}} to {interval.high:{form}})"
    return text.replace("-", "−")


def say_intervals(estimates: Mapping[str, Any], form: str = ".2f") -> str:
    """List estimates by name, each as `interval_words` says it."""
    words = [interval_words(each, form) for each in estimates.values()]
    return say("{} {}", estimates, words)


# Series and classes.


def series(data: Mapping[str, Any], looks: Sequence[Any]) -> list[tuple[str, Any, Any]]:
    """Return the name, the data and the look of each series.

    ``looks`` are as many colors, markers or pairs of them as the figure can tell apart;
    ValueError if there are more series.
    """
    if len(data) > len(looks):
        raise ValueError(
            f"this figure tells at most {len(looks)} series apart, got {len(data)}: "
            f"{listing(list(data))}"
        )
    pairs = zip(data.items(), looks[: len(data)], strict=True)
    return [(name, values, look) for (name, values), look in pairs]


def toy_classes(number: int) -> list[tuple[str, str, str]]:
    """Return name, color and marker of a toy's classes, in the paper's order.

    ValueError if there are more classes than styles.
    """
    if number > len(CLASS_STYLE):
        raise ValueError(
            f"this figure tells at most {len(CLASS_STYLE)} classes apart, got {number}"
        )
    return [(name, *look) for name, look in CLASS_STYLE.items()][:number]


def marker_size(marker: str) -> float:
    """Return the size with which a marker looks as large as the others."""
    return {"*": 9.0, "P": 7.5, "X": 7.5, "p": 7.5, "h": 7.5}.get(marker, 6.0)


# Panels.


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure; lengths in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def one_panel(height: float, width: float = WIDTH) -> tuple[Figure, Axes]:
    """Return a figure of one panel; lengths in inches."""
    figure = new_figure(height, width)
    return figure, figure.subplots()


def row_of_panels(
    height: float, number: int, **options: Any
) -> tuple[Figure, NDArray[Any]]:
    """Return a figure and its panels side by side, `height` inches high."""
    figure = new_figure(height)
    return figure, figure.subplots(1, number, squeeze=False, **options)[0]


def finding(figure: Figure, words: str) -> None:
    """Write what a figure shows as its title, over all its panels."""
    title = textwrap.fill(words, int(11 * figure.get_figwidth()))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")


def plane(axes: Axes, reach: float) -> None:
    """Turn axes into a square piece of the plane around the origin, without ticks."""
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.axis("off")


def angle_curve(axes: Axes, curve: Array, angle: float, value: float) -> None:
    """Draw a quantity against the angles 0, 1, ..., 180°, with one point marked."""
    axes.plot(np.linspace(0, 180, 181), curve, color=INK)
    axes.plot([angle], [value], "o", color=RED, ms=9, zorder=5)
    axes.set(xlim=(-4, 184), xticks=range(0, 181, 45))


def epoch_curves(
    axes: Axes, runs: Mapping[str, ArrayLike], looks: Sequence[tuple[str, str]]
) -> dict[str, Array]:
    """Draw quantities by epoch, seeds thin and their means thick; return the means.

    ``runs`` are (seeds, epochs), ``looks`` pairs of color and marker.
    """
    means = {}
    for name, given, (color, marker) in series(runs, looks):
        rows = as_array(given)
        epochs = np.arange(1, rows.shape[1] + 1)
        if len(rows) > 1:
            axes.plot(epochs, rows.T, color=color, lw=0.8, alpha=0.4)
        means[name] = rows.mean(0)
        look = {"marker": marker, "color": color, "mec": "white"}
        axes.plot(epochs, means[name], label=name, **look)
    axes.set_xlabel("epoch")
    whole_ticks(axes.xaxis)
    return means


# Marks.


def circle(axes: Axes, radius: float = 1.0, color: str = "#BBBBBB") -> None:
    """Draw a thin circle around the origin."""
    turn = np.linspace(0, 2 * np.pi, 181)
    x, y = radius * np.cos(turn), radius * np.sin(turn)
    axes.plot(x, y, color=color, linewidth=1.0, zorder=1)


def arrow(
    axes: Axes,
    tip: ArrayLike,
    tail: ArrayLike = (0.0, 0.0),
    color: str = INK,
    width: float = 2.0,
    head: float | None = None,
) -> None:
    """Draw an arrow; the size of its head follows its width where none is given."""
    look = {
        "arrowstyle": "-|>",
        "color": color,
        "linewidth": width,
        "shrinkA": 0,
        "shrinkB": 0,
        "mutation_scale": head or 7 + 3 * width,
    }
    (x, y), (x0, y0) = as_array(tip), as_array(tail)
    axes.annotate("", xy=(x, y), xytext=(x0, y0), arrowprops=look, zorder=4)


def center_mark(axes: Axes, place: ArrayLike, color: str, size: float = 10) -> None:
    """Draw the triangle of a learned center."""
    axes.plot(*as_array(place), "^", color=color, ms=size, mec="white", zorder=6)


def note(
    axes: Axes,
    text: str,
    place: tuple[float, float],
    offset: tuple[float, float] = (0, 0),
    **options: Any,
) -> None:
    """Write small words beside a place; `offset` in points."""
    look = {"fontsize": 8} | options
    axes.annotate(text, place, xytext=offset, textcoords="offset points", **look)


# Ticks and legends.


def class_ticks(axes: Axes, names: Sequence[str]) -> None:
    """Write names under the places 0, 1, ... and drop the vertical grid."""
    axes.set_xticks(range(len(names)), list(names))
    axes.grid(visible=False, axis="x")


def whole_ticks(axis: Axis) -> None:
    """Give an axis ticks at whole numbers alone."""
    axis.set_major_locator(MaxNLocator(integer=True))


def legend_below(figure: Figure, columns: int, axes: Axes | None = None) -> None:
    """Put a legend under the panels, of all of them or of one."""
    handles = axes.get_legend_handles_labels() if axes else ()
    figure.legend(*handles, loc="outside lower center", ncols=columns)


def legend_of(
    figure: Figure, looks: Mapping[str, Mapping[str, Any]], columns: int, **options: Any
) -> None:
    """Put a legend of marks under the panels: name -> color, marker and more."""
    marks = [Line2D([], [], ls="", label=name, **look) for name, look in looks.items()]
    figure.legend(handles=marks, loc="outside lower center", ncols=columns, **options)


def legend_beside(axes: Axes, **options: Any) -> None:
    """Put a legend to the right of a panel."""
    axes.figure.legend(loc="outside right center", **options)


# Heat maps.


def heat_map(
    axes: Axes,
    cells: Array,
    texts: ArrayLike,
    colors: Colormap,
    size: float = 7.0,
    *,
    aspect: str = "equal",
    limits: tuple[float, float] = (0, 1),
) -> NDArray[Any]:
    """Draw a matrix as colored cells with words in them, and return the words.

    Cells and texts are (rows, columns); a cell that is NaN stays empty. ``limits`` are
    the numbers of the first and the last color.
    """
    rows, columns = cells.shape
    places = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    # Not an image: single cells follow light and dark.
    look = {"edgecolors": "face", "linewidth": 0.3}
    mesh = axes.pcolormesh(*places, cells, cmap=colors, norm=Normalize(*limits), **look)
    axes.set(aspect=aspect, xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    axes.tick_params(length=0)
    axes.grid(visible=False)
    words = np.empty(cells.shape, dtype=object)
    for (i, j), text in np.ndenumerate(np.asarray(texts, dtype=object)):
        ink = ON_DARK_CELL if _is_dark(mesh.to_rgba(cells[i, j])) else ON_LIGHT_CELL
        words[i, j] = axes.text(
            j, i, text, ha="center", va="center", fontsize=size, color=ink
        )
    return words


def _is_dark(color: Sequence[float]) -> bool:
    """Tell whether white words have more contrast than black ones (WCAG 2)."""
    rgb = np.array(color[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return bool(linear @ [0.2126, 0.7152, 0.0722] < 0.179)


def matrix_ticks(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Name the rows and the columns of a heat map."""
    axes.set_xticks(range(len(columns)), list(columns))
    axes.set_yticks(range(len(rows)), list(rows))
