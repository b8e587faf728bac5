"""Figures of chapters 12-15: confusions, sweeps, ablations, transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import ArrayLike

from fersep_book.figures.experiments import (
    SEPARATE_COLOR,
    SOFTMAX_COLOR,
    class_style,
)
from fersep_book.figures.style import (
    BLUE,
    GRAY,
    INK,
    ORANGE,
    PALE,
    WIDTH,
    _array,
    _figure,
    _listed,
)

#: Below this many images a share says too little, and the count is shown.
FEWEST_IMAGES = 30

_SHARES = LinearSegmentedColormap.from_list("shares", ["#FFFFFF", "#92C5DE", "#0A4A7A"])


def confusions(
    named: Mapping[str, ArrayLike], classes: Sequence[str]
) -> tuple[Figure, str]:
    """Confusion matrices side by side, rows true, columns predicted.

    Rows of fewer than 30 images show counts instead of percent.

    Parameters
    ----------
    named : mapping of title -> (s, s) counts
    """
    s = len(classes)
    figure = _figure(min(4.4, 0.55 + 0.97 * WIDTH / len(named)))
    panels = figure.subplots(1, len(named), squeeze=False)[0]
    size = 7.5 if s < 9 else 5.6
    parts = []
    for axes, (title, counts) in zip(panels, named.items(), strict=True):
        matrix = _array(counts)
        totals = matrix.sum(1, keepdims=True)
        share = np.divide(matrix, totals, out=np.zeros_like(matrix), where=totals > 0)
        axes.imshow(share, cmap=_SHARES, vmin=0, vmax=1)
        for i, j in np.ndindex(s, s):
            few = totals[i, 0] < FEWEST_IMAGES
            text = f"{matrix[i, j]:g}" if few else f"{100 * share[i, j]:.0f}"
            if share[i, j] > 0.004:
                axes.text(
                    j, i, text, ha="center", va="center", fontsize=size,
                    style="italic" if few else "normal",
                    color="white" if share[i, j] > 0.55 else INK,
                )  # fmt: skip
        axes.set_xticks(range(s), list(classes))
        axes.set_yticks(range(s), list(classes))
        axes.tick_params(length=0, labelsize=7.5 if s < 9 else 6.5)
        axes.grid(visible=False)
        axes.set(title=title, xlabel="predicted", ylabel="true")
        off = matrix - np.diag(np.diag(matrix))
        i, j = divmod(int(off.argmax()), s)
        shares = [
            f"{c} {100 * v:.0f}" for c, v in zip(classes, np.diag(share), strict=True)
        ]
        parts.append(
            f"{title}: percent right {_listed(shares)}; most often {classes[i]} is "
            f"taken for {classes[j]}"
        )
    return figure, f"Confusion matrices. {'. '.join(parts)}."


def recall_by_size(
    panels: Mapping[str, tuple[Sequence[str], ArrayLike, ArrayLike, ArrayLike | None]],
) -> tuple[Figure, str]:
    """Recall of each class against its training images; the paper's hollow.

    Parameters
    ----------
    panels : mapping of title -> (classes, counts (s,), recalls (s,), published)
        ``published`` is None or a pair of the paper's (counts (s,), recalls (s,)).
        Recalls in percent.
    """
    figure = _figure(3.1)
    parts = []
    all_axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (title, (classes, counts, recalls, paper)) in zip(
        all_axes, panels.items(), strict=True
    ):
        looks = class_style(classes)
        ours = _array(recalls)
        for k, (name, (color, marker)) in enumerate(zip(classes, looks, strict=True)):
            n = _array(counts)[k]
            axes.plot(n, ours[k], marker, color=color, ms=8, mec="white", zorder=4)
            axes.annotate(
                name, (n, ours[k]), xytext=(6, 4), textcoords="offset points",
                fontsize=7.5,
            )  # fmt: skip
            if paper is not None:
                sizes, values = _array(paper)
                axes.plot(sizes[k], values[k], marker, color=color, mfc="none", ms=7)
        axes.set_xscale("log")
        _plain_log(axes)
        axes.set(title=title, xlabel="training images of the class", ylim=(-4, 104))
        parts.append(
            f"{title}: "
            + _listed([f"{c} {v:.0f}" for c, v in zip(classes, ours, strict=True)])
        )
    all_axes[0].set_ylabel("recall, %")
    return figure, (
        "Recall of each class in percent against its number of training images. "
        f"{'. '.join(parts)}."
    )


def redrawn_gains(
    gains: ArrayLike, p_values: ArrayLike, whole: float
) -> tuple[Figure, str]:
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
    values, significant = _array(gains), _array(p_values) < 0.05
    figure = _figure(2.6)
    axes = figure.subplots()
    edges = np.histogram_bin_edges(values, 40).tolist()
    axes.hist(
        [values[~significant], values[significant]], edges, stacked=True,
        color=[PALE, ORANGE], label=["p ≥ 0.05", "p < 0.05 (McNemar)"],
    )  # fmt: skip
    axes.axvline(whole, color=BLUE, lw=2, label="all test images")
    axes.axvline(0, color=INK, lw=1, ls=(0, (1, 2)))
    axes.set(xlabel="gain in accuracy, points", ylabel="test sets")
    figure.legend(loc="outside lower center", ncols=3)
    low, high = np.quantile(values, [0.025, 0.975])
    return figure, (
        f"Histogram over {len(values)} test sets of the gain of one pair of models: 95 "
        f"percent lie between {low:.2f} and {high:.2f} points, around {whole:.2f} on "
        f"all images; {100 * significant.mean():.0f} percent are significant."
    )


def seeds_needed(
    spread: float, target: float, so_far: int, most: int = 40
) -> tuple[Figure, str]:
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
    from fersep.analysis import student_interval

    numbers = np.arange(2, most + 1)
    half = np.array([student_interval(0.0, spread, int(n))[1] for n in numbers])
    figure = _figure(2.6)
    axes = figure.subplots()
    axes.plot(numbers, half, color=BLUE)
    axes.axhline(target, color=ORANGE, lw=1.4, ls="--")
    axes.annotate(
        "wanted", (most, target), ha="right", va="bottom", fontsize=8, color=INK
    )
    if so_far >= 2:
        here = student_interval(0.0, spread, so_far)[1]
        axes.plot(so_far, here, "o", color=BLUE, ms=8, mec="white")
        axes.annotate(
            "this run", (so_far, here), xytext=(7, 3), textcoords="offset points",
            fontsize=8,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="paired seeds", ylabel="half-width, points")
    below = numbers[half <= target]
    reach = f"{below[0]} pairs" if len(below) else f"more than {most} pairs"
    return figure, (
        f"Half-width of the interval against the number of pairs, for a spread of "
        f"{spread:.2f} points: {target:g} points need {reach}."
    )


def sweep(
    values: Sequence[float],
    arms: Mapping[str, ArrayLike],
    label: str,
    published: tuple[Sequence[float], Sequence[float]] | None = None,
    baseline: ArrayLike | None = None,
) -> tuple[Figure, str]:
    """Accuracy against one setting; small marks are seeds, large ones their mean.

    Parameters
    ----------
    values : sequence of float
    arms : mapping of name -> (len(values), n_seeds) percent
    label : str
        The name of the setting.
    published : (values, accuracies), optional
        The paper's, drawn hollow in a panel of its own.
    baseline : array, (n_seeds,), optional
        Accuracy without the setting (softmax alone, or no extra layer).
    """
    figure = _figure(3.0)
    panels = figure.subplots(
        1, 2 if published else 1, squeeze=False,
        gridspec_kw={"width_ratios": [1.6, 1] if published else [1]},
    )[0]  # fmt: skip
    axes, parts = panels[0], []
    places = np.arange(len(values))
    looks = ((SEPARATE_COLOR, "o"), (ORANGE, "s"), (GRAY, "D"))
    for k, ((name, table), (color, marker)) in enumerate(
        zip(arms.items(), looks, strict=False)
    ):
        rows = _array(table)
        shift = 0.12 * (k - (len(arms) - 1) / 2)
        for row in rows.T:
            axes.plot(places + shift, row, marker, color=color, ms=3.5, alpha=0.45)
        axes.plot(
            places + shift, rows.mean(1), marker=marker, ls="-", color=color, ms=7.5,
            mec="white", label=name,
        )  # fmt: skip
        best = values[int(rows.mean(1).argmax())]
        parts.append(
            f"{name}: means from {rows.mean(1).min():.1f} to {rows.mean(1).max():.1f} "
            f"percent, the best at {best:g}"
        )
    if baseline is not None:
        level = _array(baseline)
        axes.axhspan(level.min(), level.max(), color=PALE, alpha=0.6, zorder=0)
        axes.axhline(level.mean(), color=SOFTMAX_COLOR, ls="--", label="without it")
        parts.append(f"without it {level.mean():.1f} percent")
    axes.set_xticks(places, [f"{v:g}" for v in values])
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.set(xlabel=label, ylabel="accuracy, %", title="ours")
    axes.legend(fontsize=8)
    if published:
        right = panels[1]
        where = np.arange(len(published[0]))
        right.plot(where, published[1], "o-", color=SEPARATE_COLOR, mfc="white", ms=6.5)
        right.set_xticks(where[::2], [f"{v:g}" for v in published[0][::2]])
        right.set(xlabel=label, title="the paper, one run each")
        parts.append(
            f"the paper: {min(published[1]):.2f} to {max(published[1]):.2f} percent"
        )
    return figure, f"Accuracy against {label}. {'. '.join(parts)}."


def differences(
    names: Sequence[str], intervals: Sequence[Any], label: str
) -> tuple[Figure, str]:
    """Mean differences with their 95 % intervals, one line each.

    Parameters
    ----------
    names : sequence of str
    intervals : sequence of `fersep.analysis.Interval`
    label : str
        What the difference is, with its unit.
    """
    figure = _figure(0.9 + 0.34 * len(names))
    axes = figure.subplots()
    parts = []
    for k, (name, gap) in enumerate(zip(names, intervals, strict=True)):
        if np.isfinite(gap.low):
            axes.plot([gap.low, gap.high], [k, k], color=BLUE, lw=2)
            parts.append(f"{name} {gap.mean:+.2f} ({gap.low:+.2f} to {gap.high:+.2f})")
        else:
            parts.append(f"{name} {gap.mean:+.2f}")
        axes.plot(gap.mean, k, "o", color=BLUE, ms=7.5, mec="white", zorder=4)
    axes.axvline(0, color=INK, lw=1, ls=(0, (1, 2)))
    axes.set_yticks(range(len(names)), list(names))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(label)
    return figure, f"{label}, with 95 percent intervals: {_listed(parts)}."


def transfer(
    sources: Sequence[str], targets: Sequence[str], accuracy: ArrayLike
) -> tuple[Figure, str]:
    """Accuracy of models trained on one source (rows), tested on each target.

    Parameters
    ----------
    accuracy : array, (sources, targets)
        Percent, mean over the seeds.
    """
    values = _array(accuracy)
    figure = _figure(1.2 + 0.55 * len(sources))
    axes = figure.subplots()
    axes.imshow(values, cmap=_SHARES, vmin=0, vmax=100, aspect="auto")
    for i, j in np.ndindex(*values.shape):
        axes.text(
            j, i, f"{values[i, j]:.1f}", ha="center", va="center",
            color="white" if values[i, j] > 70 else INK,
        )  # fmt: skip
    axes.set_xticks(range(len(targets)), [t.replace(", ", ",\n") for t in targets])
    axes.set_yticks(range(len(sources)), list(sources))
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set(xlabel="tested on", ylabel="trained on")
    parts = [
        f"trained on {name}: "
        + _listed([f"{t} {v:.0f}" for t, v in zip(targets, row, strict=True)])
        for name, row in zip(sources, values, strict=True)
    ]
    return figure, f"Accuracy in percent. {'. '.join(parts)}."


def later_results(
    points: Sequence[tuple[int, float, str]], first: tuple[int, float]
) -> tuple[Figure, str]:
    """Accuracies of later methods by year, and the paper's as a hollow mark.

    Parameters
    ----------
    points : sequence of (year, percent, method)
    first : (year, percent)
        The paper's.
    """
    figure = _figure(3.2)
    axes = figure.subplots()
    axes.plot(*first, "o", color=BLUE, mfc="none", ms=9, mew=1.6)
    axes.annotate(
        "the paper", first, xytext=(8, -3), textcoords="offset points", fontsize=8
    )
    years = sorted({year for year, _, _ in points})
    for year in years:
        here = sorted((v, name) for y, v, name in points if y == year)
        level = -np.inf
        for value, name in here:
            axes.plot(year, value, "o", color=BLUE, ms=6.5, mec="white")
            # Labels keep a distance that their height needs.
            level = max(value, level + 0.42)
            axes.annotate(
                name.split(",")[0].split(" (")[0], (year, value),
                xytext=(year + 0.08, level), textcoords="data", fontsize=7,
                va="center",
            )  # fmt: skip
    last = max(years)
    axes.set_xlim(first[0] - 0.5, last + 1.4)
    axes.set_xticks(range(first[0], last + 1))
    axes.set(xlabel="year", ylabel="accuracy on RAF-DB, %")
    listed = _listed([f"{name} {value:.2f} in {year}" for year, value, name in points])
    return figure, f"Accuracy on RAF-DB: the paper {first[1]:.2f}, later {listed}."


def _plain_log(axes: Axes) -> None:
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
