"""Figures of chapter 14c: what a cover does to networks of patches, and their gates."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from fersep.analysis import Interval
from fersep_book.figures import parts, style

_LOOKS = [
    (style.GRAY, "s"),
    (style.GREEN, "D"),
    (style.BLUE, "o"),
    (style.RED, "^"),
    (style.ORANGE, "v"),
]


def under_covers(
    sides: Mapping[str, Mapping[str, Mapping[float, Interval]]],
    title: str,
    *,
    trained: float,
    chance: float,
) -> parts.Picture:
    """Accuracy under covers of growing size: a panel for each side, a line a network.

    Covers larger than ``trained`` were never seen in training; ``chance`` is the share
    of the largest class, in percent.
    """
    figure, row = parts.row_of_panels(3.1, len(sides))
    told = []
    for axes, (side, networks) in zip(row, sides.items(), strict=True):
        for name, by_cover, (color, mark) in parts.series(networks, _LOOKS):
            covers, found = list(by_cover), list(by_cover.values())
            means = [each.mean for each in found]
            low, high = ([getattr(e, end) for e in found] for end in ("low", "high"))
            axes.fill_between(covers, low, high, color=color, alpha=0.15, lw=0)
            axes.plot(covers, means, mark, ls="-", color=color, ms=5, label=name)
            told.append(f"{side}, {name} {means[0]:.1f} to {means[-1]:.1f} percent")
        axes.axvspan(trained, max(covers), color=style.GRAY, alpha=0.12, lw=0)
        axes.axhline(chance, color=style.INK, lw=1, ls=style.DOTTED)
        axes.set_title(side, fontweight="normal")
        axes.set_xlabel("size of the cover (1: largest in training)")
        axes.margins(x=0)
    row[0].set_ylabel("accuracy, %")
    row[1].sharey(row[0])
    parts.legend_below(figure, 3, row[0])
    parts.finding(figure, title)
    return figure, f"Accuracy from no cover to the largest: {'; '.join(told)}."


def gates_on_faces(
    pictures: ArrayLike, gates: ArrayLike, points: ArrayLike, title: str
) -> parts.Picture:
    """Faces in columns, bare above and covered below, with the gates at their points.

    Pictures are (2, n, 3, h, w) uint8, gates (2, n, 24) in [0, 1], points (24, 2) or
    (n, 24, 2) in shares of a picture. A disk that fills its ring is an open gate.
    """
    faces, values = np.asarray(pictures), parts.as_array(gates)
    n, side = faces.shape[1], faces.shape[-1]
    figure = parts.new_figure(0.3 + style.WIDTH / n * 2)
    grid = figure.subplots(2, n, gridspec_kw={"wspace": 0.05, "hspace": 0.05})
    where = parts.as_array(points) * side - 0.5
    where = np.broadcast_to(where, (n, *where.shape[-2:]))
    for k, (row, line) in enumerate(zip(grid, faces, strict=True)):
        for axes, face, shown, places in zip(row, line, values[k], where, strict=True):
            axes.imshow(face.transpose(1, 2, 0), interpolation="antialiased")
            # The one white that stays white in the dark, as faces do.
            look = {"edgecolors": style.ON_DARK_CELL, "linewidths": 1.0}
            axes.scatter(*places.T, s=60, c="none", **look)
            axes.scatter(*places.T, s=60 * shown, c=style.BLUE, linewidths=0)
            axes.axis("off")
    parts.finding(figure, title)
    means = values.mean((1, 2))
    return figure, (
        f"{n} rendered faces, bare and covered, with a disk for each gate, as large as "
        f"it is open: mean {means[0]:.2f} and {means[1]:.2f}."
    )
