"""The separate loss and its relatives as modules beside any network.

All have one form: ``forward`` and ``parts`` give the loss of a batch, ``update`` moves
the ``centers``, ``raise_on_faults`` says what was wrong. None of the first three reads
a value back from an accelerator, and none has a shape that depends on values: a whole
training step with them can be captured as a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, get_args

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from fersep import equations
from fersep.equations import Rule

#: Names of the centers' first values.
FIRST_CENTERS = ("sphere", "normal", "uniform", "simplex", "means")

#: Names that :func:`make_loss` knows.
LOSSES = ("separate", "intra", "inter", "batch", "center", "island", "locality")

Terms = Literal["both", "intra", "inter"]


class CenterBasedLoss(nn.Module):
    """What the losses of this file share: centers, checks, precision, processes.

    The centers are a buffer, not a parameter: no optimizer moves them, only
    :meth:`update` does, and λ takes no part in it. They stay in float32 at least.

    Parameters
    ----------
    num_classes : int
        s, at least 2.
    feature_dim : int
        d.
    alpha : float
        α, the learning rate of the centers, at least 0; with 0 they stay where they
        are.
    init : {"sphere", "normal", "uniform", "simplex", "means"} or Tensor, (s, d)
        The centers' first values; see :func:`first_centers`. With ``means`` the first
        batch replaces them by the means of its classes, and classes that it lacks keep
        a random direction.
    generator : torch.Generator, optional
        The source of the first values; the global one by default.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """

    #: Whether the loss sees directions only, so that a zero feature has no place in it.
    angular = False

    centers: Tensor
    faults: Tensor
    waiting: Tensor | None

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        alpha: float = 0.5,
        init: str | Tensor = "sphere",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        equations.check_alpha(alpha)
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}")
        if feature_dim < 1:
            raise ValueError(f"feature_dim must be at least 1, got {feature_dim}")
        self.alpha = alpha
        centers = first_centers(num_classes, feature_dim, init, generator)
        self.register_buffer("centers", centers)
        faults = torch.zeros(3, dtype=torch.int64)
        self.register_buffer("faults", faults, persistent=False)
        # On the device, because reading a flag there would stop it.
        by_means = isinstance(init, str) and init == "means"
        self.register_buffer("waiting", torch.tensor(True) if by_means else None)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar: the sum of :meth:`parts`.

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
            If shapes do not fit. For a label out of range, or a feature that is not
            finite or is zero where a direction is needed: at once on a CPU; elsewhere
            when :meth:`raise_on_faults` is called, because reading values would stop
            the device.
        """
        pull, push = self.parts(features, labels)
        return pull + push

    def parts(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """What pulls features together and what pushes centers apart, two scalars.

        A term that the loss does not have is 0. Parameters and errors are those of
        :meth:`forward`. Only the first part has a gradient for the features.
        """
        with _without_autocast(features):
            return self._parts(*self._prepare(features, labels))

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor) -> None:
        """Move the centers by one step.

        With an initialized `torch.distributed` process group the sums of all processes
        are added first: N processes with parts of a batch move the centers as one
        process with the whole batch does.

        Parameters and errors are those of :meth:`forward`.
        """
        with _without_autocast(features):
            features, centers, labels = self._prepare(features, labels)
            if self.alpha > 0:
                self._move(features, centers, labels)
                if centers is not self.centers:
                    self.centers.copy_(centers)

    def raise_on_faults(self) -> None:
        """Raise if any batch since the last call was faulty; reads one small tensor.

        Raises
        ------
        ValueError
            One sentence that counts what was wrong.
        """
        labels, not_finite, zero = self.faults.tolist()
        if labels or not_finite or zero:
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
        return f"num_classes={s}, feature_dim={d}, alpha={self.alpha}"

    def _parts(
        self, features: Tensor, centers: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _move(self, features: Tensor, centers: Tensor, labels: Tensor) -> None:
        """Change `centers` in place by one step."""
        raise NotImplementedError

    def _prepare(
        self, features: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        equations.check_shapes(features, self.centers, labels)
        dtype = torch.promote_types(features.dtype, self.centers.dtype)
        features, s = features.to(dtype), len(self.centers)
        # A label out of range would kill a CUDA process before the fault is read.
        given, labels = labels, labels.clamp(0, s - 1)
        with torch.no_grad():
            lengths = features.detach().norm(dim=-1)
            shortest = equations.shortest(dtype) if self.angular else -1.0
            wrong = [given != labels, ~(lengths < torch.inf), lengths <= shortest]
            self.faults += torch.stack(wrong).sum(1)
        if not features.is_cuda:
            self.raise_on_faults()
        if self.waiting is not None:
            self._begin_with_means(features, labels, self.waiting)
        return features, self.centers.to(dtype), labels

    @torch.no_grad()
    def _begin_with_means(
        self, features: Tensor, labels: Tensor, waiting: Tensor
    ) -> None:
        sums, counts = all_class_sums(features, labels, len(self.centers))
        means = sums / counts.clamp(min=1)[:, None]
        if self.angular:
            means = equations.unit(means)[0]
        here = waiting & (means != 0).any(1)
        first = torch.where(here[:, None], means, self.centers)
        self.centers.copy_(first)
        waiting.zero_()

    def _apply(
        self, fn: Callable[[Tensor], Tensor], recurse: bool = True
    ) -> CenterBasedLoss:
        # In half precision an increment is lost in rounding and the centers freeze.
        before = self.centers
        super()._apply(fn, recurse)
        if torch.finfo(self.centers.dtype).bits < 32:
            self.centers = before.to(self.centers.device)
        return self


class SeparateLoss(CenterBasedLoss):
    """The separate loss (Eq. 2-4) with its own centers (Eq. 6-8).

    Use it as in Algorithm 1: take the loss, move the centers, go backward, step the
    optimizer of the network::

        separate = SeparateLoss(num_classes=7, feature_dim=512)
        loss = softmax_loss + lam * separate(features, labels)
        separate.update(features, labels)
        loss.backward()

    The backward pass is Eq. 5 written by hand; λ takes no part in the step of the
    centers (Eq. 8).

    Parameters
    ----------
    num_classes, feature_dim, generator
        Of :class:`CenterBasedLoss`.
    alpha : float
        α of Eq. 8. The paper gives no value. Only ``α / |c|^2`` matters, because the
        increments shrink as ``1 / |c|``: 0.5 is the usual value of center loss and goes
        with unit centers.
    rule : {"exact", "published", "mean"}
        How the centers move; see `fersep.equations.intra_increment`. The paper prints
        ``published``; ``exact`` is the gradient of its own Eq. 2-4.
    terms : {"both", "intra", "inter"}
        For ablations. ``intra`` leaves out Eq. 3 and 7. ``inter`` leaves out Eq. 2, 5
        and 6: then no feature has a gradient from this loss, and a network trained with
        it is the network of the softmax loss.
    init : {"sphere", "normal", "uniform", "simplex", "means"} or Tensor, (s, d)
        The centers' first values, which the paper does not give either; see
        :func:`first_centers`. ``means`` are taken at length 1.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        alpha: float = 0.5,
        rule: Rule = "exact",
        terms: Terms = "both",
        init: str | Tensor = "sphere",
        generator: torch.Generator | None = None,
    ) -> None:
        equations.check_rule(rule)
        if terms not in get_args(Terms):
            raise ValueError(f"terms must be both, intra or inter; got {terms!r}")
        super().__init__(
            num_classes, feature_dim, alpha=alpha, init=init, generator=generator
        )
        self.rule: Rule = rule
        self.terms: Terms = terms
        self.angular = terms != "inter"

    def parts(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """``L_intra`` (Eq. 2) and ``L_inter`` (Eq. 3), two scalars.

        A term that `terms` leaves out is 0. Parameters and errors are those of
        :meth:`forward`. Only ``L_intra`` has a gradient for the features.
        """
        return super().parts(features, labels)

    def extra_repr(self) -> str:
        """The arguments, for printing."""
        return f"{super().extra_repr()}, rule={self.rule!r}, terms={self.terms!r}"

    def _parts(
        self, features: Tensor, centers: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        inverse = equations.inverse_lengths(centers)
        resultant = inverse[:, 0] @ centers
        inter = equations.similarity_from_resultant(resultant, len(centers))
        if self.terms == "inter":
            return torch.zeros_like(inter), inter
        intra = _IntraLoss.apply(features, centers[labels] * inverse[labels])
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
        if features.is_cuda or _several_processes():
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

    def _prepare(
        self, features: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        features, _, labels = super()._prepare(features, labels)
        always = torch.ones((), dtype=torch.bool, device=features.device)
        self._begin_with_means(features, labels, always)
        return features, self.centers.to(features.dtype), labels

    def _move(self, features: Tensor, centers: Tensor, labels: Tensor) -> None:
        """They have moved already."""


class CenterLoss(CenterBasedLoss):
    """Center loss (Wen, Zhang, Li and Qiao, 2016): features near their own center.

    ``L_C = 1 / (2 m) sum_i |x_i - c_{y_i}|^2``. The paper writes the sum over the batch
    without ``1 / m``; its authors' code divides by m, and so does this class, so that λ
    does not depend on the batch. The centers move as printed, without m or λ:
    ``c_j <- c_j - α sum_{y_i = j} (c_j - x_i) / (1 + n_j)``.

    Parameters and errors are those of :class:`CenterBasedLoss`.
    """

    def _parts(
        self, features: Tensor, centers: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
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

    Parameters
    ----------
    num_classes, feature_dim, alpha, init, generator
        Of :class:`CenterBasedLoss`.
    lam1 : float
        λ1, at least 0.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        alpha: float = 0.5,
        lam1: float = 10.0,
        init: str | Tensor = "sphere",
        generator: torch.Generator | None = None,
    ) -> None:
        equations.check_lam(lam1, "lam1 (λ1)")
        super().__init__(
            num_classes, feature_dim, alpha=alpha, init=init, generator=generator
        )
        self.lam1 = lam1

    def extra_repr(self) -> str:
        """The arguments, for printing."""
        return f"{super().extra_repr()}, lam1={self.lam1}"

    def _parts(
        self, features: Tensor, centers: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
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

    Parameters
    ----------
    num_classes, feature_dim, alpha, init, generator
        Of :class:`CenterBasedLoss`; they only fill ``centers``.
    neighbors : int
        k, at least 1.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        alpha: float = 0.5,
        neighbors: int = 20,
        init: str | Tensor = "sphere",
        generator: torch.Generator | None = None,
    ) -> None:
        if neighbors < 1:
            raise ValueError(f"neighbors must be at least 1, got {neighbors}")
        super().__init__(
            num_classes, feature_dim, alpha=alpha, init=init, generator=generator
        )
        self.neighbors = neighbors

    def extra_repr(self) -> str:
        """The arguments, for printing."""
        return f"{super().extra_repr()}, neighbors={self.neighbors}"

    def _parts(
        self, features: Tensor, centers: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        means, alone = self._neighbor_means(features.detach(), labels)
        away = (features - means).masked_fill(alone, 0)
        return away.square().sum(-1).mean() / 2, centers.new_zeros(())

    def _move(self, features: Tensor, centers: Tensor, labels: Tensor) -> None:
        """There is nothing to move."""

    def _neighbor_means(
        self, features: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        # The form by a matrix product would lose the small distances in rounding.
        exact = "donot_use_mm_for_euclid_dist"
        distances = torch.cdist(features, features, compute_mode=exact)
        distances.masked_fill_(labels[:, None] != labels, torch.inf)
        distances.fill_diagonal_(torch.inf)
        k = min(self.neighbors, len(features) - 1)
        nearest, which = distances.topk(k, largest=False)
        found = nearest.isfinite().to(features.dtype)
        chosen = torch.zeros_like(distances).scatter_(1, which, found)
        number = found.sum(1, keepdim=True)
        return chosen @ features / number.clamp(min=1), number == 0


class _IntraLoss(torch.autograd.Function):
    """Eq. 2 with Eq. 5 as its gradient."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        features: Tensor,
        own: Tensor,
    ) -> Tensor:
        unit_features, inverse_norms = equations.unit(features)
        # Computed now, because the centers move before the backward pass runs.
        gradient, cosines = equations.gradient_from_units(
            unit_features, inverse_norms, own
        )
        ctx.save_for_backward(gradient)
        return (1 - cosines.mean()) / 2

    @staticmethod
    @once_differentiable
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *grad_outputs: Tensor
    ) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grad_outputs[0] * gradient, None


def make_loss(
    name: str,
    num_classes: int,
    feature_dim: int,
    *,
    alpha: float = 0.5,
    rule: Rule = "exact",
    init: str | Tensor = "sphere",
    generator: torch.Generator | None = None,
) -> CenterBasedLoss:
    """A loss of this file by its name, with its usual settings.

    Parameters
    ----------
    name : {"separate", "intra", "inter", "batch", "center", "island", "locality"}
        ``intra`` and ``inter`` are :class:`SeparateLoss` with one of its terms,
        ``batch`` is :class:`BatchMeansLoss`.
    num_classes, feature_dim, alpha, init, generator
        Of :class:`CenterBasedLoss`.
    rule : {"exact", "published", "mean"}
        Of :class:`SeparateLoss`; the others know one rule only.

    Raises
    ------
    ValueError
        If the name is unknown or an argument is out of its range.
    """
    equations.check_rule(rule)

    def made(kind: Callable[..., CenterBasedLoss], **more: str) -> CenterBasedLoss:
        return kind(
            num_classes,
            feature_dim,
            alpha=alpha,
            init=init,
            generator=generator,
            **more,
        )

    if name == "separate":
        return made(SeparateLoss, rule=rule)
    if name in ("intra", "inter"):
        return made(SeparateLoss, rule=rule, terms=name)
    if name == "batch":
        return made(BatchMeansLoss, rule=rule)
    if name == "center":
        return made(CenterLoss)
    if name == "island":
        return made(IslandLoss)
    if name == "locality":
        return made(LocalityPreservingLoss)
    raise ValueError(f"a loss must be one of {', '.join(LOSSES)}; got {name!r}")


def all_class_sums(
    vectors: Tensor, labels: Tensor, num_classes: int
) -> tuple[Tensor, Tensor]:
    """`fersep.equations.class_sums`, added over all processes if there are several."""
    sums, counts = equations.class_sums(vectors, labels, num_classes)
    if _several_processes():
        both = torch.cat([sums, counts[:, None]], dim=1)
        dist.all_reduce(both)
        sums, counts = both[:, :-1], both[:, -1]
    return sums, counts


def _several_processes() -> bool:
    return dist.is_available() and dist.is_initialized()


def _without_autocast(features: Tensor) -> AbstractContextManager[None]:
    # Entered only where needed, because it takes as long as a small kernel.
    kind = features.device.type
    if torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()


def first_centers(
    num_classes: int,
    feature_dim: int,
    init: str | Tensor = "sphere",
    generator: torch.Generator | None = None,
) -> Tensor:
    """The centers' first values.

    Parameters
    ----------
    num_classes, feature_dim : int
        s and d.
    init : {"sphere", "normal", "uniform", "simplex", "means"} or Tensor, (s, d)
        ``sphere``: random directions of length 1. ``normal``: N(0, 1), length about
        √d, so the centers turn about d times slower. ``uniform``: U(0, 1), all similar.
        ``simplex``: length 1, all pairs at one angle, sum zero, in a random position;
        needs d ≥ s - 1. ``means``: as ``sphere``, until the first batch.
    generator : torch.Generator, optional
        The global one by default.

    Returns
    -------
    Tensor, (s, d)

    Raises
    ------
    ValueError
        If the name is unknown, a given tensor does not fit, or a simplex has no room.
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
    if init == "simplex":
        return _simplex(num_classes, feature_dim, generator)
    if init in FIRST_CENTERS:
        centers = torch.randn(shape, generator=generator)
        return centers if init == "normal" else equations.unit(centers)[0]
    raise ValueError(
        f"init must be {', '.join(FIRST_CENTERS)} or a tensor {shape}; got {init!r}"
    )


def _simplex(s: int, d: int, generator: torch.Generator | None) -> Tensor:
    if d < s - 1:
        raise ValueError(
            f"init simplex needs feature_dim ≥ num_classes - 1 = {s - 1}, got {d}; "
            "use sphere, or longer features"
        )
    frame = torch.eye(s, dtype=torch.float64)
    frame[:, 0] = 1
    # Columns of length 1 whose entries sum to zero; their rows are a simplex.
    corners = torch.linalg.qr(frame).Q[:, 1:]
    position = torch.randn(d, s - 1, generator=generator, dtype=torch.float64)
    centers = corners @ torch.linalg.qr(position).Q.T
    return equations.unit(centers)[0].float()
