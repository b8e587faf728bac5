"""Regions of a face, each with a gate, for occluded faces: PG-CNN and gACNN.

A gate looks at its own region and says how far the region counts (Li et al., 2018 and
2019). Sizes are those of the authors' configuration where the backbone has 64 channels
in its first stage, but for the channels of the regions, which are the backbone's here.
"""

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

#: Half of the points around which patches lie, in shares of an aligned picture's width
#: and height; the others mirror them, and two lie on the nose. From landmarks they were
#: made as the authors make them: brows, eyes, mouth, between, and cheeks.
HALF = (
    (0.756, 0.249), (0.576, 0.261), (0.773, 0.412), (0.657, 0.371), (0.663, 0.755),
    (0.541, 0.720), (0.552, 0.819), (0.706, 0.322), (0.692, 0.441), (0.683, 0.563),
    (0.727, 0.691),
)  # fmt: skip
NOSE = ((0.5, 0.412), (0.5, 0.528))
POINTS = (*HALF, *((1 - x, y) for x, y in HALF), *NOSE)

#: Side of a patch in shares of the picture's: 6 cells of a map of 28.
SIDE = 6 / 28


def cut_patches(maps: Tensor, side: int, points: Tensor | None = None) -> Tensor:
    """Return the patches of maps (m, c, h, w): (m, 24 c, side, side).

    They lie around points (m, 24, 2), in shares of width and height, or `POINTS`.
    """
    m, c, h, w = maps.shape
    if points is None:
        points = torch.tensor(POINTS, device=maps.device).expand(m, -1, -1)
    x, y = points.flatten(0, 1).unbind(1)
    image = torch.arange(m, device=maps.device).repeat_interleave(len(POINTS))
    half = SIDE / 2
    sides = [(x - half) * w, (y - half) * h, (x + half) * w, (y + half) * h]
    rows = torch.stack([image.to(x), *sides], 1)
    found = roi_align(maps, rows.to(maps.dtype), side, aligned=True)
    return found.reshape(m, len(POINTS) * c, side, side)


class GatedRegions(nn.Module):
    """k regions (m, k c, side, side), each turned to a vector times its gate.

    No weight is shared between regions. With ``gated`` False the gates are left out,
    as if all were 1.
    """

    def __init__(
        self, k: int, channels: int, side: int, length: int, width: int, *, gated: bool
    ) -> None:
        super().__init__()
        self.k, whole = k, k * channels
        self.vector = nn.Sequential(
            nn.Conv2d(whole, k * length, side, groups=k), nn.ReLU()
        )
        self.gate: nn.Module | None = None
        if gated:
            self.gate = nn.Sequential(
                nn.MaxPool2d(2, ceil_mode=True),
                *_layer(whole, 2 * k * width, k),
                nn.AdaptiveAvgPool2d(1),
                *_layer(2 * k * width, k * width, k),
                nn.Conv2d(k * width, k, 1, groups=k),
                nn.BatchNorm2d(k),
                nn.Sigmoid(),
            )

    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (m, k, length) times their gates, and the gates (m, k)."""
        vectors = self.vector(regions).flatten(1).unflatten(1, (self.k, -1))
        if self.gate is None:
            return vectors, torch.ones_like(vectors[:, :, 0])
        gates = self.gate(regions).flatten(1)
        return vectors * gates[:, :, None], gates


class PatchFeatures(nn.Module):
    """Maps after the second stage to features (m, 16 ``width``) and gates.

    24 patches, and with ``deep`` (m, 8 ``width``, h, w), the maps after the last stage,
    the whole face as one more region. The dropout of the authors is left out.
    """

    def __init__(self, width: int, side: int, *, gated: bool, whole: bool) -> None:
        super().__init__()
        k, channels = len(POINTS), 2 * width
        self.side = side
        # A tensor made in every step would have to travel to a GPU.
        self.points: Tensor
        self.register_buffer("points", torch.tensor(POINTS), persistent=False)
        self.patches = nn.Sequential(
            *_layer(k * channels, k * channels, k, side=3),
            *_layer(k * channels, k * channels, k, side=3),
        )
        self.local = GatedRegions(k, channels, side, width, width, gated=gated)
        self.whole: GatedRegions | None = None
        if whole:
            d = 8 * width
            self.whole = GatedRegions(1, d, 1, d, width, gated=gated)
        inputs = (k + 8 * whole) * width
        self.join = nn.Sequential(nn.Linear(inputs, 16 * width), nn.ReLU())

    def forward(
        self, maps: Tensor, deep: Tensor | None, points: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Features, and the gates (m, 24), or (m, 25) with that of the whole face."""
        if points is None:
            points = self.points.expand(len(maps), -1, -1)
        vectors, gates = self.local(self.patches(cut_patches(maps, self.side, points)))
        rows, shown = [vectors.flatten(1)], [gates]
        if self.whole is not None and deep is not None:
            vectors, gates = self.whole(deep.mean((2, 3), keepdim=True))
            rows.append(vectors.flatten(1))
            shown.append(gates)
        return self.join(torch.cat(rows, 1)), torch.cat(shown, 1)


def _layer(channels: int, out: int, groups: int, side: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, out, side, padding=side // 2, groups=groups)
    return [convolution, nn.BatchNorm2d(out), nn.ReLU()]
