"""The figure of chapter 15: networks of several sources on several sets of faces."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fersep_book.figures import parts, style


def transfer(
    targets: Mapping[str, Mapping[str, tuple[Mapping[str, Any], float]]], title: str
) -> parts.Picture:
    """Mean-class accuracy of networks, by the set they are tried on and their source.

    ``targets`` has for each source on each target a `fersep.analysis.Interval` of each
    loss, softmax first, and what a network reaches that always names the largest class;
    in percent.
    """
    number = sum(map(len, targets.values()))
    figure, axes = parts.one_panel(1.1 + 0.17 * (number + 1.2 * len(targets)))
    places, names, told, y = [], [], [], 0.0
    for target, sources in targets.items():
        look = {"fontsize": 8.5, "fontweight": "bold"}
        parts.note(axes, f"on {target}", (0, y), (4, -3), **look)
        for source, (estimates, guess) in sources.items():
            y += 1
            places.append(y)
            names.append(source)
            edges = [y - 0.42, y + 0.42]
            axes.plot([guess, guess], edges, color=style.INK, lw=1.2, ls=style.DOTTED)
            _both_losses(axes, y, estimates)
            levels = parts.say_intervals(estimates, ".1f")
            told.append(f"{source}, tried on {target}: {levels}; guessing {guess:.1f}")
        y += 1.2
    key = [*style.LOSS_LOOKS, (style.INK, "|")]
    words = ("softmax", "softmax + separate", "always the largest class")
    looks = {
        name: {"color": color, "marker": marker, "ms": 6}
        for name, (color, marker) in zip(words, key, strict=True)
    }
    parts.legend_of(figure, looks, 3)
    axes.set_yticks(places, names)
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="mean-class accuracy, %", ylim=(y - 0.6, -0.7))
    axes.set_xlim(0, min(axes.get_xlim()[1], 103))
    parts.finding(figure, title)
    return figure, f"Mean-class accuracy in percent. {'. '.join(told)}."


def _both_losses(axes: parts.Axes, y: float, estimates: Mapping[str, Any]) -> None:
    """Draw the level of each loss with its interval on one line of a figure."""
    for each, (color, marker), lift in zip(
        estimates.values(), style.LOSS_LOOKS, (-0.17, 0.17), strict=True
    ):
        if np.isfinite(each.low):
            axes.plot([each.low, each.high], [y + lift] * 2, color=color, lw=1.5)
        look = {"color": color, "ms": 5.5, "mec": "white", "mew": 0.5}
        axes.plot(each.mean, y + lift, marker, **look)
