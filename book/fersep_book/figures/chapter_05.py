"""Figures of chapter 5: the gradient."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style

#: Length of a push, from none (the ground, light or dark) to long (red).
PUSH_COLORS = LinearSegmentedColormap.from_list("push", [style.RED + "00", style.RED])


def feature_push(angle: float) -> parts.Picture:
    """A feature at an angle (in degrees) to its center, and the push of Eq. 5 on it.

    The push is drawn for a batch of one feature of length 1.
    """
    radians = np.deg2rad(angle)
    size = np.sin(radians) / 2
    figure, (plane, curve) = parts.row_of_panels(2.9, 2, width_ratios=[1, 1.45])
    feature = np.array([np.cos(radians), np.sin(radians)])
    _push_on(plane, feature, np.array([1.0, 0.0]))
    plane.set_title(f"{angle:g}° from the center")

    curve.vlines(angle, 0, size, color=style.PALE, lw=1.2)
    sines = np.sin(np.deg2rad(np.linspace(0, 180, 181)))
    parts.angle_curve(curve, sines / 2, angle, size)
    curve.set(ylim=(-0.02, 0.56), title=f"length of the push = {size:.3f}")
    curve.set_xlabel("angle between feature and center, in degrees")
    return figure, (
        f"Left: a feature on the unit circle {angle:g} degrees from its center; the "
        f"push is tangent to the circle and points toward the center. Right: its "
        f"length rises from 0 at 0 degrees to one half at 90 degrees and falls back "
        f"to 0 at 180 degrees; the marked point is at {size:.3f}."
    )


def _push_on(axes: parts.Axes, feature: parts.Array, center: parts.Array) -> None:
    parts.plane(axes, 1.3)
    parts.circle(axes)
    parts.arrow(axes, center, color=style.INK, width=2)
    parts.center_mark(axes, center, style.INK)
    axes.text(1.07, -0.2, "$c$", fontsize=12)
    parts.arrow(axes, feature, color=style.BLUE, width=2.4)
    axes.text(*(feature * 1.2 - 0.05), "$x$", color=style.BLUE, fontsize=12)
    push = _push(feature, center)
    size = np.linalg.norm(push)
    if size > 1e-9:
        tangent = push / size
        ends = np.array([feature - 0.55 * tangent, feature + 0.75 * tangent])
        axes.plot(*ends.T, color=style.PALE, lw=1.2, ls=(0, (3, 2)), zorder=2)
        parts.arrow(axes, feature + push, tail=feature, color=style.RED, width=2.4)


def _push(points: parts.Array, direction: parts.Array) -> parts.Array:
    """Eq. 5 for batches of one feature: points (..., 2), a center of length 1 (2,)."""
    lengths = np.linalg.norm(points, axis=-1, keepdims=True)
    cosines = (points @ direction)[..., None] / lengths
    return np.asarray((direction - cosines * points / lengths) / (2 * lengths))


def push_field(center: ArrayLike) -> parts.Picture:
    """The push of Eq. 5, minus the gradient, at every place of the plane."""
    direction = parts.unit(center)
    figure, axes = parts.one_panel(4.5, 5.6)
    parts.finding(figure, "Strongest at a right angle, and near the origin")
    parts.plane(axes, 2.2)
    x, y = np.meshgrid(*[np.linspace(-2.2, 2.2, 221)] * 2)
    points = np.stack([x, y], -1)
    # At the origin the push has no length.
    points[np.linalg.norm(points, axis=-1) < 0.02] = np.nan
    size = np.minimum(np.linalg.norm(_push(points, direction), axis=-1), 1.2)
    look = {"cmap": PUSH_COLORS, "vmin": 0, "vmax": 1.2, "rasterized": True}
    image = axes.pcolormesh(x, y, size, **look)
    for radius in (0.5, 1.0, 1.5, 2.0):
        _pushes_on_circle(axes, radius, direction)
    tip = 2.1 * direction
    parts.arrow(axes, tip, color=style.BLUE, width=2.4)
    parts.center_mark(axes, tip, style.BLUE, 11)
    axes.text(*(1.9 * direction + [0.14, -0.2]), "$c$", color=style.BLUE, fontsize=13)
    axes.plot(0, 0, "o", color="white", mec=style.INK, ms=5, zorder=6)
    bar = figure.colorbar(image, ax=axes, shrink=0.75, aspect=18, extend="max")
    bar.set_label("length of the push")
    degrees = np.rad2deg(np.arctan2(direction[1], direction[0]))
    side = np.array([-direction[1], direction[0]])
    near, far = (np.linalg.norm(_push(r * side, direction)) for r in (0.5, 2))
    return figure, (
        "Arrows show the push on a feature at each place of the plane. All run along "
        f"circles around the origin toward the center's direction, {degrees:.0f} "
        "degrees above the horizontal. At a right angle the push has length "
        f"{near:.2f} at distance 0.5 and {far:.2f} at distance 2; it is zero in front "
        "of the center and exactly opposite to it."
    )


def _pushes_on_circle(axes: parts.Axes, radius: float, direction: parts.Array) -> None:
    parts.circle(axes, radius, color="#CFCFCF")
    for turn in np.deg2rad(np.arange(15, 360, 30)):
        place = radius * np.array([np.cos(turn), np.sin(turn)])
        push = _push(place, direction)
        # Half the true length, so that the innermost arrows do not cross.
        if np.linalg.norm(push) > 0.03:
            parts.arrow(axes, place + 0.5 * push, tail=place, width=1.2, head=9)
