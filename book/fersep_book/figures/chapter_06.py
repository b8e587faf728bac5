"""Figures of chapter 6: the centers."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fersep.data import BASIC_CLASSES as BASIC
from fersep_book.evidence import RULES
from fersep_book.figures import parts, style

#: Color and marker of each update rule.
RULE_LOOKS = {
    "exact": (style.BLUE, "o"),
    "published": (style.RED, "s"),
    "mean": (style.GREEN, "D"),
}
#: Colors of the pull and the push.
FORCES = (style.BLUE, style.RED)


def two_forces(
    features: ArrayLike,
    labels: ArrayLike,
    centers: ArrayLike,
    forces: Mapping[str, tuple[ArrayLike, ArrayLike]],
) -> parts.Picture:
    """Pull and push on each center in the plane, under each rule.

    Parameters
    ----------
    features : array, (n, 2)
    labels : array, (n,)
    centers : array, (s, 2)
    forces : mapping of rule -> (pulls (s, 2), pushes (s, 2))
    """
    points, own, starts = map(np.asarray, (features, labels, centers))
    figure, panels = parts.row_of_panels(2.9, len(forces))
    parts.finding(figure, "As printed, the pull is weak beside the push")
    told = []
    for axes, (rule, given) in zip(panels, forces.items(), strict=True):
        lengths = [np.linalg.norm(steps, axis=1) for steps in given]
        parts.plane(axes, 1.4)
        parts.circle(axes)
        for j, (_, color, marker) in enumerate(parts.toy_classes(len(starts))):
            axes.plot(*points[own == j].T, marker, color=color, ms=4, mew=0, alpha=0.7)
            parts.center_mark(axes, starts[j], color)
        for name, steps, color in zip(("pull", "push"), given, FORCES, strict=True):
            for place, step in zip(starts, parts.as_array(steps), strict=True):
                tip = place + 0.8 * step / np.max(lengths)
                parts.arrow(axes, tip, place, color=color, width=1.6, head=9)
            axes.plot([], [], color=color, lw=1.6, label=name)
        axes.set_title(RULES[rule])
        told += [f"{rule}: pull {parts.say('{:.3f}', lengths[0])}"]
        told[-1] += f", push {parts.say('{:.3f}', lengths[1])}"
    parts.legend_below(figure, 2, panels[0])
    return figure, (
        "Three centers on a circle, the features of their classes, and two arrows at "
        f"each center. {'; '.join(told)}."
    )


def rule_weights(
    counts: ArrayLike,
    weights: Mapping[str, ArrayLike],
    balances: Mapping[str, tuple[ArrayLike, Mapping[str, ArrayLike]]],
) -> parts.Picture:
    """Pull on a center against its count, and push over pull against other numbers.

    ``weights`` has for each rule the largest pull at each of ``counts``, samples of the
    class in the batch. ``balances`` has for each quantity its values, and push over
    pull at each of them for each rule.
    """
    figure, (left, *others) = parts.row_of_panels(3.1, 1 + len(balances))
    parts.finding(figure, "Under the printed rule the push outweighs the pull")
    told = [
        f"{rule}: pull {pulls[0]:.2g} with {at[0]:g} sample and {pulls[-1]:.2g} with "
        f"{at[-1]:g}"
        for rule, at, pulls in _rule_curves(left, counts, weights)
    ]
    left.set(xlabel="samples of the class, $n_j$", title="largest pull")
    for axes, (quantity, (values, ratios)) in zip(
        others, balances.items(), strict=True
    ):
        told += [
            f"{rule}, push over pull against {quantity.replace('$', '')}: from "
            f"{both[0]:.2g} at {at[0]:g} to {both[-1]:.2g} at {at[-1]:g}"
            for rule, at, both in _rule_curves(axes, values, ratios)
        ]
        axes.set(xlabel=quantity, title="largest push / pull")
    parts.legend_below(figure, len(RULE_LOOKS), left)
    return figure, (
        "Left: the largest pull of the features on a center against the samples of its "
        "class in the batch. Then the largest push of the other centers divided by "
        f"that pull. {'; '.join(told)}."
    )


def _rule_curves(
    axes: parts.Axes, values: ArrayLike, curves: Mapping[str, ArrayLike]
) -> list[tuple[str, parts.Array, parts.Array]]:
    """Draw one curve a rule, and return what was drawn: rule, places, heights."""
    at = parts.as_array(values)
    drawn = []
    for rule, given in curves.items():
        color, marker = RULE_LOOKS[rule]
        heights = parts.as_array(given)
        axes.plot(at, heights, color=color, marker=marker, ms=4, label=RULES[rule])
        drawn.append((rule, at, heights))
    axes.set(xscale="log", yscale="log")
    return drawn


def rest_by_likeness(
    rhos: Sequence[float],
    curves: Mapping[str, ArrayLike],
    printed: ArrayLike,
    table_1: tuple[float, float],
) -> parts.Picture:
    """Where the seven centers rest, against how alike the classes are.

    ``curves`` has for each rule the cosines of learned and true center, (rhos, 7);
    ``rhos`` are cosines of every pair of class means. ``printed`` (7,) are the paper's
    after the last epoch, ``table_1`` is the range of ρ that its Table 1 allows.
    """
    figure, panels = parts.row_of_panels(3.1, 1 + len(curves))
    parts.finding(figure, "No rule at rest fits both the last row and Table 1")
    paper, told = parts.as_array(printed), []
    for axes, (rule, given) in zip(panels, curves.items(), strict=False):
        values = parts.as_array(given)
        for j, (color, marker) in enumerate(style.class_style(BASIC)):
            axes.plot(rhos, values[:, j], color=color, lw=1.4)
            look = {"mfc": "none", "mec": color, "ms": 6, "clip_on": False}
            axes.plot(rhos[0] - 0.08, paper[j], marker, **look)
        alike = np.ptp(values[-1]) < 0.1
        for j, name in ((1, "all"),) if alike else ((1, "happy"), (4, "fear")):
            parts.note(axes, name, (rhos[-1], values[-1, j]), (2, -3))
        axes.set(title=RULES[rule], ylim=(-1, 1.05), xlim=(-0.15, 1.3), xlabel="ρ")
        axes.set_xticks([0, 0.5, 1])
        error = np.sqrt(np.square(values - paper).mean(1))
        color, _ = RULE_LOOKS[rule]
        panels[-1].plot(rhos, error, color=color)
        parts.note(panels[-1], RULES[rule], (rhos[-1], error[-1]), (2, -3), color=color)
        told.append(f"{rule}, distance {error[0]:.2f} at 0 and {error[-1]:.2f} at ")
        told[-1] += f"{rhos[-1]:g}, fear from {values[0, 4]:.2f} to {values[-1, 4]:.2f}"
    panels[-1].axvspan(*table_1, color=style.PALE, alpha=0.6, zorder=0)
    panels[-1].set(title="distance", xlabel="ρ", xlim=(-0.05, 1.55), ylim=(0, 1))
    panels[-1].set_xticks([0, 0.5, 1])
    panels[0].set_ylabel("cosine of learned and true center")
    return figure, (
        "Curves over the mutual cosine of the class means: the cosine of each learned "
        f"center at rest with its class, beside the paper's. {'; '.join(told)}."
    )
