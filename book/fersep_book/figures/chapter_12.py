"""Figures of chapter 12: confusions, and how sure a gain is."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style

#: Below this many images a share says too little, and the count is shown.
FEWEST_IMAGES = 30


def confusions(named: Mapping[str, ArrayLike], classes: Sequence[str]) -> parts.Picture:
    """Confusion matrices side by side, rows true, columns predicted.

    Rows of fewer than 30 images show counts instead of percent. ``named`` has counts
    (s, s) for each title.
    """
    height = min(4.4, 0.55 + 0.97 * style.WIDTH / len(named))
    figure, panels = parts.row_of_panels(height, len(named))
    told = []
    for axes, (title, counts) in zip(panels, named.items(), strict=True):
        matrix = parts.as_array(counts)
        totals = matrix.sum(1, keepdims=True)
        share = np.divide(matrix, totals, out=np.zeros_like(matrix), where=totals > 0)
        _confusion(axes, matrix, share, classes)
        axes.set(title=title, xlabel="predicted", ylabel="true")
        off = matrix - np.diag(np.diag(matrix))
        i, j = divmod(int(off.argmax()), len(classes))
        right = parts.say("{} {:.0f}", classes, 100 * np.diag(share))
        told.append(
            f"{title}: percent right {right}; most often {classes[i]} is taken for "
            f"{classes[j]}"
        )
    return figure, f"Confusion matrices. {'. '.join(told)}."


def _confusion(
    axes: parts.Axes, matrix: parts.Array, share: parts.Array, classes: Sequence[str]
) -> None:
    few = matrix.sum(1) < FEWEST_IMAGES
    texts = np.full(matrix.shape, "", dtype=object)
    for i, j in np.argwhere(share > np.where(few, 0, 0.005)[:, None]):
        texts[i, j] = f"{matrix[i, j]:g}" if few[i] else f"{100 * share[i, j]:.0f}"
    words = parts.heat_map(axes, share, texts, style.SHARE_COLORS, size=7.5)
    for word in words[few].flat:
        word.set_style("italic")
    parts.matrix_ticks(axes, classes, classes)
    axes.tick_params(labelsize=7.5)


def half_widths(widths: ArrayLike, smallest: float) -> parts.Picture:
    """How wide the interval of a gain is, by the number of pairs.

    Rows of ``widths`` hold the number of pairs, the half-width by seeds alone, and that
    by seeds and images. ``smallest`` is the smallest gain that matters, in points.
    """
    # Of two pairs the interval is too wide to be drawn with the others.
    rows = parts.as_array(widths)
    pairs, alone, both = rows[len(rows) > 1 :].T
    figure, axes = parts.one_panel(2.0)
    for values, color, name, up in (
        (alone, style.GRAY, "seeds alone", -14),
        (both, style.BLUE, "seeds and\ntest images", 3),
    ):
        axes.plot(pairs, values, "o-", color=color, ms=5)
        place = (pairs[-1], values[-1])
        parts.note(axes, name, place, (8, up), color=color, fontsize=9)
    axes.axhline(smallest, color=style.INK, ls=style.DOTTED, lw=1)
    axes.set(xlabel="pairs of runs", ylabel="half-width, points", xticks=pairs)
    axes.set_ylim(0, 1.15 * both.max())
    axes.set_xlim(pairs[0] - 0.3, pairs[-1] + 0.35 * (pairs[-1] - 1))
    parts.finding(
        figure,
        f"With {pairs[-1]:.0f} pairs the interval still reaches {both[-1]:.2f} points "
        "to each side",
    )
    return figure, (
        "Half-width of the 95 percent interval by the number of pairs. Seeds alone: "
        f"{parts.say('{:.0f} pairs {:.2f}', pairs, alone)}. Seeds and test images: "
        f"{parts.say('{:.0f} pairs {:.2f}', pairs, both)}."
    )
