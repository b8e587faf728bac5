"""Figures of chapter 7: Algorithm 1 on a toy."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from numpy.typing import ArrayLike, NDArray

from fersep_book.figures import parts, style

#: From where one looks at a sphere: degrees above the plane, and around.
VIEW = (22, 35)

#: Color and line of each run or measure.
LINES = list(
    zip(
        (style.GRAY, style.BLUE, style.RED, style.GREEN),
        ("--", "-", "-.", ":"),
        strict=True,
    )
)

IN_THE_PLANE = (
    "features as points in the plane, colored by class, inside a ring that carries the "
    "directions of the learned centers (triangles up) and of the true centers "
    "(triangles down)"
)
IN_SPACE = (
    "directions of features as points on a sphere, colored by class; arrows with a "
    "triangle are the learned centers"
)


class _Toy(NamedTuple):
    """Features (n, 2) or (n, 3), labels (n,), and directions of centers (s, 2 or 3)."""

    points: parts.Array
    labels: NDArray[Any]
    centers: parts.Array

    @property
    def is_in_space(self) -> bool:
        return self.points.shape[1] == 3


def _toy(points: ArrayLike, labels: ArrayLike, centers: ArrayLike) -> _Toy:
    return _Toy(parts.as_array(points), np.asarray(labels), parts.unit(centers))


def toy_panels(
    panels: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
) -> parts.Picture:
    """Features in the plane or directions in space, with learned centers (△).

    In the plane the true centers (▽) are there as well.

    Parameters
    ----------
    panels : mapping of title -> (features (n, d), labels (n,), centers (s, d))
        Of d = 2 or d = 3.
    """
    toys = {title: _toy(*given) for title, given in panels.items()}
    first = next(iter(toys.values()))
    figure = parts.new_figure(3.9 if first.is_in_space else 2.75)
    grid = figure.add_gridspec(1, len(toys))
    reach = 1.25 * _longest(toy.points for toy in toys.values())
    told = []
    for k, (title, toy) in enumerate(toys.items()):
        axes = _toy_panel(figure, grid[k], toy, reach)
        axes.set_title(title, loc="center" if toy.is_in_space else "left")
        own, pairs = parts.mean_cosines(*toy)
        told.append(
            f"{title}: mean cosine of features and their centers {own:.2f}, of "
            f"different centers {pairs:.2f}"
        )
    _toy_legend(figure, len(first.centers))
    what = IN_SPACE if first.is_in_space else IN_THE_PLANE
    return figure, f"{what[0].upper()}{what[1:]}. {'; '.join(told)}."


def _longest(paths: Iterable[ArrayLike]) -> float:
    return max(float(np.linalg.norm(x, axis=1).max()) for x in paths)


def _toy_panel(
    figure: Figure, place: SubplotSpec, toy: _Toy, reach: float
) -> parts.Axes:
    """Draw a toy in the plane, `reach` wide, or its directions on a sphere."""
    if toy.is_in_space:
        axes = figure.add_subplot(place, projection="3d")
        _toy_sphere(axes, toy)
    else:
        axes = figure.add_subplot(place)
        _toy_plane(axes, toy, reach)
    return axes


def _toy_plane(axes: parts.Axes, toy: _Toy, reach: float) -> None:
    parts.plane(axes, 1.12 * reach)
    parts.circle(axes, reach)
    axes.plot(0, 0, "+", color=style.GRAY, ms=7)
    for j, (_, color, marker) in enumerate(parts.toy_classes(len(toy.centers))):
        own = toy.points[toy.labels == j]
        look: dict[str, Any] = {"color": color, "mec": "white", "ls": ""}
        size = parts.marker_size(marker)
        axes.plot(*own.T, marker, ms=size, mew=0.4, alpha=0.85, **look)
        look |= {"ms": 8.5, "mew": 0.8, "zorder": 5}
        if len(own):
            axes.plot(*(0.93 * reach * parts.unit(own.mean(0))), "v", **look)
        axes.plot(*(1.06 * reach * toy.centers[j]), "^", **look)


def _toy_sphere(axes: parts.Axes, toy: _Toy) -> None:
    turn, height = np.meshgrid(np.linspace(0, 2 * np.pi, 37), np.linspace(-1, 1, 13))
    ring = np.sqrt(1 - height**2)
    net = (ring * np.cos(turn), ring * np.sin(turn), height)
    axes.plot_wireframe(*net, color=style.PALE, lw=0.5, alpha=0.7)
    up, around = np.deg2rad(VIEW)
    toward = [np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)]
    directions = parts.unit(toy.points)
    for j, (_, color, marker) in enumerate(parts.toy_classes(len(toy.centers))):
        own = directions[toy.labels == j]
        look = {"color": color, "ms": 5, "mec": "white", "mew": 0.4, "ls": ""}
        for front, alpha in ((False, 0.3), (True, 0.95)):
            side = own[(own @ toward > 0) == front]
            axes.plot(*(1.01 * side.T), marker, alpha=alpha, **look)
        axes.plot(*np.c_[np.zeros(3), toy.centers[j]], color=color, lw=1.4)
        tip = (1.12 * toy.centers[j])[:, None]
        axes.plot(*tip, "^", color=color, ms=9, mec=style.INK, mew=0.6)
    axes.view_init(*VIEW)
    axes.set_box_aspect((1, 1, 1), zoom=1.45)
    axes.set_axis_off()


def _toy_legend(figure: Figure, s: int, true_centers: bool = True) -> None:
    looks: dict[str, dict[str, Any]] = {
        name: {"color": color, "marker": marker, "ms": parts.marker_size(marker)}
        for name, color, marker in parts.toy_classes(s)
    }
    looks["learned center"] = {"color": style.GRAY, "marker": "^", "ms": 7}
    if true_centers:
        looks["true center"] = {"color": style.GRAY, "marker": "v", "ms": 7}
    parts.legend_of(figure, looks, len(looks), handletextpad=0.1, columnspacing=1.1)


def toy_history(runs: Mapping[str, Mapping[str, ArrayLike]]) -> parts.Picture:
    """What the paper measures, over the steps of some toy runs.

    Parameters
    ----------
    runs : mapping of name -> {title of a panel: values (steps,)}
        The same titles in each run.

    Raises
    ------
    ValueError
        If a run has other titles than the first.
    """
    titles = list(next(iter(runs.values())))
    figure, row = parts.row_of_panels(2.7, len(titles))
    told = []
    for run, measures, (color, line) in parts.series(runs, LINES):
        if list(measures) != titles:
            raise ValueError(
                f"the run {run!r} measures {parts.listing(list(measures))}, the first "
                f"one {parts.listing(titles)}"
            )
        for axes, (title, values) in zip(row, measures.items(), strict=True):
            axes.plot(parts.as_array(values), color=color, ls=line, label=run)
            axes.set(title=title, xlabel="step")
        ends = [float(parts.as_array(values)[-1]) for values in measures.values()]
        told.append(f"{run}: {parts.say('{} {:.2f}', titles, ends)}")
    parts.legend_below(figure, len(runs), row[0])
    return figure, f"Measures over the steps; at the last step {'; '.join(told)}."


def toy_moment(
    path: Sequence[tuple[ArrayLike, ArrayLike]],
    labels: ArrayLike,
    history: Mapping[str, ArrayLike],
    at: int,
) -> parts.Picture:
    """A toy run after some steps, and the curves of the whole run.

    Parameters
    ----------
    path : sequence of (features (n, 2) or (n, 3), centers), one for each step
    labels : array, (n,)
    history : mapping of name -> values (steps,)
    at : int
        The step to draw.
    """
    points, centers = path[at]
    toy = _toy(points, labels, centers)
    figure = parts.new_figure(3.5)
    grid = figure.add_gridspec(1, 2, width_ratios=[1, 1.1])
    curve = figure.add_subplot(grid[1])
    # One scale for the whole run, so that steps can be compared.
    reach = 1.2 * _longest(x for x, _ in path)
    panel = _toy_panel(figure, grid[0], toy, reach)
    panel.set_title(f"after {at} steps", loc="center")
    told = _marked_curves(curve, history, at)
    curve.set(xlabel="step", xscale="symlog", xlim=(-0.15, len(path)))
    _toy_legend(figure, len(toy.centers))
    what = IN_SPACE if toy.is_in_space else IN_THE_PLANE
    return figure, f"After {at} steps, {what}. At this step {told}."


def _marked_curves(axes: parts.Axes, history: Mapping[str, ArrayLike], at: int) -> str:
    """Draw curves over the steps, mark one step, and say the values there."""
    told = {}
    for name, given, (color, line) in parts.series(history, LINES[1:]):
        values = parts.as_array(given)
        told[name] = float(values[at])
        axes.plot(values, color=color, ls=line, label=f"{name}: {told[name]:.2f}")
        axes.plot(at, told[name], "o", color=color, ms=7, mec="white", zorder=5)
    axes.axvline(at, color=style.PALE, lw=1, zorder=0.5)
    axes.set_ylim(-1.05, 1.08)
    axes.legend(loc="lower right", frameon=True, framealpha=0.85, edgecolor="none")
    return parts.say("{} {:.2f}", told, told.values())


def toy_step(
    features: ArrayLike,
    labels: ArrayLike,
    centers: ArrayLike,
    rows: ArrayLike,
    feature_steps: Mapping[str, ArrayLike],
    center_steps: Mapping[str, ArrayLike],
    larger: float,
) -> parts.Picture:
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
    toy = _toy(features, labels, centers)
    given, batch = parts.as_array(centers), np.asarray(rows)
    figure, (left, right) = parts.row_of_panels(3.9, 2)
    _features_of_batch(left, toy, batch)
    on_features = _forces(left, toy.points[batch], feature_steps, larger, 6)
    left.legend(loc="lower left", fontsize=8)
    left.set_title("line 4: the features")

    parts.plane(right, 1.25 * np.linalg.norm(given, axis=1).max())
    parts.circle(right)
    on_centers = _forces(right, given, center_steps, larger, None)
    for (_, color, _), (x, y) in zip(parts.toy_classes(len(given)), given, strict=True):
        right.plot([0, x], [0, y], color=color, lw=1.4)
        parts.center_mark(right, (x, y), color)
    right.legend(loc="upper left", fontsize=8, bbox_to_anchor=(-0.12, 1))
    right.set_title("line 3: the centers")
    _toy_legend(figure, len(given), true_centers=False)
    told = [f"{name} {size:.3f} on a feature" for name, size in on_features.items()]
    told += [f"{name} {size:.3f} on a center" for name, size in on_centers.items()]
    return figure, (
        "One step of Algorithm 1 as arrows, drawn "
        f"{larger:g} times as long as the steps: on the features of a batch (left) and "
        f"on the centers (right). Mean lengths: {parts.listing(told)}."
    )


def _features_of_batch(axes: parts.Axes, toy: _Toy, batch: NDArray[Any]) -> None:
    """Draw all features, those outside the batch faintly, with their centers."""
    seen = np.concatenate([toy.points, toy.centers])
    (left, bottom), (right, top) = seen.min(0) - 0.25, seen.max(0) + 0.25
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    axes.axis("off")
    parts.circle(axes)
    axes.plot(0, 0, "+", color=style.GRAY, ms=7)
    inside = np.isin(np.arange(len(toy.points)), batch)
    for j, (_, color, marker) in enumerate(parts.toy_classes(len(toy.centers))):
        size = parts.marker_size(marker)
        for shown, alpha in ((~inside, 0.18), (inside, 0.9)):
            own = toy.points[shown & (toy.labels == j)]
            axes.plot(*own.T, marker, color=color, ms=size, mew=0, alpha=alpha)
        parts.center_mark(axes, toy.centers[j], color, 9)


def _forces(
    axes: parts.Axes,
    places: parts.Array,
    steps: Mapping[str, ArrayLike],
    larger: float,
    head: float | None,
) -> dict[str, float]:
    """Draw steps as arrows from their places, and return their mean lengths."""
    lengths = {}
    looks = [(style.GRAY, 1.1), (style.INK, 1.6)]
    for name, given, (color, width) in parts.series(steps, looks):
        moves = parts.as_array(given)
        for place, move in zip(places, moves, strict=True):
            tip = place + larger * move
            parts.arrow(axes, tip, place, color=color, width=width, head=head)
        lengths[name] = float(np.linalg.norm(moves, axis=1).mean())
        axes.plot([], [], color=color, lw=width, label=name)
    return lengths
