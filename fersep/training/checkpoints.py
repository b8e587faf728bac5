"""What a training needs to go on after its process was ended.

One file for each epoch; it appears whole or not at all, and the last two are kept.
"""

from __future__ import annotations

import io
import os
import time
import uuid
from pathlib import Path
from typing import Any

import torch

#: How many checkpoints stay.
KEPT = 2

#: Seconds after which an unfinished file is taken for one of a process that was ended.
ABANDONED = 600


def save(folder: str | Path, epoch: int, content: dict[str, Any]) -> None:
    """Write the checkpoint of an epoch and remove those before the last two.

    Parameters
    ----------
    folder : str or path
        Made if it is not there.
    epoch : int
        Epochs that are done.
    content : dict
        Tensors, numbers, strings, and lists and dicts of them.

    Raises
    ------
    OSError
        If it cannot be written; the earlier checkpoints stay as they are.
    """
    folder = Path(folder)
    part = folder / f".epoch-{uuid.uuid4().hex}.part"  # two processes, two names
    # torch writes into memory: on a full disk its own writer may end the process.
    memory = io.BytesIO()
    torch.save(content, memory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(memory.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / f"epoch-{epoch:05d}.pt")
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(
            f"the checkpoint of epoch {epoch} could not be written into {folder} "
            f"({error.strerror}); make room there, or choose another place"
        ) from None
    for old in [*files(folder)[KEPT:], *_abandoned(folder)]:
        old.unlink(missing_ok=True)


def files(folder: str | Path) -> list[Path]:
    """Return the checkpoints in a folder, the newest first."""
    return sorted(Path(folder).glob("epoch-*.pt"), reverse=True)


def load(folder: str | Path) -> dict[str, Any] | None:
    """Return the newest checkpoint that can be read, or None where there is none.

    Raises
    ------
    ValueError
        If there are checkpoints and none can be read.
    """
    found = files(folder)
    for file in found:
        try:
            content: dict[str, Any] = torch.load(
                file, map_location="cpu", weights_only=True
            )
        except Exception:  # a broken archive can raise anything
            continue
        return content
    if found:
        raise ValueError(
            f"no checkpoint in {folder} can be read; delete the folder to begin again"
        )
    return None


def _abandoned(folder: Path) -> list[Path]:
    found = []
    for part in folder.glob(".epoch-*.part"):
        try:
            age = time.time() - part.stat().st_mtime
        except FileNotFoundError:  # finished meanwhile
            continue
        if age > ABANDONED:
            found.append(part)
    return found
