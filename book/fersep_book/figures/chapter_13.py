"""The figure of chapter 13: accuracy against one setting."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style


def sweep(
    values: Sequence[float],
    arms: Mapping[str, ArrayLike],
    label: str,
    published: tuple[Sequence[float], Sequence[float]],
    baseline: ArrayLike,
) -> parts.Picture:
    """Accuracy against one setting; small marks are seeds, large ones their mean.

    Parameters
    ----------
    arms : mapping of name -> (len(values), n_seeds) percent
    label : str
        The name of the setting.
    published : (values, accuracies)
        The paper's, drawn hollow in a panel of its own.
    baseline : array, (n_seeds,)
        Accuracy without the setting (softmax alone, or no extra layer).
    """
    figure, (axes, right) = parts.row_of_panels(3.0, 2, width_ratios=[1.6, 1])
    told = []
    looks = (style.LOSS_LOOKS[1], (style.ORANGE, "s"), (style.GRAY, "D"))
    for i, (name, table, (color, marker)) in enumerate(parts.series(arms, looks)):
        rows = parts.as_array(table)
        mean = rows.mean(1)
        places = np.arange(len(values)) + 0.12 * (i - (len(arms) - 1) / 2)
        for row in rows.T:
            axes.plot(places, row, marker, color=color, ms=3.5, alpha=0.45)
        look = {"color": color, "ms": 7.5, "mec": "white", "label": name}
        axes.plot(places, mean, f"{marker}-", **look)
        told.append(
            f"{name}: means from {mean.min():.1f} to {mean.max():.1f} percent, the "
            f"best at {values[int(mean.argmax())]:g}"
        )
    level = parts.as_array(baseline)
    axes.axhspan(level.min(), level.max(), color=style.PALE, alpha=0.6, zorder=0)
    axes.axhline(level.mean(), color=style.SOFTMAX_COLOR, ls="--", label="without it")
    axes.set_xticks(range(len(values)), [f"{v:g}" for v in values])
    axes.set(xlabel=label, ylabel="accuracy, %", title="ours")
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.legend(fontsize=8)
    settings, accuracies = published
    right.plot(accuracies, "o-", color=style.SEPARATE_COLOR, mfc="white", ms=6.5)
    every_second = range(0, len(settings), 2)
    right.set_xticks(every_second, [f"{settings[k]:g}" for k in every_second])
    right.set(xlabel=label, title="the paper, one run each")
    told.append(f"without it {level.mean():.1f} percent")
    told.append(f"the paper: {min(accuracies):.2f} to {max(accuracies):.2f} percent")
    return figure, f"Accuracy against {label}. {'. '.join(told)}."
