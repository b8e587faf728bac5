"""What a camera makes of a face: cover, shadow, exposure, blur, grain, coarse JPEG."""

import torch
from torch import Tensor
from torch.nn import functional as F

from fersep.rendered.canvas import Canvas, ellipse
from fersep.rendered.sampling import mix


def photograph(s: Canvas, key: int) -> Tensor:
    """Spoil the picture as its view says, and return bytes (n, 3, h, w)."""

    def some(part: str) -> bool:
        return bool((s.view[part] > 0).any())

    if some("occluder"):
        _cover(s)
    if some("shadow"):
        _shade(s)
    _expose(s)
    if some("blur"):
        _blur(s)
    if some("noise"):
        _grain(s, key)
    shot = (s.picture.clamp_(0, 1) * 255 + 0.5).to(torch.uint8)
    if some("compression"):
        strength = s.view["compression"][:, 0, 0]
        stored = strength > 0
        shot[stored] = compress(shot[stored], strength[stored])
    return shot


def _cover(s: Canvas) -> None:
    """Put a hand or scarf from below, or a bar of hair from above, over the face."""
    v = s.view
    away = torch.where(v["occluder_y"] > 0, 1.0, -1.0)
    reach = 0.35 + 0.3 * v["occluder"]
    far = ellipse(s.x - 0.8 * v["occluder_x"], s.y - away, 0.8 * reach + 0.15, reach)
    color = torch.cat([v[f"back_{i}"][:, 0] for i in (3, 1, 2)], 1)
    s.paint(0.15 + 0.6 * color, s.fill(far * 0.4) * (v["occluder"] > 0))


def _shade(s: Canvas) -> None:
    """Keep the light from one side of a line, as something beside the face does."""
    v = s.view
    cos, sin = torch.cos(v["shadow_turn"]), torch.sin(v["shadow_turn"])
    beyond = s.x * cos + s.y * sin - v["shadow_at"]
    dark = 0.7 * v["shadow"] * (beyond / 0.12 + 0.5).clamp_(0, 1)
    s.picture *= (1 - dark)[:, None]


def _expose(s: Canvas) -> None:
    """Set color, contrast and brightness."""
    v, grey = s.view, s.view["grey"]
    s.paint(s.picture.mean(1, keepdim=True), grey)
    tint = torch.cat(
        [1 + v["warmth"], torch.ones_like(v["warmth"]), 1 - v["warmth"]], 1
    )
    tint = torch.where(grey > 0, torch.ones_like(tint), tint)
    contrast = 1 + v["contrast"][:, None]
    s.picture = (s.picture * tint[:, :, :, None] - 0.5) * contrast
    s.picture += 0.5 + v["brightness"][:, None]


def _blur(s: Canvas) -> None:
    step = max(1, round(0.02 / s.pixel))
    padded = F.pad(s.picture, (step,) * 4, mode="replicate")
    soft = F.avg_pool2d(padded, 2 * step + 1, 1)
    s.paint(soft, s.view["blur"].clamp(max=1))


def _grain(s: Canvas, key: int) -> None:
    n, _, h, w = s.picture.shape
    own = (s.view["back_1"][:, 0, 0] * 2**24).long() + key
    grain = mix(mix(own)[:, None] + torch.arange(h * w, device=own.device))
    zero = torch.zeros((), device=own.device)
    total = sum(((grain >> k & 0xFFFF).float() for k in (0, 16, 32)), zero)
    bell = (total / 0x8000 - 3).view(n, 1, h, w)
    s.picture = s.picture + s.view["noise"][:, None] * bell


def compress(images: Tensor, strength: Tensor) -> Tensor:
    """Return images as a coarse JPEG file would give them back.

    Blocks of 8×8 pixels are turned into cosines, whose weights are rounded. All numbers
    before a rounding are whole, so that the order of sums cannot matter. Images are
    (n, 3, h, w) uint8; strength (n,) goes from 0, nearly nothing, to 1.
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
