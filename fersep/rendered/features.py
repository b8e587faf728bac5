"""Nose, eyes, brows and mouth."""

import torch
from torch import Tensor

from fersep.rendered.canvas import Canvas, bell, blob, box, color_at, ellipse

#: How much farther than the head the nose and the mouth move where it turns.
NOSE_YAW, NOSE_PITCH, MOUTH_YAW = 0.18, 0.1, 0.06


def nose_lift(s: Canvas) -> Tensor:
    """Return how far the nose wrinkles up (9) and rises with the lip (10)."""
    return 0.065 * s.both(s.unit(9)) + 0.02 * s.both(s.unit(10))


def nose(s: Canvas) -> None:
    """Paint the nose."""
    p, skin = s.person, s.skin
    nine = s.both(s.unit(9))
    x = s.x - NOSE_YAW * s.view["yaw"]
    ax = x.abs()
    tip = 0.17 + 0.07 * p["nose_length"]
    y = s.y + nose_lift(s) - NOSE_PITCH * s.view["pitch"]
    wide = 0.8 + 0.4 * p["nose_width"] + 0.25 * nine
    along = box((y - 0.05) / 0.17)
    ridge = bell((x / 0.055) ** 2) * along
    ball = blob(x, y - tip + 0.02, 0.07, 0.06)
    s.paint((skin * 1.14).clamp(max=1), 0.38 * torch.maximum(ridge, ball))
    flank = bell(((ax - 0.085 * wide) / 0.05) ** 2) * along
    away = 0.25 + 0.25 * (-s.view["light_x"] * torch.sign(x)).clamp(-1, 1)
    s.paint(skin * 0.55, flank * away)
    wing = ellipse(ax - 0.115 * wide, y - tip + 0.02, 0.05, 0.05)
    rim = bell((wing / 0.48) ** 2) * (ax > 0.1 * wide)
    s.paint(skin * 0.5, 0.5 * rim)
    under = s.line(y - tip - 0.035 + 0.3 * ax, 0.027) * box(ax / (0.14 * wide))
    s.paint(skin * 0.5, 0.5 * under)
    hole = ellipse(ax - 0.065 * wide, y - tip - 0.01, 0.04, 0.026)
    s.paint(skin * 0.2, 0.85 * s.fill(hole * 0.03))


def eyes(s: Canvas) -> None:
    """Paint the eyes, which widen (5) and narrow (4, 6, 7, 9)."""
    p, skin = s.person, s.skin
    five, six, seven, nine = (s.unit(k) for k in (5, 6, 7, 9))
    size = 0.92 + 0.25 * p["eye_size"] - 0.04 * s.man
    across = (s.ax - (0.3 + 0.04 * p["eye_space"])) / (0.165 * size)
    y = s.y + 0.1 + (p["eye_tilt"] - 0.4) * 0.04 * across
    arch = 1 - across**2
    raised = 0.085 + 0.08 * five - 0.055 * seven - 0.015 * six - 0.025 * nine
    raised = raised - 0.012 * s.unit(4) * (1 - five)
    lower = 0.055 + 0.015 * five - 0.05 * seven - 0.04 * six - 0.02 * nine
    top = s.both(raised.clamp(min=0.018)) * size * arch
    bottom = s.both(lower.clamp(min=0.004)) * size * arch
    # The fold of the upper lid nears the lashes as the eye opens.
    gap = s.both(0.055 - 0.025 * five)
    s.paint(skin * 0.5, 0.5 * (s.line(y + top + gap, 0.024) * box(across / 1.05)))
    opened = s.fill(torch.maximum(-top - y, y - bottom))
    # The upper lid shades the white of the eye.
    white = 0.97 - 0.3 * (1 - (y + top) / 0.06).clamp(0, 1)
    s.paint(white[:, None], opened)
    _irises(s, y, opened, size)
    lash = s.line(y + top, 0.02) * s.fill((across.abs() - 1.05) * 0.16)
    s.paint(torch.full_like(skin, 0.1), (0.95 - 0.3 * s.man) * lash)
    under = s.line(y - bottom, 0.016) * s.fill((across.abs() - 0.95) * 0.16)
    s.paint(skin * 0.4, 0.4 * under)


def _irises(s: Canvas, y: Tensor, opened: Tensor, size: Tensor) -> None:
    """Paint irises, pupils and glints where the eyes are open."""
    space = 0.3 + 0.04 * s.person["eye_space"]
    # Gaze and yaw move both irises the same way.
    center = torch.where(s.x < 0, -space, space) + 0.05 * s.view["gaze_x"]
    center = center + 0.06 * s.view["yaw"]
    dx, dy = s.x - center, y + 0.012 - 0.03 * s.view["gaze_y"]
    far = (dx**2 + dy**2).sqrt()
    radius = 0.082 * size
    iris = color_at("iris", s.person["eye_color"])[:, :, None, None]
    # An iris is darkest at its edge and lightest below the pupil.
    glow = (0.75 + 0.5 * (1 - (far / radius) ** 2) + 3 * dy).clamp(0.4, 1.5)
    s.paint(iris * glow[:, None], opened * s.fill(far - radius))
    s.paint(torch.full_like(s.skin, 0.04), opened * s.fill(far - 0.45 * radius))
    glint = ((dx + 0.03) ** 2 + (dy + 0.032) ** 2).sqrt() - 0.02
    s.paint(torch.ones_like(s.skin), 0.9 * opened * s.fill(glint))


def brow_line(s: Canvas) -> tuple[Tensor, Tensor]:
    """Return the place along a brow, 0 at its inner and 1 at its outer end; its height.

    Brows are raised (1, 2) or lowered (4, 9).
    """
    p = s.person
    one, two, four = s.unit(1), s.unit(2), s.unit(4)
    t = (s.ax - 0.13 + s.both(0.055 * four)) / 0.42
    inner = (1 - t).clamp(0, 1.1)
    inner = inner * inner.sqrt()
    outer = t.clamp(0, 1.1)
    frown = four * (1 - 0.75 * one)
    lift = inner * s.both(0.15 * one - 0.13 * frown - 0.07 * s.unit(9))
    lift = lift + outer * s.both(0.16 * two - 0.05 * four)
    rise = (0.05 + 0.05 * p["brow_arch"] * (1.3 - 0.6 * s.man)) * 4 * t * (1 - t)
    return t, -0.285 - 0.05 * p["brow_height"] + 0.02 * s.man - lift - rise * 0.6


def brows(s: Canvas) -> None:
    """Paint the brows."""
    p, (t, middle) = s.person, brow_line(s)
    thick = (0.026 + 0.024 * p["brow_thickness"]) * (0.75 + 0.4 * s.man)
    shape = (s.y - middle).abs() - thick * (1.15 - 0.7 * t).clamp(0.3, 1.2)
    ends = torch.maximum(-t, t - 1) * 0.42
    color = torch.minimum(s.hair * 0.8, s.skin * 0.45)
    s.paint(color, 0.92 * s.fill(torch.maximum(shape, ends)))


def mouth(s: Canvas) -> None:
    """Paint the mouth: lips, what is seen between them, and their corners."""
    m, skin = Mouth(s), s.skin
    m.paint_lips(s)
    inside = torch.maximum(m.up - m.y, m.y - m.low) + 0.004
    inside = s.fill(torch.maximum(inside, m.end))
    m.paint_inside(s, inside)
    pressed = s.mean(24)
    seam = s.line(m.y - m.center, 0.024) * (1 - inside) * s.fill(m.end - 0.01)
    strength = (0.7 + 0.25 * (pressed + s.mean(23))).clamp(max=0.95)
    s.paint(m.color * (0.4 - 0.2 * pressed[:, 0]), strength * seam)
    pit = blob((m.across.abs() - 1.02) * m.wide, m.y - m.middle, 0.04, 0.04)
    deep = 0.15 + 0.5 * (s.mean(12) + s.mean(15) + s.mean(20)).clamp(max=1)
    s.paint(skin * 0.4, pit * deep)


class Mouth:
    """The lines of a mouth: heights (n, h, w) at each place ``across`` from its middle.

    ``up`` and ``low`` bound the opening, ``above`` and ``below`` the lips; corners lie
    where ``across`` is ±1 and ``end`` is 0.
    """

    def __init__(self, s: Canvas) -> None:
        u = {k: s.mean(k) for k in (10, 12, 17, 20, 23, 24, 25, 26)}
        wide = 0.26 + 0.04 * s.person["mouth_width"] + 0.11 * u[12] + 0.19 * u[20]
        wide = wide - 0.11 * u[23] - 0.07 * u[26] - 0.02 * u[17] + 0.03 * u[24]
        x = s.x - MOUTH_YAW * s.view["yaw"]
        self.x, self.wide, self.across = x, wide, x / wide
        self.y = s.y - 0.5 + 0.06 * u[17] + 0.01 * u[10] - 0.01 * u[20]
        self.end = (self.across.abs() - 1) * wide
        red = torch.tensor([0.72, 0.30, 0.30], device=x.device)
        self.red = red.expand_as(s.skin)
        color = self.red * (0.5 + 0.6 * s.skin)
        color = torch.lerp(s.skin * 0.72, color, 0.65 - 0.3 * s.man[:, 0])
        tint = torch.tensor([0.1, -0.06, -0.02], device=x.device)
        self.color = color + (s.person["lip_color"][:, 0] - 0.5) * tint
        self._draw_lines(s, u)

    def _draw_lines(self, s: Canvas, u: dict[int, Tensor]) -> None:
        square = self.across**2
        arch, flat = 1 - square, 1 - square * square
        oval = arch.clamp(min=0).sqrt()
        sneer = (1 - 1.3 * square).clamp(min=0)
        pull = -0.19 * s.unit(12) + 0.19 * s.unit(15) + 0.07 * s.unit(20) - 0.025
        corner = s.both(pull) + 0.03 * u[17]
        self.middle = middle = corner * (square - 0.45).clamp(max=0.7)
        shut = (1 - 0.6 * u[24]) * (1 - 0.25 * u[17])
        part = 0.1 * u[25] * (1 - 0.5 * u[24])
        drop = 0.26 * u[26] * (1 - 0.4 * u[24])
        # A stretched mouth opens to a box, a dropped jaw to an oval, a smile to a bowl.
        opened = torch.lerp(arch, flat, (u[20] + 0.6 * u[12]).clamp(max=1))
        up = middle - opened * 0.3 * part * (1 - u[12]) - sneer * 0.1 * u[10] * shut
        self.up = up - oval * 0.3 * drop
        low = middle + opened * 0.7 * part * (1 + 0.5 * u[12]) + oval * 0.7 * drop
        self.low = low + sneer * 0.015 * u[10] * shut
        self.center = (self.up + self.low) / 2
        full = (0.75 + 0.5 * s.person["lip"]) * (1.1 - 0.25 * s.man)
        thin = (1 - 0.9 * u[24]) * (1 - 0.45 * u[23]) * (1 - 0.25 * u[12])
        thin = thin * (1 - 0.3 * u[20])
        bow = 1.1 - 0.3 * bell((self.x / 0.04) ** 2)
        above = torch.lerp(arch, flat, 0.35) * bow * 0.062 * full * thin
        self.above = self.up - above * (1 + 0.25 * u[10]) - sneer * 0.02 * u[10]
        below = torch.lerp(arch, oval, 0.3) * 0.088 * full * thin
        self.below = self.low + below * (1 + 0.4 * u[17])
        self.plump = 0.035 * full * thin

    def paint_lips(self, s: Canvas) -> None:
        """Paint the upper lip in shade; the lower one shines in its middle."""
        y = self.y
        mask = torch.maximum(torch.maximum(self.above - y, y - self.below), self.end)
        shine = blob(self.across, y - self.low - self.plump, 0.5, 0.025)
        shade = 0.82 + 0.22 * (y > self.center).float() + 0.22 * shine
        s.paint(self.color[:, :, None, None] * shade[:, None], s.fill(mask))

    def paint_inside(self, s: Canvas, inside: Tensor) -> None:
        """Paint the dark of an open mouth, the tongue and the teeth."""
        y, up, low = self.y, self.up, self.low
        ten, twelve, apart, jaw = (s.mean(k) for k in (10, 12, 25, 26))
        s.paint(torch.full_like(self.red, 0.1) + self.red * 0.22, inside)
        tongue = ellipse(self.x, y - low - 0.02, 0.7 * self.wide, 0.09)
        s.paint(self.red + 0.04, inside * s.fill(tongue * 0.08) * (jaw > 0.3))
        upper = s.fill(y - up - 0.085 + 0.045 * jaw * (1 - twelve) + 0.03 * ten)
        upper = upper * s.fill(self.end + 0.1 * self.wide)
        lower = s.fill(low - 0.04 - y) * (ten > 0.3) * (low - up > 0.05)
        # Lips that only rise or sink with the jaw leave the teeth in the dark.
        lit = (0.1 + 2.5 * apart + 0.8 * ten).clamp(max=1)
        teeth = inside * (torch.maximum(upper, lower) * lit)
        # Teeth lie deeper towards the corners.
        s.paint((0.97 - 0.25 * self.across**2)[:, None], teeth)
