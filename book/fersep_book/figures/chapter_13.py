"""The figure of chapter 13: what settings do beside one of them."""

from collections.abc import Mapping, Sequence

import numpy as np

from fersep.analysis import Interval
from fersep_book.figures import parts, style


def beside_one(
    settings: Sequence[str],
    rows: Mapping[str, Mapping[str, Interval]],
    label: str,
    *,
    title: str,
    paper: Mapping[str, float],
    apart: str = "",
    base: str = "one of them",
    margin: float = 1.0,
) -> parts.Picture:
    """Differences of accuracy from one setting: a row of dots for each kind of runs.

    ``rows`` has for each kind of runs a `fersep.analysis.Interval` of each setting; a
    band of ``margin`` holds differences too small to matter. The differences of the
    ``paper`` are hollow in every row. The setting ``apart`` is of another kind and
    stands behind a line; ``base`` names the one setting.
    """
    figure = parts.new_figure(0.8 + (1.9 if len(rows) < 2 else 1.45) * len(rows))
    panels = figure.subplots(len(rows), sharex=True, sharey=True, squeeze=False)[:, 0]
    color, told = style.SEPARATE_COLOR, []
    reach = _reach([g for gaps in rows.values() for g in gaps.values()], paper, margin)
    for axes, (name, gaps) in zip(panels, rows.items(), strict=True):
        axes.axhspan(-margin, margin, color=style.GRAY, alpha=0.18, lw=0)
        axes.axhline(0, color=style.INK, lw=1, ls=style.DOTTED)
        for setting, gap in gaps.items():
            place, mark = settings.index(setting), "s" if setting == apart else "o"
            if np.isfinite(gap.low):
                axes.plot([place, place], [gap.low, gap.high], color=color, lw=2)
                _tell_if_cut(axes, place, gap, reach)
            axes.plot(place, gap.mean, mark, color=color, ms=7, mec="white", zorder=4)
            told.append(f"{name}, {setting} {parts.interval_words(gap, '+.2f')}")
        places = [settings.index(setting) for setting in paper]
        axes.plot(places, list(paper.values()), "o", zorder=5, **_HOLLOW)
        if apart:
            axes.axvline(settings.index(apart) + 0.5, color=style.PALE, lw=1)
        axes.set_title(name if len(rows) > 1 else "", fontweight="normal")
        axes.set_ylabel(f"accuracy, points\nabove {base}")
        axes.grid(visible=False, axis="x")
    names = ["0" if setting == apart else setting for setting in settings]
    panels[-1].set_xticks(range(len(settings)), names)
    label += f" (0: {apart} alone)" if apart else ""
    panels[-1].set(xlim=(-0.5, len(settings) - 0.5), ylim=(-reach, reach), xlabel=label)
    looks = {
        "difference, simultaneous interval": {"marker": "o", "ms": 7, "color": color},
        f"under {margin:g} point: too small to matter": {
            "marker": "s",
            "ms": 9,
            "color": style.GRAY,
            "alpha": 0.3,
            "mec": "none",
        },
        "the paper, RAF-DB, one run each": {"marker": "o", **_HOLLOW},
    }
    parts.legend_of(figure, looks, 3, columnspacing=1.2, handletextpad=0.2)
    parts.finding(figure, title)
    told.append("the paper " + parts.say("{} {:+.2f}", paper, paper.values()))
    return figure, (
        f"Accuracy in points above {base} by {label}, with simultaneous intervals: "
        f"{'; '.join(told)}."
    ).replace("-", "−")


def _tell_if_cut(axes: parts.Axes, x: float, gap: Interval, reach: float) -> None:
    """Mark the ends of an interval that leave the picture, and write its half."""
    for end, edge, mark in ((gap.high, reach, "^"), (gap.low, -reach, "v")):
        if abs(end) > reach:
            look = {"color": style.SEPARATE_COLOR, "ms": 5, "clip_on": False}
            axes.plot(x, edge, mark, **look)
    if max(gap.high, -gap.low) > reach:
        words = f"±{gap.high - gap.mean:.0f}"
        parts.note(axes, words, (x, reach), (4, -9), fontsize=8)


_HOLLOW = {"color": style.INK, "mfc": "none", "ms": 5.5}


def _reach(
    gaps: Sequence[Interval], paper: Mapping[str, float], margin: float
) -> float:
    """How far the axis goes: all means are inside, and most of the intervals."""
    means = [abs(gap.mean) for gap in gaps] + [abs(v) for v in paper.values()]
    ends = [abs(end) for gap in gaps for end in (gap.low, gap.high)]
    longest = float(np.nanmax([0.0, *ends]))
    return max(1.5 * margin, 1.2 * max(means), min(1.05 * longest, 6 * margin))
