"""The softmax loss, with what later work put into it: margins and softer labels."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

#: What the logits are; see :func:`softmax_loss`.
HEADS = ("linear", "normface", "cosface", "arcface")


def softmax_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    head: str = "linear",
    scale: float = 16.0,
    margin: float = 0.0,
    smoothing: float = 0.0,
) -> Tensor:
    """Mean cross entropy of logits (m, s) with labels (m,), a scalar.

    Parameters
    ----------
    head : {"linear", "normface", "cosface", "arcface"}
        linear: logits are what they are. The others want ``scale cos θ_j`` of
        `fersep.models.CosineHead`. normface (Wang et al., 2017) takes them so. The
        others make the own class y harder: cosface (Wang et al., 2018) puts
        ``scale (cos θ_y - margin)`` in its place, arcface (Deng et al., 2019)
        ``scale cos(θ_y + margin)``. That would rise again beyond ``θ_y = π - margin``;
        there it is ``scale (cos θ_y - margin sin(margin))``, as in its authors' code.
    scale : float
        Of these logits.
    margin : float
        How much harder the own class is; for arcface an angle in radians.
    smoothing : float
        The share ε of each label that is spread over all s classes alike (Szegedy et
        al., 2016).
    """
    if head in ("cosface", "arcface"):
        own = logits.gather(1, labels[:, None])
        less = torch.full_like(own, margin)
        if head == "arcface":
            cosine = (own / scale).clamp(-1, 1)
            # The slope of the root at 0 is infinite.
            sine = (1 - cosine.square()).clamp(min=torch.finfo(own.dtype).eps).sqrt()
            turned = cosine * math.cos(margin) - sine * math.sin(margin)
            before = cosine >= -math.cos(margin)
            less = torch.where(before, cosine - turned, margin * math.sin(margin))
        logits = logits.scatter(1, labels[:, None], own - scale * less)
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def check_softmax(head: str, scale: float, margin: float, smoothing: float) -> None:
    """Raise ValueError unless :func:`softmax_loss` can use these."""
    if head not in HEADS:
        raise ValueError(f"head must be {', '.join(HEADS)}; got {head!r}")
    if not 0 < scale < math.inf:
        raise ValueError(f"scale must be a number larger than 0, got {scale}")
    if not 0 <= margin < math.pi / 2:
        raise ValueError(f"margin must be at least 0 and below π/2, got {margin}")
    if margin and head in ("linear", "normface"):
        raise ValueError(f"{head} knows no margin; use head cosface or arcface")
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must be at least 0 and below 1, got {smoothing}")
