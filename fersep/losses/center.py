"""Center loss."""

from torch import Tensor

from fersep.losses.base import Batch, CenterBasedLoss, Parts, all_class_sums


class CenterLoss(CenterBasedLoss):
    """Center loss (Wen, Zhang, Li and Qiao, 2016): features near their own center.

    ``L_C = 1 / (2 m) sum_i |x_i - c_{y_i}|^2``. The paper writes the sum over the batch
    without ``1 / m``; its authors' code divides by m, and so does this class, so that λ
    does not depend on the batch. The centers move as printed, without m or λ:
    ``c_j <- c_j - α sum_{y_i = j} (c_j - x_i) / (1 + n_j)``.
    """

    def _parts(self, features: Tensor, batch: Batch, centers: Tensor) -> Parts:
        distances = (features - centers[batch.labels]).square().sum(-1)
        return distances.mean() / 2, centers.new_zeros(())

    def _move(self, batch: Batch, centers: Tensor) -> None:
        sums, counts = all_class_sums(batch.features, batch.labels, len(centers))
        counts = counts[:, None]
        centers.addcdiv_(counts * centers - sums, 1 + counts, value=-self.alpha)
