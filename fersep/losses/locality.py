"""Locality preserving loss."""

from typing import Any

import torch
from torch import Tensor

from fersep.losses.base import Batch, CenterBasedLoss, Parts


class LocalityPreservingLoss(CenterBasedLoss):
    """Locality preserving loss (Li, Deng and Du, 2017): features near their neighbors.

    ``L_lp = 1 / (2 m) sum_i |x_i - mean of N_i|^2`` with N_i the nearest samples of the
    same class in the batch, at most `neighbors`, x_i itself not among them. The mean is
    over those found; a sample alone in its class adds nothing. The neighbors are
    constants: no gradient passes through them. The paper's first version sums over
    the batch, its second (2019) takes the mean, as here.

    There are no centers in it: :meth:`update` checks the batch and moves nothing, and
    ``centers`` keeps its first values. With several processes each looks for neighbors
    in its own part of the batch.

    Parameters are those of :class:`CenterBasedLoss`, and `neighbors`, k, at least 1.
    """

    own_arguments = ("neighbors",)

    def __init__(self, *sizes: int, neighbors: int = 20, **options: Any) -> None:
        if neighbors < 1:
            raise ValueError(f"neighbors must be at least 1, got {neighbors}")
        super().__init__(*sizes, **options)
        self.neighbors = neighbors

    def _parts(self, features: Tensor, batch: Batch, centers: Tensor) -> Parts:
        points, labels = batch.features, batch.labels
        # The form by a matrix product would lose the small distances in rounding.
        exact = "donot_use_mm_for_euclid_dist"
        distances = torch.cdist(points, points, compute_mode=exact)
        distances.masked_fill_(labels[:, None] != labels, torch.inf)
        distances.fill_diagonal_(torch.inf)
        k = min(self.neighbors, len(points) - 1)
        nearest, which = distances.topk(k, largest=False)
        found = nearest.isfinite().to(points.dtype)
        members = torch.zeros_like(distances).scatter_(1, which, found)
        number = found.sum(1, keepdim=True)
        away = features - members @ points / number.clamp(min=1)
        away = away.masked_fill(number == 0, 0)
        return away.square().sum(-1).mean() / 2, centers.new_zeros(())
