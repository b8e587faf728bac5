"""Figures of chapter 12: accuracies, confusions, recalls."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fersep.analysis import student_interval
from fersep_book.figures import parts, style

#: Below this many images a share says too little, and the count is shown.
FEWEST_IMAGES = 30

#: Pairs of runs up to which `seeds_needed` looks.
MOST_PAIRS = 40


def confusions(named: Mapping[str, ArrayLike], classes: Sequence[str]) -> parts.Picture:
    """Confusion matrices side by side, rows true, columns predicted.

    Rows of fewer than 30 images show counts instead of percent.

    Parameters
    ----------
    named : mapping of title -> (s, s) counts
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
    for i, j in np.argwhere(share > 0.004):
        texts[i, j] = f"{matrix[i, j]:g}" if few[i] else f"{100 * share[i, j]:.0f}"
    sizes = (7.5, 7.5) if len(classes) < 9 else (5.6, 6.5)
    dark = share > 0.55
    words = parts.heat_map(axes, share, texts, style.SHARE_COLORS, dark, sizes[0])
    for word in words[few].flat:
        word.set_style("italic")
    parts.matrix_ticks(axes, classes, classes)
    axes.tick_params(labelsize=sizes[1])


def recall_by_size(
    panels: Mapping[str, tuple[Sequence[str], ArrayLike, ArrayLike, ArrayLike | None]],
) -> parts.Picture:
    """Recall of each class against its training images; the paper's hollow.

    Parameters
    ----------
    panels : mapping of title -> (classes, counts (s,), recalls (s,), published)
        ``published`` is None or a pair of the paper's (counts (s,), recalls (s,)).
        Recalls in percent.
    """
    figure, row = parts.row_of_panels(3.1, len(panels), sharey=True)
    told = []
    for axes, (title, (classes, counts, recalls, paper)) in zip(
        row, panels.items(), strict=True
    ):
        looks = style.class_style(classes)
        ours = np.stack([parts.as_array(counts), parts.as_array(recalls)], 1)
        for name, place, (color, marker) in zip(classes, ours, looks, strict=True):
            axes.plot(*place, marker, color=color, ms=8, mec="white", zorder=4)
            parts.note(axes, name, place, (6, 4), fontsize=7.5)
        if paper is not None:
            for place, (color, marker) in zip(
                parts.as_array(paper).T, looks, strict=True
            ):
                axes.plot(*place, marker, color=color, mfc="none", ms=7)
        axes.set_xscale("log")
        parts.log_ticks(axes.xaxis)
        axes.set(title=title, xlabel="training images of the class", ylim=(-4, 104))
        told.append(f"{title}: {parts.say('{} {:.0f}', classes, ours[:, 1])}")
    row[0].set_ylabel("recall, %")
    return figure, (
        "Recall of each class in percent against its number of training images. "
        f"{'. '.join(told)}."
    )


def redrawn_gains(gains: ArrayLike, p_values: ArrayLike, whole: float) -> parts.Picture:
    """What one pair of models would report on many test sets of the paper's size.

    Parameters
    ----------
    gains : array, (draws,)
        Points of accuracy.
    p_values : array, (draws,)
        McNemar's, on the same draws.
    whole : float
        The gain on all test images.
    """
    values, significant = parts.as_array(gains), parts.as_array(p_values) < 0.05
    figure, axes = parts.one_panel(2.6)
    edges = np.histogram_bin_edges(values, 40).tolist()
    both = [values[~significant], values[significant]]
    labels = ["p ≥ 0.05", "p < 0.05 (McNemar)"]
    axes.hist(both, edges, stacked=True, color=[style.PALE, style.ORANGE], label=labels)
    axes.axvline(whole, color=style.BLUE, lw=2, label="all test images")
    axes.axvline(0, color=style.INK, lw=1, ls=style.DOTTED)
    axes.set(xlabel="gain in accuracy, points", ylabel="test sets")
    parts.legend_below(figure, 3)
    low, high = np.quantile(values, [0.025, 0.975])
    return figure, (
        f"Histogram over {len(values)} test sets of the gain of one pair of models: 95 "
        f"percent lie between {low:.2f} and {high:.2f} points, around {whole:.2f} on "
        f"all images; {100 * significant.mean():.0f} percent are significant."
    )


def seeds_needed(spread: float, target: float, so_far: int) -> parts.Picture:
    """Half-width of the 95 % interval of a paired mean against the number of pairs.

    Parameters
    ----------
    spread : float
        Standard deviation of the paired differences in a pilot.
    target : float
        The half-width wanted, in the same unit.
    so_far : int
        Pairs in the pilot.
    """
    numbers = np.arange(2, MOST_PAIRS + 1)
    half = np.array([student_interval(0.0, spread, int(n))[1] for n in numbers])
    figure, axes = parts.one_panel(2.6)
    axes.plot(numbers, half, color=style.BLUE)
    axes.axhline(target, color=style.ORANGE, lw=1.4, ls="--")
    parts.note(axes, "wanted", (MOST_PAIRS, target), ha="right", va="bottom")
    if so_far >= 2:
        here = (so_far, student_interval(0.0, spread, so_far)[1])
        axes.plot(*here, "o", color=style.BLUE, ms=8, mec="white")
        parts.note(axes, "this run", here, (7, 3))
    axes.set_yscale("log")
    parts.log_ticks(axes.yaxis)
    axes.set(xlabel="paired seeds", ylabel="half-width, points")
    enough = numbers[half <= target]
    need = f"{enough[0]} pairs" if len(enough) else f"more than {MOST_PAIRS} pairs"
    return figure, (
        f"Half-width of the interval against the number of pairs, for a spread of "
        f"{spread:.2f} points: {target:g} points need {need}."
    )
