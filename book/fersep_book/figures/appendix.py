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
    figure, axes = parts.one_panel(3.2)
    axes.plot(*first, "o", color=style.BLUE, mfc="none", ms=9, mew=1.6)
    parts.note(axes, "the paper", first, (8, -3))
    level: dict[int, float] = {}
    for year, value, method in sorted(points):
        axes.plot(year, value, "o", color=style.BLUE, ms=6.5, mec="white")
        # Labels keep a distance that their height needs.
        level[year] = max(value, level.get(year, -np.inf) + 0.42)
        name = method.split(",")[0].split(" (")[0]
        axes.text(year + 0.08, level[year], name, fontsize=7, va="center")
    axes.set_xlim(first[0] - 0.5, max(level) + 1.4)
    axes.set_xticks(range(first[0], max(level) + 1))
    axes.set(xlabel="year", ylabel="accuracy on RAF-DB, %")
    told = [f"{method} {value:.2f} in {year}" for year, value, method in points]
    return figure, (
        f"Accuracy on RAF-DB: the paper {first[1]:.2f}, later {parts.listing(told)}."
    )
