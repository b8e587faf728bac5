"""From images in memory to the batches that a network sees.

What is random is drawn on the CPU, a whole epoch at once: one seed gives the same
changes on every device, and an accelerator never waits for the next draw. A *draw* is a
row of four whole numbers: image, flip, shift down, shift right.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch
from torch import Tensor

#: Mean and standard deviation of ImageNet's colors, the usual input scale of ResNet18.
COLOR_MEAN = (0.485, 0.456, 0.406)
COLOR_STD = (0.229, 0.224, 0.225)

#: Images that travel to the device at once where not all of them find room on it.
CHUNK = 2000


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Flip half of the images and shift each by up to a twelfth of its size.

    Parameters
    ----------
    images : Tensor, (m, 3, height, width) uint8
    generator : torch.Generator
        On the CPU, so that one seed gives the same changes on every device.

    Returns
    -------
    Tensor, (m, 3, height, width)
        Normalized, in channels-last order.
    """
    draws = draw(torch.arange(len(images)), images.shape[2:], generator)
    return augmented(images, draws.to(images.device))


def draw(index: Tensor, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw what happens to the images of one batch.

    Parameters
    ----------
    index : Tensor, (m,) int64
        Numbers of the images.
    shape : (height, width)
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    Tensor, (m, 4) int64
        The draws: image, flip, shift down, shift right.
    """
    most = max(shape) // 12
    flip = torch.rand(len(index), generator=generator) < 0.5
    shift = torch.randint(-most, most + 1, (2, len(index)), generator=generator)
    return torch.stack([index, flip.long(), shift[0], shift[1]], 1)


def draw_epoch(
    n: int,
    batch_size: int,
    shape: tuple[int, ...],
    generator: torch.Generator,
    least: int = 2,
) -> list[Tensor]:
    """Draw the batches of an epoch.

    Parameters
    ----------
    n : int
        Training images.
    batch_size : int
        m.
    shape : (height, width)
    generator : torch.Generator
        On the CPU.
    least : int
        A last batch of fewer images is left out: batch norm has no spread of one image.

    Returns
    -------
    list of Tensor, (m, 4) int64
    """
    batches = torch.randperm(n, generator=generator).split(batch_size)
    return [draw(b, shape, generator) for b in batches if len(b) >= least]


def augmented(images: Tensor, draws: Tensor) -> Tensor:
    """Take images, flip and shift them as drawn, and normalize them.

    Parameters
    ----------
    images : Tensor, (n, 3, height, width) uint8
    draws : Tensor, (m, 4) int64
        On the same device.

    Returns
    -------
    Tensor, (m, 3, height, width)
        In channels-last order.
    """
    height, width = images.shape[2:]
    which, flip, down, right = draws[:, :, None].unbind(1)
    rows = torch.arange(height, device=images.device) + down
    columns = torch.arange(width, device=images.device) + right
    columns = torch.where(flip > 0, width - 1 - columns, columns)
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    moved = images.permute(0, 2, 3, 1)[
        which[:, :, None], rows[:, :, None], columns[:, None, :]
    ]
    return normalize(moved.permute(0, 3, 1, 2))


def normalize(images: Tensor) -> Tensor:
    """Turn uint8 images (m, 3, height, width) into the network's input."""
    mean, std = _color_scale(images.device)
    scaled = images.float().div_(255).sub_(mean).div_(std)
    return scaled.contiguous(memory_format=torch.channels_last)


class Feed:
    """Training images and labels, as near to the device as they fit.

    On the device itself if they take less than half of its free memory. Else they
    stay in the main memory and travel in pinned chunks, the next one while the device
    works on the last.

    Parameters
    ----------
    images : Tensor, (n, 3, height, width) uint8
    labels : Tensor, (n,) int64
    device : torch.device
    resident : bool, optional
        Whether the images live on the device; by default as said above.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        device: torch.device,
        resident: bool | None = None,
    ) -> None:
        self.device = device
        self.resident = fits(images, device) if resident is None else resident
        self.images, self.labels = images, labels
        if self.resident:
            self.images, self.labels = images.to(device), labels.to(device)

    def batches(self, draws: list[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Give images, labels and the draws (m, 4) for them, batch by batch.

        The images and labels are all of them, or those of a chunk; the draws count in
        what is given.
        """
        if self.resident:
            # One transfer for the whole epoch.
            there = _to(torch.cat(draws), self.device)
            for batch in there.split([len(d) for d in draws]):
                yield self.images, self.labels, batch
            return
        per_chunk = max(1, CHUNK // max(len(d) for d in draws))
        chunks = [draws[i : i + per_chunk] for i in range(0, len(draws), per_chunk)]
        with ThreadPoolExecutor(1) as worker:
            coming = worker.submit(self._chunk, chunks[0])
            for i, chunk in enumerate(chunks):
                images, labels, rows = (_to(t, self.device) for t in coming.result())
                if i + 1 < len(chunks):
                    coming = worker.submit(self._chunk, chunks[i + 1])
                for batch in rows.split([len(d) for d in chunk]):
                    yield images, labels, batch

    def _chunk(self, draws: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        rows = torch.cat(draws)
        images, labels = self.images[rows[:, 0]], self.labels[rows[:, 0]]
        rows[:, 0] = torch.arange(len(rows))
        if self.device.type == "cuda":
            images = images.pin_memory()
        return images, labels, rows


def fits(images: Tensor, device: torch.device) -> bool:
    """Tell whether images take less than half of the free memory of a device.

    Those that are there already do.
    """
    if device.type == images.device.type:
        return True
    return images.numel() * images.element_size() < free_memory(device) / 2


def free_memory(device: torch.device) -> int:
    """Return the free bytes of a GPU."""
    return torch.cuda.mem_get_info(device)[0]


def _to(tensor: Tensor, device: torch.device) -> Tensor:
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


@cache
def _color_scale(device: torch.device) -> tuple[Tensor, Tensor]:
    # Kept, because making them anew would stop the device at every batch.
    mean = torch.tensor(COLOR_MEAN, device=device)[:, None, None]
    return mean, torch.tensor(COLOR_STD, device=device)[:, None, None]
