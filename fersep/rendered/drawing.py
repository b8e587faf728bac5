"""Draw a face from action units, a person and a view.

A face is a stack of shapes. Action units of the facial action coding system move them,
a person sets their size and color, a view turns, lights and spoils the picture.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from fersep.rendered.canvas import Canvas, bell, ellipse
from fersep.rendered.features import brows, eyes, mouth, nose
from fersep.rendered.folds import folds
from fersep.rendered.photograph import photograph


def render(
    units: Tensor, person: Tensor, view: Tensor, image_size: int = 48, key: int = 0
) -> Tensor:
    """Draw faces (n, 3, image_size, image_size) uint8.

    Parameters
    ----------
    units : Tensor, (n, 2, 17)
        Intensities of `UNITS` from 0 to 1, left and right half of the picture.
    person : Tensor, (n, 27)
        As `people` gives them.
    view : Tensor, (n, 26)
        See `VIEW`; `front_view` is the plain one.
    key : int
        Chooses the grain of the noise.
    """
    head = Canvas(units, person, view, image_size)
    face = head.turn()
    _background(head)
    _body(head)
    _skin(head, face)
    nose(face)
    eyes(face)
    brows(face)
    mouth(face)
    _hair(head)
    _glasses(face)
    return photograph(head, key)


def _background(s: Canvas) -> None:
    """Paint a wash of four colors, every other time with stripes."""
    n, size = len(s.units), s.y.shape[1]
    base = torch.cat([s.view[f"back_{i}"][:, 0] for i in (1, 2, 3)], 1)
    corner = torch.arange(12, device=base.device).reshape(1, 3, 2, 2)
    mix = torch.frac(base[:, :, None, None] * 7.3 + base[:, :1, None, None] * corner)
    color = 0.25 + 0.35 * base[:, :, None, None] + 0.3 * mix
    wash = F.interpolate(
        color.expand(n, 3, 2, 2), (size, size), mode="bilinear", align_corners=False
    )
    first, second, third = torch.frac(base.T[..., None, None] * 13.7)
    turn = 3.14 * first
    wave = (s.x * torch.cos(turn) + s.y * torch.sin(turn)) * (2 + 4 * second)
    stripe = (torch.frac(wave + third) - 0.5).abs() * 8 - 2
    depth = 0.3 * (third > 0.5).float()
    torch.mul(wash, (1 - depth * stripe.clamp(0, 1))[:, None], out=s.picture)


def _body(s: Canvas) -> None:
    p = s.person
    end = (s.y - 0.9 * (0.5 + 0.5 * p["length"])).clamp(min=0)
    back = torch.maximum(s.ax - 0.9 + 0.7 * end**2, -1.1 - s.y)
    shape = torch.where(s.y < -0.1, ellipse(s.x, s.y + 0.15, 0.94, 0.98), back)
    s.paint(s.hair * 0.7, s.fill(shape) * s.long_hair)
    shirt = torch.cat(
        [0.25 + 0.6 * torch.frac(p["shirt"][:, 0] * k) for k in (1, 3.7, 7.1)], 1
    )
    s.paint(shirt, s.fill(1.02 - s.y + 0.25 * (s.ax - 0.3).clamp(min=0)))
    neck = torch.maximum(s.ax - 0.36 - 0.06 * s.man, 0.5 - s.y)
    neck = torch.maximum(neck, s.y - 1.12 + s.ax * 0.3)
    s.paint(s.skin * 0.68, s.fill(neck))
    s.paint(s.skin * 0.82, s.fill(ellipse(s.ax - 0.8, s.y, 0.11, 0.2) * 0.11))


def _skin(s: Canvas, face: Canvas) -> None:
    """Paint the head with all its folds, and the beard."""
    p = s.person
    width = 0.72 + 0.1 * p["width"] + 0.02 * s.man
    low = s.y.clamp(min=0)
    narrow = width * (1 - (0.17 + 0.16 * p["jaw"] - 0.1 * s.man) * low * low)
    height = torch.where(s.y > 0, 0.97 + 0.1 * s.mean(26), torch.full_like(s.y, 0.98))
    head = ellipse(s.x, s.y, narrow, height)
    inside = s.fill(head * 0.75)
    edge = 1 - 0.25 * ((head + 0.25).clamp(0, 0.25) * 4) ** 2
    shade = _light(s) * edge * (1 - folds(face))
    color = s.skin[:, :, None, None] * shade[:, None]
    rosy = face.spot(0.42, 0.22, 0.2, 0.16) * (
        0.1 + 0.25 * p["blush"] + 0.2 * face.both(s.unit(6)) + 0.1 * s.mean(12)
    )
    color[:, 1:] *= 1 - 0.3 * rosy[:, None]
    s.paint(color, inside)
    beard = ((p["beard"] - 0.55) * 3.5).clamp(0, 0.8) * (s.man > 0.8)
    if bool((beard > 0).any()):
        # The folds show through the hairs.
        tone = s.hair[:, :, None, None] * (1.1 * shade)[:, None]
        s.paint(tone, inside * beard * _beard(face))


def _light(s: Canvas) -> Tensor:
    """Return the shade of a round head (n, h, w), about 1."""
    lx, ly = s.view["light_x"], s.view["light_y"]
    strength = (s.x / 0.85) * lx + s.y * ly + s.depth
    return 0.62 + 0.38 * strength / (1 + lx**2 + ly**2).sqrt()


def _beard(s: Canvas) -> Tensor:
    """Return where hairs grow (n, h, w): along the jaw and above the lips."""
    ax, y = s.ax, s.y
    jawline = ((y - 0.62 + 0.65 * ax.clamp(max=0.62)) * 7).clamp(0, 1)
    lip = ((0.07 - (y - 0.37).abs()) * 14).clamp(0, 1) * s.fill(ax - 0.27)
    mouth = (ax / 0.34) ** 2 + ((y - 0.53 - 0.06 * s.mean(26)) / 0.13) ** 2
    bare = ((1.25 - mouth) * 2.5).clamp(0, 1)
    return torch.maximum(jawline * (1 - bare), lip)


def _hair(s: Canvas) -> None:
    p = s.person
    there = (p["hair"] > 0.2 * s.man).float()
    parting = (p["part"] - 0.5) * 0.8
    fringe = 0.06 * p["fringe"] * torch.cos((s.x - parting) * 9)
    line = -0.78 + 0.14 * p["hairline"] - fringe
    front = s.y - (line + 0.9 * (s.x - parting * 0.3) ** 2 * s.ax)
    temple = 0.72 + 0.07 * p["width"]
    side = (1 - ((s.x / temple) ** 2 + ((s.y - 0.25) / 1.15) ** 2).sqrt()) * 0.7
    side = torch.maximum(side, s.y + 0.05 - (0.3 * p["length"] + 2 * s.long_hair))
    cap = ellipse(s.x, s.y + 0.1, 0.92, 1.0)
    shape = torch.maximum(torch.minimum(front, side), cap)
    angle = torch.atan2(s.x - 0.5 * parting, 1.3 + s.y)
    strands = torch.cos(angle * 31 + 9 * p["part"]) + torch.cos(angle * 53 + 4 * s.y)
    shine = 0.88 + 0.07 * strands + 0.22 * bell(((cap + 0.14) / 0.07) ** 2)
    s.paint(s.hair[:, :, None, None] * shine[:, None], s.fill(shape) * there)


def _glasses(s: Canvas) -> None:
    worn = (s.person["glasses"] > 0.86).float()
    if not bool(worn.any()):
        return
    wide, high = ((s.ax - 0.32) / 0.235) ** 2, ((s.y + 0.08) / 0.185) ** 2
    rim = (wide**2 + high**2).sqrt().sqrt() - 1
    frame = s.line(rim * 0.2, 0.018)
    bridge = s.line(s.y + 0.12, 0.016) * s.fill(s.ax - 0.1)
    temple = s.line(s.y + 0.12, 0.016) * s.fill(0.54 - s.ax) * s.fill(s.ax - 0.8)
    mask = torch.maximum(torch.maximum(frame, bridge), temple) * worn
    s.paint(torch.full_like(s.skin, 0.12), 0.8 * mask)
