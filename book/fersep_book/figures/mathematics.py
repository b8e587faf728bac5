"""Figures of chapters 4-7: the loss, the gradient, the centers, the toy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from fersep_book.figures.style import (
    BLUE,
    CLASS_STYLE,
    GRAY,
    GREEN,
    INK,
    ORANGE,
    PALE,
    PINK,
    RED,
    SIMILARITY_COLORS,
    SKY,
    Array,
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

# Chapter 4: the separate loss.


def two_vectors(angle: float) -> tuple[Figure, str]:
    """Two vectors at an angle (in degrees) and the curve of Eq. 1 above all angles."""
    radians = np.deg2rad(angle)
    value = (np.cos(radians) + 1) / 2
    figure = _figure(2.9)
    plane, curve = figure.subplots(1, 2, width_ratios=[1, 1.45])

    first = 1.0
    second = 0.78 * np.array([np.cos(radians), np.sin(radians)])
    _plane(plane, 1.2)
    _circle(plane)
    turn = np.linspace(0, radians, 60)
    plane.fill(
        np.r_[0, 0.34 * np.cos(turn)],
        np.r_[0, 0.34 * np.sin(turn)],
        color=SIMILARITY_COLORS(value),
        alpha=0.85,
        zorder=2,
    )
    plane.plot(0.34 * np.cos(turn), 0.34 * np.sin(turn), color=GRAY, lw=1, zorder=3)
    _arrow(plane, (first, 0), color=BLUE, width=2.4)
    _arrow(plane, second, color=RED, width=2.4)
    plane.text(1.05, -0.12, "$a_1$", color=BLUE, fontsize=12)
    plane.text(*(second * 1.22 - 0.03), "$a_2$", color=RED, fontsize=12)
    plane.set_title(f"{angle:g}° between them")

    angles = np.linspace(0, 180, 181)
    cosines = np.cos(np.deg2rad(angles))
    curve.plot(angles, cosines, color=GRAY, lw=1.4, ls=(0, (4, 2)))
    curve.plot(angles, (cosines + 1) / 2, color=INK)
    curve.text(118, -0.74, "cosine", color=GRAY, ha="right")
    curve.text(52, 0.9, "Sim, Eq. 1", color=INK)
    curve.vlines(angle, -1, value, color=PALE, lw=1.2)
    curve.plot([angle], [value], "o", color=RED, ms=9, zorder=5)
    curve.set(
        xlim=(-4, 184),
        ylim=(-1.05, 1.12),
        xticks=range(0, 181, 45),
        xlabel="angle in degrees",
    )
    curve.set_title(f"Sim = {value:.3f}")
    alt = (
        f"Left: two arrows from one point, {angle:g} degrees apart. Right: Eq. 1 falls "
        f"from 1 at 0 degrees over one half at 90 degrees to 0 at 180 degrees; the "
        f"marked point is at {value:.3f}, where the cosine is {np.cos(radians):.3f}."
    )
    return figure, alt


def feature_fans(
    batches: Mapping[str, tuple[ArrayLike, ArrayLike]],
) -> tuple[Figure, str]:
    """Plane features of one class around their center, one panel for each batch.

    Parameters
    ----------
    batches : mapping of name -> (features (m, 2), center (2,))
    """
    figure = _figure(3.0)
    panels = figure.subplots(1, len(batches), squeeze=False)[0]
    color, marker = CLASS_STYLE["HA"]
    parts = []
    for axes, (name, (points, center)) in zip(panels, batches.items(), strict=True):
        points, center = _array(points), _array(center)
        directions = _unit(points)
        loss = (1 - _cosines(points, center).mean()) / 2
        reach = 1.1 * max(np.abs(points).max(), 1.0)
        _plane(axes, reach)
        _circle(axes)
        for direction, point in zip(directions, points, strict=True):
            axes.plot(
                [0, point[0]], [0, point[1]], color=color, lw=0.9, alpha=0.45, zorder=2
            )
            axes.plot(*direction, ".", color=color, ms=4, zorder=3, mec="none")
        axes.plot(*points.T, marker, color=color, ms=5.5, mec="white", mew=0.6, ls="")
        _arrow(axes, _unit(center), color=INK, width=2)
        axes.plot(*(1.0 * _unit(center)), "^", color=INK, ms=9, mec="white", zorder=6)
        axes.set_title(f"{name}\n$L_{{intra}}$ = {loss:.3f}", fontweight="normal")
        parts.append(f"{name}: L_intra {loss:.3f}")
    alt = (
        "Features of one class as points in the plane, with their center as an arrow "
        f"with a triangle on the unit circle; {_listed(parts)}."
    )
    return figure, alt


def zero_sum_sets(sets: Mapping[str, ArrayLike]) -> tuple[Figure, str]:
    """Sets of plane centers: their directions above, their similarities below.

    Parameters
    ----------
    sets : mapping of name -> centers (s, 2)
    """
    figure = _figure(4.5)
    panels = figure.subplots(
        2, len(sets), squeeze=False, height_ratios=[1, 1], sharex="row"
    )
    parts = []
    for column, (name, given) in enumerate(sets.items()):
        centers = _unit(_array(given))
        s = len(centers)
        matrix = (centers @ centers.T + 1) / 2
        others = matrix[~np.eye(s, dtype=bool)]
        above, below = panels[:, column]
        _plane(above, 1.35)
        _circle(above)
        seen: list[Array] = []
        for center, class_name in zip(centers, _names(s), strict=True):
            color, marker = CLASS_STYLE[class_name]
            repeats = sum(np.allclose(center, other, atol=0.05) for other in seen)
            seen.append(center)
            _arrow(above, center, color=color, width=1.6)
            above.plot(
                *(center * (1.13 + 0.17 * repeats)),
                marker,
                color=color,
                ms=1.3 * _size(marker),
                mec="white",
                mew=0.4,
                clip_on=False,
            )
        resultant = centers.sum(0)
        if np.linalg.norm(resultant) > 0.05:
            _arrow(above, resultant / s, color=INK, width=2.6)
        above.set_title(name)
        below.imshow(matrix, cmap=SIMILARITY_COLORS, vmin=0, vmax=1)
        for row in range(s):
            for other in range(s):
                if row != other:
                    below.text(
                        other,
                        row,
                        f"{matrix[row, other]:.2f}".lstrip("0"),
                        ha="center",
                        va="center",
                        fontsize=6,
                        color="white" if abs(matrix[row, other] - 0.5) > 0.4 else INK,
                    )
        below.set(xticks=range(s), yticks=range(s))
        below.set_xticklabels(_names(s), fontsize=7)
        below.set_yticklabels(_names(s), fontsize=7)
        below.tick_params(length=0)
        below.grid(False)
        below.spines[:].set_visible(False)
        below.set_title(
            f"$L_{{inter}}$ = {others.mean():.4f}\nclosest pair {others.max():.2f}",
            fontweight="normal",
        )
        parts.append(
            f"{name}: mean similarity {others.mean():.4f}, closest pair "
            f"{others.max():.2f}, length of the sum {np.linalg.norm(resultant):.2f}"
        )
    scale = ScalarMappable(Normalize(0, 1), SIMILARITY_COLORS)
    figure.colorbar(scale, ax=panels[1, :], label="Sim", shrink=0.8, aspect=14)
    alt = (
        "Arrows on the unit circle above, one for each center, and the matrix of their "
        f"similarities below. {'; '.join(parts)}."
    )
    return figure, alt


def inter_cost(
    sizes: Sequence[int], seconds: Mapping[str, Sequence[float]]
) -> tuple[Figure, str]:
    """Time of Eq. 3 against the number of classes, one line for each way.

    Parameters
    ----------
    sizes : sequence of int
    seconds : mapping of name -> seconds, one for each size it was run at (a prefix)
    """
    figure = _figure(3.0)
    axes = figure.subplots()
    looks = [(RED, "o"), (ORANGE, "s"), (BLUE, "D")]
    parts = []
    for (name, times), (color, marker) in zip(seconds.items(), looks, strict=False):
        run = list(sizes[: len(times)])
        axes.plot(run, times, color=color, marker=marker, label=name)
        parts.append(f"{name}: {times[-1]:.2g} seconds at {run[-1]} classes")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="number of classes s",
        ylabel="seconds",
    )
    axes.legend(loc="upper left")
    alt = f"Time of Eq. 3 against the number of classes: {'; '.join(parts)}."
    return figure, alt


def loss_ranges(
    states: Mapping[str, tuple[float, float]], floor: float
) -> tuple[Figure, str]:
    """Where states lie in the plane of L_intra and L_inter.

    Parameters
    ----------
    states : mapping of name -> (L_intra, L_inter)
    floor : float
        The lowest L_inter that the number of classes allows.
    """
    figure = _figure(3.6)
    axes = figure.subplots()
    axes.axhspan(-0.05, floor, color="#F3E3D7", zorder=0)
    axes.axhline(floor, color=RED, lw=1.4)
    axes.text(
        0.99,
        floor / 2,
        f"no set of centers gets under the floor, {floor:.4f}",
        color=RED,
        ha="right",
        va="center",
    )
    levels = np.arange(0.25, 2.0, 0.25)
    for level in levels:
        axes.plot([0, level], [level, 0], color=PALE, lw=1, zorder=0.5)
    looks = zip("osDPXhp8", [BLUE, ORANGE, GREEN, PINK, SKY, RED, INK, GRAY])  # noqa: B905
    parts = []
    for (name, (intra, inter)), (marker, color) in zip(
        states.items(), looks, strict=False
    ):
        axes.plot(
            intra, inter, marker, color=color, ms=9, mec="white", mew=0.8, label=name
        )
        parts.append(f"{name} ({intra:.3f}, {inter:.3f})")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handletextpad=0.3)
    axes.set(
        xlim=(-0.03, 1.03),
        ylim=(-0.03, 1.03),
        xlabel="$L_{intra}$",
        ylabel="$L_{inter}$",
        aspect="equal",
    )
    alt = (
        "States as points in the plane of L_intra (across) and L_inter (up): "
        f"{_listed(parts)}. The floor of L_inter is a line at {floor:.4f}; gray lines "
        "join points of equal L_sep."
    )
    return figure, alt


# Chapter 5: the gradient.


def feature_push(angle: float) -> tuple[Figure, str]:
    """A feature at an angle (in degrees) to its center, and the push of Eq. 5 on it.

    The push is drawn for a batch of one feature of length 1.
    """
    radians = np.deg2rad(angle)
    center = np.array([1.0, 0.0])
    feature = np.array([np.cos(radians), np.sin(radians)])
    push = (center - np.cos(radians) * feature) / 2
    size = np.sin(radians) / 2
    figure = _figure(2.9)
    plane, curve = figure.subplots(1, 2, width_ratios=[1, 1.45])

    _plane(plane, 1.3)
    _circle(plane)
    _arrow(plane, center, color=INK, width=2)
    plane.plot(*center, "^", color=INK, ms=10, mec="white", zorder=6)
    plane.text(1.07, -0.2, "$c$", fontsize=12)
    _arrow(plane, feature, color=BLUE, width=2.4)
    plane.text(*(feature * 1.2 - 0.05), "$x$", color=BLUE, fontsize=12)
    if size > 1e-9:
        tangent = push / np.linalg.norm(push)
        ends = np.array([feature - 0.55 * tangent, feature + 0.75 * tangent])
        plane.plot(*ends.T, color=PALE, lw=1.2, ls=(0, (3, 2)), zorder=2)
        _arrow(plane, feature + push, tail=feature, color=RED, width=2.4)
    plane.set_title(f"{angle:g}° from the center")

    angles = np.linspace(0, 180, 181)
    curve.plot(angles, np.sin(np.deg2rad(angles)) / 2, color=INK)
    curve.vlines(angle, 0, size, color=PALE, lw=1.2)
    curve.plot([angle], [size], "o", color=RED, ms=9, zorder=5)
    curve.set(
        xlim=(-4, 184),
        ylim=(-0.02, 0.56),
        xticks=range(0, 181, 45),
        xlabel="angle between feature and center, in degrees",
    )
    curve.set_title(f"length of the push = {size:.3f}")
    alt = (
        f"Left: a feature on the unit circle {angle:g} degrees from its center; the "
        f"push is tangent to the circle and points toward the center. Right: its "
        f"length rises from 0 at 0 degrees to one half at 90 degrees and falls back "
        f"to 0 at 180 degrees; the marked point is at {size:.3f}."
    )
    return figure, alt


def push_field(center: ArrayLike) -> tuple[Figure, str]:
    """The push of Eq. 5, minus the gradient, at every place of the plane.

    Parameters
    ----------
    center : array, (2,)
    """
    direction = _unit(_array(center))
    axis = np.linspace(-2.2, 2.2, 221)
    x, y = np.meshgrid(axis, axis)
    points = np.stack([x, y], -1)
    lengths = np.linalg.norm(points, axis=-1)
    lengths = np.where(lengths < 0.02, np.nan, lengths)
    cosines = points @ direction / lengths
    push = (direction - (cosines / lengths)[..., None] * points) / 2
    push = push / lengths[..., None]
    size = np.linalg.norm(push, axis=-1)

    figure = _figure(4.3, 5.6)
    axes = figure.subplots()
    axes.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect="equal")
    axes.axis("off")
    shade = LinearSegmentedColormap.from_list(
        "push", ["#FFFFFF", "#FBE3D2", "#F2A56B", RED]
    )
    image = axes.pcolormesh(
        x, y, np.minimum(size, 1.2), cmap=shade, vmin=0, vmax=1.2, rasterized=True
    )
    for radius in (0.5, 1.0, 1.5, 2.0):
        _circle(axes, radius, color="#CFCFCF", zorder=2)
    for radius in (0.5, 1.0, 1.5, 2.0):
        for turn in np.deg2rad(np.arange(15, 360, 30)):
            place = radius * np.array([np.cos(turn), np.sin(turn)])
            cosine = place @ direction / radius
            arrow = (direction - cosine * place / radius) / (2 * radius)
            # Half the true length, so that the innermost arrows do not cross.
            if np.linalg.norm(arrow) > 0.03:
                _arrow(
                    axes, place + 0.5 * arrow, tail=place, width=1.2, mutation_scale=9
                )
    _arrow(axes, 2.1 * direction, color=BLUE, width=2.4)
    axes.plot(*(2.1 * direction), "^", color=BLUE, ms=11, mec="white", zorder=6)
    x_name, y_name = 1.9 * direction + np.array([0.14, -0.2])
    axes.text(x_name, y_name, "$c$", color=BLUE, fontsize=13)
    axes.plot(0, 0, "o", color="white", mec=INK, ms=5, zorder=6)
    bar = figure.colorbar(image, ax=axes, shrink=0.75, aspect=18, extend="max")
    bar.set_label("length of the push")
    degrees = np.rad2deg(np.arctan2(direction[1], direction[0]))
    side = np.array([-direction[1], direction[0]])
    alt = (
        "Arrows show the push on a feature at each place of the plane. All run along "
        f"circles around the origin toward the center's direction, {degrees:.0f} "
        "degrees above the horizontal. At a right angle the push has length "
        f"{0.5 / np.linalg.norm(0.5 * side):.2f} at distance 0.5 and "
        f"{0.5 / np.linalg.norm(2 * side):.2f} at distance 2; it is zero in front of "
        "the center and exactly opposite to it."
    )
    return figure, alt


def difference_errors(
    steps: ArrayLike,
    errors: Mapping[str, ArrayLike],
    best: Mapping[str, tuple[float, float]],
) -> tuple[Figure, str]:
    """Error of central differences against the step, one curve for each precision.

    Parameters
    ----------
    steps : array, (k,)
    errors : mapping of precision -> relative errors (k,)
    best : mapping of precision -> (step, error) said in advance
    """
    steps = _array(steps)
    figure = _figure(3.5)
    axes = figure.subplots()
    parts = []
    for (name, given), color, marker in zip(
        errors.items(), [BLUE, RED], ["o", "s"], strict=False
    ):
        values = _array(given)
        keep = values > 0
        axes.plot(
            steps[keep], values[keep], marker=marker, ms=4, color=color, label=name
        )
        h, error = best[name]
        axes.plot(
            h,
            error,
            marker="D",
            ms=10,
            mfc="none",
            mec=color,
            mew=1.8,
            ls="",
            label=f"{name}, said in advance",
        )
        lowest = int(np.argmin(np.where(keep, values, np.inf)))
        parts.append(
            f"{name}: lowest error {values[lowest]:.0e} at step {steps[lowest]:.0e}"
        )
    top = steps >= 1e-3
    reference = np.nanmax([_array(v)[-1] for v in errors.values()])
    axes.plot(
        steps[top],
        0.18 * reference * (steps[top] / steps[-1]) ** 2,
        color=GRAY,
        lw=1.1,
        ls=(0, (4, 2)),
    )
    axes.text(
        steps[top][len(steps[top]) // 2] * 1.5,
        0.03 * reference * (steps[top][len(steps[top]) // 2] / steps[-1]) ** 2,
        "falls as $h^2$",
        color=GRAY,
    )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="step $h$",
        ylabel="relative error",
        ylim=(0.005 * min(e for _, e in best.values()), 30),
    )
    axes.legend(loc="lower left")
    alt = (
        "The relative error of central finite differences against the step, on "
        f"logarithmic axes: V-shaped curves. {'; '.join(parts)}. Right of the lowest "
        "point the error grows with the square of the step, left of it round-off takes "
        "over."
    )
    return figure, alt


# Chapter 6: the centers.


def centers_relaxing(
    path: Sequence[ArrayLike], losses: Sequence[float], floor: float, at: int
) -> tuple[Figure, str]:
    """Plane centers after some steps of Eq. 7 and 8, with L_inter over all steps.

    Parameters
    ----------
    path : sequence of centers (s, 2), one for each step
    losses : sequence of float, L_inter at each step
    floor : float
    at : int
        The step to draw.
    """
    centers = _unit(_array(path[at]))
    s = len(centers)
    resultant = centers.sum(0)
    figure = _figure(3.0)
    plane, curve = figure.subplots(1, 2, width_ratios=[1, 1.35])
    _plane(plane, 1.3)
    _circle(plane)
    for j, name in enumerate(_names(s)):
        color, _ = CLASS_STYLE[name]
        trace = np.array([_unit(_array(step))[j] for step in path[: at + 1]])
        plane.plot(*trace.T, color=color, lw=3.5, alpha=0.3, zorder=2)
        _arrow(plane, centers[j], color=color, width=1.6)
        plane.plot(*centers[j], "^", color=color, ms=10, mec="white", zorder=6)
        plane.text(*(1.2 * centers[j]), name, color=color, ha="center", va="center")
    if np.linalg.norm(resultant) > 0.02:
        _arrow(plane, resultant / s, color=INK, width=3)
    plane.plot(0, 0, "o", color=INK, ms=4, zorder=7)
    plane.set_title(f"step {at}: sum of length {np.linalg.norm(resultant):.2f}")
    steps = np.arange(len(losses))
    curve.plot(steps, losses, color=PALE, lw=2)
    curve.plot(steps[: at + 1], losses[: at + 1], color=INK)
    curve.plot(at, losses[at], "o", color=RED, ms=8, zorder=5)
    curve.axhline(floor, color=RED, lw=1.2, ls=(0, (4, 2)))
    curve.text(steps[-1], floor, "floor ", color=RED, ha="right", va="bottom")
    curve.set(xlabel="step", xscale="symlog", xlim=(-0.1, steps[-1] * 1.15))
    curve.set_title(f"$L_{{inter}}$ = {losses[at]:.4f}")
    alt = (
        f"Left: {s} centers on the unit circle after {at} steps; their sum has length "
        f"{np.linalg.norm(resultant):.2f}. Right: L_inter falls from {losses[0]:.3f} "
        f"toward its floor {floor:.3f}; at this step it is {losses[at]:.4f}."
    )
    return figure, alt


def rule_weights(
    counts: ArrayLike,
    weights: Mapping[str, ArrayLike],
    balances: Mapping[str, tuple[ArrayLike, Mapping[str, ArrayLike]]],
) -> tuple[Figure, str]:
    """Pull on a center against its count, and push over pull against other numbers.

    Parameters
    ----------
    counts : array, (k,)
        Samples of the class in the batch.
    weights : mapping of rule -> largest pull (k,)
    balances : mapping of a quantity -> (its values (l,), rule -> push over pull (l,))
    """
    counts = _array(counts)
    figure = _figure(2.9)
    left, *others = figure.subplots(1, 1 + len(balances))
    looks = {"exact": (BLUE, "o"), "published": (RED, "s"), "mean": (GREEN, "D")}
    parts = []
    for rule, given in weights.items():
        color, marker = looks[rule]
        left.plot(counts, _array(given), color=color, marker=marker, ms=4, label=rule)
        parts.append(
            f"{rule}: pull {_array(given)[0]:.2g} with {counts[0]:g} sample and "
            f"{_array(given)[-1]:.2g} with {counts[-1]:g}"
        )
    left.set(xscale="log", yscale="log", xlabel="samples of the class, $n_j$")
    left.set_title("largest pull")
    for axes, (quantity, (values, ratios)) in zip(
        others, balances.items(), strict=True
    ):
        values = _array(values)
        for rule, given in ratios.items():
            color, marker = looks[rule]
            axes.plot(values, _array(given), color=color, marker=marker, ms=4)
            parts.append(
                f"{rule}, push over pull against {quantity.replace('$', '')}: from "
                f"{_array(given)[0]:.2g} at {values[0]:g} to {_array(given)[-1]:.2g} "
                f"at {values[-1]:g}"
            )
        axes.set(xscale="log", yscale="log", xlabel=quantity)
        axes.set_title("largest push / pull")
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=len(looks)
    )
    alt = (
        "Left: the largest pull of the features on a center against the samples of its "
        "class in the batch. Then the largest push of the other centers divided by "
        f"that pull. {'; '.join(parts)}."
    )
    return figure, alt


def rest_positions(
    classes: Sequence[str], rest: Mapping[str, ArrayLike], printed: ArrayLike
) -> tuple[Figure, str]:
    """Cosine of learned and true center at rest, by rule, beside the printed one.

    Parameters
    ----------
    classes : sequence of str
    rest : mapping of rule -> cosines, one for each class
    printed : array, the paper's cosines after the last epoch
    """
    figure = _figure(3.0)
    axes = figure.subplots()
    places = np.arange(len(classes))
    paper = _array(printed)
    axes.plot(
        places, paper, "o", ms=11, mfc="none", mec=INK, mew=1.6, label="the paper"
    )
    looks = {"exact": (BLUE, "o"), "published": (RED, "s"), "mean": (GREEN, "D")}
    parts = []
    for rule, given in rest.items():
        color, marker = looks[rule]
        values = _array(given)
        axes.plot(
            places, values, marker=marker, color=color, ms=5.5, lw=1.2, label=rule
        )
        lowest = int(values.argmin())
        parts.append(
            f"{rule}: from {values.max():.2f} down to {values[lowest]:.2f} "
            f"({classes[lowest]})"
        )
    axes.set(xticks=places, ylim=(min(0.5, paper.min() - 0.05), 1.03))
    axes.set_xticklabels(classes)
    axes.set_title("cosine of learned and true center")
    axes.grid(axis="x", visible=False)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    lowest = int(paper.argmin())
    alt = (
        "Cosine of learned and true center for the classes "
        f"{_listed(classes)}. The paper: from {paper.max():.2f} down to "
        f"{paper[lowest]:.2f} ({classes[lowest]}). At rest, {'; '.join(parts)}."
    )
    return figure, alt


def center_turning(
    cosines: Mapping[str, ArrayLike], lengths: Mapping[str, ArrayLike]
) -> tuple[Figure, str]:
    """How fast centers turn toward their features, and how their lengths grow.

    Parameters
    ----------
    cosines : mapping of name -> mean cosine of center and class at each step
    lengths : mapping of name -> mean length of the centers over the first length
    """
    figure = _figure(3.1)
    left, right = figure.subplots(1, 2)
    parts = []
    looks = zip([BLUE, RED, GREEN, ORANGE], ["-", "--", "-.", ":"], strict=True)
    for (name, given), (color, line) in zip(cosines.items(), looks, strict=False):
        values, growth = _array(given), _array(lengths[name])
        left.plot(values, color=color, ls=line, label=name)
        right.plot(growth, color=color, ls=line)
        parts.append(
            f"{name}: cosine from {values[0]:.2f} to {values[-1]:.2f}, length times "
            f"{growth[-1]:.3f}"
        )
    left.set(xlabel="step", ylim=(min(-0.1, left.get_ylim()[0]), 1.05))
    left.set_title("cosine of center and its class")
    left.legend(loc="best")
    right.set(xlabel="step")
    right.set_title("length of the centers / first length")
    alt = (
        "Left: the mean cosine of the centers and the mean directions of their classes "
        "against the steps. Right: the length of the centers divided by their first "
        f"length. {'; '.join(parts)}."
    )
    return figure, alt


def frozen_share(
    lengths: Sequence[float], shares: Mapping[str, Sequence[float]]
) -> tuple[Figure, str]:
    """Share of the coordinates that one update changes, by precision and length.

    Parameters
    ----------
    lengths : sequence of float
        Lengths of the centers.
    shares : mapping of precision -> share that changed, one for each length
    """
    figure = _figure(2.7)
    axes = figure.subplots()
    places = np.arange(len(lengths), dtype=float)
    width = 0.8 / len(shares)
    colors = [BLUE, ORANGE, RED]
    hatches = ["", "//", "xx"]
    parts = []
    for i, (name, given) in enumerate(shares.items()):
        at = places + (i - (len(shares) - 1) / 2) * width
        axes.bar(
            at,
            given,
            width * 0.92,
            color=colors[i],
            hatch=hatches[i],
            edgecolor="white",
            lw=0,
            label=name,
        )
        for x, share in zip(at, given, strict=True):
            axes.text(x, share + 0.02, f"{share:.0%}", ha="center", fontsize=8)
        listed = [f"{share:.0%}" for share in given]
        parts.append(f"{name} {_listed(listed)}")
    axes.set(
        xticks=places,
        ylim=(0, 1.15),
        yticks=[0, 0.5, 1],
        yticklabels=["0 %", "50 %", "100 %"],
        xlabel="length of the centers",
    )
    axes.set_xticklabels([f"{length:.3g}" for length in lengths])
    axes.grid(axis="x", visible=False)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    listed = [f"{length:.3g}" for length in lengths]
    alt = (
        "Bars: the share of the coordinates of the centers that one update changes, "
        f"for centers of length {_listed(listed)}: {'; '.join(parts)}."
    )
    return figure, alt


# Chapter 7: Algorithm 1 on a toy.


def toy_planes(
    panels: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
) -> tuple[Figure, str]:
    """Plane features with the directions of learned (△) and true (▽) centers.

    Parameters
    ----------
    panels : mapping of title -> (features (n, 2), labels (n,), centers (s, 2))
    """
    figure = _figure(2.75 if len(panels) > 2 else 3.6)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    every = [_array(points) for points, _, _ in panels.values()]
    reach = 1.25 * max(np.linalg.norm(points, axis=1).max() for points in every)
    parts = []
    for axes, (title, (given, classes, given_centers)) in zip(
        grid, panels.items(), strict=True
    ):
        points, labels = _array(given), np.asarray(classes)
        centers = _unit(_array(given_centers))
        _toy_panel(axes, points, labels, centers, reach)
        axes.set_title(title)
        parts.append(f"{title}: {_toy_words(points, labels, centers)}")
    _toy_legend(figure, len(centers))
    alt = (
        "Features as points in the plane, colored by class, inside a ring that carries "
        "the directions of the learned centers (triangles up) and of the true centers "
        f"(triangles down). {'; '.join(parts)}."
    )
    return figure, alt


def _toy_panel(
    axes: Axes, points: Array, labels: NDArray[Any], centers: Array, reach: float
) -> None:
    _plane(axes, 1.12 * reach)
    _circle(axes, reach)
    axes.plot(0, 0, "+", color=GRAY, ms=7)
    for j, name in enumerate(_names(len(centers))):
        color, marker = CLASS_STYLE[name]
        own = points[labels == j]
        look: dict[str, Any] = {"color": color, "mec": "white", "ls": ""}
        axes.plot(*own.T, marker, ms=_size(marker), mew=0.4, alpha=0.85, **look)
        if len(own):
            true = _unit(own.mean(0))
            axes.plot(*(0.93 * reach * true), "v", ms=8.5, mew=0.8, zorder=5, **look)
        axes.plot(*(1.06 * reach * centers[j]), "^", ms=8.5, mew=0.8, zorder=5, **look)


def _toy_words(points: Array, labels: NDArray[Any], centers: Array) -> str:
    own = _cosines(points, centers[labels]).mean()
    s = len(centers)
    pairs = (np.sum(centers.sum(0) ** 2) - s) / (s * (s - 1))
    return (
        f"mean cosine of features and their centers {own:.2f}, of different centers "
        f"{pairs:.2f}"
    )


def _toy_legend(figure: Figure, s: int, true_centers: bool = True) -> None:
    handles: list[Any] = []
    for name in _names(s):
        color, marker = CLASS_STYLE[name]
        handles.append(
            Line2D(
                [], [], color=color, marker=marker, ms=_size(marker), ls="", label=name
            )
        )
    triangles = [("^", "learned center"), ("v", "true center")]
    for marker, name in triangles[: 1 + true_centers]:
        handles.append(
            Line2D([], [], color=GRAY, marker=marker, ms=7, ls="", label=name)
        )
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        handletextpad=0.1,
        columnspacing=1.1,
    )


def toy_history(
    runs: Mapping[str, Mapping[str, ArrayLike]],
) -> tuple[Figure, str]:
    """What the paper measures, over the steps of some toy runs.

    Parameters
    ----------
    runs : mapping of name -> {title of a panel: values (steps,)}
    """
    titles = list(next(iter(runs.values())))
    figure = _figure(2.7)
    grid = figure.subplots(1, len(titles), squeeze=False)[0]
    looks = zip([GRAY, BLUE, RED, GREEN], ["--", "-", "-.", ":"], strict=True)
    parts = []
    for (name, measures), (color, line) in zip(runs.items(), looks, strict=False):
        ends = []
        for axes, title in zip(grid, titles, strict=True):
            values = _array(measures[title])
            axes.plot(values, color=color, ls=line, label=name)
            ends.append(f"{title} {values[-1]:.2f}")
        parts.append(f"{name}: {_listed(ends)}")
    for axes, title in zip(grid, titles, strict=True):
        axes.set_title(title)
        axes.set(xlabel="step")
    figure.legend(
        *grid[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(runs),
    )
    alt = f"Measures over the steps; at the last step {'; '.join(parts)}."
    return figure, alt


def toy_spheres(
    panels: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
) -> tuple[Figure, str]:
    """Directions of features in space on the unit sphere, with their centers.

    Parameters
    ----------
    panels : mapping of title -> (features (n, 3), labels (n,), centers (s, 3))
    """
    figure = _figure(3.9)
    parts = []
    s = 0
    for i, (title, (given, classes, given_centers)) in enumerate(panels.items(), 1):
        points, labels = _unit(_array(given)), np.asarray(classes)
        centers = _unit(_array(given_centers))
        s = len(centers)
        axes: Any = figure.add_subplot(1, len(panels), i, projection="3d")
        _toy_sphere(axes, points, labels, centers)
        axes.set_title(title, loc="center")
        parts.append(f"{title}: {_toy_words(points, labels, centers)}")
    _toy_legend(figure, s)
    alt = (
        "Directions of features as points on a sphere, colored by class; arrows with a "
        f"triangle are the learned centers. {'; '.join(parts)}."
    )
    return figure, alt


def _toy_sphere(axes: Any, points: Array, labels: NDArray[Any], centers: Array) -> None:
    turn, height = np.meshgrid(np.linspace(0, 2 * np.pi, 37), np.linspace(-1, 1, 13))
    ring = np.sqrt(1 - height**2)
    axes.plot_wireframe(
        ring * np.cos(turn),
        ring * np.sin(turn),
        height,
        color=PALE,
        lw=0.5,
        alpha=0.7,
    )
    view = np.deg2rad(22), np.deg2rad(35)
    toward = np.array(
        [
            np.cos(view[0]) * np.cos(view[1]),
            np.cos(view[0]) * np.sin(view[1]),
            np.sin(view[0]),
        ]
    )
    for j, name in enumerate(_names(len(centers))):
        color, marker = CLASS_STYLE[name]
        own = points[labels == j]
        for front in (False, True):
            side = own[(own @ toward > 0) == front]
            axes.plot(
                *(1.01 * side.T),
                marker,
                color=color,
                ms=5,
                mec="white",
                mew=0.4,
                ls="",
                alpha=0.95 if front else 0.3,
            )
        axes.plot(*np.c_[np.zeros(3), centers[j]], color=color, lw=1.4)
        axes.plot(
            *(1.12 * centers[j])[:, None], "^", color=color, ms=9, mec=INK, mew=0.6
        )
    axes.view_init(22, 35)
    axes.set_box_aspect((1, 1, 1), zoom=1.45)
    axes.set_axis_off()


def toy_moment(
    path: Sequence[tuple[ArrayLike, ArrayLike]],
    labels: ArrayLike,
    history: Mapping[str, ArrayLike],
    at: int,
) -> tuple[Figure, str]:
    """A toy run after some steps, and the curves of the whole run.

    Parameters
    ----------
    path : sequence of (features (n, 2) or (n, 3), centers), one for each step
    labels : array, (n,)
    history : mapping of name -> values (steps,)
    at : int
        The step to draw.
    """
    points, centers = (_array(part) for part in path[at])
    classes, unit_centers = np.asarray(labels), _unit(centers)
    figure = _figure(3.5)
    grid = figure.add_gridspec(1, 2, width_ratios=[1, 1.1])
    curve = figure.add_subplot(grid[1])
    if points.shape[1] == 2:
        plane = figure.add_subplot(grid[0])
        # One scale for the whole run, so that steps can be compared.
        longest = max(np.linalg.norm(_array(x), axis=1).max() for x, _ in path)
        _toy_panel(plane, points, classes, unit_centers, 1.2 * float(longest))
        where = "in the plane, with the learned and the true centers on a ring"
    else:
        plane = figure.add_subplot(grid[0], projection="3d")
        _toy_sphere(plane, _unit(points), classes, unit_centers)
        where = "as directions on a sphere, with the learned centers"
    plane.set_title(f"after {at} steps", loc="center")
    looks = zip([BLUE, RED, GREEN], ["-", "-.", ":"], strict=True)
    parts = []
    for (name, given), (color, line) in zip(history.items(), looks, strict=False):
        values = _array(given)
        curve.plot(values, color=color, ls=line, label=f"{name}: {values[at]:.2f}")
        curve.plot(at, values[at], "o", color=color, ms=7, mec="white", zorder=5)
        parts.append(f"{name} {values[at]:.2f}")
    curve.axvline(at, color=PALE, lw=1, zorder=0.5)
    curve.set(
        xlabel="step", ylim=(-1.05, 1.08), xscale="symlog", xlim=(-0.15, len(path))
    )
    curve.legend(loc="lower right", frameon=True, framealpha=0.85, edgecolor="none")
    _toy_legend(figure, len(unit_centers))
    alt = f"The features {where}, after {at} steps. At this step {_listed(parts)}."
    return figure, alt


def toy_step(
    features: ArrayLike,
    labels: ArrayLike,
    centers: ArrayLike,
    rows: ArrayLike,
    feature_steps: Mapping[str, ArrayLike],
    center_steps: Mapping[str, ArrayLike],
    larger: float,
) -> tuple[Figure, str]:
    """The forces of one step of Algorithm 1: on the features and on the centers.

    Parameters
    ----------
    features : array, (n, 2)
    labels : array, (n,)
    centers : array, (s, 2)
    rows : array, (m,)
        The features of the batch.
    feature_steps : mapping of name -> steps (m, 2)
    center_steps : mapping of name -> steps (s, 2)
    larger : float
        The arrows are drawn this many times as long as the steps.
    """
    points, classes = _array(features), np.asarray(labels)
    given, batch = _array(centers), np.asarray(rows)
    figure = _figure(3.9)
    left, right = figure.subplots(1, 2)
    seen = np.concatenate([points, _unit(given)])
    low, high = seen.min(0) - 0.25, seen.max(0) + 0.25
    left.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    left.axis("off")
    _circle(left)
    left.plot(0, 0, "+", color=GRAY, ms=7)
    outside = np.setdiff1d(np.arange(len(points)), batch)
    for j, name in enumerate(_names(len(given))):
        color, marker = CLASS_STYLE[name]
        for chosen, alpha in ((outside, 0.18), (batch, 0.9)):
            own = points[chosen][classes[chosen] == j]
            left.plot(*own.T, marker, color=color, ms=_size(marker), mew=0, alpha=alpha)
        left.plot(*_unit(given[j]), "^", color=color, ms=9, mec="white", zorder=6)
    looks = list(zip([GRAY, INK], [1.1, 1.6], strict=True))
    parts = []
    for (name, moves), (color, width) in zip(
        feature_steps.items(), looks, strict=False
    ):
        moves = _array(moves)
        for place, move in zip(points[batch], moves, strict=True):
            _arrow(
                left,
                place + larger * move,
                tail=place,
                color=color,
                width=width,
                mutation_scale=6,
            )
        mean = np.linalg.norm(moves, axis=1).mean()
        parts.append(f"{name} {mean:.3f} on a feature")
        left.plot([], [], color=color, lw=width, label=name)
    left.legend(loc="lower left", fontsize=8)
    left.set_title("line 4: the features")

    size = 1.25 * np.linalg.norm(given, axis=1).max()
    _plane(right, float(size))
    _circle(right)
    for (name, moves), (color, width) in zip(center_steps.items(), looks, strict=False):
        moves = _array(moves)
        for place, move in zip(given, moves, strict=True):
            _arrow(right, place + larger * move, tail=place, color=color, width=width)
        parts.append(f"{name} {np.linalg.norm(moves, axis=1).mean():.3f} on a center")
        right.plot([], [], color=color, lw=width, label=name)
    for j, name in enumerate(_names(len(given))):
        color, _ = CLASS_STYLE[name]
        right.plot([0, given[j, 0]], [0, given[j, 1]], color=color, lw=1.4)
        right.plot(*given[j], "^", color=color, ms=10, mec="white", zorder=6)
    right.legend(loc="upper left", fontsize=8, bbox_to_anchor=(-0.12, 1))
    right.set_title("line 3: the centers")
    _toy_legend(figure, len(given), true_centers=False)
    alt = (
        "One step of Algorithm 1 as arrows, drawn "
        f"{larger:g} times as long as the steps: on the features of a batch (left) and "
        f"on the centers (right). Mean lengths: {_listed(parts)}."
    )
    return figure, alt
