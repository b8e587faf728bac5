"""Figures of chapter 7b: how often intervals are right, and what pairs are worth."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style


def interval_coverage(
    numbers: Sequence[int], shares: Mapping[str, Sequence[float]], title: str
) -> parts.Picture:
    """How often kinds of 95 % interval hold the truth, by number of seeds.

    ``shares`` has for each kind of interval a share of experiments, from 0 to 1, at
    each of ``numbers`` of seeds.
    """
    figure, axes = parts.one_panel(2.7)
    looks = ((style.BLUE, "o"), (style.ORANGE, "s"), (style.GREEN, "D"))
    told = []
    for name, values, (color, marker) in parts.series(shares, looks):
        percent = 100 * parts.as_array(values)
        axes.plot(percent, marker, color=color, ms=7.5, mec="white", label=name)
        told.append(f"{name}: {parts.say('{:.0f} % at {}', percent, numbers)}")
    axes.axhline(95, color=style.INK, lw=1, ls="--", label="95 %, as it says")
    axes.set_xticks(range(len(numbers)), [str(n) for n in numbers])
    axes.set(xlabel="seeds", ylabel="holds the truth, %")
    axes.set_ylim(top=100)
    parts.legend_below(figure, len(shares) + 1)
    parts.finding(figure, title)
    return figure, (
        f"{title}. Share of simulated experiments whose 95 % interval holds the "
        f"truth, by the number of seeds. {'. '.join(told)}."
    )


def repeated_experiments(
    strangers: tuple[ArrayLike, ArrayLike],
    pairs: tuple[ArrayLike, ArrayLike],
    truth: float,
    reach: float,
) -> parts.Picture:
    """The same experiment again and again: one interval for each, beside the truth.

    Both kinds have low and high ends (experiments,). ``truth`` is the true difference
    of the two losses, ``reach`` half the width of the picture; in points.
    """
    figure, panels = parts.row_of_panels(3.2, 2, sharey=True, sharex=True)
    told = []
    for axes, name, ends, color in zip(
        panels,
        ("strangers", "pairs"),
        (strangers, pairs),
        (style.ORANGE, style.BLUE),
        strict=True,
    ):
        low, high = (parts.as_array(end) for end in ends)
        holds = (low <= truth) & (truth <= high)
        for k, (a, b, hit) in enumerate(zip(low, high, holds, strict=True)):
            ink, width, line = (color, 2.4, "-") if hit else (style.INK, 1.6, ":")
            axes.plot([a, b], [k, k], color=ink, lw=width, ls=line)
        axes.axvline(truth, color=style.GRAY, lw=1.2)
        axes.axvline(0, color=style.INK, lw=1.2, ls="--")
        found = int(((low > 0) | (high < 0)).sum())
        axes.set_title(f"{name}: {found} of {len(low)} exclude zero")
        axes.set(xlim=(truth - reach, truth + reach), yticks=[])
        axes.set_xlabel("difference, points")
        axes.grid(visible=False, axis="y")
        told.append(
            f"{name}: {holds.sum()} of {len(low)} intervals hold the truth, {found} "
            f"exclude zero, median width {np.median(high - low):.2f} points"
        )
    return figure, (
        f"Intervals of repeated simulated experiments; the true difference is "
        f"{truth:g} points. {'. '.join(told)}."
    )
