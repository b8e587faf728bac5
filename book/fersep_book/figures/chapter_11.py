"""The figure of chapter 11: maps of features and centers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fersep_book.figures import parts, style

#: So many points and more become one picture inside the figure: a page stays small.
MANY = 1000


def maps(
    named: Mapping[str, tuple[ArrayLike, ArrayLike | None, ArrayLike]],
    labels: ArrayLike,
    classes: Sequence[str],
) -> parts.Picture:
    """Fig. 3: t-SNE maps side by side, △ learned and ▽ true centers.

    ``named`` has features (n, 2), learned centers (s, 2) or None, and true ones (s, 2)
    for each title.
    """
    numbers = np.asarray(labels)
    figure, panels = parts.row_of_panels(4.1, len(named))
    looks = style.class_style(classes)
    told = []
    for axes, (title, (points, learned, true)) in zip(
        panels, named.items(), strict=True
    ):
        spots, middle = parts.as_array(points), parts.as_array(true)
        for k, (color, marker) in enumerate(looks):
            look = {"color": color, "ms": 3.2, "alpha": 0.65, "mec": "none", "ls": ""}
            look["rasterized"] = len(spots) > MANY
            axes.plot(*spots[numbers == k].T, marker, zorder=2, **look)
        if learned is not None:
            _centers(axes, parts.as_array(learned), looks, "^")
        _centers(axes, middle, looks, "v")
        axes.set(title=title, xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
        apart = np.linalg.norm(middle[:, None] - middle, axis=-1)
        np.fill_diagonal(apart, np.inf)
        i, j = np.unravel_index(apart.argmin(), apart.shape)
        told.append(
            f"{title}: {len(spots)} points; the two nearest true centers are "
            f"{classes[i]} and {classes[j]}"
        )
    marks: dict[str, dict[str, Any]] = {
        name: {"color": color, "marker": marker, "ms": 6}
        for name, (color, marker) in zip(classes, looks, strict=True)
    }
    hollow = {"color": "white", "mec": style.INK, "ms": 8}
    marks["learned center"] = hollow | {"marker": "^"}
    marks["true center"] = hollow | {"marker": "v"}
    parts.legend_of(figure, marks, 5)
    return figure, f"Maps of features and class centers. {'. '.join(told)}."


def _centers(
    axes: parts.Axes, places: parts.Array, looks: Sequence[tuple[str, str]], shape: str
) -> None:
    for place, (color, _) in zip(places, looks, strict=True):
        axes.plot(*place, shape, color=color, ms=10, mec=style.INK, mew=1.3, zorder=5)
