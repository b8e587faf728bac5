"""Relatives of the separate loss: center, island and locality preserving loss."""

from typing import Any

import torch
from torch import Tensor

from fersep import equations
from fersep.losses.base import CenterBasedLoss, Parts, all_class_sums


class CenterLoss(CenterBasedLoss):
    """Center loss (Wen, Zhang, Li and Qiao, 2016): features near their own center.

    ``L_C = 1 / (2 m) sum_i |x_i - c_{y_i}|^2``. The paper writes the sum over the batch
    without ``1 / m``; its authors' code divides by m, and so does this class, so that λ
    does not depend on the batch. The centers move as printed, without m or λ:
    ``c_j <- c_j - α sum_{y_i = j} (c_j - x_i) / (1 + n_j)``.
    """

    def _parts(self, features: Tensor, centers: Tensor, labels: Tensor) -> Parts:
        distances = (features - centers[labels]).square().sum(-1)
        return distances.mean() / 2, centers.new_zeros(())

    def _move(self, features: Tensor, centers: Tensor, labels: Tensor) -> None:
        sums, counts = all_class_sums(features, labels, len(centers))
        counts = counts[:, None]
        centers.addcdiv_(counts * centers - sums, 1 + counts, value=-self.alpha)


class IslandLoss(CenterLoss):
    """Island loss (Cai et al., 2018): center loss, and centers with an angle between.

    ``L_IL = L_C + λ1 sum_j sum_{k != j} (cos(c_k, c_j) + 1)``, with ``L_C`` as in
    :class:`CenterLoss`. The sum over pairs is not divided by their number: it lies
    between ``λ1 s (s - 2)`` and ``2 λ1 s (s - 1)``. The centers move by the step of
    center loss and ``λ1 / (s - 1)`` times the derivative of the cosines to c_j, as the
    paper prints it; the exact derivative of the double sum is ``2 (s - 1)`` times that.

    Parameters are those of :class:`CenterBasedLoss`, and `lam1`, λ1, at least 0.
    """

    own_arguments = ("lam1",)

    def __init__(self, *sizes: int, lam1: float = 10.0, **options: Any) -> None:
        equations.check_lam(lam1, "lam1 (λ1)")
        super().__init__(*sizes, **options)
        self.lam1 = lam1

    def _parts(self, features: Tensor, centers: Tensor, labels: Tensor) -> Parts:
        s = len(centers)
        mean_pair = equations.mean_pair_similarity(equations.unit(centers)[0])
        pull = super()._parts(features, centers, labels)[0]
        return pull, 2 * self.lam1 * s * (s - 1) * mean_pair

    def _move(self, features: Tensor, centers: Tensor, labels: Tensor) -> None:
        # Eq. 7 holds the same sum over k, divided by s (s - 1).
        apart = len(centers) * equations.inter_increment_unchecked(centers, "exact")
        super()._move(features, centers, labels)
        centers.sub_(apart, alpha=self.alpha * self.lam1)


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

    def _parts(self, features: Tensor, centers: Tensor, labels: Tensor) -> Parts:
        points = features.detach()
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
