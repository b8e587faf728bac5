"""The house style, and what every figure shares."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

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
    """The figure as PNG on white ground, in 256 colors: a third of the bytes."""
    full, small = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png", dpi=dpi, facecolor="white")
    with Image.open(full) as picture:
        palette = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    palette.save(small, format="png", optimize=True)
    return small.getvalue()


def show(figure: Figure, alt: str) -> None:
    """Display a figure as PNG together with its alternative text.

    Raises
    ------
    ValueError
        If the alternative text is empty.
    """
    from IPython import display

    if not alt.strip():
        raise ValueError("a figure needs an alternative text, got an empty one")
    display.display(display.Image(data=png(figure), alt=alt))


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]], caption: str) -> Any:
    """A table for the page: a caption, column headers, and a header in each row.

    Parameters
    ----------
    headers : sequence of str
    rows : sequence of sequence
        The first entry of a row names it; all are shown by ``str``, but a pair
        (text, address) as a link.
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
        # An empty header would be read aloud as a heading of nothing.
        *(
            f'<th scope="col">{html.escape(head)}</th>' if head else "<td></td>"
            for head in headers
        ),
        "</tr></thead><tbody>",
    ]
    for row in rows:
        if len(row) != len(headers):
            raise ValueError(
                f"a row of {len(row)} entries does not fit {len(headers)} headers: "
                f"{row[0]}"
            )
        name, *cells = map(_cell, row)
        lines.append(f'<tr><th scope="row">{name}</th>')
        lines += [f"<td>{cell}</td>" for cell in cells]
        lines.append("</tr>")
    lines.append("</tbody></table></div>")
    return HTML("".join(lines))


def _cell(entry: Any) -> str:
    if isinstance(entry, tuple):
        text, address = map(html.escape, entry)
        return f'<a href="{address}">{text}</a>'
    return html.escape(str(entry))


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
