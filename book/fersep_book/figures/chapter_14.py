"""The figure of chapters 14 and 14b: what each loss or system adds to softmax."""

from collections.abc import Mapping, Sequence

from fersep.analysis import Interval
from fersep_book.figures import parts, style

#: For each family and member: its gain, the gains by seed, and a verdict.
Families = Mapping[str, Mapping[str, tuple[Interval, Sequence[float], str]]]


def gains(
    families: Families, title: str, *, margin: float, far: Families | None = None
) -> parts.Picture:
    """Gains in accuracy over softmax, a row for each member; small marks are seeds.

    A band of ``margin`` holds gains too small to matter. Families that lie ``far`` from
    it get a panel and a scale of their own.
    """
    panels = [panel for panel in (families, far) if panel]
    numbers = [sum(len(each) + 1 for each in panel.values()) for panel in panels]
    figure = parts.new_figure(0.95 * len(panels) + 0.21 * sum(numbers))
    grid = figure.subplots(
        len(panels), squeeze=False, gridspec_kw={"height_ratios": numbers}
    )
    told = []
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        told += _rows(axes, panel, margin)
    axes.set_xlabel("gain in accuracy over softmax, points")
    parts.finding(figure, title)
    return figure, (
        "Gain in accuracy over softmax in points, with 95 percent intervals: "
        f"{parts.listing(told)}."
    )


def _rows(axes: parts.Axes, families: Families, margin: float) -> list[str]:
    """Draw one panel and return its rows in words."""
    beside = {"xycoords": axes.get_yaxis_transform(), "annotation_clip": False}
    axes.axvspan(-margin, margin, color=style.GRAY, alpha=0.18, lw=0)
    axes.axvline(0, color=style.INK, lw=1, ls=style.DOTTED)
    row, heads, rows, told = 0, [], [], []
    for losses in families.values():
        heads.append(row)
        for name, (gain, seeds, verdict) in losses.items():
            row += 1
            rows.append(row)
            if len(seeds) > 1:
                axes.plot([gain.low, gain.high], [row, row], color=style.BLUE, lw=2)
                look = {"color": style.BLUE, "mfc": "none", "ms": 3.5, "mew": 0.7}
                axes.plot(seeds, [row + 0.25] * len(seeds), "o", **look)
            axes.plot(gain.mean, row, "o", color=style.BLUE, ms=7, mec="white")
            parts.note(axes, verdict, (1, row), (8, -3), **beside)
            words = parts.interval_words(gain, "+.2f")
            told.append(f"{name} {words} {verdict}".rstrip())
        row += 1
    if any(verdict for losses in families.values() for *_, verdict in losses.values()):
        words = f"gains {margin:g} point{'s' * (margin != 1)}?"
        parts.note(axes, words, (1, 0), (8, -3), color=style.GRAY, **beside)
    names = [name for losses in families.values() for name in losses]
    axes.set_yticks(rows + heads, names + list(families))
    for label in axes.get_yticklabels()[len(rows) :]:
        label.set_fontweight("bold")
    axes.set_ylim(row - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    return told
