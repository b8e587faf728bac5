"""Draw a face from action units, a person and a view.

A face is a stack of shapes given by distances to their edges, in coordinates where the
head is about one unit high and y points down. Action units of the facial action coding
system move the shapes, a person sets their size and color, a view turns, lights and
spoils the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from fersep.data.types import DataError

#: The action units that move a face, and what each does.
ACTION_UNITS = {
    1: "inner brow raiser", 2: "outer brow raiser", 4: "brow lowerer",
    5: "upper lid raiser", 6: "cheek raiser", 7: "lid tightener",
    9: "nose wrinkler", 10: "upper lip raiser", 11: "nasolabial deepener",
    12: "lip corner puller", 15: "lip corner depressor", 17: "chin raiser",
    20: "lip stretcher", 23: "lip tightener", 24: "lip pressor", 25: "lips part",
    26: "jaw drop",
}  # fmt: skip

UNITS = tuple(ACTION_UNITS)

#: What a person is made of; every entry is a number from 0 to 1. Sex goes from a
#: woman's to a man's face: jaw, brows, lips, lashes, hair and beard.
PERSON = (
    "skin", "blush", "width", "jaw", "hair", "hair_tone", "hairline", "length",
    "fringe", "part", "brow_height", "brow_thickness", "brow_arch", "eye_size",
    "eye_color", "eye_space", "eye_tilt", "nose_length", "nose_width", "mouth_width",
    "lip", "lip_color", "beard", "glasses", "age", "shirt", "sex",
)  # fmt: skip

#: What a view is made of. Angles are in radians, shifts in half picture sides; shadow
#: is how dark a cast shadow is, compression how coarse a stored picture is.
VIEW = (
    "yaw", "pitch", "roll", "zoom", "shift_x", "shift_y", "light_x", "light_y",
    "contrast", "brightness", "warmth", "blur", "noise", "grey", "occluder",
    "occluder_x", "occluder_y", "gaze_x", "gaze_y", "back_1", "back_2", "back_3",
    "shadow", "shadow_turn", "shadow_at", "compression",
)  # fmt: skip

SKINS = torch.tensor(
    [[.98, .85, .76], [.95, .78, .66], [.87, .67, .52], [.74, .53, .39],
     [.58, .39, .28], [.42, .28, .21]]
)  # fmt: skip

HAIRS = torch.tensor(
    [[.10, .08, .08], [.22, .14, .10], [.38, .23, .13], [.58, .30, .14],
     [.80, .62, .34], [.62, .61, .60]]
)  # fmt: skip

IRISES = torch.tensor(
    [[.22, .12, .07], [.36, .21, .10], [.30, .36, .18], [.25, .42, .58]]
)  # fmt: skip


def mixed(z: Tensor) -> Tensor:
    """Return splitmix64 of int64 numbers; products wrap around."""
    z = z + -7046029254386353131
    z = (z ^ (z >> 30 & 0x3FFFFFFFF)) * -4658895280553007687
    z = (z ^ (z >> 27 & 0x1FFFFFFFFF)) * -7723592293110705685
    return z ^ (z >> 31 & 0x1FFFFFFFF)


def units_of(active: dict[int, float]) -> Tensor:
    """Return one face's units (1, 2, 17) from {unit: intensity}.

    Raises
    ------
    DataError
        If a unit is unknown.
    """
    for unit in active:
        if unit not in ACTION_UNITS:
            raise DataError(
                f"action unit {unit} is not drawn; choose from "
                f"{', '.join(map(str, UNITS))}"
            )
    row = torch.tensor([active.get(u, 0.0) for u in UNITS])
    return row.expand(1, 2, len(UNITS)).clone()


def front_view(n: int = 1) -> Tensor:
    """Return n views (n, 26) from straight ahead in soft light, nothing in the way."""
    view = torch.zeros(n, len(VIEW))
    for name, value in {"light_x": -0.3, "light_y": -0.4, "back_1": 0.6}.items():
        view[:, VIEW.index(name)] = value
    return view


def _bell(q: Tensor) -> Tensor:
    """Return about exp(-q), but 0 from q = 4 on.

    The tail of exp runs into denormal numbers, which cost a processor tens of times
    the usual.
    """
    w = (1 - 0.25 * q).clamp_(min=0)
    w = w * w
    return w * w


def _box(across: Tensor) -> Tensor:
    """Return a bump with a flat top, 1 at 0 and 0 from about 1.4 on."""
    square = across * across
    return _bell(square * square)


@dataclass
class _Stage:
    """One batch of faces on its way: coordinates (n, h, w) and what moves the face."""

    units: Tensor
    person: dict[str, Tensor]
    view: dict[str, Tensor]
    x: Tensor
    y: Tensor
    depth: Tensor
    pixel: float

    @cached_property
    def ax(self) -> Tensor:
        return self.x.abs()

    @cached_property
    def man(self) -> Tensor:
        """Return 0 for a woman's face, 1 for a man's, with few between."""
        return (3 * self.person["sex"] - 1).clamp(0, 1)

    @cached_property
    def long_hair(self) -> Tensor:
        return (self.person["length"] > 0.25 + 0.6 * self.man).float()

    @cached_property
    def side(self) -> Tensor:
        return (self.x * 4 + 0.5).clamp_(0, 1)

    def unit(self, number: int) -> Tensor:
        """Return both sides (n, 2) of one unit."""
        return self.units[:, :, UNITS.index(number)]

    def mean(self, number: int) -> Tensor:
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
        return _bell((across / w) ** 2)

    def spot(self, x: float, y: float, sx: float, sy: float) -> Tensor:
        """Return soft spots at (±x, y)."""
        return _bell(((self.ax - x) / sx) ** 2 + ((self.y - y) / sy) ** 2)


def render(
    units: Tensor, person: Tensor, view: Tensor, image_size: int = 48, key: int = 0
) -> Tensor:
    """Draw faces.

    Parameters
    ----------
    units : Tensor, (n, 2, 17)
        Intensities of `UNITS` from 0 to 1, left and right half of the picture.
    person : Tensor, (n, 27)
        See `PERSON`.
    view : Tensor, (n, 26)
        See `VIEW`; `front_view` is the plain one.
    image_size : int
        Side in pixels.
    key : int
        Chooses the grain of the noise.

    Returns
    -------
    Tensor, (n, 3, image_size, image_size) uint8
    """
    head = _stage(units, person, view, image_size)
    face = _turned(head)
    picture = _background(head)
    _body(head, picture)
    _skin(head, face, picture)
    _nose(face, picture)
    _eyes(face, picture)
    _brows(face, picture)
    _mouth(face, picture)
    _hair(head, picture)
    _glasses(face, picture)
    return _photographed(head, picture, key)


def _stage(units: Tensor, person: Tensor, view: Tensor, size: int) -> _Stage:
    p = {k: v[:, None, None] for k, v in zip(PERSON, person.T, strict=True)}
    v = {k: c[:, None, None] for k, c in zip(VIEW, view.T, strict=True)}
    pixel = 2 / size
    axis = (torch.arange(size, device=units.device) + 0.5) * pixel - 1
    zoom = 0.86 * torch.exp(-v["zoom"])
    cos, sin = torch.cos(v["roll"]) * zoom, torch.sin(v["roll"]) * zoom
    across = axis[None, None, :] - v["shift_x"]
    down = axis[None, :, None] - v["shift_y"] + 0.06
    x = cos * across + sin * down
    y = cos * down - sin * across
    depth = (1 - (x / 0.85) ** 2 - (y / 1.1) ** 2).clamp_(min=0).sqrt_()
    return _Stage(units, p, v, x, y, depth, pixel)


def _turned(head: _Stage) -> _Stage:
    """Return the coordinates of features, which move as the round head turns."""
    x = head.x - 0.8 * head.view["yaw"] * head.depth
    y = head.y - 0.9 * head.view["pitch"] * head.depth
    return replace(head, x=x, y=y)


def _paint(picture: Tensor, color: Tensor, mask: Tensor) -> None:
    """Lay a color (n, 3) or (n, 3, h, w) over the picture where the mask is."""
    if color.ndim == 2:
        color = color[:, :, None, None]
    picture.lerp_(color.expand_as(picture), mask[:, None].expand_as(picture))


def _from(palette: Tensor, where: Tensor) -> Tensor:
    """Return colors (n, 3) at places 0 to 1 (n, 1, 1) along a palette."""
    table = palette.to(where.device)
    at = where[:, 0, 0] * (len(table) - 1)
    low = at.floor().long().clamp(max=len(table) - 2)
    return torch.lerp(table[low], table[low + 1], (at - low)[:, None])


def _background(s: _Stage) -> Tensor:
    """Return a wash of four colors, every other time with stripes."""
    n, size = len(s.units), s.y.shape[1]
    base = torch.cat([s.view[f"back_{i}"][:, 0] for i in (1, 2, 3)], 1)
    corner = torch.arange(12, device=base.device).reshape(1, 3, 2, 2)
    mix = torch.frac(base[:, :, None, None] * 7.3 + base[:, :1, None, None] * corner)
    color = 0.25 + 0.35 * base[:, :, None, None] + 0.3 * mix
    wash = F.interpolate(
        color.expand(n, 3, 2, 2), (size, size), mode="bilinear", align_corners=False
    )
    first, second, third = (torch.frac(base[:, k, None, None] * 13.7) for k in range(3))
    turn = 3.14 * first
    wave = (s.x * torch.cos(turn) + s.y * torch.sin(turn)) * (2 + 4 * second)
    stripe = (torch.frac(wave + third) - 0.5).abs() * 8 - 2
    depth = 0.3 * (third > 0.5).float()
    return wash * (1 - depth * stripe.clamp(0, 1))[:, None]


def _skin_color(s: _Stage) -> Tensor:
    return _from(SKINS, s.person["skin"])


def _hair_color(s: _Stage) -> Tensor:
    grey = (s.person["age"] > 0.85).float()
    return _from(HAIRS, s.person["hair_tone"] * (0.85 * (1 - grey)) + grey)


def _light(s: _Stage) -> Tensor:
    """Return the shade of a round head (n, h, w), about 1."""
    lx, ly = s.view["light_x"], s.view["light_y"]
    strength = (s.x / 0.85) * lx + s.y * ly + s.depth
    return 0.62 + 0.38 * strength / (1 + lx**2 + ly**2).sqrt()


def _body(s: _Stage, picture: Tensor) -> None:
    p, hair = s.person, _hair_color(s)
    length = 0.5 + 0.5 * p["length"]
    end = (s.y - 0.9 * length).clamp(min=0)
    back = torch.maximum(s.ax - 0.9 + 0.7 * end**2, -1.1 - s.y)
    round_top = ((s.x / 0.94) ** 2 + ((s.y + 0.15) / 0.98) ** 2).sqrt() - 1
    shape = torch.where(s.y < -0.1, round_top, back)
    _paint(picture, hair * 0.7, s.fill(shape) * s.long_hair)
    skin = _skin_color(s)
    shirt = torch.cat(
        [0.25 + 0.6 * torch.frac(p["shirt"][:, 0] * k) for k in (1, 3.7, 7.1)], 1
    )
    _paint(picture, shirt, s.fill(1.02 - s.y + 0.25 * (s.ax - 0.3).clamp(min=0)))
    neck = torch.maximum(s.ax - 0.36 - 0.06 * s.man, 0.5 - s.y)
    neck = torch.maximum(neck, s.y - 1.12 + s.ax * 0.3)
    _paint(picture, skin * 0.68, s.fill(neck))
    ears = (((s.ax - 0.8) / 0.11) ** 2 + ((s.y + 0.0) / 0.2) ** 2).sqrt() - 1
    _paint(picture, skin * 0.82, s.fill(ears * 0.11))


def _skin(s: _Stage, face: _Stage, picture: Tensor) -> None:
    """Paint the head with all its folds, and the beard."""
    p, jaw = s.person, s.mean(26)
    width = 0.72 + 0.1 * p["width"] + 0.02 * s.man
    low = s.y.clamp(min=0)
    narrow = width * (1 - (0.17 + 0.16 * p["jaw"] - 0.1 * s.man) * low * low)
    height = torch.where(s.y > 0, 0.97 + 0.1 * jaw, torch.full_like(s.y, 0.98))
    head = ((s.x / narrow) ** 2 + (s.y / height) ** 2).sqrt() - 1
    inside = s.fill(head * 0.75)
    edge = 1 - 0.25 * ((head + 0.25).clamp(0, 0.25) * 4) ** 2
    skin = _skin_color(s)
    shade = _light(s) * edge * (1 - _folds(face))
    color = skin[:, :, None, None] * shade[:, None]
    rosy = face.spot(0.42, 0.22, 0.2, 0.16) * (
        0.1 + 0.25 * p["blush"] + 0.2 * face.both(s.unit(6)) + 0.1 * s.mean(12)
    )
    color[:, 1:] *= 1 - 0.3 * rosy[:, None]
    _paint(picture, color, inside)

    beard = ((p["beard"] - 0.55) * 3.5).clamp(0, 0.8) * (s.man > 0.8)
    if bool((beard > 0).any()):
        ax, y = face.ax, face.y
        jawline = ((y - 0.62 + 0.65 * ax.clamp(max=0.62)) * 7).clamp(0, 1)
        lip = ((0.07 - (y - 0.37).abs()) * 14).clamp(0, 1) * s.fill(ax - 0.27)
        mouth = (ax / 0.34) ** 2 + ((y - 0.53 - 0.06 * jaw) / 0.13) ** 2
        bare = ((1.25 - mouth) * 2.5).clamp(0, 1)
        hairs = torch.maximum(jawline * (1 - bare), lip)
        # The folds below show through the hairs.
        tone = _hair_color(s)[:, :, None, None] * (1.1 * shade)[:, None]
        _paint(picture, tone, inside * beard * hairs)


def _folds(s: _Stage) -> Tensor:
    """Return how dark (n, h, w) the folds of the skin make it."""
    p = s.person
    ax, y = s.ax, s.y
    age = 0.3 * (p["age"] - 0.65).clamp(min=0)
    one, two, four = s.unit(1), s.unit(2), s.mean(4)
    nine = s.mean(9)
    dark = 0.16 * s.spot(0.31, -0.1, 0.26, 0.16)
    # Forehead: short lines in the middle (1) and arches over the outer brows (2).
    wave = _bell(((y + 0.585) / 0.1) ** 2)
    rows = wave * (0.5 + 0.5 * torch.cos((y + 0.585 + 0.05 * ax**2) * 70))
    middle = _bell((ax / 0.22) ** 2)
    outer = _bell(((ax - 0.42) / 0.19) ** 2)
    dark += rows * (middle * s.both(0.5 * one) + outer * s.both(0.5 * two) + age)
    # Two upright furrows between the brows (4), and the skin pushed together there.
    upright = s.line(ax - 0.05 - 0.1 * (y + 0.3).abs(), 0.024)
    dark += 0.62 * four * upright * _box((y + 0.29) / 0.12)
    dark += 0.12 * four * s.spot(0.0, -0.29, 0.16, 0.13)
    # Lines over the bridge of the nose (9).
    chevron = y + 0.07 + 0.3 * ax
    ripple = 0.5 + 0.5 * torch.cos(chevron * 68)
    square = (chevron / 0.12) ** 2
    bridge = _bell(square * square + ((ax / 0.16) ** 2) ** 2)
    dark += 0.58 * nine * ripple * bridge
    # Cheeks pushed up (6): a pouch under the eye and crow's feet beside it.
    six = s.both(s.unit(6))
    pouch = s.line(y - 0.075 + 0.35 * (ax - 0.32) ** 2, 0.028)
    pouch *= _box((ax - 0.33) / 0.17)
    fan = torch.frac((torch.atan2(y + 0.08, ax - 0.4) + 2.0) * 2.2)
    feet = _bell((((ax - 0.6) / 0.085) ** 2) ** 2 + ((y + 0.08) / 0.15) ** 4)
    feet = feet * _bell(((fan - 0.5) / 0.24) ** 2)
    dark += six * (0.45 * pouch + 0.55 * feet) + age * feet
    dark -= 0.14 * six * s.spot(0.42, 0.17, 0.18, 0.08)
    # Lower lid drawn tight (7).
    tight = s.line(y + 0.1 * (ax - 0.31) ** 2, 0.022) * _box((ax - 0.31) / 0.2)
    dark += s.both(0.55 * s.unit(7)) * tight
    # Furrow from the wing of the nose round the mouth (11, and with 9, 10, 12).
    twelve = s.unit(12)
    t = ((y - 0.14) / 0.42).clamp(0, 1)
    bow = 0.14 + 0.25 * t * (1.25 - 0.4 * t)
    bow = bow + s.both(0.07 * twelve) * torch.sin(3.14 * t)
    fold = s.line(ax - bow, 0.032) * _bell((((y - 0.32) / 0.19) ** 2) ** 3)
    deep = 0.65 * s.unit(11) + 0.22 * twelve + 0.22 * s.unit(9) + 0.28 * s.unit(10)
    dark += fold * (s.both(deep) + 0.04 + age).clamp(max=0.6)
    # The cheek beside the furrow stands out.
    dark -= 0.16 * s.both(s.unit(11)) * s.spot(0.42, 0.29, 0.11, 0.14)
    # Upper lip drawn up (10): a crease above it, and the skin beside the nose bulges.
    crease = s.line(y - 0.315 - 2.2 * ax**2, 0.03) * _box(ax / 0.19)
    ten = 0.5 * crease - 0.22 * s.spot(0.2, 0.26, 0.06, 0.07)
    dark += s.both(s.unit(10)) * ten
    # Corners drawn down (15): lines below them. Stretched (20): lines beside them.
    down = s.line(ax - 0.31 - 0.35 * (y - 0.6), 0.032) * _box((y - 0.68) / 0.085)
    dark += s.both(0.5 * s.unit(15)) * down
    beside = s.line(ax - 0.49 + 1.2 * (y - 0.52) ** 2, 0.028)
    beside *= _box((y - 0.52) / 0.14)
    dark += s.both(0.5 * s.unit(20)) * beside
    # Chin pushed up (17): a boss with dimples under a dark arc.
    seventeen = s.mean(17)
    arc = s.line(y - 0.66 - 0.9 * ax**2, 0.032) * _box(ax / 0.2)
    boss = _bell((ax / 0.19) ** 2 + ((y - 0.79) / 0.1) ** 2)
    dimples = torch.cos(s.x * 48 + 21 * y) * torch.cos(y * 44 - 17 * s.x)
    dark += seventeen * (0.5 * arc + boss * (0.12 * dimples + 0.12))
    # A groove above the lips and a shadow below them.
    dark += 0.1 * _bell((ax / 0.035) ** 2 + ((y - 0.36) / 0.07) ** 2)
    rim = s.line(y - 0.615 - 0.4 * ax**2, 0.032) * _box(ax / 0.19)
    dark += 0.14 * rim
    # Lips pressed (24): the skin around them bulges, above and below.
    bulge = s.spot(0.0, 0.415, 0.24, 0.045) + s.spot(0.0, 0.575, 0.2, 0.04)
    dark += s.mean(24) * (0.5 * rim - 0.32 * bulge)
    # Lips tight (23): upright lines around them and a pale, drawn rim.
    upright = 0.5 + 0.5 * torch.cos(s.x * (52 - 14 * (y - 0.5).abs()))
    above = _bell(((ax / 0.19) ** 2) ** 2 + ((y - 0.4) / 0.06) ** 2)
    below = _bell(((ax / 0.15) ** 2) ** 2 + ((y - 0.61) / 0.055) ** 2)
    beside = s.spot(0.23, 0.49, 0.055, 0.1)
    tense = (above + below) * (0.42 * upright - 0.2) - 0.2 * beside
    dark += s.mean(23) * tense
    return dark.clamp_(-0.3, 0.85)


def _nose(s: _Stage, picture: Tensor) -> None:
    p = s.person
    nine = s.both(s.unit(9))
    x = s.x - 0.18 * s.view["yaw"]
    ax = x.abs()
    up = 0.065 * nine + 0.02 * s.both(s.unit(10))
    tip = 0.17 + 0.07 * p["nose_length"]
    y = s.y + up - 0.1 * s.view["pitch"]
    wide = 0.8 + 0.4 * p["nose_width"] + 0.25 * nine
    skin = _skin_color(s)
    along = _box((y - 0.05) / 0.17)
    ridge = _bell((x / 0.055) ** 2) * along
    ball = _bell((x / 0.07) ** 2 + ((y - tip + 0.02) / 0.06) ** 2)
    light = (skin * 1.14).clamp(max=1)
    _paint(picture, light, 0.38 * torch.maximum(ridge, ball))
    lx = s.view["light_x"]
    flank = _bell(((ax - 0.085 * wide) / 0.05) ** 2) * along
    away = 0.25 + 0.25 * (-lx * torch.sign(x)).clamp(-1, 1)
    _paint(picture, skin * 0.55, flank * away)
    wing = ((ax - 0.115 * wide) / 0.05) ** 2 + ((y - tip + 0.02) / 0.05) ** 2
    rim = _bell(((wing.sqrt() - 1) / 0.48) ** 2) * (ax > 0.1 * wide)
    _paint(picture, skin * 0.5, 0.5 * rim)
    under = s.line(y - tip - 0.035 + 0.3 * ax, 0.027) * _box(ax / (0.14 * wide))
    _paint(picture, skin * 0.5, 0.5 * under)
    hole = ((ax - 0.065 * wide) / 0.04) ** 2 + ((y - tip - 0.01) / 0.026) ** 2
    _paint(picture, skin * 0.2, 0.85 * s.fill((hole.sqrt() - 1) * 0.03))


def _eyes(s: _Stage, picture: Tensor) -> None:
    p = s.person
    five, six, seven, nine = (s.unit(k) for k in (5, 6, 7, 9))
    size = 0.92 + 0.25 * p["eye_size"] - 0.04 * s.man
    space = 0.3 + 0.04 * p["eye_space"]
    across = (s.ax - space) / (0.165 * size)
    y = s.y + 0.1 + (p["eye_tilt"] - 0.4) * 0.04 * across
    square = across**2
    arch = 1 - square
    raised = 0.085 + 0.08 * five - 0.055 * seven - 0.015 * six - 0.025 * nine
    raised = raised - 0.012 * s.unit(4) * (1 - five)
    lower = 0.055 + 0.015 * five - 0.05 * seven - 0.04 * six - 0.02 * nine
    top = s.both(raised.clamp(min=0.018)) * size * arch
    bottom = s.both(lower.clamp(min=0.004)) * size * arch
    # The fold of the upper lid nears the lashes as the eye opens.
    gap = s.both(0.055 - 0.025 * five)
    lid = s.line(y + top + gap, 0.024) * _box(across / 1.05)
    skin = _skin_color(s)
    _paint(picture, skin * 0.5, 0.5 * lid)
    opened = s.fill(torch.maximum(-top - y, y - bottom))
    # The upper lid shades the white of the eye.
    white = 0.97 - 0.3 * (1 - (y + top) / 0.06).clamp(0, 1)
    _paint(picture, white[:, None].expand_as(picture), opened)
    # Gaze and yaw move both irises the same way.
    center = torch.where(s.x < 0, -space, space) + 0.05 * s.view["gaze_x"]
    center = center + 0.06 * s.view["yaw"]
    dx, dy = s.x - center, y + 0.012 - 0.03 * s.view["gaze_y"]
    far = (dx**2 + dy**2).sqrt()
    radius = 0.082 * size
    iris = _from(IRISES, p["eye_color"])[:, :, None, None]
    # An iris is darkest at its edge and lightest below the pupil.
    glow = (0.75 + 0.5 * (1 - (far / radius) ** 2) + 3 * dy).clamp(0.4, 1.5)
    _paint(picture, iris * glow[:, None], opened * s.fill(far - radius))
    black = torch.full_like(skin, 0.04)
    _paint(picture, black, opened * s.fill(far - 0.45 * radius))
    glint = ((dx + 0.03) ** 2 + (dy + 0.032) ** 2).sqrt() - 0.02
    _paint(picture, torch.ones_like(skin), 0.9 * opened * s.fill(glint))
    lash = s.line(y + top, 0.02) * s.fill((across.abs() - 1.05) * 0.16)
    _paint(picture, black + 0.06, (0.95 - 0.3 * s.man) * lash)
    under = s.line(y - bottom, 0.016) * s.fill((across.abs() - 0.95) * 0.16)
    _paint(picture, skin * 0.4, 0.4 * under)


def _brows(s: _Stage, picture: Tensor) -> None:
    p = s.person
    one, two, four = s.unit(1), s.unit(2), s.unit(4)
    inward = s.both(0.055 * four)
    t = (s.ax - 0.13 + inward) / 0.42
    inner = (1 - t).clamp(0, 1.1)
    inner = inner * inner.sqrt()
    outer = t.clamp(0, 1.1)
    frown = four * (1 - 0.75 * one)
    lift = inner * s.both(0.15 * one - 0.13 * frown - 0.07 * s.unit(9))
    lift = lift + outer * s.both(0.16 * two - 0.05 * four)
    rise = (0.05 + 0.05 * p["brow_arch"] * (1.3 - 0.6 * s.man)) * 4 * t * (1 - t)
    middle = -0.285 - 0.05 * p["brow_height"] + 0.02 * s.man - lift - rise * 0.6
    thick = (0.026 + 0.024 * p["brow_thickness"]) * (0.75 + 0.4 * s.man)
    taper = (1.15 - 0.7 * t).clamp(0.3, 1.2)
    shape = (s.y - middle).abs() - thick * taper
    ends = torch.maximum(-t, t - 1) * 0.42
    mask = s.fill(torch.maximum(shape, ends))
    color = torch.minimum(_hair_color(s) * 0.8, _skin_color(s) * 0.45)
    _paint(picture, color, 0.92 * mask)


def _mouth(s: _Stage, picture: Tensor) -> None:
    p = s.person
    u = {k: s.mean(k) for k in (10, 12, 15, 17, 20, 23, 24, 25, 26)}
    shut = (1 - 0.6 * u[24]) * (1 - 0.25 * u[17])
    part = 0.1 * u[25] * (1 - 0.5 * u[24])
    drop = 0.26 * u[26] * (1 - 0.4 * u[24])
    wide = 0.26 + 0.04 * p["mouth_width"] + 0.11 * u[12] + 0.19 * u[20]
    wide = wide - 0.11 * u[23] - 0.07 * u[26] - 0.02 * u[17] + 0.03 * u[24]
    x = s.x - 0.06 * s.view["yaw"]
    across = x / wide
    square = across**2
    pull = -0.19 * s.unit(12) + 0.19 * s.unit(15) + 0.07 * s.unit(20) - 0.025
    corner = s.both(pull) + 0.03 * u[17]
    y = s.y - 0.5 + 0.06 * u[17] + 0.01 * u[10] - 0.01 * u[20]
    middle = corner * (square - 0.45).clamp(max=0.7)
    arch, flat = 1 - square, 1 - square * square
    sneer = (1 - 1.3 * square).clamp(min=0)
    # A stretched mouth opens to a box, a dropped jaw to an oval, a smile to a bowl.
    opened = torch.lerp(arch, flat, (u[20] + 0.6 * u[12]).clamp(max=1))
    oval = arch.clamp(min=0).sqrt()
    up = middle - opened * 0.3 * part * (1 - u[12]) - sneer * 0.1 * u[10] * shut
    up = up - oval * 0.3 * drop
    low = middle + opened * 0.7 * part * (1 + 0.5 * u[12]) + oval * 0.7 * drop
    low = low + sneer * 0.015 * u[10] * shut
    full = (0.75 + 0.5 * p["lip"]) * (1.1 - 0.25 * s.man)
    thin = (1 - 0.9 * u[24]) * (1 - 0.45 * u[23]) * (1 - 0.25 * u[12])
    thin = thin * (1 - 0.3 * u[20])
    bow = 1.1 - 0.3 * _bell((x / 0.04) ** 2)
    round_lip = torch.lerp(arch, flat, 0.35)
    above = up - round_lip * bow * 0.062 * full * thin * (1 + 0.25 * u[10])
    above = above - sneer * 0.02 * u[10]
    below = low + torch.lerp(arch, oval, 0.3) * 0.088 * full * thin * (1 + 0.4 * u[17])
    end = (across.abs() - 1) * wide
    skin = _skin_color(s)
    red = torch.tensor([0.72, 0.30, 0.30], device=skin.device).expand_as(skin)
    lips = torch.lerp(skin * 0.72, red * (0.5 + 0.6 * skin), 0.65 - 0.3 * s.man[:, 0])
    lips = lips + (p["lip_color"][:, 0] - 0.5) * torch.tensor(
        [0.1, -0.06, -0.02], device=skin.device
    )
    mask = s.fill(torch.maximum(torch.maximum(above - y, y - below), end))
    # The upper lip lies in shade; the lower one shines in its middle.
    shine = _bell((across / 0.5) ** 2 + ((y - low - 0.035 * full * thin) / 0.025) ** 2)
    shade = 0.82 + 0.22 * (y > (up + low) / 2).float() + 0.22 * shine
    _paint(picture, lips[:, :, None, None] * shade[:, None], mask)
    inside = s.fill(torch.maximum(torch.maximum(up - y, y - low) + 0.004, end))
    _paint(picture, torch.full_like(skin, 0.1) + red * 0.22, inside)
    tongue = ((x / (0.7 * wide)) ** 2 + ((y - low - 0.02) / 0.09) ** 2).sqrt() - 1
    _paint(picture, red + 0.04, inside * s.fill(tongue * 0.08) * (u[26] > 0.3))
    gap = low - up
    teeth = s.fill(y - up - 0.085 + 0.045 * u[26] * (1 - u[12]) + 0.03 * u[10])
    teeth = teeth * s.fill(end + 0.1 * wide)
    lower = s.fill(low - 0.04 - y) * (u[10] > 0.3)
    both = torch.maximum(teeth, lower * (gap > 0.05))
    # Lips that only rise or sink with the jaw leave the teeth in the dark.
    both = both * (0.1 + 2.5 * u[25] + 0.8 * u[10]).clamp(max=1)
    # Teeth lie deeper towards the corners.
    tooth = (0.97 - 0.25 * square)[:, None].expand_as(picture)
    _paint(picture, tooth, inside * both)
    seam = s.line(y - (up + low) / 2, 0.024) * (1 - inside) * s.fill(end - 0.01)
    strength = (0.7 + 0.25 * (u[24] + u[23])).clamp(max=0.95)
    _paint(picture, lips * (0.4 - 0.2 * u[24][:, 0]), strength * seam)
    pit = _bell(((across.abs() - 1.02) * wide / 0.04) ** 2 + ((y - middle) / 0.04) ** 2)
    deep = 0.15 + 0.5 * (u[12] + u[15] + u[20]).clamp(max=1)
    _paint(picture, skin * 0.4, pit * deep)


def _hair(s: _Stage, picture: Tensor) -> None:
    p = s.person
    there = (p["hair"] > 0.2 * s.man).float()
    line = -0.78 + 0.14 * p["hairline"]
    parting = (p["part"] - 0.5) * 0.8
    fringe = 0.06 * p["fringe"] * torch.cos((s.x - parting) * 9)
    front = s.y - (line - fringe + 0.9 * (s.x - parting * 0.3) ** 2 * s.ax)
    temple = 0.72 + 0.07 * p["width"]
    side = (1 - ((s.x / temple) ** 2 + ((s.y - 0.25) / 1.15) ** 2).sqrt()) * 0.7
    lowest = 0.3 * p["length"] + 2 * s.long_hair
    side = torch.maximum(side, s.y + 0.05 - lowest)
    cap = ((s.x / 0.92) ** 2 + ((s.y + 0.1) / 1.0) ** 2).sqrt() - 1
    shape = torch.maximum(torch.minimum(front, side), cap)
    angle = torch.atan2(s.x - 0.5 * parting, 1.3 + s.y)
    strands = torch.cos(angle * 31 + 9 * p["part"]) + torch.cos(angle * 53 + 4 * s.y)
    gloss = _bell(((cap + 0.14) / 0.07) ** 2)
    shine = 0.88 + 0.07 * strands + 0.22 * gloss
    color = _hair_color(s)[:, :, None, None] * shine[:, None]
    _paint(picture, color, s.fill(shape) * there)


def _glasses(s: _Stage, picture: Tensor) -> None:
    worn = (s.person["glasses"] > 0.86).float()
    if not bool(worn.any()):
        return
    wide, high = ((s.ax - 0.32) / 0.235) ** 2, ((s.y + 0.08) / 0.185) ** 2
    rim = (wide**2 + high**2).sqrt().sqrt() - 1
    frame = s.line(rim * 0.2, 0.018)
    bridge = s.line(s.y + 0.12, 0.016) * s.fill(s.ax - 0.1)
    temple = s.line(s.y + 0.12, 0.016) * s.fill(0.54 - s.ax) * s.fill(s.ax - 0.8)
    mask = torch.maximum(torch.maximum(frame, bridge), temple) * worn
    dark = torch.full_like(_skin_color(s), 0.12)
    _paint(picture, dark, 0.8 * mask)


def _photographed(s: _Stage, picture: Tensor, key: int) -> Tensor:
    """Cover, light, blur, grain and compress the picture, and turn it into bytes."""
    v = s.view
    if bool((v["occluder"] > 0).any()):
        # A hand or scarf from below, or a bar of hair from above.
        away = torch.where(v["occluder_y"] > 0, 1.0, -1.0)
        dx = s.x - 0.8 * v["occluder_x"]
        dy = s.y - away * 1.0
        reach = 0.35 + 0.3 * v["occluder"]
        far = ((dx / (0.8 * reach + 0.15)) ** 2 + (dy / reach) ** 2).sqrt() - 1
        color = torch.cat([v[f"back_{i}"][:, 0] for i in (3, 1, 2)], 1)
        mask = s.fill(far * 0.4) * (v["occluder"] > 0)
        _paint(picture, 0.15 + 0.6 * color, mask)
    if bool((v["shadow"] > 0).any()):
        # Something beside the face keeps the light from one side of a line.
        cos, sin = torch.cos(v["shadow_turn"]), torch.sin(v["shadow_turn"])
        beyond = s.x * cos + s.y * sin - v["shadow_at"]
        dark = 0.7 * v["shadow"] * (beyond / 0.12 + 0.5).clamp_(0, 1)
        picture *= (1 - dark)[:, None]
    grey = picture.mean(1, keepdim=True)
    picture.lerp_(grey.expand_as(picture), v["grey"][:, None].expand_as(picture))
    tint = torch.cat(
        [1 + v["warmth"], torch.ones_like(v["warmth"]), 1 - v["warmth"]], 1
    )
    tint = torch.where(v["grey"][:, :, :] > 0, torch.ones_like(tint), tint)
    picture = (picture * tint[:, :, :, None] - 0.5) * (1 + v["contrast"][:, None])
    picture += 0.5 + v["brightness"][:, None]
    if bool((v["blur"] > 0).any()):
        step = max(1, round(0.02 / s.pixel))
        kernel = 2 * step + 1
        padded = F.pad(picture, (step,) * 4, mode="replicate")
        soft = F.avg_pool2d(padded, kernel, 1)
        weight = v["blur"].clamp(max=1)[:, None]
        picture = torch.lerp(picture, soft, weight.expand_as(picture))
    if bool((v["noise"] > 0).any()):
        n, _, h, w = picture.shape
        own = (v["back_1"][:, 0, 0] * 2**24).long() + key
        zero = torch.zeros((), device=own.device)
        grain = mixed(mixed(own)[:, None] + torch.arange(h * w, device=own.device))
        total = sum(((grain >> k & 0xFFFF).float() for k in (0, 16, 32)), zero)
        bell = (total / 0x8000 - 3).view(n, 1, h, w)
        picture = picture + v["noise"][:, None] * bell
    shot = (picture.clamp_(0, 1) * 255 + 0.5).to(torch.uint8)
    stored = v["compression"][:, 0, 0]
    if bool((stored > 0).any()):
        some = stored > 0
        shot[some] = compressed(shot[some], stored[some])
    return shot


def compressed(images: Tensor, strength: Tensor) -> Tensor:
    """Return images as a coarse JPEG file would give them back.

    Blocks of 8×8 pixels are turned into cosines, whose weights are rounded. All numbers
    before a rounding are whole, so that the order of sums cannot matter.

    Parameters
    ----------
    images : Tensor, (n, 3, h, w) uint8
    strength : Tensor, (n,)
        From 0, nearly nothing, to 1.

    Returns
    -------
    Tensor, (n, 3, h, w) uint8
    """
    n, _, h, w = images.shape
    k = torch.arange(8, dtype=torch.float64, device=images.device)
    cosine = torch.cos((2 * k + 1) * k[:, None] * torch.pi / 16)
    cosine = (64 * 2**0.5 * cosine).round()
    cosine[0] = 64
    padded = F.pad(images.float(), (0, -w % 8, 0, -h % 8), mode="replicate")
    blocks = padded.double().unfold(2, 8, 8).unfold(3, 8, 8)
    step = strength[:, None, None].double() * (10 + 7 * (k + k[:, None]))
    step = 1 + step.floor()[:, None, None, None]
    weights = (cosine @ blocks @ cosine.T / (32768 * step)).round() * step
    back = (cosine.T @ weights @ cosine / 32768).round().clamp(0, 255)
    back = back.transpose(3, 4).reshape(n, 3, *padded.shape[2:])
    return back[:, :, :h, :w].to(torch.uint8)
