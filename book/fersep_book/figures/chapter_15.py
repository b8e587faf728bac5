"""The figure of chapter 15: from one data set to another."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from fersep_book.figures import parts, style


def transfer(
    sources: Sequence[str], targets: Sequence[str], accuracy: ArrayLike
) -> parts.Picture:
    """Accuracy of models trained on one source (rows), tested on each target.

    Parameters
    ----------
    accuracy : array, (sources, targets)
        Percent, mean over the seeds.
    """
    values = parts.as_array(accuracy)
    figure, axes = parts.one_panel(1.2 + 0.55 * len(sources))
    texts = [[f"{value:.1f}" for value in row] for row in values]
    look = {"vmax": 100, "aspect": "auto", "size": 9}
    parts.heat_map(axes, values, texts, style.SHARE_COLORS, values > 70, **look)
    parts.matrix_ticks(axes, sources, [t.replace(", ", ",\n") for t in targets])
    axes.set(xlabel="tested on", ylabel="trained on")
    told = [
        f"trained on {name}: {parts.named(targets, row, '.0f')}"
        for name, row in zip(sources, values, strict=True)
    ]
    return figure, f"Accuracy in percent. {'. '.join(told)}."
