"""Figures of chapters 8-11: training, similarities, centers, one map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from fersep_book.figures.style import (
    BLUE,
    CLASS_STYLE,
    DPI,
    GRAY,
    INK,
    PALE,
    WIDTH,
    _array,
    _figure,
    _listed,
)

# Chapters 8-11: training, similarities, centers, one map.

SOFTMAX_COLOR = GRAY
SEPARATE_COLOR = BLUE
BOTH_LOSSES = ("softmax loss", "softmax + separate loss")


def _class_ticks(axes: Axes, classes: Sequence[str]) -> None:
    axes.set_xticks(range(len(classes)), list(classes))
    axes.grid(visible=False, axis="x")


def class_style(classes: Sequence[str]) -> list[tuple[str, str]]:
    """Color and marker for each class of a data set, in its order.

    Compound classes have a sad one called SA as well (sadly angry); a reader's own
    classes take the styles in turn.
    """
    compound = "HS" in classes
    spare = list(CLASS_STYLE.values())
    return [
        CLASS_STYLE.get("SA_" if compound and name == "SA" else name)
        or spare[i % len(spare)]
        for i, name in enumerate(classes)
    ]


def face_grid(
    images: ArrayLike, labels: ArrayLike, classes: Sequence[str], columns: int = 10
) -> tuple[Figure, str]:
    """The first images of each class, one row per class.

    Parameters
    ----------
    images : array, (n, 3, height, width) uint8
    labels : array, (n,)
    """
    pictures, numbers = np.asarray(images), np.asarray(labels)
    figure = Figure(
        figsize=(WIDTH, 0.06 + WIDTH * 0.95 / columns * len(classes)), dpi=DPI
    )
    grid = figure.subplots(
        len(classes),
        columns,
        squeeze=False,
        gridspec_kw={"wspace": 0.04, "hspace": 0.04},
    )
    figure.subplots_adjust(left=0.06, right=1, top=1, bottom=0)
    shown = []
    for row, name in enumerate(classes):
        which = np.flatnonzero(numbers == row)[:columns]
        shown.append(f"{len(which)} of {name}")
        for axes in grid[row]:
            axes.axis("off")
        for axes, i in zip(grid[row], which, strict=False):
            axes.imshow(pictures[i].transpose(1, 2, 0), interpolation="nearest")
        grid[row, 0].text(
            -0.12,
            0.5,
            name,
            transform=grid[row, 0].transAxes,
            ha="right",
            va="center",
            fontweight="bold",
        )
    return figure, f"Face images, one row for each class: {_listed(shown)}."


def training_curves(
    softmax: Sequence[Mapping[str, Any]], separate: Sequence[Mapping[str, Any]]
) -> tuple[Figure, str]:
    """Loss terms and validation accuracy per epoch; thin lines are single seeds.

    Parameters
    ----------
    softmax, separate : sequence of mapping
        Histories of `fersep.training.Run`, one for each seed.
    """
    figure = _figure(2.9)
    panels = figure.subplots(1, 3)
    keys = ("softmax_loss", "intra_loss", "validation_accuracy")
    titles = ("softmax loss $L_s$", "$L_{intra}$ (Eq. 2)", "validation accuracy, %")
    epochs = np.arange(1, len(separate[0]["softmax_loss"]) + 1)
    ends = []
    for axes, key, title in zip(panels, keys, titles, strict=True):
        pairs = zip(
            BOTH_LOSSES,
            (softmax, separate),
            (SOFTMAX_COLOR, SEPARATE_COLOR),
            ("--", "-"),
            strict=True,
        )
        for name, runs, color, dash in pairs:
            rows = _array([run[key] for run in runs])
            for row in rows:
                axes.plot(
                    epochs, row, dash, color=color, lw=0.8, alpha=0.45, marker="."
                )
            mean = rows.mean(0)
            axes.plot(epochs, mean, dash, color=color, lw=2.2, marker="o", label=name)
            ends.append(f"{key.replace('_', ' ')} with {name} {rows[:, -1].mean():.3g}")
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2
    )
    alt = (
        f"Three curves over {len(epochs)} epochs for two losses, mean over "
        f"{len(separate)} seeds. At the end: {_listed(ends)}."
    )
    return figure, alt


def paired_seeds(
    names: Sequence[str],
    softmax: Sequence[Sequence[float]],
    separate: Sequence[Sequence[float]],
    intervals: Sequence[Any],
    baseline: float | None = None,
) -> tuple[Figure, str]:
    """One panel for each measure: seeds joined by a line, and their mean difference.

    Parameters
    ----------
    names : sequence of str
        The measures, in percent.
    softmax, separate : sequence of sequence of float
        For each measure one value per seed, paired.
    intervals : sequence of `fersep.analysis.Interval`
        Separate minus softmax.
    baseline : float, optional
        Accuracy of always naming the largest class, drawn in the first panel.
    """
    figure = _figure(2.7)
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    parts = []
    for axes, name, left, right, gap in zip(
        panels, names, softmax, separate, intervals, strict=True
    ):
        for a, b in zip(left, right, strict=True):
            axes.plot([0, 1], [a, b], color=PALE, lw=1.4, zorder=1)
            axes.plot(0, a, "s", color=SOFTMAX_COLOR, ms=7, mec="white", zorder=3)
            axes.plot(1, b, "o", color=SEPARATE_COLOR, ms=7.5, mec="white", zorder=3)
        axes.set_xticks([0, 1], ["softmax", "softmax +\nseparate"])
        axes.set_xlim(-0.5, 1.5)
        axes.set_ylabel(f"{name}, %")
        text = f"{gap.mean:+.2f} points"
        if np.isfinite(gap.low):
            text += f"\n95 %: {gap.low:+.2f} to {gap.high:+.2f}"
        axes.set_title(text, fontweight="normal")
        parts.append(f"{name}: separate minus softmax {text}".replace("\n", ", "))
    if baseline is not None:
        panels[0].axhline(baseline, color=INK, lw=1, ls=(0, (1, 2)))
        panels[0].annotate(
            "largest class",
            (1.5, baseline),
            ha="right",
            va="bottom",
            fontsize=8,
            color=INK,
        )
        parts.append(f"always naming the largest class gives {baseline:.1f} percent")
    seeds = len(softmax[0])
    return figure, f"{seeds} pairs of runs joined by seed. {'; '.join(parts)}."


def class_recalls(
    classes: Sequence[str],
    counts: Sequence[int],
    recalls: Mapping[str, ArrayLike],
) -> tuple[Figure, str]:
    """Recall of each class against its number of training images.

    Parameters
    ----------
    counts : sequence of int, (s,)
        Training images of each class.
    recalls : mapping of loss name -> (n_seeds, s) percent
        NaN for a class without a test image.
    """
    order = np.argsort(-np.asarray(counts), kind="stable")
    figure = _figure(2.8)
    axes = figure.subplots()
    looks = ((SOFTMAX_COLOR, "s", -0.12), (SEPARATE_COLOR, "o", 0.12))
    parts = []
    for (name, values), (color, marker, shift) in zip(
        recalls.items(), looks, strict=False
    ):
        rows = np.atleast_2d(_array(values))[:, order]
        places = np.arange(len(order)) + shift
        for row in rows:
            axes.plot(places, row, marker, color=color, ms=4, alpha=0.4, mec="none")
        axes.plot(
            places, rows.mean(0), marker, color=color, ms=8, mec="white", label=name
        )
        means = _listed(
            [
                f"{classes[k]} {v:.0f}" if np.isfinite(v) else f"{classes[k]} untested"
                for k, v in zip(order, rows.mean(0), strict=True)
            ]
        )
        parts.append(f"{name}: {means}")
    _class_ticks(axes, [f"{classes[k]}\n{counts[k]}" for k in order])
    axes.set(ylim=(-4, 104), ylabel="recall, %")
    axes.set_xlabel("class and its number of training images")
    figure.legend(loc="outside lower center", ncols=2)
    return figure, (
        "Recall of each class in percent, classes from the most to the fewest training "
        f"images. {'. '.join(parts)}."
    )


def similarity_row(
    classes: Sequence[str],
    softmax: ArrayLike,
    separate: ArrayLike,
    published: Mapping[str, Sequence[float]] | None = None,
) -> tuple[Figure, str]:
    """Table 1 as a picture: intra-class cosine per class, then the two averages.

    Parameters
    ----------
    softmax, separate : array, (n_seeds, s + 2)
        Intra-class cosine of each class, their mean, and the inter-class mean.
    published : mapping of loss name -> (s + 2,), optional
        The paper's rows, drawn hollow.
    """
    names = [*classes, "intra\nmean", "inter\nmean"]
    figure = _figure(3.1)
    axes = figure.subplots()
    looks = ((SOFTMAX_COLOR, "s", -0.16), (SEPARATE_COLOR, "o", 0.16))
    parts = []
    for name, values, (color, marker, shift) in zip(
        BOTH_LOSSES, (softmax, separate), looks, strict=True
    ):
        rows = np.atleast_2d(_array(values))
        mean = rows.mean(0)
        places = np.arange(len(names)) + shift
        axes.errorbar(
            places,
            mean,
            yerr=[mean - rows.min(0), rows.max(0) - mean],
            fmt=marker,
            color=color,
            ms=7,
            mec="white",
            elinewidth=1.6,
            label=f"{name}, ours",
            zorder=4,
        )
        if published is not None:
            axes.plot(
                places,
                published[name],
                marker,
                color=color,
                ms=8,
                mfc="none",
                mew=1.2,
                label=f"{name}, the paper",
                zorder=3,
            )
        parts.append(
            f"{name}: "
            + _listed(
                [
                    f"{label} {value:.2f}".replace("\n", " ")
                    for label, value in zip(names, mean, strict=True)
                ]
            )
        )
    axes.axvline(len(classes) - 0.5, color=PALE, lw=1)
    _class_ticks(axes, names)
    axes.set_ylabel("mean cosine")
    figure.legend(loc="outside lower center", ncols=2)
    return figure, f"Mean cosines per class, ours. {'. '.join(parts)}."


def convergence(
    classes: Sequence[str],
    agreement: ArrayLike,
    first: Sequence[float] | None = None,
    last: Sequence[float] | None = None,
) -> tuple[Figure, str]:
    """Cosine of learned and true center for each class, epoch by epoch.

    Parameters
    ----------
    agreement : array, (epochs, s)
        Mean over the seeds.
    first, last : sequence of float, (s,), optional
        The paper's values in its first and last epoch, drawn hollow at the sides.
    """
    values = _array(agreement)
    epochs = np.arange(1, len(values) + 1)
    figure = _figure(3.2)
    axes = figure.subplots()
    side = max(0.5, 0.05 * len(epochs))
    for k, (name, (color, marker)) in enumerate(
        zip(classes, class_style(classes), strict=True)
    ):
        axes.plot(
            epochs,
            values[:, k],
            marker=marker,
            color=color,
            ms=7,
            mec="white",
            mew=0.6,
            label=name,
        )
        for place, given in ((1 - side, first), (len(epochs) + side, last)):
            if given is not None:
                axes.plot(
                    place, given[k], marker, color=color, mfc="none", ms=7.5, mew=1.3
                )
    if first is not None or last is not None:
        for place, ha in ((1 - side, "center"), (len(epochs) + side, "center")):
            axes.axvspan(place - side / 2, place + side / 2, color="#F4F4F4", zorder=0)
            axes.annotate(
                "paper",
                (place, 0.01),
                xycoords=("data", "axes fraction"),
                ha=ha,
                fontsize=8,
                color=GRAY,
            )
    axes.axhline(0, color=PALE, lw=1, zorder=0)
    axes.set_ylim(min(-0.05, values.min() - 0.05), 1.05)
    axes.set(xlabel="epoch", ylabel="cosine of learned and true center")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    ends = [
        f"{name} from {values[0, k]:.2f} to {values[-1, k]:.2f}"
        for k, name in enumerate(classes)
    ]
    return figure, (
        "Cosine of learned and true center of each class over "
        f"{len(epochs)} epochs: {_listed(ends)}."
    )


def agreement_at(
    classes: Sequence[str],
    counts: Sequence[int],
    agreement: ArrayLike,
    passive: ArrayLike,
    epoch: int,
) -> tuple[Figure, str]:
    """Agreement of learned and true centers in one epoch, against class size.

    Parameters
    ----------
    agreement, passive : array, (epochs, s)
        With the separate loss, and with λ = 0 and centers that only follow.
    epoch : int
        Counted from 1.
    """
    ours, control = _array(agreement)[epoch - 1], _array(passive)[epoch - 1]
    lowest = min(0.0, _array(agreement).min(), _array(passive).min())
    figure = _figure(3.0)
    axes = figure.subplots()
    for k, (name, (color, marker)) in enumerate(
        zip(classes, class_style(classes), strict=True)
    ):
        axes.plot([counts[k]] * 2, [control[k], ours[k]], color=PALE, lw=1.4, zorder=1)
        axes.plot(counts[k], control[k], marker, color=color, mfc="none", ms=8)
        axes.plot(counts[k], ours[k], marker, color=color, mec="white", ms=9, zorder=4)
        axes.annotate(
            name,
            (counts[k], max(ours[k], control[k])),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.axhline(0, color=PALE, lw=1, zorder=0)
    axes.set_ylim(lowest - 0.08, 1.14)
    axes.set(
        xlabel="training images of the class (logarithmic)",
        ylabel="cosine of learned and true center",
    )
    axes.set_title(f"epoch {epoch}: filled with the separate loss, hollow λ = 0")
    parts = [f"{name} {ours[k]:.2f}" for k, name in enumerate(classes)]
    followed = [f"{name} {control[k]:.2f}" for k, name in enumerate(classes)]
    return figure, (
        f"Epoch {epoch}, cosine of learned and true center. With the separate loss: "
        f"{_listed(parts)}. With λ = 0, centers only following: {_listed(followed)}."
    )


def maps(
    named: Mapping[str, tuple[ArrayLike, ArrayLike | None, ArrayLike]],
    labels: ArrayLike,
    classes: Sequence[str],
) -> tuple[Figure, str]:
    """Fig. 3: t-SNE maps side by side, △ learned and ▽ true centers.

    Parameters
    ----------
    named : mapping of title -> (features (n, 2), learned (s, 2) or None, true (s, 2))
    labels : array, (n,)
    """
    numbers = np.asarray(labels)
    figure = _figure(4.1)
    panels = figure.subplots(1, len(named), squeeze=False)[0]
    looks = class_style(classes)
    parts = []
    for axes, (title, (points, learned, true)) in zip(
        panels, named.items(), strict=True
    ):
        spots = _array(points)
        for k, (color, marker) in enumerate(looks):
            mine = spots[numbers == k]
            axes.plot(
                *mine.T,
                marker,
                color=color,
                ms=3.2,
                alpha=0.65,
                mec="none",
                ls="",
                zorder=2,
            )
        for centers, shape in ((learned, "^"), (true, "v")):
            if centers is None:
                continue
            for (color, _), place in zip(looks, _array(centers), strict=True):
                axes.plot(*place, shape, color=color, ms=10, mec=INK, mew=1.3, zorder=5)
        axes.set_title(title)
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(True)
        middle = _array(true)
        others = np.linalg.norm(middle[:, None] - middle, axis=-1)
        np.fill_diagonal(others, np.inf)
        near = np.unravel_index(others.argmin(), others.shape)
        parts.append(
            f"{title}: {len(spots)} points; the two nearest true centers are "
            f"{classes[near[0]]} and {classes[near[1]]}"
        )
    handles = [
        panels[0].plot([], [], marker, color=color, ls="", ms=6, label=name)[0]
        for name, (color, marker) in zip(classes, looks, strict=True)
    ]
    for shape, name in (("^", "learned center"), ("v", "true center")):
        handles += panels[0].plot(
            [], [], shape, color="white", mec=INK, ls="", ms=8, label=name
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure, f"Maps of features and class centers. {'. '.join(parts)}."


def class_sizes(
    classes: Sequence[str], counts: Sequence[int] | ArrayLike
) -> tuple[Figure, str]:
    """Bars of the number of images of each class."""
    numbers = np.asarray(counts, dtype=np.int64).tolist()
    figure = _figure(2.2)
    axes = figure.subplots()
    colors = [color for color, _ in class_style(classes)]
    bars = axes.bar(range(len(classes)), numbers, color=colors, width=0.7)
    axes.bar_label(bars, padding=2, fontsize=8)
    _class_ticks(axes, classes)
    axes.margins(y=0.14)
    axes.set_ylabel("images")
    pairs = [f"{name} {n}" for name, n in zip(classes, numbers, strict=True)]
    return figure, f"Bars: images of each class: {_listed(pairs)}."
