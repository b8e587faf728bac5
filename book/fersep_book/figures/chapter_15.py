"""The figure of chapter 15: from one data set to another."""

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
    dark, wide = values > 70, {"vmax": 100, "aspect": "auto"}
    parts.heat_map(axes, values, texts, style.SHARE_COLORS, dark, 9, **wide)
    parts.matrix_ticks(axes, sources, [t.replace(", ", ",\n") for t in targets])
    axes.set(xlabel="tested on", ylabel="trained on")
    told = [
        f"trained on {name}: {parts.say('{} {:.0f}', targets, row)}"
        for name, row in zip(sources, values, strict=True)
    ]
    return figure, f"Accuracy in percent. {'. '.join(told)}."
