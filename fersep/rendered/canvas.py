"""The surface faces are painted on: coordinates of the head, soft shapes, colors.

Shapes are given by distances to their edges, in coordinates where the head is about one
unit high and y points down.
"""

from copy import copy
from typing import Self

import torch
from torch import Tensor

from fersep.rendered.sampling import PERSON, TABLES, UNITS, VIEW


def bell(q: Tensor) -> Tensor:
    """Return about exp(-q), but 0 from q = 4 on.

    The tail of exp runs into denormal numbers, which cost a processor tens of times
    the usual.
    """
    w = (1 - 0.25 * q).clamp_(min=0)
    w = w * w
    return w * w


def box(across: Tensor) -> Tensor:
    """Return a bump with a flat top, 1 at 0 and 0 from about 1.4 on."""
    square = across * across
    return bell(square * square)


def blob(x: Tensor, y: Tensor, wide: float, high: float) -> Tensor:
    """Return a bump, 1 where x and y are 0."""
    return bell((x / wide) ** 2 + (y / high) ** 2)


def ellipse(x: Tensor, y: Tensor, wide: Tensor | float, high: Tensor | float) -> Tensor:
    """Return 0 on an ellipse about (0, 0), -1 at its center."""
    return ((x / wide) ** 2 + (y / high) ** 2).sqrt() - 1


def color_at(scale: str, where: Tensor) -> Tensor:
    """Return colors (n, 3) at places 0 to 1 (n, 1, 1) along a scale."""
    table = torch.tensor(TABLES["colors"][scale], device=where.device)
    at = where[:, 0, 0] * (len(table) - 1)
    low = at.floor().long().clamp(max=len(table) - 2)
    return torch.lerp(table[low], table[low + 1], (at - low)[:, None])


def _depth(x: Tensor, y: Tensor) -> Tensor:
    """Return how far a round head stands out at places of it."""
    return (1 - (x / 0.85) ** 2 - (y / 1.1) ** 2).clamp_(min=0).sqrt_()


class Canvas:
    """One batch of faces: picture, coordinates x and y (n, h, w), what is to be drawn.

    Parts of person and view are (n, 1, 1); see `fersep.rendered.render` for the rest.
    """

    def __init__(self, units: Tensor, person: Tensor, view: Tensor, size: int) -> None:
        self.units = units
        self.person = p = dict(zip(PERSON, person.T[..., None, None], strict=True))
        self.view = v = dict(zip(VIEW, view.T[..., None, None], strict=True))
        # 0 for a woman's face, 1 for a man's, with few between.
        self.man = (3 * p["sex"] - 1).clamp(0, 1)
        self.skin = color_at("skin", p["skin"])
        grey = (p["age"] > 0.85).float()
        self.hair = color_at("hair", p["hair_tone"] * (0.85 * (1 - grey)) + grey)
        self.long_hair = (p["length"] > 0.25 + 0.6 * self.man).float()
        self.pixel = 2 / size
        axis = (torch.arange(size, device=units.device) + 0.5) * self.pixel - 1
        self.zoom = zoom = 0.86 * torch.exp(-v["zoom"])
        cos, sin = torch.cos(v["roll"]) * zoom, torch.sin(v["roll"]) * zoom
        across = axis[None, None, :] - v["shift_x"]
        down = axis[None, :, None] - v["shift_y"] + 0.06
        self._place(cos * across + sin * down, cos * down - sin * across)
        self.depth = _depth(self.x, self.y)
        self.picture = self.x.new_zeros(len(units), 3, size, size)

    def _place(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y, self.ax = x, y, x.abs()
        self.side = (x * 4 + 0.5).clamp_(0, 1)

    def turn(self) -> Self:
        """Return the coordinates of features, which move as the round head turns."""
        face = copy(self)
        x = self.x - 0.8 * self.view["yaw"] * self.depth
        face._place(x, self.y - 0.9 * self.view["pitch"] * self.depth)
        return face

    def at(self, x: Tensor, y: Tensor) -> Self:
        """Return the coordinates of places (n, h, w) on the face in place of pixels."""
        face = copy(self)
        face._place(x, y)
        return face

    def find(self, x: Tensor, y: Tensor) -> Tensor:
        """Return where places (n, h, w) on the face lie, in shares of the picture.

        The way back of `turn` and of the view, (n, h, w, 2).
        """
        v, depth = self.view, torch.ones_like(x)
        # From the middle outward, as the edge of a turned head shows some places twice.
        for _ in range(30):
            right, low = x + 0.8 * v["yaw"] * depth, y + 0.9 * v["pitch"] * depth
            depth = _depth(right, low)
        cos, sin = torch.cos(v["roll"]) / self.zoom, torch.sin(v["roll"]) / self.zoom
        across = cos * right - sin * low + v["shift_x"]
        down = sin * right + cos * low + v["shift_y"] - 0.06
        return (torch.stack([across, down], -1) + 1) / 2

    def unit(self, number: int) -> Tensor:
        """Return both sides (n, 2) of one unit."""
        return self.units[:, :, UNITS.index(number)]

    def mean(self, number: int) -> Tensor:
        """Return one unit (n, 1, 1), whatever its side."""
        return self.unit(number).mean(1)[:, None, None]

    def both(self, value: Tensor) -> Tensor:
        """Spread a value (n, 2) of the two sides over the picture, softly joined."""
        left, right = value[:, 0, None, None], value[:, 1, None, None]
        return torch.lerp(left, right, self.side)

    def fill(self, distance: Tensor) -> Tensor:
        """Return how much of each pixel lies inside, where the distance is below 0."""
        return (0.5 - distance / self.pixel).clamp_(0, 1)

    def line(self, across: Tensor, width: float) -> Tensor:
        """Return a soft line where ``across`` is 0; never thinner than a pixel."""
        w = max(width, 0.55 * self.pixel)
        return bell((across / w) ** 2)

    def spot(self, x: float, y: float, wide: float, high: float) -> Tensor:
        """Return soft spots at (±x, y)."""
        return blob(self.ax - x, self.y - y, wide, high)

    def paint(self, color: Tensor, mask: Tensor) -> None:
        """Lay a color (n, 3) or (n, 3, h, w) over the picture where the mask is."""
        picture = self.picture
        color = color[:, :, None, None] if color.ndim == 2 else color
        picture.lerp_(color.expand_as(picture), mask[:, None].expand_as(picture))
