"""The folds of the skin, by which most action units are told apart."""

import torch
from torch import Tensor

from fersep.rendered.canvas import Canvas, bell, blob, box


def folds(s: Canvas) -> Tensor:
    """Return how dark (n, h, w) the folds of the skin make it."""
    age = 0.3 * (s.person["age"] - 0.65).clamp(min=0)
    dark = 0.16 * s.spot(0.31, -0.1, 0.26, 0.16)
    _forehead(s, dark, age)
    _eyes(s, dark, age)
    _cheeks(s, dark, age)
    _chin(s, dark)
    _lips(s, dark)
    return dark.clamp_(-0.3, 0.85)


def _fold(s: Canvas, across: Tensor, width: float, along: Tensor) -> Tensor:
    """Return a line where ``across`` is 0, as long as ``along`` is within 1 of 0."""
    return s.line(across, width) * box(along)


def _forehead(s: Canvas, dark: Tensor, age: Tensor) -> None:
    ax, y, four = s.ax, s.y, s.mean(4)
    # Short lines in the middle (1) and arches over the outer brows (2).
    wave = bell(((y + 0.585) / 0.1) ** 2)
    rows = wave * (0.5 + 0.5 * torch.cos((y + 0.585 + 0.05 * ax**2) * 70))
    middle = bell((ax / 0.22) ** 2) * s.both(0.5 * s.unit(1))
    outer = bell(((ax - 0.42) / 0.19) ** 2) * s.both(0.5 * s.unit(2))
    dark += rows * (middle + outer + age)
    # Two upright furrows between the brows (4), and the skin pushed together there.
    upright = s.line(ax - 0.05 - 0.1 * (y + 0.3).abs(), 0.024)
    dark += 0.62 * four * upright * box((y + 0.29) / 0.12)
    dark += 0.12 * four * s.spot(0.0, -0.29, 0.16, 0.13)
    # Lines over the bridge of the nose (9).
    chevron = y + 0.07 + 0.3 * ax
    ripple = 0.5 + 0.5 * torch.cos(chevron * 68)
    square = (chevron / 0.12) ** 2
    bridge = bell(square * square + ((ax / 0.16) ** 2) ** 2)
    dark += 0.58 * s.mean(9) * ripple * bridge


def _eyes(s: Canvas, dark: Tensor, age: Tensor) -> None:
    ax, y, six = s.ax, s.y, s.both(s.unit(6))
    # Cheeks pushed up (6): a pouch under the eye and crow's feet beside it.
    pouch = _fold(s, y - 0.075 + 0.35 * (ax - 0.32) ** 2, 0.028, (ax - 0.33) / 0.17)
    fan = torch.frac((torch.atan2(y + 0.08, ax - 0.4) + 2.0) * 2.2)
    feet = bell((((ax - 0.6) / 0.085) ** 2) ** 2 + ((y + 0.08) / 0.15) ** 4)
    feet = feet * bell(((fan - 0.5) / 0.24) ** 2)
    dark += six * (0.45 * pouch + 0.55 * feet) + age * feet
    dark -= 0.14 * six * s.spot(0.42, 0.17, 0.18, 0.08)
    # Lower lid drawn tight (7).
    tight = _fold(s, y + 0.1 * (ax - 0.31) ** 2, 0.022, (ax - 0.31) / 0.2)
    dark += s.both(0.55 * s.unit(7)) * tight


def _cheeks(s: Canvas, dark: Tensor, age: Tensor) -> None:
    ax, y = s.ax, s.y
    ten, eleven, twelve = (s.unit(k) for k in (10, 11, 12))
    # Furrow from the wing of the nose round the mouth (11, and with 9, 10, 12).
    t = ((y - 0.14) / 0.42).clamp(0, 1)
    bow = 0.14 + 0.25 * t * (1.25 - 0.4 * t)
    bow = bow + s.both(0.07 * twelve) * torch.sin(3.14 * t)
    furrow = s.line(ax - bow, 0.032) * bell((((y - 0.32) / 0.19) ** 2) ** 3)
    deep = 0.65 * eleven + 0.22 * twelve + 0.22 * s.unit(9) + 0.28 * ten
    dark += furrow * (s.both(deep) + 0.04 + age).clamp(max=0.6)
    # The cheek beside the furrow stands out.
    dark -= 0.16 * s.both(eleven) * s.spot(0.42, 0.29, 0.11, 0.14)
    # Upper lip drawn up (10): a crease above it, and the skin beside the nose bulges.
    crease = _fold(s, y - 0.315 - 2.2 * ax**2, 0.03, ax / 0.19)
    dark += s.both(ten) * (0.5 * crease - 0.22 * s.spot(0.2, 0.26, 0.06, 0.07))


def _chin(s: Canvas, dark: Tensor) -> None:
    ax, y = s.ax, s.y
    # Corners drawn down (15): lines below them. Stretched (20): lines beside them.
    below = _fold(s, ax - 0.31 - 0.35 * (y - 0.6), 0.032, (y - 0.68) / 0.085)
    dark += s.both(0.5 * s.unit(15)) * below
    beside = _fold(s, ax - 0.49 + 1.2 * (y - 0.52) ** 2, 0.028, (y - 0.52) / 0.14)
    dark += s.both(0.5 * s.unit(20)) * beside
    # Chin pushed up (17): a boss with dimples under a dark arc.
    arc = _fold(s, y - 0.66 - 0.9 * ax**2, 0.032, ax / 0.2)
    boss = blob(ax, y - 0.79, 0.19, 0.1)
    dimples = torch.cos(s.x * 48 + 21 * y) * torch.cos(y * 44 - 17 * s.x)
    dark += s.mean(17) * (0.5 * arc + boss * (0.12 * dimples + 0.12))


def _lips(s: Canvas, dark: Tensor) -> None:
    ax, y = s.ax, s.y
    # A groove above the lips and a shadow below them.
    dark += 0.1 * blob(ax, y - 0.36, 0.035, 0.07)
    rim = _fold(s, y - 0.615 - 0.4 * ax**2, 0.032, ax / 0.19)
    dark += 0.14 * rim
    # Lips pressed (24): the skin around them bulges, above and below.
    bulge = s.spot(0.0, 0.415, 0.24, 0.045) + s.spot(0.0, 0.575, 0.2, 0.04)
    dark += s.mean(24) * (0.5 * rim - 0.32 * bulge)
    # Lips tight (23): upright lines around them and a pale, drawn rim.
    upright = 0.5 + 0.5 * torch.cos(s.x * (52 - 14 * (y - 0.5).abs()))
    above = bell(((ax / 0.19) ** 2) ** 2 + ((y - 0.4) / 0.06) ** 2)
    below = bell(((ax / 0.15) ** 2) ** 2 + ((y - 0.61) / 0.055) ** 2)
    beside = s.spot(0.23, 0.49, 0.055, 0.1)
    dark += s.mean(23) * ((above + below) * (0.42 * upright - 0.2) - 0.2 * beside)
