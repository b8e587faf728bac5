"""The figure of chapter 9: similarities within and between classes."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style


def similarity_row(
    classes: Sequence[str],
    softmax: ArrayLike,
    separate: ArrayLike,
    published: Mapping[str, Sequence[float]] | None,
) -> parts.Picture:
    """Table 1 as a picture: intra-class cosine per class, then the two averages.

    Parameters
    ----------
    softmax, separate : array, (n_seeds, s + 2)
        Intra-class cosine of each class, their mean, and the inter-class mean.
    published : mapping of loss name -> (s + 2,), or None
        The paper's rows, drawn hollow.
    """
    names = [*classes, "intra\nmean", "inter\nmean"]
    figure, axes = parts.one_panel(3.1)
    told = []
    ours = dict(zip(style.BOTH_LOSSES, (softmax, separate), strict=True))
    for i, (name, values, (color, marker)) in enumerate(
        parts.series(ours, style.LOSS_LOOKS)
    ):
        rows = np.atleast_2d(parts.as_array(values))
        mean = rows.mean(0)
        spread = [mean - rows.min(0), rows.max(0) - mean]
        places = np.arange(len(names)) + 0.32 * (i - 0.5)
        look = {"fmt": marker, "ms": 7, "mec": "white", "elinewidth": 1.6, "zorder": 4}
        axes.errorbar(places, mean, spread, color=color, label=f"{name}, ours", **look)
        if published is not None:
            look = {"ms": 8, "mfc": "none", "mew": 1.2, "label": f"{name}, the paper"}
            axes.plot(places, published[name], marker, color=color, zorder=3, **look)
        told.append(f"{name}: {parts.say('{} {:.2f}', names, mean)}")
    axes.axvline(len(classes) - 0.5, color=style.PALE, lw=1)
    parts.class_ticks(axes, names)
    axes.set_ylabel("mean cosine")
    parts.legend_below(figure, 2)
    return figure, f"Mean cosines per class, ours. {'. '.join(told)}."
