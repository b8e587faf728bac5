"""The pictures of the book: one function per figure.

Every figure function takes plain arrays (or CPU tensors) and returns ``(figure, alt)``:
a `matplotlib.figure.Figure` and a text made from the same data, for readers who do not
see the picture. `show` displays both. The figures belong to no window system, so
nothing has to be closed.
"""

from __future__ import annotations

import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

#: Width of the text column, in inches, and the resolution of a printed figure.
WIDTH = 7.2
DPI = 144

INK = "#222222"
GRAY = "#767676"
PALE = "#D9D9D9"
BLUE = "#0072B2"
SKY = "#56B4E9"
ORANGE = "#E69F00"
RED = "#D55E00"
GREEN = "#009E73"
PINK = "#CC79A7"

#: Color and marker of each expression, the same in every figure. The seven basic ones
#: use Okabe and Ito's colors, the compound ones Tol's muted set; both can be told apart
#: with every common form of color blindness, and the marker tells them again. ``SA`` is
#: sad, ``SA_`` sadly angry. △ and ▽ are free: the learned and the true centers.
CLASS_STYLE: dict[str, tuple[str, str]] = {
    "NE": ("#555555", "o"),
    "HA": (ORANGE, "s"),
    "SA": (BLUE, "D"),
    "SU": (SKY, "P"),
    "FE": (PINK, "*"),
    "AN": (RED, "X"),
    "DI": (GREEN, "p"),
    "HS": ("#DDAA33", "s"),
    "HD": ("#117733", "p"),
    "SF": ("#332288", "D"),
    "SA_": ("#882255", "X"),
    "SS": ("#88CCEE", "P"),
    "SD": ("#44AA99", "d"),
    "FA": ("#CC6677", "*"),
    "FS": ("#AA4499", "h"),
    "AS": ("#661100", "8"),
    "AD": ("#999933", "H"),
    "DS": ("#6699CC", "o"),
}

#: Similarity from 0 (red, opposite) over 1/2 (white, perpendicular) to 1 (blue, same).
SIMILARITY_COLORS = LinearSegmentedColormap.from_list(
    "similarity", ["#B2182B", "#F4A582", "#FFFFFF", "#92C5DE", "#2166AC"]
)

Array = NDArray[np.float64]

_SHEET: dict[Any, Any] = {
    "figure.facecolor": "white",
    "figure.constrained_layout.h_pad": 0.07,
    "figure.dpi": 100,
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "mathtext.fontset": "dejavusans",
    "text.color": INK,
    "axes.facecolor": "white",
    "axes.edgecolor": "#999999",
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#ECECEC",
    "grid.linewidth": 0.8,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
}


def style() -> None:
    """Set the book's style sheet for all figures that follow."""
    matplotlib.rcParams.update(_SHEET)


def png(figure: Figure, dpi: int = DPI) -> bytes:
    """The figure as PNG on white ground."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


def show(figure: Figure, alt: str) -> None:
    """Display a figure as PNG together with its alternative text.

    Raises
    ------
    ValueError
        If the alternative text is empty.
    """
    from IPython.display import Image, display

    if not alt.strip():
        raise ValueError("a figure needs an alternative text, got an empty one")
    display(Image(data=png(figure), alt=alt))


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]], caption: str) -> Any:
    """A table for the page: a caption, column headers, and a header in each row.

    Parameters
    ----------
    headers : sequence of str
    rows : sequence of sequence
        The first entry of a row names it; all are shown by ``str``.
    caption : str

    Returns
    -------
    IPython.display.HTML

    Raises
    ------
    ValueError
        If a row has another length than the headers.
    """
    from IPython.display import HTML

    lines = [
        '<div class="fersep-table"><table class="table">',
        f"<caption>{html.escape(caption)}</caption>",
        "<thead><tr>",
        *(f'<th scope="col">{html.escape(head)}</th>' for head in headers),
        "</tr></thead><tbody>",
    ]
    for row in rows:
        if len(row) != len(headers):
            raise ValueError(
                f"a row of {len(row)} entries does not fit {len(headers)} headers: "
                f"{row[0]}"
            )
        name, *cells = (html.escape(str(cell)) for cell in row)
        lines.append(f'<tr><th scope="row">{name}</th>')
        lines += [f"<td>{cell}</td>" for cell in cells]
        lines.append("</tr>")
    lines.append("</tbody></table></div>")
    return HTML("".join(lines))


# Small parts that several figures share.


def _figure(height: float, width: float = WIDTH) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _array(values: ArrayLike) -> Array:
    return np.asarray(values, dtype=np.float64)


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _cosines(a: Array, b: Array) -> Array:
    return np.asarray((_unit(a) * _unit(b)).sum(-1))


def _names(number: int) -> list[str]:
    """The class names of a toy: the first ones of the paper's order."""
    return list(CLASS_STYLE)[:number]


def _plane(axes: Axes, reach: float) -> None:
    """A square piece of the plane around the origin, without axes."""
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.axis("off")


def _circle(axes: Axes, radius: float = 1.0, **options: Any) -> None:
    turn = np.linspace(0, 2 * np.pi, 181)
    look: dict[str, Any] = {"color": "#BBBBBB", "linewidth": 1.0, "zorder": 1}
    look |= options
    axes.plot(radius * np.cos(turn), radius * np.sin(turn), **look)


def _arrow(
    axes: Axes,
    tip: ArrayLike,
    tail: ArrayLike = (0.0, 0.0),
    color: str = INK,
    width: float = 2.0,
    **options: Any,
) -> None:
    look = {
        "arrowstyle": "-|>",
        "color": color,
        "linewidth": width,
        "shrinkA": 0,
        "shrinkB": 0,
        "mutation_scale": 7 + 3 * width,
    } | options
    (x, y), (x0, y0) = _array(tip), _array(tail)
    axes.annotate("", xy=(x, y), xytext=(x0, y0), arrowprops=look, zorder=4)


def _size(marker: str) -> float:
    """Marker sizes that look alike."""
    return {"*": 9.0, "P": 7.5, "X": 7.5, "p": 7.5, "h": 7.5}.get(marker, 6.0)


def _listed(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


# Chapter 4: the separate loss.


def two_vectors(angle: float) -> tuple[Figure, str]:
    """Two vectors at an angle (in degrees) and the curve of Eq. 1 above all angles."""
    radians = np.deg2rad(angle)
    value = (np.cos(radians) + 1) / 2
    figure = _figure(2.9)
    plane, curve = figure.subplots(1, 2, width_ratios=[1, 1.45])

    first = 1.0
    second = 0.78 * np.array([np.cos(radians), np.sin(radians)])
    _plane(plane, 1.2)
    _circle(plane)
    turn = np.linspace(0, radians, 60)
    plane.fill(
        np.r_[0, 0.34 * np.cos(turn)],
        np.r_[0, 0.34 * np.sin(turn)],
        color=SIMILARITY_COLORS(value),
        alpha=0.85,
        zorder=2,
    )
    plane.plot(0.34 * np.cos(turn), 0.34 * np.sin(turn), color=GRAY, lw=1, zorder=3)
    _arrow(plane, (first, 0), color=BLUE, width=2.4)
    _arrow(plane, second, color=RED, width=2.4)
    plane.text(1.05, -0.12, "$a_1$", color=BLUE, fontsize=12)
    plane.text(*(second * 1.22 - 0.03), "$a_2$", color=RED, fontsize=12)
    plane.set_title(f"{angle:g}° between them")

    angles = np.linspace(0, 180, 181)
    cosines = np.cos(np.deg2rad(angles))
    curve.plot(angles, cosines, color=GRAY, lw=1.4, ls=(0, (4, 2)))
    curve.plot(angles, (cosines + 1) / 2, color=INK)
    curve.text(118, -0.74, "cosine", color=GRAY, ha="right")
    curve.text(52, 0.9, "Sim, Eq. 1", color=INK)
    curve.vlines(angle, -1, value, color=PALE, lw=1.2)
    curve.plot([angle], [value], "o", color=RED, ms=9, zorder=5)
    curve.set(
        xlim=(-4, 184),
        ylim=(-1.05, 1.12),
        xticks=range(0, 181, 45),
        xlabel="angle in degrees",
    )
    curve.set_title(f"Sim = {value:.3f}")
    alt = (
        f"Left: two arrows from one point, {angle:g} degrees apart. Right: Eq. 1 falls "
        f"from 1 at 0 degrees over one half at 90 degrees to 0 at 180 degrees; the "
        f"marked point is at {value:.3f}, where the cosine is {np.cos(radians):.3f}."
    )
    return figure, alt


def feature_fans(
    batches: Mapping[str, tuple[ArrayLike, ArrayLike]],
) -> tuple[Figure, str]:
    """Plane features of one class around their center, one panel for each batch.

    Parameters
    ----------
    batches : mapping of name -> (features (m, 2), center (2,))
    """
    figure = _figure(3.0)
    panels = figure.subplots(1, len(batches), squeeze=False)[0]
    color, marker = CLASS_STYLE["HA"]
    parts = []
    for axes, (name, (points, center)) in zip(panels, batches.items(), strict=True):
        points, center = _array(points), _array(center)
        directions = _unit(points)
        loss = (1 - _cosines(points, center).mean()) / 2
        reach = 1.1 * max(np.abs(points).max(), 1.0)
        _plane(axes, reach)
        _circle(axes)
        for direction, point in zip(directions, points, strict=True):
            axes.plot(
                [0, point[0]], [0, point[1]], color=color, lw=0.9, alpha=0.45, zorder=2
            )
            axes.plot(*direction, ".", color=color, ms=4, zorder=3, mec="none")
        axes.plot(*points.T, marker, color=color, ms=5.5, mec="white", mew=0.6, ls="")
        _arrow(axes, _unit(center), color=INK, width=2)
        axes.plot(*(1.0 * _unit(center)), "^", color=INK, ms=9, mec="white", zorder=6)
        axes.set_title(f"{name}\n$L_{{intra}}$ = {loss:.3f}", fontweight="normal")
        parts.append(f"{name}: L_intra {loss:.3f}")
    alt = (
        "Features of one class as points in the plane, with their center as an arrow "
        f"with a triangle on the unit circle; {_listed(parts)}."
    )
    return figure, alt


def zero_sum_sets(sets: Mapping[str, ArrayLike]) -> tuple[Figure, str]:
    """Sets of plane centers: their directions above, their similarities below.

    Parameters
    ----------
    sets : mapping of name -> centers (s, 2)
    """
    figure = _figure(4.5)
    panels = figure.subplots(
        2, len(sets), squeeze=False, height_ratios=[1, 1], sharex="row"
    )
    parts = []
    for column, (name, given) in enumerate(sets.items()):
        centers = _unit(_array(given))
        s = len(centers)
        matrix = (centers @ centers.T + 1) / 2
        others = matrix[~np.eye(s, dtype=bool)]
        above, below = panels[:, column]
        _plane(above, 1.35)
        _circle(above)
        seen: list[Array] = []
        for center, class_name in zip(centers, _names(s), strict=True):
            color, marker = CLASS_STYLE[class_name]
            repeats = sum(np.allclose(center, other, atol=0.05) for other in seen)
            seen.append(center)
            _arrow(above, center, color=color, width=1.6)
            above.plot(
                *(center * (1.13 + 0.17 * repeats)),
                marker,
                color=color,
                ms=1.3 * _size(marker),
                mec="white",
                mew=0.4,
                clip_on=False,
            )
        resultant = centers.sum(0)
        if np.linalg.norm(resultant) > 0.05:
            _arrow(above, resultant / s, color=INK, width=2.6)
        above.set_title(name)
        below.imshow(matrix, cmap=SIMILARITY_COLORS, vmin=0, vmax=1)
        for row in range(s):
            for other in range(s):
                if row != other:
                    below.text(
                        other,
                        row,
                        f"{matrix[row, other]:.2f}".lstrip("0"),
                        ha="center",
                        va="center",
                        fontsize=6,
                        color="white" if abs(matrix[row, other] - 0.5) > 0.4 else INK,
                    )
        below.set(xticks=range(s), yticks=range(s))
        below.set_xticklabels(_names(s), fontsize=7)
        below.set_yticklabels(_names(s), fontsize=7)
        below.tick_params(length=0)
        below.grid(False)
        below.spines[:].set_visible(False)
        below.set_title(
            f"$L_{{inter}}$ = {others.mean():.4f}\nclosest pair {others.max():.2f}",
            fontweight="normal",
        )
        parts.append(
            f"{name}: mean similarity {others.mean():.4f}, closest pair "
            f"{others.max():.2f}, length of the sum {np.linalg.norm(resultant):.2f}"
        )
    scale = ScalarMappable(Normalize(0, 1), SIMILARITY_COLORS)
    figure.colorbar(scale, ax=panels[1, :], label="Sim", shrink=0.8, aspect=14)
    alt = (
        "Arrows on the unit circle above, one for each center, and the matrix of their "
        f"similarities below. {'; '.join(parts)}."
    )
    return figure, alt


def inter_cost(
    sizes: Sequence[int], seconds: Mapping[str, Sequence[float]]
) -> tuple[Figure, str]:
    """Time of Eq. 3 against the number of classes, one line for each way.

    Parameters
    ----------
    sizes : sequence of int
    seconds : mapping of name -> seconds, one for each size it was run at (a prefix)
    """
    figure = _figure(3.0)
    axes = figure.subplots()
    looks = [(RED, "o"), (ORANGE, "s"), (BLUE, "D")]
    parts = []
    for (name, times), (color, marker) in zip(seconds.items(), looks, strict=False):
        run = list(sizes[: len(times)])
        axes.plot(run, times, color=color, marker=marker, label=name)
        axes.annotate(
            name,
            (run[-1], times[-1]),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=color,
        )
        parts.append(f"{name}: {times[-1]:.2g} seconds at {run[-1]} classes")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="number of classes s",
        ylabel="seconds",
        xlim=(min(sizes) * 0.8, max(sizes) * 9),
    )
    alt = f"Time of Eq. 3 against the number of classes: {'; '.join(parts)}."
    return figure, alt


def loss_ranges(
    states: Mapping[str, tuple[float, float]], floor: float
) -> tuple[Figure, str]:
    """Where states lie in the plane of L_intra and L_inter.

    Parameters
    ----------
    states : mapping of name -> (L_intra, L_inter)
    floor : float
        The lowest L_inter that the number of classes allows.
    """
    figure = _figure(3.6)
    axes = figure.subplots()
    axes.axhspan(-0.05, floor, color="#F3E3D7", zorder=0)
    axes.axhline(floor, color=RED, lw=1.4)
    axes.text(
        0.99,
        floor / 2,
        f"no set of centers gets under the floor, {floor:.4f}",
        color=RED,
        ha="right",
        va="center",
    )
    levels = np.arange(0.25, 2.0, 0.25)
    for level in levels:
        axes.plot([0, level], [level, 0], color=PALE, lw=1, zorder=0.5)
    looks = zip("osDPXhp8", [BLUE, ORANGE, GREEN, PINK, SKY, RED, INK, GRAY])  # noqa: B905
    parts = []
    for (name, (intra, inter)), (marker, color) in zip(
        states.items(), looks, strict=False
    ):
        axes.plot(
            intra, inter, marker, color=color, ms=9, mec="white", mew=0.8, label=name
        )
        parts.append(f"{name} ({intra:.3f}, {inter:.3f})")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handletextpad=0.3)
    axes.set(
        xlim=(-0.03, 1.03),
        ylim=(-0.03, 1.03),
        xlabel="$L_{intra}$",
        ylabel="$L_{inter}$",
        aspect="equal",
    )
    alt = (
        "States as points in the plane of L_intra (across) and L_inter (up): "
        f"{_listed(parts)}. The floor of L_inter is a line at {floor:.4f}; gray lines "
        "join points of equal L_sep."
    )
    return figure, alt


# Chapter 5: the gradient.


def feature_push(angle: float) -> tuple[Figure, str]:
    """A feature at an angle (in degrees) to its center, and the push of Eq. 5 on it.

    The push is drawn for a batch of one feature of length 1.
    """
    radians = np.deg2rad(angle)
    center = np.array([1.0, 0.0])
    feature = np.array([np.cos(radians), np.sin(radians)])
    push = (center - np.cos(radians) * feature) / 2
    size = np.sin(radians) / 2
    figure = _figure(2.9)
    plane, curve = figure.subplots(1, 2, width_ratios=[1, 1.45])

    _plane(plane, 1.3)
    _circle(plane)
    _arrow(plane, center, color=INK, width=2)
    plane.plot(*center, "^", color=INK, ms=10, mec="white", zorder=6)
    plane.text(1.07, -0.2, "$c$", fontsize=12)
    _arrow(plane, feature, color=BLUE, width=2.4)
    plane.text(*(feature * 1.2 - 0.05), "$x$", color=BLUE, fontsize=12)
    if size > 1e-9:
        tangent = push / np.linalg.norm(push)
        ends = np.array([feature - 0.55 * tangent, feature + 0.75 * tangent])
        plane.plot(*ends.T, color=PALE, lw=1.2, ls=(0, (3, 2)), zorder=2)
        _arrow(plane, feature + push, tail=feature, color=RED, width=2.4)
    plane.set_title(f"{angle:g}° from the center")

    angles = np.linspace(0, 180, 181)
    curve.plot(angles, np.sin(np.deg2rad(angles)) / 2, color=INK)
    curve.vlines(angle, 0, size, color=PALE, lw=1.2)
    curve.plot([angle], [size], "o", color=RED, ms=9, zorder=5)
    curve.set(
        xlim=(-4, 184),
        ylim=(-0.02, 0.56),
        xticks=range(0, 181, 45),
        xlabel="angle between feature and center, in degrees",
    )
    curve.set_title(f"length of the push = {size:.3f}")
    alt = (
        f"Left: a feature on the unit circle {angle:g} degrees from its center; the "
        f"push is tangent to the circle and points toward the center. Right: its "
        f"length rises from 0 at 0 degrees to one half at 90 degrees and falls back "
        f"to 0 at 180 degrees; the marked point is at {size:.3f}."
    )
    return figure, alt


def push_field(center: ArrayLike) -> tuple[Figure, str]:
    """The push of Eq. 5, minus the gradient, at every place of the plane.

    Parameters
    ----------
    center : array, (2,)
    """
    direction = _unit(_array(center))
    axis = np.linspace(-2.2, 2.2, 221)
    x, y = np.meshgrid(axis, axis)
    points = np.stack([x, y], -1)
    lengths = np.linalg.norm(points, axis=-1)
    lengths = np.where(lengths < 0.02, np.nan, lengths)
    cosines = points @ direction / lengths
    push = (direction - (cosines / lengths)[..., None] * points) / 2
    push = push / lengths[..., None]
    size = np.linalg.norm(push, axis=-1)

    figure = _figure(4.3, 5.6)
    axes = figure.subplots()
    axes.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect="equal")
    axes.axis("off")
    shade = LinearSegmentedColormap.from_list(
        "push", ["#FFFFFF", "#FBE3D2", "#F2A56B", RED]
    )
    image = axes.pcolormesh(
        x, y, np.minimum(size, 1.2), cmap=shade, vmin=0, vmax=1.2, rasterized=True
    )
    for radius in (0.5, 1.0, 1.5, 2.0):
        _circle(axes, radius, color="#CFCFCF", zorder=2)
    for radius in (0.5, 1.0, 1.5, 2.0):
        for turn in np.deg2rad(np.arange(15, 360, 30)):
            place = radius * np.array([np.cos(turn), np.sin(turn)])
            cosine = place @ direction / radius
            arrow = (direction - cosine * place / radius) / (2 * radius)
            # Half the true length, so that the innermost arrows do not cross.
            if np.linalg.norm(arrow) > 0.03:
                _arrow(
                    axes, place + 0.5 * arrow, tail=place, width=1.2, mutation_scale=9
                )
    _arrow(axes, 2.1 * direction, color=BLUE, width=2.4)
    axes.plot(*(2.1 * direction), "^", color=BLUE, ms=11, mec="white", zorder=6)
    x_name, y_name = 1.9 * direction + np.array([0.14, -0.2])
    axes.text(x_name, y_name, "$c$", color=BLUE, fontsize=13)
    axes.plot(0, 0, "o", color="white", mec=INK, ms=5, zorder=6)
    bar = figure.colorbar(image, ax=axes, shrink=0.75, aspect=18, extend="max")
    bar.set_label("length of the push")
    degrees = np.rad2deg(np.arctan2(direction[1], direction[0]))
    side = np.array([-direction[1], direction[0]])
    alt = (
        "Arrows show the push on a feature at each place of the plane. All run along "
        f"circles around the origin toward the center's direction, {degrees:.0f} "
        "degrees above the horizontal. At a right angle the push has length "
        f"{0.5 / np.linalg.norm(0.5 * side):.2f} at distance 0.5 and "
        f"{0.5 / np.linalg.norm(2 * side):.2f} at distance 2; it is zero in front of "
        "the center and exactly opposite to it."
    )
    return figure, alt


def difference_errors(
    steps: ArrayLike,
    errors: Mapping[str, ArrayLike],
    best: Mapping[str, tuple[float, float]],
) -> tuple[Figure, str]:
    """Error of central differences against the step, one curve for each precision.

    Parameters
    ----------
    steps : array, (k,)
    errors : mapping of precision -> relative errors (k,)
    best : mapping of precision -> (step, error) said in advance
    """
    steps = _array(steps)
    figure = _figure(3.5)
    axes = figure.subplots()
    parts = []
    for (name, given), color, marker in zip(
        errors.items(), [BLUE, RED], ["o", "s"], strict=False
    ):
        values = _array(given)
        keep = values > 0
        axes.plot(
            steps[keep], values[keep], marker=marker, ms=4, color=color, label=name
        )
        h, error = best[name]
        axes.plot(
            h,
            error,
            marker="D",
            ms=10,
            mfc="none",
            mec=color,
            mew=1.8,
            ls="",
            label=f"{name}, said in advance",
        )
        lowest = int(np.argmin(np.where(keep, values, np.inf)))
        parts.append(
            f"{name}: lowest error {values[lowest]:.0e} at step {steps[lowest]:.0e}"
        )
    top = steps >= 1e-3
    reference = np.nanmax([_array(v)[-1] for v in errors.values()])
    axes.plot(
        steps[top],
        0.18 * reference * (steps[top] / steps[-1]) ** 2,
        color=GRAY,
        lw=1.1,
        ls=(0, (4, 2)),
    )
    axes.text(
        steps[top][len(steps[top]) // 2] * 1.5,
        0.03 * reference * (steps[top][len(steps[top]) // 2] / steps[-1]) ** 2,
        "falls as $h^2$",
        color=GRAY,
    )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="step $h$",
        ylabel="relative error",
        ylim=(0.005 * min(e for _, e in best.values()), 30),
    )
    axes.legend(loc="lower left")
    alt = (
        "The relative error of central finite differences against the step, on "
        f"logarithmic axes: V-shaped curves. {'; '.join(parts)}. Right of the lowest "
        "point the error grows with the square of the step, left of it round-off takes "
        "over."
    )
    return figure, alt


# Chapter 6: the centers.


def centers_relaxing(
    path: Sequence[ArrayLike], losses: Sequence[float], floor: float, at: int
) -> tuple[Figure, str]:
    """Plane centers after some steps of Eq. 7 and 8, with L_inter over all steps.

    Parameters
    ----------
    path : sequence of centers (s, 2), one for each step
    losses : sequence of float, L_inter at each step
    floor : float
    at : int
        The step to draw.
    """
    centers = _unit(_array(path[at]))
    s = len(centers)
    resultant = centers.sum(0)
    figure = _figure(3.0)
    plane, curve = figure.subplots(1, 2, width_ratios=[1, 1.35])
    _plane(plane, 1.3)
    _circle(plane)
    for j, name in enumerate(_names(s)):
        color, _ = CLASS_STYLE[name]
        trace = np.array([_unit(_array(step))[j] for step in path[: at + 1]])
        plane.plot(*trace.T, color=color, lw=3.5, alpha=0.3, zorder=2)
        _arrow(plane, centers[j], color=color, width=1.6)
        plane.plot(*centers[j], "^", color=color, ms=10, mec="white", zorder=6)
        plane.text(*(1.2 * centers[j]), name, color=color, ha="center", va="center")
    if np.linalg.norm(resultant) > 0.02:
        _arrow(plane, resultant / s, color=INK, width=3)
    plane.plot(0, 0, "o", color=INK, ms=4, zorder=7)
    plane.set_title(f"step {at}: sum of length {np.linalg.norm(resultant):.2f}")
    steps = np.arange(len(losses))
    curve.plot(steps, losses, color=PALE, lw=2)
    curve.plot(steps[: at + 1], losses[: at + 1], color=INK)
    curve.plot(at, losses[at], "o", color=RED, ms=8, zorder=5)
    curve.axhline(floor, color=RED, lw=1.2, ls=(0, (4, 2)))
    curve.text(steps[-1], floor, "floor ", color=RED, ha="right", va="bottom")
    curve.set(xlabel="step", xscale="symlog", xlim=(-0.1, steps[-1] * 1.15))
    curve.set_title(f"$L_{{inter}}$ = {losses[at]:.4f}")
    alt = (
        f"Left: {s} centers on the unit circle after {at} steps; their sum has length "
        f"{np.linalg.norm(resultant):.2f}. Right: L_inter falls from {losses[0]:.3f} "
        f"toward its floor {floor:.3f}; at this step it is {losses[at]:.4f}."
    )
    return figure, alt


def rule_weights(
    counts: ArrayLike,
    weights: Mapping[str, ArrayLike],
    batch_sizes: ArrayLike,
    ratios: Mapping[str, ArrayLike],
) -> tuple[Figure, str]:
    """Pull on a center against its count, and push over pull against the batch size.

    Parameters
    ----------
    counts : array, (k,)
        Samples of the class in the batch.
    weights : mapping of rule -> largest pull (k,)
    batch_sizes : array, (l,)
    ratios : mapping of rule -> largest push over largest pull (l,)
    """
    counts, batch_sizes = _array(counts), _array(batch_sizes)
    figure = _figure(3.1)
    left, right = figure.subplots(1, 2)
    looks = {"exact": (BLUE, "o"), "published": (RED, "s"), "mean": (GREEN, "D")}
    parts = []
    for rule, given in weights.items():
        color, marker = looks[rule]
        left.plot(counts, _array(given), color=color, marker=marker, ms=4, label=rule)
        right.plot(batch_sizes, _array(ratios[rule]), color=color, marker=marker, ms=4)
        parts.append(
            f"{rule}: pull {_array(given)[0]:.2g} with {counts[0]:g} sample and "
            f"{_array(given)[-1]:.2g} with {counts[-1]:g}; push over pull "
            f"{_array(ratios[rule])[-1]:.2g} at batch size {batch_sizes[-1]:g}"
        )
    left.set(
        xscale="log", yscale="log", xlabel="samples of the class in the batch, $n_j$"
    )
    left.set_title("largest pull on a center")
    left.legend()
    right.set(xscale="log", yscale="log", xlabel="batch size $m$ (balanced classes)")
    right.set_title("largest push / largest pull")
    alt = (
        "Left: the largest pull of the features on a center against the samples of its "
        "class in the batch. Right: the largest push of the other centers divided by "
        f"that pull, against the batch size. {'; '.join(parts)}."
    )
    return figure, alt


def rest_positions(
    classes: Sequence[str], rest: Mapping[str, ArrayLike], printed: ArrayLike
) -> tuple[Figure, str]:
    """Cosine of learned and true center at rest, by rule, beside the printed one.

    Parameters
    ----------
    classes : sequence of str
    rest : mapping of rule -> cosines, one for each class
    printed : array, the paper's cosines after the last epoch
    """
    figure = _figure(3.0)
    axes = figure.subplots()
    places = np.arange(len(classes))
    paper = _array(printed)
    axes.plot(
        places, paper, "o", ms=11, mfc="none", mec=INK, mew=1.6, label="the paper"
    )
    looks = {"exact": (BLUE, "o"), "published": (RED, "s"), "mean": (GREEN, "D")}
    parts = []
    for rule, given in rest.items():
        color, marker = looks[rule]
        values = _array(given)
        axes.plot(
            places, values, marker=marker, color=color, ms=5.5, lw=1.2, label=rule
        )
        lowest = int(values.argmin())
        parts.append(
            f"{rule}: from {values.max():.2f} down to {values[lowest]:.2f} "
            f"({classes[lowest]})"
        )
    axes.set(xticks=places, ylim=(min(0.5, paper.min() - 0.05), 1.03))
    axes.set_xticklabels(classes)
    axes.set_title("cosine of learned and true center")
    axes.grid(axis="x", visible=False)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    lowest = int(paper.argmin())
    alt = (
        "Cosine of learned and true center for the classes "
        f"{_listed(classes)}. The paper: from {paper.max():.2f} down to "
        f"{paper[lowest]:.2f} ({classes[lowest]}). At rest, {'; '.join(parts)}."
    )
    return figure, alt


def center_turning(
    cosines: Mapping[str, ArrayLike], lengths: Mapping[str, ArrayLike]
) -> tuple[Figure, str]:
    """How fast centers turn toward their features, and how their lengths grow.

    Parameters
    ----------
    cosines : mapping of name -> mean cosine of center and class at each step
    lengths : mapping of name -> mean length of the centers over the first length
    """
    figure = _figure(3.1)
    left, right = figure.subplots(1, 2)
    parts = []
    looks = zip([BLUE, RED, GREEN, ORANGE], ["-", "--", "-.", ":"], strict=True)
    for (name, given), (color, line) in zip(cosines.items(), looks, strict=False):
        values, growth = _array(given), _array(lengths[name])
        left.plot(values, color=color, ls=line, label=name)
        right.plot(growth, color=color, ls=line)
        parts.append(
            f"{name}: cosine from {values[0]:.2f} to {values[-1]:.2f}, length times "
            f"{growth[-1]:.3f}"
        )
    left.set(xlabel="step", ylim=(min(-0.1, left.get_ylim()[0]), 1.05))
    left.set_title("cosine of center and its class")
    left.legend(loc="best")
    right.set(xlabel="step")
    right.set_title("length of the centers / first length")
    alt = (
        "Left: the mean cosine of the centers and the mean directions of their classes "
        "against the steps. Right: the length of the centers divided by their first "
        f"length. {'; '.join(parts)}."
    )
    return figure, alt


def frozen_share(
    lengths: Sequence[float], shares: Mapping[str, Sequence[float]]
) -> tuple[Figure, str]:
    """Share of the coordinates that one update changes, by precision and length.

    Parameters
    ----------
    lengths : sequence of float
        Lengths of the centers.
    shares : mapping of precision -> share that changed, one for each length
    """
    figure = _figure(2.7)
    axes = figure.subplots()
    places = np.arange(len(lengths), dtype=float)
    width = 0.8 / len(shares)
    colors = [BLUE, ORANGE, RED]
    hatches = ["", "//", "xx"]
    parts = []
    for i, (name, given) in enumerate(shares.items()):
        at = places + (i - (len(shares) - 1) / 2) * width
        axes.bar(
            at,
            given,
            width * 0.92,
            color=colors[i],
            hatch=hatches[i],
            edgecolor="white",
            lw=0,
            label=name,
        )
        for x, share in zip(at, given, strict=True):
            axes.text(x, share + 0.02, f"{share:.0%}", ha="center", fontsize=8)
        listed = [f"{share:.0%}" for share in given]
        parts.append(f"{name} {_listed(listed)}")
    axes.set(
        xticks=places,
        ylim=(0, 1.15),
        yticks=[0, 0.5, 1],
        yticklabels=["0 %", "50 %", "100 %"],
        xlabel="length of the centers",
    )
    axes.set_xticklabels([f"{length:.3g}" for length in lengths])
    axes.grid(axis="x", visible=False)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    listed = [f"{length:.3g}" for length in lengths]
    alt = (
        "Bars: the share of the coordinates of the centers that one update changes, "
        f"for centers of length {_listed(listed)}: {'; '.join(parts)}."
    )
    return figure, alt


# Chapter 7: Algorithm 1 on a toy.


def toy_planes(
    panels: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
) -> tuple[Figure, str]:
    """Plane features with the directions of learned (△) and true (▽) centers.

    Parameters
    ----------
    panels : mapping of title -> (features (n, 2), labels (n,), centers (s, 2))
    """
    figure = _figure(2.75 if len(panels) > 2 else 3.6)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    every = [_array(points) for points, _, _ in panels.values()]
    reach = 1.25 * max(np.linalg.norm(points, axis=1).max() for points in every)
    parts = []
    for axes, (title, (given, classes, given_centers)) in zip(
        grid, panels.items(), strict=True
    ):
        points, labels = _array(given), np.asarray(classes)
        centers = _unit(_array(given_centers))
        _toy_panel(axes, points, labels, centers, reach)
        axes.set_title(title)
        parts.append(f"{title}: {_toy_words(points, labels, centers)}")
    _toy_legend(figure, len(centers))
    alt = (
        "Features as points in the plane, colored by class, inside a ring that carries "
        "the directions of the learned centers (triangles up) and of the true centers "
        f"(triangles down). {'; '.join(parts)}."
    )
    return figure, alt


def _toy_panel(
    axes: Axes, points: Array, labels: NDArray[Any], centers: Array, reach: float
) -> None:
    _plane(axes, 1.12 * reach)
    _circle(axes, reach)
    axes.plot(0, 0, "+", color=GRAY, ms=7)
    for j, name in enumerate(_names(len(centers))):
        color, marker = CLASS_STYLE[name]
        own = points[labels == j]
        look: dict[str, Any] = {"color": color, "mec": "white", "ls": ""}
        axes.plot(*own.T, marker, ms=_size(marker), mew=0.4, alpha=0.85, **look)
        if len(own):
            true = _unit(own.mean(0))
            axes.plot(*(0.93 * reach * true), "v", ms=8.5, mew=0.8, zorder=5, **look)
        axes.plot(*(1.06 * reach * centers[j]), "^", ms=8.5, mew=0.8, zorder=5, **look)


def _toy_words(points: Array, labels: NDArray[Any], centers: Array) -> str:
    own = _cosines(points, centers[labels]).mean()
    s = len(centers)
    pairs = (np.sum(centers.sum(0) ** 2) - s) / (s * (s - 1))
    return (
        f"mean cosine of features and their centers {own:.2f}, of different centers "
        f"{pairs:.2f}"
    )


def _toy_legend(figure: Figure, s: int) -> None:
    handles: list[Any] = []
    for name in _names(s):
        color, marker = CLASS_STYLE[name]
        handles.append(
            Line2D(
                [], [], color=color, marker=marker, ms=_size(marker), ls="", label=name
            )
        )
    for marker, name in [("^", "learned center"), ("v", "true center")]:
        handles.append(
            Line2D([], [], color=GRAY, marker=marker, ms=7, ls="", label=name)
        )
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        handletextpad=0.1,
        columnspacing=1.1,
    )


def toy_history(
    runs: Mapping[str, Mapping[str, ArrayLike]],
) -> tuple[Figure, str]:
    """What the paper measures, over the steps of some toy runs.

    Parameters
    ----------
    runs : mapping of name -> {title of a panel: values (steps,)}
    """
    titles = list(next(iter(runs.values())))
    figure = _figure(2.7)
    grid = figure.subplots(1, len(titles), squeeze=False)[0]
    looks = zip([GRAY, BLUE, RED, GREEN], ["--", "-", "-.", ":"], strict=True)
    parts = []
    for (name, measures), (color, line) in zip(runs.items(), looks, strict=False):
        ends = []
        for axes, title in zip(grid, titles, strict=True):
            values = _array(measures[title])
            axes.plot(values, color=color, ls=line, label=name)
            ends.append(f"{title} {values[-1]:.2f}")
        parts.append(f"{name}: {_listed(ends)}")
    for axes, title in zip(grid, titles, strict=True):
        axes.set_title(title)
        axes.set(xlabel="step")
    figure.legend(
        *grid[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(runs),
    )
    alt = f"Measures over the steps; at the last step {'; '.join(parts)}."
    return figure, alt


def toy_spheres(
    panels: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
) -> tuple[Figure, str]:
    """Directions of features in space on the unit sphere, with their centers.

    Parameters
    ----------
    panels : mapping of title -> (features (n, 3), labels (n,), centers (s, 3))
    """
    figure = _figure(3.9)
    turn, height = np.meshgrid(np.linspace(0, 2 * np.pi, 37), np.linspace(-1, 1, 13))
    ring = np.sqrt(1 - height**2)
    parts = []
    s = 0
    for i, (title, (given, classes, given_centers)) in enumerate(panels.items(), 1):
        points, labels = _unit(_array(given)), np.asarray(classes)
        centers = _unit(_array(given_centers))
        s = len(centers)
        axes: Any = figure.add_subplot(1, len(panels), i, projection="3d")
        axes.plot_wireframe(
            ring * np.cos(turn),
            ring * np.sin(turn),
            height,
            color=PALE,
            lw=0.5,
            alpha=0.7,
        )
        view = np.deg2rad(22), np.deg2rad(35)
        toward = np.array(
            [
                np.cos(view[0]) * np.cos(view[1]),
                np.cos(view[0]) * np.sin(view[1]),
                np.sin(view[0]),
            ]
        )
        for j, name in enumerate(_names(s)):
            color, marker = CLASS_STYLE[name]
            own = points[labels == j]
            for front in (False, True):
                side = own[(own @ toward > 0) == front]
                axes.plot(
                    *(1.01 * side.T),
                    marker,
                    color=color,
                    ms=5,
                    mec="white",
                    mew=0.4,
                    ls="",
                    alpha=0.95 if front else 0.3,
                )
            axes.plot(*np.c_[np.zeros(3), centers[j]], color=color, lw=1.4)
            axes.plot(
                *(1.12 * centers[j])[:, None], "^", color=color, ms=9, mec=INK, mew=0.6
            )
        axes.view_init(22, 35)
        axes.set_box_aspect((1, 1, 1), zoom=1.45)
        axes.set_axis_off()
        axes.set_title(title, loc="center")
        parts.append(f"{title}: {_toy_words(points, labels, centers)}")
    _toy_legend(figure, s)
    alt = (
        "Directions of features as points on a sphere, colored by class; arrows with a "
        f"triangle are the learned centers. {'; '.join(parts)}."
    )
    return figure, alt


def toy_preset(
    features: ArrayLike,
    labels: ArrayLike,
    centers: ArrayLike,
    history: Mapping[str, ArrayLike],
    title: str,
) -> tuple[Figure, str]:
    """The end of one toy run, and the curves that led there.

    Parameters
    ----------
    features : array, (n, 2)
    labels : array, (n,)
    centers : array, (s, 2)
    history : mapping of name -> values (steps,)
    title : str
    """
    points, classes = _array(features), np.asarray(labels)
    unit_centers = _unit(_array(centers))
    figure = _figure(3.4)
    plane, curve = figure.subplots(1, 2, width_ratios=[1, 1.15])
    reach = 1.2 * np.linalg.norm(points, axis=1).max()
    _toy_panel(plane, points, classes, unit_centers, float(reach))
    plane.set_title(title)
    looks = zip([BLUE, RED, GREEN], ["-", "-.", ":"], strict=True)
    ends = []
    for (name, given), (color, line) in zip(history.items(), looks, strict=False):
        values = _array(given)
        curve.plot(values, color=color, ls=line, label=f"{name}: {values[-1]:.2f}")
        ends.append(f"{name} {values[-1]:.2f}")
    curve.set(xlabel="step", ylim=(-1.05, 1.08))
    curve.legend(loc="lower right", frameon=True, framealpha=0.85, edgecolor="none")
    _toy_legend(figure, len(unit_centers))
    alt = (
        f"{title}. Left: the features after the last step, with the learned and the "
        f"true centers on a ring. Right: {_listed(ends)} at the last step."
    )
    return figure, alt


# Chapters 8-11: training, similarities, centers, one map.

SOFTMAX_COLOR = GRAY
SEPARATE_COLOR = BLUE
BOTH_LOSSES = ("softmax loss", "softmax + separate loss")


def _class_ticks(axes: Axes, classes: Sequence[str]) -> None:
    axes.set_xticks(range(len(classes)), list(classes))
    axes.grid(visible=False, axis="x")


def class_style(classes: Sequence[str]) -> list[tuple[str, str]]:
    """Color and marker for each class of a data set, in its order.

    Compound classes have a sad one called SA as well (sadly angry); a reader's own
    classes take the styles in turn.
    """
    compound = "HS" in classes
    spare = list(CLASS_STYLE.values())
    return [
        CLASS_STYLE.get("SA_" if compound and name == "SA" else name)
        or spare[i % len(spare)]
        for i, name in enumerate(classes)
    ]


def face_grid(
    images: ArrayLike, labels: ArrayLike, classes: Sequence[str], columns: int = 10
) -> tuple[Figure, str]:
    """The first images of each class, one row per class.

    Parameters
    ----------
    images : array, (n, 3, height, width) uint8
    labels : array, (n,)
    """
    pictures, numbers = np.asarray(images), np.asarray(labels)
    figure = Figure(
        figsize=(WIDTH, 0.06 + WIDTH * 0.95 / columns * len(classes)), dpi=DPI
    )
    grid = figure.subplots(
        len(classes),
        columns,
        squeeze=False,
        gridspec_kw={"wspace": 0.04, "hspace": 0.04},
    )
    figure.subplots_adjust(left=0.06, right=1, top=1, bottom=0)
    shown = []
    for row, name in enumerate(classes):
        which = np.flatnonzero(numbers == row)[:columns]
        shown.append(f"{len(which)} of {name}")
        for axes in grid[row]:
            axes.axis("off")
        for axes, i in zip(grid[row], which, strict=False):
            axes.imshow(pictures[i].transpose(1, 2, 0), interpolation="nearest")
        grid[row, 0].text(
            -0.12,
            0.5,
            name,
            transform=grid[row, 0].transAxes,
            ha="right",
            va="center",
            fontweight="bold",
        )
    return figure, f"Face images, one row for each class: {_listed(shown)}."


def training_curves(
    softmax: Sequence[Mapping[str, Any]], separate: Sequence[Mapping[str, Any]]
) -> tuple[Figure, str]:
    """Loss terms and validation accuracy per epoch; thin lines are single seeds.

    Parameters
    ----------
    softmax, separate : sequence of mapping
        Histories of `fersep.training.Run`, one for each seed.
    """
    figure = _figure(2.9)
    panels = figure.subplots(1, 3)
    keys = ("softmax_loss", "intra_loss", "validation_accuracy")
    titles = ("softmax loss $L_s$", "$L_{intra}$ (Eq. 2)", "validation accuracy, %")
    epochs = np.arange(1, len(separate[0]["softmax_loss"]) + 1)
    ends = []
    for axes, key, title in zip(panels, keys, titles, strict=True):
        pairs = zip(
            BOTH_LOSSES,
            (softmax, separate),
            (SOFTMAX_COLOR, SEPARATE_COLOR),
            ("--", "-"),
            strict=True,
        )
        for name, runs, color, dash in pairs:
            rows = _array([run[key] for run in runs])
            for row in rows:
                axes.plot(epochs, row, dash, color=color, lw=0.8, alpha=0.45)
            axes.plot(epochs, rows.mean(0), dash, color=color, lw=2.2, label=name)
            ends.append(f"{key.replace('_', ' ')} with {name} {rows[:, -1].mean():.3g}")
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2
    )
    alt = (
        f"Three curves over {len(epochs)} epochs for two losses, mean over "
        f"{len(separate)} seeds. At the end: {_listed(ends)}."
    )
    return figure, alt


def paired_seeds(
    names: Sequence[str],
    softmax: Sequence[Sequence[float]],
    separate: Sequence[Sequence[float]],
    intervals: Sequence[Any],
    baseline: float | None = None,
) -> tuple[Figure, str]:
    """One panel for each measure: seeds joined by a line, and their mean difference.

    Parameters
    ----------
    names : sequence of str
        The measures, in percent.
    softmax, separate : sequence of sequence of float
        For each measure one value per seed, paired.
    intervals : sequence of `fersep.analysis.Interval`
        Separate minus softmax.
    baseline : float, optional
        Accuracy of always naming the largest class, drawn in the first panel.
    """
    figure = _figure(2.7)
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    parts = []
    for axes, name, left, right, gap in zip(
        panels, names, softmax, separate, intervals, strict=True
    ):
        for a, b in zip(left, right, strict=True):
            axes.plot([0, 1], [a, b], color=PALE, lw=1.4, zorder=1)
            axes.plot(0, a, "s", color=SOFTMAX_COLOR, ms=7, mec="white", zorder=3)
            axes.plot(1, b, "o", color=SEPARATE_COLOR, ms=7.5, mec="white", zorder=3)
        axes.set_xticks([0, 1], ["softmax", "softmax +\nseparate"])
        axes.set_xlim(-0.5, 1.5)
        axes.set_ylabel(f"{name}, %")
        text = f"{gap.mean:+.2f} points"
        if np.isfinite(gap.low):
            text += f"\n95 %: {gap.low:+.2f} to {gap.high:+.2f}"
        axes.set_title(text, fontweight="normal")
        parts.append(f"{name}: separate minus softmax {text}".replace("\n", ", "))
    if baseline is not None:
        panels[0].axhline(baseline, color=INK, lw=1, ls=(0, (1, 2)))
        panels[0].annotate(
            "largest class",
            (1.5, baseline),
            ha="right",
            va="bottom",
            fontsize=8,
            color=INK,
        )
        parts.append(f"always naming the largest class gives {baseline:.1f} percent")
    seeds = len(softmax[0])
    return figure, f"{seeds} pairs of runs joined by seed. {'; '.join(parts)}."


def class_recalls(
    classes: Sequence[str],
    counts: Sequence[int],
    recalls: Mapping[str, ArrayLike],
) -> tuple[Figure, str]:
    """Recall of each class against its number of training images.

    Parameters
    ----------
    counts : sequence of int, (s,)
        Training images of each class.
    recalls : mapping of loss name -> (n_seeds, s) percent
        NaN for a class without a test image.
    """
    order = np.argsort(-np.asarray(counts), kind="stable")
    figure = _figure(2.8)
    axes = figure.subplots()
    looks = ((SOFTMAX_COLOR, "s", -0.12), (SEPARATE_COLOR, "o", 0.12))
    parts = []
    for (name, values), (color, marker, shift) in zip(
        recalls.items(), looks, strict=False
    ):
        rows = np.atleast_2d(_array(values))[:, order]
        places = np.arange(len(order)) + shift
        for row in rows:
            axes.plot(places, row, marker, color=color, ms=4, alpha=0.4, mec="none")
        axes.plot(
            places, rows.mean(0), marker, color=color, ms=8, mec="white", label=name
        )
        means = _listed(
            [
                f"{classes[k]} {v:.0f}" if np.isfinite(v) else f"{classes[k]} untested"
                for k, v in zip(order, rows.mean(0), strict=True)
            ]
        )
        parts.append(f"{name}: {means}")
    _class_ticks(axes, [f"{classes[k]}\n{counts[k]}" for k in order])
    axes.set(ylim=(-4, 104), ylabel="recall, %")
    axes.set_xlabel("class and its number of training images")
    axes.legend(loc="upper right", ncols=2)
    return figure, (
        "Recall of each class in percent, classes from the most to the fewest training "
        f"images. {'. '.join(parts)}."
    )


def similarity_row(
    classes: Sequence[str],
    softmax: ArrayLike,
    separate: ArrayLike,
    published: Mapping[str, Sequence[float]] | None = None,
) -> tuple[Figure, str]:
    """Table 1 as a picture: intra-class cosine per class, then the two averages.

    Parameters
    ----------
    softmax, separate : array, (n_seeds, s + 2)
        Intra-class cosine of each class, their mean, and the inter-class mean.
    published : mapping of loss name -> (s + 2,), optional
        The paper's rows, drawn hollow.
    """
    names = [*classes, "intra\nmean", "inter\nmean"]
    figure = _figure(3.1)
    axes = figure.subplots()
    looks = ((SOFTMAX_COLOR, "s", -0.16), (SEPARATE_COLOR, "o", 0.16))
    parts = []
    for name, values, (color, marker, shift) in zip(
        BOTH_LOSSES, (softmax, separate), looks, strict=True
    ):
        rows = np.atleast_2d(_array(values))
        mean = rows.mean(0)
        places = np.arange(len(names)) + shift
        axes.errorbar(
            places,
            mean,
            yerr=[mean - rows.min(0), rows.max(0) - mean],
            fmt=marker,
            color=color,
            ms=7,
            mec="white",
            elinewidth=1.6,
            label=f"{name}, ours",
            zorder=4,
        )
        if published is not None:
            axes.plot(
                places,
                published[name],
                marker,
                color=color,
                ms=8,
                mfc="none",
                mew=1.2,
                label=f"{name}, the paper",
                zorder=3,
            )
        parts.append(
            f"{name}: "
            + _listed(
                [
                    f"{label} {value:.2f}".replace("\n", " ")
                    for label, value in zip(names, mean, strict=True)
                ]
            )
        )
    axes.axvline(len(classes) - 0.5, color=PALE, lw=1)
    _class_ticks(axes, names)
    axes.set_ylabel("mean cosine")
    figure.legend(loc="outside lower center", ncols=2)
    return figure, f"Mean cosines per class, ours. {'. '.join(parts)}."


def convergence(
    classes: Sequence[str],
    agreement: ArrayLike,
    first: Sequence[float] | None = None,
    last: Sequence[float] | None = None,
) -> tuple[Figure, str]:
    """Cosine of learned and true center for each class, epoch by epoch.

    Parameters
    ----------
    agreement : array, (epochs, s)
        Mean over the seeds.
    first, last : sequence of float, (s,), optional
        The paper's values in its first and last epoch, drawn hollow at the sides.
    """
    values = _array(agreement)
    epochs = np.arange(1, len(values) + 1)
    figure = _figure(3.2)
    axes = figure.subplots()
    side = max(0.5, 0.05 * len(epochs))
    for k, (name, (color, marker)) in enumerate(
        zip(classes, class_style(classes), strict=True)
    ):
        axes.plot(
            epochs,
            values[:, k],
            marker=marker,
            color=color,
            ms=7,
            mec="white",
            mew=0.6,
            label=name,
        )
        for place, given in ((1 - side, first), (len(epochs) + side, last)):
            if given is not None:
                axes.plot(
                    place, given[k], marker, color=color, mfc="none", ms=7.5, mew=1.3
                )
    if first is not None or last is not None:
        for place, ha in ((1 - side, "center"), (len(epochs) + side, "center")):
            axes.axvspan(place - side / 2, place + side / 2, color="#F4F4F4", zorder=0)
            axes.annotate(
                "paper",
                (place, 0.01),
                xycoords=("data", "axes fraction"),
                ha=ha,
                fontsize=8,
                color=GRAY,
            )
    axes.axhline(0, color=PALE, lw=1, zorder=0)
    axes.set_ylim(min(-0.05, values.min() - 0.05), 1.05)
    axes.set(xlabel="epoch", ylabel="cosine of learned and true center")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    ends = [
        f"{name} from {values[0, k]:.2f} to {values[-1, k]:.2f}"
        for k, name in enumerate(classes)
    ]
    return figure, (
        "Cosine of learned and true center of each class over "
        f"{len(epochs)} epochs: {_listed(ends)}."
    )


def agreement_at(
    classes: Sequence[str],
    counts: Sequence[int],
    agreement: ArrayLike,
    passive: ArrayLike,
    epoch: int,
) -> tuple[Figure, str]:
    """Agreement of learned and true centers in one epoch, against class size.

    Parameters
    ----------
    agreement, passive : array, (epochs, s)
        With the separate loss, and with λ = 0 and centers that only follow.
    epoch : int
        Counted from 1.
    """
    ours, control = _array(agreement)[epoch - 1], _array(passive)[epoch - 1]
    lowest = min(0.0, _array(agreement).min(), _array(passive).min())
    figure = _figure(3.0)
    axes = figure.subplots()
    for k, (name, (color, marker)) in enumerate(
        zip(classes, class_style(classes), strict=True)
    ):
        axes.plot([counts[k]] * 2, [control[k], ours[k]], color=PALE, lw=1.4, zorder=1)
        axes.plot(counts[k], control[k], marker, color=color, mfc="none", ms=8)
        axes.plot(counts[k], ours[k], marker, color=color, mec="white", ms=9, zorder=4)
        axes.annotate(
            name,
            (counts[k], max(ours[k], control[k])),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    axes.set_xscale("log")
    axes.axhline(0, color=PALE, lw=1, zorder=0)
    axes.set_ylim(lowest - 0.08, 1.14)
    axes.set(
        xlabel="training images of the class (logarithmic)",
        ylabel="cosine of learned and true center",
    )
    axes.set_title(f"epoch {epoch}: filled with the separate loss, hollow λ = 0")
    parts = [f"{name} {ours[k]:.2f}" for k, name in enumerate(classes)]
    followed = [f"{name} {control[k]:.2f}" for k, name in enumerate(classes)]
    return figure, (
        f"Epoch {epoch}, cosine of learned and true center. With the separate loss: "
        f"{_listed(parts)}. With λ = 0, centers only following: {_listed(followed)}."
    )


def maps(
    named: Mapping[str, tuple[ArrayLike, ArrayLike | None, ArrayLike]],
    labels: ArrayLike,
    classes: Sequence[str],
) -> tuple[Figure, str]:
    """Fig. 3: t-SNE maps side by side, △ learned and ▽ true centers.

    Parameters
    ----------
    named : mapping of title -> (features (n, 2), learned (s, 2) or None, true (s, 2))
    labels : array, (n,)
    """
    numbers = np.asarray(labels)
    figure = _figure(4.1)
    panels = figure.subplots(1, len(named), squeeze=False)[0]
    looks = class_style(classes)
    parts = []
    for axes, (title, (points, learned, true)) in zip(
        panels, named.items(), strict=True
    ):
        spots = _array(points)
        for k, (color, marker) in enumerate(looks):
            mine = spots[numbers == k]
            axes.plot(
                *mine.T,
                marker,
                color=color,
                ms=3.2,
                alpha=0.65,
                mec="none",
                ls="",
                zorder=2,
            )
        for centers, shape in ((learned, "^"), (true, "v")):
            if centers is None:
                continue
            for (color, _), place in zip(looks, _array(centers), strict=True):
                axes.plot(*place, shape, color=color, ms=10, mec=INK, mew=1.3, zorder=5)
        axes.set_title(title)
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(True)
        middle = _array(true)
        others = np.linalg.norm(middle[:, None] - middle, axis=-1)
        np.fill_diagonal(others, np.inf)
        near = np.unravel_index(others.argmin(), others.shape)
        parts.append(
            f"{title}: {len(spots)} points; the two nearest true centers are "
            f"{classes[near[0]]} and {classes[near[1]]}"
        )
    handles = [
        panels[0].plot([], [], marker, color=color, ls="", ms=6, label=name)[0]
        for name, (color, marker) in zip(classes, looks, strict=True)
    ]
    for shape, name in (("^", "learned center"), ("v", "true center")):
        handles += panels[0].plot(
            [], [], shape, color="white", mec=INK, ls="", ms=8, label=name
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure, f"Maps of features and class centers. {'. '.join(parts)}."


def class_sizes(
    classes: Sequence[str], counts: Sequence[int] | ArrayLike
) -> tuple[Figure, str]:
    """Bars of the number of images of each class."""
    numbers = np.asarray(counts, dtype=np.int64).tolist()
    figure = _figure(2.2)
    axes = figure.subplots()
    colors = [color for color, _ in class_style(classes)]
    bars = axes.bar(range(len(classes)), numbers, color=colors, width=0.7)
    axes.bar_label(bars, padding=2, fontsize=8)
    _class_ticks(axes, classes)
    axes.margins(y=0.14)
    axes.set_ylabel("images")
    pairs = [f"{name} {n}" for name, n in zip(classes, numbers, strict=True)]
    return figure, f"Bars: images of each class: {_listed(pairs)}."


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
