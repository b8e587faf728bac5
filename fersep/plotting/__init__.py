"""The pictures of the book: one function per figure.

Every figure function takes plain arrays (or CPU tensors) and returns ``(figure, alt)``:
a `matplotlib.figure.Figure` and a text made from the same data, for readers who do not
see the picture. `show` displays both. The figures belong to no window system, so
nothing has to be closed.
"""

from fersep.plotting.experiments import (
    BOTH_LOSSES,
    agreement_at,
    class_recalls,
    class_sizes,
    class_style,
    convergence,
    face_grid,
    maps,
    paired_seeds,
    similarity_row,
    training_curves,
)
from fersep.plotting.house import (
    CLASS_STYLE,
    DPI,
    SIMILARITY_COLORS,
    WIDTH,
    png,
    show,
    style,
    table,
)
from fersep.plotting.mathematics import (
    center_turning,
    centers_relaxing,
    difference_errors,
    feature_fans,
    feature_push,
    frozen_share,
    inter_cost,
    loss_ranges,
    push_field,
    rest_positions,
    rule_weights,
    toy_history,
    toy_planes,
    toy_preset,
    toy_spheres,
    two_vectors,
    zero_sum_sets,
)
from fersep.plotting.verdict import face_rows, printed_gains, printed_sweep

__all__ = [
    "BOTH_LOSSES",
    "CLASS_STYLE",
    "DPI",
    "SIMILARITY_COLORS",
    "WIDTH",
    "agreement_at",
    "center_turning",
    "centers_relaxing",
    "class_recalls",
    "class_sizes",
    "class_style",
    "convergence",
    "difference_errors",
    "face_grid",
    "face_rows",
    "feature_fans",
    "feature_push",
    "frozen_share",
    "inter_cost",
    "loss_ranges",
    "maps",
    "paired_seeds",
    "png",
    "printed_gains",
    "printed_sweep",
    "push_field",
    "rest_positions",
    "rule_weights",
    "show",
    "similarity_row",
    "style",
    "table",
    "toy_history",
    "toy_planes",
    "toy_preset",
    "toy_spheres",
    "training_curves",
    "two_vectors",
    "zero_sum_sets",
]
