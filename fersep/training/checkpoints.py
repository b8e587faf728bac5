"""What a training needs to go on after its process was ended: a file for each epoch."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from fersep import storage

#: How many checkpoints stay.
KEPT = 2


def save(folder: str | Path, epoch: int, content: dict[str, Any]) -> None:
    """Write the checkpoint after an epoch, and remove those before the last two."""
    # torch writes into memory: on a full disk its own writer may end the process.
    memory = io.BytesIO()
    torch.save(content, memory)
    try:
        with storage.whole_file(Path(folder) / f"epoch-{epoch:05d}.pt") as part:
            part.write_bytes(memory.getbuffer())
    except OSError as error:
        raise OSError(
            f"the checkpoint of epoch {epoch} could not be written into {folder} "
            f"({error.strerror}); make room there, or choose another place"
        ) from None
    for old in files(folder)[KEPT:]:
        old.unlink(missing_ok=True)


def files(folder: str | Path) -> list[Path]:
    """Return the checkpoints in a folder, the newest first."""
    return sorted(Path(folder).glob("epoch-*.pt"), reverse=True)


def load(folder: str | Path) -> dict[str, Any] | None:
    """Return the newest checkpoint that can be read, or None where there is none."""
    for file in files(folder):
        try:
            return dict(torch.load(file, map_location="cpu", weights_only=True))
        except Exception:  # a broken archive can raise anything
            continue
    if files(folder):
        raise ValueError(
            f"no checkpoint in {folder} can be read; delete the folder to begin again"
        )
    return None
