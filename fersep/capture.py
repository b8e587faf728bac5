"""One training step as a CUDA graph: recorded once, replayed for every batch.

A small network at batch 100 keeps a GPU busy for less time than the processor needs to
launch its hundreds of kernels. A graph launches all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

#: Steps before recording; in them memory is taken and buffers are made.
WARM_UP = 3


class Captured:
    """A step that may be called like the plain one, and is replayed on the GPU.

    Parameters
    ----------
    step : callable
        Called with images, labels and draws. It must not read anything back from the
        device, and must change tensors in place.
    state : callable
        Returns by name every tensor that a step changes. The steps that warm up really
        train, so their traces are taken back.
    """

    def __init__(
        self,
        step: Callable[[Tensor, Tensor, Tensor], None],
        state: Callable[[], dict[str, Tensor]],
    ) -> None:
        self.step, self.state = step, state
        self.recorded: dict[int, tuple[Tensor, Callable[[], None]]] = {}

    def __call__(
        self, images: Tensor, labels: Tensor, draws: Tensor, weight: float = 1.0
    ) -> None:
        """Train on one batch; all but the draws is the same every time."""
        if len(draws) not in self.recorded:
            self.recorded[len(draws)] = self._record(images, labels, draws.clone())
        place, replay = self.recorded[len(draws)]
        place.copy_(draws)
        replay()

    def _record(
        self, images: Tensor, labels: Tensor, place: Tensor
    ) -> tuple[Tensor, Callable[[], None]]:
        before = {name: tensor.clone() for name, tensor in self.state().items()}
        replay = self._graph(lambda: self.step(images, labels, place))
        for name, tensor in self.state().items():
            # A tensor that was not there yet is a momentum, which starts at zero.
            tensor.copy_(before[name]) if name in before else tensor.zero_()
        return place, replay

    def _graph(self, work: Callable[[], None]) -> Callable[[], None]:
        here, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(here)
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                work()
        here.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        return graph.replay


class Replayed(Captured):
    """The same on any device, with the work itself in place of its graph.

    Slower than the plain step; it lets a machine without a GPU try all but the graph.
    """

    def _graph(self, work: Callable[[], None]) -> Callable[[], None]:
        for _ in range(WARM_UP):
            work()
        return work
