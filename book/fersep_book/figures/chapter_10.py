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
    figure, axes = parts.one_panel(3.2)
    looks = style.class_style(classes)
    for name, curve, (color, marker) in zip(classes, values.T, looks, strict=True):
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
        at_bottom = {"xycoords": axes.get_xaxis_transform(), "ha": "center"}
        parts.note(axes, "paper", (place, 0.01), (0, 0), color=style.GRAY, **at_bottom)
    axes.axhline(0, color=style.PALE, lw=1, zorder=0)
    axes.set_ylim(min(-0.05, values.min() - 0.05), 1.05)
    axes.set(xlabel="epoch", ylabel="cosine of learned and true center")
    parts.whole_ticks(axes.xaxis)
    parts.legend_beside(axes)
    ends = parts.say("{} from {:.2f} to {:.2f}", classes, values[0], values[-1])
    return figure, (
        "Cosine of learned and true center of each class over "
        f"{len(epochs)} epochs: {ends}."
    )


def agreement_at(
    classes: Sequence[str],
    counts: Sequence[int],
    agreement: ArrayLike,
    passive: ArrayLike,
    epoch: int,
) -> parts.Picture:
    """Agreement of learned and true centers in one epoch, against class size.

    Parameters
    ----------
    agreement, passive : array, (epochs, s)
        With the separate loss, and with λ = 0 and centers that only follow.
    epoch : int
        Counted from 1.
    """
    every, every_control = parts.as_array(agreement), parts.as_array(passive)
    ours, control = every[epoch - 1], every_control[epoch - 1]
    lowest = min(0.0, every.min(), every_control.min())
    figure, axes = parts.one_panel(3.0)
    for name, n, a, b, (color, marker) in zip(
        classes, counts, ours, control, style.class_style(classes), strict=True
    ):
        axes.plot([n, n], [b, a], color=style.PALE, lw=1.4, zorder=1)
        axes.plot(n, b, marker, color=color, mfc="none", ms=8)
        axes.plot(n, a, marker, color=color, mec="white", ms=9, zorder=4)
        parts.note(axes, name, (n, max(a, b)), (0, 7), ha="center")
    axes.set_xscale("log")
    parts.log_ticks(axes.xaxis)
    axes.axhline(0, color=style.PALE, lw=1, zorder=0)
    axes.set_ylim(lowest - 0.08, 1.14)
    axes.set_xlabel("training images of the class (logarithmic)")
    axes.set_ylabel("cosine of learned and true center")
    axes.set_title(f"epoch {epoch}: filled with the separate loss, hollow λ = 0")
    return figure, (
        f"Epoch {epoch}, cosine of learned and true center. With the separate loss: "
        f"{parts.say('{} {:.2f}', classes, ours)}. With λ = 0, centers only following: "
        f"{parts.say('{} {:.2f}', classes, control)}."
    )


def foretold(
    classes: Sequence[str], expected: ArrayLike, observed: ArrayLike
) -> parts.Picture:
    """Agreement of learned and true centers, foretold and observed.

    Both are (seeds, s).
    """
    x, y = parts.as_array(expected), parts.as_array(observed)
    figure, axes = parts.one_panel(3.6, 5.6)
    axes.plot([-1, 1], [-1, 1], color=style.PALE, lw=1, zorder=0)
    axes.axhline(0, color=style.INK, lw=0.8, ls=style.DOTTED)
    looks = style.class_style(classes)
    for j, (name, (color, marker)) in enumerate(zip(classes, looks, strict=True)):
        look = {"color": color, "ms": 7, "mec": "white", "mew": 0.4}
        axes.plot(x[:, j], y[:, j], marker, label=name, **look)
    parts.legend_beside(axes)
    axes.set(xlabel="foretold by the balance of pull and push", ylabel="observed")
    axes.set(xlim=(-1.08, 1.08), ylim=(-1.08, 1.08), aspect="equal")
    parts.finding(figure, "Each center, foretold and observed")
    told = parts.say("{} {:.2f} and {:.2f}", classes, x.mean(0), y.mean(0))
    return figure, (
        "Cosine of learned and true center of each class, foretold and observed, means "
        f"over seeds: {told}."
    )
