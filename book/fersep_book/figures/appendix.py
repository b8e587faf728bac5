"""The figure of the appendix: what came after the paper."""

from collections.abc import Sequence

import numpy as np

from fersep_book.figures import parts, style


def later_results(
    points: Sequence[tuple[int, float, str]], first: tuple[int, float]
) -> parts.Picture:
    """Accuracies of later methods by year, and the paper's as a hollow mark.

    ``points`` are (year, percent, method), ``first`` is (year, percent) of the paper.
    """
    figure, axes = parts.one_panel(3.8)
    axes.plot(*first, "o", color=style.BLUE, mfc="none", ms=9, mew=1.6)
    parts.note(axes, "the paper", first, (8, -3))
    last = max(year for year, _, _ in points)
    level: dict[int, float] = {}
    spot: dict[int, float] = {}
    for year, value, method in sorted(points):
        # Of two dots at one place the upper one moves aside.
        aside = 0.2 * (value - spot.get(year, -np.inf) < 0.2)
        axes.plot(year - aside, value, "o", color=style.BLUE, ms=6.5, mec="white")
        spot[year] = value
        # Labels keep a distance that their height needs.
        level[year] = max(value, level.get(year, -np.inf) + 0.4)
        name = method.split(",")[0].split(" (")[0]
        side = {"ha": "right"} if year == last else {}
        offset = (-6 if side else 6, 0)
        look = {"fontsize": 7.5, "va": "center"} | side
        parts.note(axes, name, (year, level[year]), offset, **look)
    axes.set_xlim(first[0] - 0.5, last + 1)
    axes.set_xticks(range(first[0], last + 1, 2))
    axes.set(xlabel="year", ylabel="accuracy on RAF-DB, %")
    told = [f"{method} {value:.2f} in {year}" for year, value, method in points]
    return figure, (
        f"Accuracy on RAF-DB: the paper {first[1]:.2f}, later {parts.listing(told)}."
    )
