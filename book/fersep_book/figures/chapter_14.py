"""The figure of chapter 14: what each loss adds to softmax."""

from collections.abc import Mapping, Sequence

from fersep.analysis import Interval
from fersep_book.figures import parts, style


def gains(
    families: Mapping[str, Mapping[str, tuple[Interval, Sequence[float], str]]],
    title: str,
    *,
    margin: float,
) -> parts.Picture:
    """Gains in accuracy over softmax, a row for each loss; small marks are seeds.

    ``families`` has for each loss of each family its gain, the gains by seed and a
    verdict; a band of ``margin`` holds gains too small to matter.
    """
    number = sum(len(losses) + 1 for losses in families.values())
    figure, axes = parts.one_panel(0.95 + 0.24 * number)
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
        words = f"gains {margin:g} point?"
        parts.note(axes, words, (1, 0), (8, -3), color=style.GRAY, **beside)
    names = [name for losses in families.values() for name in losses]
    axes.set_yticks(rows + heads, names + list(families))
    for label in axes.get_yticklabels()[len(rows) :]:
        label.set_fontweight("bold")
    axes.set_ylim(row - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("gain in accuracy over softmax, points")
    parts.finding(figure, title)
    return figure, (
        "Gain in accuracy over softmax in points, with 95 percent intervals: "
        f"{parts.listing(told)}."
    )
