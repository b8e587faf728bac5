"""The house style: colors, markers, the style sheet, pictures and tables on a page."""

import html
import io
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
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

#: The two losses that most chapters compare, their colors and markers.
BOTH_LOSSES = ("softmax loss", "softmax + separate loss")
SOFTMAX_COLOR = GRAY
SEPARATE_COLOR = BLUE
LOSS_LOOKS = ((SOFTMAX_COLOR, "s"), (SEPARATE_COLOR, "o"))

#: Line styles.
DASHED = (0, (4, 2))
DOTTED = (0, (1, 2))

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

#: Shares from 0 (white) to 1 (dark blue).
SHARE_COLORS = LinearSegmentedColormap.from_list(
    "shares", ["#FFFFFF", "#92C5DE", "#0A4A7A"]
)

_SHEET: dict[Any, Any] = {
    "figure.constrained_layout.h_pad": 0.07,
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": "#999999",
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
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
}


def use_style() -> None:
    """Set the book's style sheet for all figures that follow."""
    matplotlib.rcParams.update(_SHEET)


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

    # An empty header would be read aloud as a heading of nothing.
    heads = [
        f'<th scope="col">{html.escape(head)}</th>' if head else "<td></td>"
        for head in headers
    ]
    lines = []
    for row in rows:
        if len(row) != len(headers):
            raise ValueError(
                f"a row of {len(row)} entries does not fit {len(headers)} headers: "
                f"{row[0]}"
            )
        name, *cells = map(_cell, row)
        entries = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f'<tr><th scope="row">{name}</th>{entries}</tr>')
    return HTML(
        '<div class="fersep-table"><table class="table">'
        f"<caption>{html.escape(caption)}</caption><thead><tr>{''.join(heads)}</tr>"
        f"</thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(entry: Any) -> str:
    if isinstance(entry, tuple):
        text, address = map(html.escape, entry)
        return f'<a href="{address}">{text}</a>'
    return html.escape(str(entry))
