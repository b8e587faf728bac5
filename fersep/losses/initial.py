"""The centers' first values."""

import torch
from torch import Tensor

from fersep import equations

#: Names of the centers' first values.
FIRST_CENTERS = ("sphere", "normal", "uniform", "simplex", "means")


def first_centers(
    num_classes: int,
    feature_dim: int,
    init: str | Tensor = "sphere",
    generator: torch.Generator | None = None,
) -> Tensor:
    """The centers' first values (s, d).

    Parameters
    ----------
    num_classes, feature_dim : int
        s and d.
    init : {"sphere", "normal", "uniform", "simplex", "means"} or Tensor, (s, d)
        ``sphere``: random directions of length 1. ``normal``: N(0, 1), length about
        √d, so the centers turn about d times slower. ``uniform``: U(0, 1), all similar.
        ``simplex``: length 1, all pairs at one angle, sum zero, in a random position;
        needs d ≥ s - 1. ``means``: as ``sphere``, until the first batch.
    generator : torch.Generator, optional
        The global one by default.

    Raises
    ------
    ValueError
        If the name is unknown, a given tensor does not fit, or a simplex has no room.
    """
    shape = (num_classes, feature_dim)
    if isinstance(init, Tensor):
        if init.shape != shape:
            raise ValueError(f"init must have the shape {shape}, got {[*init.shape]}")
        equations.check_centers(init)
        at_least_single = torch.promote_types(init.dtype, torch.float32)
        return init.detach().to(at_least_single, copy=True)
    if init not in FIRST_CENTERS:
        raise ValueError(
            f"init must be {', '.join(FIRST_CENTERS)} or a tensor {shape}; got {init!r}"
        )
    if init == "uniform":
        return torch.rand(shape, generator=generator)
    if init == "simplex":
        return _simplex(num_classes, feature_dim, generator)
    centers = torch.randn(shape, generator=generator)
    return centers if init == "normal" else equations.unit(centers)[0]


def _simplex(s: int, d: int, generator: torch.Generator | None) -> Tensor:
    if d < s - 1:
        raise ValueError(
            f"init simplex needs feature_dim ≥ num_classes - 1 = {s - 1}, got {d}; "
            "use sphere, or longer features"
        )
    frame = torch.eye(s, dtype=torch.float64)
    frame[:, 0] = 1
    # Columns of length 1 whose entries sum to zero; their rows are a simplex.
    corners = torch.linalg.qr(frame).Q[:, 1:]
    position = torch.randn(d, s - 1, generator=generator, dtype=torch.float64)
    return equations.unit(corners @ torch.linalg.qr(position).Q.T)[0].float()
