"""The figure of chapter 16: what the paper's own numbers can carry."""

from collections.abc import Sequence

import numpy as np

from fersep_book.figures import parts, style


def printed_sweep(
    values: Sequence[float], accuracies: Sequence[float], n: int
) -> parts.Picture:
    """The λ sweep on a band of plus and minus one standard error of a single run.

    Parameters
    ----------
    values : sequence of float
        Of λ.
    accuracies : sequence of float
        Printed percentages.
    n : int
        Test images.
    """
    printed = parts.as_array(accuracies)
    mean = float(printed.mean())
    error = (mean * (100 - mean) / n) ** 0.5
    figure, axes = parts.one_panel(2.2)
    axes.axhspan(mean - error, mean + error, color=style.PALE, alpha=0.6, lw=0)
    axes.axhline(mean, color=style.GRAY, lw=1)
    axes.plot(
        values, printed, "o", color=style.SEPARATE_COLOR, mfc="white", ms=8, mew=1.8
    )
    best = int(printed.argmax())
    words = f"{printed[best]:.2f} at λ = {values[best]:g}"
    place = (values[best], printed[best])
    parts.note(axes, words, place, (0, 8), ha="center", fontsize=8.5)
    axes.set(xlabel="λ", ylabel="accuracy, %", xticks=list(values))
    axes.set_ylim(mean - 1.6 * error, mean + 1.6 * error)
    inside = int((np.abs(printed - mean) <= error).sum())
    return figure, (
        f"The {len(printed)} printed accuracies of the λ sweep, from "
        f"{printed.min():.2f} to {printed.max():.2f} percent, best at λ = "
        f"{values[best]:g}. {inside} of them lie within one standard error of a "
        f"single run, {error:.2f} points, around their mean {mean:.2f}."
    )
