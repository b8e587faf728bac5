"""Island loss."""

from typing import Any

from torch import Tensor

from fersep import equations
from fersep.losses.base import Batch, Parts
from fersep.losses.center import CenterLoss


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

    def _parts(self, features: Tensor, batch: Batch, centers: Tensor) -> Parts:
        s = len(centers)
        mean_pair = equations.mean_pair_similarity(equations.unit(centers)[0])
        pull = super()._parts(features, batch, centers)[0]
        return pull, 2 * self.lam1 * s * (s - 1) * mean_pair

    def _move(self, batch: Batch, centers: Tensor) -> None:
        # Eq. 7 holds the same sum over k, divided by s (s - 1).
        apart = len(centers) * equations.inter_increment_unchecked(centers, "exact")
        super()._move(batch, centers)
        centers.sub_(apart, alpha=self.alpha * self.lam1)
