"""The separate loss, and its two terms alone."""

from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from fersep import equations
from fersep.equations import Rule
from fersep.losses.base import CenterBasedLoss, Parts, all_class_sums, several_processes

Terms = Literal["both", "intra", "inter"]


class SeparateLoss(CenterBasedLoss):
    """The separate loss (Eq. 2-4) with its own centers (Eq. 6-8).

    Use it as in Algorithm 1: take the loss, move the centers, go backward, step the
    optimizer of the network::

        separate = SeparateLoss(num_classes=7, feature_dim=512)
        loss = softmax_loss + lam * separate(features, labels)
        separate.update(features, labels)
        loss.backward()

    The backward pass is Eq. 5 written by hand, and can be differentiated again. It may
    as well run before :meth:`update`: its gradient is that of the centers with which
    the loss was taken. λ takes no part in the step of the centers (Eq. 8). Its parts
    are ``L_intra`` (Eq. 2) and ``L_inter`` (Eq. 3).

    Parameters
    ----------
    rule : {"exact", "published", "mean"}
        How the centers move; see `fersep.equations.intra_increment`. The paper prints
        ``published``; ``exact`` is the gradient of its own Eq. 2-4.
    terms : {"both", "intra", "inter"}
        For ablations. ``intra`` leaves out Eq. 3 and 7. ``inter`` leaves out Eq. 2, 5
        and 6: then no feature has a gradient from this loss, and a network trained with
        it is the network of the softmax loss. A part left out is 0.
    num_classes, feature_dim, **options
        Of :class:`CenterBasedLoss`. The paper gives neither ``alpha`` nor ``init``.
        Only ``α / |c|^2`` matters, because the increments shrink as ``1 / |c|``: 0.5 is
        the usual value of center loss and goes with unit centers. With ``means`` the
        first centers are taken at length 1.
    """

    own_arguments = ("rule", "terms")

    def __init__(
        self, *sizes: int, rule: Rule = "exact", terms: Terms = "both", **options: Any
    ) -> None:
        equations.check_rule(rule)
        if terms not in get_args(Terms):
            raise ValueError(f"terms must be both, intra or inter; got {terms!r}")
        super().__init__(*sizes, **options)
        self.rule: Rule = rule
        self.terms: Terms = terms
        self.angular = terms != "inter"

    def _parts(self, features: Tensor, centers: Tensor, labels: Tensor) -> Parts:
        inverse = equations.inverse_lengths(centers)
        resultant = inverse[:, 0] @ centers
        inter = equations.similarity_from_resultant(resultant, len(centers))
        if self.terms == "inter":
            return torch.zeros_like(inter), inter
        own = centers[labels] * inverse[labels]
        try:
            intra = _IntraLoss.apply(features, own)
        except RuntimeError:  # torch.func takes no function with a backward by hand
            cosines = (equations.unit(features)[0] * own).sum(-1)
            intra = (1 - cosines.mean()) / 2
        return intra, torch.zeros_like(inter) if self.terms == "intra" else inter

    def _move(self, features: Tensor, centers: Tensor, labels: Tensor) -> None:
        # Eq. 6 and 7 are a sum of unit vectors v less its part along the center, so the
        # step is c_j + sum w v - (sum w v . c_j / |c_j|^2) c_j: two numbers for each
        # class, one row for each sample and one for all, and no second (s, d).
        inverse = equations.inverse_lengths(centers)
        along = torch.zeros_like(inverse)
        if self.terms != "intra":
            resultant = inverse[:, 0] @ centers
            weight = equations.inter_weight(len(centers), self.rule)
            push = -self.alpha * weight * inverse
            along -= push * inverse**2 * (centers @ resultant)[:, None]
        if self.terms != "inter":
            rows, counts, at = self._rows(features, labels)
            pull = self.alpha * equations.intra_weights(counts, self.rule)
            rows = rows * (pull[:, None] * inverse)[at]
            cosines = (rows * centers[at]).sum(1, keepdim=True)
            along.index_add_(0, at, cosines * inverse[at] ** 2, alpha=-1)
        centers.addcmul_(centers, along)
        if self.terms != "intra":
            centers.addr_(push[:, 0], resultant)
        if self.terms != "inter":
            centers.index_add_(0, at, rows)

    def _rows(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Unit features, the samples of each class (s,), and the class of each row.

        Where they have to be summed first, because processes share the batch or because
        a device would add them in a changing order, there is one row for each class.
        """
        rows, s = equations.unit(features)[0], len(self.centers)
        if several_processes() or not features.is_cpu:
            rows, counts = all_class_sums(rows, labels, s)
            return rows, counts, torch.arange(s, device=labels.device)
        counts = labels.bincount(minlength=s).to(rows.dtype)
        return rows, counts, labels


class BatchMeansLoss(SeparateLoss):
    """The separate loss with centers that remember nothing, for ablations.

    In each batch the centers are the directions of its class means; a class that the
    batch lacks keeps its last one. The pull is Eq. 2 with these centers as constants,
    and Eq. 6-8 take no part. Parameters and errors are those of :class:`SeparateLoss`.
    """

    def _now(self, features: Tensor, labels: Tensor) -> Tensor:
        return self._class_means(features, labels)

    def _move(self, features: Tensor, centers: Tensor, labels: Tensor) -> None:
        """They are the means already."""


class _IntraLoss(torch.autograd.Function):
    """Eq. 2 with Eq. 5 as its gradient."""

    @staticmethod
    def forward(ctx: FunctionCtx, features: Tensor, own: Tensor) -> Tensor:
        # Eq. 5 now, because the backward pass then costs one product.
        gradient, cosines = equations.gradient_from_units(
            *equations.unit(features), own
        )
        ctx.save_for_backward(features, own, gradient)
        return (1 - cosines.mean()) / 2

    @staticmethod
    def backward(ctx: FunctionCtx, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        features, own, gradient = ctx.saved_tensors  # type: ignore[attr-defined]
        if torch.is_grad_enabled():  # to be differentiated again
            gradient, _ = equations.gradient_from_units(*equations.unit(features), own)
        return grad_outputs[0] * gradient, None
