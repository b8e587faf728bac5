"""What all losses share: centers, their first values, checks, precision, processes."""

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Self

import torch
import torch.distributed as dist
from torch import Tensor, nn

from fersep import equations

Parts = tuple[Tensor, Tensor]

#: Batches without an update after which it is said.
MANY = 1000

#: Names of the centers' first values.
FIRST_CENTERS = ("sphere", "normal", "uniform", "simplex", "means")


class Batch:
    """A checked batch without its graph, and what was found of it already.

    The loss and the step of the centers need the same of it, so `update` takes the
    batch that `parts` left, if it is given the same tensors and nobody wrote into them.
    """

    def __init__(self, features: Tensor, labels: Tensor, lengths: Tensor) -> None:
        self.features = features
        self.labels = labels
        self.lengths = lengths
        self.given: Any = None
        self.found: Any = None

    def is_of(self, *given: object) -> bool:
        """Say whether it was made of these tensors, as they are now."""
        return self.given is not None and self.given[0] == _traces(given)


@dataclass
class _Carried:
    """What a call leaves for the next; apart, because a module sets names slowly."""

    last: Batch | None = None  # of `parts`, for `update`
    kept: list[Batch] = field(default_factory=list)  # of `update` without a step
    unmoved: int = 0  # batches since the last update
    shared: bool = False  # whether all processes have the same centers


class CenterBasedLoss(nn.Module):
    """The base of all losses here.

    The centers are a buffer, not a parameter, and all that the state dict holds: no
    optimizer moves them, only :meth:`update` does, and λ takes no part in it. They stay
    in float32 at least. A relative gives its two parts in ``_parts`` and the step of
    its centers in ``_move``.

    `torch.compile` (also with ``fullgraph=True``), `torch.func.grad` and gradients of
    gradients work. `torch.vmap` does not, because values are checked: use the loss of
    one batch after the other.

    Parameters
    ----------
    num_classes : int
        Number of classes s, at least 2.
    feature_dim : int
        Length of a feature, d.
    alpha : float
        α, the learning rate of the centers, at least 0; with 0 they stay where they
        are.
    init : str or Tensor, (s, d)
        The centers' first values, as in :func:`first_centers`. With ``means`` they are
        the means of the classes in the batch until the first :meth:`update` keeps them;
        a class that it lacks keeps a random direction, and centers from a state dict
        stay.
    generator : torch.Generator, optional
        Where random first values come from; the global one by default.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """

    #: Whether the loss sees directions only, so that a zero feature has no place in it.
    angular = False

    #: What a relative adds to the arguments, for printing.
    own_arguments: tuple[str, ...] = ()

    centers: Tensor
    faults: Tensor

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
        if num_classes < 2 or feature_dim < 1:
            raise ValueError(
                "num_classes must be at least 2 and feature_dim at least 1; got "
                f"{num_classes} and {feature_dim}"
            )
        self.alpha = alpha
        self.carried = _Carried()
        self.waiting_for_means = isinstance(init, str) and init == "means"
        first = first_centers(num_classes, feature_dim, init, generator)
        self.register_buffer("centers", first)
        # A batch passes `parts` and `update`: with one row for both it counts twice.
        faults = torch.zeros(2, 3, dtype=torch.int64)
        self.register_buffer("faults", faults, persistent=False)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar: the sum of :meth:`parts`.

        Parameters
        ----------
        features : Tensor, (m, d)
            Any floating dtype; computed in float32 at least, also under autocast.
        labels : Tensor, (m,) int64

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

    def parts(self, features: Tensor, labels: Tensor) -> Parts:
        """What pulls features together and what pushes centers apart, two scalars.

        A term that the loss does not have is 0. Parameters and errors are those of
        :meth:`forward`. Only the first part has a gradient for the features.
        """
        with _without_autocast(features):
            batch = self._check(features, labels, row=0)
            self.carried.last = batch if batch.given else None
            features = features.to(batch.features.dtype)
            self._count_unmoved(features)
            return self._parts(features, batch, self._now(batch))

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor, *, step: bool = True) -> None:
        """Move the centers by one step; in evaluation mode only check the batch.

        With an initialized `torch.distributed` process group the sums of all processes
        are added first: N processes with parts of a batch move the centers as one
        process with the whole batch does. At the first step all take the centers of
        the first process.

        Parameters
        ----------
        features, labels
            Those of :meth:`forward`, and so are the errors.
        step : bool
            False keeps the batch, and the next step takes it in: where gradients of
            several batches are gathered, the centers then move once for all of them.
        """
        with _without_autocast(features):
            batch, self.carried.last = self.carried.last, None
            if batch is None or not batch.is_of(features, labels):
                batch = self._check(features, labels, row=1)
            if not self.training:
                return
            self.carried.unmoved = 0
            self.carried.kept.append(batch)
            if not step:
                return
            if len(self.carried.kept) > 1:
                each = [
                    (one.features, one.labels, one.lengths) for one in self.carried.kept
                ]
                batch = Batch(*map(torch.cat, zip(*each, strict=True)))
            self.carried.kept.clear()
            if not self.carried.shared and several_processes():
                dist.broadcast(self.centers, 0)
                self.carried.shared = True
            centers = self._now(batch)
            if self.alpha > 0:
                self._move(batch, centers)
            if centers is not self.centers:
                self.centers.copy_(centers)
            if self.waiting_for_means:
                self.waiting_for_means = False

    def raise_on_faults(self) -> None:
        """Raise if any batch since the last call was faulty; reads one small tensor.

        The ValueError counts what was wrong in the batches of :meth:`parts` or in those
        of :meth:`update`, whichever is more, because most batches go through both.
        """
        counts = self.faults.amax(0)
        self.faults.zero_()
        self.carried.last = None
        self._raise_on(counts)

    def extra_repr(self) -> str:
        """The arguments, for printing."""
        s, d = self.centers.shape
        own = [f", {name}={getattr(self, name)!r}" for name in self.own_arguments]
        return f"num_classes={s}, feature_dim={d}, alpha={self.alpha}{''.join(own)}"

    def _count_unmoved(self, features: Tensor) -> None:
        """Say once that nobody moves the centers, if they should move."""
        moves = type(self)._move is not CenterBasedLoss._move and self.alpha > 0
        if moves and self.training and features.requires_grad and not _compiling():
            self.carried.unmoved += 1
            if self.carried.unmoved == MANY:
                warnings.warn(
                    f"{type(self).__name__} saw {MANY} batches and its centers never "
                    "moved; call update(features, labels) in each step, or set alpha=0",
                    stacklevel=3,
                )

    def _parts(self, features: Tensor, batch: Batch, centers: Tensor) -> Parts:
        """The two parts; `features` are those of the batch with their graph."""
        raise NotImplementedError

    def _move(self, batch: Batch, centers: Tensor) -> None:
        """Change `centers` in place by one step; here they stay."""

    def _now(self, batch: Batch) -> Tensor:
        """The centers (s, d) for this batch, in the dtype of the features."""
        if self.waiting_for_means:
            return self._class_means(batch)
        return self.centers.to(batch.features.dtype)

    @torch.no_grad()
    def _class_means(self, batch: Batch) -> Tensor:
        sums, counts = all_class_sums(batch.features, batch.labels, len(self.centers))
        means = sums / counts.clamp(min=1)[:, None]
        if self.angular:
            means = equations.unit(means)[0]
        return torch.where((means != 0).any(1)[:, None], means, self.centers)

    def _check(self, features: Tensor, labels: Tensor, row: int) -> Batch:
        """A batch in the dtype to compute in with labels in range; faults are noted."""
        equations.check_shapes(features, self.centers, labels)
        given = (_traces([features, labels]), features.detach(), labels)
        dtype = torch.promote_types(features.dtype, self.centers.dtype)
        rows = features.detach().to(dtype)
        lengths = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
        shortest = equations.shortest(dtype) if self.angular else -1.0
        at_once = rows.is_cpu and not _compiling()
        if not (at_once and self._is_fine(labels, lengths, shortest)):
            # A label out of range would kill a CUDA process before the fault is read.
            inside = labels.clamp(0, len(self.centers) - 1)
            short, long = lengths <= shortest, ~(lengths < torch.inf)
            wrong = [inside != labels, long[:, 0], short[:, 0]]
            counts = torch.stack(wrong).sum(1)
            if at_once:
                self._raise_on(counts)
            self.faults[row] += counts
            labels = inside
        batch = Batch(rows, labels, lengths)
        batch.given = given if given[0] else None
        return batch

    def _is_fine(self, labels: Tensor, lengths: Tensor, shortest: float) -> bool:
        """Whether all is in range; two small looks on a CPU, False with a NaN."""
        least, most = (end.item() for end in labels.aminmax())
        low, high = (end.item() for end in lengths.aminmax())
        inside = least >= 0 and most < self.centers.shape[0]
        return inside and shortest < low and high < math.inf

    def _raise_on(self, counts: Tensor) -> None:
        labels, not_finite, zero = counts.tolist()
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

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        state_dict.pop(f"{prefix}waiting", None)  # older files may have it
        super()._load_from_state_dict(state_dict, prefix, *args)
        self.waiting_for_means &= f"{prefix}centers" not in state_dict

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # In half precision an increment is lost in rounding and the centers freeze.
        before = self.centers
        super()._apply(fn, recurse)
        if torch.finfo(self.centers.dtype).bits < 32:
            self.centers = before.to(self.centers.device)
        return self


def first_centers(
    num_classes: int,
    feature_dim: int,
    init: str | Tensor = "sphere",
    generator: torch.Generator | None = None,
) -> Tensor:
    """The centers' first values (s, d).

    Parameters
    ----------
    num_classes : int
        Number of classes s.
    feature_dim : int
        Length of a feature, d.
    init : {"sphere", "normal", "uniform", "simplex", "means"} or Tensor, (s, d)
        ``sphere``: random directions of length 1. ``normal``: N(0, 1), length about
        √d, so the centers turn about d times slower. ``uniform``: U(0, 1), all similar.
        ``simplex``: length 1, all pairs at one angle, sum zero, in a random position;
        needs d ≥ s - 1. ``means``: as ``sphere``, until the first batch.
    generator : torch.Generator, optional
        The global one by default.

    Raises
    ------
    ValueError
        If the name is unknown, a given tensor does not fit, or a simplex has no room.
    """
    shape = (num_classes, feature_dim)
    if isinstance(init, Tensor):
        if init.shape != shape:
            raise ValueError(f"init must have the shape {shape}, got {[*init.shape]}")
        equations.check_centers(init)
        at_least_single = torch.promote_types(init.dtype, torch.float32)
        return init.detach().to(at_least_single, copy=True)
    if init not in FIRST_CENTERS:
        raise ValueError(
            f"init must be {', '.join(FIRST_CENTERS)} or a tensor {shape}; got {init!r}"
        )
    if init == "uniform":
        return torch.rand(shape, generator=generator)
    if init == "simplex":
        return _simplex(num_classes, feature_dim, generator)
    centers = torch.randn(shape, generator=generator)
    return centers if init == "normal" else equations.unit(centers)[0]


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
    return equations.unit(corners @ torch.linalg.qr(position).Q.T)[0].float()


def all_class_sums(vectors: Tensor, labels: Tensor, num_classes: int) -> Parts:
    """`fersep.equations.class_sums`, added over all processes if there are several."""
    sums, counts = equations.class_sums(vectors, labels, num_classes)
    if several_processes():
        both = torch.cat([sums, counts[:, None]], dim=1)
        dist.all_reduce(both)
        sums, counts = both[:, :-1], both[:, -1]
    return sums, counts


def several_processes() -> bool:
    """Whether processes of a `torch.distributed` group work together."""
    return dist.is_available() and dist.is_initialized()


def _traces(given: Sequence[Any]) -> list[tuple[Any, ...]] | None:
    """What tells tensors apart, and writes into them; None if that cannot be told.

    It cannot in a compiled step, of tensors of `torch.func`, in inference mode.
    """
    if _compiling():
        return None
    try:
        return [(t.data_ptr(), t._version, t.shape, t.stride(), t.dtype) for t in given]
    except (AttributeError, RuntimeError):
        return None


def _compiling() -> bool:
    return torch.compiler.is_compiling()


def _without_autocast(features: Tensor) -> AbstractContextManager[None]:
    # Entered only where needed, because it takes as long as a small kernel.
    kind = features.device.type if isinstance(features, Tensor) else "cpu"
    if _compiling() or torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()
