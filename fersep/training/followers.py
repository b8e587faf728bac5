"""Centers that follow the features of a training and act on nothing."""

import torch
from torch import Tensor

from fersep.losses import SeparateLoss


class CenterFollower:
    """Centers of their own rule, first values and batch size beside a training.

    The name says these three, as in ``exact,sphere,100``; ValueError if it has another
    form. They see every feature that the network gives, in batches of their own size,
    and move by Eq. 8; neither the loss nor the network knows of them. What does not
    fill a batch at the end of an epoch is left out.
    """

    def __init__(self, name: str, alpha: float = 0.5) -> None:
        try:
            self.rule, self.init, size = name.split(",")
            self.batch_size = int(size)
        except ValueError:
            raise ValueError(
                f"a follower is named like exact,sphere,100; got {name!r}"
            ) from None
        self.name, self.alpha = name, alpha
        self.waiting: list[tuple[Tensor, Tensor]] = []

    def begin(self, num_classes: int, feature_dim: int, seed: int) -> SeparateLoss:
        """Make the centers, from a seed; return the module that holds them."""
        self.loss = SeparateLoss(
            num_classes,
            feature_dim,
            alpha=self.alpha,
            rule=self.rule,  # type: ignore[arg-type]
            init=self.init,
            generator=torch.Generator().manual_seed(seed),
        )
        return self.loss

    def see(self, features: Tensor, labels: Tensor) -> None:
        """Take the features (m, d) and labels (m,) of one step of the training."""
        self.waiting.append((features, labels))
        if sum(len(y) for _, y in self.waiting) < self.batch_size:
            return
        x, y = (torch.cat(parts) for parts in zip(*self.waiting, strict=True))
        m = self.batch_size
        whole = len(y) // m * m
        for batch in range(0, whole, m):
            self.loss.update(x[batch : batch + m], y[batch : batch + m])
        self.waiting = [(x[whole:], y[whole:])]
