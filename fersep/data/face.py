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

from fersep.data.faces import DataError

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

#: What a person is made of; every entry is a number from 0 to 1.
PERSON = (
    "skin", "blush", "width", "jaw", "hair", "hair_tone", "hairline", "length",
    "fringe", "part", "brow_height", "brow_thickness", "brow_arch", "eye_size",
    "eye_color", "eye_space", "eye_tilt", "nose_length", "nose_width", "mouth_width",
    "lip", "lip_color", "beard", "glasses", "age", "shirt",
)  # fmt: skip

#: What a view is made of. Angles are in radians, shifts in half picture sides.
VIEW = (
    "yaw", "pitch", "roll", "zoom", "shift_x", "shift_y", "light_x", "light_y",
    "contrast", "brightness", "warmth", "blur", "noise", "grey", "occluder",
    "occluder_x", "occluder_y", "gaze_x", "gaze_y", "back_1", "back_2", "back_3",
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
    """Return n views (n, 22) from straight ahead in soft light, nothing in the way."""
    view = torch.zeros(n, len(VIEW))
    for name, value in {"light_x": -0.3, "light_y": -0.4, "back_1": 0.6}.items():
        view[:, VIEW.index(name)] = value
    return view


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
        return torch.exp(-((across / w) ** 2))

    def spot(self, x: float, y: float, sx: float, sy: float) -> Tensor:
        """Return soft spots at (±x, y)."""
        return torch.exp(-(((self.ax - x) / sx) ** 2) - ((self.y - y) / sy) ** 2)


def render(
    units: Tensor, person: Tensor, view: Tensor, image_size: int = 48, key: int = 0
) -> Tensor:
    """Draw faces.

    Parameters
    ----------
    units : Tensor, (n, 2, 17)
        Intensities of `UNITS` from 0 to 1, left and right half of the picture.
    person : Tensor, (n, 26)
        See `PERSON`.
    view : Tensor, (n, 22)
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
    n, size = len(s.units), s.y.shape[1]
    base = torch.cat([s.view[f"back_{i}"][:, 0] for i in (1, 2, 3)], 1)
    corner = torch.arange(12, device=base.device).reshape(1, 3, 2, 2)
    mix = torch.frac(base[:, :, None, None] * 7.3 + base[:, :1, None, None] * corner)
    color = 0.25 + 0.35 * base[:, :, None, None] + 0.3 * mix
    return F.interpolate(
        color.expand(n, 3, 2, 2), (size, size), mode="bilinear", align_corners=False
    ).contiguous()


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
    long = (p["length"] > 0.5).float()
    end = (s.y - 0.9 * p["length"]).clamp(min=0)
    back = torch.maximum(s.ax - 0.9 + 0.7 * end**2, -1.1 - s.y)
    round_top = ((s.x / 0.94) ** 2 + ((s.y + 0.15) / 0.98) ** 2).sqrt() - 1
    shape = torch.where(s.y < -0.1, round_top, back)
    _paint(picture, hair * 0.7, s.fill(shape) * long)
    skin = _skin_color(s)
    shirt = torch.cat(
        [0.25 + 0.6 * torch.frac(p["shirt"][:, 0] * k) for k in (1, 3.7, 7.1)], 1
    )
    _paint(picture, shirt, s.fill(1.02 - s.y + 0.25 * (s.ax - 0.3).clamp(min=0)))
    neck = torch.maximum(s.ax - 0.4, 0.5 - s.y)
    neck = torch.maximum(neck, s.y - 1.12 + s.ax * 0.3)
    _paint(picture, skin * 0.68, s.fill(neck))
    ears = (((s.ax - 0.8) / 0.11) ** 2 + ((s.y + 0.0) / 0.2) ** 2).sqrt() - 1
    _paint(picture, skin * 0.82, s.fill(ears * 0.11))


def _skin(s: _Stage, face: _Stage, picture: Tensor) -> None:
    """Paint the head with all its folds, and the beard."""
    p, jaw = s.person, s.mean(26)
    width = 0.74 + 0.1 * p["width"]
    low = s.y.clamp(min=0)
    narrow = width * (1 - (0.2 + 0.18 * p["jaw"]) * low * low)
    height = torch.where(s.y > 0, 0.97 + 0.1 * jaw, torch.full_like(s.y, 0.98))
    head = ((s.x / narrow) ** 2 + (s.y / height) ** 2).sqrt() - 1
    inside = s.fill(head * 0.75)
    edge = 1 - 0.25 * ((head + 0.25).clamp(0, 0.25) * 4) ** 2
    skin = _skin_color(s)
    shade = _light(s) * edge * (1 - _folds(face))
    color = skin[:, :, None, None] * shade[:, None]
    rosy = face.spot(0.42, 0.22, 0.17, 0.13) * (
        0.1 + 0.25 * p["blush"] + 0.2 * face.both(s.unit(6)) + 0.1 * s.mean(12)
    )
    color[:, 1:] *= 1 - 0.3 * rosy[:, None]
    _paint(picture, color, inside)

    beard = ((p["beard"] - 0.68) * 3.5).clamp(0, 0.8)
    if bool((beard > 0).any()):
        ax, y = face.ax, face.y
        jawline = ((y - 0.62 + 0.65 * ax.clamp(max=0.62)) * 7).clamp(0, 1)
        lip = ((0.07 - (y - 0.37).abs()) * 14).clamp(0, 1) * s.fill(ax - 0.27)
        mouth = (ax / 0.34) ** 2 + ((y - 0.53 - 0.06 * jaw) / 0.13) ** 2
        bare = ((1.25 - mouth) * 2.5).clamp(0, 1)
        hairs = torch.maximum(jawline * (1 - bare), lip)
        _paint(picture, _hair_color(s) * 0.9, inside * beard * hairs)


def _folds(s: _Stage) -> Tensor:
    """Return how dark (n, h, w) the folds of the skin make it."""
    p = s.person
    ax, y = s.ax, s.y
    age = 0.3 * (p["age"] - 0.65).clamp(min=0)
    one, two, four = s.unit(1), s.unit(2), s.mean(4)
    nine, ten = s.mean(9), s.mean(10)
    dark = 0.16 * s.spot(0.31, -0.1, 0.24, 0.14)
    # Forehead: short lines in the middle (1) and arches over the outer brows (2).
    wave = torch.exp(-(((y + 0.585) / 0.1) ** 2))
    rows = wave * (0.5 + 0.5 * torch.cos((y + 0.585 + 0.05 * ax**2) * 70))
    middle = torch.exp(-((ax / 0.2) ** 2))
    outer = torch.exp(-(((ax - 0.42) / 0.17) ** 2))
    dark += rows * (middle * s.both(0.55 * one) + outer * s.both(0.55 * two) + age)
    # Two upright furrows between the brows (4).
    upright = s.line(ax - 0.055, 0.022) * torch.exp(-(((y + 0.3) / 0.13) ** 4))
    dark += 0.75 * four * upright
    # Lines over the bridge of the nose (9).
    chevron = y + 0.06 + 0.35 * ax
    ripple = 0.5 + 0.5 * torch.cos(chevron * 68)
    bridge = torch.exp(-((chevron / 0.13) ** 4) - (ax / 0.17) ** 4)
    dark += 0.7 * nine * ripple * bridge
    # Cheeks pushed up (6): a pouch under the eye and crow's feet beside it.
    six = s.both(s.unit(6))
    pouch = s.line(y - 0.075 + 0.35 * (ax - 0.32) ** 2, 0.026)
    pouch *= torch.exp(-(((ax - 0.33) / 0.17) ** 4))
    fan = torch.frac((torch.atan2(y + 0.08, ax - 0.4) + 2.0) * 2.2)
    feet = torch.exp(-(((ax - 0.6) / 0.085) ** 4) - ((y + 0.08) / 0.15) ** 4)
    feet = feet * torch.exp(-(((fan - 0.5) / 0.22) ** 2))
    dark += six * (0.5 * pouch + 0.6 * feet) + age * feet
    dark -= 0.12 * six * s.spot(0.42, 0.17, 0.16, 0.07)
    # Lower lid drawn tight (7).
    tight = s.line(y - 0.0 + 0.1 * (ax - 0.31) ** 2, 0.022)
    tight *= torch.exp(-(((ax - 0.31) / 0.2) ** 4))
    dark += s.both(0.55 * s.unit(7)) * tight
    # Furrow from the nose to the mouth (11, and with 9, 10, 12).
    twelve = s.unit(12)
    t = ((y - 0.16) / 0.4).clamp(0, 1)
    bow = 0.15 + 0.2 * t + s.both(0.07 * twelve) * torch.sin(3.14 * t)
    fold = s.line(ax - bow, 0.03) * torch.exp(-(((y - 0.33) / 0.19) ** 6))
    deep = 0.7 * s.unit(11) + 0.25 * twelve + 0.3 * s.unit(9) + 0.35 * s.unit(10)
    dark += fold * (s.both(deep) + 0.05 + age).clamp(max=0.65)
    dark -= 0.12 * s.both(s.unit(11)) * s.spot(0.4, 0.3, 0.09, 0.12)
    # Corners drawn down (15): lines below them. Stretched (20): lines beside them.
    down = s.line(ax - 0.31 - 0.35 * (y - 0.6), 0.03)
    down *= torch.exp(-(((y - 0.67) / 0.08) ** 4))
    dark += s.both(0.4 * s.unit(15)) * down
    beside = s.line(ax - 0.47 + 1.2 * (y - 0.52) ** 2, 0.025)
    beside *= torch.exp(-(((y - 0.52) / 0.14) ** 4))
    dark += s.both(0.5 * s.unit(20)) * beside
    # Chin pushed up (17): a boss with dimples under a dark arc.
    seventeen = s.mean(17)
    arc = s.line(y - 0.655 - 0.9 * ax**2, 0.03) * torch.exp(-((ax / 0.2) ** 4))
    boss = torch.exp(-((ax / 0.17) ** 2) - ((y - 0.79) / 0.09) ** 2)
    dimples = 0.5 + 0.5 * torch.cos(s.x * 70 + 30 * y) * torch.cos(y * 62 - 22 * s.x)
    dark += seventeen * (0.5 * arc + boss * (0.45 * dimples - 0.2))
    # Lips tight (23) or pressed (24): bulges around the mouth.
    rim = s.line(y - 0.6 - 0.4 * ax**2, 0.028) * torch.exp(-((ax / 0.19) ** 4))
    dark += rim * (0.12 + 0.55 * s.mean(24))
    pale = torch.exp(-((ax / 0.27) ** 4) - ((y - 0.5) / 0.07) ** 4)
    dark -= 0.3 * s.mean(24) * pale
    purse = torch.exp(-(((ax - 0.22) / 0.06) ** 2) - ((y - 0.5) / 0.1) ** 2)
    dark += s.mean(23) * (0.4 * purse - 0.2 * s.spot(0.0, 0.4, 0.14, 0.05))
    dark += 0.1 * ten * torch.exp(-((ax / 0.12) ** 2) - ((y - 0.33) / 0.06) ** 2)
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
    ridge = torch.exp(-((x / 0.05) ** 2) - ((y - 0.05) / 0.17) ** 4)
    _paint(picture, (skin * 1.12).clamp(max=1), 0.4 * ridge)
    lx = s.view["light_x"]
    flank = torch.exp(-(((ax - 0.085 * wide) / 0.045) ** 2) - ((y - 0.07) / 0.16) ** 4)
    away = 0.25 + 0.25 * (-lx * torch.sign(x)).clamp(-1, 1)
    _paint(picture, skin * 0.55, flank * away)
    wing = ((ax - 0.115 * wide) / 0.05) ** 2 + ((y - tip + 0.02) / 0.05) ** 2
    rim = torch.exp(-(((wing.sqrt() - 1) / 0.45) ** 2)) * (ax > 0.1 * wide)
    _paint(picture, skin * 0.5, 0.6 * rim)
    under = s.line(y - tip - 0.035 + 0.3 * ax, 0.025)
    under = under * torch.exp(-((ax / (0.14 * wide)) ** 4))
    _paint(picture, skin * 0.5, 0.5 * under)
    hole = ((ax - 0.065 * wide) / 0.04) ** 2 + ((y - tip - 0.01) / 0.026) ** 2
    _paint(picture, skin * 0.2, 0.85 * s.fill((hole.sqrt() - 1) * 0.03))


def _eyes(s: _Stage, picture: Tensor) -> None:
    p = s.person
    five, six, seven, nine = (s.unit(k) for k in (5, 6, 7, 9))
    size = 0.9 + 0.25 * p["eye_size"]
    space = 0.3 + 0.04 * p["eye_space"]
    across = (s.ax - space) / (0.165 * size)
    y = s.y + 0.1 + (p["eye_tilt"] - 0.4) * 0.04 * across
    arch = 1 - across**2
    raised = 0.085 + 0.08 * five - 0.055 * seven - 0.015 * six - 0.025 * nine
    raised = raised - 0.012 * s.unit(4) * (1 - five)
    lower = 0.055 + 0.015 * five - 0.05 * seven - 0.04 * six - 0.02 * nine
    top = s.both(raised.clamp(min=0.018)) * size * arch
    bottom = s.both(lower.clamp(min=0.004)) * size * arch
    lid = s.line(y + top + 0.055, 0.022) * torch.exp(-((across / 1.05) ** 4))
    skin = _skin_color(s)
    _paint(picture, skin * 0.5, 0.5 * lid)
    opened = s.fill(torch.maximum(-top - y, y - bottom))
    white = torch.full_like(skin, 0.95)
    _paint(picture, white, opened)
    # Gaze and yaw move both irises the same way.
    center = torch.where(s.x < 0, -space, space) + 0.05 * s.view["gaze_x"]
    center = center + 0.06 * s.view["yaw"]
    dx, dy = s.x - center, y + 0.012 - 0.03 * s.view["gaze_y"]
    far = (dx**2 + dy**2).sqrt()
    radius = 0.082 * size
    _paint(picture, _from(IRISES, p["eye_color"]), opened * s.fill(far - radius))
    black = torch.full_like(skin, 0.04)
    _paint(picture, black, opened * s.fill(far - 0.45 * radius))
    glint = ((dx + 0.03) ** 2 + (dy + 0.032) ** 2).sqrt() - 0.02
    _paint(picture, torch.ones_like(skin), 0.9 * opened * s.fill(glint))
    lash = s.line(y + top, 0.02) * s.fill((across.abs() - 1.05) * 0.16)
    _paint(picture, black + 0.06, 0.85 * lash)
    under = s.line(y - bottom, 0.014) * s.fill((across.abs() - 0.95) * 0.16)
    _paint(picture, skin * 0.4, 0.4 * under)


def _brows(s: _Stage, picture: Tensor) -> None:
    p = s.person
    one, two, four = s.unit(1), s.unit(2), s.unit(4)
    inward = s.both(0.055 * four)
    t = (s.ax - 0.13 + inward) / 0.42
    inner = ((1 - t).clamp(0, 1.1)) ** 1.5
    outer = t.clamp(0, 1.1)
    frown = four * (1 - 0.75 * one)
    lift = inner * s.both(0.15 * one - 0.13 * frown - 0.07 * s.unit(9))
    lift = lift + outer * s.both(0.16 * two - 0.05 * four)
    rise = (0.05 + 0.05 * p["brow_arch"]) * 4 * t * (1 - t)
    middle = -0.275 - 0.05 * p["brow_height"] - lift - rise * 0.6
    thick = 0.026 + 0.024 * p["brow_thickness"]
    taper = (1.15 - 0.6 * t).clamp(0.3, 1.2)
    shape = (s.y - middle).abs() - thick * taper
    ends = torch.maximum(-t, t - 1) * 0.42
    mask = s.fill(torch.maximum(shape, ends))
    color = torch.minimum(_hair_color(s) * 0.8, _skin_color(s) * 0.45)
    _paint(picture, color, 0.92 * mask)


def _mouth(s: _Stage, picture: Tensor) -> None:
    p = s.person
    u = {k: s.mean(k) for k in (10, 12, 15, 17, 20, 23, 24, 25, 26)}
    shut = (1 - 0.95 * u[24]) * (1 - 0.25 * u[17])
    part = 0.085 * u[25] * (1 - 0.9 * u[24])
    drop = 0.26 * u[26] * (1 - 0.6 * u[24])
    wide = 0.26 + 0.04 * p["mouth_width"] + 0.11 * u[12] + 0.19 * u[20]
    wide = wide - 0.13 * u[23] - 0.07 * u[26] - 0.02 * u[17] + 0.05 * u[24]
    x = s.x - 0.06 * s.view["yaw"]
    across = x / wide
    square = across**2
    pull = -0.19 * s.unit(12) + 0.15 * s.unit(15) + 0.07 * s.unit(20)
    corner = s.both(pull) + 0.03 * u[17]
    y = s.y - 0.5 + 0.06 * u[17] + 0.01 * u[10] - 0.01 * u[20]
    middle = corner * (square - 0.45).clamp(max=0.7)
    arch, flat = 1 - square, 1 - square * square
    # A stretched mouth opens to a box, a dropped jaw to an oval, a smile to a bowl.
    opened = torch.lerp(arch, flat, u[20].clamp(max=1))
    up = middle - flat * (0.3 * part * (1 - u[12]) + 0.09 * u[10] * shut)
    oval = arch.clamp(min=0).sqrt()
    up = up - oval * 0.3 * drop
    low = middle + opened * 0.7 * part * (1 + 0.5 * u[12]) + oval * 0.7 * drop
    low = low + flat * 0.025 * u[10] * shut
    full = 0.75 + 0.5 * p["lip"]
    thin = (1 - 0.9 * u[24]) * (1 - 0.2 * u[23]) * (1 - 0.25 * u[12])
    thin = thin * (1 - 0.3 * u[20])
    bow = 1 - 0.25 * torch.exp(-((x / 0.035) ** 2))
    above = up - flat * bow * 0.062 * full * thin
    below = low + torch.lerp(arch, oval, 0.5) * 0.08 * full * thin * (1 + 0.4 * u[17])
    end = (across.abs() - 1) * wide
    skin = _skin_color(s)
    red = torch.tensor([0.72, 0.30, 0.30], device=skin.device).expand_as(skin)
    lips = torch.lerp(skin * 0.72, red * (0.5 + 0.6 * skin), 0.6)
    lips = lips + (p["lip_color"][:, 0] - 0.5) * torch.tensor(
        [0.1, -0.06, -0.02], device=skin.device
    )
    mask = s.fill(torch.maximum(torch.maximum(above - y, y - below), end))
    shade = 0.85 + 0.3 * (y > (up + low) / 2).float()
    _paint(picture, lips[:, :, None, None] * shade[:, None], mask)
    inside = s.fill(torch.maximum(torch.maximum(up - y, y - low) + 0.004, end))
    _paint(picture, torch.full_like(skin, 0.1) + red * 0.22, inside)
    tongue = ((x / (0.7 * wide)) ** 2 + ((y - low - 0.02) / 0.09) ** 2).sqrt() - 1
    _paint(picture, red + 0.04, inside * s.fill(tongue * 0.08) * (u[26] > 0.3))
    gap = low - up
    teeth = s.fill(y - up - 0.085 + 0.045 * u[26] * (1 - u[12]))
    teeth = teeth * s.fill(end + 0.1 * wide)
    lower = s.fill(low - 0.04 - y) * (u[10] > 0.3)
    both = torch.maximum(teeth, lower * (gap > 0.05))
    _paint(picture, torch.full_like(skin, 0.95), inside * both)
    seam = s.line((y - (up + low) / 2) / (1 + 0.15 * u[24]), 0.03) * (1 - inside)
    seam = seam * s.fill(end - 0.01)
    _paint(
        picture,
        lips * (0.35 - 0.2 * u[24][:, 0]),
        (0.7 + 0.25 * (u[24] + u[23])).clamp(max=0.95) * seam,
    )
    pit = (across.abs() - 1.04) * wide
    pit = torch.exp(-((pit / 0.045) ** 2) - ((y - middle) / 0.045) ** 2)
    deep = 0.2 + 0.5 * (u[12] + u[15] + u[20]).clamp(max=1)
    _paint(picture, skin * 0.4, pit * deep)


def _hair(s: _Stage, picture: Tensor) -> None:
    p = s.person
    there = (p["hair"] > 0.08).float()
    line = -0.78 + 0.14 * p["hairline"]
    parting = (p["part"] - 0.5) * 0.8
    fringe = 0.06 * p["fringe"] * torch.cos((s.x - parting) * 9)
    front = s.y - (line - fringe + 0.9 * (s.x - parting * 0.3) ** 2 * s.ax)
    temple = 0.72 + 0.07 * p["width"]
    side = (1 - ((s.x / temple) ** 2 + ((s.y - 0.25) / 1.15) ** 2).sqrt()) * 0.7
    lowest = 0.3 * p["length"] + 2 * (p["length"] > 0.5).float()
    side = torch.maximum(side, s.y + 0.05 - lowest)
    cap = ((s.x / 0.92) ** 2 + ((s.y + 0.1) / 1.0) ** 2).sqrt() - 1
    shape = torch.maximum(torch.minimum(front, side), cap)
    angle = torch.atan2(s.x - 0.5 * parting, 1.3 + s.y)
    strands = torch.cos(angle * 31 + 9 * p["part"]) + torch.cos(angle * 53 + 4 * s.y)
    gloss = torch.exp(-(((cap + 0.14) / 0.06) ** 2))
    shine = 0.88 + 0.07 * strands + 0.22 * gloss
    color = _hair_color(s)[:, :, None, None] * shine[:, None]
    _paint(picture, color, s.fill(shape) * there)


def _glasses(s: _Stage, picture: Tensor) -> None:
    worn = (s.person["glasses"] > 0.86).float()
    if not bool(worn.any()):
        return
    rim = (((s.ax - 0.32) / 0.235) ** 4 + ((s.y + 0.08) / 0.185) ** 4) ** 0.25 - 1
    frame = s.line(rim * 0.2, 0.018)
    bridge = s.line(s.y + 0.12, 0.016) * s.fill(s.ax - 0.1)
    temple = s.line(s.y + 0.12, 0.016) * s.fill(0.54 - s.ax) * s.fill(s.ax - 0.8)
    mask = torch.maximum(torch.maximum(frame, bridge), temple) * worn
    dark = torch.full_like(_skin_color(s), 0.12)
    _paint(picture, dark, 0.8 * mask)


def _photographed(s: _Stage, picture: Tensor, key: int) -> Tensor:
    """Cover, light, blur, and grain the picture, and turn it into bytes."""
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
    return (picture.clamp_(0, 1) * 255 + 0.5).to(torch.uint8)
