"""Where a training computes: its device, and the processes that share its batches.

``torchrun`` starts several processes, each with a device of its own. Every one draws
the same order of images and takes its own part of each batch. In a single process the
functions for several change nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from fersep.losses.base import several_processes


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of that name; "auto" is a GPU when there is one.

    ValueError if the name is unknown or the device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or not (number.isdecimal() or kind == name):
        raise ValueError(f"device must be auto, cpu or cuda; got {name!r}")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "device=cuda was asked for but torch sees no GPU; use device=auto or "
            "device=cpu, or install a driver that torch supports"
        )
    return torch.device(name)


def pick_precision(precision: str, where: torch.device) -> str:
    """Return the precision of a network; "auto" is bfloat16 on a GPU."""
    if precision == "auto":
        return "bfloat16" if where.type == "cuda" else "float32"
    return precision


def autocast(precision: str, where: torch.device) -> torch.autocast:
    """Return the context in which a network computes."""
    mixed = pick_precision(precision, where) == "bfloat16"
    return torch.autocast(where.type, torch.bfloat16, enabled=mixed)


@contextmanager
def repeatable() -> Iterator[None]:
    """Let cuDNN use only what gives the same numbers twice."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def rank() -> int:
    """Return the number of this process; 0 where there is only one."""
    return dist.get_rank() if several_processes() else 0


def world_size() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if several_processes() else 1


@contextmanager
def join(device: torch.device) -> Iterator[torch.device]:
    """Join the processes that ``torchrun`` started; give the device of this one.

    NCCL connects GPUs, gloo CPUs. Without ``torchrun`` nothing happens. More processes
    than GPUs on this machine are a ValueError.
    """
    if "WORLD_SIZE" not in os.environ:
        yield device
        return
    if device.type == "cuda":
        local, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= there:
            raise ValueError(
                f"process {local + 1} of this machine found {there} GPUs; start "
                f"torchrun with --nproc-per-node {there}, or use --device cpu"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def part_of(batch: Tensor) -> tuple[Tensor, float]:
    """Return the rows of a batch (m, ...) for this process, and their weight.

    DistributedDataParallel takes the plain mean of the processes' gradients. A loss
    that is a mean over ``k`` of the ``m`` images, times ``k * processes / m``, makes
    that mean the gradient of the whole batch, also where the parts are unequal.
    """
    rows = batch[rank() :: world_size()]
    return rows, len(rows) * world_size() / len(batch)


def wrap_model(model: nn.Module, *, sync_batch_norm: bool = False) -> nn.Module:
    """Wrap a model so that its gradients are those of all processes.

    The statistics of batch norm stay those of each process's part of the batch, unless
    ``sync_batch_norm`` joins them; without GPUs that is a ValueError.
    """
    if sync_batch_norm and next(model.parameters()).device.type != "cuda":
        raise ValueError(
            "sync_batch_norm needs GPUs; leave it out, and each process takes the "
            "statistics of its own part of the batch"
        )
    if world_size() == 1:
        return model
    if sync_batch_norm:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return DistributedDataParallel(model)


def add_up(values: Tensor) -> Tensor:
    """Add a tensor over the processes, in place, and return it."""
    if world_size() > 1:
        dist.all_reduce(values)
    return values


def join_parts(rows: Tensor, n: int) -> Tensor:
    """Join what `part_of` took apart: rows (k, ...) of each process to (n, ...)."""
    if world_size() == 1:
        return rows
    whole = rows.new_zeros(n, *rows.shape[1:])
    whole[rank() :: world_size()] = rows
    return add_up(whole)


def share_buffers(model: nn.Module) -> None:
    """Give every process the buffers of the first one: its running statistics."""
    if world_size() > 1:
        for buffer in model.buffers():
            dist.broadcast(buffer, 0)
