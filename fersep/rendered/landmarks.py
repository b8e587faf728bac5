"""Where the parts of a drawn face lie in its picture."""

import torch
from torch import Tensor

from fersep.gates import HALF, POINTS
from fersep.rendered.canvas import Canvas
from fersep.rendered.features import (
    MOUTH_YAW,
    NOSE_PITCH,
    NOSE_YAW,
    Mouth,
    brow_line,
    nose_lift,
)
from fersep.rendered.sampling import PERSON, UNITS, front_view

#: How far the points of `HALF` follow a part of the face; all else lies still on it.
FOLLOWS = {
    "brow": (1, 1, 0, 0, 0, 0, 0, 0.5, 0, 0, 0),
    "corner": (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0.5),
    "upper lip": (0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0),
    "lower lip": (0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0),
}


def landmarks(units: Tensor, person: Tensor, view: Tensor) -> Tensor:
    """Return the points of `fersep.gates` on faces (n, 24, 2), in shares of a picture.

    Takes what `render` takes. On an average face at rest and straight ahead they are
    `POINTS`; they turn with the head, and follow brows, mouth and nose.
    """
    face = Canvas(units, person, view, 1)
    still = units.new_zeros(1, 2, len(UNITS))
    average = person.new_full((1, len(PERSON)), 0.5)
    rest = Canvas(still, average, front_view().to(view), 1)
    ends = torch.arange(2.0, device=view.device).expand(1, 1, 2)
    start, end = rest.find(ends, ends)[0, 0]
    x, y = ((torch.tensor(POINTS).to(view) - start) / (end - start)).T[:, None, None]
    moved = _places(face, x, y) - _places(rest, x, y)
    return face.find(x + moved[0], y + moved[1])[:, 0]


def _places(s: Canvas, x: Tensor, y: Tensor) -> Tensor:
    """Return how far the parts at x and y (1, 1, 24) have moved, (2, n, 1, 24).

    From where does not matter, as it is the same for all faces.
    """
    side = torch.where(x < 0, -1.0, 1.0)
    lips = Mouth(s.at(x.expand(len(s.units), 1, -1), y))
    ends = Mouth(s.at(side * lips.wide, y))
    down = y - lips.y  # of the whole mouth
    share = {part: x.new_tensor((*row, *row, 0, 0)) for part, row in FOLLOWS.items()}
    nose = (torch.arange(x.shape[-1], device=x.device) >= 2 * len(HALF)).float()
    mouth = share["corner"] + share["upper lip"] + share["lower lip"]
    across = share["corner"] * side * lips.wide
    across = across + (MOUTH_YAW * mouth + NOSE_YAW * nose) * s.view["yaw"]
    height = (
        share["brow"] * brow_line(s.at(x, y))[1]
        + share["corner"] * (ends.middle + down)
        + share["upper lip"] * (lips.above + down)
        + share["lower lip"] * (lips.below + down)
        + nose * (NOSE_PITCH * s.view["pitch"] - nose_lift(s.at(x, y)))
    )
    return torch.stack([across + torch.zeros_like(height), height])
