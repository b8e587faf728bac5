"""One step of Algorithm 1, as it is and as a GPU repeats it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fersep.losses import CenterBasedLoss, softmax_loss
from fersep.losses.base import several_processes
from fersep.training.batches import Feed
from fersep.training.followers import CenterFollower
from fersep.training.processes import autocast
from fersep.training.runs import Settings

#: Steps that are taken as they are before one is recorded.
WARM_UP = 3


class Step:
    """A step on a batch of a feed, called with what `Feed.draw_epoch` gives and η.

    The network returns features and logits. ``sums`` are of the images since they were
    last set to zero: the three losses, images named rightly, images.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: CenterBasedLoss,
        optimizer: torch.optim.Optimizer,
        feed: Feed,
        settings: Settings,
        followers: Sequence[CenterFollower] = (),
    ) -> None:
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.feed = feed
        self.settings = settings
        self.followers = followers
        self.sums = loss.centers.new_zeros(5)
        self.softmax_loss = partial(
            softmax_loss,
            head=settings.head,
            scale=settings.scale,
            margin=settings.margin,
            smoothing=settings.smoothing,
        )

    def __call__(self, draws: Tensor, weight: float, lr: float | Tensor) -> None:
        """Take one step; Algorithm 1, line by line."""
        images, labels = self.feed.make_batch(draws)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        with autocast(self.settings.precision, labels.device):
            features, logits = self.network(images, *self.feed.make_points(draws))
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        softmax = self.softmax_loss(logits, labels)
        intra, inter = self.loss.parts(features, labels)
        total = softmax + self.settings.lam * (intra + inter)
        self.loss.update(features.detach(), labels)
        for follower in self.followers:
            follower.see(features.detach(), labels)
        self.optimizer.zero_grad()
        (weight * total).backward()
        self.optimizer.step()

        with torch.no_grad():
            self.sums[:3] += torch.stack([softmax, intra, inter]) * len(labels)
            self.sums[3] += (logits.argmax(1) == labels).sum()
            self.sums[4] += len(labels)


class RecordedStep(Step):
    """The same on a GPU, which records the kernels of one step and repeats them.

    A step is some 400 kernels, and a small network is through with one before the next
    is ordered. The first steps are taken as they are, because they make what later ones
    use again, and so is a batch of another size. For one process without followers.
    """

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        # A number would be recorded with the kernels.
        self.lr = self.loss.centers.new_zeros(())
        self.graph = torch.cuda.CUDAGraph()
        self.taken = 0

    def __call__(self, draws: Tensor, weight: float, lr: float | Tensor) -> None:
        """Take one step."""
        self.lr.fill_(lr)
        self.taken += 1
        if self.taken <= WARM_UP:
            self._take_apart(draws, weight)
            return
        if self.taken == WARM_UP + 1:
            self.draws = draws.clone()
            with torch.cuda.graph(self.graph):
                super().__call__(self.draws, weight, self.lr)
        if draws.shape != self.draws.shape:
            super().__call__(draws, weight, self.lr)
            return
        self.draws.copy_(draws)
        self.graph.replay()

    def _take_apart(self, draws: Tensor, weight: float) -> None:
        """Take a step on another stream, as a recording does."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            super().__call__(draws, weight, self.lr)
        torch.cuda.current_stream().wait_stream(stream)


def make_step(
    network: nn.Module,
    loss: CenterBasedLoss,
    optimizer: torch.optim.Optimizer,
    feed: Feed,
    settings: Settings,
    followers: Sequence[CenterFollower] = (),
) -> Step:
    """Return the faster step that can be taken here."""
    alone = not followers and not several_processes()
    on_gpu = loss.centers.is_cuda and feed.resident
    kind = RecordedStep if on_gpu and alone else Step
    return kind(network, loss, optimizer, feed, settings, followers)
