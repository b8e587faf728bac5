"""From images in memory to the batches that a network sees.

What is random is drawn on the CPU, an epoch at a time: one seed gives the same changes
on every device, and nothing waits for an accelerator between two steps.
"""

from collections.abc import Iterator, Sequence
from functools import cache

import torch
from torch import Tensor

from fersep.gates import HALF
from fersep.training import processes

#: Mean and standard deviation of ImageNet's colors, the usual input scale of ResNet18.
COLOR_MEAN = (0.485, 0.456, 0.406)
COLOR_STD = (0.229, 0.224, 0.225)


class Feed:
    """Images (n, 3, height, width) uint8 and labels, as near to the device as they fit.

    On the device itself if they take less than half of its free memory, or are there
    already. Else they stay in the main memory, and each batch travels when it is due.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        device: torch.device,
        points: Tensor | None = None,
    ) -> None:
        self.device, self.images, self.labels = device, images, labels
        self.points = points
        self.resident = (
            device.type == images.device.type
            or images.nbytes < torch.cuda.mem_get_info(device)[0] / 2
        )
        if self.resident:
            self.images, self.labels = images.to(device), labels.to(device)
            self.points = points if points is None else points.to(device)

    def draw_epoch(
        self, batch_size: int, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, float, float]]:
        """Draw the batches of an epoch in a new order.

        Gives, for `make_batch`, (k, 4) int64 of each: image, flip, shift down and shift
        right; the weight of its loss; the share of the epoch at its middle. Where
        several processes train, each gets its `part_of` every batch. A last batch too
        small to give each of them two images is left out: batch norm has no spread of
        one image. The generator is on the CPU.
        """
        order = torch.randperm(len(self.labels), generator=generator)
        parts, drawn, weights = order.split(batch_size), [], []
        for batch in parts:
            if len(batch) < 2 * processes.world_size():
                continue
            changes = draw_changes(len(batch), self.images.shape[2:], generator)
            draws = torch.cat([batch[:, None], changes], 1)
            mine, weight = processes.part_of(draws)
            drawn.append(mine)
            weights.append(weight)
        whole = torch.cat(drawn)
        if self.resident:
            whole = self._send(whole)
        each = zip(whole.split([len(mine) for mine in drawn]), weights, strict=True)
        for step, (draws, weight) in enumerate(each):
            yield draws, weight, (step + 0.5) / len(parts)

    def make_batch(self, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Return images and labels as drawn by `draw_epoch`, on the device.

        Images (k, 3, height, width) are normalized and in channels-last order.
        """
        index, changes = draws[:, 0], draws[:, 1:]
        images = self._send(self.images[index])
        return apply_draws(images, self._send(changes)), self._send(self.labels[index])

    def make_points(self, draws: Tensor) -> tuple[Tensor, ...]:
        """Return the points (k, 24, 2) of the images of `make_batch`, or nothing."""
        if self.points is None:
            return ()
        points = self._send(self.points[draws[:, 0]])
        return (move_points(points, self._send(draws[:, 1:]), self.images.shape[2:]),)

    def _send(self, tensor: Tensor) -> Tensor:
        if self.device.type == "cuda" and tensor.device.type == "cpu":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)


def draw_changes(m: int, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Draw flips, of half of m images, and shifts by up to a twelfth of their size.

    Returns flip, shift down and shift right of each, (m, 3) int64.
    """
    most = max(shape) // 12
    flip = torch.rand(m, generator=generator) < 0.5
    shift = torch.randint(-most, most + 1, (2, m), generator=generator)
    return torch.stack([flip.long(), shift[0], shift[1]], 1)


def apply_draws(images: Tensor, draws: Tensor) -> Tensor:
    """Flip and shift uint8 images as drawn by `draw_changes`, and normalize them.

    What a shift uncovers repeats the edge.
    """
    m, _, height, width = images.shape
    flip, down, right = draws[:, :, None].unbind(1)
    rows = torch.arange(height, device=images.device) + down
    columns = torch.arange(width, device=images.device) + right
    columns = torch.where(flip > 0, width - 1 - columns, columns)
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    which = torch.arange(m, device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]]
    return normalize(moved.permute(0, 3, 1, 2))


def move_points(points: Tensor, draws: Tensor, shape: Sequence[int]) -> Tensor:
    """Move points (m, 24, 2) as `apply_draws` moves images of a height and width.

    A face that is mirrored has its left eye where the right one was.
    """
    flip, down, right = draws[:, :, None].unbind(1)
    half = len(HALF)
    right_half, left_half, nose = points.split([half, half, 2], 1)
    mirrored = torch.cat([left_half, right_half, nose], 1)
    x = torch.where(flip > 0, 1 - mirrored[..., 0], points[..., 0])
    y = torch.where(flip > 0, mirrored[..., 1], points[..., 1])
    return torch.stack([x - right / shape[1], y - down / shape[0]], -1)


def normalize(images: Tensor) -> Tensor:
    """Turn uint8 images (m, 3, height, width) into the network's input."""
    mean, std = _color_scale(images.device)
    scaled = images.float().div_(255).sub_(mean).div_(std)
    return scaled.contiguous(memory_format=torch.channels_last)


@cache
def _color_scale(device: torch.device) -> tuple[Tensor, Tensor]:
    # Kept, because making them anew would stop the device at every batch.
    mean = torch.tensor(COLOR_MEAN, device=device)[:, None, None]
    return mean, torch.tensor(COLOR_STD, device=device)[:, None, None]
