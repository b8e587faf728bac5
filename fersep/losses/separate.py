"""The separate loss, and its two terms alone."""

from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from fersep import equations
from fersep.equations import Rule
from fersep.losses.base import (
    Batch,
    CenterBasedLoss,
    Parts,
    all_class_sums,
    several_processes,
)

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
    *sizes : int
        ``num_classes`` and ``feature_dim`` of :class:`CenterBasedLoss`.
    **options
        Its other arguments. The paper gives neither ``alpha`` nor ``init``. Only
        ``α / |c|^2`` matters, because the increments shrink as ``1 / |c|``: 0.5 is the
        usual value of center loss and goes with unit centers. With ``means`` the first
        centers are taken at length 1.
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

    def _parts(self, features: Tensor, batch: Batch, centers: Tensor) -> Parts:
        found = self._find(batch, centers)
        s = centers.shape[0]
        inter = equations.similarity_from_resultant(found.resultant, s)
        if self.terms == "inter":
            return torch.zeros_like(inter), inter
        try:
            known = (found.units, found.lengths, found.own, found.cosines)
            intra = _IntraLoss.apply(features, *known)
        except RuntimeError:  # torch.func takes no function with a backward by hand
            cosines = (equations.unit(features)[0] * found.own).sum(-1)
            intra = (1 - cosines.mean()) / 2
        return intra, torch.zeros_like(inter) if self.terms == "intra" else inter

    def _move(self, batch: Batch, centers: Tensor) -> None:
        if _is_small(batch, centers):
            self._move_by_class(batch, centers)
        else:
            self._move_by_sample(batch, centers)

    def _move_by_class(self, batch: Batch, centers: Tensor) -> None:
        """Eq. 6-8 from the sum of the unit features of each class.

        For few classes; where processes share the batch; and where a device would add
        single rows in a changing order.
        """
        found, s = self._find(batch, centers), centers.shape[0]
        if self.terms == "inter":
            pulled = torch.zeros_like(centers)
        elif self.rule == "exact" and centers.is_cpu and not several_processes():
            # All samples weigh alike, so they need not be counted.
            pulled = torch.zeros_like(centers)
            weight = equations.exact_intra_weight(len(batch.labels))
            pulled.index_add_(0, batch.labels, found.units, alpha=weight)
        else:
            sums, counts = all_class_sums(found.units, batch.labels, s)
            pulled = sums.mul_(equations.intra_weights(counts, self.rule)[:, None])
        if self.terms != "intra":
            pulled.sub_(found.resultant, alpha=equations.inter_weight(s, self.rule))
        along = torch.linalg.vecdot(pulled, found.unit_centers)
        pulled.addcmul_(found.unit_centers, along[:, None], value=-1)
        centers.addcmul_(pulled, found.inverse, value=self.alpha)

    def _move_by_sample(self, batch: Batch, centers: Tensor) -> None:
        """The same for many classes, with no second (s, d).

        Eq. 6 and 7 are a sum of unit vectors v less its part along the center, so the
        step is c_j + sum w v - (sum w v . c_j / |c_j|^2) c_j: two numbers for each
        class, one row for each sample and one for all.
        """
        found, labels = self._find(batch, centers), batch.labels
        inverse = found.inverse
        along = torch.zeros_like(inverse)
        if self.terms != "intra":
            weight = equations.inter_weight(len(centers), self.rule)
            push = -self.alpha * weight * inverse
            along -= push * inverse**2 * (centers @ found.resultant)[:, None]
        if self.terms != "inter":
            counts = labels.bincount(minlength=len(centers)).to(centers.dtype)
            pull = self.alpha * equations.intra_weights(counts, self.rule)
            pull = (pull[:, None] * inverse)[labels]
            cosines = pull * inverse[labels] * found.cosines[:, None]
            along.index_add_(0, labels, cosines, alpha=-1)
        centers.addcmul_(centers, along)
        if self.terms != "intra":
            centers.addr_(push[:, 0], found.resultant)
        if self.terms != "inter":
            centers.index_add_(0, labels, found.units * pull)

    def _find(self, batch: Batch, centers: Tensor) -> "_Found":
        """What the loss and the step both need, found once for the two."""
        found: _Found | None = batch.found
        if found and found.centers is centers and found.version == centers._version:
            return found
        few = _is_small(batch, centers)
        found = _Found(centers, few)
        if self.terms != "inter":
            found.lengths = equations.invert_lengths(batch.lengths)
            found.units = batch.features * found.lengths
            if few:
                found.own = found.unit_centers.index_select(0, batch.labels)
            else:
                found.own = centers[batch.labels] * found.inverse[batch.labels]
            found.cosines = torch.linalg.vecdot(found.units, found.own)
        if batch.given:
            found.version = centers._version
            batch.found = found
        return found


def _is_small(batch: Batch, centers: Tensor) -> bool:
    """Whether arrays as large as the centers cost little beside the batch."""
    few = centers.shape[0] < batch.labels.shape[0]
    return few or several_processes() or not centers.is_cpu


class _Found:
    """What the loss and the step of the centers need of a batch and of centers.

    Of the centers: inverse lengths (s, 1) and resultant (d,). Of the samples: inverse
    lengths (m, 1), unit features and unit centers of their classes, both (m, d), and
    the cosines of the two (m,).
    """

    lengths: Tensor
    unit_centers: Tensor
    units: Tensor
    own: Tensor
    cosines: Tensor
    version: int

    def __init__(self, centers: Tensor, few: bool) -> None:
        self.centers = centers
        self.inverse = equations.inverse_lengths(centers)
        if few:
            self.unit_centers = centers * self.inverse
            self.resultant = self.unit_centers.sum(0)
        else:
            self.resultant = self.inverse[:, 0] @ centers


class BatchMeansLoss(SeparateLoss):
    """The separate loss with centers that remember nothing, for ablations.

    In each batch the centers are the directions of its class means; a class that the
    batch lacks keeps its last one. The pull is Eq. 2 with these centers as constants,
    and Eq. 6-8 take no part. Parameters and errors are those of :class:`SeparateLoss`.
    """

    def _now(self, batch: Batch) -> Tensor:
        return self._class_means(batch)

    def _move(self, batch: Batch, centers: Tensor) -> None:
        """They are the means already."""


class _IntraLoss(torch.autograd.Function):
    """Eq. 2 with Eq. 5 as its gradient."""

    @staticmethod
    def forward(ctx: FunctionCtx, features: Tensor, *known: Tensor) -> Tensor:
        ctx.save_for_backward(features, *known)
        return torch.rsub(known[-1].mean(), 0.5, alpha=0.5)  # one kernel

    @staticmethod
    def backward(ctx: FunctionCtx, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        features, units, inverse, own, cosines = ctx.saved_tensors  # type: ignore[attr-defined]
        if torch.is_grad_enabled():  # to be differentiated again
            units, inverse = equations.unit(features)
            cosines = (units * own).sum(-1)
        scaled = grad_outputs[0] * inverse
        gradient = equations.gradient_from_units(units, scaled, own, cosines)
        return gradient, None, None, None, None
