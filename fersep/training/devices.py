"""The device that trains: which one, how exactly, and what it says when it fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from fersep.training import checkpoints
from fersep.training.settings import Settings


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of that name; "auto" is a GPU when there is one.

    Raises
    ------
    ValueError
        If the name is unknown or the device is not there.
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


@contextmanager
def explain_failures(
    settings: Settings, where: torch.device, folder: str | Path | None
) -> Iterator[None]:
    """Turn what stops a training into one sentence that says what is kept."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        known = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not (known or re.search("not enough memory|allocate", str(error))):
            raise
        raise MemoryError(
            f"the {where.type} has too little memory for batch_size "
            f"{settings.batch_size} and width {settings.width}; lower one of them, or "
            f"image_size{_name_kept(folder)}"
        ) from None
    except (FloatingPointError, ValueError, OSError) as error:
        raise type(error)(f"{error}{_name_kept(folder)}") from None


def _name_kept(folder: str | Path | None) -> str:
    if not folder or not (found := checkpoints.files(folder)):
        return ""
    epoch = int(found[0].stem.removeprefix("epoch-"))
    return f"; the checkpoint of epoch {epoch} is kept in {folder}"
