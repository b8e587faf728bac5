"""The separate loss as a module: Eq. 2-8 beside any network."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from fersep import equations
from fersep.equations import Rule

#: Names of the centers' first values.
FIRST_CENTERS = ("sphere", "normal", "uniform")


class SeparateLoss(nn.Module):
    """The separate loss (Eq. 2-4) with its own centers (Eq. 6-8).

    Use it as in Algorithm 1: take the loss, move the centers, go backward, step the
    optimizer of the network::

        separate = SeparateLoss(num_classes=7, feature_dim=512)
        loss = softmax_loss + lam * separate(features, labels)
        separate.update(features, labels)
        loss.backward()

    The centers are a buffer, not a parameter: no optimizer moves them, only
    :meth:`update` does, and λ takes no part in it (Eq. 8).

    Parameters
    ----------
    num_classes : int
        s, at least 2.
    feature_dim : int
        d.
    alpha : float
        α of Eq. 8. The paper gives no value. Only ``α / |c|^2`` matters, because the
        increments shrink as ``1 / |c|``: 0.5 is the usual value of center loss and goes
        with unit centers.
    rule : {"exact", "published", "mean"}
        How the centers move; see `fersep.equations.intra_increment`. The paper prints
        ``published``; ``exact`` is the gradient of its own Eq. 2-4.
    init : {"sphere", "normal", "uniform"} or Tensor, (s, d)
        The centers' first values, which the paper does not give either. ``sphere``:
        random directions of length 1. ``normal``: N(0, 1), length about √d, so the
        centers turn about d times slower. ``uniform``: U(0, 1), all similar.
    generator : torch.Generator, optional
        The source of the first values; the global one by default.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """

    centers: Tensor
    faults: Tensor

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        alpha: float = 0.5,
        rule: Rule = "exact",
        init: str | Tensor = "sphere",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        equations.check_alpha(alpha)
        equations.check_rule(rule)
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}")
        if feature_dim < 1:
            raise ValueError(f"feature_dim must be at least 1, got {feature_dim}")
        self.alpha = alpha
        self.rule: Rule = rule
        centers = first_centers(num_classes, feature_dim, init, generator)
        self.register_buffer("centers", centers)
        faults = torch.zeros(3, dtype=torch.int64)
        self.register_buffer("faults", faults, persistent=False)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """``L_sep`` (Eq. 4), a scalar whose backward pass is Eq. 5 written by hand.

        Parameters
        ----------
        features : Tensor, (m, d)
            Any floating dtype; computed in float32 at least, also under autocast.
        labels : Tensor, (m,) int64

        Returns
        -------
        Tensor, scalar

        Raises
        ------
        ValueError
            If shapes do not fit. For a label out of range, a feature that is zero or
            not finite: at once on a CPU; elsewhere when :meth:`raise_on_faults` is
            called, because reading values would stop the device.
        """
        intra, inter = self.parts(features, labels)
        return intra + inter

    def parts(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """``L_intra`` (Eq. 2) and ``L_inter`` (Eq. 3), two scalars.

        Parameters and errors are those of :meth:`forward`. Only ``L_intra`` has a
        gradient for the features.
        """
        with torch.autocast(features.device.type, enabled=False):
            features, centers, labels = self._prepare(features, labels)
            unit_centers = equations.unit(centers)[0]
            intra = _IntraLoss.apply(features, unit_centers, labels)
            return intra, equations.mean_pair_similarity(unit_centers)

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor) -> None:
        """Move the centers by one step of Eq. 6-8.

        With an initialized `torch.distributed` process group the sums of all processes
        are added first: N processes with parts of a batch move the centers as one
        process with the whole batch does.

        Parameters and errors are those of :meth:`forward`.
        """
        with torch.autocast(features.device.type, enabled=False):
            features, centers, labels = self._prepare(features, labels)
            unit_features = equations.unit(features)[0]
            sums, counts = equations.class_sums(unit_features, labels, len(centers))
            if dist.is_available() and dist.is_initialized():
                both = torch.cat([sums, counts[:, None]], dim=1)
                dist.all_reduce(both)
                sums, counts = both[:, :-1], both[:, -1]
            increment = equations.intra_increment_from_sums(
                sums, counts, centers, self.rule
            ) + equations.inter_increment_unchecked(centers, self.rule)
            self.centers.sub_((self.alpha * increment).to(self.centers.dtype))

    def raise_on_faults(self) -> None:
        """Raise if any batch since the last call was faulty; reads one small tensor.

        Raises
        ------
        ValueError
            One sentence that counts what was wrong.
        """
        labels, not_finite, zero = self.faults.tolist()
        self.faults.zero_()
        if labels:
            raise ValueError(
                f"labels: {labels} were out of range; {len(self.centers)} classes have "
                f"the numbers 0 to {len(self.centers) - 1}"
            )
        if not_finite:
            raise ValueError(
                f"features: {not_finite} rows held NaN or infinity; "
                "lower the learning rate, or look for broken input"
            )
        if zero:
            raise ValueError(
                f"features: {zero} rows were zero vectors, which have no direction "
                "(Eq. 1); lower the learning rate, or use another feature layer"
            )

    def extra_repr(self) -> str:
        """The arguments, for printing."""
        s, d = self.centers.shape
        return (
            f"num_classes={s}, feature_dim={d}, alpha={self.alpha}, rule={self.rule!r}"
        )

    def _prepare(
        self, features: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        equations.check_shapes(features, self.centers, labels)
        dtype = torch.promote_types(features.dtype, self.centers.dtype)
        features, centers = features.to(dtype), self.centers.to(dtype)
        with torch.no_grad():
            s = len(centers)
            wrong = (labels < 0) | (labels >= s)
            finite = features.isfinite().all(-1)
            zero = features.norm(dim=-1) <= equations.shortest(dtype)
            self.faults += torch.stack([wrong.sum(), (~finite).sum(), zero.sum()])
        if not features.is_cuda:
            self.raise_on_faults()
        # A label out of range would kill a CUDA process before the fault is read.
        return features, centers, labels.clamp(0, s - 1)

    def _apply(
        self, fn: Callable[[Tensor], Tensor], recurse: bool = True
    ) -> SeparateLoss:
        # In half precision an increment is lost in rounding and the centers freeze.
        before = self.centers
        super()._apply(fn, recurse)
        if torch.finfo(self.centers.dtype).bits < 32:
            self.centers = before.to(self.centers.device)
        return self


class _IntraLoss(torch.autograd.Function):
    """Eq. 2 with Eq. 5 as its gradient."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        features: Tensor,
        unit_centers: Tensor,
        labels: Tensor,
    ) -> Tensor:
        unit_features, inverse_norms = equations.unit(features)
        if ctx.needs_input_grad[0]:  # type: ignore[attr-defined]
            # Kept now, because the centers move before the backward pass runs.
            gradient = equations.gradient_from_units(
                unit_features, inverse_norms, unit_centers, labels
            )
            ctx.save_for_backward(gradient)
        cosines = equations.own_cosines(unit_features, unit_centers, labels)
        return (1 - cosines.mean()) / 2

    @staticmethod
    @once_differentiable
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *grad_outputs: Tensor
    ) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grad_outputs[0] * gradient, None, None


def first_centers(
    num_classes: int,
    feature_dim: int,
    init: str | Tensor = "sphere",
    generator: torch.Generator | None = None,
) -> Tensor:
    """The centers' first values (s, d); see :class:`SeparateLoss`.

    Raises
    ------
    ValueError
        If the name is unknown or a given tensor does not fit.
    """
    shape = (num_classes, feature_dim)
    if isinstance(init, Tensor):
        if init.shape != shape:
            raise ValueError(
                f"init must have the shape {shape}, got {tuple(init.shape)}"
            )
        equations.check_centers(init)
        at_least_single = torch.promote_types(init.dtype, torch.float32)
        return init.detach().to(at_least_single, copy=True)
    if init == "uniform":
        return torch.rand(shape, generator=generator)
    if init in ("sphere", "normal"):
        centers = torch.randn(shape, generator=generator)
        return equations.unit(centers)[0] if init == "sphere" else centers
    raise ValueError(
        f"init must be sphere, normal, uniform or a tensor {shape}; got {init!r}"
    )
