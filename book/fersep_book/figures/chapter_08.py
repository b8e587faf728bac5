"""Figures of chapter 8: training."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style

#: The softmax loss alone and beside it each rule of the centers: color and marker.
LOOKS = {
    "softmax": (style.SOFTMAX_COLOR, "s"),
    "exact gradient": (style.BLUE, "o"),
    "as printed": (style.RED, "X"),
    "mean rule": (style.GREEN, "D"),
}


def pairs_by_epoch(runs: Mapping[str, ArrayLike], label: str) -> parts.Picture:
    """A quantity by epoch, and how far the runs lie from their softmax partners.

    ``runs`` has "softmax" first, then rules in words, each (seeds, epochs), in percent
    and paired by seed. ``label`` names the quantity.
    """
    rows = {name: parts.as_array(given) for name, given in runs.items()}
    figure, (left, right) = parts.row_of_panels(3.3, 2)
    means = parts.epoch_curves(left, rows, [LOOKS[name] for name in rows])
    thick = [line for line in left.lines if line.get_label() in means]
    for k, line in enumerate(thick):  # the later ones lie on top
        line.set(lw=4.2 - k, markevery=(k, len(thick)))
    left.set_title("each loss")
    left.set_ylabel(label)
    softmax = rows.pop("softmax")
    apart = {name: each - softmax for name, each in rows.items()}
    gaps = parts.epoch_curves(right, apart, [LOOKS[name] for name in apart])
    right.axhline(0, color=style.INK, lw=1, ls=style.DOTTED)
    right.set_title("less the softmax run of its seed")
    right.set_ylabel("points")
    widest = max(np.abs(each).max() for each in apart.values())
    end = max(abs(each[-1]) for each in gaps.values())
    parts.legend_below(figure, len(means), left)
    title = f"Pairs lie up to {widest:.1f} points apart on the way, the means {end:.1f}"
    if len(softmax) == 1:
        title = f"One seed: up to {widest:.1f} points apart on the way, {end:.1f}"
    parts.finding(figure, f"{title} at the end")
    ends = [f"{name} {each[-1]:.1f}" for name, each in means.items()]
    lie = [f"{name} {each[-1]:+.2f}" for name, each in gaps.items()]
    return figure, (
        f"{label.capitalize()}, by epoch, mean over {len(softmax)} seeds; in the last "
        f"of {softmax.shape[1]} epochs {parts.listing(ends)}. Less softmax, by pairs: "
        f"{parts.listing(lie)} at the end, and up to {widest:.1f} points on the way."
    )


def loss_terms(terms: Mapping[str, Mapping[str, ArrayLike]]) -> parts.Picture:
    """Terms of the loss by epoch, one panel each.

    ``terms`` has for each term runs as in `pairs_by_epoch`.
    """
    figure, panels = parts.row_of_panels(2.9, len(terms))
    told, least = [], []
    for axes, (term, runs) in zip(panels, terms.items(), strict=True):
        means = parts.epoch_curves(axes, runs, [LOOKS[name] for name in runs])
        axes.set_title(term)
        ends = [f"{name} {each[-1]:.3f}" for name, each in means.items()]
        lowest = min(means, key=lambda name: means[name][-1])
        least.append(f"{lowest} in {term.partition(' (')[0]}")
        plain = term.translate(str.maketrans("", "", "${}"))
        told.append(f"{plain} at the end: {parts.listing(ends)}")
    parts.legend_below(figure, len(means), panels[0])
    parts.finding(figure, f"Smallest at the end: {parts.listing(least)}")
    return figure, f"Terms of the loss by epoch. {'. '.join(told)}."
