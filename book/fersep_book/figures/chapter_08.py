"""Figures of chapter 8: training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style


def training_curves(
    softmax: Sequence[Mapping[str, Any]], separate: Sequence[Mapping[str, Any]]
) -> parts.Picture:
    """Loss terms and validation accuracy per epoch; thin lines are single seeds.

    Parameters
    ----------
    softmax, separate : sequence of mapping
        Histories of `fersep.training.Run`, one for each seed.
    """
    figure, panels = parts.row_of_panels(2.9, 3)
    titles = {
        "softmax_loss": "softmax loss $L_s$",
        "intra_loss": "$L_{intra}$ (Eq. 2)",
        "validation_accuracy": "validation accuracy, %",
    }
    runs = dict(zip(style.BOTH_LOSSES, (softmax, separate), strict=True))
    looks = ((style.SOFTMAX_COLOR, "--"), (style.SEPARATE_COLOR, "-"))
    told = []
    for axes, (key, title) in zip(panels, titles.items(), strict=True):
        for name, histories, (color, line) in parts.series(runs, looks):
            rows = parts.as_array([history[key] for history in histories])
            epochs = np.arange(1, rows.shape[1] + 1)
            look = {"color": color, "ls": line}
            axes.plot(epochs, rows.T, lw=0.8, alpha=0.45, marker=".", **look)
            axes.plot(epochs, rows.mean(0), lw=2.2, marker="o", label=name, **look)
            told.append(f"{key.replace('_', ' ')} with {name} {rows[:, -1].mean():.3g}")
        axes.set(title=title, xlabel="epoch")
        parts.whole_ticks(axes.xaxis)
    parts.legend_below(figure, 2, panels[0])
    return figure, (
        f"Three curves over {len(epochs)} epochs for two losses, mean over "
        f"{len(separate)} seeds. At the end: {parts.listing(told)}."
    )


def paired_seeds(
    names: Sequence[str],
    softmax: Sequence[Sequence[float]],
    separate: Sequence[Sequence[float]],
    intervals: Sequence[Any],
    baseline: float,
) -> parts.Picture:
    """One panel for each measure: seeds joined by a line, and their mean difference.

    Parameters
    ----------
    names : sequence of str
        The measures, in percent.
    softmax, separate : sequence of sequence of float
        For each measure one value per seed, paired.
    intervals : sequence of `fersep.analysis.Interval`
        Separate minus softmax.
    baseline : float
        Accuracy of always naming the largest class, drawn in the first panel.
    """
    figure, panels = parts.row_of_panels(2.7, len(names))
    told = []
    for axes, name, left, right, gap in zip(
        panels, names, softmax, separate, intervals, strict=True
    ):
        for a, b in zip(left, right, strict=True):
            axes.plot([0, 1], [a, b], color=style.PALE, lw=1.4, zorder=1)
            axes.plot(0, a, "s", color=style.SOFTMAX_COLOR, ms=7, mec="white", zorder=3)
            axes.plot(
                1, b, "o", color=style.SEPARATE_COLOR, ms=7.5, mec="white", zorder=3
            )
        axes.set_xticks([0, 1], ["softmax", "softmax +\nseparate"])
        axes.set(xlim=(-0.5, 1.5), ylabel=f"{name}, %")
        text = f"{gap.mean:+.2f} points"
        if np.isfinite(gap.low):
            text += f"\n95 %: {gap.low:+.2f} to {gap.high:+.2f}"
        axes.set_title(text, fontweight="normal")
        told.append(f"{name}: separate minus softmax {text}".replace("\n", ", "))
    panels[0].axhline(baseline, color=style.INK, lw=1, ls=style.DOTTED)
    place = (1.5, baseline)
    parts.note(panels[0], "largest class", place, ha="right", va="bottom")
    told.append(f"always naming the largest class gives {baseline:.1f} percent")
    return figure, f"{len(softmax[0])} pairs of runs joined by seed. {'; '.join(told)}."


def class_recalls(
    classes: Sequence[str],
    counts: Sequence[int],
    recalls: Mapping[str, ArrayLike],
) -> parts.Picture:
    """Recall of each class against its number of training images.

    Parameters
    ----------
    counts : sequence of int, (s,)
        Training images of each class.
    recalls : mapping of loss name -> (n_seeds, s) percent
        NaN for a class without a test image.
    """
    order = np.argsort(-np.asarray(counts), kind="stable")
    names = [classes[k] for k in order]
    figure, axes = parts.one_panel(2.8)
    told = []
    for i, (loss, values, (color, marker)) in enumerate(
        parts.series(recalls, style.LOSS_LOOKS)
    ):
        rows = np.atleast_2d(parts.as_array(values))[:, order]
        mean = rows.mean(0)
        places = np.arange(len(order)) + 0.24 * (i - 0.5)
        for row in rows:
            axes.plot(places, row, marker, color=color, ms=4, alpha=0.4, mec="none")
        axes.plot(places, mean, marker, color=color, ms=8, mec="white", label=loss)
        words = parts.say("{} {:.0f}", names, mean).replace("nan", "untested")
        told.append(f"{loss}: {words}")
    parts.class_ticks(axes, [f"{classes[k]}\n{counts[k]}" for k in order])
    axes.set(ylim=(-4, 104), ylabel="recall, %")
    axes.set_xlabel("class and its number of training images")
    parts.legend_below(figure, 2)
    return figure, (
        "Recall of each class in percent, classes from the most to the fewest training "
        f"images. {'. '.join(told)}."
    )
