"""The separate loss and its relatives as modules beside any network.

All have one form: ``forward`` and ``parts`` give the loss of a batch, ``update`` moves
the ``centers``, ``raise_on_faults`` says what was wrong. None of the first three reads
a value back from an accelerator, and none has a shape that depends on values: a whole
training step with them can be captured as a CUDA graph.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from fersep import equations
from fersep.equations import Rule
from fersep.losses.base import FIRST_CENTERS, CenterBasedLoss, first_centers  # noqa: F401
from fersep.losses.center import CenterLoss
from fersep.losses.island import IslandLoss
from fersep.losses.locality import LocalityPreservingLoss
from fersep.losses.separate import BatchMeansLoss, SeparateLoss
from fersep.losses.softmax import softmax_loss  # noqa: F401

_KINDS: dict[str, Callable[..., CenterBasedLoss]] = {
    "separate": SeparateLoss,
    "intra": partial(SeparateLoss, terms="intra"),
    "inter": partial(SeparateLoss, terms="inter"),
    "batch": BatchMeansLoss,
    "center": CenterLoss,
    "island": IslandLoss,
    "locality": LocalityPreservingLoss,
}

#: Names that :func:`make_loss` knows.
LOSSES = tuple(_KINDS)


def make_loss(
    name: str, *sizes: int, rule: Rule = "exact", **options: Any
) -> CenterBasedLoss:
    """A loss of this package by its name, with its usual settings.

    Parameters
    ----------
    name : {"separate", "intra", "inter", "batch", "center", "island", "locality"}
        ``intra`` and ``inter`` are :class:`SeparateLoss` with one of its terms,
        ``batch`` is :class:`BatchMeansLoss`.
    rule : {"exact", "published", "mean"}
        Of :class:`SeparateLoss`; the others know one rule only.
    *sizes : int
        ``num_classes`` and ``feature_dim`` of :class:`CenterBasedLoss`.
    **options
        Its other arguments.

    Raises
    ------
    ValueError
        If the name is unknown or an argument is out of its range.
    """
    equations.check_rule(rule)
    if name not in _KINDS:
        raise ValueError(f"a loss must be one of {', '.join(LOSSES)}; got {name!r}")
    if name in ("separate", "intra", "inter", "batch"):
        options["rule"] = rule
    return _KINDS[name](*sizes, **options)
