"""Figures of chapter 6: the centers."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style

#: Color and marker of each update rule.
RULE_LOOKS = {
    "exact": (style.BLUE, "o"),
    "published": (style.RED, "s"),
    "mean": (style.GREEN, "D"),
}


def centers_relaxing(
    path: Sequence[ArrayLike], losses: Sequence[float], floor: float, at: int
) -> parts.Picture:
    """Plane centers after some steps of Eq. 7 and 8, with L_inter over all steps.

    Parameters
    ----------
    path : sequence of centers (s, 2), one for each step
    losses : sequence of float, L_inter at each step
    at : int
        The step to draw.
    """
    traces = np.stack([parts.unit(step) for step in path[: at + 1]])
    length = np.linalg.norm(traces[-1].sum(0))
    figure, (plane, curve) = parts.row_of_panels(3.0, 2, width_ratios=[1, 1.35])
    _traced_centers(plane, traces)
    plane.set_title(f"step {at}: sum of length {length:.2f}")
    steps = np.arange(len(losses))
    curve.plot(steps, losses, color=style.PALE, lw=2)
    curve.plot(steps[: at + 1], losses[: at + 1], color=style.INK)
    curve.plot(at, losses[at], "o", color=style.RED, ms=8, zorder=5)
    curve.axhline(floor, color=style.RED, lw=1.2, ls=style.DASHED)
    curve.text(steps[-1], floor, "floor ", color=style.RED, ha="right", va="bottom")
    curve.set(xlabel="step", xscale="symlog", xlim=(-0.1, steps[-1] * 1.15))
    curve.set_title(f"$L_{{inter}}$ = {losses[at]:.4f}")
    return figure, (
        f"Left: {len(traces[-1])} centers on the unit circle after {at} steps; their "
        f"sum has length {length:.2f}. Right: L_inter falls from {losses[0]:.3f} "
        f"toward its floor {floor:.3f}; at this step it is {losses[at]:.4f}."
    )


def _traced_centers(axes: parts.Axes, traces: parts.Array) -> None:
    """Draw centers and their mean, with the way that they came: (steps, s, 2)."""
    centers = traces[-1]
    parts.plane(axes, 1.3)
    parts.circle(axes)
    for j, (name, color, _) in enumerate(parts.toy_classes(len(centers))):
        axes.plot(*traces[:, j].T, color=color, lw=3.5, alpha=0.3, zorder=2)
        parts.arrow(axes, centers[j], color=color, width=1.6)
        parts.center_mark(axes, centers[j], color)
        axes.text(*(1.2 * centers[j]), name, color=color, ha="center", va="center")
    resultant = centers.sum(0)
    if np.linalg.norm(resultant) > 0.02:
        parts.arrow(axes, resultant / len(centers), color=style.INK, width=3)
    axes.plot(0, 0, "o", color=style.INK, ms=4, zorder=7)


def rule_weights(
    counts: ArrayLike,
    weights: Mapping[str, ArrayLike],
    balances: Mapping[str, tuple[ArrayLike, Mapping[str, ArrayLike]]],
) -> parts.Picture:
    """Pull on a center against its count, and push over pull against other numbers.

    Parameters
    ----------
    counts : array, (k,)
        Samples of the class in the batch.
    weights : mapping of rule -> largest pull (k,)
    balances : mapping of a quantity -> (its values (l,), rule -> push over pull (l,))
    """
    figure, (left, *others) = parts.row_of_panels(2.9, 1 + len(balances))
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
        axes.plot(at, heights, color=color, marker=marker, ms=4, label=rule)
        drawn.append((rule, at, heights))
    axes.set(xscale="log", yscale="log")
    return drawn


def rest_positions(
    classes: Sequence[str], rest: Mapping[str, ArrayLike], printed: ArrayLike
) -> parts.Picture:
    """Cosine of learned and true center at rest, by rule, beside the printed one.

    Parameters
    ----------
    rest : mapping of rule -> cosines, one for each class
    printed : array, the paper's cosines after the last epoch
    """
    figure, axes = parts.one_panel(3.0)
    places = np.arange(len(classes))
    paper = parts.as_array(printed)
    look = {"ms": 11, "mfc": "none", "mec": style.INK, "mew": 1.6}
    axes.plot(places, paper, "o", label="the paper", **look)
    told = []
    for rule, given in rest.items():
        color, marker = RULE_LOOKS[rule]
        values = parts.as_array(given)
        look = {"marker": marker, "color": color, "ms": 5.5, "lw": 1.2}
        axes.plot(places, values, label=rule, **look)
        told.append(f"{rule}: {_range(classes, values)}")
    parts.class_ticks(axes, classes)
    axes.set_ylim(min(0.5, paper.min() - 0.05), 1.03)
    axes.set_title("cosine of learned and true center")
    parts.legend_beside(axes)
    return figure, (
        f"Cosine of learned and true center for the classes {parts.listing(classes)}. "
        f"The paper: {_range(classes, paper)}. At rest, {'; '.join(told)}."
    )


def _range(classes: Sequence[str], values: parts.Array) -> str:
    lowest = int(values.argmin())
    return f"from {values.max():.2f} down to {values[lowest]:.2f} ({classes[lowest]})"


def center_turning(
    cosines: Mapping[str, ArrayLike], lengths: Mapping[str, ArrayLike]
) -> parts.Picture:
    """How fast centers turn toward their features, and how their lengths grow.

    Parameters
    ----------
    cosines : mapping of name -> mean cosine of center and class at each step
    lengths : mapping of name -> mean length of the centers over the first length
    """
    figure, (left, right) = parts.row_of_panels(3.1, 2)
    told = []
    looks = [
        (style.BLUE, "-"),
        (style.RED, "--"),
        (style.GREEN, "-."),
        (style.ORANGE, ":"),
    ]
    for name, given, (color, line) in parts.series(cosines, looks):
        values, growth = parts.as_array(given), parts.as_array(lengths[name])
        left.plot(values, color=color, ls=line, label=name)
        right.plot(growth, color=color, ls=line)
        told.append(
            f"{name}: cosine from {values[0]:.2f} to {values[-1]:.2f}, length times "
            f"{growth[-1]:.3f}"
        )
    left.set(xlabel="step", ylim=(min(-0.1, left.get_ylim()[0]), 1.05))
    left.set_title("cosine of center and its class")
    left.legend(loc="best")
    right.set(xlabel="step", title="length of the centers / first length")
    return figure, (
        "Left: the mean cosine of the centers and the mean directions of their classes "
        "against the steps. Right: the length of the centers divided by their first "
        f"length. {'; '.join(told)}."
    )


def frozen_share(
    lengths: Sequence[float], shares: Mapping[str, Sequence[float]]
) -> parts.Picture:
    """Share of the coordinates that one update changes, by precision and length.

    Parameters
    ----------
    lengths : sequence of float
        Lengths of the centers.
    shares : mapping of precision -> share that changed, one for each length
    """
    figure, axes = parts.one_panel(2.7)
    width = 0.8 / len(shares)
    looks = [(style.BLUE, ""), (style.ORANGE, "//"), (style.RED, "xx")]
    told = []
    for i, (name, given, (color, hatch)) in enumerate(parts.series(shares, looks)):
        places = np.arange(len(lengths)) + (i - (len(shares) - 1) / 2) * width
        look = {"color": color, "hatch": hatch, "edgecolor": "white", "lw": 0}
        axes.bar(places, given, width * 0.92, label=name, **look)
        words = [f"{share:.0%}" for share in given]
        for x, share, text in zip(places, given, words, strict=True):
            axes.text(x, share + 0.02, text, ha="center", fontsize=8)
        told.append(f"{name} {parts.listing(words)}")
    names = [f"{length:.3g}" for length in lengths]
    parts.class_ticks(axes, names)
    axes.set(ylim=(0, 1.15), xlabel="length of the centers")
    axes.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure, (
        "Bars: the share of the coordinates of the centers that one update changes, "
        f"for centers of length {parts.listing(names)}: {'; '.join(told)}."
    )
