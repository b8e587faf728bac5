"""The house style: colors, markers, the style sheet, pictures and tables on a page."""

import base64
import colorsys
import hashlib
import html
import io
import re
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from PIL import Image

#: Widths of the text column, on a desk and on a phone, in inches, and the resolution of
#: a printed figure.
WIDTH = 7.2
PHONE_WIDTH = 3.7
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

#: Words inside colored cells; in the dark all are light.
ON_DARK_CELL = "#FDFDFD"
ON_LIGHT_CELL = "#212121"

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

#: The same in the dark: from the ground up to a color on which white words are read.
_CELLS_IN_THE_DARK = {
    to_hex(colors(k)): to_hex(LinearSegmentedColormap.from_list("dark", dark)(k))
    for colors, dark in (
        (SIMILARITY_COLORS, ["#C4474C", "#14181E", "#3A7CA8"]),
        (SHARE_COLORS, ["#14181E", "#3A7CA8"]),
    )
    for k in range(256)
}

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


def svg(figure: Figure) -> str:
    """The figure as SVG without a ground, in colors that follow light and dark."""
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "fersep"}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    inside = text[text.index("</defs>") + len("</defs>") :]  # behind its style sheet
    inside = re.sub(r'(?s)<!--.*?-->|(?<=<g) id="[^"]*"', "", inside)
    inside = re.sub(r"\s+", " ", inside)
    inside = re.sub(r' d="[^"]*"', lambda hit: _shorter(hit.group()), inside)
    key = hashlib.sha256(inside.encode()).hexdigest()[:8]  # ids are unique on a page
    inside = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>f{key}-", inside)
    follow = re.compile(r"(?<=[:\s])#[0-9a-f]{6}(?=[;\"])")
    inside = follow.sub(lambda hit: light_dark(hit.group()), inside)
    pictures = re.compile(r"<image [^>]*?(data:image/png;base64,[\w+/=\s]*)[^>]*>")
    inside = pictures.sub(lambda hit: _inner(*hit.group(0, 1)), inside)
    width, height = figure.get_size_inches()
    return (
        f'<svg width="{96 * width:.0f}" viewBox="0 0 {72 * width:g} {72 * height:g}" '
        # on a phone no smaller than what leaves its letters 9 px high
        f'style="--least:{77 * width:.0f}px;max-width:100%;height:auto;'
        'stroke-linejoin:round" '
        'xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink">{inside}'
    )


def _inner(element: str, data: str) -> str:
    """Return an element with a figure's inner picture, small; marks follow the dark."""
    content = base64.b64decode(data.partition(",")[2])
    with Image.open(io.BytesIO(content)) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
        light = element.replace(data, _smaller(picture))
    if (pixels[..., 3] == 0).mean() < 0.1:  # no marks on the ground, but a picture
        return light
    colors, places = np.unique(
        pixels[..., :3].reshape(-1, 3), axis=0, return_inverse=True
    )
    partners = [light_dark("#{:02x}{:02x}{:02x}".format(*c)) for c in colors]
    dark = [bytes.fromhex(partner[-7:-1]) for partner in partners]
    swapped = np.array([[*each] for each in dark], np.uint8)[places.ravel()]
    both = np.dstack([swapped.reshape(pixels[..., :3].shape), pixels[..., 3]])
    other = element.replace(data, _smaller(Image.fromarray(both)))
    return (
        f'<g class="light">{light}</g><g class="dark" style="display:none">{other}</g>'
    )


def _smaller(picture: Image.Image) -> str:
    """Return a picture as WebP, lossless where it has few colors."""
    out = io.BytesIO()
    few = picture.getcolors(256) is not None
    picture.save(out, format="webp", lossless=few, quality=85)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"


def _shorter(path: str) -> str:
    return re.sub(r"(\.\d\d)\d+", r"\1", path)


def light_dark(color: str) -> str:
    """A color of the page in CSS: as given in the light, its partner in the dark."""
    if color.upper() in (ON_DARK_CELL, ON_LIGHT_CELL):
        return f"light-dark({color},{ON_DARK_CELL})"
    if color in _CELLS_IN_THE_DARK:
        return f"light-dark({color},{_CELLS_IN_THE_DARK[color]})"
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, light, strength = colorsys.rgb_to_hls(red, green, blue)
    if max(red, green, blue) - min(red, green, blue) < 0.06 or light > 0.85:
        light = 1 - 0.9 * light  # inks and grounds change places
    else:
        # Lighter and softer, and still one above the other.
        light, strength = max(0.62, 0.3 + 0.8 * light), 0.8 * strength
    rgb = (round(255 * part) for part in colorsys.hls_to_rgb(hue, light, strength))
    return "light-dark({},#{:02x}{:02x}{:02x})".format(color, *rgb)


def lay_out_for_phone(figure: Figure) -> None:
    """Make a figure of constrained layout narrow, its panels below each other."""
    height = figure.get_figheight()
    placed: list[Any] = [axes for axes in figure.axes if axes.get_subplotspec()]
    grid = placed[0].get_gridspec()
    if grid.ncols > grid.nrows:
        height *= grid.ncols / grid.nrows
        turned = figure.add_gridspec(grid.ncols, grid.nrows)
        for axes in placed:
            cell = axes.get_subplotspec()
            axes.set_subplotspec(turned[cell.colspan.start, cell.rowspan.start])
            if axes.get_shared_y_axes().joined(axes, placed[0]):
                axes.tick_params(labelleft=True)
                axes.set_ylabel(placed[0].get_ylabel())
    for axes in placed:
        words = [label.get_text() for label in axes.get_yticklabels()]
        long = max(map(len, words), default=0) > 18  # they take half the width
        if long and not any("$" in word for word in words):  # formulas are shorter
            broken = [textwrap.fill(w, 16) for w in words]
            axes.set_yticks(axes.get_yticks(), broken)
            more = sum(word.count("\n") for word in broken)
            height *= 1 + 0.9 * more / len(words) / len(placed)
    for text in figure.texts:
        lines = textwrap.wrap(text.get_text(), 40)
        text.set_text("\n".join(lines))
        height += 0.2 * (len(lines) - 1)
    for legend in list(figure.legends):
        names = [text.get_text() for text in legend.get_texts()]
        columns = max(1, 50 // (max(map(len, names)) + 8))
        height += 0.18 * (len(names) - 1) / columns
        handles: Any = legend.legend_handles
        look: dict[str, Any] = {"loc": "outside lower center", "ncols": columns}
        figure.legend(handles, names, **look)
        legend.remove()
    figure.set_size_inches(PHONE_WIDTH, height)


def picture(figure: Figure, alt: str) -> str:
    """Return a figure as HTML, with its alternative text.

    A phone shows a narrow one instead. ValueError if the alternative text is empty.
    """
    if not alt.strip():
        raise ValueError("a figure needs an alternative text, got an empty one")
    pictures = svg(figure)
    narrow = vars(figure).get("narrow")  # a figure may bring its own
    if narrow is None and figure.get_layout_engine() is not None:
        lay_out_for_phone(figure)
        narrow = figure
    if narrow is not None:
        # Hidden where the style sheet of the book is missing, as in a notebook.
        pictures += f'<div class="phone" style="display:none">{svg(narrow)}</div>'
    return (
        '<div class="fersep-figure" role="img" style="background:light-dark(#fff,'
        f'#14181e)" aria-label="{html.escape(alt)}">{pictures}</div>'
    )


def show(figure: Figure, alt: str) -> None:
    """Display a figure as :func:`picture` makes it."""
    from IPython.display import HTML, display

    display(HTML(picture(figure, alt)))


def table(
    headers: Sequence[str], rows: Sequence[Sequence[Any]], caption: str, fold: str = ""
) -> Any:
    """A table for the page: a caption, column headers, and a header in each row.

    The first entry of a row names it; all are shown by ``str``, but a pair (text,
    address) as a link. ``fold`` is what a closed band says behind which the table
    waits; empty for an open table. ValueError if a row has another length than the
    headers.
    """
    from IPython.display import HTML

    for row in rows:
        if len(row) != len(headers):
            raise ValueError(
                f"a row of {len(row)} entries does not fit {len(headers)} headers: "
                f"{row[0]}"
            )
    columns = [_column([row[k] for row in rows]) for k in range(len(headers))]
    looks = [' class="number"' * numeric for numeric, _ in columns]
    # An empty header would be read aloud as a heading of nothing.
    heads = [
        f'<th scope="col"{look}>{html.escape(head)}</th>' if head else "<td></td>"
        for head, look in zip(headers, looks, strict=True)
    ]
    lines = []
    for place, row in enumerate(rows):
        name, *cells = (
            _cell(entry, texts[place])
            for entry, (_, texts) in zip(row, columns, strict=True)
        )
        entries = "".join(
            f'<td{look} data-head="{html.escape(head)}">{cell}</td>'
            for head, look, cell in zip(headers[1:], looks[1:], cells, strict=True)
        )
        lines.append(f'<tr><th scope="row">{name}</th>{entries}</tr>')
    wide = " wide" * (len(headers) > 3)
    before, after = f"<details><summary>{fold}</summary>", "</details>"
    return HTML(
        f"{before * bool(fold)}"
        f'<figure class="fersep-table{wide}"><figcaption>{html.escape(caption)}'
        '</figcaption><div class="scroll"><table class="table">'
        f"<thead><tr>{''.join(heads)}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div></figure>{after * bool(fold)}"
    )


def _column(entries: Sequence[Any]) -> tuple[bool, list[str]]:
    """Tell whether a column holds numbers; return its texts, decimal points in line."""
    texts = [_plain(entry) for entry in entries]
    number = re.compile(r"[+−]?[\d\u202f]+(\.\d+)?( ?%)?")
    if not all(number.fullmatch(text) or text in ("", "–") for text in texts):
        return False, texts
    behind = [len(text.partition(".")[2].rstrip(" %")) for text in texts]
    most = max(behind, default=0)
    return True, [
        # Spaces as wide as a point and as a digit.
        text + ("\u2008" * (own == 0) + "\u2007" * (most - own)) * (own < most)
        for text, own in zip(texts, behind, strict=True)
    ]


def _plain(entry: Any) -> str:
    """Return an entry's text with one minus sign and thin spaces at thousands."""
    text = str(entry[0] if isinstance(entry, tuple) else entry)
    text = re.sub(r"(?<![\w.)-])-(?=\d)", "−", text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "\u202f", text)
    return re.sub(r"(?<![\w.])(\d{2,3})(\d{3})(?![\w.])", "\\1\u202f\\2", text)


def _cell(entry: Any, text: str) -> str:
    bare = text.rstrip("\u2007\u2008")
    shown, padding = html.escape(bare), text[len(bare) :]
    if isinstance(entry, tuple):
        shown = f'<a href="{html.escape(entry[1])}">{shown}</a>'
    # On a card, where no column is in line, it is left out.
    return shown + f'<span class="pad">{padding}</span>' * bool(padding)
