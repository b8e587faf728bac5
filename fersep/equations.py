"""Eq. 1-9 of the paper, one pure function each, in the paper's order.

Symbols: m samples, d features, s classes. ``features`` x is (m, d), ``labels`` y is
(m,) int64 with values 0 .. s - 1, ``centers`` c is (s, d). Every function runs on any
device, keeps the dtype of its input, and is differentiable by autograd.

The values are checked here: a zero vector has no direction, so Eq. 1 does not exist for
it. The checks read results back from the device; the training loop uses the unchecked
parts below the public functions and reads one flag per epoch instead.
"""

import math
from typing import Literal, TypeVar, get_args

import torch
from torch import Tensor

N = TypeVar("N", float, Tensor)
Rule = Literal["exact", "published", "mean"]


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """Eq. 1: the cosine of two vectors, moved from [-1, 1] to [0, 1].

    ``Sim(a, b) = (a . b / (|a| |b|) + 1) / 2``

    Vectors are (..., d), the other axes broadcast, and the result is (...): 1 for the
    same direction, 1/2 for a right angle, 0 for opposite directions. ValueError if a
    vector is zero or not finite, or if the last axes differ.
    """
    _check_tensors(a=a, b=b)
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-1]:
        raise ValueError(
            "a and b must be vectors of one length along the last axis, "
            f"got {tuple(a.shape)} and {tuple(b.shape)}"
        )
    _check_vectors("a", a)
    _check_vectors("b", b)
    return ((unit(a)[0] * unit(b)[0]).sum(-1) + 1) / 2


def intra_loss(features: Tensor, centers: Tensor, labels: Tensor) -> Tensor:
    """Eq. 2: one minus the mean similarity of each feature and the center of its class.

    Parameters
    ----------
    features : Tensor, (m, d)
    centers : Tensor, (s, d)
    labels : Tensor, (m,) int64

    Returns
    -------
    Tensor, scalar
        ``L_intra`` in [0, 1]; 0 when every feature points along its center.

    Raises
    ------
    ValueError
        If shapes do not fit, a label is out of range, or a vector is zero or not
        finite.
    """
    check_batch(features, centers, labels)
    cosines = (unit(features)[0] * unit(centers)[0][labels]).sum(-1)
    return (1 - cosines.mean()) / 2


def inter_loss(centers: Tensor) -> Tensor:
    """Eq. 3: the mean similarity over all ordered pairs of different centers.

    The sum over pairs needs only the sum U of the unit centers, because
    ``sum_{k != j} cos(c_k, c_j) = |U|^2 - s``: O(s d) instead of O(s^2 d). Returns the
    scalar ``L_inter`` in [0, 1], never below :func:`inter_loss_floor`. ValueError if
    there are fewer than two centers (s, d), or one is zero or not finite.
    """
    check_centers(centers)
    return mean_pair_similarity(unit(centers)[0])


def separate_loss(features: Tensor, centers: Tensor, labels: Tensor) -> Tensor:
    """Eq. 4: ``L_sep = L_intra + L_inter``.

    A scalar; parameters and errors are those of :func:`intra_loss` and
    :func:`inter_loss`.
    """
    return intra_loss(features, centers, labels) + inter_loss(centers)


def features_gradient(features: Tensor, centers: Tensor, labels: Tensor) -> Tensor:
    """Eq. 5: the gradient (m, d) of ``L_sep`` for each feature, written out by hand.

    ``dL_sep/dx_i = -(c / (|x_i| |c|) - (x_i . c) x_i / (|x_i|^3 |c|)) / (2 m)`` with c
    the center of the class of x_i. ``L_inter`` holds no feature, so it adds nothing.
    Each row is orthogonal to its feature.

    Parameters and errors are those of :func:`intra_loss`.
    """
    check_batch(features, centers, labels)
    units, inverse = unit(features)
    own = unit(centers)[0][labels]
    return gradient_from_units(units, inverse, own, (units * own).sum(-1))


def intra_increment(
    features: Tensor, centers: Tensor, labels: Tensor, rule: Rule = "exact"
) -> Tensor:
    """Eq. 6: the increment of each center caused by ``L_intra``.

    Parameters
    ----------
    features, centers, labels
        As in :func:`intra_loss`.
    rule : {"exact", "published", "mean"}
        ``exact``: the partial derivative of Eq. 2. ``published``: as printed, which is
        the derivative times ``1 / (1 + n_j)`` with n_j the samples of class j in the
        batch. ``mean``: as printed but without the factor ``1 / m``, so the sum over a
        class becomes a mean, as in center loss.

    Returns
    -------
    Tensor, (s, d)
        To be *subtracted* from the centers (Eq. 8); orthogonal to them row by row, and
        zero for a class without a sample.

    Raises
    ------
    ValueError
        As :func:`intra_loss`, or if the rule is unknown.
    """
    check_rule(rule)
    check_batch(features, centers, labels)
    sums, counts = class_sums(unit(features)[0], labels, len(centers))
    return intra_increment_from_sums(sums, counts, centers, rule)


def inter_increment(centers: Tensor, rule: Rule = "exact") -> Tensor:
    """Eq. 7: the increment of each center caused by ``L_inter``.

    The printed index j is free on the left and bound on the right; it is read as a sum
    over k != j. The term k = j would project to zero, so the sum of all unit centers
    is enough: O(s d). The result is as in :func:`intra_increment`, errors as in
    :func:`inter_loss`.

    Parameters
    ----------
    centers : Tensor, (s, d)
    rule : {"exact", "published", "mean"}
        ``exact``: the partial derivative of Eq. 3. ``published`` and ``mean``: as
        printed, which is half of it.
    """
    check_rule(rule)
    check_centers(centers)
    return inter_increment_unchecked(centers, rule)


def update_centers(centers: Tensor, increment: Tensor, alpha: float) -> Tensor:
    """Eq. 8: ``c <- c - alpha (increment)``, new centers; λ does not appear in it.

    Centers and increment are (s, d). ValueError if their shapes differ, or if alpha,
    the learning rate of the centers, is negative or not a number.
    """
    check_alpha(alpha)
    if centers.shape != increment.shape:
        raise ValueError(
            f"the increment must have the shape of the centers {tuple(centers.shape)}, "
            f"got {tuple(increment.shape)}"
        )
    return centers - alpha * increment


def total_loss(softmax_loss: Tensor, separate_loss: Tensor, lam: float) -> Tensor:
    """Eq. 9: ``L = L_s + λ L_sep`` of two scalars; the paper takes λ = 0.9.

    ValueError if λ is negative or not a number.
    """
    check_lam(lam)
    return softmax_loss + lam * separate_loss


def inter_loss_floor(num_classes: int) -> float:
    """The lowest value that Eq. 3 can reach: ``(s - 2) / (2 (s - 1))``.

    It is reached by every set of unit centers whose sum is zero, in any dimension that
    allows one. ValueError if there are fewer than two classes.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")
    return (num_classes - 2) / (2 * (num_classes - 1))


def stationary_centers(
    means: Tensor, shares: Tensor, rule: Rule = "exact", batch_size: int = 100
) -> Tensor:
    """Unit centers (s, d) at rest under Eq. 6 and 7 while the features stand still.

    At rest no increment turns a center, so it has the direction of
    ``p_j mu_j - q sum_{k != j} c_k``: p_j is the pull of the class in a mean batch, by
    Eq. 6, and q the factor of Eq. 7. Under the exact rule ``q / p_j = κ / w_j`` with
    ``κ = 2 / (s (s - 1))``, for every batch size.

    Parameters
    ----------
    means : Tensor, (s, d)
        μ_j, the mean of the *unit* features of each class.
    shares : Tensor, (s,)
        w_j, the share of each class in the data: positive, with sum 1.
    rule : {"exact", "published", "mean"}
    batch_size : int
        m, which matters under the other two rules.

    Raises
    ------
    ValueError
        If the shares are no shares, or not one for each mean.
    """
    check_rule(rule)
    total = shares.sum().item()
    if len(shares) != len(means) or not (shares > 0).all() or abs(total - 1) > 1e-4:
        raise ValueError(
            f"shares must be {len(means)} positive numbers with the sum 1, one for "
            f"each row of means; got {shares.tolist()}"
        )
    pulls = batch_size * shares * intra_weights(batch_size * shares, rule)
    push = inter_weight(len(means), rule)
    start = torch.randn(means.shape, generator=torch.Generator().manual_seed(0))
    centers = unit(start.to(means))[0]
    for _ in range(5000):  # each center in turn, best for the others as they are
        before = centers.clone()
        for j in range(len(centers)):
            others = centers.sum(0) - centers[j]
            centers[j] = unit(pulls[j] * means[j] - push * others)[0]
        if (centers - before).abs().max() < 10 * shortest(means.dtype):
            break
    return centers


# The parts without checks: none reads a value back from the device.


def shortest(dtype: torch.dtype) -> float:
    """The length under which a vector has no direction that its dtype can tell."""
    return 1e-12 if dtype == torch.float64 else 1e-6


def unit(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors (..., d) and inverse lengths (..., 1); both 0 for a zero vector.

    A zero vector gets the inverse length 0, not a large number: then it adds nothing to
    a sum and receives no gradient, instead of one of order 1e6.
    """
    inverse = inverse_lengths(vectors)
    return vectors * inverse, inverse


def inverse_lengths(vectors: Tensor) -> Tensor:
    """Inverse lengths (..., 1) of vectors (..., d), 0 for a zero vector."""
    return invert_lengths(torch.linalg.vector_norm(vectors, dim=-1, keepdim=True))


def invert_lengths(lengths: Tensor) -> Tensor:
    """One over each length, 0 for the length of a zero vector."""
    return lengths.reciprocal().masked_fill(lengths <= shortest(lengths.dtype), 0)


def mean_pair_similarity(unit_centers: Tensor) -> Tensor:
    """Eq. 3 from unit centers (s, d), by their sum alone."""
    return similarity_from_resultant(unit_centers.sum(0), len(unit_centers))


def similarity_from_resultant(resultant: Tensor, s: int) -> Tensor:
    """Eq. 3 from the sum (d,) of s unit centers."""
    weight = 0.5 / (s * (s - 1))
    offset = 0.5 - s * weight
    return torch.rsub(resultant.dot(resultant), offset, alpha=-weight)  # one kernel


def gradient_from_units(
    unit_features: Tensor, inverse_lengths: Tensor, own: Tensor, cosines: Tensor
) -> Tensor:
    """Eq. 5 from unit vectors: ``-(c - cos(x, c) x) / (2 m |x|)``.

    `own` (m, d) holds the unit center of the class of each feature, `cosines` (m,) the
    cosine of the two.
    """
    tangent = torch.addcmul(own, cosines[:, None], unit_features, value=-1)
    return tangent * (inverse_lengths / (-2 * len(own)))


def class_sums(
    unit_features: Tensor, labels: Tensor, num_classes: int
) -> tuple[Tensor, Tensor]:
    """Sum of the unit features of each class (s, d) and their number (s,).

    All that Eq. 6 needs of a batch. Sums over several devices add up, so N processes
    can compute the same increment as one.
    """
    if unit_features.is_cuda:
        # index_add on CUDA adds in a changing order; a matrix product repeats exactly.
        classes = torch.arange(num_classes, device=labels.device)
        one_hot = (labels == classes[:, None]).to(unit_features.dtype)
        return one_hot @ unit_features, one_hot.sum(1)
    sums = unit_features.new_zeros(num_classes, unit_features.shape[1])
    counts = unit_features.new_zeros(num_classes)
    sums.index_add_(0, labels, unit_features)
    counts.index_add_(0, labels, unit_features.new_ones(len(labels)))
    return sums, counts


def intra_increment_from_sums(
    sums: Tensor, counts: Tensor, centers: Tensor, rule: Rule
) -> Tensor:
    """Eq. 6 from the sums (s, d) and counts (s,) of :func:`class_sums`."""
    unit_centers, inverse_norms = unit(centers)
    tangent = sums - (sums * unit_centers).sum(-1, keepdim=True) * unit_centers
    return -tangent * inverse_norms * intra_weights(counts, rule)[:, None]


def intra_weights(counts: Tensor, rule: Rule) -> Tensor:
    """The factor (s,) of each class in Eq. 6, from the samples of each class (s,)."""
    m = counts.sum()
    if rule == "exact":
        return exact_intra_weight(m).expand_as(counts)
    if rule == "published":
        return 0.5 / (m * (1 + counts))
    return 0.5 / (1 + counts)


def exact_intra_weight(m: N) -> N:
    """The same for the exact gradient, whose m samples all weigh alike."""
    return 0.5 / m


def inter_increment_unchecked(centers: Tensor, rule: Rule) -> Tensor:
    """Eq. 7 without the checks of :func:`inter_increment`."""
    s = len(centers)
    unit_centers, inverse_norms = unit(centers)
    resultant = unit_centers.sum(0)
    tangent = resultant - (unit_centers @ resultant)[:, None] * unit_centers
    return tangent * inverse_norms * inter_weight(s, rule)


def inter_weight(s: int, rule: Rule) -> float:
    """The factor of Eq. 7."""
    return 1 / (s * (s - 1)) if rule == "exact" else 0.5 / (s * (s - 1))


# The checks.


def check_lam(lam: float, name: str = "lam (λ)") -> None:
    """Raise unless λ, or what bears that name, is a finite number of at least 0."""
    if not (math.isfinite(lam) and lam >= 0):
        raise ValueError(f"{name} must be a number of at least 0, got {lam}")


def check_alpha(alpha: float) -> None:
    """Raise unless α is a finite number of at least 0."""
    check_lam(alpha, "alpha (α)")


def check_rule(rule: str) -> None:
    """Raise unless the rule is one of `Rule`."""
    if rule not in get_args(Rule):
        raise ValueError(
            f"rule must be one of {', '.join(get_args(Rule))}; got {rule!r}"
        )


def check_shapes(features: Tensor, centers: Tensor, labels: Tensor) -> None:
    """Raise unless (m, d), (s, d) and (m,) int64 fit; reads shapes, never values."""
    _check_tensors(features=features, labels=labels)
    if not features.is_floating_point():
        raise ValueError(
            f"features must be floating point, got {features.dtype}; use "
            "features.float()"
        )
    if features.ndim != 2 or len(features) == 0:
        raise ValueError(
            "features must have the shape (m, d) with at least one row, "
            f"got {tuple(features.shape)}"
        )
    _check_rows(centers)
    if features.shape[1] != centers.shape[1]:
        raise ValueError(
            f"features have length {features.shape[1]} but centers have length "
            f"{centers.shape[1]}; create the centers with that feature length"
        )
    if labels.shape != features.shape[:1]:
        raise ValueError(
            f"labels must have the shape ({len(features)},), one per feature, "
            f"got {tuple(labels.shape)}"
        )
    if labels.dtype != torch.int64:
        raise ValueError(
            f"labels must be int64 class numbers, got {labels.dtype}; use labels.long()"
        )


def _check_tensors(**given: object) -> None:
    for name, value in given.items():
        if not isinstance(value, Tensor):
            raise ValueError(
                f"{name} must be a Tensor, got {type(value).__name__}; use "
                f"torch.as_tensor({name})"
            )


def check_centers(centers: Tensor) -> None:
    """Raise unless (s, d) holds at least two nonzero finite vectors."""
    _check_rows(centers)
    _check_vectors("centers", centers)


def check_batch(features: Tensor, centers: Tensor, labels: Tensor) -> None:
    """Raise unless Eq. 2 exists for this batch: shapes, label range, vectors."""
    check_shapes(features, centers, labels)
    check_labels(labels, len(centers))
    _check_vectors("features", features)
    _check_vectors("centers", centers)


def check_labels(labels: Tensor, num_classes: int) -> None:
    """Raise unless every label is a class number 0 .. s - 1."""
    wrong = (labels < 0) | (labels >= num_classes)
    if bool(wrong.any()):
        i = int(wrong.nonzero()[0, 0])
        raise ValueError(
            f"labels[{i}] is {int(labels[i])}, but {num_classes} classes have the "
            f"numbers 0 to {num_classes - 1}"
        )


def _check_rows(centers: Tensor) -> None:
    _check_tensors(centers=centers)
    if centers.ndim != 2 or len(centers) < 2:
        raise ValueError(
            "centers must have the shape (s, d) with at least two rows, "
            f"got {tuple(centers.shape)}"
        )


def _check_vectors(name: str, vectors: Tensor) -> None:
    if not vectors.is_floating_point():
        raise ValueError(
            f"{name} must be floating point, got {vectors.dtype}; use {name}.float()"
        )
    finite = vectors.isfinite().all(-1)
    if not bool(finite.all()):
        raise ValueError(
            f"{_first(name, ~finite)} holds NaN or infinity; "
            "lower the learning rate, or look for broken input"
        )
    zero = vectors.norm(dim=-1) <= shortest(vectors.dtype)
    if bool(zero.any()):
        raise ValueError(
            f"{_first(name, zero)} is a zero vector, which has no direction, so its "
            "similarity (Eq. 1) does not exist; leave it out"
        )


def _first(name: str, wrong: Tensor) -> str:
    if wrong.ndim == 0:
        return name
    return f"{name}[{', '.join(map(str, wrong.nonzero()[0].tolist()))}]"
