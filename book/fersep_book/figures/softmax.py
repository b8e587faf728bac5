"""Figures of chapters 1 and 3: the claim, and softmax features with their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from fersep_book.figures.experiments import SEPARATE_COLOR, SOFTMAX_COLOR
from fersep_book.figures.style import (
    BLUE,
    CLASS_STYLE,
    GRAY,
    INK,
    ORANGE,
    PALE,
    _array,
    _arrow,
    _circle,
    _cosines,
    _figure,
    _listed,
    _names,
    _plane,
    _size,
    _unit,
)

#: Below this length, in units of the circle, an arrow would be a head without a shaft.
SHORTEST_ARROW = 0.09


def pull_and_push(
    stages: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]],
    labels: ArrayLike,
) -> tuple[Figure, str]:
    """Features and centers in the plane, with the way in which the loss moves each.

    Parameters
    ----------
    stages : mapping of title -> (features, centers, pulls, pushes)
        Features and pulls (n, 2), centers and pushes (s, 2). The arrows of all stages
        share one scale, so that a short arrow is a weak one.
    labels : array, (n,)
    """
    classes = np.asarray(labels)
    longest = max(
        np.linalg.norm(_array(moves), axis=1).max()
        for _, _, *both in stages.values()
        for moves in both
    )
    figure = _figure(3.5)
    panels = figure.subplots(1, len(stages), squeeze=False)[0]
    parts = []
    for axes, (title, stage) in zip(panels, stages.items(), strict=True):
        features, centers, pulls, pushes = (_array(part) for part in stage)
        _plane(axes, 1.35)
        _circle(axes)
        scale = 0.42 / longest
        for j, name in enumerate(_names(len(centers))):
            color, marker = CLASS_STYLE[name]
            own = features[classes == j]
            for x, pull in zip(own, scale * pulls[classes == j], strict=True):
                if np.linalg.norm(pull) > SHORTEST_ARROW:
                    _arrow(axes, x + pull, x, color=color, width=1.0)
            axes.plot(
                *own.T, marker, color=color, ms=_size(marker), mec="white", ls="none"
            )
            tip = _unit(centers[j])
            axes.plot([0, tip[0]], [0, tip[1]], color=color, lw=1.2, alpha=0.5)
            axes.plot(*tip, "^", color=color, ms=12, mec=INK, mew=1.1, zorder=5)
            if np.linalg.norm(scale * pushes[j]) > SHORTEST_ARROW:
                _arrow(axes, tip + scale * pushes[j], tip, color=INK, width=2.2)
        intra = _cosines(features, centers[classes]).mean()
        unit = _unit(centers)
        different = ~np.eye(len(unit), dtype=bool)
        inter = (unit @ unit.T)[different].mean()
        axes.set_title(f"{title}\nintra {intra:.2f}, inter {inter:.2f}", loc="center")
        parts.append(
            f"{title}: mean cosine of features and their center {intra:.2f}, of "
            f"different centers {inter:.2f}"
        )
    return figure, (
        f"{len(classes)} features of {len(_array(centers))} classes in the plane and "
        f"their centers on the circle, with arrows for the pull on each feature and "
        f"the push on each center. {'. '.join(parts)}."
    )


def two_losses_on_one_network(feature_dim: int, num_classes: int) -> tuple[Figure, str]:
    """The way from an image to both losses, as a diagram.

    Parameters
    ----------
    feature_dim : int
        d.
    num_classes : int
        s.
    """
    figure = _figure(2.2)
    axes = figure.subplots()
    axes.set(xlim=(-1, 99), ylim=(0, 35))
    axes.axis("off")

    def box(x: float, y: float, text: str, edge: str, wide: float = 15) -> None:
        axes.add_patch(
            FancyBboxPatch(
                (x, y - 5.5),
                wide,
                11,
                boxstyle="round,pad=0.3,rounding_size=1.6",
                facecolor="white",
                edgecolor=edge,
                linewidth=1.5,
            )
        )
        axes.text(x + wide / 2, y, text, ha="center", va="center", fontsize=8.5)

    def arrow(start: tuple[float, float], end: tuple[float, float], ink: str) -> None:
        _arrow(axes, end, start, color=ink, width=1.4)

    box(0, 28, "face", GRAY, 9)
    box(15, 28, "convolutions,\nresidual blocks", GRAY, 17)
    box(38, 28, f"feature $x$\n{feature_dim} numbers", INK)
    box(59, 28, f"linear layer\n{num_classes} numbers", GRAY)
    box(80, 28, "softmax loss\n$L_s$", SOFTMAX_COLOR, 18)
    box(38, 7, f"{num_classes} centers\n$c_1 \\ldots c_{{{num_classes}}}$", INK)
    box(59, 7, "separate loss\n$L_{sep}$", SEPARATE_COLOR)
    box(80, 7, r"$L = L_s + \lambda L_{sep}$", INK, 18)
    for start, end in ((9.6, 14.4), (32.6, 37.4), (53.6, 58.4), (74.6, 79.4)):
        arrow((start, 28), (end, 28), INK)
    arrow((50, 22), (60, 13), SEPARATE_COLOR)
    arrow((53.6, 7), (58.4, 7), SEPARATE_COLOR)
    arrow((74.6, 7), (79.4, 7), INK)
    arrow((89, 22), (89, 13), INK)
    return figure, (
        f"Diagram: a face goes through convolutions to a feature of {feature_dim} "
        f"numbers; a linear layer makes {num_classes} numbers for the softmax loss; "
        f"the separate loss takes the feature and {num_classes} centers; the total "
        "loss is the softmax loss plus lambda times the separate loss."
    )


def printed_changes(
    panels: Mapping[str, tuple[Sequence[str], Sequence[float], Sequence[float]]],
    sides: Sequence[tuple[str, str]],
) -> tuple[Figure, str]:
    """Printed numbers before and after, joined by a line; one panel for each kind.

    Parameters
    ----------
    panels : mapping of title -> (names, before, after)
    sides : sequence of (str, str)
        What before and after are, for each panel.
    """
    figure = _figure(2.9)
    counts = [len(names) for names, *_ in panels.values()]
    row = figure.subplots(
        1, len(panels), squeeze=False, gridspec_kw={"width_ratios": counts}
    )[0]
    parts = []
    for axes, (title, (names, before, after)), side in zip(
        row, panels.items(), sides, strict=True
    ):
        places = np.arange(len(names))
        axes.vlines(places, before, after, color=PALE, lw=3)
        for values, marker, color, name in (
            (before, "s", SOFTMAX_COLOR, side[0]),
            (after, "o", SEPARATE_COLOR, side[1]),
        ):
            axes.plot(
                places, values, marker, color=color, mfc="white", mew=1.7, ms=7.5,
                label=name,
            )  # fmt: skip
        axes.set_xticks(places, list(names))
        axes.grid(visible=False, axis="x")
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.set_title(title)
        axes.legend(loc="lower left", handletextpad=0.2)
        changes = [
            f"{name} {a:.2f} to {b:.2f}".replace("\n", " ")
            for name, a, b in zip(names, before, after, strict=True)
        ]
        parts.append(f"{title}, {side[0]} to {side[1]}: {_listed(changes)}")
    row[0].set_ylabel("mean cosine")
    return figure, f"Numbers that the paper prints. {'. '.join(parts)}."


def own_and_rival(own: ArrayLike, rival: ArrayLike) -> tuple[Figure, str]:
    """How near features are to their own center and to the nearest other one.

    Parameters
    ----------
    own, rival : array, (n,)
        Cosines of each feature with the two centers.
    """
    a, b = _array(own), _array(rival)
    figure = _figure(2.7)
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.5, 1]})
    edges = np.linspace(min(a.min(), b.min()), 1, 31)
    for values, color, name, hatch in (
        (b, ORANGE, "nearest other center", "///"),
        (a, BLUE, "own center", ""),
    ):
        left.hist(
            values, edges, color=color, alpha=0.55, label=name, hatch=hatch, ec="white"
        )
    left.set(xlabel="cosine of feature and center", ylabel="test images")
    left.legend(loc="upper left")
    lead = a - b
    right.hist(lead, 30, color=GRAY, alpha=0.8)
    right.axvline(0, color=INK, lw=1.2)
    right.set(xlabel="own minus nearest other", ylabel="test images")
    wrong = int((lead < 0).sum())
    right.set_title(f"{wrong} of {len(a)} nearer\nto another class")
    return figure, (
        f"Histograms of cosines of {len(a)} test features: with their own center, mean "
        f"{a.mean():.2f}; with the nearest other center, mean {b.mean():.2f}. {wrong} "
        "features are nearer to another center."
    )


def cosine_tables(classes: Sequence[str], tables: ArrayLike) -> tuple[Figure, str]:
    """Mean cosine of features of one class and centers of another, and its spread.

    Parameters
    ----------
    tables : array, (n_seeds, s, s)
        Rows: the class of the features; columns: the class of the center. NaN for a
        class without a feature.
    """
    values = _array(tables)
    mean = values.mean(0)
    panels: list[tuple[str, Any, str]] = [("mean over the seeds", mean, "Blues")]
    if len(values) > 1:
        spread = values.std(0, ddof=1)
        panels.append(("standard deviation over the seeds", spread, "Oranges"))
    figure = _figure(3.7)
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, cells, colors) in zip(row, panels, strict=True):
        low = float(np.nanmin(cells)) if colors == "Blues" else 0.0
        high = float(np.nanmax(cells))
        axes.imshow(cells, cmap=colors, vmin=low, vmax=max(high, low + 1e-9))
        middle = (low + high) / 2
        for (i, j), cell in np.ndenumerate(cells):
            text = f"{cell:.2f}" if np.isfinite(cell) else "–"
            axes.text(
                j, i, text, ha="center", va="center", fontsize=7.5,
                color="white" if cell > middle + (high - low) / 6 else INK,
                fontweight="bold" if i == j else "normal",
            )  # fmt: skip
        axes.set_xticks(range(len(classes)), list(classes))
        axes.set_yticks(range(len(classes)), list(classes))
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("center of")
        axes.set_title(title)
    row[0].set_ylabel("features of")
    own = [f"{name} {v:.2f}" for name, v in zip(classes, mean.diagonal(), strict=True)]
    off = mean[~np.eye(len(classes), dtype=bool)]
    alt = (
        f"Table of mean cosines, {len(classes)} classes, mean over {len(values)} "
        f"seeds. With the own center: {_listed(own)}. With other centers: "
        f"{np.nanmin(off):.2f} to {np.nanmax(off):.2f}."
    )
    if len(values) > 1:
        alt += f" Largest standard deviation over the seeds: {np.nanmax(spread):.3f}."
    return figure, alt


def seeds_with_intervals(
    names: Sequence[str],
    values: ArrayLike,
    intervals: Sequence[Any],
    published: Sequence[float] | None = None,
) -> tuple[Figure, str]:
    """Each seed as a dot, their mean, and the 95 % interval of the mean.

    Parameters
    ----------
    names : sequence of str
        What was measured.
    values : array, (n_seeds, len(names))
    intervals : sequence of `fersep.analysis.Interval`
        Not finite for a single seed: then no bar is drawn.
    published : sequence of float, optional
        The paper's single values, drawn hollow.
    """
    rows = _array(values)
    figure = _figure(3.0)
    axes = figure.subplots()
    places = np.arange(len(names))
    labels = ("95 % interval of the mean", "one seed", "the paper")
    finite = [k for k, each in enumerate(intervals) if np.isfinite(each.low)]
    axes.vlines(
        places[finite],
        [intervals[k].low for k in finite],
        [intervals[k].high for k in finite],
        color=SOFTMAX_COLOR,
        lw=5,
        alpha=0.35,
        label=labels[0],
    )
    axes.plot(places, [each.mean for each in intervals], "_", color=INK, ms=16, mew=2)
    shifts = np.linspace(-0.12, 0.12, len(rows)) if len(rows) > 1 else [0.0]
    for k, (row, shift) in enumerate(zip(rows, shifts, strict=True)):
        axes.plot(
            places + shift, row, "o", color=BLUE, ms=5.5, mec="white",
            label=labels[1] if k == 0 else None,
        )  # fmt: skip
    if published is not None:
        axes.plot(
            places + 0.28, published, "s", color=INK, mfc="none", ms=7, label=labels[2]
        )
    axes.set_xticks(places, list(names))
    axes.grid(visible=False, axis="x")
    axes.set_ylabel("mean cosine")
    span = np.ptp(rows[np.isfinite(rows)]) + 0.05
    axes.set_ylim(np.nanmin(rows) - span, np.nanmax(rows) + span)
    figure.legend(loc="outside lower center", ncols=3)
    parts = [
        f"{name} {each.mean:.2f}"
        + (f" ({each.low:.2f} to {each.high:.2f})" if np.isfinite(each.low) else "")
        for name, each in zip(names, intervals, strict=True)
    ]
    return figure, (
        f"Mean cosines of {len(rows)} seeds with the 95 percent interval of their "
        f"mean: {_listed(parts)}.".replace("\n", " ")
    )


def interval_coverage(
    numbers: Sequence[int], student: Sequence[float], normal: Sequence[float]
) -> tuple[Figure, str]:
    """How often two kinds of 95 % interval hold the truth, by number of seeds.

    Parameters
    ----------
    numbers : sequence of int
        Of seeds.
    student, normal : sequence of float
        Simulated shares, of Student's interval and of mean ± 1.96 standard errors.
    """
    figure = _figure(2.5)
    axes = figure.subplots()
    places = np.arange(len(numbers))
    for values, marker, color, name in (
        (student, "o", BLUE, "Student's interval"),
        (normal, "s", ORANGE, "mean ± 1.96 standard errors"),
    ):
        shown = 100 * _array(values)
        axes.plot(places, shown, marker, color=color, ms=7.5, mec="white", label=name)
    axes.axhline(95, color=INK, lw=1, ls="--")
    axes.set_xticks(places, [str(n) for n in numbers])
    axes.set(xlabel="seeds", ylabel="holds the truth, %")
    axes.set_ylim(60, 100)
    axes.legend(loc="lower right")
    parts = [
        f"{n} seeds {100 * a:.0f} and {100 * b:.0f}"
        for n, a, b in zip(numbers, student, normal, strict=True)
    ]
    return figure, (
        "Share of simulated experiments whose interval holds the truth, in percent, "
        f"Student's and the normal one: {_listed(parts)}."
    )


def repeated_experiments(
    unpaired: tuple[ArrayLike, ArrayLike],
    paired: tuple[ArrayLike, ArrayLike],
    truth: float,
    reach: float,
) -> tuple[Figure, str]:
    """The same experiment again and again: one interval for each, beside the truth.

    Parameters
    ----------
    unpaired, paired : (low, high), arrays of (experiments,)
    truth : float
        The true difference of the two losses.
    reach : float
        Half the width of the picture, in points.
    """
    figure = _figure(3.2)
    panels = figure.subplots(1, 2, sharey=True, sharex=True)
    parts = []
    for axes, name, (low, high), color in zip(
        panels,
        ("unpaired", "paired by seed"),
        (unpaired, paired),
        (ORANGE, BLUE),
        strict=True,
    ):
        lows, highs = _array(low), _array(high)
        for k, (a, b) in enumerate(zip(lows, highs, strict=True)):
            hit = a <= truth <= b
            axes.plot(
                [a, b], [k, k], color=color if hit else INK, lw=2.4 if hit else 1.6,
                ls="-" if hit else ":",
            )  # fmt: skip
        axes.axvline(truth, color=GRAY, lw=1.2)
        axes.axvline(0, color=INK, lw=1.2, ls="--")
        found = int(((lows > 0) | (highs < 0)).sum())
        held = int(((lows <= truth) & (truth <= highs)).sum())
        axes.set_title(f"{name}: {found} of {len(lows)} exclude zero")
        axes.set(xlim=(truth - reach, truth + reach), yticks=[])
        axes.set_xlabel("difference, points")
        axes.grid(visible=False, axis="y")
        parts.append(
            f"{name}: {held} of {len(lows)} intervals hold the truth, {found} exclude "
            f"zero, median width {np.median(highs - lows):.2f} points"
        )
    return figure, (
        f"Intervals of repeated simulated experiments; the true difference is "
        f"{truth:g} points. {'. '.join(parts)}."
    )


def disagreements(
    classes: Sequence[str], gained: ArrayLike, lost: ArrayLike
) -> tuple[Figure, str]:
    """Images that only one of two models names rightly, by class.

    Parameters
    ----------
    gained, lost : array, (s,)
        Images that only the second, and only the first model names rightly.
    """
    up, down = np.asarray(gained), np.asarray(lost)
    figure = _figure(2.5)
    axes = figure.subplots()
    places = np.arange(len(classes))
    axes.bar(places, up, 0.7, color=BLUE, label="only the second is right")
    axes.bar(
        places, -down, 0.7, color=ORANGE, label="only the first is right", hatch="///",
        ec="white",
    )  # fmt: skip
    axes.axhline(0, color=INK, lw=1)
    axes.set_xticks(places, list(classes))
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    axes.set_ylabel("test images")
    figure.legend(loc="outside lower center", ncols=2)
    parts = [
        f"{name} {a} and {b}" for name, a, b in zip(classes, up, down, strict=True)
    ]
    return figure, (
        f"Images that only the second and only the first model names rightly: "
        f"{_listed(parts)}; together {up.sum()} and {down.sum()}."
    )
