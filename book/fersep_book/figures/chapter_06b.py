"""Figures of chapter 6b: what the text leaves open."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style


def center_turning(
    cosines: Mapping[str, ArrayLike], lengths: Mapping[str, ArrayLike]
) -> parts.Picture:
    """How fast centers turn toward their features.

    Both have a value at each step for each name: the mean cosine of center and class,
    and the mean length over the first length, which is told in words alone.
    """
    figure, axes = parts.one_panel(3.2, 5.6)
    parts.finding(figure, "Long centers hardly turn")
    told, ends, lowest = [], [], -1.0
    looks = [
        (style.BLUE, "-"),
        (style.RED, "--"),
        (style.GREEN, "-."),
        (style.ORANGE, ":"),
    ]
    for name, given, (color, line) in parts.series(cosines, looks):
        values, growth = parts.as_array(given), parts.as_array(lengths[name])
        axes.plot(values, color=color, ls=line)
        ends.append((values[-1], name, color))
        told.append(
            f"{name}: cosine from {values[0]:.2f} to {values[-1]:.2f}, length times "
            f"{growth[-1]:.3f}"
        )
    axes.set(xlabel="step", ylim=(min(-0.1, axes.get_ylim()[0]), 1.05))
    axes.set_ylabel("cosine of center and its class")
    for end, name, color in sorted(ends):
        lowest = max(end, lowest + 0.08)  # labels that do not touch
        look = {"color": color, "va": "center"}
        parts.note(axes, name, (len(values), lowest), (2, 0), **look)
    axes.set_xlim(0, 1.6 * len(values))
    return figure, (
        "The mean cosine of the centers and the mean directions of their classes "
        f"against the steps, and how their lengths grow. {'; '.join(told)}."
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
    figure, axes = parts.one_panel(2.8)
    parts.finding(figure, "In 16 bits most coordinates of long centers stand still")
    width = 0.8 / len(shares)
    looks = [(style.BLUE, ""), (style.ORANGE, "//"), (style.RED, "xx")]
    told = []
    for i, (name, given, (color, hatch)) in enumerate(parts.series(shares, looks)):
        places = np.arange(len(lengths)) + (i - (len(shares) - 1) / 2) * width
        look = {"color": color, "hatch": hatch, "edgecolor": "white", "lw": 0}
        axes.bar(places, given, width * 0.92, label=name, **look)
        words = [f"{share:.0%}" for share in given]
        for x, share, text in zip(places, given, words, strict=True):
            axes.text(x, share + 0.02, text[:-1], ha="center", fontsize=8)
        told.append(f"{name} {parts.listing(words)}")
    names = [f"{length:.3g}" for length in lengths]
    parts.class_ticks(axes, names)
    axes.set(ylim=(0, 1.15), xlabel="length of the centers", ylabel="percent")
    axes.set_yticks([0, 0.5, 1], ["0", "50", "100"])
    parts.legend_below(figure, len(shares), axes)
    return figure, (
        "Bars: the share of the coordinates of the centers that one update changes, "
        f"for centers of length {parts.listing(names)}: {'; '.join(told)}."
    )
