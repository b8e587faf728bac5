"""Figures of chapter 10: learned and true centers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style


def convergence(
    classes: Sequence[str],
    agreement: ArrayLike,
    first: Sequence[float] | None,
    last: Sequence[float] | None,
) -> parts.Picture:
    """Cosine of learned and true center for each class, epoch by epoch.

    ``agreement`` (epochs, s) is a mean over seeds. The paper's values (s,) in its first
    and last epoch, if given, are drawn hollow at the sides.
    """
    values = parts.as_array(agreement)
    epochs = np.arange(1, len(values) + 1)
    figure, axes = parts.one_panel(3.0)
    looks = style.class_style(classes)
    names = parts.class_words(classes)
    for name, curve, (color, marker) in zip(names, values.T, looks, strict=True):
        look = {"color": color, "ms": 7, "mec": "white", "mew": 0.6}
        axes.plot(epochs, curve, marker=marker, label=name, **look)
    side = max(0.5, 0.05 * len(epochs))
    for place, paper in ((1 - side, first), (len(epochs) + side, last)):
        if paper is None:
            continue
        for value, (color, marker) in zip(paper, looks, strict=True):
            look = {"color": color, "mfc": "none", "ms": 7.5, "mew": 1.3}
            axes.plot(place, value, marker, **look)
        axes.axvspan(place - side / 2, place + side / 2, color="#F4F4F4", zorder=0)
        above = {"xycoords": axes.get_xaxis_transform(), "ha": "center"}
        parts.note(axes, "paper", (place, 1.01), (0, 0), color=style.GRAY, **above)
    axes.axhline(0, color=style.PALE, lw=1, zorder=0)
    axes.set_ylim(min(-0.05, values.min() - 0.05), 1.05)
    axes.set(xlabel="epoch", ylabel="cosine")
    parts.whole_ticks(axes.xaxis)
    parts.legend_beside(axes)
    lags = names[int(values[-1].argmin())]
    parts.finding(figure, f"After the last epoch {lags} is farthest from its center")
    ends = parts.say("{} from {:.2f} to {:.2f}", classes, values[0], values[-1])
    return figure, (
        "Cosine of learned and true center of each class over "
        f"{len(epochs)} epochs: {ends}."
    )


def predicted(
    classes: Sequence[str], expected: ArrayLike, observed: ArrayLike
) -> parts.Picture:
    """Agreement of learned and true centers, predicted and observed.

    Both are (seeds, s).
    """
    x, y = parts.as_array(expected), parts.as_array(observed)
    figure, axes = parts.one_panel(3.0, 4.6)
    axes.plot([-1, 1], [-1, 1], color=style.PALE, lw=1, zorder=0)
    axes.axhline(0, color=style.INK, lw=0.8, ls=style.DOTTED)
    looks = style.class_style(classes)
    names = parts.class_words(classes)
    for j, (name, (color, marker)) in enumerate(zip(names, looks, strict=True)):
        # Hollow: most classes share the corner.
        look = {"color": color, "ms": 7, "mfc": "none", "mew": 1.1, "ls": ""}
        axes.plot(x[:, j], y[:, j], marker, label=name, **look)
    parts.legend_beside(axes)
    axes.set(xlabel="predicted by the balance of pull and push", ylabel="observed")
    axes.set(xlim=(-1.08, 1.08), ylim=(-1.08, 1.08), aspect="equal")
    parts.finding(figure, "Each center, predicted and observed")
    told = parts.say("{} {:.2f} and {:.2f}", classes, x.mean(0), y.mean(0))
    return figure, (
        "Cosine of learned and true center of each class, predicted and observed, "
        f"means over seeds: {told}."
    )
