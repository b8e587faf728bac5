"""Figures of chapter 4: the separate loss."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style


def two_vectors(angle: float) -> parts.Picture:
    """Two vectors at an angle (in degrees) and the curve of Eq. 1 above all angles."""
    cosine = np.cos(np.deg2rad(angle))
    value = (cosine + 1) / 2
    figure, (plane, curve) = parts.row_of_panels(2.9, 2, width_ratios=[1, 1.45])
    _angle_between(plane, angle, value)
    plane.set_title(f"{angle:g}° between them")

    cosines = np.cos(np.deg2rad(np.linspace(0, 180, 181)))
    curve.plot(range(181), cosines, color=style.GRAY, lw=1.4, ls=style.DASHED)
    curve.text(118, -0.74, "cosine", color=style.GRAY, ha="right")
    curve.text(52, 0.9, "Sim, Eq. 1", color=style.INK)
    curve.vlines(angle, -1, value, color=style.PALE, lw=1.2)
    parts.angle_curve(curve, (cosines + 1) / 2, angle, value)
    curve.set(ylim=(-1.05, 1.12), xlabel="angle in degrees", title=f"Sim = {value:.3f}")
    return figure, (
        f"Left: two arrows from one point, {angle:g} degrees apart. Right: Eq. 1 falls "
        f"from 1 at 0 degrees over one half at 90 degrees to 0 at 180 degrees; the "
        f"marked point is at {value:.3f}, where the cosine is {cosine:.3f}."
    )


def _angle_between(axes: parts.Axes, angle: float, value: float) -> None:
    turn = np.linspace(0, np.deg2rad(angle), 60)
    x, y = np.cos(turn), np.sin(turn)
    second = 0.78 * np.array([x[-1], y[-1]])
    parts.plane(axes, 1.2)
    parts.circle(axes)
    look = {"color": style.SIMILARITY_COLORS(value), "alpha": 0.85, "zorder": 2}
    axes.fill(np.r_[0, 0.34 * x], np.r_[0, 0.34 * y], **look)
    axes.plot(0.34 * x, 0.34 * y, color=style.GRAY, lw=1, zorder=3)
    parts.arrow(axes, (1.0, 0), color=style.BLUE, width=2.4)
    parts.arrow(axes, second, color=style.RED, width=2.4)
    axes.text(1.05, -0.12, "$a_1$", color=style.BLUE, fontsize=12)
    axes.text(*(second * 1.22 - 0.03), "$a_2$", color=style.RED, fontsize=12)


def feature_fans(
    batches: Mapping[str, tuple[ArrayLike, ArrayLike]],
) -> parts.Picture:
    """Plane features of one class around their center, one panel for each batch.

    ``batches`` has features (m, 2) and their center (2,) for each name.
    """
    figure, panels = parts.row_of_panels(3.0, len(batches))
    color, marker = style.CLASS_STYLE["HA"]
    given = [parts.as_array(features) for features, _ in batches.values()]
    reach = max(np.abs(points).max() for points in given)
    told = []
    for axes, (name, (features, center)) in zip(panels, batches.items(), strict=True):
        points, direction = parts.as_array(features), parts.unit(center)
        loss = (1 - parts.cosines(points, direction).mean()) / 2
        parts.plane(axes, 1.1 * max(reach, 1.0))
        parts.circle(axes)
        axes.plot(*parts.unit(points).T, ".", color=color, ms=4, zorder=3, mec="none")
        for x, y in points:
            axes.plot([0, x], [0, y], color=color, lw=0.9, alpha=0.45, zorder=2)
        axes.plot(*points.T, marker, color=color, ms=5.5, mec="white", mew=0.6, ls="")
        parts.arrow(axes, direction, color=style.INK, width=2)
        parts.center_mark(axes, direction, style.INK, 9)
        axes.set_title(f"{name}\n$L_{{intra}}$ = {loss:.3f}", fontweight="normal")
        told.append(f"{name}: L_intra {loss:.3f}")
    parts.finding(figure, "Eq. 2 asks whether a class follows its center")
    return figure, (
        "Features of one class as points in the plane, with their center as an arrow "
        f"with a triangle on the unit circle; {parts.listing(told)}."
    )


def zero_sum_sets(sets: Mapping[str, ArrayLike]) -> parts.Picture:
    """Sets of plane centers: their directions above, their similarities below.

    ``sets`` has unit centers (s, 2) for each name.
    """
    figure = parts.new_figure(4.7)
    parts.finding(figure, "Clumps have the hexagon's loss, but classes coincide")
    panels = figure.subplots(2, len(sets), squeeze=False, sharex="row")
    told = []
    for (above, below), (name, given) in zip(panels.T, sets.items(), strict=True):
        centers = parts.unit(given)
        _center_arrows(above, centers)
        above.set_title(name.replace(" ", "\n", 1))
        matrix = (centers @ centers.T + 1) / 2
        others = matrix[~np.eye(len(centers), dtype=bool)]
        _similarities(below, matrix)
        title = f"$L_{{inter}}$ = {others.mean():.4f}"
        below.set_title(title, fontweight="normal")
        told.append(
            f"{name}: mean similarity {others.mean():.4f}, closest pair "
            f"{others.max():.2f}, length of the sum "
            f"{np.linalg.norm(centers.sum(0)):.2f}"
        )
    scale = ScalarMappable(Normalize(0, 1), style.SIMILARITY_COLORS)
    bar = figure.colorbar(scale, ax=panels[1, :], label="Sim", shrink=0.8, aspect=14)
    # No image: its colors follow light and dark, as those of the cells.
    solids: Any = bar.solids
    solids.set(rasterized=False, edgecolor="face")
    return figure, (
        "Arrows on the unit circle above, one for each center, and the matrix of their "
        f"similarities below. {'; '.join(told)}."
    )


def _center_arrows(axes: parts.Axes, centers: parts.Array) -> None:
    """Draw centers and their mean; marks of equal centers lie outside each other."""
    parts.plane(axes, 1.35)
    parts.circle(axes)
    looks = parts.toy_classes(len(centers))
    for j, (_, color, marker) in enumerate(looks):
        center = centers[j]
        repeats = sum(np.allclose(center, seen, atol=0.05) for seen in centers[:j])
        parts.arrow(axes, center, color=color, width=1.6)
        look = {"color": color, "mec": "white", "mew": 0.4, "clip_on": False}
        place, size = center * (1.13 + 0.17 * repeats), parts.marker_size(marker)
        axes.plot(*place, marker, ms=1.3 * size, **look)
    resultant = centers.sum(0)
    if np.linalg.norm(resultant) > 0.05:
        parts.arrow(axes, resultant / len(centers), color=style.INK, width=2.6)


def _similarities(axes: parts.Axes, matrix: parts.Array) -> None:
    # No numbers: Exercise 4.3 asks for the largest.
    texts = np.full(matrix.shape, "")
    parts.heat_map(axes, matrix, texts, style.SIMILARITY_COLORS)
    names = [name for name, *_ in parts.toy_classes(len(matrix))]
    parts.matrix_ticks(axes, names, names)
    axes.tick_params(labelsize=8)
    axes.spines[:].set_visible(False)


def inter_cost(forms: Mapping[str, Sequence[tuple[int, float]]]) -> parts.Picture:
    """Time of a step against the number of classes, one line for each form of Eq. 3.

    ``forms`` has pairs of a number of classes and seconds for each form.
    """
    figure, axes = parts.one_panel(3.1, 5.6)
    parts.finding(figure, "The sum grows most slowly with the number of classes")
    looks = [(style.RED, "o"), (style.ORANGE, "s"), (style.BLUE, "D")]
    told = []
    for name, points, (color, marker) in parts.series(forms, looks):
        (*_, (s, seconds)) = points
        look = {"color": color, "marker": marker, "label": name}
        axes.plot(*zip(*points, strict=True), **look)
        told.append(f"{name}: {seconds:.2g} seconds at {s} classes")
    axes.set(xscale="log", yscale="log", ylabel="seconds a step")
    axes.set_xlabel("number of classes $s$")
    parts.legend_below(figure, 2)  # on a phone it would lie over the lines
    return figure, f"Time of a step against the number of classes: {'; '.join(told)}."


def loss_ranges(
    states: Mapping[str, tuple[float, float]], floor: float
) -> parts.Picture:
    """Where states lie in the plane of L_intra and L_inter.

    ``states`` has (L_intra, L_inter) for each name; ``floor`` is the lowest L_inter
    that the number of classes allows.
    """
    figure, axes = parts.one_panel(4.0, 5.6)
    parts.finding(figure, "The corner without loss cannot be reached")
    axes.axhspan(-0.05, floor, color=style.PALE, alpha=0.5, zorder=0)
    axes.axhline(floor, color=style.RED, lw=1.4)
    words = f"under the floor, {floor:.4f}: no centers"
    axes.text(0.98, floor / 2, words, color=style.RED, ha="right", va="center")
    for level in np.arange(0.5, 2.0, 0.5):
        axes.plot([0, level], [level, 0], color="#9A9A9A", lw=1, zorder=0.5)
    told = []
    for name, (intra, inter) in states.items():
        axes.plot(intra, inter, "o", color=style.BLUE, ms=8, mec="white", mew=0.8)
        right = intra > 0.8
        look = {"ha": "right" if right else "left", "va": "center", "fontsize": 9}
        up = 6 if inter > floor + 1e-9 else -11  # not on the line of the floor
        offset = (-8 if right else 8, up if inter < floor + 0.03 else 0)
        parts.note(axes, name, (intra, inter), offset, **look)
        told.append(f"{name} ({intra:.3f}, {inter:.3f})")
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    axes.set(xlabel="$L_{intra}$", ylabel="$L_{inter}$")
    return figure, (
        "States as points in the plane of L_intra (across) and L_inter (up): "
        f"{parts.listing(told)}. The floor of L_inter is a line at {floor:.4f}; gray "
        "lines join points of equal L_sep."
    )
